/* bell.h - a word from outside to all that wait in a session: something that a wait may hang on has changed (snag ctl).
 * The session's file is touched, and whoever waits watches it: inotify(7). */
#ifndef SESSION_BELL_H
#define SESSION_BELL_H

#include <session/session.h>

/* A descriptor that is readable once the bell has been rung, closed on exec, numbered 512 or above where the limit allows.
 * -errno: the file is out of reach, or the user has no watches left. */
int bell_open(const struct session *s);
/* Until it is rung again. Look at what may have changed after this. */
void bell_heard(int fd);

void bell_ring(const struct session *s);

#endif
