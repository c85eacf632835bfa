/* learn_connect.c - what connect did: an attempt begins, comes through, ends; what it chose is given back. */
#include "learn.h"
#include "bucket.h"
#include "conn.h"
#include "cross.h"
#include "listener.h"
#include "port.h"
#include "record.h"
#include "route.h"
#include "traffic.h"

#include <base/addr.h>
#include <base/base.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* ---- its end ---- */

/* tcp_disconnect() (net/ipv4/tcp.c) gives back what connect() chose. now_at: what getsockname() says afterwards, the
 * port apart; no family: nobody asked. */
static void give_back(struct model *m, struct model_sock *r, uint32_t sock, bool released,
		      const struct snag_addr *now_at)
{
	bool kept = r->flags & MODEL_EXPLICIT || (!released && r->state == SNAG_STATE_BOUND);
	uint16_t port = kept ? r->local.port : 0;

	conn_leave(m, sock);
	if (now_at->family)
		r->local = *now_at;
	else if (!(r->flags & MODEL_ADDR))
		r->local = (struct snag_addr){.family = r->domain};
	r->local.port = port;
	if (port)
		port_link(m, sock);
}

void learn_disconnected(struct model *m, struct model_sock *r, uint32_t sock, const struct snag_addr *now_at,
			uint64_t now_ns)
{
	bool released = record_connected(r) || r->state == SNAG_STATE_LISTEN;
	/* bound to ::ffff:0.0.0.0, which locks the address that connect() chooses: SOCK_BINDADDR_LOCK in __inet6_bind() */
	bool untold = !now_at || !now_at->family;
	bool locked = untold && record_connected(r) && (r->flags & MODEL_ADDR) && addr_is_any(&r->local);

	if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	if (r->state == SNAG_STATE_LISTEN)
		conn_deafen(m, sock, now_ns);
	if ((r->flags & MODEL_EXACT) && record_connected(r) && r->state != SNAG_STATE_SYN_SENT)
		conn_reset_other(m, sock, now_ns);
	if (now_at)
		give_back(m, r, sock, released, now_at);
	if (released || r->state == SNAG_STATE_CLOSED)
		record_state(r, r->flags & MODEL_EXPLICIT ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED, now_ns);
	r->peer = (struct snag_addr){0};
	r->flags &= (uint16_t)~(MODEL_VAGUE | MODEL_DOUBT | MODEL_SHUT_RD | MODEL_SHUT_WR);
	r->flags |= locked ? MODEL_VAGUE : 0;
	r->role = SNAG_ROLE_NONE;
	r->phase = MODEL_UNCONNECTED;
	r->pending = 0;
}

/* ---- its beginning ---- */

/* connect() that dissolves: the family, as the program passed it, is AF_UNSPEC. */
static bool dissolves(const struct snag_call *c)
{
	return c->addr.family == AF_UNSPEC && c->addr_family == AF_UNSPEC;
}

/* What a listener has done with a SYN, by the state that its sender is in. */
static enum listener_answer admitted(uint8_t tcp_state)
{
	return tcp_state == TCP_SYN_SENT ? LISTENER_FULL : tcp_state == TCP_CLOSE ? LISTENER_UNSURE : LISTENER_ROOM;
}

/* It drops what comes back: certain of a RST only, which the machine sends as it sends everything. */
static void met_deaf(struct model *m, struct model_sock *r, uint32_t sock, int err, uint64_t now_ns)
{
	uint32_t listener, silent;
	bool sure, crosses = cross_waits(m, &r->local, &r->peer, now_ns, &sure);

	if (err == 0)
		record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
	if (err == 0 || crosses || (r->traits & MODEL_FILTERED) || r->device || addr_is_mapped(&r->peer))
		r->flags |= MODEL_DOUBT;
	if (!crosses && listener_for(m, NULL, &r->peer, &listener, &silent) != LISTENER_NONE) {
		r->flags |= MODEL_DOUBT;
		conn_reach(m, sock, 0, now_ns);
	}
}

