/* epoll.c - epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2
 *
 * What is due while threads wait wakes one of them by a timer in the set itself, so nobody's time-out is cut short; its
 * event is taken out of what the program gets, and the wait goes on. */
#include "epset.h"
#include "held.h"
#include "wait.h"

struct epoll_wait_args {
	unsigned id;
	int epfd;
	struct epoll_event *events;
	int max;
	const struct timespec *timeout;
	const sigset_t *mask;
};

static int real_wait(const struct epoll_wait_args *a, uint64_t end)
{
	struct timespec left;
	if (a->id == SNAG_CALL_epoll_pwait2)
		return real.epoll_pwait2(a->epfd, a->events, a->max, wait_left(end, READY_NEVER, &left), a->mask);
	return real.epoll_pwait(a->epfd, a->events, a->max, wait_left_ms(end), a->mask);
}

/* Takes out what is not the program's; answers how many events are left. */
static int filter(const struct epoll_wait_args *a, int n)
{
	int kept = 0;
	for (int i = 0; i < n; i++)
		if (!epset_is_timer(a->events[i].data.u64) && !held_event(a->epfd, &a->events[i]))
			a->events[kept++] = a->events[i];
	return kept;
}

static int wait_watched(const struct epoll_wait_args *a)
{
	uint64_t end;
	if (!self_active() || !wait_end(a->timeout, &end))
		return real_wait(a, READY_NEVER);
	for (;;) {
		ready_run_in(a->epfd);
		int n = real_wait(a, end);
		if (n <= 0)
			return n;
		n = filter(a, n);
		if (n > 0) {
			ready_run();
			return n;
		}
	}
}

static int wait_as(const struct epoll_wait_args *a, const void *caller)
{
	struct hook h;
	bool go, ruled = wait_enter(&h, a->id, caller, &go);
	if (!go)
		return (int)hook_leave(&h);
	int r = wait_watched(a);
	return ruled ? wait_leave(&h, r) : r;
}

static int wait_ms(unsigned id, int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask,
		   const void *caller)
{
	struct timespec t = sys_timespec((uint64_t)(timeout < 0 ? 0 : timeout) * NSEC_PER_MSEC);
	struct epoll_wait_args a = { id, epfd, events, max, timeout < 0 ? NULL : &t, mask };
	return wait_as(&a, caller);
}

HOOK int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	if (likely(!ready_needed()))
		return real.epoll_wait(epfd, events, max, timeout);
	return wait_ms(SNAG_CALL_epoll_wait, epfd, events, max, timeout, NULL, __builtin_return_address(0));
}

HOOK int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	if (likely(!ready_needed()))
		return real.epoll_pwait(epfd, events, max, timeout, mask);
	return wait_ms(SNAG_CALL_epoll_pwait, epfd, events, max, timeout, mask, __builtin_return_address(0));
}

HOOK int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
		      const sigset_t *mask)
{
	struct timespec t;
	struct epoll_wait_args a = { SNAG_CALL_epoll_pwait2, epfd, events, max, timeout ? &t : NULL, mask };
	uint64_t end;
	if (likely(!ready_needed()) || (timeout && !hook_readable(timeout, sizeof(*timeout))))
		return real.epoll_pwait2(epfd, events, max, timeout, mask);
	if (timeout)
		t = *timeout;
	if (!wait_end(a.timeout, &end))
		return real.epoll_pwait2(epfd, events, max, timeout, mask);
	return wait_as(&a, __builtin_return_address(0));
}

HOOK int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct ready_guard g;
	if (likely(!(load_relaxed(&ready_flags) & READY_SETS)) || !ready_lock(&g))
		return real.epoll_ctl(epfd, op, fd, event);
	int r = real.epoll_ctl(epfd, op, fd, event);	/* in one step with what is remembered of it; it never waits */
	if (r == 0)
		ready_registered(epfd, fd, op == EPOLL_CTL_DEL ? NULL : event);
	ready_unlock(&g);
	return r;
}
