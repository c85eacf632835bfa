/* traffic.c - connections by the thousand: counted by port, without the lock. */
#include "traffic.h"
#include "port.h"
#include "record.h"

#include <base/base.h>

void traffic_enter(struct model *m, struct model_sock *r)
{
	struct model_traffic *t = &m->traffic[r->local.port];

	fetch_add(&t->open, 1);
	r->flags |= MODEL_COUNTED;
	if (!r->on_port)
		r->next = load_relaxed(&t->last);
	store_relaxed(&t->last, (uint32_t)(r - m->sock) + 1);
}

void traffic_leave(struct model *m, struct model_sock *r, uint64_t now_ns)
{
	uint32_t *open = &m->traffic[r->local.port].open, n = load_relaxed(open);

	r->flags &= (uint16_t)~MODEL_COUNTED;
	traffic_trail(m, r, now_ns);
	while (n && !cas(open, &n, n - 1))
		;
}

bool traffic_lingers(const struct model *m, uint16_t port, uint64_t now_ns, uint8_t *options)
{
	uint32_t trail = load_relaxed(&m->traffic[port].trail);

	*options = (uint8_t)trail;
	return trail >> 8 > now_ns / NSEC_PER_SEC;
}

void traffic_trail(struct model *m, const struct model_sock *r, uint64_t now_ns)
{
	uint32_t *trail = &m->traffic[r->local.port].trail, old = load_relaxed(trail), new;
	/* FIN_WAIT2 without a descriptor, then TIME_WAIT, each until its timer's latest */
	uint64_t until_ns = now_ns + record_fin_wait_ns(r) + TIME_WAIT_NS + 2 * MODEL_LATE_NS;
	uint32_t until = (uint32_t)(until_ns / NSEC_PER_SEC) + 1;
	uint8_t options = r->options, common;

	if (traffic_lingers(m, r->local.port, now_ns, &common))
		options &= common;
	new = (until > old >> 8 ? until : old >> 8) << 8 | options;
	if (new != old)
		store_relaxed(trail, new);
}

void traffic_time_wait(struct model *m, const struct model_sock *r, uint64_t now_ns)
{
	struct model_time_wait *tw = &m->time_wait[fetch_add(&m->time_wait_next, 1) % MODEL_TIME_WAITS];

	store_release(&tw->until_ns, (uint64_t)0);
	tw->local = r->local;
	tw->peer = r->peer;
	tw->options = r->options;
	store_release(&tw->until_ns, now_ns + TIME_WAIT_NS);
}

/* The ring is in the order of expiry: from its end back to the first that is over. */
static unsigned count_ring(const struct model *m, const struct snag_addr *local, uint64_t now_ns)
{
	uint32_t next = load_relaxed(&m->time_wait_next);
	uint32_t used = next < MODEL_TIME_WAITS ? next : MODEL_TIME_WAITS;
	unsigned n = 0;

	for (uint32_t i = 1; i <= used; i++) {
		const struct model_time_wait *tw = &m->time_wait[(next - i) % MODEL_TIME_WAITS];
		uint64_t until = load_acquire(&tw->until_ns);
		if (!until)
			continue;	/* being written */
		if (until <= now_ns)
			break;
		if (local->port && tw->local.port == local->port)
			n++;
	}
	return n;
}

unsigned model_time_waits(const struct model *m, const struct snag_addr *local, uint64_t now_ns)
{
	unsigned n = count_ring(m, local, now_ns);
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, local->port ? local->port : PORT_NONE);
	while ((r = port_walk_next(&w, &at)))
		for (uint32_t i = 0; i < MODEL_BARES && r && r->until_ns && model_is_bare(at); i++) {
			n += r->until_ns > now_ns;
			at = r->twin_next;
			r = record_of(m, at, 0);
		}
	return n;
}
