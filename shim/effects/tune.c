/* tune.c - the virtual kernel's standing values, set on real sockets */
#include "tune.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/sys.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void set(int fd, int level, int name, int value)
{
	sys_call(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

static int get(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return sys_call(SYS_getsockopt, fd, level, name, &value, &len) == 0 ? value : 0;
}

/* Real seconds, at least one. */
static int fin_timeout(const struct snag_kernel *k)
{
	uint64_t s = k->fin_timeout_ns / k->clock / NSEC_PER_SEC;
	return s ? (int)s : 1;
}

/* Where the option was never set, TCP_SYNCNT and TCP_LINGER2 show the sysctl: so the program sees what it would. */
void tune_socket(int fd, const struct snag_call *c, const struct snag_kernel *k)
{
	bool tcp = c->proto == SNAG_PROTO_TCP;
	if ((k->given & SNAG_KERNEL_BINDV6ONLY) && c->domain == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, k->bindv6only);
	if ((k->given & SNAG_KERNEL_SYN_RETRIES) && tcp)
		set(fd, IPPROTO_TCP, TCP_SYNCNT, k->syn_retries);
	if ((k->given & SNAG_KERNEL_FIN_TIMEOUT) && tcp)
		set(fd, IPPROTO_TCP, TCP_LINGER2, fin_timeout(k));
	if ((k->given & SNAG_KERNEL_PORT_RANGE) && (tcp || snag_is_udp(c->proto)))
		tune_range(fd, k->port_lo, k->port_hi);
}

void tune_range(int fd, uint16_t lo, uint16_t hi)
{
	set(fd, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, (int)((uint32_t)hi << 16 | lo));
}

void tune_reuse(int fd, bool on)
{
	set(fd, SOL_SOCKET, SO_REUSEADDR, on);
}

/* net.ipv4.ip_nonlocal_bind speaks of IPv4 and mapped addresses: inet_can_nonlocal_bind() (include/net/inet_sock.h). */
bool tune_bind(int fd, const struct snag_call *c, const struct snag_kernel *k)
{
	bool v4 = c->addr.family == AF_INET || addr_is_mapped(&c->addr);
	if (!(k->given & SNAG_KERNEL_NONLOCAL_BIND) || !v4 || addr_is_any(&c->addr) || addr_is_loopback(&c->addr) ||
	    get(fd, IPPROTO_IP, IP_FREEBIND))
		return false;
	set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	return true;
}

void tune_bound(int fd)
{
	set(fd, IPPROTO_IP, IP_FREEBIND, 0);
}
