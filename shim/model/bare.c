/* bare.c - sockets of the kernel that no descriptor has. */
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "traffic.h"
#include "tuple.h"

#include <string.h>

/* ---- lists: of a listener's queue, and by age ---- */

static void list_append(struct model *m, uint32_t *first, uint32_t *last, uint32_t after, uint32_t at)
{
	struct model_sock *r = record_at(m, at, 0), *prev = record_at(m, after, 0);
	struct model_sock *next = record_at(m, prev ? prev->list_next : *first, 0);

	r->list_prev = prev ? after : 0;
	r->list_next = prev ? prev->list_next : *first;
	if (prev)
		prev->list_next = at;
	else
		*first = at;
	if (next)
		next->list_prev = at;
	else
		*last = at;
}

static void list_remove(struct model *m, uint32_t *first, uint32_t *last, struct model_sock *r)
{
	struct model_sock *prev = record_at(m, r->list_prev, 0), *next = record_at(m, r->list_next, 0);

	if (prev)
		prev->list_next = next ? r->list_next : 0;
	else
		*first = next ? r->list_next : 0;
	if (next)
		next->list_prev = prev ? r->list_prev : 0;
	else
		*last = prev ? r->list_prev : 0;
	r->list_next = r->list_prev = 0;
}

/* Of the queue that it stands in. */
static uint16_t *length_of(struct model_sock *listener, const struct model_sock *r)
{
	return record_half_open(r) ? &listener->syn_len : &listener->queue_len;
}

void bare_enqueue(struct model *m, uint32_t bare, uint32_t listener)
{
	struct model_sock *l = record_at(m, listener, 0), *r = record_at(m, bare, 0);

	if (!l || !r)
		return;
	list_append(m, &l->queue_first, &l->queue_last, l->queue_last, bare);
	(*length_of(l, r))++;
	r->listener = listener;
}

void bare_dequeue(struct model *m, uint32_t bare)
{
	struct model_sock *r = record_at(m, bare, 0), *l = r ? record_at(m, r->listener, 0) : NULL;

	if (!l)
		return;
	list_remove(m, &l->queue_first, &l->queue_last, r);
	*length_of(l, r) -= *length_of(l, r) != 0;
	r->listener = 0;
}

/* In the order of their ends: nearly always at the very end, as they all last equally long. */
void bare_ages(struct model *m, uint32_t bare, uint64_t until_ns)
{
	struct model_sock *r = record_at(m, bare, 0), *before;
	uint32_t after = m->age_last;

	if (!r)
		return;
	if (r->until_ns) {
		list_remove(m, &m->age_first, &m->age_last, r);
		after = m->age_last;
	}
	r->until_ns = until_ns;
	for (uint32_t i = 0; i < MODEL_BARES && (before = record_at(m, after, 0)) && before->until_ns > until_ns; i++)
		after = before->list_prev;
	list_append(m, &m->age_first, &m->age_last, after, bare);
}

/* ---- life ---- */

static bool give_way(struct model *m, uint64_t now_ns)
{
	uint32_t oldest = m->age_first;
	struct model_sock *r = record_at(m, oldest, 0);

	if (!r || !model_is_bare(oldest))
		return false;
	traffic_trail(m, r, now_ns);
	bare_free(m, oldest);
	return true;
}

uint32_t bare_new(struct model *m, uint64_t now_ns)
{
	uint32_t at = m->bare_free;
	struct model_sock *r;

	if (!at && m->bare_high >= MODEL_BARES && give_way(m, now_ns))
		at = m->bare_free;
	if (!at && m->bare_high < MODEL_BARES)
		at = SNAG_SOCKS + ++m->bare_high;
	if (!model_is_bare(at) || at - SNAG_SOCKS > record_bare_high(m))
		return 0;
	r = &m->bare[at - SNAG_SOCKS - 1];
	if (at == m->bare_free)
		m->bare_free = r->list_next;
	memset(r, 0, sizeof(*r));
	r->serial = UINT32_MAX;	/* no socket has this one */
	r->proto = SNAG_PROTO_TCP;
	r->since_ns = now_ns;
	return at;
}

void bare_free(struct model *m, uint32_t bare)
{
	struct model_sock *r = record_at(m, bare, 0);

	if (!r || !model_is_bare(bare))
		return;
	if (r->listener)
		bare_dequeue(m, bare);
	else if (r->until_ns)
		list_remove(m, &m->age_first, &m->age_last, r);
	conn_part(m, bare);
	tuple_unlink(m, bare);
	port_unlink(m, bare);
	r->serial = 0;
	r->list_next = m->bare_free;
	m->bare_free = bare;
}

void bare_purge(struct model *m, uint64_t now_ns)
{
	const struct model_sock *r;

	for (int i = 0; i < 64 && (r = record_of(m, m->age_first, 0)); i++) {
		if (!model_is_bare(m->age_first) || r->until_ns + MODEL_LATE_NS > now_ns)
			return;
		bare_free(m, m->age_first);
	}
}
