/* learn_conn.c - what accept, shutdown and close did. */
#include "learn.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "traffic.h"

#include <base/addr.h>
#include <base/base.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static const struct snag_addr unasked;

/* ---- accept ---- */

void learn_accept(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		  uint64_t now_ns)
{
	struct model_sock *n = o->real_err ? NULL : record_begin(m, o->new_sock, o->new_serial, now_ns);
	bool exact = n && o->local.family && c->proto == SNAG_PROTO_TCP;

	if (!n)
		return;
	n->proto = r ? r->proto : c->proto;
	n->domain = r ? r->domain : c->domain;
	n->type = r ? r->type : SOCK_STREAM;
	n->options = r ? r->options : 0;	/* sk_clone_lock() copies them */
	n->device = r ? r->device : 0;
	n->traits = r ? r->traits & (uint8_t)~(MODEL_DEFERS | MODEL_OVERFLOWN) : 0;
	n->linger2_s = r ? r->linger2_s : 0;
	n->uid = exact ? c->who.uid : r ? r->uid : c->who.uid;	/* sock_graft(): whoever accepts */
	n->role = SNAG_ROLE_ACCEPTED;
	n->phase = MODEL_CONNECTED;
	n->local = o->local.family ? o->local : r ? r->local : n->local;
	n->peer = o->peer;
	n->flags |= r && !exact ? r->flags & MODEL_HARD : 0;	/* else as its listener was when it came: conn_reach() */
	if (addr_is_any(&n->local))
		n->flags |= MODEL_VAGUE;
	record_state(n, SNAG_STATE_ESTABLISHED, now_ns);
	if (exact && n->peer.family) {
		if (!conn_accept(m, o->new_sock, c->sock, now_ns)) {	/* its client is not of the session */
			n->flags |= MODEL_DOUBT;
			conn_sweep(m, &n->local, &n->peer, true);
			conn_enter(m, o->new_sock);
		}
	} else if (n->proto == SNAG_PROTO_TCP && n->local.port) {
		traffic_enter(m, n);
	}
}

/* ---- shutdown, close ---- */

/* inet_shutdown() (net/ipv4/af_inet.c). */
void learn_shutdown(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		    uint64_t now_ns)
{
	uint16_t shut = c->arg[0] == SHUT_RD ? MODEL_SHUT_RD : c->arg[0] == SHUT_WR ? MODEL_SHUT_WR
									      : MODEL_SHUT_RD | MODEL_SHUT_WR;

	if (r->proto != SNAG_PROTO_TCP || (o->real_err && o->real_err != ENOTCONN))
		return;
	if (r->phase == MODEL_CONNECTING)
		r->phase = record_connected(r) && r->state != SNAG_STATE_SYN_SENT ? MODEL_CONNECTED : MODEL_DISCONNECTING;
	if (r->state == SNAG_STATE_LISTEN) {
		if (c->arg[0] != SHUT_WR)	/* a listener heeds RCV_SHUTDOWN only */
			learn_disconnected(m, r, c->sock, r->on_port ? &unasked : NULL, now_ns);
		return;
	}
	if ((c->facts & SNAG_FACT_TCP_STATE) && c->tcp_state == TCP_SYN_RECV) {	/* half of a simultaneous open */
		r->flags |= shut;
		conn_lose_sight(m, c->sock);
		return;
	}
	if (r->state == SNAG_STATE_SYN_SENT && !o->real_err && !(r->flags & MODEL_EXACT) &&
	    !(c->facts & SNAG_FACT_TCP_STATE)) {
		r->phase = MODEL_ANY_PHASE;	/* it may have come through before */
		r->flags |= shut;
		return;
	}
	if (r->state == SNAG_STATE_SYN_SENT && !o->real_err) {
		learn_disconnected(m, r, c->sock, r->on_port ? &unasked : NULL, now_ns);
		return;
	}
	r->flags |= shut;
	if (o->real_err || c->arg[0] == SHUT_RD)
		return;
	if (r->flags & MODEL_EXACT)
		conn_fin(m, c->sock, now_ns);
	else
		record_state(r, SNAG_STATE_FIN_WAIT, now_ns);
}

void learn_close(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		 uint64_t now_ns)
{
	if (!o->last || o->real_err < 0)
		return;
	if (r->flags & MODEL_EXACT)
		conn_close(m, c->sock, c->facts & SNAG_FACT_UNREAD ? c->unread : -1, now_ns);
	/* Whoever sends the first FIN keeps TIME_WAIT; fact: it is still open on this side. */
	else if ((c->facts & SNAG_FACT_TCP_STATE) && r->proto == SNAG_PROTO_TCP &&
		 (r->state == SNAG_STATE_ESTABLISHED || r->state == SNAG_STATE_FIN_WAIT))
		traffic_time_wait(m, r, now_ns);
	model_forget(m, c->sock, now_ns);
}
