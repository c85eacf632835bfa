/* learn.c - what really happened.
 *
 *   closed --bind--> bound --listen--> listen --shutdown(RD)--> bound
 *   closed, bound --connect--> syn_sent --> established --shutdown(WR)--> fin_wait
 *   listen --accept--> (a new one) established
 *   established, told by the kernel's state: close_wait, fin_wait, time_wait
 *
 * The real call's answer counts: what a rule answered in its place has changed nothing. */
#include "name.h"
#include "port.h"
#include "record.h"
#include "traffic.h"

#include <base/addr.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

typedef void learn_fn(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		      uint64_t now_ns);

/* bind() to a specific IPv6 address sets IPV6_V6ONLY: __inet6_bind() (net/ipv6/af_inet6.c). */
static void local_is(struct model_sock *r, const struct snag_addr *a)
{
	r->local = *a;
	if (a->family == AF_INET6 && !addr_is_any(a) && !addr_is_mapped(a))
		r->options |= SNAG_OPTION_V6ONLY;
}

/* TCP entering CLOSE keeps a port that was named and releases any other: inet_put_port() in tcp_set_state(). */
static void disconnected(struct model *m, struct model_sock *r, uint64_t now_ns)
{
	if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	r->peer = (struct snag_addr){0};
	r->flags &= (uint8_t)~MODEL_VAGUE;
	r->role = SNAG_ROLE_NONE;
	record_state(r, r->flags & MODEL_EXPLICIT || r->proto == SNAG_PROTO_UNIX ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED,
		     now_ns);
}

static void connecting(struct model_sock *r, uint8_t state, const struct snag_addr *peer, uint64_t now_ns)
{
	if (peer->family)
		r->peer = *peer;
	r->role = SNAG_ROLE_CLIENT;
	if (r->local.port && addr_is_any(&r->local))
		r->flags |= MODEL_VAGUE;
	record_state(r, state, now_ns);
}

static void learn_socket(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			 uint64_t now_ns)
{
	struct model_sock *n = o->real_err ? NULL : record_begin(m, o->new_sock, o->new_serial, now_ns);

	(void)r;
	if (!n)
		return;
	n->proto = c->proto;
	n->domain = c->domain;
	n->type = (uint8_t)(c->arg[1] & 0xf);	/* without SOCK_NONBLOCK and SOCK_CLOEXEC */
	n->uid = c->who.uid;
	if (c->call == SNAG_CALL_socketpair)
		record_state(n, SNAG_STATE_ESTABLISHED, now_ns);
}

static void learn_bind(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		       uint64_t now_ns)
{
	const struct snag_addr *a = o->local.family ? &o->local : &c->addr;

	if (o->real_err)
		return;
	if (r->state == SNAG_STATE_CLOSED)
		record_state(r, SNAG_STATE_BOUND, now_ns);
	if (a->family != r->domain)
		return;
	if (r->flags & MODEL_COUNTED)	/* an accepted one that was reset may be bound anew */
		traffic_leave(m, r, now_ns);
	port_unlink(m, c->sock);
	local_is(r, a);
	if (c->addr.port)
		r->flags |= MODEL_EXPLICIT;
	port_link(m, c->sock);
	port_admitted(m, r);
	if (r->proto == SNAG_PROTO_UNIX)
		name_set(m, c->sock, c->path, c->path_len);
}

static void learn_listen(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			 uint64_t now_ns)
{
	if (o->real_err)
		return;
	r->role = SNAG_ROLE_LISTENER;
	r->backlog = c->arg[0];
	if (r->state == SNAG_STATE_LISTEN)
		return;
	record_state(r, SNAG_STATE_LISTEN, now_ns);
	if (!r->on_port && o->local.port && o->local.family == r->domain) {	/* bound by listen itself */
		local_is(r, &o->local);
		port_link(m, c->sock);
	}
	port_admitted(m, r);
}

static void learn_accept(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			 uint64_t now_ns)
{
	struct model_sock *n = o->real_err ? NULL : record_begin(m, o->new_sock, o->new_serial, now_ns);

	if (!n)
		return;
	n->proto = r ? r->proto : c->proto;
	n->domain = r ? r->domain : c->domain;
	n->type = r ? r->type : SOCK_STREAM;
	n->options = r ? r->options : 0;	/* sk_clone_lock() copies them */
	n->device = r ? r->device : 0;
	n->uid = r ? r->uid : c->who.uid;
	n->role = SNAG_ROLE_ACCEPTED;
	n->local = o->local.family ? o->local : r ? r->local : n->local;
	n->peer = o->peer;
	if (addr_is_any(&n->local))
		n->flags |= MODEL_VAGUE;
	record_state(n, SNAG_STATE_ESTABLISHED, now_ns);
	if (n->proto == SNAG_PROTO_TCP && n->local.port)
		traffic_enter(m, n);
}

