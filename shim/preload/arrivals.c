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
	int fd = sys_keep_fd((int)sys_call(SYS_epoll_create1, EPOLL_CLOEXEC)), none = 0;
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

int arrivals_of(int listener)
{
	int was = load_acquire(&set), fd = was - 1;
	if (was && !sys_is_kept(fd)) {	/* the program has closed it */
		cas(&set, &was, 0);
		was = 0;
	}
	if (!was)
		fd = open_set();
	if (enter(fd, listener) < 0)
		return -1;
	news_enter(fd, 0);
	if (load_acquire(&set) != fd + 1)	/* ended by another thread meanwhile, before there was news to end */
		news_end();
	return fd;
}

void arrivals_seen(void)
{
	struct epoll_event e[8];
	int fd = load_acquire(&set) - 1;
	if (fd >= 0 && sys_is_kept(fd))
		sys_call(SYS_epoll_pwait, fd, e, ARRAY_LEN(e), 0, NULL, 0);
}

void arrivals_end(void)
{
	int fd = likely(!load_relaxed(&set)) ? 0 : __atomic_exchange_n(&set, 0, __ATOMIC_ACQ_REL);
	if (!fd)
		return;
	sys_close_kept(fd - 1);
	news_end();
}
