/* occupant.c - sockets that stand on a port to be in the way */
#include "occupant.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <snag/call.h>
#include <snag/state.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LOOPBACK_MS 1000	/* a handshake over loopback is done when connect() returns, but for a machine under load */
#define HAND_MS 200		/* the keeper reads its orders within 100 ms */

static int option_get(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return sys_call(SYS_getsockopt, fd, level, name, &value, &len) < 0 ? 0 : value;
}

static void option_set(int fd, int level, int name, int value)
{
	sys_call(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

static void reuse_set(int fd, unsigned options)
{
	option_set(fd, SOL_SOCKET, SO_REUSEADDR, (options & SNAG_OPTION_REUSEADDR) != 0);
	option_set(fd, SOL_SOCKET, SO_REUSEPORT, (options & SNAG_OPTION_REUSEPORT) != 0);
}

static int socket_new(const struct occupant_wish *w)
{
	int type = (w->proto == SNAG_PROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	return sys_high_fd((int)sys_call(SYS_socket, w->domain, type, 0));
}

/* Bound to the wished address while it has these options. */
static int socket_bound(const struct occupant_wish *w, unsigned options)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&w->addr, &ss);
	int fd = len ? socket_new(w) : -EAFNOSUPPORT;
	if (fd < 0)
		return fd;
	if (w->domain == AF_INET6)
		option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, (w->options & SNAG_OPTION_V6ONLY) != 0);
	if (w->device)
		option_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)w->device);
	reuse_set(fd, options);
	int r = (int)sys_call(SYS_bind, fd, &ss, len);
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	reuse_set(fd, w->options);
	return fd;
}

/* ---- TIME_WAIT ---- */

struct snag_addr occupant_specific(const struct snag_addr *a)
{
	struct snag_addr to = *a;
	if (!addr_is_any(a))
		return to;
	if (a->family == AF_INET || addr_is_mapped(a)) {
		uint8_t *v4 = a->family == AF_INET ? to.ip : to.ip + 12;
		v4[0] = 127;
		v4[3] = 1;
	} else {
		to.ip[15] = 1;
	}
	return to;
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	struct timespec most = sys_timespec(LOOPBACK_MS * NSEC_PER_MSEC);
	long r;
	do
		r = sys_call(SYS_ppoll, &p, 1, &most, NULL, 0);
	while (r == -EINTR);
	return r == 1 ? 0 : -ETIMEDOUT;
}

static int connect_to(int fd, const struct sockaddr_storage *ss, socklen_t len)
{
	int r = (int)sys_call(SYS_connect, fd, ss, len);
	if (r == -EINPROGRESS)
		r = wait_for(fd, POLLOUT);
	return r ? r : -option_get(fd, SOL_SOCKET, SO_ERROR);
}

/* A listener on the same address, any port, for one connection. */
static int anchor(const struct occupant_wish *w, struct sockaddr_storage *ss, socklen_t *len)
{
	struct occupant_wish any = *w;
	any.addr = occupant_specific(&w->addr);
	any.addr.port = 0;
	any.options = 0;
	int fd = socket_bound(&any, 0);
	if (fd < 0)
		return fd;
	*len = sizeof(*ss);
	int r = (int)sys_call(SYS_listen, fd, 1);
	if (r == 0)
		r = (int)sys_call(SYS_getsockname, fd, ss, len);
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	return fd;
}

/* Connects the bound socket and closes it first. With its peer still open the kernel keeps the remainder in FIN_WAIT2
 * for TCP_LINGER2 seconds, as a socket in TIME_WAIT for all that bind() asks of it (tcp_time_wait(),
 * net/ipv4/tcp_minisocks.c); a RST of the peer ends it (tcp_timewait_state_process()). The peer's end, or
 * -errno; fd is closed. */
static int leave(const struct occupant_wish *w, int fd)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_storage ss;
	socklen_t len;
	int listener = anchor(w, &ss, &len), peer = listener;
	if (listener >= 0) {
		int r = connect_to(fd, &ss, len);
		r = r ? r : wait_for(listener, POLLIN);
		peer = r ? r : sys_high_fd((int)sys_call(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC));
		sys_close(listener);
	}
	if (peer >= 0) {
		sys_call(SYS_setsockopt, peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		option_set(fd, IPPROTO_TCP, TCP_LINGER2, (int)(OCCUPANT_LEFT_MAX_NS / NSEC_PER_SEC));
	}
	sys_close(fd);
	return peer;
}

/* The bound socket becomes what was wished. */
static int settle(const struct occupant_wish *w, int fd)
{
	if (w->device || w->as != SNAG_OCCUPANT_LISTENING)
		reuse_set(fd, w->options);	/* which may have changed since it was claimed */
	if (w->as == SNAG_OCCUPANT_TIME_WAIT && w->for_ns <= OCCUPANT_LEFT_MAX_NS)
		return leave(w, fd);
	int r = w->as == SNAG_OCCUPANT_LISTENING ? (int)sys_call(SYS_listen, fd, SOMAXCONN) : 0;
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	return fd;
}

int occupant_open(const struct occupant_wish *w)
{
	int fd = socket_bound(w, w->options);
	return fd < 0 ? fd : settle(w, fd);
}

