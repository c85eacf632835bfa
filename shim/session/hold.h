/* hold.h - reference records of shared sockets. All under the session's lock.
 *
 * What holds at every moment, so that repair can start from it after a death inside the lock:
 *   1. A record counts only while its `sock` is not 0; that is stored last when it is made, and cleared first.
 *   2. Records speak only of sockets whose word says SHARED; on any other word they are left-overs and are dropped.
 *   3. A word becomes SHARED after the records are there, and stops being SHARED before the last of them goes.
 *   4. Chains (sock.holds, hold.next) are an index over the records: repair makes them anew. */
#ifndef SESSION_HOLD_H
#define SESSION_HOLD_H

#include <session/sock.h>

/* The record of `proc` for this socket, or NULL. */
struct sock_hold *hold_find(const struct session *s, uint32_t sock, uint32_t proc);
/* A new record, put into the socket's chain. 0, -ENOSPC or -ENFILE. */
int hold_add(struct session *s, uint32_t sock, uint32_t proc, int fd, uint32_t fds);
/* Out of the chain, and free. */
void hold_remove(struct session *s, struct sock_hold *hold);
/* A private socket becomes shared: its owner's one descriptor becomes a record. 0; -ENOENT: its owner closed it, or it
 * is another socket now; -ENOSPC, -ENFILE. A shared one: 0. */
int hold_share(struct session *s, struct sock_ref r);
/* A shared socket with one descriptor in one process left becomes private again: true. */
bool hold_unshare(struct session *s, uint32_t sock);
/* The record gives up n descriptors. True: that was the last reference anywhere; the word then says CLOSING and names
 * `closer`, who frees it. Else the socket may have become private again. */
bool hold_give_up(struct session *s, struct sock_hold *hold, uint32_t n, uint32_t closer);
/* All that the process gives up (`doubted`: only records with no confirmed descriptor). `closed` (may be NULL) hears of
 * each socket that nobody has any more, before its slot is free. */
void hold_drop_all(struct session *s, uint32_t proc, bool doubted, proc_closed_fn *closed, void *arg);
/* The next record of the socket, in a chain that may be scribbled on: NULL at its end or where it leads astray. *steps
 * counts from 0 and bounds the walk. */
struct sock_hold *hold_next(const struct session *s, uint32_t sock, uint32_t index, uint32_t *steps);

#endif
