/* record.c - the model's socket records. */
#include "record.h"
#include "traffic.h"

#include <base/base.h>
#include <string.h>

uint32_t record_high(const struct model *m)
{
	uint32_t high = load_relaxed(&m->high);

	return high < SNAG_SOCKS ? high : SNAG_SOCKS;
}

struct model_sock *record_at(struct model *m, uint32_t sock, uint32_t serial)
{
	struct model_sock *r;

	if (!sock || sock > record_high(m))
		return NULL;
	r = &m->sock[sock - 1];
	if (!r->serial || (serial && r->serial != serial))
		return NULL;
	return r;
}

struct model_sock *record_begin(struct model *m, uint32_t sock, uint32_t serial, uint64_t now_ns)
{
	uint32_t high = load_relaxed(&m->high);
	struct model_sock *r, fresh = {0};

	if (!sock || sock > SNAG_SOCKS || !serial)
		return NULL;
	while (high < sock && !cas(&m->high, &high, sock))
		;
	r = &m->sock[sock - 1];
	if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	fresh.on_port = r->on_port;
	fresh.next = r->next;
	fresh.serial = serial;
	fresh.state = SNAG_STATE_CLOSED;
	fresh.since_ns = now_ns;
	*r = fresh;
	return r;
}

void record_state(struct model_sock *r, uint8_t state, uint64_t now_ns)
{
	if (r->state == state)
		return;
	r->state = state;
	r->since_ns = now_ns;
}

const struct model_sock *model_peek(const struct model *m, uint32_t sock, uint32_t serial)
{
	return record_of(m, sock, serial);
}

bool model_get(const struct model *m, uint32_t sock, struct model_sock *out)
{
	const struct model_sock *r = record_of(m, sock, 0);

	if (!r)
		return false;
	*out = *r;
	if (out->state >= SNAG_STATES)
		out->state = SNAG_STATE_NONE;
	if (out->role >= SNAG_ROLES)
		out->role = SNAG_ROLE_NONE;
	return true;
}
