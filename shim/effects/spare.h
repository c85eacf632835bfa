/* spare.h - a table of descriptors that is full, and what a program gives up to make room in it.
 *
 * A server that meets EMFILE may close a descriptor that it has kept in reserve for that, to take and drop the
 * connections that wait (libuv does so). As long as one is given up the table is not full. */
#ifndef EFFECTS_SPARE_H
#define EFFECTS_SPARE_H

#include <stdbool.h>

/* Has this process closed a descriptor, and not used its number again, since it was first told that there is none left?
 * The first question is that first time. */
bool spare_left(void);

/* It has got one in an ordinary way: whatever was told is over. */
void spare_forget(void);

#endif
