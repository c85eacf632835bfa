/* lowat.h - data that has arrived on a TCP socket, hidden from poll, select and epoll by the kernel itself. */
#ifndef EFFECTS_LOWAT_H
#define EFFECTS_LOWAT_H

#include <stdbool.h>
#include <stdint.h>

/* Not readable until as much has arrived as the window takes: SO_RCVLOWAT is raised, no further than the kernel gives
 * the socket room for by itself. Answers what it was, at least 1; 0: it could not be done. */
int lowat_raise(int fd);
/* Back to `was`; whoever waits is told of what has arrived. */
void lowat_restore(int fd, int was);
/* The same with what stands in shared memory, 0: nothing is hidden. Of several who try, one takes it from there. */
void lowat_show(int fd, uint32_t *was);

/* Is the socket readable (or writable: `sends`) now? */
bool lowat_is_ready(int fd, bool sends);

#endif
