/* signals.h - the signals of a keeper: remembered, and in the foreground passed on to the command. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The word that a signal bumps, so that a wait on it ends at once; NULL: none. */
void signals_wake(uint32_t *word);

/* Before the command is started: catches what is to be passed on, except what the starter ignores, and holds it back
 * until signals_command. */
void signals_foreground(void);
/* In the forked child: everything as it was before signals_foreground. */
void signals_restore(void);
/* The command's pid is known: what was held back goes to it. 0: it has ended. */
void signals_command(pid_t pid);

/* A background keeper hears SIGTERM only. */
void signals_background(void);
/* Did SIGTERM come since the last question? */
bool signals_term(void);

#endif
