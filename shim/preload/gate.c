/* gate.c - syscall() and prctl()
 *
 * syscall() is a real entry point for node, nginx, redis and curl. The hooked calls go to their hooks, all others straight
 * through with the same six arguments and the same errno. A fork made so is noticed by its child.
 *
 * A process that puts a seccomp filter upon itself may be killed for any system call that it does not make by itself: it
 * leaves the session right before. A filter that is none (NULL) only asks whether the kernel has them. */
#include "hook.h"
#include "ready.h"
#include "stream.h"
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INT(i) ((int)a[i])
#define PTR(i) ((void *)a[i])

static bool enter_socket(long number, const long a[6], long *ret)
{
	switch (number) {
	case SYS_socket: *ret = socket(INT(0), INT(1), INT(2)); return true;
	case SYS_socketpair: *ret = socketpair(INT(0), INT(1), INT(2), PTR(3)); return true;
	case SYS_bind: *ret = bind(INT(0), PTR(1), (socklen_t)a[2]); return true;
	case SYS_listen: *ret = listen(INT(0), INT(1)); return true;
	case SYS_accept: *ret = accept(INT(0), PTR(1), PTR(2)); return true;
	case SYS_accept4: *ret = accept4(INT(0), PTR(1), PTR(2), INT(3)); return true;
	case SYS_connect: *ret = connect(INT(0), PTR(1), (socklen_t)a[2]); return true;
	case SYS_shutdown: *ret = shutdown(INT(0), INT(1)); return true;
	case SYS_setsockopt: *ret = setsockopt(INT(0), INT(1), INT(2), PTR(3), (socklen_t)a[4]); return true;
	case SYS_sendto: *ret = sendto(INT(0), PTR(1), (size_t)a[2], INT(3), PTR(4), (socklen_t)a[5]); return true;
	case SYS_recvfrom: *ret = recvfrom(INT(0), PTR(1), (size_t)a[2], INT(3), PTR(4), PTR(5)); return true;
	case SYS_getsockname: *ret = getsockname(INT(0), PTR(1), PTR(2)); return true;
	case SYS_getpeername: *ret = getpeername(INT(0), PTR(1), PTR(2)); return true;
	case SYS_getsockopt: *ret = getsockopt(INT(0), INT(1), INT(2), PTR(3), PTR(4)); return true;
	case SYS_sendmsg: *ret = sendmsg(INT(0), PTR(1), INT(2)); return true;
	case SYS_recvmsg: *ret = recvmsg(INT(0), PTR(1), INT(2)); return true;
	case SYS_sendmmsg: *ret = sendmmsg(INT(0), PTR(1), (unsigned)a[2], INT(3)); return true;
	case SYS_recvmmsg: *ret = recvmmsg(INT(0), PTR(1), (unsigned)a[2], INT(3), PTR(4)); return true;
	default: return false;
	}
}

static bool enter_other(long number, const long a[6], long *ret)
{
	switch (number) {
	case SYS_close: *ret = close(INT(0)); return true;
	case SYS_close_range: *ret = close_range((unsigned)a[0], (unsigned)a[1], INT(2)); return true;
	case SYS_dup: *ret = dup(INT(0)); return true;
#ifdef SYS_dup2
	case SYS_dup2: *ret = dup2(INT(0), INT(1)); return true;
#endif
	case SYS_dup3: *ret = dup3(INT(0), INT(1), INT(2)); return true;
	case SYS_fcntl: *ret = fcntl(INT(0), INT(1), a[2]); return true;
	case SYS_execve: *ret = execve(PTR(0), PTR(1), PTR(2)); return true;
	case SYS_execveat: *ret = execveat(INT(0), PTR(1), PTR(2), PTR(3), INT(4)); return true;
	case SYS_exit_group: _exit(INT(0));
	case SYS_setns: *ret = setns(INT(0), INT(1)); return true;
	case SYS_unshare: *ret = unshare(INT(0)); return true;
	default: return false;
	}
}

/* Where nobody looks at bytes these stay as they are: a thread can be cancelled in read(), and not in syscall(). */
static bool enter_stream(long number, const long a[6], long *ret)
{
	if (!stream_asked(STREAM_SEND | STREAM_RECV))
		return false;
	switch (number) {
	case SYS_read: *ret = read(INT(0), PTR(1), (size_t)a[2]); return true;
	case SYS_readv: *ret = readv(INT(0), PTR(1), INT(2)); return true;
	case SYS_write: *ret = write(INT(0), PTR(1), (size_t)a[2]); return true;
	case SYS_writev: *ret = writev(INT(0), PTR(1), INT(2)); return true;
	case SYS_sendfile: *ret = sendfile(INT(0), INT(1), PTR(2), (size_t)a[3]); return true;
	default: return false;
	}
}

/* Waits, where somebody looks at them at all. The kernel's mask is shorter than the C library's, which never looks
 * beyond it either. */
static bool enter_wait(long number, const long a[6], long *ret)
{
	if (!ready_needed())
		return false;
	switch (number) {
#ifdef SYS_poll
	case SYS_poll: *ret = poll(PTR(0), (nfds_t)a[1], INT(2)); return true;
	case SYS_select: *ret = select(INT(0), PTR(1), PTR(2), PTR(3), PTR(4)); return true;
	case SYS_epoll_wait: *ret = epoll_wait(INT(0), PTR(1), INT(2), INT(3)); return true;
#endif
	case SYS_ppoll: *ret = ppoll(PTR(0), (nfds_t)a[1], PTR(2), PTR(3)); return true;
	case SYS_epoll_pwait: *ret = epoll_pwait(INT(0), PTR(1), INT(2), INT(3), PTR(4)); return true;
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2: *ret = epoll_pwait2(INT(0), PTR(1), INT(2), PTR(3), PTR(4)); return true;
#endif
	case SYS_epoll_ctl: *ret = epoll_ctl(INT(0), INT(1), INT(2), PTR(3)); return true;
	default: return false;
	}
}

static bool makes_filter(long number, const long a[6])
{
	if (number == SYS_prctl)
		return a[0] == PR_SET_SECCOMP && (a[1] == SECCOMP_MODE_STRICT || (a[1] == SECCOMP_MODE_FILTER && a[2]));
	return number == SYS_seccomp &&
	       (a[0] == SECCOMP_SET_MODE_STRICT || (a[0] == SECCOMP_SET_MODE_FILTER && a[2]));
}

static void leave(void)
{
	ready_leave();
	self_leave();
}

HOOK int prctl(int option, ...)
{
	long a[6] = { option };
	va_list ap;
	va_start(ap, option);
	for (unsigned i = 1; i <= 4; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (unlikely(makes_filter(SYS_prctl, a)))
		leave();
	return real.prctl(option, a[1], a[2], a[3], a[4]);
}

HOOK long syscall(long number, ...)
{
	long a[6], ret;
	va_list ap;
	va_start(ap, number);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (enter_stream(number, a, &ret) || enter_socket(number, a, &ret) || enter_other(number, a, &ret) ||
	    enter_wait(number, a, &ret))
		return ret;
	if (unlikely(makes_filter(number, a)))
		leave();
	return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
