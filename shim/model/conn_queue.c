/* conn_queue.c - connections at a listener: they come, are accepted, and end with it. */
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "request.h"
#include "tuple.h"

#include <base/addr.h>
#include <base/base.h>

#define QUEUED_NS (3600 * NSEC_PER_SEC)	/* queued who knows where: forgotten some day */

void conn_reach(struct model *m, uint32_t client, uint32_t listener, uint64_t now_ns)
{
	struct model_sock *c = record_at(m, client, 0), *l = record_at(m, listener, 0), *b;
	/* A client that defers acknowledges late: tcp_rcv_synsent_state_process() (net/ipv4/tcp_input.c). */
	bool half_open = c && l && ((l->traits | c->traits) & MODEL_DEFERS);
	uint32_t at;

	if (!c)
		return;
	at = conn_shadow(m, l ? l : c, half_open ? SNAG_STATE_SYN_RECV : SNAG_STATE_ESTABLISHED, now_ns);
	b = record_at(m, at, 0);
	if (!b)
		return;
	b->flags = MODEL_EXACT | (l ? l->flags & (MODEL_HARD | MODEL_SHUT_WR | MODEL_MAPPED) : MODEL_DOUBT);
	b->local = c->peer;
	b->peer = c->local;
	b->role = SNAG_ROLE_ACCEPTED;
	if (l && !addr_equal_ip(&b->local, &l->local))
		port_moved(m, at);
	if (l)
		bare_enqueue(m, at, listener);
	else
		bare_ages(m, at, now_ns + QUEUED_NS);
	conn_enter(m, at);
	conn_join(m, client, at);
	if (half_open)
		conn_lose_sight(m, client);	/* nobody sees what it sends, nor a RST that may come of it */
	else if (b->flags & MODEL_SHUT_WR)	/* tcp_rcv_state_process(): shut down before it began */
		conn_fin(m, at, now_ns);
}

static bool same_ends(const struct model_sock *a, const struct model_sock *b)
{
	return a->local.port == b->local.port && a->peer.port == b->peer.port && addr_equal_ip(&a->peer, &b->peer) &&
	       addr_equal_ip(&a->local, &b->local);
}

/* Who waits at the listener, or at an unknown one, with these addresses? One that was reset is in no table any more. */
static uint32_t find_queued(const struct model *m, const struct model_sock *r, uint32_t listener)
{
	const struct model_sock *l = record_of(m, listener, 0), *b;
	uint32_t at = l ? l->queue_first : 0;
	struct tuple_walk w;

	if ((b = record_of(m, at, 0)) && model_is_bare(at) && same_ends(b, r))
		return at;
	tuple_walk_begin(&w, m, &r->local, &r->peer);
	while ((b = tuple_walk_next(&w, &at)))
		if (model_is_bare(at) && b->role == SNAG_ROLE_ACCEPTED)
			return at;
	return 0;
}

bool conn_accept(struct model *m, uint32_t sock, uint32_t listener, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t at = r ? find_queued(m, r, listener) : 0, other;
	struct model_sock *b = record_at(m, at, 0);

	if (!b)
		return false;
	r->options = b->options;
	r->device = b->device;
	r->pending = b->pending;
	r->overlooked = b->overlooked;
	if (record_half_open(b))
		request_accepted(m, at, now_ns);
	r->flags |= b->flags & (MODEL_HARD | MODEL_DOUBT | MODEL_MAPPED) & (b->listener ? ~MODEL_DOUBT : ~0);
	record_state(r, b->state, now_ns);
	other = b->other;
	bare_free(m, at);
	if (r->state == SNAG_STATE_CLOSED) {
		r->flags |= MODEL_EXACT;
		return true;
	}
	conn_enter(m, sock);
	conn_join(m, sock, other);
	return true;
}

uint32_t conn_early(const struct model *m, const struct snag_addr *local, const struct snag_addr *peer,
		    uint64_t since_ns)
{
	const struct model_sock *r;
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, m, peer, local);
	while ((r = tuple_walk_next(&w, &at)))
		if (!r->other && !r->listener && r->state != SNAG_STATE_TIME_WAIT && r->since_ns >= since_ns)
			return at;
	return 0;
}

void conn_meet_early(struct model *m, uint32_t client, uint32_t early, uint64_t now_ns)
{
	struct model_sock *c = record_at(m, client, 0), *other = record_at(m, early, 0);

	if (!c || !other)
		return;
	other->flags &= (uint16_t)~MODEL_DOUBT;
	port_link(m, early);
	conn_join(m, client, early);
	record_state(c, other->state == SNAG_STATE_FIN_WAIT ? SNAG_STATE_CLOSE_WAIT : SNAG_STATE_ESTABLISHED, now_ns);
}

/* The client, not in doubt yet, of one that waits at an unknown listener on the port. 0: none. */
static uint32_t find_unqueued(const struct model *m, uint16_t port)
{
	const struct model_sock *r, *other;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port ? port : PORT_NONE);
	while ((r = port_walk_next(&w, &at))) {
		uint32_t steps = SNAG_SOCKS;	/* it stands for its twins */
		for (; r && steps; r = record_of(m, at = r->twin_next, 0), steps--) {
			if (!model_is_bare(at) || r->role != SNAG_ROLE_ACCEPTED || r->listener)
				continue;
			if ((other = record_of(m, r->other, 0)) && !(other->flags & MODEL_DOUBT))
				return r->other;
		}
	}
	return 0;
}

void conn_deafen(struct model *m, uint32_t listener, uint64_t now_ns)
{
	struct model_sock *l = record_at(m, listener, 0);

	for (uint32_t i = 0; l && i < MODEL_BARES && l->queue_first; i++) {
		uint32_t at = l->queue_first;
		const struct model_sock *b = record_of(m, at, 0);
		if (!b || !model_is_bare(at))
			break;
		if (record_half_open(b)) {	/* until reqsk_timer_handler() finds no listener */
			bare_dequeue(m, at);
			bare_ages(m, at, now_ns + QUEUED_NS);
			continue;
		}
		conn_reset_other(m, at, now_ns);	/* inet_child_forget() */
		bare_free(m, at);
	}
	if (!l)
		return;
	for (uint32_t client; (client = find_unqueued(m, l->local.port));)	/* it may have been this one's */
		conn_lose_sight(m, client);
	l->queue_first = l->queue_last = l->queue_len = l->syn_len = 0;
	l->traits &= (uint8_t)~MODEL_OVERFLOWN;
}
