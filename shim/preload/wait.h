/* wait.h - the way of the hooked calls that wait for readiness: a rule on the call itself, and the time it has left. */
#ifndef PRELOAD_WAIT_H
#define PRELOAD_WAIT_H

#include "hook.h"
#include "ready.h"
#include "spurious.h"
#include <base/sys.h>

/* Session-independent: CLOCK_MONOTONIC ns at which a wait of this long ends; READY_NEVER for NULL. A broken timespec
 * gives false: the kernel is to refuse it. */
bool wait_end(const struct timespec *timeout, uint64_t *end);
/* What is left until `end`, or until session time `due` where that is earlier. NULL: for ever. */
const struct timespec *wait_left(uint64_t end, uint64_t due, struct timespec *buf);
/* The same in milliseconds, rounded up; -1: for ever. */
int wait_left_ms(uint64_t end);
bool wait_is_over(uint64_t end);

/* A rule on a wait call: true: h is filled in, and hook_leave follows; *go: make the real call. */
bool wait_enter(struct hook *h, unsigned id, const void *caller, bool *go);
/* Between the two: is this call to wake up for nothing? `ruled`: what wait_enter said. */
bool wait_spurious(const struct hook *h, bool ruled, enum spurious_wait way);
int wait_leave(struct hook *h, int ret);

#endif
