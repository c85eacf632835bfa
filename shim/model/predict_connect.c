/* predict_connect.c - what will connect answer, for TCP? */
#include "cross.h"
#include "foreign.h"
#include "predict.h"
#include "listener.h"
#include "port.h"
#include "range.h"
#include "record.h"
#include "route.h"
#include "tuple.h"

#include <base/addr.h>
#include <base/base.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* ---- the arguments ---- */

bool predict_dissolves(const struct snag_call *c)
{
	return c->addr_len && c->addr_family == AF_UNSPEC && c->addr.family == AF_UNSPEC;
}

int predict_refuse_address(const struct question *q)
{
	bool v6 = q->r->domain == AF_INET6;
	socklen_t len = q->c->addr_len;
	int family = q->c->addr_family ? q->c->addr_family : q->c->addr.family;

	if (!len && !q->c->addr_family && !q->c->addr.family)
		return -1;
	if (len && len < (v6 ? 24 : sizeof(struct sockaddr_in)))
		return EINVAL;
	if (family != q->r->domain)
		return EAFNOSUPPORT;
	if (v6 && q->c->addr.ip[0] == 0xff && q->r->proto == SNAG_PROTO_TCP)
		return ENETUNREACH;
	if (addr_is_mapped(&q->c->addr) && (q->r->options & SNAG_OPTION_V6ONLY))
		return ENETUNREACH;
	return 0;
}

bool predict_crosses(const struct question *q, const struct snag_addr *peer)
{
	return q->r->domain == AF_INET6 && addr_is_mapped(&q->r->local) && !addr_is_mapped(peer);
}

/* ---- is the 4-tuple taken? ---- */

/* tcp_twsk_unique() (net/ipv4/tcp_ipv4.c): a named port takes over at once, a chosen one under tcp_tw_reuse. */
static enum bind_answer reuses(const struct question *q, const struct model_sock *old, bool named)
{
	const struct model_machine *k = q->machine;
	uint64_t age = q->now_ns - old->since_ns, delay = (uint64_t)(k ? k->tw_reuse_delay_ms : 0) * NSEC_PER_MSEC;

	if (!k)
		return BIND_UNSURE;
	if (port_claim(old, q->now_ns).closing)		/* its FIN may not be acknowledged yet */
		return named && k->timestamps ? BIND_UNSURE : BIND_CONFLICT;
	if (!k->timestamps)
		return BIND_CONFLICT;
	if (named)
		return BIND_FREE;
	if (old->state != SNAG_STATE_TIME_WAIT || !k->tw_reuse)
		return BIND_CONFLICT;
	if (k->tw_reuse == 2 && !addr_is_loopback(&old->local) && !addr_is_loopback(&old->peer))
		return BIND_CONFLICT;
	/* both moments count in whole milliseconds */
	return age > delay + 20 * NSEC_PER_MSEC ? BIND_FREE : age + 2 * NSEC_PER_MSEC < delay ? BIND_CONFLICT : BIND_UNSURE;
}

/* __inet_check_established() (net/ipv4/inet_hashtables.c). */
static enum bind_answer tuple_taken(const struct question *q, const struct snag_addr *local,
				    const struct snag_addr *peer, bool named)
{
	enum bind_answer worst = BIND_FREE, a;
	const struct model_sock *old;
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, q->m, local, peer);
	while ((old = tuple_walk_next(&w, &at))) {
		if (at == q->c->sock || (old->device && old->device != q->r->device))
			continue;
		a = BIND_CONFLICT;
		if (old->flags & MODEL_DOUBT)
			a = BIND_UNSURE;
		else if (old->until_ns && q->now_ns >= old->until_ns)
			a = q->now_ns < old->until_ns + record_late_ns(old) ? BIND_UNSURE : BIND_FREE;
		if (a == BIND_CONFLICT && old->until_ns)
			a = reuses(q, old, named);
		worst = a > worst ? a : worst;
	}
	return worst;
}

struct departure {
	const struct question *q;
	struct snag_addr local;
	const struct snag_addr *peer;
};

/* Nobody holds it but by connect(), with a 4-tuple that is free. */
static enum bind_answer leaves_from(void *arg, uint16_t port)
{
	struct departure *d = arg;
	enum bind_answer a, named;

	d->local.port = port;
	a = port_held(d->q->m, port, 0, d->q->now_ns, &named);
	if (a == BIND_CONFLICT && named != BIND_CONFLICT)
		a = tuple_taken(d->q, &d->local, d->peer, false);
	return a > named ? a : named;
}

/* __inet_hash_connect() (net/ipv4/inet_hashtables.c). */
static enum bind_answer any_port(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	struct departure d = {q, *local, peer};
	struct port_range range;

	if (!q->machine)
		return BIND_FREE;
	range = range_of(q->m, q->machine, q->r);
	return (range.own ? range_all : range_in_twos)(&range, leaves_from, &d);
}

