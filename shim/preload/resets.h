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

#endif
