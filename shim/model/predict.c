/* predict.c - what will the real kernel answer?
 *
 * Certain only where the session's own sockets decide. What hangs on a peer, on the machine or on sockets that the
 * session never saw is withheld, with the reason. A certain "ok" means: as far as the session's sockets go. */
#include "foreign.h"
#include "port.h"
#include "record.h"
#include "traffic.h"

#include <base/addr.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PRIVILEGED_PORTS 1024	/* ip_unprivileged_port_start, unless the machine says otherwise */

static void allow(struct model_verdict *v)
{
	v->sure = SNAG_CERTAIN;
	v->err = 0;
}

static void refuse(struct model_verdict *v, int err, enum snag_why why)
{
	v->sure = SNAG_CERTAIN;
	v->err = err;
	v->why = (uint8_t)why;
}

static void withhold(struct model_verdict *v, enum snag_unsure unsure)
{
	v->sure = SNAG_WITHHELD;
	v->unsure = (uint8_t)unsure;
}

/* Somebody is in the way, or may be: `answer` other than BIND_FREE, v->holder set. */
static void refuse_held(const struct model *m, enum bind_answer answer, struct model_verdict *v)
{
	const struct model_sock *holder = record_of(m, v->holder, 0);

	refuse(v, EADDRINUSE, SNAG_WHY_HELD);
	if (answer == BIND_UNSURE)
		withhold(v, foreign_is(v->holder) ? SNAG_UNSURE_FOREIGN
			    : holder && port_may_be_free(holder) ? SNAG_UNSURE_PEER
								 : SNAG_UNSURE_UNMODELLED);
}

/* Is something left on the TCP port that refuses by its flags? */
static bool lingers(const struct model *m, const struct bind_claim *new, uint64_t now_ns, uint8_t *options)
{
	struct bind_claim gone = {.time_wait = true};

	if (!new->addr.port || !traffic_lingers(m, new->addr.port, now_ns, &gone.options))
		return false;
	*options = gone.options;
	return !bind_reuses_addr(new, &gone) && !bind_reuses_port(new, &gone);
}

/* Nobody is in the way, unless TIME_WAIT: who closed first, and so on which side that is, the peer decides. */
static void allow_free(const struct model *m, const struct model_sock *r, const struct bind_claim *new, uint64_t now_ns,
		       struct model_verdict *v)
{
	uint8_t options;

	allow(v);
	if (r->proto == SNAG_PROTO_TCP && lingers(m, new, now_ns, &options))
		withhold(v, SNAG_UNSURE_PEER);
}

static bool connected(const struct model_sock *r)
{
	return r->state >= SNAG_STATE_SYN_SENT;
}

static bool is_datagram(const struct model_sock *r)
{
	return r->proto == SNAG_PROTO_UDP || r->type == SOCK_DGRAM;
}

/* ---- bind ---- */

/* Is there certainly an interface with this address? */
static bool is_local(const struct snag_addr *a)
{
	return addr_is_any(a) || addr_is_loopback(a);
}

static void predict_conflict(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			     uint64_t now_ns, struct model_verdict *v)
{
	struct bind_claim new = port_claim(r);
	const struct model_sock *old;
	enum bind_answer answer;

	new.addr = c->addr;
	new.vague = false;
	answer = port_ask(m, r->proto, c->sock, &new, &v->holder);
	if (answer != BIND_FREE) {
		refuse_held(m, answer, v);
		old = record_of(m, v->holder, 0);
		if (answer == BIND_CONFLICT && !is_local(&c->addr) && !(old && addr_equal_ip(&old->local, &c->addr)))
			withhold(v, SNAG_UNSURE_MACHINE);
		return;
	}
	allow_free(m, r, &new, now_ns, v);
	if (!is_local(&c->addr))
		withhold(v, SNAG_UNSURE_MACHINE);
}

