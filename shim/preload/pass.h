/* pass.h - descriptors passed over unix sockets */
#ifndef PRELOAD_PASS_H
#define PRELOAD_PASS_H

#include <stdbool.h>
#include <sys/socket.h>

#define PASS_MESSAGES_MAX 1024	/* UIO_MAXIOV: net/socket.c, __sys_sendmmsg */

/* May a message sent there carry descriptors? They travel over unix sockets only, so what the session knows to be none
 * needs no look. */
bool pass_may(int fd);
/* Is there anything in this readable message that may concern the session's sockets? */
bool pass_looks(const struct msghdr *m);
/* Before sendmsg: the sockets on their way are held. After one that failed: they are let go again. */
void pass_hold(const struct msghdr *m);
void pass_release(const struct msghdr *m);
/* After recvmsg: what has arrived is adopted. `flags`: the call's. errno untouched. */
void pass_receive(const struct msghdr *m, int flags);

#endif