/* A simultaneous open. */
static bool met_other(struct model *m, const struct model_sock *r, const struct snag_call *c, int err, uint64_t now_ns)
{
	bool sure = true;
	uint32_t at = cross_waits(m, &r->local, &r->peer, now_ns, &sure);

	if (at && (sure || err == 0)) {
		cross_open(m, c->sock, at, now_ns);
	} else if (at) {
		conn_lose_sight(m, c->sock);
		conn_lose_sight(m, at);
	}
	return at != 0;
}

/* An attempt between the two ports, or what is left of a closed connection, that is not in doubt yet. 0: none. */
static uint32_t find_hit(const struct model *m, uint32_t sock, uint16_t local, uint16_t peer)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, local ? local : PORT_NONE);
	while ((r = port_walk_next(&w, &at))) {
		uint32_t steps = SNAG_SOCKS;	/* it stands for its twins, whose peers are others */
		for (; r && steps; r = record_of(m, at = r->twin_next, 0), steps--)
			if (at != sock && r->peer.port == peer && !(r->flags & MODEL_DOUBT) &&
			    (r->state == SNAG_STATE_SYN_SENT || r->until_ns))
				return at;
	}
	return 0;
}

/* What goes out astray meets there what is left of another connection, which gives way to it; and is answered to
 * another attempt from the same port, or to what is left here, which a RST ends: tcp_timewait_state_process()
 * (net/ipv4/tcp_minisocks.c). */
static void goes_astray(struct model *m, uint32_t sock, uint16_t local, uint16_t peer)
{
	uint32_t at;

	while ((at = find_hit(m, sock, local, peer)) || (at = find_hit(m, sock, peer, local)))
		conn_lose_sight(m, at);
}

/* The SYN has gone out: what has it met? Only on this machine; elsewhere nobody here knows. */
static void met(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		uint64_t now_ns)
{
	enum listener_answer answer;
	uint32_t listener, silent;
	struct model_sock *l;

	if (!record_sends(r, &r->peer) || (record_hears(r) && !route_plain(r))) {
		if (!o->real_err)
			record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
		r->flags |= MODEL_DOUBT;	/* it goes to where the last one went; or the answer goes elsewhere */
		goes_astray(m, c->sock, r->local.port, r->peer.port);
		return;
	}
	if (!record_hears(r)) {
		met_deaf(m, r, c->sock, o->real_err, now_ns);
		return;
	}
	if (r->local.port == r->peer.port && addr_equal_ip(&r->local, &r->peer)) {
		record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
		r->other = c->sock;
		if (r->flags & MODEL_SHUT_WR)
			conn_fin(m, c->sock, now_ns);
		return;
	}
	if (met_other(m, r, c, o->real_err, now_ns))
		return;
	answer = listener_for(m, NULL, &r->peer, &listener, &silent);
	l = record_at(m, listener, 0);
	if (answer != LISTENER_NONE && o->tcp_state)
		answer = admitted(o->tcp_state);
	else if (answer == LISTENER_UNSURE && l)
		answer = l->queue_len > (uint32_t)l->backlog ? LISTENER_FULL : LISTENER_ROOM;
	if (answer == LISTENER_FULL && l)
		l->traits |= MODEL_OVERFLOWN;
	if (o->real_err == 0 || answer == LISTENER_ROOM) {
		record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
		if (answer != LISTENER_NONE)
			conn_reach(m, c->sock, listener, now_ns);
		else
			r->flags |= MODEL_DOUBT;
	} else if (answer == LISTENER_NONE && c->reach == SNAG_REACH_LOCAL && (c->facts & SNAG_FACT_REACH) &&
		   o->tcp_state != TCP_SYN_SENT) {
		r->pending = ECONNREFUSED;
		conn_done(m, c->sock, now_ns);
	} else if (answer != LISTENER_FULL) {
		r->flags |= MODEL_DOUBT;
	}
}

