/* ephemeral.c - which port of ip_local_port_range a socket without one gets.
 *
 * inet_csk_find_open_port() (net/ipv4/inet_connection_sock.c): bind and listen never share a port.
 * __inet_hash_connect() (net/ipv4/inet_hashtables.c): connect shares one with other such connections to other peers, and
 * passes over every port that somebody has bound; from a keyed start, every second port first. */
#include "ephemeral.h"
#include "port.h"
#include "record.h"
#include "route.h"

#include <base/addr.h>
#include <base/base.h>
#include <base/hash.h>

/* The at-th port to try: those at an even distance from the lowest first. */
static uint16_t port_at(const struct snag_kernel *k, uint64_t start, uint32_t at)
{
	uint32_t n = (uint32_t)(k->port_hi - k->port_lo) + 1, even = (n + 1) / 2, odd = n / 2;
	uint32_t offset = at < even ? 2 * (uint32_t)((start + at) % even) : 2 * (uint32_t)((start + at - even) % odd) + 1;

	return (uint16_t)(k->port_lo + offset);
}

/* Left by a closed connection: of these the waits tell. */
static bool is_past(uint32_t sock, const struct model_sock *r)
{
	return model_is_bare(sock) && (r->state == SNAG_STATE_TIME_WAIT || r->state == SNAG_STATE_FIN_WAIT);
}

/* bind, listen: nobody may be there, whatever the options. */
static bool is_alone(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
		     struct bind_claim *new)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	new->options &= (uint8_t)~(SNAG_OPTION_REUSEADDR | SNAG_OPTION_REUSEPORT);
	port_walk_begin(&w, m, port_chain(c->proto, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r, c->start_ns);
		if (at != c->sock && !is_past(at, r) && record_holds(r) && bind_overlap(new, &old) != BIND_FREE)
			return false;
	}
	return c->proto != SNAG_PROTO_TCP || !waits_refuse(m, k, new, c->start_ns);
}

/* tcp_twsk_unique() (net/ipv4/tcp_ipv4.c): may connect take over what is left of an older connection? */
static bool may_reuse(const struct snag_kernel *k, const struct model_wait *w, uint64_t now_ns)
{
	uint64_t began_ns = w->until_ns - k->time_wait_ns / k->clock;
	bool loops = addr_is_loopback(&w->local) || addr_is_loopback(&w->peer);

	if (!k->tw_reuse || (k->tw_reuse == 2 && !loops))
		return false;
	return began_ns + k->tw_reuse_delay_ms * NSEC_PER_MSEC / k->clock <= now_ns;
}

/* The two ends of a connection that is to be made. Towards another machine the source address is left open. */
static void ends_of(const struct snag_addr *own, const struct snag_addr *to, struct snag_addr *local,
		    struct snag_addr *peer)
{
	*local = *own;
	*peer = route_meant(own, to);
	if (addr_is_loopback(peer))
		route_source(local, peer);
}

/* Connected, or about to be, to this peer. */
static bool goes_to(const struct model_sock *r, const struct snag_addr *local, const struct snag_addr *peer)
{
	return r->peer.port == peer->port && addr_equal_ip(&r->peer, peer) &&
	       (addr_is_any(local) || addr_is_any(&r->local) || addr_equal_ip(&r->local, local));
}

/* connect: nobody who has bound it, and nobody who is connected from it to the same peer. */
static bool is_unused(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
		      const struct bind_claim *new)
{
	struct snag_addr local, peer;
	const struct model_sock *r;
	struct model_wait wait;
	struct port_walk w;
	uint32_t at;

	ends_of(&new->addr, &c->addr, &local, &peer);
	port_walk_begin(&w, m, port_chain(c->proto, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		uint32_t steps = SNAG_SOCKS;	/* it stands for its twins, whose peers are others */
		for (; r && steps; at = r->twin_next, r = record_of(m, at, 0), steps--) {
			if (at == c->sock || is_past(at, r) || !record_holds(r))
				continue;
			if (!(r->flags & MODEL_BY_CONNECT) || goes_to(r, &local, &peer))
				return false;
		}
	}
	return !waits_get(m, waits_tuple(m, &local, &peer, c->start_ns), &wait) || may_reuse(k, &wait, c->start_ns);
}

bool ephemeral_lifts(const struct model *m, const struct snag_call *c, uint16_t port)
{
	const struct model_sock *r = record_of(m, c->sock, c->serial);
	struct bind_claim new = {0};
	struct snag_addr own, local, peer;

	if (!r)
		return false;
	own = r->local;
	own.family = r->domain;
	own.port = port;
	ends_of(&own, &c->addr, &local, &peer);
	new.addr = local;
	new.domain = r->domain;
	return waits_past(m, &new, c->start_ns);
}

uint16_t ephemeral_port(const struct model *m, const struct snag_kernel *k, const struct snag_call *c, uint32_t *at)
{
	const struct model_sock *r = record_of(m, c->sock, c->serial);
	uint32_t n = (uint32_t)(k->port_hi - k->port_lo) + 1;
	uint64_t start = hash_mix(c->sock_key, c->addr.port);
	struct bind_claim new;

	if (!r)
		return 0;
	for (; *at < n; ++*at) {
		new = port_claim(r, c->start_ns);
		new.vague = false;
		if (c->call == SNAG_CALL_bind)
			new.addr = c->addr;
		else if (!new.addr.family)
			new.addr.family = r->domain;
		new.addr.port = port_at(k, start, *at);
		if (c->call == SNAG_CALL_connect && c->proto == SNAG_PROTO_TCP ? is_unused(m, k, c, &new)
									      : is_alone(m, k, c, &new)) {
			++*at;
			return new.addr.port;
		}
	}
	return 0;
}
