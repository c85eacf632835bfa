/* start.h - finding or starting the session of this process. */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include <stdbool.h>

/* Where this library was loaded from: absolute, as a child's LD_PRELOAD can name it. "": not to be found. */
const char *start_library(void);
/* The same as the loader was told. */
const char *start_library_given(void);

/* Attach to the session that the environment names, or start the installed `snag` as keeper of a new one. True:
 * attached; the name is in *name. False: the program runs without; a line on descriptor 2 says why. Ends the process
 * with 125 for a policy that does not load, and for any trouble under SNAG_ON_ERROR=strict. A session that the process
 * has from its parent is joined or silently left, and never made anew: who exec'd it may be another user by now. */
bool start_session(const char **name);

#endif
