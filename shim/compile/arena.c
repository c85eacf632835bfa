/* arena.c - memory that is freed all at once. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 65536

struct arena_block {
	struct arena_block *next;
	_Alignas(max_align_t) char bytes[];
};

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (n > a->left) {
		size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;
		struct arena_block *b = calloc(1, sizeof(*b) + size);
		if (!b)
			abort();
		b->next = a->blocks;
		a->blocks = b;
		a->next = b->bytes;
		a->left = size;
	}
	void *p = a->next;
	a->next += n;
	a->left -= n;
	return p;
}

char *arena_copy(struct arena *a, const char *text, size_t len)
{
	char *p = arena_alloc(a, len + 1);
	memcpy(p, text, len);
	return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *p = arena_alloc(a, (size_t)len + 1);
	vsnprintf(p, (size_t)len + 1, format, again);
	va_end(again);
	va_end(args);
	return p;
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
	*a = (struct arena){0};
}
