/* predict.c - what will the real kernel answer?
 *
 * Certain only where the session's own sockets decide. What hangs on a peer, on the machine or on sockets that the
 * session never saw is withheld, with the reason. A certain "ok" means: as far as the session's sockets go. */
#include "predict.h"
#include "foreign.h"
#include "port.h"
#include "record.h"
#include "traffic.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

void predict_allow(const struct question *q)
{
	q->v->sure = SNAG_CERTAIN;
	q->v->err = 0;
}

void predict_refuse(const struct question *q, int err, enum snag_why why)
{
	q->v->sure = SNAG_CERTAIN;
	q->v->err = err;
	q->v->why = (uint8_t)why;
}

void predict_withhold(const struct question *q, enum snag_unsure unsure)
{
	q->v->sure = SNAG_WITHHELD;
	q->v->unsure = (uint8_t)unsure;
}

void predict_wait(const struct question *q, int timeout_err, enum snag_why why)
{
	q->v->sure = SNAG_WAITS;
	q->v->err = timeout_err;
	q->v->why = (uint8_t)why;
}

enum predict_tcp predict_tcp(const struct question *q)
{
	static const uint8_t known[] = {
		[TCP_SYN_SENT] = PREDICT_SYN_SENT, [TCP_SYN_RECV] = PREDICT_SYN_SENT, [TCP_CLOSE] = PREDICT_CLOSED,
		[TCP_LISTEN] = PREDICT_LISTENS,
	};
	uint8_t state = q->c->tcp_state;

	if (predict_knows(q, SNAG_FACT_TCP_STATE))
		return state < sizeof(known) && (known[state] || state == TCP_CLOSE) ? known[state] : PREDICT_OPEN;
	if (q->r->state == SNAG_STATE_LISTEN)
		return PREDICT_LISTENS;
	if (q->r->state < SNAG_STATE_LISTEN && q->r->phase == MODEL_UNCONNECTED)
		return PREDICT_CLOSED;
	return PREDICT_MAYBE_CLOSED;
}

bool predict_lingers(const struct model *m, const struct bind_claim *new, uint64_t now_ns, uint8_t *options)
{
	struct bind_claim gone = {.time_wait = true};

	if (!new->addr.port || !traffic_lingers(m, new->addr.port, now_ns, &gone.options))
		return false;
	*options = gone.options;
	return !bind_reuses_addr(new, &gone) && !bind_reuses_port(new, &gone);
}

/* Somebody is in the way, or may be: `answer` other than BIND_FREE, q->v->holder set. */
static void refuse_held(const struct question *q, enum bind_answer answer)
{
	const struct model_sock *holder = record_of(q->m, q->v->holder, 0);
	bool peer = !holder || port_may_be_free(holder, q->now_ns) || holder->until_ns;

	predict_refuse(q, EADDRINUSE, SNAG_WHY_HELD);
	if (answer == BIND_UNSURE)
		predict_withhold(q, foreign_is(q->v->holder) ? SNAG_UNSURE_FOREIGN
				    : peer ? SNAG_UNSURE_PEER : SNAG_UNSURE_UNMODELLED);
}

/* inet_csk_find_open_port(), udp_lib_get_port(): one port of the range will do. */
static void predict_any_port(const struct question *q, const struct bind_claim *self)
{
	enum bind_answer answer = BIND_FREE;

	predict_allow(q);
	if (q->machine)
		answer = port_ask_any(q->m, q->r->proto, q->c->sock, self, q->machine, q->now_ns);
	if (answer == BIND_CONFLICT)
		predict_refuse(q, EADDRINUSE, SNAG_WHY_HELD);
	else if (answer == BIND_UNSURE)
		predict_withhold(q, SNAG_UNSURE_PEER);
}

void predict_port(const struct question *q, const struct bind_claim *self)
{
	enum bind_answer answer;
	uint8_t options;

	if (!self->addr.port && q->r->proto != SNAG_PROTO_UNIX) {
		predict_any_port(q, self);
		return;
	}
	answer = port_ask(q->m, q->r->proto, q->c->sock, self, q->now_ns, &q->v->holder);
	if (answer != BIND_FREE) {
		refuse_held(q, answer);
		if (self->vague)	/* it has one address out of its wildcard, that nobody told */
			predict_withhold(q, SNAG_UNSURE_PEER);
		return;
	}
	predict_allow(q);
	/* Nobody is in the way, unless TIME_WAIT: who closed first, and so on which side that is, the peer decides. */
	if (q->r->proto == SNAG_PROTO_TCP && predict_lingers(q->m, self, q->now_ns, &options))
		predict_withhold(q, SNAG_UNSURE_PEER);
}

/* ---- listen, accept, shutdown, close ---- */

static void take_ticket(const struct question *q, const struct snag_addr *a)
{
	uint32_t chain = port_chain(q->r->proto, a);

	if (chain != PORT_NONE)
		q->v->ticket = port_version(q->m, chain) << 1 | 1;
}

/* inet_csk_listen_start() (net/ipv4/inet_connection_sock.c) asks for the port once more. */
static void predict_listen_port(const struct question *q)
{
	struct bind_claim self = port_claim(q->r, q->now_ns);

	if (!record_holds(q->r)) {	/* the kernel chooses one */
		self.addr.port = 0;
		self.addr.family = q->r->domain;
	}
	predict_port(q, &self);
}

