/* held.h - listeners whose connections a rule holds in their queue: not taken, and not reported, before their time. */
#ifndef PRELOAD_HELD_H
#define PRELOAD_HELD_H

#include "hook.h"
#include <sys/epoll.h>

/* accept, right before the real call. 0: make it, and tell held_over. Else the errno that the program gets: EAGAIN, or
 * what ended the wait of a blocking socket. */
int held_accept(struct hook *h);
void held_over(struct hook *h, bool took);

/* Is `fd` a listener with nothing to take yet, though its queue is not empty? *until: session time at which to ask
 * again, if no newcomer is seen before (an epoll set, or arrivals.h). */
bool held_hides(int fd, uint64_t *until);
/* Under ready_lock: shows what this process hides, whatever is held: it is about to leave the session. */
void held_show(void);

/* An event of an epoll set is a listener's that is held: it is hidden there until its time, and the event is not the
 * program's. */
bool held_event(int epfd, const struct epoll_event *event);
/* Under ready_lock: the program has registered, changed or (event NULL) removed fd in a set. */
void held_registered(int epfd, int fd, const struct epoll_event *event);
/* Under ready_lock: show what may be shown. When to look next; READY_NEVER: nothing is hidden. */
uint64_t held_run(void);

#endif
