/* facts.c - what a system call or a search tells of a call */
#include "facts.h"
#include "identity.h"
#include "self.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <probe/named.h>
#include <probe/route.h>
#include <session/lock.h>
#include <string.h>
#include <unistd.h>

struct object_search {
	uintptr_t at;
	char *name;
	size_t size;
};

static void copy_base(char *to, size_t size, const char *path)
{
	const char *base = path;
	for (const char *p = path; *p; p++)
		if (*p == '/')
			base = p + 1;
	size_t len = strnlen(base, size - 1);
	memcpy(to, base, len);
	to[len] = 0;
}

/* Called for each loaded object: stop at the one whose segments hold the address. The program itself has no name. */
static int look_at_object(struct dl_phdr_info *o, size_t size, void *arg)
{
	struct object_search *s = arg;
	(void)size;
	for (unsigned i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &o->dlpi_phdr[i];
		if (ph->p_type != PT_LOAD || s->at - (o->dlpi_addr + ph->p_vaddr) >= ph->p_memsz)
			continue;
		copy_base(s->name, s->size, o->dlpi_name ? o->dlpi_name : "");
		return 1;
	}
	return 0;
}

static bool fact_caller(struct snag_call *c, const void *caller)
{
	struct object_search s = { .at = (uintptr_t)caller, .name = c->caller, .size = sizeof(c->caller) };
	c->caller[0] = 0;
	if (!dl_iterate_phdr(look_at_object, &s))
		return false;
	if (!c->caller[0])
		memcpy(c->caller, c->who.exe, sizeof(c->caller));
	return true;
}

static bool fact_blocking(struct snag_call *c, const void *caller)
{
	(void)caller;
	long flags = sys_call(SYS_fcntl, c->fd, F_GETFL);
	c->blocking = flags >= 0 && !(flags & O_NONBLOCK);
	return flags >= 0;
}

static bool tcp_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);
	memset(info, 0, sizeof(*info));
	return sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

static bool fact_queue(struct snag_call *c, const void *caller)
{
	struct tcp_info info;
	(void)caller;
	if (c->proto == SNAG_PROTO_UNIX)
		return named_queue(identity_cookie(c->fd), &c->queue, &c->queue_max) == 0;
	if (c->proto != SNAG_PROTO_TCP || !tcp_info(c->fd, &info) || info.tcpi_state != TCP_LISTEN)
		return false;
	c->queue = (int32_t)info.tcpi_unacked;		/* on a listener: connections in the queue, and its limit */
	c->queue_max = (int32_t)info.tcpi_sacked;
	return true;
}

uint8_t facts_tcp_state(const struct snag_call *c)
{
	struct tcp_info info;
	return c->proto == SNAG_PROTO_TCP && tcp_info(c->fd, &info) ? info.tcpi_state : 0;
}

static bool fact_tcp_state(struct snag_call *c, const void *caller)
{
	(void)caller;
	c->tcp_state = facts_tcp_state(c);
	return c->tcp_state != 0;
}

static bool address(int fd, long call, struct snag_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	if (sys_call(call, fd, &ss, &len) < 0 || len > sizeof(ss))
		return false;
	return addr_from_sockaddr(a, (struct sockaddr *)&ss, len, NULL, NULL);
}

bool facts_local(int fd, struct snag_addr *a)
{
	return address(fd, SYS_getsockname, a);
}

bool facts_peer(int fd, struct snag_addr *a)
{
	return address(fd, SYS_getpeername, a);
}

static bool fact_local(struct snag_call *c, const void *caller)
{
	(void)caller;
	return facts_local(c->fd, &c->local);
}

static bool fact_linger(struct snag_call *c, const void *caller)
{
	struct linger l = { 0, 0 };
	socklen_t len = sizeof(l);
	(void)caller;
	if (sys_call(SYS_getsockopt, c->fd, SOL_SOCKET, SO_LINGER, &l, &len) < 0)
		return false;
	c->linger = l.l_onoff ? l.l_linger + 1 : 0;
	return true;
}

/* The lowest free descriptor, as the kernel would take it: found by taking it for a moment. */
static int lowest_fd(const struct snag_call *c)
{
	if (c->call == SNAG_CALL_fcntl)
		return (int)sys_call(SYS_fcntl, c->fd, F_DUPFD_CLOEXEC, c->arg[0]);
	return (int)sys_call(SYS_eventfd2, 0, O_CLOEXEC);
}

static bool fact_next_fd(struct snag_call *c, const void *caller)
{
	(void)caller;
	int first = lowest_fd(c), second = c->call == SNAG_CALL_socketpair && first >= 0 ? lowest_fd(c) : -1;
	c->next_fd = second > first ? second : first;
	if (second >= 0)
		sys_close(second);
	if (first >= 0)
		sys_close(first);
	return c->next_fd >= 0;
}