/* May it go out from the address and port that it has, or from any? False: the answer is given. */
static bool may_leave(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	bool named = record_holds(q->r);
	enum bind_answer taken = named ? tuple_taken(q, local, peer, true) : any_port(q, local, peer);

	if (taken == BIND_FREE)
		return true;
	predict_refuse(q, EADDRNOTAVAIL, SNAG_WHY_HELD);
	if (taken == BIND_UNSURE)
		predict_withhold(q, SNAG_UNSURE_PEER);
	return false;
}

/* ---- the attempt ---- */

/* Is anything left of a connection from there to here? A SYN that meets a TIME_WAIT is not stopped by a full SYN queue:
 * tcp_tw_isn in tcp_conn_request() (net/ipv4/tcp_input.c). */
static bool meets_remains(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, q->m, peer, local);
	return tuple_walk_next(&w, &at) != NULL;
}

/* Is it in doubt what is left there, or is this end of it gone, unheard? A SYN that meets it may stay without an answer. */
static bool meets_doubt(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	const struct model_sock *r;
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, q->m, peer, local);
	while ((r = tuple_walk_next(&w, &at)))
		if ((r->flags & MODEL_DOUBT) || (!model_is_bare(at) && !r->other))
			return true;
	return false;
}

/* May something be left there whose client is gone? The one that comes from the same port has it reset, and takes its
 * place: tcp_check_req() (net/ipv4/tcp_minisocks.c). */
static bool leaves_doubt(const struct question *q, const struct snag_addr *peer)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, q->m, peer->port ? peer->port : PORT_NONE);
	while ((r = port_walk_next(&w, &at)))
		if (model_is_bare(at) && (r->flags & MODEL_DOUBT))
			return true;
	return false;
}

/* The port that the kernel draws for it may be the very one that it connects to. */
static bool may_meet_itself(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	struct port_range range = range_of(q->m, q->machine, q->r);
	enum bind_answer named;
	bool drawn = range.low <= peer->port && peer->port <= range.high;

	if (record_holds(q->r) || !drawn || !addr_equal_ip(local, peer))
		return false;
	return port_held(q->m, peer->port, q->c->sock, q->now_ns, &named) != BIND_CONFLICT || named != BIND_CONFLICT;
}

/* Who listens there, and has he room? */
static void predict_listener(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	const struct model_sock *l;
	enum listener_answer answer;
	uint32_t listener, silent;

	answer = listener_for(q->m, q->machine, peer, &listener, &silent);
	l = record_of(q->m, listener, 0);
	if (l && predict_knows(q, SNAG_FACT_QUEUE))
		answer = listener_told(l, q->machine, q->c);
	q->v->holder = l ? listener : silent;
	if (answer == LISTENER_ROOM)
		predict_allow(q);
	else if (answer == LISTENER_FULL && !leaves_doubt(q, peer))
		predict_wait(q, EINPROGRESS, SNAG_WHY_QUEUE_FULL);
	else if (answer == LISTENER_SYN_FULL && !meets_remains(q, local, peer))
		predict_wait(q, EINPROGRESS, SNAG_WHY_SYN_QUEUE_FULL);
	else if (answer == LISTENER_NONE)
		predict_refuse(q, ECONNREFUSED, SNAG_WHY_NO_LISTENER);
	else
		predict_withhold(q, SNAG_UNSURE_PEER);
	if (answer == LISTENER_NONE && (!predict_knows(q, SNAG_FACT_WHOLE) || meets_doubt(q, local, peer)))
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (answer == LISTENER_NONE && may_meet_itself(q, local, peer))
		predict_withhold(q, SNAG_UNSURE_MACHINE);
}

/* Somebody outside the session listens there, and nobody else, with a queue that the kernel tells. To a port of his own
 * the client might meet what is left of an earlier connection, of which nobody told. */
static void predict_stranger(const struct question *q, const struct snag_addr *peer)
{
	enum listener_answer answer = LISTENER_UNSURE;
	uint32_t listener, silent;

	if (predict_knows(q, SNAG_FACT_QUEUE | SNAG_FACT_WHOLE) && foreign_listener(q->m, peer) && !record_holds(q->r) &&
	    listener_for(q->m, q->machine, peer, &listener, &silent) == LISTENER_NONE)
		answer = listener_admits(q->machine, q->c);
	if (answer == LISTENER_ROOM)
		predict_allow(q);
	else if (answer == LISTENER_FULL)
		predict_wait(q, EINPROGRESS, SNAG_WHY_QUEUE_FULL);
	else
		predict_withhold(q, SNAG_UNSURE_PEER);
}

/* What the SYN meets, on this machine, decides a blocking call. */
static void predict_meeting(const struct question *q, const struct snag_addr *local, const struct snag_addr *peer)
{
	bool sure;

	if (!record_sends(q->r, peer) || !record_hears(q->r)) {
		predict_withhold(q, SNAG_UNSURE_PEER);	/* nothing is sent, or no answer heard: it waits */
		return;
	}
	if (record_holds(q->r) && local->port == peer->port && addr_equal_ip(local, peer)) {
		predict_allow(q);	/* to itself; shut down before, its own FIN ends it at once */
		if (q->r->flags & MODEL_SHUT_WR)
			predict_refuse(q, ECONNABORTED, SNAG_WHY_NONE);
		return;
	}
	if (cross_waits(q->m, local, peer, q->now_ns, &sure)) {
		predict_allow(q);
		if (!sure)
			predict_withhold(q, SNAG_UNSURE_PEER);
		return;
	}
	if (foreign_listens(q->m, peer))
		predict_stranger(q, peer);
	else
		predict_listener(q, local, peer);
}

