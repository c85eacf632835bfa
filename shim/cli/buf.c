/* buf.c - bytes appended to memory that grows. Written by hand, since every event of a trace passes through here. */
#include "buf.h"

#include <stdlib.h>

char *buf_grow(struct buf *b, size_t n)
{
	size_t size = b->size ? b->size * 2 : 4096;
	while (size - b->n < n)
		size *= 2;
	char *p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->size = size;
	return p + b->n;
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void buf_str(struct buf *b, const char *s)
{
	buf_bytes(b, s, strlen(s));
}

/* The digits of v, at least `width` of them. */
static void digits(struct buf *b, uint64_t v, unsigned width)
{
	char d[20];
	unsigned n = sizeof(d);

	while (v > UINT32_MAX) {
		d[--n] = (char)('0' + v % 10);
		v /= 10;
	}
	for (uint32_t low = (uint32_t)v; low || n > sizeof(d) - width; low /= 10)
		d[--n] = (char)('0' + low % 10);
	buf_bytes(b, d + n, sizeof(d) - n);
}

void buf_int(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_char(b, '-');
	digits(b, v < 0 ? -(uint64_t)v : (uint64_t)v, 1);
}

void buf_seconds(struct buf *b, int64_t ns, unsigned decimals)
{
	uint64_t scale = 1, part;

	if (ns < 0)
		buf_char(b, '-');
	part = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	for (unsigned i = decimals; i < 9; i++)
		scale *= 10;
	digits(b, part / 1000000000, 1);
	if (decimals) {
		buf_char(b, '.');
		digits(b, part % 1000000000 / scale, decimals);
	}
}

/* Length of the UTF-8 sequence at p, 0 where there is none (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct { unsigned char lo, hi, lo2, hi2, len; } rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },	  { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },	  { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },	  { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = rows[i].len;
		if (p[0] < rows[i].lo || p[0] > rows[i].hi)
			continue;
		if (len > n || (len > 1 && (p[1] < rows[i].lo2 || p[1] > rows[i].hi2)))
			return 0;
		for (size_t k = 2; k < len; k++)
			if (p[k] < 0x80 || p[k] > 0xbf)
				return 0;
		return len;
	}
	return 0;
}

/* Copies t; what is not printable goes out as `escape` and two hexadecimal digits, and so do quotes and backslashes
 * where they are `quoted`. */
static void escaped(struct buf *b, struct text t, const char *escape, bool quoted)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0;

	if (!t.n)
		return;
	for (size_t i = 0; i < t.n;) {
		unsigned char c = (unsigned char)t.p[i];
		bool also = quoted && (c == '"' || c == '\\');
		size_t len = c < 0x80 ? 1 : utf8_length((const unsigned char *)t.p + i, t.n - i);
		/* U+0080 to U+009F are control characters too. */
		bool c1 = c == 0xc2 && len == 2 && (unsigned char)t.p[i + 1] < 0xa0;
		if (len && c >= 0x20 && c != 0x7f && !c1 && !also) {
			i += len;
			continue;
		}
		if (c1)		/* the code point's number is its second byte */
			c = (unsigned char)t.p[i + 1];
		buf_bytes(b, t.p + plain, i - plain);
		buf_str(b, escape);
		buf_char(b, hex[c >> 4]);
		buf_char(b, hex[c & 15]);
		i += c1 ? 2 : 1;
		plain = i;
	}
	buf_bytes(b, t.p + plain, t.n - plain);
}

void buf_json(struct buf *b, struct text t)
{
	buf_char(b, '"');
	escaped(b, t, "\\u00", true);
	buf_char(b, '"');
}

void buf_plain(struct buf *b, struct text t)
{
	escaped(b, t, "\\x", false);
}
