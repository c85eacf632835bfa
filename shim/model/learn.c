/* learn.c - what really happened.
 *
 *   closed --bind--> bound --listen--> listen --shutdown(RD)--> bound
 *   closed, bound --connect--> syn_sent --> established --shutdown(WR)--> fin_wait
 *   listen --accept--> (a new one) established
 *   established, told by the kernel's state: close_wait, fin_wait, time_wait
 *
 * The real call's answer counts: what a rule answered in its place has changed nothing. */
#include "learn.h"
#include "bare.h"
#include "conn.h"
#include "elsewhere.h"
#include "name.h"
#include "port.h"
#include "record.h"
#include "route.h"
#include "traffic.h"
#include "tuple.h"

#include <base/addr.h>
#include <base/base.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#define LINGER2_MAX 120		/* TCP_FIN_TIMEOUT_MAX (include/net/tcp.h) */

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
	n->elsewhere = o->elsewhere;
	if (c->call == SNAG_CALL_socketpair)
		record_state(n, SNAG_STATE_ESTABLISHED, now_ns);
}

/* The kernel refused the port: it takes the address back, __inet_bind(), __inet6_bind(). */
static void address_lost(struct model_sock *r, int err)
{
	if (err == EADDRINUSE && !r->on_port && !record_holds(r) && r->local.family == r->domain &&
	    r->proto != SNAG_PROTO_UNIX)
		r->local = (struct snag_addr){.family = r->domain};
}

/* With IP_FREEBIND, or ip_nonlocal_bind, an address may be another machine's. */
static bool is_away(const struct snag_call *c, const struct snag_addr *a)
{
	if (!route_is_source(a) || addr_is_loopback(a))
		return false;
	return !(c->facts & SNAG_FACT_REACH) || c->reach == SNAG_REACH_NOWHERE || c->reach == SNAG_REACH_AWAY;
}

static void learn_bind(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		       uint64_t now_ns)
{
	static const uint8_t zero[16];
	const struct snag_addr *a = o->local.family ? &o->local : &c->addr;
	bool address_only = !a->port && r->proto != SNAG_PROTO_UNIX && (r->flags & MODEL_NO_PORT);

	if (o->real_err) {
		address_lost(r, o->real_err);
		return;
	}
	if (r->proto == SNAG_PROTO_UNIX && r->role == SNAG_ROLE_ACCEPTED)	/* unix_autobind(): it has its listener's */
		return;
	if ((r->state == SNAG_STATE_CLOSED || (r->proto == SNAG_PROTO_TCP && record_connected(r))) && !address_only)
		record_state(r, SNAG_STATE_BOUND, now_ns);
	if (a->family != r->domain)
		return;
	if (r->flags & MODEL_COUNTED)	/* an accepted one that was reset may be bound anew */
		traffic_leave(m, r, now_ns);
	conn_leave(m, c->sock);	/* and out of doubt */
	record_local(r, a);
	if (c->addr.port)
		r->flags |= MODEL_EXPLICIT;
	if (r->proto != SNAG_PROTO_UNIX && memcmp(a->ip, zero, sizeof(zero)))
		r->flags |= MODEL_ADDR;
	r->flags = (uint16_t)(is_away(c, a) ? r->flags | MODEL_AWAY : r->flags & ~MODEL_AWAY);
	port_link(m, c->sock);
	port_admitted(m, c->sock, now_ns);
	if (r->proto == SNAG_PROTO_UNIX)
		name_set(m, c->sock, c->path, c->path_len);
}

static void learn_listen(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			 uint64_t now_ns)
{
	if (o->real_err)
		return;
	r->role = SNAG_ROLE_LISTENER;
	r->backlog = c->facts & SNAG_FACT_QUEUE ? c->queue_max : c->arg[0];
	if (r->state == SNAG_STATE_LISTEN)
		return;
	conn_deafen(m, c->sock, now_ns);
	if (r->flags & MODEL_EXACT)
		conn_leave(m, c->sock);
	r->flags &= (uint16_t)~(MODEL_DOUBT | MODEL_BY_CONNECT);
	record_state(r, SNAG_STATE_LISTEN, now_ns);
	if (o->local.family == r->domain && o->local.port && (!r->on_port || o->local.port != r->local.port)) {
		/* bound by listen itself, or anew */
		record_local(r, &o->local);
		port_link(m, c->sock);
	}
	port_admitted(m, c->sock, now_ns);
}