/* One that does not wait is told EINPROGRESS, and may as well be told why nothing comes of it. */
static void predict_under_way(const struct question *q)
{
	bool waits = q->v->sure == SNAG_WAITS;

	if (!waits)
		q->v->holder = 0;
	predict_refuse(q, EINPROGRESS, waits ? q->v->why : SNAG_WHY_NONE);
}

static void predict_attempt(const struct question *q)
{
	struct snag_addr local = q->r->local, peer = route_meant(&q->r->local, &q->c->addr);
	bool local_known = route_source(&local, &peer);

	if (!predict_knows(q, SNAG_FACT_REACH | SNAG_FACT_BLOCKING) || !q->machine) {
		q->v->err = ECONNREFUSED;
		q->v->why = SNAG_WHY_NO_LISTENER;
		listener_for(q->m, q->machine, &peer, &q->v->ticket, &q->v->holder);
		q->v->ticket = 0;
		predict_withhold(q, SNAG_UNSURE_PEER);
	} else if (addr_is_mapped(&peer) && (q->r->options & SNAG_OPTION_V6ONLY)) {
		predict_refuse(q, ENETUNREACH, SNAG_WHY_WRONG_TYPE);
	} else if (predict_crosses(q, &peer) && q->c->reach != SNAG_REACH_NOWHERE && route_plain(q->r)) {
		predict_refuse(q, EAFNOSUPPORT, SNAG_WHY_WRONG_TYPE);
	} else if (q->c->reach == SNAG_REACH_NOWHERE || q->c->reach == SNAG_REACH_GROUP) {
		predict_refuse(q, ENETUNREACH, SNAG_WHY_NONE);
		if (!route_plain(q->r) || q->r->device)
			predict_withhold(q, SNAG_UNSURE_MACHINE);
	} else if (!route_plain(q->r) || !local_known) {
		predict_withhold(q, SNAG_UNSURE_MACHINE);
	} else if (q->c->reach == SNAG_REACH_AWAY && q->c->blocking) {
		predict_withhold(q, SNAG_UNSURE_PEER);
	} else if (may_leave(q, &local, &peer)) {
		predict_meeting(q, &local, &peer);
		if (!q->c->blocking)
			predict_under_way(q);
	}
}

/* ---- the state of the socket: __inet_stream_connect() (net/ipv4/af_inet.c) ---- */

/* An earlier attempt is under way, or has ended and waits for this call to say how. */
static void predict_again(const struct question *q)
{
	enum predict_tcp state = predict_tcp(q);

	if (state == PREDICT_OPEN)
		predict_allow(q);
	else if (state == PREDICT_SYN_SENT && predict_knows(q, SNAG_FACT_BLOCKING) && !q->c->blocking)
		predict_refuse(q, EALREADY, SNAG_WHY_WRONG_STATE);
	else if (state == PREDICT_CLOSED && predict_knows(q, SNAG_FACT_ERROR) && !q->c->pending)
		predict_refuse(q, ECONNABORTED, SNAG_WHY_NONE);
	else if (state == PREDICT_CLOSED && predict_knows(q, SNAG_FACT_ERROR) && q->r->pending)
		predict_refuse(q, q->r->pending, SNAG_WHY_NO_LISTENER);
	else
		predict_withhold(q, SNAG_UNSURE_PEER);
}

static void predict_connect_tcp(const struct question *q)
{
	int err = predict_refuse_address(q);

	if (q->c->addr_len == 1 || q->c->addr_len > sizeof(struct sockaddr_storage))
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_TYPE);
	else if (predict_dissolves(q->c))
		predict_allow(q);
	else if (q->r->phase == MODEL_ANY_PHASE)
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (q->r->phase == MODEL_CONNECTED || predict_tcp(q) == PREDICT_LISTENS)
		predict_refuse(q, EISCONN, SNAG_WHY_WRONG_STATE);
	else if (q->r->phase == MODEL_DISCONNECTING)
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_STATE);
	else if (q->r->phase == MODEL_CONNECTING)
		predict_again(q);
	else if (err > 0)
		predict_refuse(q, err, SNAG_WHY_WRONG_TYPE);
	else if (err < 0)
		predict_withhold(q, SNAG_UNSURE_UNMODELLED);
	else
		predict_attempt(q);
}

void predict_connect(const struct question *q)
{
	if (q->r->proto == SNAG_PROTO_TCP)
		predict_connect_tcp(q);
	else if (snag_is_udp(q->r->proto))
		predict_connect_udp(q);
	else
		predict_connect_unix(q);
}
