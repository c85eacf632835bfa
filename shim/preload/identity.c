/* identity.c - which socket a descriptor really is */
#include "identity.h"
#include "fdtab.h"
#include "netns.h"
#include "ports.h"
#include "ready.h"
#include "self.h"
#include <base/addr.h>
#include <base/sys.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <session/lock.h>
#include <snag/state.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

uint8_t identity_proto(int domain, int type, int protocol)
{
	if (domain == AF_UNIX)
		return SNAG_PROTO_UNIX;
	if (domain != AF_INET && domain != AF_INET6)
		return SNAG_PROTO_OTHER;
	switch (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
	case SOCK_STREAM:	/* MPTCP shares TCP's ports */
		return protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP ? SNAG_PROTO_TCP
											     : SNAG_PROTO_OTHER;
	case SOCK_DGRAM:
		if (protocol == IPPROTO_UDPLITE)
			return SNAG_PROTO_UDPLITE;
		return protocol == 0 || protocol == IPPROTO_UDP ? SNAG_PROTO_UDP : SNAG_PROTO_OTHER;
	default:
		return SNAG_PROTO_OTHER;
	}
}

static long read_cookie(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);
	*cookie = 0;
	return sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, cookie, &len);
}

uint64_t identity_cookie(int fd)
{
	uint64_t cookie;
	return read_cookie(fd, &cookie) == 0 ? cookie : 0;
}

static void publish(struct sock_ref r, uint64_t cookie)
{
	struct session_guard g;
	if (!cookie || !self_lock(&g))
		return;
	sock_publish(&session, r, cookie);
	self_unlock(&g);
}

bool identity_holds(int fd, struct sock_ref r)
{
	struct sock s;
	uint64_t cookie = identity_cookie(fd);
	if (!cookie || !sock_get(&session, r.sock, &s))
		return false;
	if (s.cookie)
		return s.cookie == cookie;
	publish(r, cookie);
	return true;
}

int identity_descriptor(int fd, struct sock_ref r)
{
	if (fdtab_get(fd).serial != r.serial)
		for (fd = fdtab_next(0, FDTAB_MAX); fd >= 0; fd = fdtab_next(fd + 1, FDTAB_MAX))
			if (fdtab_get(fd).serial == r.serial)
				break;
	return fd >= 0 && identity_holds(fd, r) ? fd : -1;
}

/* ---- what the kernel says of a socket ---- */

static int option(int fd, int level, int name)
{
	int v = 0;
	socklen_t len = sizeof(v);
	return sys_call(SYS_getsockopt, fd, level, name, &v, &len) == 0 ? v : 0;
}

static bool address(int fd, long call, struct snag_addr *a, char *path, uint16_t *path_len)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	if (sys_call(call, fd, &ss, &len) < 0 || len > sizeof(ss))
		return false;
	return addr_from_sockaddr(a, (struct sockaddr *)&ss, len, path, path_len);
}

static uint8_t state_of_tcp(unsigned tcp, bool bound)
{
	switch (tcp) {
	case TCP_LISTEN:
		return SNAG_STATE_LISTEN;
	case TCP_SYN_SENT:
		return SNAG_STATE_SYN_SENT;
	case TCP_ESTABLISHED:
	case TCP_SYN_RECV:
		return SNAG_STATE_ESTABLISHED;
	case TCP_CLOSE_WAIT:
		return SNAG_STATE_CLOSE_WAIT;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return SNAG_STATE_FIN_WAIT;
	default:
		return bound ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED;
	}
}

