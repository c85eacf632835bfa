/* news.c - what others change about the rules, heard in the epoll sets in which this process waits */
#include "news.h"
#include "self.h"
#include <base/sys.h>
#include <session/bell.h>
#include <sys/epoll.h>

static int bell;	/* descriptor + 1; 0: none */

void news_enter(int epfd, uint64_t data)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = data };
	int was = load_acquire(&bell), fd = was - 1, none = 0;
	if (was && !sys_is_kept(fd)) {	/* the program has closed it */
		cas(&bell, &was, 0);
		fd = -1;
	}
	if (fd < 0) {
		fd = bell_open(&session);
		if (fd >= 0 && !cas(&bell, &none, fd + 1)) {	/* another thread was faster */
			sys_close(fd);
			fd = none - 1;
		}
	}
	if (fd >= 0)
		sys_call(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &e);
}

void news_end(void)
{
	int fd = load_relaxed(&bell) ? __atomic_exchange_n(&bell, 0, __ATOMIC_ACQ_REL) : 0;
	if (fd)
		sys_close_kept(fd - 1);
}
