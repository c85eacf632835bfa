/* wait.c - the way of the hooked calls that wait for readiness */
#include "wait.h"

static uint64_t monotonic(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

bool wait_end(const struct timespec *timeout, uint64_t *end)
{
	*end = READY_NEVER;
	if (!timeout)
		return true;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || (uint64_t)timeout->tv_nsec >= NSEC_PER_SEC)
		return false;
	if ((uint64_t)timeout->tv_sec < READY_NEVER / NSEC_PER_SEC / 2)
		*end = monotonic() + (uint64_t)timeout->tv_sec * NSEC_PER_SEC + (uint64_t)timeout->tv_nsec;
	return true;
}

const struct timespec *wait_left(uint64_t end, uint64_t due, struct timespec *buf)
{
	uint64_t start = session.header->start_ns, now = monotonic();
	if (due != READY_NEVER && due + start < end)
		end = due + start;
	if (end == READY_NEVER)
		return NULL;
	*buf = sys_timespec(end > now ? end - now : 0);
	return buf;
}

int wait_left_ms(uint64_t end)
{
	uint64_t now = monotonic(), left = end > now ? end - now : 0;
	if (end == READY_NEVER)
		return -1;
	left = (left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

bool wait_is_over(uint64_t end)
{
	return end != READY_NEVER && monotonic() >= end;
}

bool wait_enter(struct hook *h, unsigned id, const void *caller, bool *go)
{
	*go = true;
	if (!(load_relaxed(&ready_flags) & READY_RULES) || !engine_wants(&engine, id) || !hook_enter_from(h, id, -1, caller))
		return false;
	*go = hook_decide(h);
	return true;
}

bool wait_spurious(const struct hook *h, bool ruled, enum spurious_wait way)
{
	return load_relaxed(&ready_flags) & READY_RULES && spurious_take(way, ruled ? &h->plan : NULL);
}

/* Waits are not traced, but what rules do to them is. */
int wait_leave(struct hook *h, int ret)
{
	hook_done(h, ret);
	h->silent |= !h->plan.rule[0];
	return (int)hook_leave(h);
}
