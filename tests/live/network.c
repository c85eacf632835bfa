/* network.c - a network namespace to try the model in. */
#include "network.h"
#include "live.h"

#include <base/base.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

void network_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "w");
	if (!f || fputs(value, f) < 0 || fclose(f))
		perror(path);
}

/* A device that leads nowhere. */
static void add_device(const char *name, const char *type)
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

static void add_v6(int fd, const char *device, const char *text)
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
static bool usable(int fd, const char *text)
{
	struct snag_addr a = drive_addr(text, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);

	return !bind(fd, (struct sockaddr *)&ss, len);
}

static bool is_busy(int cpu, int fd)
{
	char text[4096], *line = text;
	unsigned words[13];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	for (; line; line = strchr(line, '\n'), line += line != NULL) {
		for (unsigned i = 0; i < ARRAY_LEN(words) && *line; i++)
			words[i] = (unsigned)strtoul(line, &line, 16);
		if (words[12] == (unsigned)cpu)
			return words[11] != 0;
	}
	return false;
}

void network_settle(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/net/softnet_stat", O_RDONLY | O_CLOEXEC);
	while (is_busy(sched_getcpu(), fd)) {
		board->totals.late++;
		usleep(100);
	}
}

/* On one processor: what a call sends is heard there. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

bool network_begin(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001)};
	int fd, fd6;

	if (unshare(CLONE_NEWNET))
		return false;
	stay_here();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ioctl(fd, SIOCSIFFLAGS, &r);
	strcpy(r.ifr_name, "lo:1");
	memcpy(&r.ifr_addr, &in, sizeof(in));
	ioctl(fd, SIOCSIFADDR, &r);
	in.sin_addr.s_addr = 0xffffffff;
	memcpy(&r.ifr_addr, &in, sizeof(in));
	ioctl(fd, SIOCSIFNETMASK, &r);
	add_v6(fd6, "lo", "fd09::1");
	add_device("d0", "dummy");
	if (!if_nametoindex("d0"))	/* a kernel without those */
		add_device("d0", "bridge");
	for (int i = 0; i < 1000 && !usable(fd6, "fd09::1"); i++)
		usleep(1000);
	close(fd);
	close(fd6);
	return true;
}

static const char *const addrs4[] = {
	"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "0.0.0.0", "0.0.0.0", "0.0.0.0",
	"0.0.0.0", "0.0.0.0", "127.0.0.2", "127.0.0.2", "10.9.0.1", "10.9.0.1", "10.9.9.9", "255.255.255.255", "224.0.0.1",
};
static const char *const addrs6[] = {
	"::1", "::1", "::1", "::1", "::", "::", "::", "::", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:127.0.0.1",
	"fd09::1", "::ffff:10.9.0.1", "2001:db8::9", "::ffff:10.9.9.9", "ff02::1",
};

const char *network_addr(bool v6, unsigned pick)
{
	return v6 ? addrs6[pick % ARRAY_LEN(addrs6)] : addrs4[pick % ARRAY_LEN(addrs4)];
}
