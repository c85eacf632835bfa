/* predict_udp.c - what will connect answer, for UDP? inet_dgram_connect() (net/ipv4/af_inet.c),
 * __ip4_datagram_connect() (net/ipv4/datagram.c), __ip6_datagram_connect() (net/ipv6/datagram.c) */
#include "predict.h"
#include "port.h"
#include "record.h"
#include "route.h"

#include <base/addr.h>
#include <errno.h>
#include <sys/socket.h>

/* ip_route_output_key_hash_rcu() (net/ipv4/route.c): to a group goes what has a source address, by that one's device;
 * else the routes decide. Broadcasts ask for SO_BROADCAST. */
static void predict_group(const struct question *q, const struct snag_addr *peer)
{
	bool multicast = peer->ip[peer->family == AF_INET ? 0 : 12] >> 4 == 14, numbered = route_is_group4(peer);
	bool by_group = route_is_group4(&q->r->local), connected = q->r->state == SNAG_STATE_ESTABLISHED;
	bool by_source = numbered && (route_is_source(&q->r->local) || (by_group && connected));

	if ((by_group && !connected) || q->r->device || (q->r->traits & MODEL_SENDS_BY) || (q->r->flags & MODEL_AWAY))
		predict_withhold(q, SNAG_UNSURE_MACHINE);
	else if (!by_source && q->c->reach != SNAG_REACH_GROUP)
		predict_refuse(q, ENETUNREACH, SNAG_WHY_NONE);
	else if (!(numbered && multicast) && !(q->r->traits & MODEL_BROADCASTS))
		predict_refuse(q, EACCES, SNAG_WHY_NONE);
	else
		predict_allow(q);
}

/* __ip6_datagram_connect(): a link-local address, of a group too, needs a device. */
static bool lacks_device(const struct question *q, const struct snag_addr *peer)
{
	bool link_local = peer->family == AF_INET6 && ((peer->ip[0] == 0xfe && (peer->ip[1] & 0xc0) == 0x80) ||
						       (peer->ip[0] == 0xff && (peer->ip[1] & 0xf) <= 2));

	return link_local && !peer->scope && !q->r->device && !(q->r->traits & MODEL_SENDS_BY);
}

static void predict_udp_route(const struct question *q)
{
	struct snag_addr peer = route_meant(&q->r->local, &q->c->addr);
	bool known = predict_knows(q, SNAG_FACT_REACH), v6 = q->r->domain == AF_INET6;
	uint8_t reach = known ? q->c->reach : SNAG_REACH_LOCAL;
	bool group = reach == SNAG_REACH_GROUP || peer.ip[0] == 0xff || route_is_group4(&peer);

	if (lacks_device(q, &peer))
		predict_refuse(q, EINVAL, SNAG_WHY_NONE);
	else if (!known && (v6 || !addr_is_loopback(&peer)))
		predict_withhold(q, SNAG_UNSURE_MACHINE);
	else if (!v6 && group)
		predict_group(q, &peer);
	else if (group || !route_plain(q->r))
		predict_withhold(q, SNAG_UNSURE_MACHINE);
	else if (reach == SNAG_REACH_NOWHERE && q->r->device)
		predict_withhold(q, SNAG_UNSURE_MACHINE);
	else if (reach == SNAG_REACH_NOWHERE)
		predict_refuse(q, ENETUNREACH, SNAG_WHY_NONE);
	else if (predict_crosses(q, &peer))
		predict_refuse(q, EAFNOSUPPORT, SNAG_WHY_WRONG_TYPE);
	else
		predict_allow(q);
}

/* Without a port it gets one, whatever comes after. */
static bool udp_has_port(const struct question *q)
{
	struct bind_claim self = port_claim(q->r, q->now_ns);

	self.addr.port = 0;
	self.addr.family = q->r->domain;
	return record_holds(q->r) || !q->machine ||
	       port_ask_any(q->m, q->r->proto, q->c->sock, &self, q->machine, q->now_ns) == BIND_FREE;
}

void predict_connect_udp(const struct question *q)
{
	int err = predict_refuse_address(q);

	if (q->c->addr_len == 1 || q->c->addr_len > sizeof(struct sockaddr_storage))
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_TYPE);
	else if (predict_dissolves(q->c))
		predict_allow(q);
	else if (!udp_has_port(q))
		predict_refuse(q, EAGAIN, SNAG_WHY_NONE);
	else if (err < 0 || (q->r->domain == AF_INET6 && q->c->addr_family == AF_INET))
		predict_withhold(q, SNAG_UNSURE_UNMODELLED);
	else if (err > 0)
		predict_refuse(q, err, SNAG_WHY_WRONG_TYPE);
	else
		predict_udp_route(q);
}
