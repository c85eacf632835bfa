/* overflow.h - listeners that reset the clients which find their queue full.
 *
 * Linux drops the SYN of such a client: net/ipv4/tcp_input.c, tcp_conn_request(). Where the queue fills between SYN and
 * ACK it resets the client if tcp_abort_on_overflow is set (net/ipv4/tcp_minisocks.c, tcp_check_req()), and so do other
 * systems at any time. Here the client does it to itself: when its SYN was dropped, it asks the kernel who dropped it;
 * if that is a listener of the session whose rule says so, and its queue is full, the attempt is answered and reset by a
 * listener made for this moment (effects/reset.h). The real one has nothing more in its queue. */
#ifndef PRELOAD_OVERFLOW_H
#define PRELOAD_OVERFLOW_H

#include "hook.h"

/* listen has succeeded: what its plan says of the clients to come. */
void overflow_listens(const struct hook *h);

/* Under ready_lock: an attempt of the non-blocking socket r to `to` has just begun. Ends it where its SYN was dropped by
 * such a listener, and answers who wants that, not 0; 0: all is as it was. */
uint32_t overflow_meet(int fd, struct sock_ref r, const struct snag_addr *to);

/* The real connect, of a client that may meet such a listener. */
int overflow_connect(struct hook *h, const struct sockaddr *sa, socklen_t len);

#endif
