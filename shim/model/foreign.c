/* foreign.c - sockets on a port that the session never saw. A table without order: each question looks at all that are
 * known at the time, at most MODEL_FOREIGNS; without any it costs one load. */
#include "foreign.h"
#include "bucket.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

static uint32_t high(const struct model *m)
{
	uint32_t n = load_relaxed(&m->foreign_high);

	return n < MODEL_FOREIGNS ? n : MODEL_FOREIGNS;
}

void model_foreign_clear(struct model *m, uint8_t proto, uint16_t port)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < high(m); i++) {
		struct model_foreign *f = &m->foreign[i];
		if (f->proto == proto && f->local.port == port)
			*f = (struct model_foreign){0};
		if (f->proto)
			last = i + 1;
	}
	store_relaxed(&m->foreign_high, last);
}

/* Do they claim the same? Then one answer serves for both. */
static bool same(const struct model_foreign *a, const struct model_foreign *b)
{
	return a->proto == b->proto && a->state == b->state && a->options == b->options && a->hidden == b->hidden &&
	       a->domain == b->domain && a->uid == b->uid && a->device == b->device &&
	       !memcmp(&a->local, &b->local, sizeof(a->local));
}

bool model_foreign_add(struct model *m, const struct model_foreign *f)
{
	if (f->proto == SNAG_PROTO_TCP && f->local.port)
		bucket_doubt(m, f->local.port);
	for (uint32_t i = 0; i < high(m); i++)
		if (same(&m->foreign[i], f))
			return true;
	for (uint32_t i = 0; i < MODEL_FOREIGNS; i++) {
		if (m->foreign[i].proto)
			continue;
		m->foreign[i] = *f;
		if (i >= high(m))
			store_relaxed(&m->foreign_high, i + 1);
		return true;
	}
	return false;
}

bool model_foreign_get(const struct model *m, uint32_t sock, struct model_foreign *out)
{
	if (!foreign_is(sock))
		return false;
	*out = m->foreign[sock - FOREIGN_FIRST];
	if (out->state >= SNAG_STATES)
		out->state = SNAG_STATE_NONE;
	return out->proto != 0;
}

unsigned model_foreign_count(const struct model *m, uint8_t proto, uint16_t port)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < high(m); i++)
		n += m->foreign[i].proto == proto && m->foreign[i].local.port == port;
	return n;
}

struct bind_claim foreign_claim(const struct model_foreign *f)
{
	return (struct bind_claim){
		.addr = f->local,
		.domain = f->domain,
		.options = f->options,
		.hidden = f->hidden,
		.listening = f->state == SNAG_STATE_LISTEN,
		.time_wait = f->state == SNAG_STATE_TIME_WAIT,
		.device = f->device ? MODEL_DEVICE_UNKNOWN : 0,
		.uid = f->uid,
	};
}

enum bind_answer foreign_ask(const struct model *m, uint8_t proto, const struct bind_claim *new, uint32_t *holder)
{
	enum bind_answer answer = BIND_FREE;

	for (uint32_t i = 0; answer != BIND_CONFLICT && i < high(m); i++) {
		const struct model_foreign *f = &m->foreign[i];
		struct bind_claim old = foreign_claim(f);
		enum bind_answer a;
		if (f->proto != proto || f->local.port != new->addr.port)
			continue;
		a = bind_conflict(new, &old);
		if (a > answer) {
			answer = a;
			*holder = FOREIGN_FIRST + i;
		}
	}
	/* udp_lib_lport_inuse(): where both have SO_REUSEPORT the order in the chain decides, which is not known here. */
	if (snag_is_udp(proto) && answer == BIND_CONFLICT && (new->options & SNAG_OPTION_REUSEPORT))
		answer = BIND_UNSURE;
	return answer;
}

static bool may_get(const struct model_foreign *f, const struct snag_addr *to)
{
	const struct bind_claim syn = {.addr = *to, .domain = to->family};
	struct bind_claim old = foreign_claim(f);

	return f->proto == SNAG_PROTO_TCP && f->state == SNAG_STATE_LISTEN && f->local.port == to->port &&
	       bind_addresses_meet(&syn, &old);
}

/* compute_score() (net/ipv4/inet_hashtables.c, net/ipv6/inet6_hashtables.c), of what is known of it. */
static bool surely_gets(const struct model_foreign *f, const struct snag_addr *to)
{
	uint8_t v6only = (f->options | f->hidden) & SNAG_OPTION_V6ONLY;

	if (f->device || addr_is_mapped(to) || addr_is_mapped(&f->local))
		return false;
	return f->local.family == to->family || (addr_is_any(&f->local) && f->local.family == AF_INET6 && !v6only);
}

bool foreign_listens(const struct model *m, const struct snag_addr *to)
{
	for (uint32_t i = 0; i < high(m); i++)
		if (may_get(&m->foreign[i], to))
			return true;
	return false;
}

const struct model_foreign *foreign_listener(const struct model *m, const struct snag_addr *to)
{
	const struct model_foreign *only = NULL;

	for (uint32_t i = 0; i < high(m); i++) {
		const struct model_foreign *f = &m->foreign[i];
		if (!may_get(f, to))
			continue;
		if (only || !surely_gets(f, to))
			return NULL;
		only = f;
	}
	return only;
}