static void begin_exact(struct model *m, struct model_sock *r, const struct snag_call *c,
			const struct snag_outcome *o, uint64_t now_ns)
{
	bool chosen = !record_holds(r);
	struct snag_addr bound = r->local;
	enum bind_answer named;
	uint32_t early;

	conn_leave(m, c->sock);
	r->peer = route_meant(&r->local, &c->addr);
	r->local = o->local;
	if (addr_is_any(&r->local))	/* it has been given back already */
		route_source(&r->local, &r->peer);
	early = conn_early(m, &r->local, &r->peer, c->start_ns);
	record_state(r, SNAG_STATE_SYN_SENT, now_ns);
	if (chosen) {
		r->flags |= MODEL_BY_CONNECT;
		if (port_held(m, r->local.port, c->sock, now_ns, &named) == BIND_FREE)
			bucket_forget(m, r->local.port);
	} else if (!addr_equal_ip(&bound, &r->local)) {
		port_moved(m, c->sock);
	}
	if (!early)
		conn_sweep(m, &r->local, &r->peer, record_hears(r));
	conn_enter(m, c->sock);
	if (early)
		conn_meet_early(m, c->sock, early, now_ns);
	else
		met(m, r, c, o, now_ns);
	if (r->on_port)		/* its state has changed what it claims */
		port_link(m, c->sock);
}

/* An attempt has begun: `state` SYN_SENT, or it has come through already. */
static void connecting(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		       uint8_t state, uint64_t now_ns)
{
	r->role = SNAG_ROLE_CLIENT;
	if (r->proto == SNAG_PROTO_TCP && o->local.port && c->addr.family && r->phase == MODEL_UNCONNECTED) {
		begin_exact(m, r, c, o, now_ns);
	} else if (!(r->flags & MODEL_EXACT)) {
		if (c->addr.family && r->phase == MODEL_UNCONNECTED)
			r->peer = c->addr;
		if (r->local.port && addr_is_any(&r->local))
			r->flags |= MODEL_VAGUE;
		record_state(r, state, now_ns);
	}
	r->phase = state == SNAG_STATE_ESTABLISHED ? MODEL_CONNECTED : MODEL_CONNECTING;
}

/* __udp_disconnect() (net/ipv4/udp.c): what the program did not name is given back, and the device too. */
static void disconnected_udp(struct model *m, struct model_sock *r, uint32_t sock, bool exact, uint64_t now_ns)
{
	if (exact && !(r->flags & MODEL_EXPLICIT)) {
		port_unlink(m, sock);
		r->local.port = 0;
	}
	if (exact && !(r->flags & MODEL_ADDR))
		r->local = (struct snag_addr){.family = r->domain, .port = r->local.port};
	r->device = 0;
	r->peer = (struct snag_addr){0};
	r->flags &= (uint16_t)~MODEL_VAGUE;
	r->role = SNAG_ROLE_NONE;
	record_state(r, r->flags & MODEL_EXPLICIT ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED, now_ns);
}

/* The kernel chooses an address and a port where there is none; the port stays when the rest fails. */
static void learn_connect_udp(struct model *m, struct model_sock *r, const struct snag_call *c,
			      const struct snag_outcome *o, uint64_t now_ns)
{
	if (!o->real_err && dissolves(c)) {
		disconnected_udp(m, r, c->sock, o->local.family != 0, now_ns);
		return;
	}
	if (!o->real_err) {
		r->role = SNAG_ROLE_CLIENT;
		r->peer = c->addr;
		record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
	}
	if (o->local.port) {
		r->local = o->local;
		if (r->state == SNAG_STATE_CLOSED)
			record_state(r, SNAG_STATE_BOUND, now_ns);
		if (!r->on_port)
			port_link(m, c->sock);
	} else if (!o->real_err && r->local.port && addr_is_any(&r->local)) {
		r->flags |= MODEL_VAGUE;
	} else if (o->real_err && !record_holds(r)) {
		r->flags |= MODEL_DOUBT;	/* inet_autobind() may have given it one */
	}
}

/* Answers that end an attempt; any other says that it never began. */
static bool ends_attempt(const struct model_sock *r, int err)
{
	static const int errs[] = {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ECONNABORTED, ECONNRESET, EPIPE, EADDRNOTAVAIL};

	for (unsigned i = 0; i < ARRAY_LEN(errs); i++)
		if (errs[i] == err)
			return true;
	return r->phase == MODEL_CONNECTING && err == ENETUNREACH;
}