static void ask_kernel(int fd, struct model_facts *f)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	memset(f, 0, sizeof(*f));
	f->domain = (uint16_t)option(fd, SOL_SOCKET, SO_DOMAIN);
	f->proto = identity_proto(f->domain, option(fd, SOL_SOCKET, SO_TYPE), option(fd, SOL_SOCKET, SO_PROTOCOL));
	f->uid = sys_geteuid();
	f->elsewhere = netns_has_elsewhere(fd, f->domain);
	if (option(fd, SOL_SOCKET, SO_REUSEADDR))
		f->options |= SNAG_OPTION_REUSEADDR;
	if (option(fd, SOL_SOCKET, SO_REUSEPORT))
		f->options |= SNAG_OPTION_REUSEPORT;
	if (f->domain == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
		f->options |= SNAG_OPTION_V6ONLY;
	bool listens = option(fd, SOL_SOCKET, SO_ACCEPTCONN);
	bool named = address(fd, SYS_getsockname, &f->local, f->path, &f->path_len);
	bool bound = named && (f->proto == SNAG_PROTO_UNIX ? f->path_len > 0 : f->local.port != 0);
	bool peer = address(fd, SYS_getpeername, &f->peer, NULL, NULL);
	if (listens) {
		f->role = SNAG_ROLE_LISTENER;
		f->state = SNAG_STATE_LISTEN;
	} else if (peer) {
		f->state = SNAG_STATE_ESTABLISHED;
	} else {
		f->state = bound ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED;
	}
	if (f->proto == SNAG_PROTO_TCP && sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
		f->state = state_of_tcp(info.tcpi_state, bound);
		f->backlog = listens ? (int32_t)info.tcpi_sacked : 0;	/* on a listener: its queue's limit */
		f->defers = option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0;
	}
}

/* ---- adoption ---- */

/* Under the lock. `inherited`: at the start of a program image, where references are confirmed, not added. */
static struct sock_ref enter(int fd, uint64_t cookie, bool inherited)
{
	struct sock_ref r = sock_find(&session, cookie);
	struct model_facts f;
	if (r.sock) {
		if (inherited)
			sock_confirm(&session, self->who.proc, r, fd);
		else
			sock_hold(&session, self->who.proc, r, fd);
		return r;
	}
	r = sock_new(&session, self->who.proc, fd);
	if (!r.sock)
		return r;
	sock_publish(&session, r, cookie);
	ask_kernel(fd, &f);
	f.machine = engine.machine;
	model_adopt(engine.model, r.sock, r.serial, &f, self_now());
	return r;
}

struct sock_ref identity_adopt(int fd)
{
	struct session_guard g;
	struct sock_ref none = { 0 };
	uint64_t cookie = (unsigned)fd < FDTAB_MAX ? identity_cookie(fd) : 0;
	if (!cookie || !self_lock(&g))
		return none;
	struct sock_ref r = enter(fd, cookie, false);
	self_unlock(&g);
	if (r.sock) {
		self_put(fd, r);
		ready_adopt(fd, r);
	}
	return r;
}

void identity_publish(int fd, struct sock_ref r)
{
	struct sock s;
	if (sock_get(&session, r.sock, &s) && !s.cookie)
		publish(r, identity_cookie(fd));
}

/* ---- the open descriptors ---- */

static int number(const char *text)
{
	int n = 0;
	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++)
		if ((n = n * 10 + (*text - '0')) >= (int)FDTAB_MAX)
			return -1;
	return *text ? -1 : n;
}

typedef void each_socket_fn(int fd, uint64_t cookie);

/* Those from `from` on, as /proc lists them. */
static void each_listed(int from, each_socket_fn *each)
{
	_Alignas(8) char buf[2048];
	int dir = sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return;
	for (ssize_t n; (n = sys_getdents(dir, buf, sizeof(buf))) > 0;) {
		for (ssize_t at = 0; at < n;) {
			struct sys_dirent *d = (struct sys_dirent *)(buf + at);
			int fd = number(d->name);
			uint64_t cookie = fd >= from && fd != dir ? identity_cookie(fd) : 0;
			if (cookie)
				each(fd, cookie);
			at += d->size;
		}
	}
	sys_close(dir);
}

/* Calls back with each socket among the open descriptors. To list a descriptor costs the kernel ten times what it costs
 * to ask it for its cookie, and numbers mostly stand close together: so they are tried one after the other until as
 * many are found as there are, which the size of the folder tells since Linux 6.2 (it is 0 before). */
static void each_socket(each_socket_fn *each)
{
	struct stat st;
	uint64_t cookie, left = sys_stat("/proc/self/fd", &st) == 0 ? (uint64_t)st.st_size : 0;
	int fd = 0, end = left < FDTAB_MAX / 4 ? 2 * (int)left + 64 : (int)FDTAB_MAX;
	for (; left && fd < end; fd++) {
		long r = read_cookie(fd, &cookie);
		left -= r != -EBADF;
		if (r == 0 && cookie)
			each(fd, cookie);
	}
	if (left || !fd)
		each_listed(fd, each);
}

