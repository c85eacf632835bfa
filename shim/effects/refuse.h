/* refuse.h - failures that the real kernel is made to deliver, so that poll, epoll, SO_ERROR and the peer agree. */
#ifndef EFFECTS_REFUSE_H
#define EFFECTS_REFUSE_H

#include <snag/call.h>
#include <stdbool.h>
#include <stdint.h>

/* The keeper's full listeners on 127.0.0.1 and ::1: a connection to one hangs in SYN_SENT. 0: there is none. */
struct refuse_hang {
	uint16_t port4, port6;
};

/* Does this errno reach the program of a connect later, not from the call? A non-blocking TCP connect reports a refusal
 * and a time-out in poll, epoll and SO_ERROR. */
bool refuse_is_late(const struct snag_call *c, int err);

/* Make the kernel fail the connection attempt so; answers the positive errno for the program, which is EINPROGRESS when
 * the kernel took it on, and else `err` itself. ECONNREFUSED comes at once, ETIMEDOUT after `after_ns`, at least 1 s. */
int refuse_connect(const struct snag_call *c, int err, uint64_t after_ns, const struct refuse_hang *hang);

/* Does accept, failing with this errno, take a connection out of the queue? accept(2): errors that stand already on the
 * new socket do; those of a lack of room leave it where it is. */
bool refuse_consumes(int err);

/* Reset and close the consumed connection. */
void refuse_drop(int fd);

#endif