/* From the port that it has; a TIME_WAIT that refused it is gone: RST in tcp_timewait_state_process(). */
static void began(struct model *m, struct model_sock *r, const struct snag_call *c, int err)
{
	struct snag_addr local = r->local, peer = route_meant(&r->local, &c->addr);

	r->state = SNAG_STATE_SYN_SENT;
	if (err == ECONNREFUSED && c->addr.family && route_source(&local, &peer))
		conn_sweep(m, &local, &peer, record_hears(r));
}

/* connect() is made under the lock where its facts are told. */
static const struct snag_addr *told(const struct model_sock *r, const struct snag_outcome *o)
{
	return o->local.family || (r->flags & MODEL_EXACT) ? &o->local : NULL;
}

static void learn_connect_tcp(struct model *m, struct model_sock *r, const struct snag_call *c,
			      const struct snag_outcome *o, uint64_t now_ns)
{
	bool begins = r->phase == MODEL_UNCONNECTED || r->phase == MODEL_CONNECTING || r->phase == MODEL_ANY_PHASE;
	uint16_t shut;

	switch (o->real_err) {
	case 0:
		if (dissolves(c))
			learn_disconnected(m, r, c->sock, told(r, o), now_ns);
		else
			connecting(m, r, c, o, SNAG_STATE_ESTABLISHED, now_ns);
		break;
	case EISCONN:
		if (r->state == SNAG_STATE_SYN_SENT)
			connecting(m, r, c, o, SNAG_STATE_ESTABLISHED, now_ns);
		break;
	case EINPROGRESS:
	case EALREADY:
	case EINTR:	/* the attempt goes on */
		if (begins)
			connecting(m, r, c, o, SNAG_STATE_SYN_SENT, now_ns);
		break;
	default:
		if (!begins || !ends_attempt(r, o->real_err))
			break;
		if (o->real_err != ECONNREFUSED && r->local.port && !(r->flags & MODEL_EXACT))
			traffic_trail(m, r, now_ns);	/* it may have come as far as a FIN */
		if (r->phase == MODEL_UNCONNECTED && o->real_err == ECONNABORTED && o->local.port)
			begin_exact(m, r, c, o, now_ns);	/* to itself, and ended by its own FIN */
		if (r->phase == MODEL_UNCONNECTED && record_holds(r))	/* it had begun, in this very call */
			began(m, r, c, o->real_err);
		shut = r->flags & (MODEL_SHUT_RD | MODEL_SHUT_WR);
		learn_disconnected(m, r, c->sock, told(r, o), now_ns);
		if (o->real_err == EADDRNOTAVAIL)	/* tcp_v4_connect() gives up without tcp_disconnect() */
			r->flags |= shut;
	}
}

static void learn_connect_unix(struct model_sock *r, const struct snag_call *c, uint64_t now_ns)
{
	bool connects = !dissolves(c);

	r->role = connects ? SNAG_ROLE_CLIENT : SNAG_ROLE_NONE;
	r->peer = connects ? c->addr : (struct snag_addr){0};
	record_state(r, connects ? SNAG_STATE_ESTABLISHED : r->local.family ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED, now_ns);
}

/* A try has begun that goes to a mapped address: tcp_v6_connect() never takes the socket back to IPv6. */
static bool tries_mapped(const struct model_sock *r, const struct snag_call *c, int err)
{
	struct snag_addr to = route_meant(&r->local, &c->addr);

	return r->domain == AF_INET6 && r->phase == MODEL_UNCONNECTED && r->state != SNAG_STATE_LISTEN &&
	       c->addr.family == AF_INET6 && addr_is_mapped(&to) && !(r->options & SNAG_OPTION_V6ONLY) &&
	       (err == 0 || err == EINPROGRESS || ends_attempt(r, err));
}

void learn_connect(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		   uint64_t now_ns)
{
	if (r->proto == SNAG_PROTO_TCP && tries_mapped(r, c, o->real_err))
		r->flags |= MODEL_MAPPED;
	if (r->proto == SNAG_PROTO_TCP)
		learn_connect_tcp(m, r, c, o, now_ns);
	else if (snag_is_udp(r->proto))
		learn_connect_udp(m, r, c, o, now_ns);
	else if (!o->real_err)
		learn_connect_unix(r, c, now_ns);
}
