/* scan.h - one argument of the command line, read from left to right into nodes. Columns count characters from 1. */
#ifndef COMPILE_SCAN_H
#define COMPILE_SCAN_H

#include "diag.h"
#include "node.h"

struct scan {
	struct diags *diags;
	struct arena *arena;
	const struct source *source;
	uint32_t line;			/* which argument it is */
	const char *text, *at;
	bool failed;			/* reading can't go on; that has been said */
	bool divided;			/* of a rule: the `: ` has been passed */
};

/* Text that is too long or no UTF-8 fails at once. */
struct scan scan_begin(struct diags *d, const struct source *s, unsigned ordinal, const char *text);

/* Say what is wrong under `path` ("": none): reading can go on; it can't. */
void scan_complain(struct scan *s, uint32_t col, const char *path, const char *what);
void scan_fail(struct scan *s, uint32_t col, const char *path, const char *what);

uint32_t scan_col(const struct scan *s, const char *p);
struct node *scan_scalar(struct scan *s, uint32_t col, const char *text);
struct node *scan_map(struct scan *s, uint32_t col);
/* A scalar; at commas a list of them. */
struct node *scan_list(struct scan *s, uint32_t col, const char *text);
/* The map under `key` of `map`, made where it is not there. */
struct node *scan_part(struct scan *s, struct node *map, const char *key, uint32_t col);

#endif
