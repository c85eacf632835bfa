/* file.h - the session's file: its layout, its making and its mapping, and file space for parts of it. */
#ifndef SESSION_FILE_H
#define SESSION_FILE_H

#include <session/session.h>

/* Sections begin at multiples of this, which every page size divides. */
#define FILE_ALIGN 65536u

/* Really allocates what lies under [p, p + n) of the mapping. 0 or -ENOSPC. */
int file_room(struct session *s, void *p, size_t n);

#endif
