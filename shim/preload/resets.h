/* resets.h - connections that are reset at this moment: what the kernel says of them in between (effects/reset.h)
 * nobody is to see. In the epoll sets of this process they do not stand meanwhile; poll, select and recv wait. */
#ifndef PRELOAD_RESETS_H
#define PRELOAD_RESETS_H

#include <effects/state.h>
#include <session/sock.h>
#include <stdbool.h>

/* Resets the connection, as reset_connection(); the model learns of it. f: NULL where there is no room for one. */
int resets_do(int fd, struct sock_ref r, struct fault_state *f, unsigned end);

/* A recv or send that began before the reset has answered `err`: is that from in between? Waits for its end. */
bool resets_stray(struct fault_state *f, int err);

/* Is the socket at fd being reset? Waits for the end: what was seen of it before is to be looked at once more. */
bool resets_met(int fd);

/* What a connection that was reset had for an address of its own, or its peer's. False: fd is none. */
bool resets_address(int fd, bool peer, struct snag_addr *a);
/* The program connects or disconnects the socket: from now on the kernel speaks of its addresses. */
void resets_over(struct sock_ref r);

#endif
