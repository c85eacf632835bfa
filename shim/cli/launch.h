/* launch.h - starts the command with the library preloaded into it, and says how it ended. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "program.h"

#include <limits.h>
#include <sys/types.h>

struct launch {
	const struct program *program;
	char **argv;			/* of the command */
	const char *session;		/* its name */
	char library[PATH_MAX];		/* what to preload, see launch_library */
};

/* Finds libsnag.so, and where its path has blanks or colons, which LD_PRELOAD cannot carry, makes a link to it beside
 * the session's file. 0, or CMD_FAILED after one line on stderr. The session is there already. */
int launch_library(struct launch *l);

/* Between signals_foreground and signals_command. Its pid; or minus an exit status, after one line on stderr. */
pid_t launch_start(const struct launch *l);

/* waitpid's status as an exit status: the command's own, or 128+N. */
int launch_status(int status);

#endif
