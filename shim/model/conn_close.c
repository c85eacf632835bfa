/* conn_close.c - what stays of a connection when the last descriptor of an end is gone. */
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "tuple.h"

#include <base/base.h>

#define GIVE_UP_NS (120 * NSEC_PER_SEC)		/* eight times sent again: tcp_orphan_retries() (net/ipv4/tcp_timer.c) */

/* What stays of it in the kernel: FIN_WAIT until the other end says FIN too, or its time is over. */
static void orphan(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t at = conn_shadow(m, r, r->state, now_ns), other = r->other;

	tuple_unlink(m, sock);
	conn_part(m, sock);
	port_unlink(m, sock);
	r->flags &= (uint16_t)~MODEL_EXACT;
	record_state(r, SNAG_STATE_CLOSED, now_ns);
	if (!at)
		return;
	conn_join(m, at, other == sock ? at : other);
	bare_ages(m, at, now_ns + record_fin_wait_ns(r));
	conn_fin(m, at, now_ns);
	conn_enter(m, at);
	if (!other)		/* whoever is there may reset it at any time */
		conn_lose_sight(m, at);
	if ((r->traits & MODEL_NO_FIN_WAIT) && other != sock)	/* a RST follows when the FIN is acknowledged */
		conn_lose_sight(m, other);
}

/* Closed with nobody knowing how far it has come, or deaf: it may stay until it gives up. */
static void give_up(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0), *b;
	uint32_t at = conn_shadow(m, r, SNAG_STATE_FIN_WAIT, now_ns);

	conn_lose_sight(m, r->other);
	conn_done(m, sock, now_ns);
	if (!(b = record_at(m, at, 0)))
		return;
	b->flags |= MODEL_DOUBT;
	bare_ages(m, at, now_ns + GIVE_UP_NS);
	conn_enter(m, at);
}

/* A RST is sent from an end in FIN_WAIT that nobody sees into: it may have become a mini socket before, which
 * inet_child_forget() and tcp_disconnect() do not reach, and which each FIN that comes again has wait anew:
 * tcp_timewait_state_process() (net/ipv4/tcp_minisocks.c). */
void conn_remain(struct model *m, const struct model_sock *r, uint64_t now_ns)
{
	uint32_t at;

	if (r->state != SNAG_STATE_FIN_WAIT || !(r->flags & MODEL_DOUBT) || (r->traits & MODEL_NO_TIME_WAIT))
		return;
	at = conn_shadow(m, r, SNAG_STATE_TIME_WAIT, now_ns);
	bare_ages(m, at, now_ns + GIVE_UP_NS + TIME_WAIT_NS);
	conn_enter(m, at);
}

/* __tcp_close() (net/ipv4/tcp.c). */
void conn_close(struct model *m, uint32_t sock, int32_t unread, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r || !record_connected(r))
		return;
	if (r->state == SNAG_STATE_SYN_SENT && !(r->flags & MODEL_DOUBT)) {
		conn_done(m, sock, now_ns);
	} else if (unread > 0 || (r->flags & MODEL_HARD)) {
		conn_reset_other(m, sock, now_ns);
		conn_done(m, sock, now_ns);
	} else if (r->state == SNAG_STATE_SYN_SENT || !conn_heard(m, r)) {
		give_up(m, sock, now_ns);
	} else {
		if (unread < 0) {	/* FIN or RST: nobody knows */
			r->flags |= MODEL_DOUBT;
			conn_lose_sight(m, r->other);
		}
		if (r->state == SNAG_STATE_CLOSE_WAIT)
			conn_fin(m, sock, now_ns);
		else
			orphan(m, sock, now_ns);
	}
}
