/* arena.h - memory that is freed all at once: everything a compilation makes on its way. */
#ifndef COMPILE_ARENA_H
#define COMPILE_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks;
	size_t left;		/* bytes free at the end of the newest block */
	char *next;
};

/* Zeroed, aligned for anything. Memory that is refused ends the process: at this size it means the machine is gone. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_copy(struct arena *a, const char *text, size_t len);	/* with a NUL behind it */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

#endif
