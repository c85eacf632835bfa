/* stall.h - TCP sockets of this process that hide what has arrived, until their stall is over.
 *
 * There is no thread to end it: whoever waits (poll, select, epoll), or calls recv, does what is due. */
#ifndef PRELOAD_STALL_H
#define PRELOAD_STALL_H

#include "hook.h"
#include <effects/state.h>

/* Hide what arrives on fd until this session time. False: the kernel shows it all the same. */
bool stall_hide(int fd, struct sock_ref r, struct fault_state *f, uint64_t until);
/* Show it again; harmless where nothing is hidden. */
void stall_show(int fd, struct fault_state *f);

/* The process ends: show everything, for whoever else has these sockets. Their next recv hides it anew, until its time. */
void stall_end(void);

/* Under ready_lock: a socket that this process has got from another one, or from the program that it was before exec. */
void stall_adopt(int fd, struct sock_ref r, const struct fault_state *f);

/* Under ready_lock: show what is due at `now`. Answers when the next one is due; READY_NEVER: there is none. */
uint64_t stall_run(uint64_t now);

#endif
