/* raise.h - readiness, told once more. */
#ifndef EFFECTS_RAISE_H
#define EFFECTS_RAISE_H

#include <stdbool.h>

/* Whoever waits for this TCP socket, also edge-triggered, is told again that it can be read (or written: `sends`), if
 * it can: for a call that said EAGAIN although it could have gone on. */
void raise_again(int fd, bool sends);

#endif
