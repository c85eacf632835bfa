/* own.h - socket options that a fault has changed for as long as it is in force: the program reads what it has set
 * itself, and what it sets meanwhile comes into force when the fault is over. */
#ifndef PRELOAD_OWN_H
#define PRELOAD_OWN_H

#include <stdbool.h>
#include <sys/socket.h>

/* The program's own value. False: no fault has changed this option. */
bool own_value(int fd, int level, int name, int *own);
/* The same of an option that is none of the program's: it reads as empty. */
bool own_nothing(int fd, int level, int name);
/* The program sets it. True: it is kept, or *err is the positive errno that the kernel would give. */
bool own_keep(int fd, int level, int name, const void *value, socklen_t len, int *err);

#endif
