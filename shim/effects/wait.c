/* wait.c - a call that takes longer
 *
 * A blocking accept or connect waits in a read of a timerfd, so the kernel itself decides what a signal does: with
 * SA_RESTART the read goes on, without it ends in EINTR, exactly as the call would. The descriptor is numbered 512 or
 * above where the limit allows, closed on exec, and gone when the call returns. */
#include "wait.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/calls.h>
#include <base/sys.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define CHUNK_NS (100 * NSEC_PER_MSEC)	/* a cancelled thread notices after this long */

/* In libpthread before glibc 2.34: weak. */
extern void pthread_testcancel(void) __attribute__((weak));

static uint64_t now(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

bool wait_blocks(const struct snag_call *c)
{
	if (c->facts & SNAG_FACT_BLOCKING)
		return c->blocking;
	long flags = sys_call(SYS_fcntl, c->fd, F_GETFL);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

/* pthreads(7): of the calls that can be made to wait, these are cancellation points. */
static bool cancellable(unsigned call)
{
	return call == SNAG_CALL_accept || call == SNAG_CALL_accept4 || call == SNAG_CALL_connect ||
	       call == SNAG_CALL_close || call_has(call, SNAG_TRAIT_STREAM);
}

static int timer_open(void)
{
	return sys_high_fd((int)sys_call(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC));
}

/* 0 or -EINTR. */
static int sleep_on_timer(int fd, uint64_t ns)
{
	struct itimerspec t = { .it_value = sys_timespec(ns) };
	uint64_t ticks;
	sys_call(SYS_timerfd_settime, fd, 0, &t, NULL);
	return sys_read(fd, &ticks, sizeof(ticks)) == -EINTR ? -EINTR : 0;
}

/* Up to CHUNK_NS of the wait: the descriptor lives no longer, so that a cancellation leaves none behind. */
static int sleep_chunk(uint64_t ns, bool interruptible)
{
	struct timespec t = sys_timespec(ns);
	int fd = interruptible ? timer_open() : -1;
	if (fd >= 0) {
		int r = sleep_on_timer(fd, ns);
		sys_close(fd);
		return r;
	}
	int r = (int)sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
	return interruptible && r == -EINTR ? r : 0;
}

static int sleep_until(uint64_t end, bool interruptible, bool cancel)
{
	for (uint64_t at = now(); at < end; at = now()) {
		int r = sleep_chunk(end - at < CHUNK_NS ? end - at : CHUNK_NS, interruptible);
		if (r)
			return r;
		if (cancel && pthread_testcancel)
			pthread_testcancel();
	}
	return 0;
}

/* The socket's own bound on such a wait, nanoseconds; 0: none. */
static uint64_t timeout_of(const struct snag_call *c)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);
	bool sends = c->call == SNAG_CALL_connect || call_has(c->call, SNAG_TRAIT_SENDS);
	int name = sends ? SO_SNDTIMEO : SO_RCVTIMEO;
	if (sys_call(SYS_getsockopt, c->fd, SOL_SOCKET, name, &tv, &len) < 0)
		return 0;
	return (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * 1000;
}

/* An interrupted or timed-out connect goes on in the kernel (connect(2)): start it for real, hardly waiting. Answers
 * what the program gets: `err`, unless the attempt failed at once. */
static int start_connect(const struct snag_call *c, int err)
{
	struct sockaddr_storage ss;
	struct timeval was = { 0, 0 }, tiny = { 0, 1 };
	socklen_t len = sizeof(was), addr_len = addr_to_sockaddr(&c->addr, &ss);
	if (!addr_len)
		return err;
	sys_call(SYS_getsockopt, c->fd, SOL_SOCKET, SO_SNDTIMEO, &was, &len);
	sys_call(SYS_setsockopt, c->fd, SOL_SOCKET, SO_SNDTIMEO, &tiny, sizeof(tiny));
	long r = sys_call(SYS_connect, c->fd, &ss, addr_len);
	sys_call(SYS_setsockopt, c->fd, SOL_SOCKET, SO_SNDTIMEO, &was, sizeof(was));
	return r == 0 || r == -EINPROGRESS || r == -EINTR ? err : (int)-r;
}

int wait_for(const struct snag_call *c, unsigned traits, uint64_t ns)
{
	bool connects = c->call == SNAG_CALL_connect;
	bool waits = (traits & SNAG_TRAIT_BLOCK) && !(connects && c->proto == SNAG_PROTO_UDP) && wait_blocks(c);
	uint64_t bound = waits ? timeout_of(c) : 0;
	bool cut = bound && bound < ns;
	int r = sleep_until(now() + (cut ? bound : ns), waits, cancellable(c->call));
	if (!r && !cut)
		return 0;
	int err = r ? -r : connects ? EINPROGRESS : EAGAIN;
	return connects && c->proto == SNAG_PROTO_TCP ? start_connect(c, err) : err;
}
