/* pending.h - connection attempts of this process that end later: what a rule asked for, and when it is done.
 *
 * There is no thread to do it: whoever waits (poll, select, epoll), or calls connect again, does what is due. */
#ifndef PRELOAD_PENDING_H
#define PRELOAD_PENDING_H

#include "hook.h"

/* A connect that a rule makes late: the attempt is begun here, out of the peer's hearing. True: the hook has its answer
 * (hook_leave). False: this is no such call; the plan is carried out as that of any other. */
bool pending_connect(struct hook *h);
/* Is an attempt of this socket pending? Does what is due first. */
bool pending_has(struct sock_ref r);

/* Under ready_lock: do what is due at `now`. Answers when the next one is due; READY_NEVER: there is none. */
uint64_t pending_run(uint64_t now);

#endif
