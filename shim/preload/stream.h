/* stream.h - the way of the calls that move bytes: recv and its variants in recv.c, send and its variants in send.c.
 *
 *     if (likely(!stream_asked(STREAM_RECV)))
 *             return real.x(...);
 *     if (!stream_enter_from(&s, SNAG_CALL_x, fd, bytes, flags, caller))
 *             return real.x(...);
 *     if (stream_go(&s))				false: a rule answered in the kernel's place
 *             do
 *                     n = real.x(... at most s.most bytes ...);
 *             while (stream_again(&s, n, n));
 *     return stream_leave(&s);
 *
 * Such a call stands in the trace only where a rule acted on it. */
#ifndef PRELOAD_STREAM_H
#define PRELOAD_STREAM_H

#include "hook.h"
#include <effects/state.h>
#include <sys/uio.h>

enum stream_way { STREAM_RECV = 1 << 0, STREAM_SEND = 1 << 1 };

/* The ways that any rule of the session concerns; set when the process joins. */
extern uint32_t stream_ways;
void stream_set_up(void);
/* A connect that ends late is under way: recv and send of this process are watched as well, for they wait for it. */
void stream_watch(bool late);
static inline bool stream_asked(unsigned way)
{
	return unlikely(stream_ways & way);
}

/* Kept out of the hooks, which are to be short where no rule concerns them. */
#define SLOW __attribute__((noinline))

struct stream {
	struct hook h;
	size_t want;	/* bytes that the program asked for */
	size_t most;	/* after stream_go: bytes that may move, at most `want` */
	int flags;	/* MSG_* */
	bool again;	/* the real call was made twice */
	bool stalled;	/* a stall has just ended with it */
	uint32_t spent;	/* enum snag_spent before the call */
	struct fault_state *state;	/* NULL: nothing was left on the socket */
};

/* True: the call concerns the session. flags: MSG_*; 0 where the call has none. */
bool stream_enter_from(struct stream *s, unsigned id, int fd, size_t want, int flags, const void *caller);

/* Decision and what comes before the call. True: make the real call, with at most s->most bytes. */
bool stream_go(struct stream *s);

/* The real call answered `ret` (-1: errno) and moved `bytes`. True: make it again, as another thread was resetting the
 * connection at that moment, and it saw what nobody is to see. */
bool stream_again(struct stream *s, long ret, ssize_t bytes);

long stream_leave(struct stream *s);

/* Of `n` buffers, the first ones that hold at most `most` bytes, the last one cut; STREAM_BUFFERS at most, and then
 * fewer bytes. Answers how many. */
#define STREAM_BUFFERS 16
int stream_cut(struct iovec out[STREAM_BUFFERS], const struct iovec *iov, size_t n, size_t most);
/* The bytes that the buffers hold; false: they cannot be read, or there are too many: the kernel has the word. */
bool stream_sum(const struct iovec *iov, size_t n, size_t *sum);

/* accept and connect: what the plan does to the connection that the call has just made on `fd`. `r`: its socket. */
void stream_made(struct hook *h, int fd, struct sock_ref r);

#endif
