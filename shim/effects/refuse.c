/* refuse.c - failures that the real kernel is made to deliver */
#include "refuse.h"
#include "wait.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

bool refuse_is_late(const struct snag_call *c, int err)
{
	return (err == ECONNREFUSED || err == ETIMEDOUT) && c->proto == SNAG_PROTO_TCP && !wait_blocks(c);
}

static bool is_mapped(const struct snag_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
	return a->family == AF_INET6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0;
}

/* Loopback in the family that the program asked for: 127.0.0.1, ::ffff:127.0.0.1 or ::1. */
static struct snag_addr loopback_like(const struct snag_addr *a, uint16_t port4, uint16_t port6)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct snag_addr to = { .family = a->family, .port = port4 };
	if (a->family == AF_INET) {
		memcpy(to.ip, v4, 4);
	} else if (is_mapped(a)) {
		to.ip[10] = to.ip[11] = 0xff;
		memcpy(to.ip + 12, v4, 4);
	} else {
		to.ip[15] = 1;
		to.port = port6;
	}
	return to;
}

static int redirect(const struct snag_call *c, const struct snag_addr *to, int err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	long r = len ? sys_call(SYS_connect, c->fd, &ss, len) : 0;
	switch (r) {
	case -EINPROGRESS:
	case -EALREADY:		/* busy with an earlier attempt, or done: the kernel has the word */
	case -EISCONN:
		return (int)-r;
	default:
		return err;
	}
}

int refuse_connect(const struct snag_call *c, int err, uint64_t after_ns, const struct refuse_hang *hang)
{
	if (c->addr.family != AF_INET && c->addr.family != AF_INET6)
		return err;
	if (err == ECONNREFUSED) {	/* a SYN to port 0 gets a RST, as wherever nobody listens */
		struct snag_addr to = loopback_like(&c->addr, 0, 0);
		return redirect(c, &to, err);
	}
	struct snag_addr to = loopback_like(&c->addr, hang->port4, hang->port6);
	unsigned ms = (unsigned)((after_ns < NSEC_PER_SEC ? NSEC_PER_SEC : after_ns) / NSEC_PER_MSEC);
	if (!to.port || sys_call(SYS_setsockopt, c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)) < 0)
		return err;
	return redirect(c, &to, err);
}

bool refuse_consumes(int err)
{
	static const int consuming[] = { ECONNABORTED, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
					 ENETUNREACH, ENETDOWN, EPERM };
	for (unsigned i = 0; i < ARRAY_LEN(consuming); i++)
		if (consuming[i] == err)
			return true;
	return false;
}

void refuse_drop(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sys_close(fd);
}
