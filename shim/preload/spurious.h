/* spurious.h - wake-ups with nothing to take, on accept and on the calls that wait. (On recv: stream.c.) */
#ifndef PRELOAD_SPURIOUS_H
#define PRELOAD_SPURIOUS_H

#include "hook.h"

/* accept, after the decision: does this call find nothing, by its plan or by that of one before it? Then it says EAGAIN,
 * and readiness is raised again for what waits in the queue. */
bool spurious_accept(struct hook *h);

enum spurious_wait { SPURIOUS_POLL, SPURIOUS_SELECT, SPURIOUS_EPOLL, SPURIOUS_WAITS };

/* Are wake-ups left from a call before? Then the rules are not asked. */
bool spurious_left(enum spurious_wait way);
/* Takes one of them, or of those of this plan (NULL: no rule was asked). */
bool spurious_take(enum spurious_wait way, const struct snag_plan *p);
/* May a wake-up name this descriptor: a socket that does not block and has nothing to read? On a blocking one the program
 * would wait for ever, as it would after a real one. */
bool spurious_fits(int fd);

#endif
