/* listener.c - who gets a SYN?
 *
 * __inet_lookup_listener() (net/ipv4/inet_hashtables.c), inet6_lookup_listener() (net/ipv6/inet6_hashtables.c): those
 * that are bound to the very address come before the wildcards; among them compute_score() decides. */
#include "listener.h"
#include "port.h"
#include "record.h"
#include "route.h"

#include <base/addr.h>
#include <sys/socket.h>

static bool is_v4(const struct snag_addr *a)
{
	return a->family == AF_INET || addr_is_mapped(a);
}

/* 0: does not get it; else the higher one does. */
static unsigned score(const struct model_sock *r, const struct snag_addr *to)
{
	bool any = addr_is_any(&r->local), v4 = is_v4(to);

	if (!route_hears_loopback(r->device))
		return 0;
	if (v4 && r->domain == AF_INET6 && (r->options & SNAG_OPTION_V6ONLY))
		return 0;
	if (!v4 && (r->domain != AF_INET6 || is_v4(&r->local)))
		return 0;
	if (any ? v4 && !is_v4(&r->local) && r->domain != AF_INET6 : !addr_equal_ip(&r->local, to))
		return 0;
	return (any ? 0 : 8) + (r->device ? 2 : 1) + (v4 && r->domain == AF_INET);
}

/* sk_acceptq_is_full() (include/net/sock.h): full is more than the limit, so one more than that is let in. */
static enum listener_answer room_of(const struct model_sock *r, const struct model_machine *machine)
{
	uint32_t limit = (uint32_t)r->backlog;

	if (r->flags & MODEL_DOUBT)
		return LISTENER_UNSURE;
	if (!r->queue_len)
		return LISTENER_ROOM;
	if (!machine)
		return LISTENER_UNSURE;
	return r->queue_len > (limit < machine->somaxconn ? limit : machine->somaxconn) ? LISTENER_FULL : LISTENER_ROOM;
}

enum listener_answer listener_for(const struct model *m, const struct model_machine *machine,
				  const struct snag_addr *to, uint32_t *listener, uint32_t *silent)
{
	enum listener_answer answer = LISTENER_NONE, room;
	const struct model_sock *r;
	unsigned best = 0, n;
	struct port_walk w;
	uint32_t at;

	*listener = *silent = 0;
	port_walk_begin(&w, m, port_chain(SNAG_PROTO_TCP, to));
	while ((r = port_walk_next(&w, &at))) {
		n = score(r, to);
		if (n && r->state == SNAG_STATE_BOUND)
			*silent = at;
		if (!n || r->state != SNAG_STATE_LISTEN || n < best)
			continue;
		if (r->device == MODEL_DEVICE_UNKNOWN)
			return LISTENER_UNSURE;
		room = room_of(r, machine);
		answer = n > best || room == answer ? room : LISTENER_UNSURE;
		*listener = n > best ? at : 0;
		best = n;
	}
	return answer;
}