static bool fact_privileged(struct snag_call *c, const void *caller)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	(void)caller;
	if (sys_call(SYS_capget, &head, data) < 0)
		return false;
	c->privileged = data[0].effective >> CAP_NET_BIND_SERVICE & 1;
	return true;
}

static bool fact_error(struct snag_call *c, const void *caller)
{
	struct pollfd p = { .fd = c->fd };
	struct timespec now = { 0 };
	(void)caller;
	if (sys_call(SYS_ppoll, &p, 1, &now, NULL, 8) < 0)
		return false;
	c->pending = (p.revents & POLLERR) != 0;
	return true;
}

static bool fact_unread(struct snag_call *c, const void *caller)
{
	int n;
	(void)caller;
	if (c->proto != SNAG_PROTO_TCP || sys_call(SYS_ioctl, c->fd, FIONREAD, &n) < 0)
		return false;
	c->unread = n;
	return true;
}

static bool fact_reach(struct snag_call *c, const void *caller)
{
	int reach = c->addr.family == AF_INET || c->addr.family == AF_INET6 ? route_reach(&c->addr) : -EAFNOSUPPORT;
	(void)caller;
	c->reach = reach < 0 ? 0 : (uint8_t)reach;
	return reach >= 0;
}

/* What a new file in the folder of a path would meet. The path may lack its NUL. */
static int ask_folder(const char *path)
{
	char folder[SNAG_PATH_MAX + 2] = ".";
	size_t len = strnlen(path, SNAG_PATH_MAX);
	while (len && path[len - 1] != '/')
		len--;
	if (len) {
		memcpy(folder, path, len);
		folder[len] = 0;
	}
	return (int)sys_call(SYS_faccessat2, AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS);
}

static bool fact_path(struct snag_call *c, const void *caller)
{
	char path[SNAG_PATH_MAX + 1] = { 0 };
	struct stat st;
	(void)caller;
	if (c->proto != SNAG_PROTO_UNIX || !c->path_len || c->path_len > SNAG_PATH_MAX || !c->path[0])
		return false;
	memcpy(path, c->path, c->path_len);
	int err = (int)sys_call(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
	int folder = ask_folder(path);
	if (folder == -ENOSYS)
		return false;
	c->path_err = (uint16_t)-err;
	c->folder_err = (uint16_t)-folder;
	return true;
}

static bool fact_target(struct snag_call *c, const void *caller)
{
	int type, target;
	socklen_t len = sizeof(type);
	(void)caller;
	if (c->proto != SNAG_PROTO_UNIX || c->addr.family != AF_UNIX || !c->path_len || c->path_len > SNAG_PATH_MAX ||
	    sys_call(SYS_getsockopt, c->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return false;
	target = named_find(c->path, c->path_len, type);
	c->target = target < 0 ? 0 : (uint8_t)target;
	return target >= 0;
}

static bool fact_owner(struct snag_call *c, const void *caller)
{
	struct stat st;
	(void)caller;
	if (sys_fstat(c->fd, &st) < 0)
		return false;
	c->owner = st.st_uid;
	return true;
}

static bool fact_last(struct snag_call *c, const void *caller)
{
	struct sock_ref r = { .sock = c->sock, .serial = c->serial };
	struct session_guard g;
	(void)caller;
	if (!sock_shared(&session, r)) {
		c->last = 1;
		return true;
	}
	if (!self_lock(&g))
		return false;
	c->last = sock_sole(&session, r);
	self_unlock(&g);
	return true;
}

static const struct {
	unsigned bit;
	bool on_fd;
	bool (*fill)(struct snag_call *c, const void *caller);
} facts_table[] = {
	{ SNAG_FACT_BLOCKING, true, fact_blocking },
	{ SNAG_FACT_QUEUE, true, fact_queue },
	{ SNAG_FACT_TCP_STATE, true, fact_tcp_state },
	{ SNAG_FACT_CALLER, false, fact_caller },
	{ SNAG_FACT_LOCAL, true, fact_local },
	{ SNAG_FACT_ERROR, true, fact_error },
	{ SNAG_FACT_UNREAD, true, fact_unread },
	{ SNAG_FACT_REACH, true, fact_reach },
	{ SNAG_FACT_PATH, true, fact_path },
	{ SNAG_FACT_TARGET, true, fact_target },
	{ SNAG_FACT_LINGER, true, fact_linger },
	{ SNAG_FACT_NEXT_FD, false, fact_next_fd },
	{ SNAG_FACT_LAST, true, fact_last },
	{ SNAG_FACT_OWNER, true, fact_owner },
	{ SNAG_FACT_PRIVILEGED, false, fact_privileged },
};

void facts_fill(struct snag_call *c, unsigned facts, const void *caller)
{
	for (unsigned i = 0; i < ARRAY_LEN(facts_table); i++)
		if ((facts & ~c->facts & facts_table[i].bit) && (c->fd >= 0 || !facts_table[i].on_fd) &&
		    facts_table[i].fill(c, caller))
			c->facts |= (uint16_t)facts_table[i].bit;
}
