/* conn.c - both ends of a TCP connection, and what the one does to the other. */
#include "conn.h"
#include "bare.h"
#include "port.h"
#include "record.h"
#include "request.h"
#include "traffic.h"
#include "tuple.h"

#include <base/addr.h>
#include <base/base.h>
#include <errno.h>
#include <netinet/tcp.h>

#define QUEUED_NS (3600 * NSEC_PER_SEC)	/* queued who knows where: forgotten some day */

void conn_part(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0), *other = r ? record_at(m, r->other, 0) : NULL;

	if (other && other->other == sock)
		other->other = 0;
	if (r)
		r->other = 0;
}

void conn_join(struct model *m, uint32_t a, uint32_t b)
{
	struct model_sock *ra = record_at(m, a, 0), *rb = record_at(m, b, 0);

	if (!ra || !rb)
		return;
	ra->other = b;
	rb->other = a;
}

void conn_enter(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r)
		return;
	r->flags = (uint16_t)((r->flags | MODEL_EXACT) & ~MODEL_VAGUE);
	if (!record_half_open(r))
		port_link(m, sock);
	tuple_link(m, sock);
}

void conn_leave(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (r && r->queue_first)
		conn_deafen(m, sock, r->since_ns);
	conn_part(m, sock);
	tuple_unlink(m, sock);
	port_unlink(m, sock);
	if (!r)
		return;
	r->flags &= (uint16_t)~(MODEL_EXACT | MODEL_BY_CONNECT | MODEL_DOUBT | MODEL_VAGUE);
	r->overlooked = false;
}

uint32_t conn_shadow(struct model *m, const struct model_sock *r, uint8_t state, uint64_t now_ns)
{
	uint32_t at = bare_new(m, now_ns);
	struct model_sock *b = record_at(m, at, 0);

	if (!b) {
		traffic_trail(m, r, now_ns);
		return 0;
	}
	b->state = state;
	b->options = r->options;
	b->domain = r->domain;
	b->type = r->type;
	b->uid = r->uid;
	b->device = r->device;
	b->traits = r->traits & (uint8_t)~(MODEL_DEFERS | MODEL_OVERFLOWN);
	b->fin_timeout_s = r->fin_timeout_s;
	b->linger2_s = r->linger2_s;
	b->ttl = r->ttl;
	b->overlooked = r->overlooked;
	b->local = r->local;
	b->peer = r->peer;
	b->flags = MODEL_EXACT | (r->flags & (MODEL_BY_CONNECT | MODEL_DOUBT));
	return at;
}

void conn_done(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r)
		return;
	conn_part(m, sock);
	tuple_unlink(m, sock);
	if (model_is_bare(sock) && !r->listener) {
		bare_free(m, sock);
		return;
	}
	/* inet_put_port() in tcp_set_state(): a port that the program named stays. */
	record_state(r, r->flags & MODEL_EXPLICIT ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED, now_ns);
	r->flags &= (uint16_t)~MODEL_DOUBT;
	if (r->flags & MODEL_EXPLICIT)
		port_link(m, sock);
	else
		port_unlink(m, sock);
}

void conn_lose_sight(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r)
		return;
	r->flags |= MODEL_DOUBT;
	if (r->on_port)		/* twins agree in that */
		port_link(m, sock);
}

/* tcp_reset() (net/ipv4/tcp_input.c). */
static void was_reset(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r || !record_connected(r))
		return;
	if (record_half_open(r)) {	/* embryonic_reset in tcp_check_req() (net/ipv4/tcp_minisocks.c) */
		bare_free(m, sock);
		return;
	}
	if (!record_hears(r)) {
		conn_lose_sight(m, sock);
		return;
	}
	r->pending = r->state == SNAG_STATE_SYN_SENT ? ECONNREFUSED : r->state == SNAG_STATE_CLOSE_WAIT ? EPIPE : ECONNRESET;
	conn_done(m, sock, now_ns);
}

void conn_reset_other(struct model *m, uint32_t sock, uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, sock, 0);
	uint32_t other = r ? r->other : 0;

	if (r)
		conn_remain(m, r, now_ns);
	/* it goes out elsewhere, or not at all */
	if (other && (!route_hears_loopback(r->device) || !record_sends(r, &r->peer)))
		conn_lose_sight(m, other);
	else if (other && other != sock)
		was_reset(m, other, now_ns);
}

