/* setting.c - one value changed, `--set`. */
#include "setting.h"
#include "language.h"
#include "scan.h"

#include <string.h>

/* The next part of a path: "name", or "[3]" as its digits. */
struct step {
	const char *name;
	bool index;
	uint32_t number; /* of an index */
	uint32_t col;
};

static bool next_step(struct scan *s, struct step *st)
{
	const char *p = s->at;

	if (p > s->text && *p == '.')
		p++;
	*st = (struct step){.index = *p == '[', .col = scan_col(s, p)};
	size_t len = st->index ? strspn(++p, "0123456789") : strcspn(p, ".[=");
	st->name = arena_copy(s->arena, p, len);
	for (const char *c = st->name; st->index && *c; c++)
		st->number = len > 9 ? UINT32_MAX : st->number * 10 + (uint32_t)(*c - '0');
	p += len;
	if (!len || (st->index && *p++ != ']') || (*p && !strchr(".[=", *p))) {
		scan_fail(s, st->col, "",
			  "no path; write such as seed=7, endpoints.web.port=81 or rules[0].when.first=2");
		return false;
	}
	s->at = p;
	return true;
}

/* The child that a step leads to; NULL: none. A rule may be named, too. */
static struct node *child_of(const struct node *n, const struct step *st)
{
	if (n->kind == NODE_MAP)
		return st->index ? NULL : node_find(n, st->name);
	uint32_t left = st->number;
	for (struct node *c = n->first; c; c = c->next) {
		const struct node *name = c->kind == NODE_MAP ? node_find(c, "name") : NULL;
		if (st->index ? left-- == 0 : name && node_is(name, st->name))
			return c;
	}
	return NULL;
}

/* An item of the lists, or maps of names, under `key` in all documents, numbered through; *total counts them. */
static struct node *item_of(struct node **documents, unsigned n, const char *key, struct step st, unsigned *total)
{
	*total = 0;
	for (unsigned i = 0; i < n; i++) {
		struct node *list = node_find(documents[i], key);
		struct node *found = list && list->kind != NODE_SCALAR ? child_of(list, &st) : NULL;
		if (found)
			return found;
		if (list && list->kind == NODE_LIST) {
			st.number -= list->n;
			*total += list->n;
		}
	}
	return NULL;
}

/* Where `first.second` stands already, or, where it may be new, the map that it goes into; NULL: no such item. */
static struct node *place_of(struct scan *s, struct node **documents, unsigned n, const struct step *first,
			     const struct step *second)
{
	const struct field *f = table_find(&table_policy, first->name);
	unsigned total;
	struct node *item = item_of(documents, n, first->name, *second, &total);

	if (item || !f || f->shape != FIELD_OBJECTS)
		return item;
	scan_fail(s, second->col, first->name,
		  second->index ? arena_printf(s->arena, "no item [%s]; there are %u", second->name, total)
				: arena_printf(s->arena, "none is named %s", diag_quote(s->arena, second->name)));
	return NULL;
}

static void set_value(struct scan *s, struct node *map, const struct step *st, const char *value)
{
	uint32_t col = scan_col(s, value);
	struct node *old = map->kind == NODE_SCALAR ? NULL : child_of(map, st);
	struct node *node = scan_list(s, col, value);

	if (strncmp(value, "'", 1) == 0 || strncmp(value, "\"", 1) == 0) {
		size_t len = strlen(value);
		if (len < 2 || value[len - 1] != *value)
			scan_fail(s, col, "", "a quote that is never closed");
		else
			node = scan_scalar(s, col + 1, arena_copy(s->arena, value + 1, len - 2));
	}
	if (s->failed)
		return;
	if (old)
		node_replace(map, old, node);
	else if (map->kind != NODE_MAP)
		scan_fail(s, st->col, node_path(s->arena, map), "has no such part");
	else
		node_append(map, node, scan_scalar(s, st->col, st->name));
}

void setting_apply(struct diags *d, const struct source *source, unsigned ordinal, const char *text,
		   struct node **documents, unsigned n)
{
	struct scan s = scan_begin(d, source, ordinal, text);
	struct node *map = documents[n - 1];
	struct step st[NODE_DEPTH_MAX];
	unsigned depth = 0;

	if (s.failed)
		return;
	do {
		if (!next_step(&s, &st[depth++]))
			return;
	} while (*s.at && *s.at != '=' && depth < NODE_DEPTH_MAX);
	if (*s.at != '=') {
		scan_fail(&s, scan_col(&s, s.at), "", "no value; write PATH=VALUE");
		return;
	}
	unsigned at = 0;
	if (depth > 1) {
		struct node *there = place_of(&s, documents, n, &st[0], &st[1]);
		if (s.failed)
			return;
		if (there && depth == 2 && !there->key && there->kind == NODE_MAP) {
			const char *path = arena_copy(s.arena, text, (size_t)(s.at - text));
			scan_fail(&s, st[1].col, path,
				  arena_printf(s.arena, "is a map of keys; set one of them: %s.KEY=VALUE", path));
			return;
		}
		if (there && depth > 2) {
			map = there;
			at = 2;
		}
	}
	for (; at + 1 < depth; at++) {
		struct node *child = map->kind == NODE_SCALAR ? NULL : child_of(map, &st[at]);
		if (!child && map->kind != NODE_MAP) {
			scan_fail(&s, st[at].col, node_path(s.arena, map), "has no such part");
			return;
		}
		map = child ? child : scan_part(&s, map, st[at].name, st[at].col);
	}
	set_value(&s, map, &st[depth - 1], s.at + 1);
}
