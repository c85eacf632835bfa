/* wait.h - a call that takes longer. */
#ifndef EFFECTS_WAIT_H
#define EFFECTS_WAIT_H

#include <snag/call.h>
#include <stdbool.h>
#include <stdint.h>

/* Wait in front of a call with these traits. 0: waited, go on with the real call. Else the positive errno that the
 * program gets without it, as from the kernel: a blocking accept or connect gives EINTR where a signal handler without
 * SA_RESTART ran, and is bounded by SO_RCVTIMEO (EAGAIN) or SO_SNDTIMEO (EINPROGRESS); the connection attempt then goes
 * on. What the bound leaves is waited for here too, until there is something to take, or room for something to send, so
 * that the call takes no longer altogether. The bound counts from `since`, CLOCK_MONOTONIC ns. All other calls wait on
 * through signals. A cancelled thread ends within 100 ms. */
int wait_for(const struct snag_call *c, unsigned traits, uint64_t since, uint64_t ns);

/* The same for as long as `still` says so, asked at least every 100 ms. A connection attempt must be under way. */
int wait_while(const struct snag_call *c, unsigned traits, uint64_t since, bool (*still)(void *), void *arg);

/* A timerfd on CLOCK_MONOTONIC, closed on exec, numbered 512 or above where the limit allows. Or -errno. */
int wait_timer(void);

/* Does this descriptor wait for its peer (no O_NONBLOCK)? */
bool wait_blocks(const struct snag_call *c);

#endif