/* tcp_time_wait() (net/ipv4/tcp_minisocks.c): a mini socket takes the place of the connection. */
static void time_wait(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t mini = sock;

	if (!r)
		return;
	if (r->traits & MODEL_NO_TIME_WAIT) {	/* inet_twsk_alloc() (net/ipv4/inet_timewait_sock.c) gives none */
		conn_done(m, sock, now_ns);
		return;
	}
	if (!model_is_bare(sock) || r->listener) {
		mini = conn_shadow(m, r, SNAG_STATE_TIME_WAIT, now_ns);
		conn_done(m, sock, now_ns);
	}
	r = record_at(m, mini, 0);
	if (!r)
		return;
	record_state(r, SNAG_STATE_TIME_WAIT, now_ns);
	bare_ages(m, mini, now_ns + TIME_WAIT_NS);
	conn_part(m, mini);
	conn_enter(m, mini);
}

void conn_fin_arrives(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r || (record_half_open(r) && !request_hears(m, sock, now_ns)))
		return;
	if (r->until_ns && now_ns >= r->until_ns + record_late_ns(r)) {	/* it has waited long enough */
		bare_free(m, sock);
		return;
	}
	if (!record_hears(r) || (r->until_ns && now_ns >= r->until_ns))
		conn_lose_sight(m, sock);
	if (r->state == SNAG_STATE_FIN_WAIT)
		time_wait(m, sock, now_ns);
	else if (r->state == SNAG_STATE_ESTABLISHED || r->state == SNAG_STATE_SYN_SENT)
		record_state(r, SNAG_STATE_CLOSE_WAIT, now_ns);
}

bool conn_heard(const struct model *m, const struct model_sock *r)
{
	const struct model_sock *other = record_of(m, r->other, 0);

	return record_hears(r) && record_sends(r, &r->peer) &&
	       (!other || (record_hears(other) && record_sends(other, &other->peer)));
}

void conn_fin(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0), *there;
	uint32_t other;
	bool doubt;

	if (!r)
		return;
	other = r->other;
	there = record_at(m, other, 0);
	doubt = there && (there->flags & MODEL_DOUBT);	/* it may be gone: then a RST comes back */
	if (!conn_heard(m, r)) {
		record_state(r, SNAG_STATE_FIN_WAIT, now_ns);
		conn_lose_sight(m, sock);
		conn_lose_sight(m, other);
	} else if (r->state == SNAG_STATE_ESTABLISHED) {
		record_state(r, SNAG_STATE_FIN_WAIT, now_ns);
		conn_fin_arrives(m, other, now_ns);	/* connected to itself: at once in TIME_WAIT */
		if (doubt)
			conn_lose_sight(m, sock);
	} else if (r->state == SNAG_STATE_CLOSE_WAIT) {
		conn_done(m, sock, now_ns);
		conn_fin_arrives(m, other, now_ns);
	}
}

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

/* Whatever was left of an earlier connection between the two gives way to the new one. */
void conn_sweep(struct model *m, const struct snag_addr *local, const struct snag_addr *peer, bool heard)
{
	struct tuple_walk w;
	uint32_t at;

	for (int end = 0; end < 2; end++) {
		tuple_walk_begin(&w, m, end ? peer : local, end ? local : peer);
		while (tuple_walk_next(&w, &at))
			if (model_is_bare(at) && record_of(m, at, 0)->until_ns) {
				if (end && !heard)
					conn_lose_sight(m, at);
				else
					bare_free(m, at);
				break;
			}
	}
}

/* The kernel's own word on one end settles what was in doubt, on both. */
void conn_told(struct model *m, uint32_t sock, uint8_t tcp_state, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0), *other;
	bool doubt = r && (r->flags & MODEL_DOUBT), stays;
	uint8_t state;

	if (!r || !(r->flags & MODEL_EXACT) || !record_connected(r))
		return;
	if (tcp_state == TCP_CLOSE) {
		if (doubt)	/* not a FIN, then, but a RST: what sent it is gone */
			conn_reset_other(m, sock, now_ns);
		conn_done(m, sock, now_ns);
		return;
	}
	if (tcp_state == TCP_SYN_RECV || (tcp_state == TCP_SYN_SENT && r->other))	/* the other end may know more */
		return;
	state = model_state_of(tcp_state, r);
	if (tcp_state == TCP_LAST_ACK)
		state = SNAG_STATE_CLOSE_WAIT;
	other = record_at(m, r->other, 0);
	stays = other && record_half_open(other);	/* what it sends may have it reset, unseen, at any time */
	if ((!doubt || stays) && state == r->state)
		return;
	record_state(r, state, now_ns);
	if (!stays)
		r->flags &= (uint16_t)~MODEL_DOUBT;
	port_link(m, sock);
	if (doubt && other && (other->flags & MODEL_DOUBT) && other->until_ns && other->role != SNAG_ROLE_ACCEPTED) {
		other->flags &= (uint16_t)~MODEL_DOUBT;
		port_link(m, r->other);
	}
}
