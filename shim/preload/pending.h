/* pending.h - connection attempts of this process that end later: what a rule asked for, and when it is done.
 *
 * There is no thread to do it: whoever waits (poll, select, epoll, a blocking recv or send), or
 * calls connect again, does what is due. */
#ifndef PRELOAD_PENDING_H
#define PRELOAD_PENDING_H

#include "hook.h"
#include <effects/state.h>

/* A connect that a rule makes late: the attempt is begun here, out of the peer's hearing. True: the hook has its answer
 * (hook_leave). False: this is no such call; the plan is carried out as that of any other. */
bool pending_connect(struct hook *h);
/* Is an attempt of this socket pending? Does what is due first. */
bool pending_has(struct sock_ref r);

/* A blocking call on a socket whose attempt is under way, as the kernel waits there: until the attempt has ended, which
 * is noticed within 100 ms. 0: go on with the real call; else the errno, as of wait_while. */
int pending_wait(struct hook *h);

/* Under ready_lock: a socket that this process has got from another one, or from the program that it was before exec. */
void pending_adopt(int fd, struct sock_ref r, const struct fault_state *f);

/* Under ready_lock: do what is due at `now`. Answers when the next one is due; READY_NEVER: there is none. */
uint64_t pending_run(uint64_t now);

#endif
