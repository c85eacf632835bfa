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

/* What a filter leaves of a segment is its header and `bytes` more: net/ipv4/tcp_ipv4.c, tcp_filter(), which cuts
 * everywhere but in the header; 0 drops it all. A cut segment counts as a bare acknowledgement. */
static int filter(int fd, uint32_t bytes)
{
	struct sock_filter code = { BPF_RET | BPF_K, 0, 0, bytes };
	struct sock_fprog program = { 1, &code };
	return (int)sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* net/ipv4/tcp.c, tcp_inbound_hash(): a signature that nobody expects is dropped, and so is the lack of one. */
static int sign(int fd, const struct sockaddr_storage *peer, unsigned key_len)
{
	struct tcp_md5sig key = { .tcpm_keylen = (uint16_t)key_len, .tcpm_key = "snag" };
	memcpy(&key.tcpm_addr, peer, sizeof(key.tcpm_addr));
	return (int)sys_call(SYS_setsockopt, fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key));
}

static int sign_for_peer(int fd, unsigned key_len)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int r = (int)sys_call(SYS_getpeername, fd, &peer, &len);
	return r < 0 ? r : sign(fd, &peer, key_len);
}

int silence_deafen(int fd)
{
	int r = filter(fd, 0);
	return r == -EPERM ? sign_for_peer(fd, KEY_LEN) : r;
}

void silence_hear(int fd)
{
	int none = 0;
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	sign_for_peer(fd, 0);
}

/* After shutdown(SHUT_RD) reading gives 0 once the queue is empty (net/ipv4/tcp.c, net/unix/af_unix.c). TCP would still
 * take what comes: it is cut to acknowledgements. */
int silence_end(int fd)
{
	if (filter(fd, 1) == -EINVAL)
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
