/* refuse.h - failures that the real kernel is made to deliver, so that poll, epoll, SO_ERROR and the peer agree. */
#ifndef EFFECTS_REFUSE_H
#define EFFECTS_REFUSE_H

#include <snag/call.h>
#include <stdbool.h>

/* Does this errno reach the program of a connect later, not from the call? A non-blocking TCP connect reports a refusal
 * in poll, epoll and SO_ERROR. */
bool refuse_is_late(const struct snag_call *c, int err);

/* Make the kernel refuse the connection attempt; answers the positive errno for the program, which is EINPROGRESS when
 * the kernel took it on, and else ECONNREFUSED itself. */
int refuse_connect(const struct snag_call *c);

/* Does accept, failing with this errno, take a connection out of the queue? accept(2): errors that stand already on the
 * new socket do; those of a lack of room leave it where it is. */
bool refuse_consumes(int err);

/* Reset and close the consumed connection. */
void refuse_drop(int fd);

#endif
