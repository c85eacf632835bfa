/* real.c - finding the functions behind the hooks */
#include "real.h"
#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* In libdl before glibc 2.34, and nothing is linked here: weak, so that a program without it still starts. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
#define NEXT ((void *)-1l)	/* RTLD_NEXT */

long real_edge(long r)
{
	if ((unsigned long)r > -4096ul) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

static int raw_socket(int domain, int type, int protocol)
{
	return (int)real_edge(sys_call(SYS_socket, domain, type, protocol));
}

static int raw_socketpair(int domain, int type, int protocol, int sv[2])
{
	return (int)real_edge(sys_call(SYS_socketpair, domain, type, protocol, sv));
}

static int raw_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return (int)real_edge(sys_call(SYS_bind, fd, sa, len));
}

static int raw_listen(int fd, int backlog)
{
	return (int)real_edge(sys_call(SYS_listen, fd, backlog));
}

static int raw_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return (int)real_edge(sys_call(SYS_accept, fd, sa, len));
}

static int raw_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	return (int)real_edge(sys_call(SYS_accept4, fd, sa, len, flags));
}

static int raw_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return (int)real_edge(sys_call(SYS_connect, fd, sa, len));
}

static int raw_shutdown(int fd, int how)
{
	return (int)real_edge(sys_call(SYS_shutdown, fd, how));
}

static int raw_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return (int)real_edge(sys_call(SYS_setsockopt, fd, level, name, value, len));
}

static int raw_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)real_edge(sys_call(SYS_getsockopt, fd, level, name, value, len));
}

static int raw_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return (int)real_edge(sys_call(SYS_getsockname, fd, sa, len));
}

static int raw_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return (int)real_edge(sys_call(SYS_getpeername, fd, sa, len));
}

static int raw_close(int fd)
{
	return (int)real_edge(sys_call(SYS_close, fd));
}

static int raw_close_range(unsigned first, unsigned last, int flags)
{
	return (int)real_edge(sys_call(SYS_close_range, first, last, flags));
}

static int raw_dup(int fd)
{
	return (int)real_edge(sys_call(SYS_dup, fd));
}

static int raw_dup3(int fd, int to, int flags)
{
	return (int)real_edge(sys_call(SYS_dup3, fd, to, flags));
}

static int raw_dup2(int fd, int to)
{
	if (fd == to)	/* dup3 refuses what dup2 allows */
		return real_edge(sys_call(SYS_fcntl, fd, F_GETFD)) < 0 ? -1 : to;
	return raw_dup3(fd, to, 0);
}

static int raw_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	return (int)real_edge(sys_call(SYS_fcntl, fd, cmd, arg));
}

static int raw_execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)real_edge(sys_call(SYS_execve, path, argv, envp));
}

static int raw_execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)real_edge(sys_call(SYS_execveat, dir, path, argv, envp, flags));
}

static void raw_exit(int status)
{
	for (;;)
		sys_call(SYS_exit_group, status);
}

static ssize_t raw_read(int fd, void *buf, size_t n)
{
	return real_edge(sys_call(SYS_read, fd, buf, n));
}

static ssize_t raw_readv(int fd, const struct iovec *iov, int n)
{
	return real_edge(sys_call(SYS_readv, fd, iov, n));
}

static ssize_t raw_recv(int fd, void *buf, size_t n, int flags)
{
	return real_edge(sys_call(SYS_recvfrom, fd, buf, n, flags));
}

static ssize_t raw_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len)
{
	return real_edge(sys_call(SYS_recvfrom, fd, buf, n, flags, sa, len));
}

static ssize_t raw_write(int fd, const void *buf, size_t n)
{
	return real_edge(sys_call(SYS_write, fd, buf, n));
}

static ssize_t raw_writev(int fd, const struct iovec *iov, int n)
{
	return real_edge(sys_call(SYS_writev, fd, iov, n));
}

static ssize_t raw_send(int fd, const void *buf, size_t n, int flags)
{
	return real_edge(sys_call(SYS_sendto, fd, buf, n, flags));
}

static ssize_t raw_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa, socklen_t len)
{
	return real_edge(sys_call(SYS_sendto, fd, buf, n, flags, sa, len));
}

static ssize_t raw_sendfile(int out, int in, off_t *offset, size_t n)
{
	return real_edge(sys_call(SYS_sendfile, out, in, offset, n));
}

static ssize_t raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return real_edge(sys_call(SYS_sendmsg, fd, m, flags));
}

static ssize_t raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return real_edge(sys_call(SYS_recvmsg, fd, m, flags));
}

static int raw_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return (int)real_edge(sys_call(SYS_sendmmsg, fd, m, n, flags));
}

static int raw_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	return (int)real_edge(sys_call(SYS_recvmmsg, fd, m, n, flags, timeout));
}

#define MASK_BYTES 8	/* the kernel's sigset_t */

static int raw_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t = timeout ? *timeout : (struct timespec){ 0, 0 };	/* the kernel writes what is left */
	return (int)real_edge(sys_call(SYS_ppoll, fds, n, timeout ? &t : NULL, mask, MASK_BYTES));
}

static int raw_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t = sys_timespec((uint64_t)(timeout < 0 ? 0 : timeout) * NSEC_PER_MSEC);
	return raw_ppoll(fds, n, timeout < 0 ? NULL : &t, NULL);
}

static int raw_pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t = timeout ? *timeout : (struct timespec){ 0, 0 };
	const struct {
		const void *mask;
		size_t size;
	} six = { mask, MASK_BYTES };
	return (int)real_edge(sys_call(SYS_pselect6, n, r, w, e, timeout ? &t : NULL, &six));
}

