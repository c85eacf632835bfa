/* name.c - the paths of bound unix sockets. */
#include "name.h"
#include "record.h"

#include <base/base.h>
#include <string.h>

static uint32_t names_high(const struct model *m)
{
	uint32_t high = load_relaxed(&m->names_high);

	return high < MODEL_NAMES ? high : MODEL_NAMES;
}

/* A free place is looked for from the first on: at most MODEL_NAMES steps, in bind of a unix socket only. */
void name_set(struct model *m, uint32_t sock, const char *path, uint16_t len)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t i = 0;

	if (!r || !len || len > SNAG_PATH_MAX)
		return;
	name_drop(m, sock);
	while (i < names_high(m) && m->name[i].sock)
		i++;
	if (i == MODEL_NAMES)
		return;
	if (i >= m->names_high)
		m->names_high = i + 1;
	memcpy(m->name[i].path, path, len);
	m->name[i].len = len;
	m->name[i].sock = sock;
	r->name = i + 1;
}

void name_drop(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r || !r->name || r->name > MODEL_NAMES)
		return;
	if (m->name[r->name - 1].sock == sock)
		m->name[r->name - 1].sock = 0;
	r->name = 0;
}

const char *model_path(const struct model *m, uint32_t sock, uint16_t *len)
{
	const struct model_sock *r = record_of(m, sock, 0);
	const struct model_name *n;

	if (!r || !r->name || r->name > MODEL_NAMES)
		return NULL;
	n = &m->name[r->name - 1];
	*len = n->len;
	return n->sock == sock && *len <= SNAG_PATH_MAX ? n->path : NULL;
}
