/* folder.h - where session files stand: a folder of the user's own, in memory where there is such a file system. */
#ifndef SESSION_FOLDER_H
#define SESSION_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define FOLDERS 2		/* /dev/shm/snag-UID, /tmp/snag-UID */
#define FOLDER_PATH_MAX 64

/* Opens folder i of this user (effective uid), making it if `make` is set: a descriptor (O_PATH, close-on-exec).
 * -EACCES: somebody else's, or open to others; else what the kernel says. path (may be NULL): FOLDER_PATH_MAX bytes. */
int folder_open(unsigned i, bool make, char *path);

/* Calls back with each name in an open folder, "." and ".." left out. 0 or -errno. */
int folder_each(int folder, void (*each)(int folder, const char *name, void *arg), void *arg);

#endif
