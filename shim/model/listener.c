/* listener.c - who gets a SYN, and what becomes of it?
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

/* tcp_conn_request() (net/ipv4/tcp_input.c), in its order. Both queues are full with more than the limit, so one more
 * than that is let in: sk_acceptq_is_full() (include/net/sock.h), inet_csk_reqsk_queue_is_full()
 * (include/net/inet_connection_sock.h). */
static enum listener_answer admits(const struct model_machine *k, uint32_t len, uint32_t half_open, uint32_t limit)
{
	if (half_open > limit && !k->syncookies)
		return LISTENER_SYN_FULL;
	if (len > limit)
		return LISTENER_FULL;
	if (k->syncookies)
		return LISTENER_ROOM;
	if (half_open == limit && !k->syn_one_more)
		return LISTENER_UNSURE;
	/* The last quarter is for those of whom the kernel remembers a round trip: tcp_peer_is_proven(). */
	if (half_open + (k->max_syn_backlog >> 2) > k->max_syn_backlog)
		return LISTENER_UNSURE;
	return LISTENER_ROOM;
}

/* Does it answer by these rules at all? */
static bool answers(const struct model_sock *r)
{
	return !(r->flags & MODEL_DOUBT) && record_hears(r);
}

enum listener_answer listener_admits(const struct model_machine *machine, const struct snag_call *c)
{
	return admits(machine, (uint32_t)c->queue, (uint32_t)c->syn_queue, (uint32_t)c->queue_max);
}

enum listener_answer listener_told(const struct model_sock *listener, const struct model_machine *machine,
				   const struct snag_call *c)
{
	if (!answers(listener))
		return LISTENER_UNSURE;
	return listener_admits(machine, c);
}

static enum listener_answer room_of(const struct model_sock *r, const struct model_machine *machine)
{
	uint32_t limit = (uint32_t)r->backlog, all = (uint32_t)r->queue_len + r->syn_len;

	if (!answers(r))
		return LISTENER_UNSURE;
	if (!machine)
		return all ? LISTENER_UNSURE : LISTENER_ROOM;
	limit = limit < machine->somaxconn ? limit : machine->somaxconn;
	if ((r->traits & MODEL_OVERFLOWN) || (r->syn_len && all > limit))	/* who has moved on meanwhile? */
		return LISTENER_UNSURE;
	return admits(machine, r->queue_len, r->syn_len, limit);
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
		*listener = n > best && record_hears(r) ? at : 0;
		best = n;
	}
	return answer;
}