/* inet_listen() (net/ipv4/af_inet.c), unix_listen() (net/unix/af_unix.c). */
static void predict_listen(const struct question *q)
{
	const struct model_sock *r = q->r;
	enum predict_tcp state = predict_tcp(q);

	take_ticket(q, &r->local);
	if (record_is_datagram(r))
		predict_refuse(q, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE);
	else if (r->proto == SNAG_PROTO_UNIX && r->state != SNAG_STATE_BOUND && r->state != SNAG_STATE_LISTEN)
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_STATE);
	else if (r->proto == SNAG_PROTO_UNIX || state == PREDICT_LISTENS)
		predict_allow(q);
	else if (r->phase == MODEL_ANY_PHASE)
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (r->phase != MODEL_UNCONNECTED || state != PREDICT_CLOSED)
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_STATE);
	else
		predict_listen_port(q);
}

/* inet_csk_accept(), unix_accept(): a connection that waits is taken; without one, who may not wait is told, and others
 * wait until one comes or SO_RCVTIMEO has passed. */
static void predict_accept(const struct question *q)
{
	const struct model_sock *r = q->r;
	bool listens = predict_knows(q, SNAG_FACT_TCP_STATE) && r->proto == SNAG_PROTO_TCP
			       ? q->c->tcp_state == TCP_LISTEN
			       : r->state == SNAG_STATE_LISTEN;

	if (record_is_datagram(r))
		predict_refuse(q, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE);
	else if (!listens)
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_STATE);
	else if (predict_knows(q, SNAG_FACT_QUEUE) && q->c->queue > 0)
		predict_allow(q);
	else if (predict_knows(q, SNAG_FACT_QUEUE | SNAG_FACT_BLOCKING) && !q->c->blocking)
		predict_refuse(q, EAGAIN, SNAG_WHY_NONE);
	else if (predict_knows(q, SNAG_FACT_QUEUE | SNAG_FACT_BLOCKING))
		predict_wait(q, EAGAIN, SNAG_WHY_NONE);
	else
		predict_withhold(q, SNAG_UNSURE_PEER);
}

/* inet_shutdown() (net/ipv4/af_inet.c), unix_shutdown() (net/unix/af_unix.c). */
static void predict_shutdown(const struct question *q)
{
	const struct model_sock *r = q->r;
	enum predict_tcp state = predict_tcp(q);

	if (q->c->arg[0] < SHUT_RD || q->c->arg[0] > SHUT_RDWR)
		predict_refuse(q, EINVAL, SNAG_WHY_NONE);
	else if (r->proto == SNAG_PROTO_UNIX)
		predict_allow(q);
	else if (snag_is_udp(r->proto) && r->state < SNAG_STATE_SYN_SENT)
		predict_refuse(q, ENOTCONN, SNAG_WHY_WRONG_STATE);
	else if (snag_is_udp(r->proto))
		predict_allow(q);
	else if (state == PREDICT_CLOSED)
		predict_refuse(q, ENOTCONN, SNAG_WHY_WRONG_STATE);
	else if (state == PREDICT_MAYBE_CLOSED)
		predict_withhold(q, SNAG_UNSURE_PEER);
	else
		predict_allow(q);
}

static void predict_bind_ticket(const struct question *q)
{
	take_ticket(q, &q->c->addr);
	predict_bind(q);
}

static predict_fn *const predictions[SNAG_CALLS] = {
	[SNAG_CALL_bind] = predict_bind_ticket,	 [SNAG_CALL_listen] = predict_listen,
	[SNAG_CALL_accept] = predict_accept,	 [SNAG_CALL_accept4] = predict_accept,
	[SNAG_CALL_connect] = predict_connect,	 [SNAG_CALL_shutdown] = predict_shutdown,
	[SNAG_CALL_close] = predict_allow,
};

void model_predict(const struct model *m, const struct model_machine *machine, const struct snag_call *c,
		   uint64_t now_ns, struct model_verdict *v)
{
	struct question q = {.m = m, .machine = machine, .c = c, .now_ns = now_ns, .v = v};
	predict_fn *predict = c->call < SNAG_CALLS ? predictions[c->call] : NULL;

	memset(v, 0, sizeof(*v));
	if (!predict)
		return;
	q.r = c->serial ? record_of(m, c->sock, c->serial) : NULL;
	if (!q.r)
		predict_withhold(&q, SNAG_UNSURE_FOREIGN);
	else if (predict != predict_allow && (q.r->proto == SNAG_PROTO_NONE || q.r->proto >= SNAG_PROTO_OTHER))
		predict_withhold(&q, SNAG_UNSURE_UNMODELLED);
	else if (predict != predict_allow && (q.r->elsewhere || c->elsewhere))
		predict_withhold(&q, SNAG_UNSURE_NETNS);
	else
		predict(&q);
}

bool model_remains(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint64_t now_ns,
		   uint8_t *options)
{
	const struct model_sock *r = record_of(m, sock, 0);
	struct bind_claim new = {.addr = *addr, .options = r ? r->options : 0};

	return predict_lingers(m, &new, now_ns, options);
}

bool model_raced(const struct model *m, const struct snag_call *c, uint32_t ticket)
{
	const struct model_sock *r = record_of(m, c->sock, c->serial);
	uint32_t chain;

	if (!ticket || !r)
		return false;
	chain = port_chain(r->proto, c->call == SNAG_CALL_bind ? &c->addr : &r->local);
	return chain != PORT_NONE && ticket != (port_version(m, chain) << 1 | 1);
}
