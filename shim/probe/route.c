/* route.c - where an address leads. The forms of question and answer: linux/rtnetlink.h. */
#include "route.h"

#include <base/addr.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <snag/call.h>
#include <string.h>

struct question {
	struct nlmsghdr h;
	struct rtmsg r;
	struct rtattr dst;
	uint8_t ip[16];
};

struct question_out {	/* of a link-local address: its interface too */
	struct question q;
	struct rtattr oif;
	uint32_t index;
};

static int reach_of(unsigned type)
{
	switch (type) {
	case RTN_LOCAL:
		return SNAG_REACH_LOCAL;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		return SNAG_REACH_GROUP;
	case RTN_UNICAST:
		return SNAG_REACH_AWAY;
	default:
		return SNAG_REACH_NOWHERE;
	}
}

int route_parse(const void *buf, size_t len)
{
	struct nlmsghdr h;
	struct rtmsg r;
	int err;

	if (len < sizeof(h))
		return -EPROTO;
	memcpy(&h, buf, sizeof(h));
	const char *body = (const char *)buf + NLMSG_HDRLEN;
	if (h.nlmsg_len > len)
		return -EPROTO;
	if (h.nlmsg_type == NLMSG_ERROR && h.nlmsg_len >= NLMSG_HDRLEN + sizeof(err)) {
		memcpy(&err, body, sizeof(err));
		if (err == -ENETUNREACH || err == -EHOSTUNREACH)
			return SNAG_REACH_NOWHERE;
		return err < 0 && err >= -4095 ? err : -EPROTO;
	}
	if (h.nlmsg_type != RTM_NEWROUTE || h.nlmsg_len < NLMSG_HDRLEN + sizeof(r))
		return -EPROTO;
	memcpy(&r, body, sizeof(r));
	return reach_of(r.rtm_type);
}

static int ask(int fd, const struct question_out *q)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK }, from = { .nl_pid = 1 };
	_Alignas(8) char buf[1024];
	socklen_t len = sizeof(from);
	long n = sys_call(SYS_sendto, fd, q, q->q.h.nlmsg_len, 0, &kernel, sizeof(kernel));

	if (n >= 0)	/* rtnetlink answers within the call; what does not fit here stands behind what is read */
		n = sys_call(SYS_recvfrom, fd, buf, sizeof(buf), MSG_DONTWAIT, &from, &len);
	if (n < 0)
		return (int)n;
	return from.nl_pid == 0 ? route_parse(buf, (size_t)n) : -EPROTO;
}

int route_reach(const struct snag_addr *a)
{
	unsigned ip = a->family == AF_INET || addr_is_mapped(a) ? 4 : 16;
	struct question_out q = {
		.q = {
			.h = { .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
			.r = { .rtm_family = ip == 4 ? AF_INET : AF_INET6, .rtm_dst_len = (uint8_t)(8 * ip) },
			.dst = { .rta_len = (uint16_t)RTA_LENGTH(ip), .rta_type = RTA_DST },
		},
		.oif = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF },
		.index = a->scope,
	};
	int fd, reach;

	if (a->family != AF_INET && a->family != AF_INET6)
		return -EAFNOSUPPORT;
	if (addr_is_any(a))
		return SNAG_REACH_LOCAL;
	memcpy(q.q.ip, a->ip + (a->family == AF_INET6 && ip == 4 ? 12 : 0), ip);
	q.q.h.nlmsg_len = (uint32_t)(offsetof(struct question, ip) + ip);
	if (a->scope && ip == 16)
		q.q.h.nlmsg_len = sizeof(q);
	fd = sys_high_fd((int)sys_call(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE));
	reach = fd < 0 ? fd : ask(fd, &q);
	if (fd >= 0)
		sys_close(fd);
	return reach;
}
