/* wait.c - a call that takes longer
 *
 * A blocking accept or connect waits in a read of a timerfd, so the kernel itself decides what a signal does: with
 * SA_RESTART the read goes on, without it ends in EINTR, exactly as the call would. The descriptor is numbered 512 or
 * above where the limit allows, closed on exec, and gone when the call returns. */
#include "wait.h"
#include "shield.h"
#include <base/base.h>
#include <base/calls.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define CHUNK_NS (100 * NSEC_PER_MSEC)	/* a cancelled thread notices after this long */

/* In libpthread before glibc 2.34: weak. */
extern void pthread_testcancel(void) __attribute__((weak));
/* Since glibc 2.32; musl has none. */
extern char __libc_single_threaded __attribute__((weak));

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

int wait_timer(void)
{
	return sys_keep_fd((int)sys_call(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC));
}

/* 0 or -EINTR. */
static int sleep_on_timer(int fd, uint64_t ns)
{
	struct itimerspec t = { .it_value = sys_timespec(ns) };
	uint64_t ticks;
	sys_call(SYS_timerfd_settime, fd, 0, &t, NULL);
	return sys_read(fd, &ticks, sizeof(ticks)) == -EINTR ? -EINTR : 0;
}

/* The descriptor lives no longer than that, so that a cancellation leaves none behind. */
static int sleep_chunk(uint64_t ns, bool interruptible)
{
	struct timespec t = sys_timespec(ns);
	int fd = interruptible ? wait_timer() : -1;
	if (fd >= 0) {
		int r = sleep_on_timer(fd, ns);
		sys_close(fd);
		return r;
	}
	int r = (int)sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
	return interruptible && r == -EINTR ? r : 0;
}

/* A cancelled thread that waits for something else than the C library waits for notices nothing: it has to ask. Where
 * nobody can cancel it, it waits in one piece, so that no signal falls between two. */
static bool asks(bool cancel)
{
	return cancel && !(&__libc_single_threaded && __libc_single_threaded);
}

/* `still` (NULL: none) ends the wait early when it says false. */
static int sleep_until(uint64_t end, bool interruptible, bool cancel, bool (*still)(void *), void *arg)
{
	uint64_t most = still || asks(cancel) ? CHUNK_NS : UINT64_MAX;
	for (uint64_t at = now(); at < end && (!still || still(arg)); at = now()) {
		int r = sleep_chunk(end - at < most ? end - at : most, interruptible);
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

/* Would the kernel take something to send? sk_stream_memory_free() (include/net/sock.h); of all but TCP
 * sock_alloc_send_pskb() (net/core/sock.c). */
static bool has_room(const struct snag_call *c)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(mem);
	if (sys_call(SYS_getsockopt, c->fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0)
		return true;
	unsigned used = c->proto == SNAG_PROTO_TCP ? SK_MEMINFO_WMEM_QUEUED : SK_MEMINFO_WMEM_ALLOC;
	return mem[used] < mem[SK_MEMINFO_SNDBUF];
}

/* What is left of the bound is left for the call itself: once the socket is ready it takes no longer. `end` is on
 * CLOCK_MONOTONIC. 0: ready; -EAGAIN: the bound has passed; -EINTR. */
static int wait_ready(const struct snag_call *c, bool sends, uint64_t end)
{
	struct pollfd p = { .fd = c->fd, .events = sends ? POLLOUT : POLLIN };

	if (sends && has_room(c))
		return 0;
	for (uint64_t at = now(); at < end; at = now()) {
		struct timespec t = sys_timespec(end - at < CHUNK_NS ? end - at : CHUNK_NS);
		long r = sys_call(SYS_ppoll, &p, 1, &t, NULL, 0);
		if (r)
			return r < 0 ? (int)r : 0;
		if (cancellable(c->call) && pthread_testcancel)
			pthread_testcancel();
	}
	return -EAGAIN;
}

/* 0: waited; else the errno. */
static int wait_as(const struct snag_call *c, unsigned traits, uint64_t since, uint64_t ns, bool (*still)(void *),
		   void *arg)
{
	bool connects = c->call == SNAG_CALL_connect;
	bool waits = (traits & SNAG_TRAIT_BLOCK) && !(connects && snag_is_udp(c->proto)) && wait_blocks(c);
	uint64_t timeout = waits ? timeout_of(c) : 0, bound = timeout ? since + timeout : UINT64_MAX, from = now();
	uint64_t end = from + ns < from ? UINT64_MAX : from + ns;
	bool cut = bound < end;
	int r = sleep_until(cut ? bound : end, waits, cancellable(c->call), still, arg);
	if (!r && timeout && !cut && !connects)
		r = wait_ready(c, call_has(c->call, SNAG_TRAIT_SENDS), bound);
	if (r)
		return -r;
	return cut && (!still || still(arg)) ? connects ? EINPROGRESS : EAGAIN : 0;
}

int wait_while(const struct snag_call *c, unsigned traits, uint64_t since, bool (*still)(void *), void *arg)
{
	return wait_as(c, traits, since, UINT64_MAX, still, arg);
}

/* An interrupted or timed-out connect goes on in the kernel (connect(2)): it is begun for real. */
int wait_for(const struct snag_call *c, unsigned traits, uint64_t since, uint64_t ns)
{
	int err = wait_as(c, traits, since, ns, NULL, NULL);
	if (!err || c->call != SNAG_CALL_connect || c->proto != SNAG_PROTO_TCP)
		return err;
	int begun = shield_connect_briefly(c->fd, &c->addr);
	return begun == 0 || begun == EINPROGRESS ? err : begun;
}