/* Options that are one bit: of `options`, of `flags`, or of `traits`. */
static const struct {
	int level, name;
	uint8_t option;
	uint16_t flag;
	uint8_t trait;
} bits[] = {
	{SOL_SOCKET, SO_REUSEADDR, SNAG_OPTION_REUSEADDR, 0, 0},
	{SOL_SOCKET, SO_REUSEPORT, SNAG_OPTION_REUSEPORT, 0, 0},
	{IPPROTO_IPV6, IPV6_V6ONLY, SNAG_OPTION_V6ONLY, 0, 0},
	{IPPROTO_IP, IP_FREEBIND, 0, MODEL_FREEBIND, 0},
	{IPPROTO_IP, IP_TRANSPARENT, 0, MODEL_FREEBIND, 0},
	{IPPROTO_IPV6, IPV6_FREEBIND, 0, MODEL_FREEBIND, 0},
	{IPPROTO_IPV6, IPV6_TRANSPARENT, 0, MODEL_FREEBIND, 0},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0, MODEL_NO_PORT, 0},
	{SOL_SOCKET, SO_BROADCAST, 0, 0, MODEL_BROADCASTS},
	{IPPROTO_IP, IP_UNICAST_IF, 0, 0, MODEL_SENDS_BY},
	{IPPROTO_IPV6, IPV6_UNICAST_IF, 0, 0, MODEL_SENDS_BY},
	{IPPROTO_IPV6, IPV6_MULTICAST_IF, 0, 0, MODEL_SENDS_BY},
};

/* What keeps from a socket what is sent to it. */
static void learn_hearing(struct model_sock *r, int level, int name, int value)
{
	bool filter = level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_BPF);
	bool hops = (level == IPPROTO_IP && name == IP_MINTTL) || (level == IPPROTO_IPV6 && name == IPV6_MINHOPCOUNT);
	uint8_t trait = filter || (level == IPPROTO_IP && r->domain != AF_INET) ? MODEL_FILTERED : MODEL_DEAF;

	if (filter || (hops && value > r->ttl))
		r->traits |= trait;
	else if (hops)
		r->traits &= (uint8_t)~trait;
	else if (level == SOL_SOCKET && name == SO_DETACH_FILTER)
		r->traits &= (uint8_t)~MODEL_FILTERED;
}

/* TCP_LINGER2 in do_tcp_setsockopt() (net/ipv4/tcp.c). */
static void learn_linger2(struct model_sock *r, int value)
{
	r->linger2_s = value <= 0 ? 0 : value < LINGER2_MAX ? (uint8_t)value : LINGER2_MAX;
	r->traits = (uint8_t)(value < 0 ? r->traits | MODEL_NO_FIN_WAIT : r->traits & ~MODEL_NO_FIN_WAIT);
}

static void learn_setsockopt(struct model *m, struct model_sock *r, const struct snag_call *c,
			     const struct snag_outcome *o, uint64_t now_ns)
{
	int level = c->arg[0], name = c->arg[1], value = c->arg[2];

	(void)now_ns;
	if (o->real_err)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
		if (name != bits[i].name || level != bits[i].level)
			continue;
		r->options = (uint8_t)(value ? r->options | bits[i].option : r->options & ~bits[i].option);
		r->flags = (uint16_t)(value ? r->flags | bits[i].flag : r->flags & ~bits[i].flag);
		r->traits = (uint8_t)(value ? r->traits | bits[i].trait : r->traits & ~bits[i].trait);
	}
	if (level == SOL_SOCKET && name == SO_LINGER)
		r->flags = (uint16_t)(value == 1 ? r->flags | MODEL_HARD : r->flags & ~MODEL_HARD);
	if (level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT)
		r->traits = (uint8_t)(value > 0 ? r->traits | MODEL_DEFERS : r->traits & ~MODEL_DEFERS);
	if (level == SOL_SOCKET && (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX))
		r->device = (uint32_t)value;
	if (level == IPPROTO_IP && name == IP_MULTICAST_IF)	/* a structure, or an address: its value is not told */
		r->traits |= MODEL_SENDS_BY;
	if (level == IPPROTO_IP && name == IP_LOCAL_PORT_RANGE)
		r->range = (uint32_t)value;
	if (level == IPPROTO_TCP && name == TCP_LINGER2)
		learn_linger2(r, value);
	learn_hearing(r, level, name, value);
	if (r->on_port && (r->flags & MODEL_EXACT))
		port_link(m, c->sock);
}

