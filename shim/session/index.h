/* index.h - which socket has this cookie: an open hash table of slots, in shared memory. All under the session's lock.
 *
 * Only an index over the sockets: an entry counts only if the slot that it names bears the cookie, so entries of closed
 * sockets are left where they are; when they become many the table is made anew. Repair does that too. */
#ifndef SESSION_INDEX_H
#define SESSION_INDEX_H

#include <session/session.h>
#include <stdint.h>

/* The socket (slot + 1) bears a cookie now. */
void index_add(struct session *s, uint32_t sock);
/* Slot + 1 of the living socket with this cookie; 0: none. */
uint32_t index_find(const struct session *s, uint64_t cookie);
void index_rebuild(struct session *s);

#endif
