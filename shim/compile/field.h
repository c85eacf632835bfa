/* field.h - the language as tables: which keys a section has, what each takes. One description, four readers: the
 * walker that reads and checks a tree, the canonical printer, the JSON Schema and the reference page. */
#ifndef COMPILE_FIELD_H
#define COMPILE_FIELD_H

#include "diag.h"
#include "node.h"

#include <snag/addr.h>
#include <stdio.h>

/* A scalar that was read. What lo, hi and step mean is the type's; `text` is its canonical form. */
struct value {
	const struct node *node;
	const char *text;
	int64_t lo, hi, step;
	struct snag_addr net;
	uint8_t prefix, any;
};

struct field;

enum type_accepts { ACCEPT_TEXT = 1, ACCEPT_NUMBER = 2, ACCEPT_BOOL = 4 };

struct type {
	const char *name;	/* in the reference */
	const char *wants;	/* "a duration such as 250ms": for messages and the reference */
	unsigned accepts;	/* enum type_accepts: what YAML may make of it */
	/* Fills v, whose text is as written beforehand. NULL; or what is wrong; or "": it is no such thing at all. */
	const char *(*read)(struct arena *a, const struct field *f, const char *text, struct value *v);
	const char *pattern;	/* JSON Schema of its texts; NULL: see words, or any text */
	suggest_fn *names;	/* all there are; NULL: no fixed set */
};

struct word {
	const char *name;	/* NULL ends the list */
	int value;
	bool later;		/* part of the language, not built yet */
};

enum field_shape {
	FIELD_ONE,		/* a scalar */
	FIELD_MANY,		/* a scalar, or a list of them */
	FIELD_OBJECT,		/* a map with a table of its own */
	FIELD_OBJECTS,		/* a list of such maps */
	FIELD_NAMED,		/* a map of names to such maps */
};

enum field_flag {
	FIELD_REQUIRED = 1,
	FIELD_LATER = 2,	/* checked like all others, then refused: not built yet */
	FIELD_PARAM = 4,	/* of an action: stands beside it */
	FIELD_IN_FILES = 8,	/* required in every file; arguments do without */
};

struct field {
	const char *key;
	uint8_t shape;			/* enum field_shape */
	uint8_t flags;			/* enum field_flag */
	const struct type *type;	/* scalars */
	const struct table *table;	/* objects */
	const struct word *words;	/* scalars of a few words */
	int64_t min, max;		/* numbers: range; texts: bytes */
	const char *help;
	const char *fits;		/* actions: groups of calls; parameters: the action */
};

struct table {
	const char *name;		/* heading of the reference */
	const char *help;
	unsigned n;
	const struct field *fields;
	const char *one_of;		/* keys of which exactly one stands there, separated by blanks; NULL */
	bool block;			/* printed a key a line */
	bool word_is_true;		/* `KEY` stands for `{KEY: true}` */
	const char *(*refuse)(const char *key);	/* words on keys that are known and never will be; NULL */
};

struct slot {				/* one field of an object */
	const struct node *node;	/* NULL: it was not written */
	unsigned n;
	struct value *values;		/* scalars */
	struct object **objects;
};

struct object {
	const struct table *table;
	const struct node *node;
	const char *name;		/* of FIELD_NAMED */
	struct slot *slots;		/* one for each field of the table */
};

/* Reads what it can; the rest has been said and is left out. Never NULL. */
struct object *object_read(struct diags *d, const struct table *t, struct node *n);
/* What `from` says on top of `into`: scalars replace, lists and named maps append, sections merge. */
void object_merge(struct arena *a, struct object *into, const struct object *from);
/* Canonical YAML. */
void object_print(FILE *out, const struct object *o, unsigned indent);

static inline bool object_has(const struct object *o, unsigned key)
{
	return o->slots[key].n > 0;
}
/* The number a scalar means; `other` where it is not there. */
static inline int64_t object_num(const struct object *o, unsigned key, int64_t other)
{
	return object_has(o, key) ? o->slots[key].values[0].lo : other;
}
static inline const char *object_text(const struct object *o, unsigned key)
{
	return object_has(o, key) ? o->slots[key].values[0].text : NULL;
}
static inline const struct node *object_at(const struct object *o, unsigned key)
{
	return o->slots[key].node;
}
/* The object under a key; NULL where it is not there. */
static inline const struct object *object_sub(const struct object *o, unsigned key)
{
	return object_has(o, key) ? o->slots[key].objects[0] : NULL;
}

const struct field *table_find(const struct table *t, const char *key);
const char *table_key(const void *table, unsigned i);	/* a suggest_fn */
/* What a scalar field takes, in words: "a number from 1 to 100", "one of tcp, udp, unix". */
const char *field_wants(struct arena *a, const struct field *f);
/* "a b c" -> "a, b, c" */
const char *words_listed(struct arena *a, const char *words);
/* Is `word` one of the words of a list separated by blanks? */
bool words_have(const char *words, const char *word);

#endif
