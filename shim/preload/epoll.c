/* epoll.c - epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2
 *
 * What is due while threads wait wakes one of them by a timer in the set itself, so nobody's time-out is cut short; its
 * event is taken out of what the program gets, and the wait goes on. */
#include "epset.h"
#include "held.h"
#include "resets.h"
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
	wait_end(a->timeout, &end);
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

/* What is there already comes first; 0: nothing to wake up for. */
static int wake_for_nothing(const struct epoll_wait_args *a)
{
	static const struct timespec now = { 0, 0 };
	struct epoll_wait_args asks = *a;
	struct ready_guard g;
	struct epset_place p;
	asks.timeout = &now;
	int r = wait_watched(&asks);
	if (r || a->max < 1 || !hook_readable(a->events, sizeof(*a->events)) || !ready_lock(&g))
		return r;
	bool found = epset_first(&p, a->epfd, spurious_fits);
	if (found && (p.events & EPOLLONESHOT))
		epset_use_up(&p);
	ready_unlock(&g);
	if (found)
		a->events[0] = (struct epoll_event){ .events = EPOLLIN, .data.u64 = p.data };
	return found;
}

static int wait_as(const struct epoll_wait_args *a, const void *caller)
{
	struct hook h;
	bool go = true, ruled = !spurious_left(SPURIOUS_EPOLL) && wait_enter(&h, a->id, caller, &go);
	if (!go)
		return (int)hook_leave(&h);
	int r = wait_spurious(&h, ruled, SPURIOUS_EPOLL) ? wake_for_nothing(a) : 0;
	if (!r)
		r = wait_watched(a);
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
	resets_met(fd);		/* it does not stand there meanwhile */
	if (likely(!(load_relaxed(&ready_flags) & READY_SETS)) || !ready_lock(&g))
		return real.epoll_ctl(epfd, op, fd, event);
	int r = real.epoll_ctl(epfd, op, fd, event);	/* in one step with what is remembered of it; it never waits */
	if (r == 0)
		ready_registered(epfd, fd, op == EPOLL_CTL_DEL ? NULL : event);
	ready_unlock(&g);
	return r;
}