static int raw_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	struct timespec t = { 0, 0 };
	if (timeout)
		t = (struct timespec){ timeout->tv_sec + timeout->tv_usec / 1000000, timeout->tv_usec % 1000000 * 1000 };
	long ret = real_edge(sys_call(SYS_pselect6, n, r, w, e, timeout ? &t : NULL, NULL));
	if (timeout)
		*timeout = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
	return (int)ret;
}

static int raw_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return (int)real_edge(sys_call(SYS_epoll_ctl, epfd, op, fd, event));
}

static int raw_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	return (int)real_edge(sys_call(SYS_epoll_pwait, epfd, events, max, timeout, mask, MASK_BYTES));
}

static int raw_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	return raw_epoll_pwait(epfd, events, max, timeout, NULL);
}

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441	/* Linux 5.11 */
#endif

static int raw_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
			    const sigset_t *mask)
{
	return (int)real_edge(sys_call(SYS_epoll_pwait2, epfd, events, max, timeout, mask, MASK_BYTES));
}

static long raw_syscall(long number, ...)
{
	long a[6];
	va_list ap;
	va_start(ap, number);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return real_edge(sys_call(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static int raw_prctl(int option, ...)
{
	long a[4];
	va_list ap;
	va_start(ap, option);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return (int)real_edge(sys_call(SYS_prctl, option, a[0], a[1], a[2], a[3]));
}

static int raw_setns(int fd, int type)
{
	return (int)real_edge(sys_call(SYS_setns, fd, type));
}

static int raw_unshare(int flags)
{
	return (int)real_edge(sys_call(SYS_unshare, flags));
}

struct real real = {
	.socket = raw_socket,
	.socketpair = raw_socketpair,
	.bind = raw_bind,
	.listen = raw_listen,
	.accept = raw_accept,
	.accept4 = raw_accept4,
	.connect = raw_connect,
	.shutdown = raw_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.getsockname = raw_getsockname,
	.getpeername = raw_getpeername,
	.close = raw_close,
	.close_range = raw_close_range,
	.dup = raw_dup,
	.dup2 = raw_dup2,
	.dup3 = raw_dup3,
	.fcntl = raw_fcntl,
	.execve = raw_execve,
	.execveat = raw_execveat,
	.exit_now = raw_exit,
	.read = raw_read,
	.readv = raw_readv,
	.recv = raw_recv,
	.recvfrom = raw_recvfrom,
	.write = raw_write,
	.writev = raw_writev,
	.send = raw_send,
	.sendto = raw_sendto,
	.sendfile = raw_sendfile,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.sendmmsg = raw_sendmmsg,
	.recvmmsg = raw_recvmmsg,
	.poll = raw_poll,
	.ppoll = raw_ppoll,
	.select = raw_select,
	.pselect = raw_pselect,
	.epoll_ctl = raw_epoll_ctl,
	.epoll_wait = raw_epoll_wait,
	.epoll_pwait = raw_epoll_pwait,
	.epoll_pwait2 = raw_epoll_pwait2,
	.syscall = raw_syscall,
	.prctl = raw_prctl,
	.setns = raw_setns,
	.unshare = raw_unshare,
};

uint32_t real_found;

#define SAME(f) { #f, offsetof(struct real, f) }
static const struct {
	const char *name;
	size_t place;
} table[] = {
	SAME(socket),	  SAME(socketpair), SAME(bind),	       SAME(listen),   SAME(accept), SAME(accept4),
	SAME(connect),	  SAME(shutdown),   SAME(setsockopt), SAME(getsockopt), SAME(getsockname), SAME(getpeername),  SAME(close),    SAME(close_range), SAME(dup),
	SAME(dup2),	  SAME(dup3),	    SAME(fcntl),       SAME(execve),   SAME(execveat), SAME(sendmsg),
	SAME(recvmsg),	  SAME(sendmmsg),   SAME(recvmmsg),    SAME(syscall),  SAME(prctl),  SAME(setns), SAME(unshare), SAME(fclose), SAME(fileno),
	SAME(fork),	  SAME(forkpty),    SAME(daemon),      SAME(posix_spawn), SAME(posix_spawnp),
	SAME(closefrom), SAME(system),	  SAME(popen),	    SAME(execvpe),     SAME(fexecve),
	SAME(read),	  SAME(readv),	    SAME(recv),	       SAME(recvfrom), SAME(write),  SAME(writev),
	SAME(send),	  SAME(sendto),	    SAME(sendfile),
	{ "__read_chk", offsetof(struct real, read_chk) },
	{ "__recv_chk", offsetof(struct real, recv_chk) },
	{ "__recvfrom_chk", offsetof(struct real, recvfrom_chk) },
	SAME(poll), SAME(ppoll), SAME(select), SAME(pselect),
	SAME(epoll_ctl), SAME(epoll_wait), SAME(epoll_pwait), SAME(epoll_pwait2),
	{ "__poll_chk", offsetof(struct real, poll_chk) },
	{ "__ppoll_chk", offsetof(struct real, ppoll_chk) },
	{ "_exit", offsetof(struct real, exit_now) },
	{ "_Fork", offsetof(struct real, fork_bare) },
};

void real_find(void)
{
	if (!dlsym)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
		void *found = dlsym(NEXT, table[i].name);
		if (found)	/* what this C library lacks stays a raw system call, or NULL */
			store_relaxed((void **)((char *)&real + table[i].place), found);
	}
	store_release(&real_found, 1);
}
