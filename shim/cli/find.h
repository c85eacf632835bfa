/* find.h - is there a session of this name, and does it live? */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <session/session.h>
#include <stdbool.h>

/* Attaches the live session NAME: 0. -ENOENT: there is none; one without keeper and processes is removed on the way.
 * Else what session_attach answers. */
int find_session(struct session *s, const char *name);
/* Removes this user's sessions that have neither keeper nor processes: a keeper that was killed could not. */
void find_sweep(void);
/* Has it a keeper or a process, or is it about to have one? */
bool find_is_alive(const struct session *s);

/* Does this keeper run? The pid of a dead one may belong to another program by now. */
bool find_keeper_runs(uint32_t pid);

/* One line on stderr: what is wrong with session NAME (-errno of session_create, session_attach), and what instead. */
void find_complain(const char *name, int err);

#endif