/* The order of the checks: __inet_bind() (net/ipv4/af_inet.c), __inet6_bind() (net/ipv6/af_inet6.c). */
static void predict_bind_inet(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			      uint64_t now_ns, struct model_verdict *v)
{
	bool v6 = r->domain == AF_INET6, released = !(r->flags & MODEL_EXPLICIT) && connected(r);

	if (!v6 && c->addr.family == AF_INET6)
		refuse(v, EAFNOSUPPORT, SNAG_WHY_WRONG_TYPE);
	else if (c->addr.family != r->domain)
		withhold(v, SNAG_UNSURE_UNMODELLED);
	else if (!v6 && !is_local(&c->addr) && (connected(r) || record_holds(r)))
		withhold(v, SNAG_UNSURE_MACHINE);	/* EADDRNOTAVAIL comes first */
	else if (c->addr.port && c->addr.port < PRIVILEGED_PORTS && c->who.uid)
		withhold(v, SNAG_UNSURE_MACHINE);
	else if (released && r->proto == SNAG_PROTO_TCP)
		withhold(v, SNAG_UNSURE_PEER);		/* reset meanwhile, it may be bound again */
	else if (connected(r) || record_holds(r))
		refuse(v, EINVAL, SNAG_WHY_ALREADY_BOUND);
	else if (addr_is_mapped(&c->addr) && (r->options & SNAG_OPTION_V6ONLY))
		refuse(v, EINVAL, SNAG_WHY_WRONG_TYPE);
	else
		predict_conflict(m, r, c, now_ns, v);
}

/* unix_bind() (net/unix/af_unix.c): a path that exists is refused, whoever made it; what became of the file since, the
 * machine knows. An abstract name is gone with its socket. */
static void predict_bind_unix(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			      struct model_verdict *v)
{
	struct bind_claim new = {.addr = c->addr, .domain = AF_UNIX};
	bool held;

	if (c->addr.family != AF_UNIX || !c->path_len || c->path_len > SNAG_PATH_MAX) {
		withhold(v, SNAG_UNSURE_UNMODELLED);
		return;
	}
	held = port_ask(m, SNAG_PROTO_UNIX, c->sock, &new, &v->holder) != BIND_FREE;
	if (r->local.family == AF_UNIX && r->state >= SNAG_STATE_BOUND)
		refuse(v, EINVAL, SNAG_WHY_ALREADY_BOUND);
	else if (held)
		refuse(v, EADDRINUSE, SNAG_WHY_HELD);
	else
		allow(v);
	if (c->path[0])
		withhold(v, SNAG_UNSURE_MACHINE);
}

static void predict_bind(const struct model *m, const struct model_sock *r, const struct snag_call *c, uint64_t now_ns,
			 struct model_verdict *v)
{
	uint32_t chain = port_chain(r->proto, &c->addr);

	if (chain != PORT_NONE)
		v->ticket = port_version(m, chain) << 1 | 1;
	if (r->proto == SNAG_PROTO_UNIX)
		predict_bind_unix(m, r, c, v);
	else if (r->proto == SNAG_PROTO_TCP || r->proto == SNAG_PROTO_UDP)
		predict_bind_inet(m, r, c, now_ns, v);
	else
		withhold(v, SNAG_UNSURE_UNMODELLED);
}

/* ---- the others ---- */

/* inet_listen() (net/ipv4/af_inet.c), then inet_csk_listen_start() asks for the port once more. */
static void predict_listen(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			   uint64_t now_ns, struct model_verdict *v)
{
	struct bind_claim self = port_claim(r);
	uint32_t chain = port_chain(r->proto, &r->local);
	enum bind_answer answer;

	if (chain != PORT_NONE)
		v->ticket = port_version(m, chain) << 1 | 1;
	if (is_datagram(r))
		refuse(v, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE);
	else if (connected(r))
		refuse(v, EINVAL, SNAG_WHY_WRONG_STATE);
	else if (r->state == SNAG_STATE_LISTEN)
		allow(v);
	else if (r->proto == SNAG_PROTO_UNIX && r->state != SNAG_STATE_BOUND)
		refuse(v, EINVAL, SNAG_WHY_WRONG_STATE);
	else if (r->proto == SNAG_PROTO_UNIX || !record_holds(r))
		allow(v);
	else {
		answer = port_ask(m, r->proto, c->sock, &self, &v->holder);
		if (answer == BIND_FREE)
			allow_free(m, r, &self, now_ns, v);
		else
			refuse_held(m, answer, v);
	}
}

static void predict_accept(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			   uint64_t now_ns, struct model_verdict *v)
{
	(void)m, (void)c, (void)now_ns;
	if (is_datagram(r))
		refuse(v, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE);
	else if (r->state != SNAG_STATE_LISTEN)
		refuse(v, EINVAL, SNAG_WHY_WRONG_STATE);
	else
		withhold(v, SNAG_UNSURE_PEER);
}