static const struct {
	learn_fn *learn;
	bool unknown;	/* also when the model does not know the call's socket */
	learn_fn *elsewhere;	/* in another network namespace; NULL: the same */
} lessons[SNAG_CALLS] = {
	[SNAG_CALL_socket] = {learn_socket, true, NULL},
	[SNAG_CALL_socketpair] = {learn_socket, true, NULL},
	[SNAG_CALL_bind] = {learn_bind, false, elsewhere_bind},
	[SNAG_CALL_listen] = {learn_listen, false, elsewhere_listen},
	[SNAG_CALL_accept] = {learn_accept, true, elsewhere_accept},
	[SNAG_CALL_accept4] = {learn_accept, true, elsewhere_accept},
	[SNAG_CALL_connect] = {learn_connect, false, elsewhere_connect},
	[SNAG_CALL_shutdown] = {learn_shutdown, false, elsewhere_shutdown},
	[SNAG_CALL_setsockopt] = {learn_setsockopt, false, NULL},
	[SNAG_CALL_close] = {learn_close, false, elsewhere_close},
	[SNAG_CALL_close_range] = {learn_close, false, elsewhere_close},
	[SNAG_CALL_closefrom] = {learn_close, false, elsewhere_close},
	[SNAG_CALL_fclose] = {learn_close, false, elsewhere_close},
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

/* The kernel says what state it is in. */
static void told_state(struct model *m, struct model_sock *r, const struct snag_call *c, uint64_t now_ns)
{
	uint8_t state = model_state_of(c->tcp_state, r);

	if (state != SNAG_STATE_LISTEN && r->queue_first)
		conn_deafen(m, c->sock, now_ns);
	record_state(r, state, now_ns);
}

void model_learn(struct model *m, const struct model_machine *machine, const struct snag_call *c,
		 const struct snag_outcome *o, uint64_t now_ns)
{
	struct model_sock *r = c->serial ? record_at(m, c->sock, c->serial) : NULL, *n;

	learn_fn *learn;

	if (o->seen != SNAG_SEEN || c->call >= SNAG_CALLS || !lessons[c->call].learn)
		return;
	if (!r && !lessons[c->call].unknown)
		return;
	learn = lessons[c->call].learn;
	if (unlikely(r && r->elsewhere) && elsewhere_speaks(r, c) && lessons[c->call].elsewhere)
		learn = lessons[c->call].elsewhere;
	if (r && r->proto == SNAG_PROTO_TCP && (c->facts & SNAG_FACT_TCP_STATE)) {
		if (r->flags & MODEL_EXACT)
			conn_told(m, c->sock, c->tcp_state, now_ns);
		else
			told_state(m, r, c, now_ns);
	}
	if (r && (r->flags & MODEL_EXACT))
		bare_purge(m, now_ns);
	if (r && r->role == SNAG_ROLE_LISTENER && (c->facts & SNAG_FACT_QUEUE) && c->queue > 0 &&
	    (uint32_t)c->queue > r->queue_high)
		r->queue_high = (uint32_t)c->queue;
	learn(m, r, c, o, now_ns);
	n = o->real_err ? NULL : record_at(m, o->new_sock, o->new_serial);
	if (n)
		record_machine(n, machine);
}

void model_adopt(struct model *m, uint32_t sock, uint32_t serial, const struct model_facts *f, uint64_t now_ns)
{
	struct model_sock *r;

	model_forget(m, sock, now_ns);
	r = record_begin(m, sock, serial, now_ns);
	if (!r)
		return;
	record_machine(r, f->machine);
	r->proto = f->proto;
	r->state = f->state ? f->state : SNAG_STATE_CLOSED;
	r->role = f->role;
	r->options = f->options;
	r->domain = f->domain;
	r->type = f->type;
	r->uid = f->uid;
	r->backlog = f->backlog;
	r->traits |= f->defers ? MODEL_DEFERS : 0;
	r->elsewhere = f->elsewhere;
	if (!f->elsewhere || r->proto != SNAG_PROTO_UNIX || f->path[0])
		r->local = f->local;
	r->peer = f->peer;
	if (r->state == SNAG_STATE_BOUND || r->state == SNAG_STATE_LISTEN)
		r->flags |= MODEL_EXPLICIT;
	if (r->proto == SNAG_PROTO_TCP && r->role == SNAG_ROLE_ACCEPTED && r->local.port && !r->elsewhere)
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
	if (r->state == SNAG_STATE_LISTEN)
		conn_deafen(m, sock, now_ns);
	if (r->flags & MODEL_EXACT)
		conn_close(m, sock, -1, now_ns);
	else if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	else if (r->proto == SNAG_PROTO_TCP && r->local.port && r->state >= SNAG_STATE_SYN_SENT && !r->elsewhere)
		traffic_trail(m, r, now_ns);
	if (r->other)
		conn_part(m, sock);
	if (r->flags & MODEL_IN_TUPLES)
		tuple_unlink(m, sock);
	if (r->on_port)
		port_unlink(m, sock);
	if (r->name)
		name_drop(m, sock);
	r->state = SNAG_STATE_NONE;
	r->flags = 0;
	r->serial = 0;
}
