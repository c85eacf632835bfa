/* bell.h - a word from outside to all that wait in a session: something that a wait may hang on has changed (snag ctl).
 * A named pipe beside the session's file, which nobody writes to: whoever has it open to read, and waits for edges, is
 * woken when a writer closes it (fs/pipe.c, pipe_release()). Unlike inotify(7), whose descriptors take milliseconds to
 * close. */
#ifndef SESSION_BELL_H
#define SESSION_BELL_H

#include <session/session.h>

/* A descriptor with an edge (EPOLLET) for each ring, closed on exec, numbered 512 or above where the limit allows. -errno:
 * the folder is out of reach. */
int bell_open(const struct session *s);

void bell_ring(const struct session *s);

#endif