/* A session socket that is bound to the address and does not listen, where nobody of the session does. */
static uint32_t silent_on(const struct model *m, const struct snag_addr *a, uint32_t self)
{
	const struct model_sock *r;
	uint32_t at, silent = 0;
	struct port_walk w;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_TCP, a));
	while ((r = port_walk_next(&w, &at))) {
		if (at == self || (!addr_is_any(&r->local) && !addr_equal_ip(&r->local, a)))
			continue;
		if (r->state == SNAG_STATE_LISTEN)
			return 0;
		if (r->state == SNAG_STATE_BOUND)
			silent = at;
	}
	return silent;
}

/* __inet_stream_connect() (net/ipv4/af_inet.c). */
static void predict_connect(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			    uint64_t now_ns, struct model_verdict *v)
{
	(void)now_ns;
	withhold(v, SNAG_UNSURE_PEER);
	if (r->proto == SNAG_PROTO_UDP) {
		if (c->addr.family == AF_UNSPEC || (c->addr.family == AF_INET && addr_is_loopback(&c->addr)))
			allow(v);
		else
			withhold(v, SNAG_UNSURE_MACHINE);
	} else if (r->proto == SNAG_PROTO_TCP && c->addr.family == AF_UNSPEC) {
		allow(v);
	} else if (r->proto == SNAG_PROTO_TCP && (r->state == SNAG_STATE_LISTEN || r->state > SNAG_STATE_SYN_SENT)) {
		refuse(v, EISCONN, SNAG_WHY_WRONG_STATE);
	} else if (r->proto == SNAG_PROTO_TCP && r->state != SNAG_STATE_SYN_SENT) {
		v->err = ECONNREFUSED;
		v->why = SNAG_WHY_NO_LISTENER;
		v->holder = silent_on(m, &c->addr, c->sock);
	}
}

/* inet_shutdown() (net/ipv4/af_inet.c), unix_shutdown() (net/unix/af_unix.c). */
static void predict_shutdown(const struct model *m, const struct model_sock *r, const struct snag_call *c,
			     uint64_t now_ns, struct model_verdict *v)
{
	(void)m, (void)now_ns;
	if (c->arg[0] < SHUT_RD || c->arg[0] > SHUT_RDWR)
		refuse(v, EINVAL, SNAG_WHY_NONE);
	else if (r->proto == SNAG_PROTO_UNIX || r->state == SNAG_STATE_LISTEN)
		allow(v);
	else if (r->state == SNAG_STATE_CLOSED || r->state == SNAG_STATE_BOUND)
		refuse(v, ENOTCONN, SNAG_WHY_WRONG_STATE);
	else if (r->proto == SNAG_PROTO_UDP)
		allow(v);
	else
		withhold(v, SNAG_UNSURE_PEER);
}

static void predict_close(const struct model *m, const struct model_sock *r, const struct snag_call *c, uint64_t now_ns,
			  struct model_verdict *v)
{
	(void)m, (void)r, (void)c, (void)now_ns;
	allow(v);
}

typedef void predict_fn(const struct model *m, const struct model_sock *r, const struct snag_call *c, uint64_t now_ns,
			struct model_verdict *v);

static predict_fn *const predictions[SNAG_CALLS] = {
	[SNAG_CALL_bind] = predict_bind,	 [SNAG_CALL_listen] = predict_listen,
	[SNAG_CALL_accept] = predict_accept,	 [SNAG_CALL_accept4] = predict_accept,
	[SNAG_CALL_connect] = predict_connect,	 [SNAG_CALL_shutdown] = predict_shutdown,
	[SNAG_CALL_close] = predict_close,
};

void model_predict(const struct model *m, const struct model_machine *machine, const struct snag_call *c,
		   uint64_t now_ns, struct model_verdict *v)
{
	const struct model_sock *r;
	predict_fn *predict = c->call < SNAG_CALLS ? predictions[c->call] : NULL;

	(void)machine;
	memset(v, 0, sizeof(*v));
	if (!predict)
		return;
	r = c->serial ? record_of(m, c->sock, c->serial) : NULL;
	if (!r)
		withhold(v, SNAG_UNSURE_FOREIGN);
	else if (r->proto == SNAG_PROTO_NONE || r->proto >= SNAG_PROTO_OTHER)
		withhold(v, SNAG_UNSURE_UNMODELLED);
	else
		predict(m, r, c, now_ns, v);
}

bool model_remains(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint64_t now_ns,
		   uint8_t *options)
{
	const struct model_sock *r = record_of(m, sock, 0);
	struct bind_claim new = {.addr = *addr, .options = r ? r->options : 0};

	return lingers(m, &new, now_ns, options);
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
