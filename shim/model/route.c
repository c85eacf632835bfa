/* route.c - where a connection to an address of this machine goes, and from where. */
#include "route.h"

#include <base/addr.h>
#include <base/hash.h>
#include <sys/socket.h>

#define LOOPBACK_INDEX 1	/* include/net/flow.h: LOOPBACK_IFINDEX */

static bool is_v4(const struct snag_addr *a)
{
	return a->family == AF_INET || addr_is_mapped(a);
}

/* inet_addr_type() (net/ipv4/fib_frontend.c). */
bool route_is_group4(const struct snag_addr *a)
{
	const uint8_t *ip = a->ip + (a->family == AF_INET ? 0 : 12);

	return is_v4(a) && (ip[0] >> 4 == 14 || (ip[0] & ip[1] & ip[2] & ip[3]) == 255);
}

/* inet_saddr in __inet_bind(). */
bool route_is_source(const struct snag_addr *a)
{
	return a->family && !addr_is_any(a) && !route_is_group4(a);
}

/* 127.0.0.1 in the form of `like`, or ::1. */
static struct snag_addr loopback(const struct snag_addr *like, bool mapped)
{
	struct snag_addr a = {.family = like->family};
	unsigned at = a.family == AF_INET ? 0 : 12;

	if (mapped && a.family == AF_INET6)
		a.ip[10] = a.ip[11] = 0xff;
	if (mapped || a.family == AF_INET)
		a.ip[at] = 127;
	a.ip[at + 3] = 1;
	return a;
}

/* ip_route_output_key(): to 0.0.0.0 is to the own source address; tcp_v6_connect(): to :: is to the loopback. */
struct snag_addr route_meant(const struct snag_addr *local, const struct snag_addr *to)
{
	struct snag_addr a = *to;

	if (!addr_is_any(to))
		return a;
	if (is_v4(to) && local->family == to->family && is_v4(local) && route_is_source(local))
		a = *local;
	else
		a = loopback(to, is_v4(to) || addr_is_mapped(local));
	a.port = to->port;
	return a;
}

/* The local table: what is sent to 127/8 comes from 127.0.0.1, to another own address from that one. */
bool route_source(struct snag_addr *local, const struct snag_addr *to)
{
	uint16_t port = local->port;

	if (local->family == to->family && route_is_source(local))
		return is_v4(local) == is_v4(to);
	*local = addr_is_loopback(to) ? loopback(to, is_v4(to)) : *to;
	local->port = port;
	return true;
}

bool route_hears_loopback(uint32_t device)
{
	return !device || device == LOOPBACK_INDEX || device == MODEL_DEVICE_UNKNOWN ||
	       device == ((uint32_t)hash_bytes("lo", 2) | MODEL_DEVICE_NAME);
}

bool route_plain(const struct model_sock *r)
{
	bool away = (r->flags & MODEL_AWAY) && (r->flags & MODEL_ADDR) && route_is_source(&r->local);

	return route_hears_loopback(r->device) && r->device != MODEL_DEVICE_UNKNOWN && !away;
}
