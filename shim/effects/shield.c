/* shield.c - a TCP connection attempt that the peer does not hear of
 *
 * A SYN that carries an MD5 signature (RFC 2385) is dropped by a listener that has no key for it, and an answer without
 * one is dropped here (net/ipv4/tcp.c, tcp_inbound_hash): with a key set on the socket its SYNs are lost, and the kernel
 * sends them again on its own schedule. Nothing else sees the key; it needs no privilege. Where a kernel has no such
 * option the answers are dropped instead: then the peer knows of a half-open connection. */
#include "shield.h"
#include "silence.h"
#include <base/addr.h>
#include <base/sys.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static bool is_mapped(const struct snag_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	return a->family == AF_INET6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

/* 127.0.0.1, ::ffff:127.0.0.1 or ::1, with port 0. */
static struct snag_addr loopback_like(const struct snag_addr *a)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct snag_addr to = { .family = a->family };
	if (a->family == AF_INET) {
		memcpy(to.ip, v4, 4);
	} else if (is_mapped(a)) {
		to.ip[10] = to.ip[11] = 0xff;
		memcpy(to.ip + 12, v4, 4);
	} else {
		to.ip[15] = 1;
	}
	return to;
}

/* A SYN to port 0 gets a RST, as wherever nobody listens. */
struct snag_addr shield_nobody(const struct snag_addr *like)
{
	return loopback_like(like);
}

static long set_key(int fd, const struct snag_addr *to, unsigned len)
{
	struct tcp_md5sig sig;
	struct sockaddr_storage ss;
	struct snag_addr peer = addr_is_any(to) ? loopback_like(to) : *to;	/* as connect takes it */
	socklen_t size = addr_to_sockaddr(&peer, &ss);
	if (!size)
		return -EINVAL;
	memset(&sig, 0, sizeof(sig));
	memcpy(&sig.tcpm_addr, &ss, size);
	sig.tcpm_keylen = (uint16_t)len;
	memset(sig.tcpm_key, 's', len);
	return sys_call(SYS_setsockopt, fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig));
}

enum shield shield_raise(int fd, const struct snag_addr *to)
{
	if (set_key(fd, to, 8) == 0)
		return SHIELD_KEY;
	return silence_deafen(fd) >= 0 ? SHIELD_DEAF : SHIELD_NONE;
}

void shield_lower(int fd, const struct snag_addr *to, enum shield kind)
{
	if (kind == SHIELD_KEY)
		set_key(fd, to, 0);
	else if (kind == SHIELD_DEAF)
		silence_hear(fd, 0);
}

int shield_connect(int fd, const struct snag_addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	return len ? (int)-sys_call(SYS_connect, fd, &ss, len) : EAFNOSUPPORT;
}

int shield_connect_briefly(int fd, const struct snag_addr *to)
{
	struct timeval was = { 0, 0 }, tiny = { 0, 1 };
	socklen_t len = sizeof(was);
	sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &was, &len);
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &tiny, sizeof(tiny));
	int err = shield_connect(fd, to);
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &was, sizeof(was));
	return err == EINTR ? EINPROGRESS : err;
}

void shield_connect_again(int fd, const struct snag_addr *to)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int err;
	socklen_t len = sizeof(err);
	long flags = sys_call(SYS_fcntl, fd, F_GETFL);
	bool blocks = flags >= 0 && !(flags & O_NONBLOCK);
	sys_call(SYS_connect, fd, &none, sizeof(none));
	sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &err, &len);	/* ECONNRESET is left behind: swallow it */
	if (blocks)	/* else connect would take its result with it, and nobody else would hear of it */
		sys_call(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
	shield_connect(fd, to);
	if (blocks)
		sys_call(SYS_fcntl, fd, F_SETFL, flags);
}

bool shield_waits(int fd, unsigned *syns)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	memset(&info, 0, sizeof(info));
	if (sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	*syns = 1u + info.tcpi_retransmits;
	return info.tcpi_state == TCP_SYN_SENT;
}

unsigned shield_timeout(int fd)
{
	unsigned ms = 0;
	socklen_t len = sizeof(ms);
	return sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &len) == 0 ? ms : 0;
}

void shield_set_timeout(int fd, unsigned ms)
{
	sys_call(SYS_setsockopt, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}