static void learn_connect(struct model *m, struct model_sock *r, const struct snag_call *c,
			  const struct snag_outcome *o, uint64_t now_ns)
{
	bool begins = r->state == SNAG_STATE_CLOSED || r->state == SNAG_STATE_BOUND || r->state == SNAG_STATE_SYN_SENT;

	switch (o->real_err) {
	case 0:
		if (c->addr.family == AF_UNSPEC)
			disconnected(m, r, now_ns);
		else
			connecting(r, SNAG_STATE_ESTABLISHED, &c->addr, now_ns);
		break;
	case EISCONN:
		if (r->state == SNAG_STATE_SYN_SENT)
			connecting(r, SNAG_STATE_ESTABLISHED, &(struct snag_addr){0}, now_ns);
		break;
	case EINPROGRESS:
	case EALREADY:
	case EINTR:	/* the attempt goes on */
		if (begins && r->proto == SNAG_PROTO_TCP)
			connecting(r, SNAG_STATE_SYN_SENT, &c->addr, now_ns);
		break;
	default:
		if (!begins || r->proto != SNAG_PROTO_TCP)
			break;
		if (o->real_err != ECONNREFUSED && r->local.port)	/* it may have come as far as a FIN */
			traffic_trail(m, r->local.port, r->options, now_ns);
		disconnected(m, r, now_ns);
	}
}

static void learn_shutdown(struct model *m, struct model_sock *r, const struct snag_call *c,
			   const struct snag_outcome *o, uint64_t now_ns)
{
	if (o->real_err || r->proto != SNAG_PROTO_TCP)
		return;
	if (r->state == SNAG_STATE_LISTEN) {
		if (c->arg[0] != SHUT_WR)	/* inet_shutdown(): a listener heeds RCV_SHUTDOWN only */
			disconnected(m, r, now_ns);
	} else if (r->state == SNAG_STATE_SYN_SENT) {
		disconnected(m, r, now_ns);
	} else if (c->arg[0] != SHUT_RD) {
		record_state(r, SNAG_STATE_FIN_WAIT, now_ns);
	}
}

static void learn_setsockopt(struct model *m, struct model_sock *r, const struct snag_call *c,
			     const struct snag_outcome *o, uint64_t now_ns)
{
	static const struct {
		int level, name;
		uint8_t option;
	} rows[] = {
		{SOL_SOCKET, SO_REUSEADDR, SNAG_OPTION_REUSEADDR},
		{SOL_SOCKET, SO_REUSEPORT, SNAG_OPTION_REUSEPORT},
		{IPPROTO_IPV6, IPV6_V6ONLY, SNAG_OPTION_V6ONLY},
	};

	(void)m, (void)now_ns;
	if (o->real_err)
		return;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (c->arg[0] == rows[i].level && c->arg[1] == rows[i].name)
			r->options = (uint8_t)((r->options & ~rows[i].option) | (c->arg[2] ? rows[i].option : 0));
	if (c->arg[0] == SOL_SOCKET && (c->arg[1] == SO_BINDTODEVICE || c->arg[1] == 62 /* SO_BINDTOIFINDEX */))
		r->device = MODEL_DEVICE_UNKNOWN;
}

static void learn_close(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			uint64_t now_ns)
{
	if (!o->last || o->real_err < 0)
		return;
	/* Whoever sends the first FIN keeps TIME_WAIT; fact: it is still open on this side. */
	if ((c->facts & SNAG_FACT_TCP_STATE) && r->proto == SNAG_PROTO_TCP &&
	    (r->state == SNAG_STATE_ESTABLISHED || r->state == SNAG_STATE_FIN_WAIT))
		traffic_time_wait(m, r, now_ns);
	model_forget(m, c->sock, now_ns);
}

