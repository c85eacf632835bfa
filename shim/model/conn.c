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
