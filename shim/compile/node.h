/* node.h - what was written, in a file or on the command line, as a tree in which everything knows its place. */
#ifndef COMPILE_NODE_H
#define COMPILE_NODE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_BYTES_MAX (1u << 20)	/* of a policy file */
#define NODE_DEPTH_MAX 32

/* Where text came from. */
struct source {
	const char *name;	/* "storm.yaml", "--rule" */
	unsigned order;		/* diagnostics stand in the order of the sources */
	bool argument;		/* an argument of the command line: its n-th stands in place of the line */
};

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };
enum node_style { NODE_PLAIN, NODE_QUOTED, NODE_ARGUMENT };	/* ARGUMENT: any type, as the place asks */

struct node {
	uint8_t kind;			/* enum node_kind */
	uint8_t style;			/* enum node_style, of scalars */
	uint32_t index;			/* in its list, from 0 */
	uint32_t line, col;		/* from 1; line 0: no place within the source */
	uint32_t n;			/* children of lists and maps */
	const struct source *source;
	const struct node *parent;	/* NULL: the root, whose name is not said */
	const struct node *key;		/* the scalar that names it in its map */
	struct node *first, *last, *next;
	const char *text;		/* scalars: NUL terminated */
	size_t len;
};

struct node *node_new(struct arena *a, enum node_kind kind, const struct source *s, uint32_t line, uint32_t col);
struct node *node_scalar(struct arena *a, const struct source *s, uint32_t line, uint32_t col, const char *text,
			 size_t len);
/* At the end of a list; of a map, under `key`. */
void node_append(struct node *parent, struct node *child, const struct node *key);
/* The last of that name, if one is there. */
struct node *node_find(const struct node *map, const char *key);
/* Takes the place of `old`, which stands in its parent's list or map. */
void node_replace(struct node *parent, struct node *old, struct node *with);

static inline bool node_is(const struct node *n, const char *text)
{
	return n->kind == NODE_SCALAR && __builtin_strcmp(n->text, text) == 0;
}
/* Nothing was written: an empty plain scalar, `~` or `null`. */
bool node_is_null(const struct node *n);
/* What YAML 1.2 makes of a plain scalar: one of "null", "boolean", "number", "text". */
const char *node_resolved(const struct node *n);
/* "rules[2].do.errno"; the root is "". */
const char *node_path(struct arena *a, const struct node *n);

#endif
