/* live.h - a world to try the model in: a network namespace with a loopback, a second device and a few addresses, and
 * what a front end would tell the model of each call in it. */
#ifndef TESTS_MODEL_LIVE_H
#define TESTS_MODEL_LIVE_H

#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the network ---- */

static inline bool live_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "w");
	return f && fputs(value, f) >= 0 && !fclose(f);
}

/* A device that leads nowhere. */
static inline void live_add_device(const char *name, const char *type)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
		char attrs[128];
	} m = {.head = {.nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK}};
	struct rtattr *a = (struct rtattr *)m.attrs, *kind;
	char answer[512];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	a->rta_type = IFLA_IFNAME;
	a->rta_len = (unsigned short)RTA_LENGTH(strlen(name) + 1);
	strcpy(RTA_DATA(a), name);
	a = (struct rtattr *)((char *)a + RTA_ALIGN(a->rta_len));
	a->rta_type = IFLA_LINKINFO;
	kind = RTA_DATA(a);
	kind->rta_type = IFLA_INFO_KIND;
	kind->rta_len = (unsigned short)RTA_LENGTH(strlen(type));
	memcpy(RTA_DATA(kind), type, strlen(type));
	a->rta_len = (unsigned short)RTA_LENGTH(RTA_ALIGN(kind->rta_len));
	m.head.nlmsg_len = (uint32_t)((char *)a + RTA_ALIGN(a->rta_len) - (char *)&m);
	if (send(fd, &m, m.head.nlmsg_len, 0) > 0 && recv(fd, answer, sizeof(answer), 0) < 0)
		perror("netlink");
	close(fd);
}

static inline void live_add_v6(int fd, const char *device, const char *text)
{
	struct {
		struct in6_addr addr;
		uint32_t prefix;
		int index;
	} r = {.prefix = 128, .index = (int)if_nametoindex(device)};
	struct snag_addr a = drive_addr(text, 0);

	memcpy(&r.addr, a.ip, sizeof(r.addr));
	ioctl(fd, SIOCSIFADDR, &r);
}

/* A new IPv6 address can be bound a moment later. */
static inline bool live_usable(int fd, const char *text)
{
	struct snag_addr a = drive_addr(text, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);

	return !bind(fd, (struct sockaddr *)&ss, len);
}

/* 127/8, ::1, 10.9.0.1 and fd09::1 on lo; the device d0, up and without an address. False: not allowed here. */
static inline bool live_network(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001)};
	int fd, fd6;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ioctl(fd, SIOCSIFFLAGS, &r);
	strcpy(r.ifr_name, "lo:1");
	memcpy(&r.ifr_addr, &in, sizeof(in));
	ioctl(fd, SIOCSIFADDR, &r);
	in.sin_addr.s_addr = 0xffffffff;
	memcpy(&r.ifr_addr, &in, sizeof(in));
	ioctl(fd, SIOCSIFNETMASK, &r);
	live_add_v6(fd6, "lo", "fd09::1");
	live_add_device("d0", "dummy");
	if (!if_nametoindex("d0"))	/* a kernel without those */
		live_add_device("d0", "bridge");
	for (int i = 0; i < 1000 && !live_usable(fd6, "fd09::1"); i++)
		usleep(1000);
	close(fd);
	close(fd6);
	return true;
}

/* ---- addresses to name ---- */

struct live_addr {
	const char *text;
	uint8_t reach;
};

static const struct live_addr LIVE4[] = {
	{"127.0.0.1", SNAG_REACH_LOCAL}, {"127.0.0.1", SNAG_REACH_LOCAL}, {"127.0.0.1", SNAG_REACH_LOCAL},
	{"127.0.0.1", SNAG_REACH_LOCAL}, {"127.0.0.1", SNAG_REACH_LOCAL}, {"127.0.0.1", SNAG_REACH_LOCAL},
	{"0.0.0.0", SNAG_REACH_LOCAL}, {"0.0.0.0", SNAG_REACH_LOCAL}, {"0.0.0.0", SNAG_REACH_LOCAL},
	{"0.0.0.0", SNAG_REACH_LOCAL}, {"0.0.0.0", SNAG_REACH_LOCAL}, {"127.0.0.2", SNAG_REACH_LOCAL},
	{"127.0.0.2", SNAG_REACH_LOCAL}, {"10.9.0.1", SNAG_REACH_LOCAL}, {"10.9.0.1", SNAG_REACH_LOCAL},
	{"10.9.9.9", SNAG_REACH_NOWHERE}, {"255.255.255.255", SNAG_REACH_GROUP}, {"224.0.0.1", SNAG_REACH_GROUP},
};
static const struct live_addr LIVE6[] = {
	{"::1", SNAG_REACH_LOCAL}, {"::1", SNAG_REACH_LOCAL}, {"::1", SNAG_REACH_LOCAL}, {"::1", SNAG_REACH_LOCAL},
	{"::", SNAG_REACH_LOCAL}, {"::", SNAG_REACH_LOCAL}, {"::", SNAG_REACH_LOCAL}, {"::", SNAG_REACH_LOCAL},
	{"::ffff:0.0.0.0", SNAG_REACH_LOCAL}, {"::ffff:127.0.0.1", SNAG_REACH_LOCAL},
	{"::ffff:127.0.0.1", SNAG_REACH_LOCAL}, {"fd09::1", SNAG_REACH_LOCAL}, {"::ffff:10.9.0.1", SNAG_REACH_LOCAL},
	{"2001:db8::9", SNAG_REACH_NOWHERE}, {"::ffff:10.9.9.9", SNAG_REACH_NOWHERE}, {"ff02::1", SNAG_REACH_GROUP},
};

/* ---- facts, as --audit asks for them ---- */

static inline uint64_t live_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static inline void live_local(int fd, struct snag_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (!getsockname(fd, (struct sockaddr *)&ss, &len))
		addr_from_sockaddr(a, (struct sockaddr *)&ss, len, NULL, NULL);
}

static inline void live_facts(struct snag_call *c, int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	struct pollfd p = {.fd = fd};
	int n;

	c->facts = SNAG_FACT_BLOCKING | SNAG_FACT_LOCAL | SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_ERROR;
	c->blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	live_local(fd, &c->local);
	poll(&p, 1, 0);
	c->pending = (p.revents & POLLERR) != 0;
	if (c->proto != SNAG_PROTO_TCP)
		return;
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	c->facts |= SNAG_FACT_TCP_STATE;
	c->tcp_state = info.tcpi_state;
	if (info.tcpi_state == TCP_LISTEN) {
		c->facts |= SNAG_FACT_QUEUE;
		c->queue = (int32_t)info.tcpi_unacked;
	} else if (!ioctl(fd, SIOCINQ, &n)) {
		c->facts |= SNAG_FACT_UNREAD;
		c->unread = n;
	}
}

#endif
