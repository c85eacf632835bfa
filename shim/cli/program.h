/* program.h - the program that is to be run: where it is, and whether a library can be loaded into it. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <limits.h>
#include <stdio.h>

struct program {
	char path[PATH_MAX];	/* what to execute */
};

/* Finds `name` as execvp would and checks it, through #! lines too. 0, or the exit status after one line on stderr:
 * CMD_NOT_FOUND, CMD_REFUSED. */
int program_check(struct program *p, const char *name);

#endif
