/* silence.c - a TCP connection on which segments get lost */
#include "silence.h"
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define KEY_LEN 4

/* ---- what arrives ---- */

#define LEAST_TTL_MAX 255

static int ttl_option(int fd, bool six, int value)
{
	int was = 0;
	socklen_t len = sizeof(was);
	int level = six ? IPPROTO_IPV6 : IPPROTO_IP, name = six ? IPV6_MINHOPCOUNT : IP_MINTTL;
	int r = (int)sys_call(SYS_getsockopt, fd, level, name, &was, &len);
	if (r == 0)
		r = (int)sys_call(SYS_setsockopt, fd, level, name, &value, sizeof(value));
	return r < 0 ? r : was & LEAST_TTL_MAX;
}

/* net/ipv4/tcp_ipv4.c, tcp_v4_rcv(), and net/ipv6/tcp_ipv6.c, tcp_v6_rcv(): what comes with a smaller TTL or hop limit
 * than the socket wants is dropped before anything looks at it. An IPv6 socket may have an IPv4 peer. */
int silence_deafen(int fd)
{
	int four = ttl_option(fd, false, LEAST_TTL_MAX), six = ttl_option(fd, true, LEAST_TTL_MAX);
	if (four < 0 && six < 0)
		return four;
	return (four < 0 ? 0 : four) | (six < 0 ? 0 : six) << 8;
}

void silence_hear(int fd, int least)
{
	ttl_option(fd, false, least & LEAST_TTL_MAX);
	ttl_option(fd, true, least >> 8 & LEAST_TTL_MAX);
}

/* net/ipv4/tcp_ipv4.c, tcp_filter(): all that a filter leaves of a segment is its header and one byte more, and cuts
 * there. A cut segment counts as a bare acknowledgement. */
static int only_acknowledgements(int fd)
{
	struct sock_filter code = { BPF_RET | BPF_K, 0, 0, 1 };
	struct sock_fprog program = { 1, &code };
	return (int)sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* After shutdown(SHUT_RD) reading gives 0 once the queue is empty (net/ipv4/tcp.c, net/unix/af_unix.c). TCP would still
 * take what comes: it is cut to acknowledgements. */
int silence_end(int fd)
{
	if (only_acknowledgements(fd) == -EINVAL)
		return -EINVAL;
	int r = (int)sys_call(SYS_shutdown, fd, SHUT_RD);
	if (r == 0)
		silence_empty(fd);
	return r;
}

void silence_empty(int fd)
{
	char rest[4096];
	while (sys_call(SYS_recvfrom, fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

/* ---- what is sent ---- */

/* net/ipv4/tcp.c, tcp_inbound_hash(): a signature that nobody expects is dropped, and so is the lack of one. */
static int sign(int fd, const struct sockaddr_storage *peer, unsigned key_len)
{
	struct tcp_md5sig key = { .tcpm_keylen = (uint16_t)key_len, .tcpm_key = "snag" };
	memcpy(&key.tcpm_addr, peer, sizeof(key.tcpm_addr));
	return (int)sys_call(SYS_setsockopt, fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key));
}

#define LOOSE_ROUTE 0x83	/* IPOPT_LSRR: RFC 791 */
#define SEGMENT_ROUTE 4		/* RFC 8754 */

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* The IPv4 address of a peer, also of one that an IPv6 socket has; NULL: it has none. */
static const uint8_t *ip4_of(const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
	if (peer->ss_family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)peer)->sin_addr;
	if (peer->ss_family != AF_INET6 || memcmp(&six->sin6_addr, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return NULL;
	return six->sin6_addr.s6_addr + sizeof(mapped_prefix);
}

/* By way of the peer to the peer. net/ipv4/ip_input.c, ip_rcv_options(), drops what was routed by its source unless
 * accept_source_route is set; net/ipv6/exthdrs.c, ipv6_srh_rcv(), unless seg6_enabled is. */
static int route(int fd, const struct sockaddr_storage *peer)
{
	const uint8_t *ip4 = ip4_of(peer);
	uint8_t option[8] = { LOOSE_ROUTE, 7, 4 }, header[24] = { [1] = 2, [2] = SEGMENT_ROUTE };
	if (ip4) {
		memcpy(option + 3, ip4, 4);
		return (int)sys_call(SYS_setsockopt, fd, IPPROTO_IP, IP_OPTIONS, option, sizeof(option));
	}
	memcpy(header + 8, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	return (int)sys_call(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header));
}

int silence_mute(int fd, struct silence_mute *m)
{
	socklen_t len = sizeof(m->peer);
	memset(m, 0, sizeof(*m));
	int r = (int)sys_call(SYS_getpeername, fd, &m->peer, &len);
	if (r < 0)
		return r;
	r = route(fd, &m->peer);
	m->way = SILENCE_ROUTE;
	if (r < 0) {
		r = sign(fd, &m->peer, KEY_LEN);
		m->way = SILENCE_SIGNED;
	}
	if (r < 0)
		m->way = 0;
	return r;
}

void silence_speak(int fd, const struct silence_mute *m)
{
	if (m->way == SILENCE_SIGNED)
		sign(fd, &m->peer, 0);
	else if (m->way && ip4_of(&m->peer))
		sys_call(SYS_setsockopt, fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
	else if (m->way)
		sys_call(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0);
}