int occupant_obey(struct snag_occupant_order *o)
{
	if (o->as == SNAG_OCCUPANT_TIME_WAIT)
		o->addr = occupant_specific(&o->addr);
	struct occupant_wish w = {
		.addr = o->addr,
		.domain = o->addr.family,
		.as = o->as,
		.proto = o->proto,
		.options = o->options,
		.for_ns = o->until_ns - o->begin_ns,
	};
	return occupant_open(&w);
}

/* ---- beside another ---- */

#define LOOPBACK_INDEX 1	/* in every network namespace: loopback_net_init(), drivers/net/loopback.c */
#define NO_INDEX 0x7ffffff0	/* the kernel takes any number */
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

uint8_t occupant_options(int fd)
{
	static const struct {
		int level, name;
		uint8_t option;
	} rows[] = {
		{ SOL_SOCKET, SO_REUSEADDR, SNAG_OPTION_REUSEADDR },
		{ SOL_SOCKET, SO_REUSEPORT, SNAG_OPTION_REUSEPORT },
		{ IPPROTO_IPV6, IPV6_V6ONLY, SNAG_OPTION_V6ONLY },
	};
	uint8_t options = 0;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (option_get(fd, rows[i].level, rows[i].name))
			options |= rows[i].option;
	return options;
}

static int describe(struct occupant_wish *w, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int r = (int)sys_call(SYS_getsockname, fd, &ss, &len);
	if (r < 0)
		return r;
	if (len > sizeof(ss) || !addr_from_sockaddr(&w->addr, (struct sockaddr *)&ss, len, NULL, NULL) || !w->addr.port)
		return -EAFNOSUPPORT;
	w->domain = (uint16_t)option_get(fd, SOL_SOCKET, SO_DOMAIN);
	w->proto = option_get(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM ? SNAG_PROTO_UDP : SNAG_PROTO_TCP;
	w->options = occupant_options(fd);
	return w->domain == AF_INET || w->domain == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	return sys_call(SYS_getpeername, fd, &ss, &len) == 0;
}

/* A connection must go on being routed while it closes: for the moment both have SO_REUSEADDR. */
static int claim_connected(struct occupant_claim *c, int fd)
{
	reuse_set(fd, c->wish.options | SNAG_OPTION_REUSEADDR);
	int new = socket_bound(&c->wish, c->wish.options | SNAG_OPTION_REUSEADDR);
	reuse_set(fd, c->wish.options);
	return new;
}

/* Sockets that are bound to two devices are not in each other's way, and both are in the way of all that are bound to
 * none (inet_bind_conflict(), net/ipv4/inet_connection_sock.c). The old one gets a device that there is not, the new
 * one loopback; without privilege neither can be taken back, and neither needs to be. */
void occupant_claim(struct occupant_claim *c, int fd)
{
	c->fd = describe(&c->wish, fd);
	if (c->fd < 0)
		return;
	if (is_connected(fd)) {
		c->fd = claim_connected(c, fd);
	} else if (option_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX)) {
		c->fd = -EOPNOTSUPP;
	} else {
		option_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, NO_INDEX);
		c->wish.device = LOOPBACK_INDEX;
		c->fd = socket_bound(&c->wish, c->wish.options);
	}
}

int occupant_settle(struct occupant_claim *c)
{
	if (c->wish.as == SNAG_OCCUPANT_TIME_WAIT && c->wish.for_ns <= OCCUPANT_LEFT_MAX_NS)
		c->wish.addr = occupant_specific(&c->wish.addr);
	if (c->fd == -EADDRINUSE)	/* no devices for the unprivileged, before Linux 5.7: now it may be free */
		c->fd = socket_bound(&c->wish, c->wish.options);
	return c->fd < 0 ? c->fd : settle(&c->wish, c->fd);
}

/* ---- to the keeper ---- */

bool occupant_path(char path[OCCUPANT_PATH_MAX], const char *folder, const char *session)
{
	size_t len = 0;
	sys_append(path, OCCUPANT_PATH_MAX, &len, folder);
	sys_append(path, OCCUPANT_PATH_MAX, &len, "/");
	sys_append(path, OCCUPANT_PATH_MAX, &len, session);
	sys_append(path, OCCUPANT_PATH_MAX, &len, ".occupy");
	return len + 1 < OCCUPANT_PATH_MAX;
}

static long send_once(int by, const char *path, int fd, const struct snag_occupant_order *o)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec bytes = { (void *)o, sizeof(*o) };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &bytes, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control) };
	memcpy(to.sun_path, path, strnlen(path, sizeof(to.sun_path) - 1));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sys_call(SYS_sendmsg, by, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int occupant_hand(const char *path, int fd, const struct snag_occupant_order *o)
{
	const struct timespec pause = sys_timespec(5 * NSEC_PER_MSEC);
	int by = sys_high_fd((int)sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	long r = by < 0 ? by : send_once(by, path, fd, o);
	for (int ms = 0; r == -EAGAIN && ms < HAND_MS; ms += 5) {
		sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
		r = send_once(by, path, fd, o);
	}
	if (by >= 0)
		sys_close(by);
	sys_close(fd);
	return r < 0 ? (int)r : 0;
}
