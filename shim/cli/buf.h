/* buf.h - bytes appended to memory that grows: what a trace line is written into. */
#ifndef CLI_BUF_H
#define CLI_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that may hold anything, NULs included; p NULL: absent. */
struct text {
	const char *p;
	size_t n;
};

static inline struct text text_of(const char *s)
{
	return (struct text){ s, s ? strlen(s) : 0 };
}

struct buf {
	char *p;
	size_t n, size;
	bool failed;		/* out of memory: what was appended since is gone */
};

char *buf_grow(struct buf *b, size_t n);
/* Room for n more bytes, NULL: out of memory. The caller adds to b->n what it used. */
static inline char *buf_room(struct buf *b, size_t n)
{
	return b->size - b->n >= n ? b->p + b->n : buf_grow(b, n);
}
void buf_free(struct buf *b);

static inline void buf_bytes(struct buf *b, const void *p, size_t n)
{
	char *at = buf_room(b, n);

	if (at && n) {
		memcpy(at, p, n);
		b->n += n;
	}
}

static inline void buf_char(struct buf *b, char c)
{
	char *at = buf_room(b, 1);

	if (at) {
		*at = c;
		b->n++;
	}
}

void buf_str(struct buf *b, const char *s);
void buf_int(struct buf *b, int64_t v);
/* Nanoseconds as seconds with this many decimals (0 to 9), cut, not rounded. */
void buf_seconds(struct buf *b, int64_t ns, unsigned decimals);
/* A JSON string in quotes: control characters, quotes and bytes that are no UTF-8 (as \u00XX) escaped. */
void buf_json(struct buf *b, struct text t);
/* For a line of text: control characters and bytes that are no UTF-8 as \xXX. */
void buf_plain(struct buf *b, struct text t);

#endif
