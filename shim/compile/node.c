/* node.c - what was written, as a tree in which everything knows its place. */
#include "node.h"

#include <string.h>

struct node *node_new(struct arena *a, enum node_kind kind, const struct source *s, uint32_t line, uint32_t col)
{
	struct node *n = arena_alloc(a, sizeof(*n));

	n->kind = (uint8_t)kind;
	n->source = s;
	n->line = line;
	n->col = col;
	n->text = "";
	return n;
}

struct node *node_scalar(struct arena *a, const struct source *s, uint32_t line, uint32_t col, const char *text,
			 size_t len)
{
	struct node *n = node_new(a, NODE_SCALAR, s, line, col);

	n->style = NODE_ARGUMENT;
	n->text = arena_copy(a, text, len);
	n->len = len;
	return n;
}

void node_append(struct node *parent, struct node *child, const struct node *key)
{
	child->parent = parent;
	child->key = key;
	child->index = parent->n++;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

struct node *node_find(const struct node *map, const char *key)
{
	struct node *found = NULL;

	for (struct node *n = map->first; n; n = n->next)
		if (n->key && node_is(n->key, key))
			found = n;
	return found;
}

void node_replace(struct node *parent, struct node *old, struct node *with)
{
	struct node *before = NULL;

	for (struct node *n = parent->first; n && n != old; n = n->next)
		before = n;
	with->parent = parent;
	with->key = old->key;
	with->index = old->index;
	with->next = old->next;
	*(before ? &before->next : &parent->first) = with;
	if (parent->last == old)
		parent->last = with;
}

bool node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->style == NODE_PLAIN &&
	       (n->len == 0 || node_is(n, "~") || node_is(n, "null") || node_is(n, "Null") || node_is(n, "NULL"));
}

/* YAML 1.2, core schema, 10.3.2: decimal numbers, with fraction and exponent; 0x and 0o. */
static bool is_number(const char *s)
{
	size_t digits = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o'))
		return s[2] && strspn(s + 2, s[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567") == strlen(s + 2);
	s += *s == '-' || *s == '+';
	if (strcmp(s, ".inf") == 0 || strcmp(s, ".Inf") == 0 || strcmp(s, ".INF") == 0)
		return true;
	digits += strspn(s, "0123456789");
	s += digits;
	if (*s == '.') {
		size_t more = strspn(++s, "0123456789");
		digits += more;
		s += more;
	}
	if (!digits)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		return *s && strspn(s, "0123456789") == strlen(s);
	}
	return !*s;
}

const char *node_resolved(const struct node *n)
{
	static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};

	if (n->style != NODE_PLAIN)
		return "text";
	if (node_is_null(n))
		return "null";
	for (size_t i = 0; i < sizeof(booleans) / sizeof(booleans[0]); i++)
		if (node_is(n, booleans[i]))
			return "boolean";
	return is_number(n->text) || node_is(n, ".nan") || node_is(n, ".NaN") || node_is(n, ".NAN") ? "number" : "text";
}

const char *node_path(struct arena *a, const struct node *n)
{
	if (!n->parent)
		return "";
	const char *up = node_path(a, n->parent);
	if (!n->key)
		return arena_printf(a, "%s[%u]", up, n->index);
	return arena_printf(a, "%s%s%s", up, *up ? "." : "", n->key->kind == NODE_SCALAR ? n->key->text : "?");
}
