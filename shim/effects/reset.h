/* reset.h - a real RST, whatever copies of the descriptor exist.
 *
 * Disconnecting (connect to AF_UNSPEC) sends the peer a RST and keeps the socket, for all that have it. So that it
 * meets what a received RST leaves, it is then connected once more, to a listener made for this moment on its own
 * address; what it had received and not read comes through there again, and the other end resets it. The kernel thus
 * gives the local side what it always gives: what was queued, ECONNRESET once (EPIPE behind the peer's FIN), then 0.
 * Differences: getsockname tells another port where the socket was not bound to one; getpeername, while PEER leaves it connected,
 * another address; and who looks in the middle of it sees a socket that is not connected. */
#ifndef EFFECTS_RESET_H
#define EFFECTS_RESET_H

#include <snag/addr.h>
#include <stdbool.h>

/* Reset the connection, as enum snag_end says. SELF: a RST received here; the peer notices when it sends. PEER: a RST
 * received there; our side notices when it sends. BOTH: both at once. What the program has sent goes out before it, for
 * up to 100 ms. -ENOTCONN: no TCP connection; -EOPNOTSUPP: the kernel encrypts it, and cannot. What fails later (no
 * loopback interface) leaves a socket that is not connected: -errno. *strayed: somebody has got the error that the
 * disconnecting left, one too many. */
int reset_connection(int fd, unsigned end, bool *strayed);

/* A non-blocking connection attempt to `to`, an address of this machine, which is under way: it ends as one that was
 * answered and then reset, as it goes where tcp_abort_on_overflow is set. 0; -errno: it goes on, or (once it was given up)
 * the socket is not connected. */
int reset_attempt(int fd, const struct snag_addr *to);

/* Is this a TCP socket that is connected now? */
int reset_connected(int fd);

#endif
