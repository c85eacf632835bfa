/* scan.c - one argument of the command line, read from left to right into nodes. */
#include "scan.h"
#include "type.h"

#include <string.h>

#define ARGUMENT_BYTES_MAX 65536

void scan_complain(struct scan *s, uint32_t col, const char *path, const char *what)
{
	diag_error_at(s->diags, s->source, s->line, col, path, "%s", what);
}

void scan_fail(struct scan *s, uint32_t col, const char *path, const char *what)
{
	scan_complain(s, col, path, what);
	s->failed = true;
}

/* Columns are characters, as in files. */
uint32_t scan_col(const struct scan *s, const char *p)
{
	uint32_t col = 1;

	for (const char *c = s->text; c < p; c++)
		col += ((unsigned char)*c & 0xc0) != 0x80;
	return col;
}

struct node *scan_scalar(struct scan *s, uint32_t col, const char *text)
{
	return node_scalar(s->arena, s->source, s->line, col, text, strlen(text));
}

struct node *scan_map(struct scan *s, uint32_t col)
{
	return node_new(s->arena, NODE_MAP, s->source, s->line, col);
}

struct node *scan_part(struct scan *s, struct node *map, const char *key, uint32_t col)
{
	struct node *n = node_find(map, key);

	if (!n) {
		n = scan_map(s, col);
		node_append(map, n, scan_scalar(s, col, key));
	}
	return n;
}

struct node *scan_list(struct scan *s, uint32_t col, const char *text)
{
	if (!strchr(text, ','))
		return scan_scalar(s, col, text);
	struct node *list = node_new(s->arena, NODE_LIST, s->source, s->line, col);
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ",");
		node_append(list, scan_scalar(s, col + (uint32_t)(p - text), arena_copy(s->arena, p, len)), NULL);
		p += len;
		if (!*p)
			return list;
	}
}

struct scan scan_begin(struct diags *d, const struct source *source, unsigned ordinal, const char *text)
{
	struct scan s = {.diags = d, .arena = d->arena, .source = source, .line = ordinal, .text = text, .at = text};

	if (strlen(text) > ARGUMENT_BYTES_MAX)
		scan_fail(&s, 1, "", "longer than 64 KiB; write it into a file");
	else if (!text_is_utf8(text))
		scan_fail(&s, 1, "", "not UTF-8");
	return s;
}