/* ---- publication for a child ---- */

/* Under the lock. */
static void publish_one(struct sock_ref r, int fd)
{
	struct sock s;
	uint64_t cookie = sock_get(&session, r.sock, &s) && !s.cookie ? identity_cookie(fd) : 0;
	if (cookie)
		sock_publish(&session, r, cookie);
}

/* "socket:[12345]" for descriptor fd of a process (0: this one). */
static ssize_t link_of(uint32_t pid, int fd, char *buf, size_t size)
{
	char path[48];
	size_t len = 0;
	sys_append(path, sizeof(path), &len, "/proc/");
	if (pid)
		sys_append_number(path, sizeof(path), &len, pid);
	else
		sys_append(path, sizeof(path), &len, "self");
	sys_append(path, sizeof(path), &len, "/fd/");
	sys_append_number(path, sizeof(path), &len, (uint64_t)fd);
	return sys_readlink(path, buf, size);
}

/* A vfork child: is its descriptor the same socket as that one of its parent? A socket has one file. Where the kernel
 * has no kcmp(2) or does not answer (containers often forbid it), the links tell. */
static bool is_parents(int theirs, int mine)
{
	char link[2][64];
	long r = sys_call(SYS_kcmp, self->who.pid, sys_getpid(), 0 /* KCMP_FILE */, theirs, mine);
	if (r >= 0 || r == -EBADF)
		return r == 0;
	ssize_t n = link_of(0, mine, link[0], sizeof(link[0]));
	return n > 0 && link_of(self->who.pid, theirs, link[1], sizeof(link[1])) == n &&
	       memcmp(link[0], link[1], (size_t)n) == 0;
}

static bool unknown(int fd)
{
	struct sock s;
	return sock_get(&session, fdtab_get(fd).sock, &s) && !s.cookie;
}

/* A vfork child has this socket at a number that is not its parent's. */
static void publish_moved(int fd, uint64_t cookie)
{
	if (sock_find(&session, cookie).sock)
		return;
	for (int at = fdtab_next(0, FDTAB_MAX); at >= 0; at = fdtab_next(at + 1, FDTAB_MAX)) {
		if (unknown(at) && is_parents(at, fd)) {
			sock_publish(&session, fdtab_get(at), cookie);
			return;
		}
	}
}

/* Most of its parent's sockets a vfork child has at the same numbers. Those that it has not, it has closed or moved:
 * only for them all its descriptors are looked at. */
static void publish_borrowed(void)
{
	bool moved = false;
	for (int fd = fdtab_next(0, FDTAB_MAX); fd >= 0; fd = fdtab_next(fd + 1, FDTAB_MAX)) {
		if (!unknown(fd))
			continue;
		if (is_parents(fd, fd))
			publish_one(fdtab_get(fd), fd);
		else
			moved = true;
	}
	if (moved)
		each_socket(publish_moved);
}

void identity_publish_all(bool borrowed)
{
	struct session_guard g;
	int fd = fdtab_next(0, FDTAB_MAX);
	if (fd < 0 || !self_lock(&g))
		return;
	if (borrowed)
		publish_borrowed();
	for (; fd >= 0 && !borrowed; fd = fdtab_next(fd + 1, FDTAB_MAX))
		publish_one(fdtab_get(fd), fd);
	self_unlock(&g);
}

/* ---- a new program image ---- */

static void inherit(int fd, uint64_t cookie)
{
	struct sock_ref r = enter(fd, cookie, true);
	if (r.sock)
		fdtab_put(fd, r);
}

void identity_inherit(void)
{
	struct ports_left left = { .n = 0 };
	struct session_guard g;
	if (!self_lock(&g))
		return;
	sock_confirm_begin(&session, self->who.proc);
	each_socket(inherit);
	sock_confirm_end(&session, self->who.proc, ports_ended, &left);
	self_unlock(&g);
	ports_leave(&left);
	for (int fd = fdtab_next(0, FDTAB_MAX); fd >= 0; fd = fdtab_next(fd + 1, FDTAB_MAX))
		ready_adopt(fd, fdtab_get(fd));
}
