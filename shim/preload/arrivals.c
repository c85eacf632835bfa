/* arrivals.c - newcomers behind a held connection, for poll, select and accept */
#include "arrivals.h"
#include "news.h"
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <sys/epoll.h>

static int set;		/* descriptor + 1; 0: none */

static int open_set(void)
{
	int fd = sys_high_fd((int)sys_call(SYS_epoll_create1, EPOLL_CLOEXEC)), none = 0;
	if (fd < 0 || cas(&set, &none, fd + 1))
		return fd;
	sys_close(fd);		/* another thread was faster */
	return none - 1;
}

static long enter(int fd, int listener)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	long r = fd < 0 ? -EBADF : sys_call(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, listener, &e);
	return r == -EEXIST ? 0 : r;
}

/* The program has closed it, and perhaps has another file at its number. */
static bool is_lost(int fd, long r)
{
	return r == -EINVAL || (r == -EBADF && sys_call(SYS_fcntl, fd, F_GETFD) < 0);
}

int arrivals_of(int listener)
{
	int fd = load_acquire(&set) - 1, was = fd + 1;
	long r = enter(fd, listener);
	if (r < 0 && was && is_lost(fd, r))
		cas(&set, &was, 0);
	if (r < 0 && !load_acquire(&set)) {
		fd = open_set();
		r = enter(fd, listener);
	}
	if (r < 0)
		return -1;
	news_enter(fd, 0);
	return fd;
}

void arrivals_seen(void)
{
	struct epoll_event e[8];
	int fd = load_acquire(&set) - 1;
	if (fd >= 0)
		sys_call(SYS_epoll_pwait, fd, e, ARRAY_LEN(e), 0, NULL, 0);
}

void arrivals_end(void)
{
	int fd = likely(!load_relaxed(&set)) ? 0 : __atomic_exchange_n(&set, 0, __ATOMIC_ACQ_REL);
	if (!fd)
		return;
	sys_close(fd - 1);
	news_end();
}