static const struct {
	learn_fn *learn;
	bool unknown;	/* also when the model does not know the call's socket */
} lessons[SNAG_CALLS] = {
	[SNAG_CALL_socket] = {learn_socket, true},	   [SNAG_CALL_socketpair] = {learn_socket, true},
	[SNAG_CALL_bind] = {learn_bind, false},		   [SNAG_CALL_listen] = {learn_listen, false},
	[SNAG_CALL_accept] = {learn_accept, true},	   [SNAG_CALL_accept4] = {learn_accept, true},
	[SNAG_CALL_connect] = {learn_connect, false},	   [SNAG_CALL_shutdown] = {learn_shutdown, false},
	[SNAG_CALL_setsockopt] = {learn_setsockopt, false}, [SNAG_CALL_close] = {learn_close, false},
	[SNAG_CALL_close_range] = {learn_close, false},	   [SNAG_CALL_closefrom] = {learn_close, false},
	[SNAG_CALL_fclose] = {learn_close, false},
};

uint8_t model_state_of(uint8_t tcp_state, const struct model_sock *r)
{
	static const uint8_t states[] = {
		[TCP_ESTABLISHED] = SNAG_STATE_ESTABLISHED, [TCP_SYN_SENT] = SNAG_STATE_SYN_SENT,
		[TCP_SYN_RECV] = SNAG_STATE_SYN_SENT,	    [TCP_FIN_WAIT1] = SNAG_STATE_FIN_WAIT,
		[TCP_FIN_WAIT2] = SNAG_STATE_FIN_WAIT,	    [TCP_TIME_WAIT] = SNAG_STATE_TIME_WAIT,
		[TCP_CLOSE_WAIT] = SNAG_STATE_CLOSE_WAIT,   [TCP_LAST_ACK] = SNAG_STATE_CLOSED,
		[TCP_LISTEN] = SNAG_STATE_LISTEN,	    [TCP_CLOSING] = SNAG_STATE_FIN_WAIT,
	};

	if (tcp_state == TCP_CLOSE)
		return r->state == SNAG_STATE_BOUND || (r->flags & MODEL_EXPLICIT) ? SNAG_STATE_BOUND
										   : SNAG_STATE_CLOSED;
	return tcp_state < sizeof(states) && states[tcp_state] ? states[tcp_state] : r->state;
}

void model_learn(struct model *m, const struct snag_call *c, const struct snag_outcome *o, uint64_t now_ns)
{
	struct model_sock *r = c->serial ? record_at(m, c->sock, c->serial) : NULL;

	if (o->seen != SNAG_SEEN || c->call >= SNAG_CALLS || !lessons[c->call].learn)
		return;
	if (!r && !lessons[c->call].unknown)
		return;
	if (r && r->proto == SNAG_PROTO_TCP && (c->facts & SNAG_FACT_TCP_STATE))
		record_state(r, model_state_of(c->tcp_state, r), now_ns);
	lessons[c->call].learn(m, r, c, o, now_ns);
}

void model_adopt(struct model *m, uint32_t sock, uint32_t serial, const struct model_facts *f, uint64_t now_ns)
{
	struct model_sock *r;

	model_forget(m, sock, now_ns);
	r = record_begin(m, sock, serial, now_ns);
	if (!r)
		return;
	r->proto = f->proto;
	r->state = f->state ? f->state : SNAG_STATE_CLOSED;
	r->role = f->role;
	r->options = f->options;
	r->domain = f->domain;
	r->type = f->type;
	r->uid = f->uid;
	r->backlog = f->backlog;
	r->local = f->local;
	r->peer = f->peer;
	if (r->state == SNAG_STATE_BOUND || r->state == SNAG_STATE_LISTEN)
		r->flags |= MODEL_EXPLICIT;
	if (r->proto == SNAG_PROTO_TCP && r->role == SNAG_ROLE_ACCEPTED && r->local.port)
		traffic_enter(m, r);
	else if (port_belongs(r))
		port_link(m, sock);
	if (r->proto == SNAG_PROTO_UNIX)
		name_set(m, sock, f->path, f->path_len);
}

void model_forget(struct model *m, uint32_t sock, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, sock, 0);

	if (!r)
		return;
	if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	else if (r->proto == SNAG_PROTO_TCP && r->local.port && r->state >= SNAG_STATE_SYN_SENT)
		traffic_trail(m, r->local.port, r->options, now_ns);
	port_unlink(m, sock);
	name_drop(m, sock);
	r->state = SNAG_STATE_NONE;
	r->flags = 0;
	r->serial = 0;
}
