/* environment.h - what SNAG_POLICY, SNAG_SESSION and SNAG_TRACE ask of a new session. */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include <compile/compile.h>
#include <stdbool.h>

/* Does this process itself run in a session, with libsnag.so in LD_PRELOAD? Then the variables are that session's. */
bool environment_inside(void);

/* A variable's value; NULL where it is not there or empty. */
const char *environment_get(const char *name);

/* Puts the files of SNAG_POLICY, if any, into p, which has none yet. Allocates p->files, and the texts in *texts. -1: no
 * memory. */
int environment_policies(struct compile_input *p, char **texts);

#endif
