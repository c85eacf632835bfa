/* field.c - the walker: a tree and a table to an object, and objects on top of each other. */
#include "field.h"
#include "type.h"

#include <string.h>

#define VALUES_MAX 1024u /* of a list */

const char *table_key(const void *table, unsigned i)
{
	const struct table *t = table;

	return i < t->n ? t->fields[i].key : NULL;
}

const struct field *table_find(const struct table *t, const char *key)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->fields[i].key, key) == 0)
			return &t->fields[i];
	return NULL;
}

bool words_have(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = words; *s;) {
		size_t len = strcspn(s, " ");
		if (len == n && memcmp(s, word, n) == 0)
			return true;
		s += len;
		s += *s == ' ';
	}
	return false;
}

const char *words_listed(struct arena *a, const char *words)
{
	const char *list = "";

	for (const char *s = words; *s;) {
		int len = (int)strcspn(s, " ");
		list = arena_printf(a, "%s%s%.*s", list, *list ? ", " : "", len, s);
		s += len;
		s += *s == ' ';
	}
	return list;
}

/* ---- messages ---- */

static const char *word_list(struct arena *a, const struct word *words)
{
	const char *list = "one of ";

	for (const struct word *w = words; w->name; w++)
		list = arena_printf(a, "%s%s%s", list, w == words ? "" : ", ", w->name);
	return list;
}

const char *field_wants(struct arena *a, const struct field *f)
{
	static const char *const shapes[] = {
		[FIELD_OBJECT] = "a map",
		[FIELD_OBJECTS] = "a list",
		[FIELD_NAMED] = "a map of names",
	};

	if (!f->type)
		return shapes[f->shape];
	if (f->words)
		return word_list(a, f->words);
	if (f->type == &type_number && f->max == INT64_MAX)
		return arena_printf(a, "a number of at least %lld", (long long)f->min);
	if (f->type == &type_number)
		return arena_printf(a, "a number from %lld to %lld", (long long)f->min, (long long)f->max);
	return f->type->wants;
}

static const char *found(struct arena *a, const struct node *n)
{
	if (n->kind != NODE_SCALAR)
		return n->kind == NODE_LIST ? "a list" : "a map";
	const char *as = n->style == NODE_PLAIN ? node_resolved(n) : "text";
	if (node_is_null(n) || (n->style == NODE_ARGUMENT && !n->len))
		return "nothing";
	if (strcmp(as, "number") == 0)
		return arena_printf(a, "the number %s", n->text);
	return strcmp(as, "boolean") == 0 ? n->text : diag_quote(a, n->text);
}

static void wrong_type(struct diags *d, const struct node *n, const char *wants)
{
	bool number_for_text = n->kind == NODE_SCALAR && strcmp(node_resolved(n), "number") == 0 &&
			       strcmp(wants, type_text.wants) == 0;

	diag_error(d, n, "wants %s, found %s%s", wants, found(d->arena, n),
		   number_for_text ? "; put it in quotes" : "");
}

/* ---- scalars ---- */

static bool accepts(const struct type *t, const struct node *n)
{
	const char *as = node_resolved(n);

	if (n->style == NODE_ARGUMENT)
		return true;
	return (strcmp(as, "text") == 0 && (t->accepts & ACCEPT_TEXT)) ||
	       (strcmp(as, "number") == 0 && (t->accepts & ACCEPT_NUMBER)) ||
	       (strcmp(as, "boolean") == 0 && (t->accepts & ACCEPT_BOOL));
}

static bool read_value(struct diags *d, const struct field *f, const struct node *n, struct value *v)
{
	*v = (struct value){.node = n, .text = n->text};
	if (n->kind != NODE_SCALAR || !accepts(f->type, n)) {
		wrong_type(d, n, field_wants(d->arena, f));
		return false;
	}
	const char *wrong = f->type->read(d->arena, f, n->text, v);
	if (wrong && *wrong)
		diag_error(d, n, "%s", wrong);
	else if (wrong)
		wrong_type(d, n, field_wants(d->arena, f));
	return !wrong;
}

static void read_values(struct diags *d, const struct field *f, const struct node *n, struct slot *s)
{
	bool list = f->shape == FIELD_MANY && n->kind == NODE_LIST;

	if (list && !n->n)
		diag_error(d, n, "an empty list; leave %s out, or name a value", f->key);
	if (list && n->n > VALUES_MAX) {
		diag_error(d, n, "more than %u values", VALUES_MAX);
		return;
	}
	s->values = arena_alloc(d->arena, (list ? n->n : 1) * sizeof(*s->values));
	for (const struct node *item = list ? n->first : n; item; item = list ? item->next : NULL)
		if (read_value(d, f, item, &s->values[s->n]))
			s->n++;
}

/* ---- objects ---- */

static bool endpoint_name_ok(const struct node *key)
{
	return key->len && key->len < 64 &&
	       strspn(key->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == key->len;
}

static void read_objects(struct diags *d, const struct field *f, struct node *n, struct slot *s)
{
	bool one = f->shape == FIELD_OBJECT;

	if (!one && n->kind != (f->shape == FIELD_OBJECTS ? NODE_LIST : NODE_MAP)) {
		wrong_type(d, n, field_wants(d->arena, f));
		return;
	}
	s->objects = arena_alloc(d->arena, ((one ? 1 : n->n) + 1) * sizeof(struct object *));
	for (struct node *item = one ? n : n->first; item; item = one ? NULL : item->next) {
		struct object *o = object_read(d, f->table, item);
		if (f->shape == FIELD_NAMED) {
			if (!endpoint_name_ok(item->key))
				diag_error_key(d, item, "a name is 1 to 63 letters, digits, _ and -");
			o->name = item->key->text;
		}
		s->objects[s->n++] = o;
	}
}

static void read_field(struct diags *d, struct object *o, struct node *n)
{
	const struct table *t = o->table;
	const struct field *f = table_find(t, n->key->text);
	const char *refused = t->refuse ? t->refuse(n->key->text) : NULL;

	if (!f) {
		if (refused)
			diag_error_key(d, n, "%s", refused);
		else
			diag_error_key(d, n, "unknown key%s", suggest_hint(d->arena, n->key->text, table_key, t));
		return;
	}
	struct slot *s = &o->slots[f - t->fields];
	*s = (struct slot){.node = n};
	unsigned errors = d->errors;
	if (f->type)
		read_values(d, f, n, s);
	else
		read_objects(d, f, n, s);
	if ((f->flags & FIELD_LATER) && d->errors == errors && !f->fits)
		diag_error_key(d, n, "is not built yet; leave it out");
}

static void check_keys(struct diags *d, const struct object *o)
{
	const struct table *t = o->table;
	const struct node *chosen = NULL;

	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		const struct node *at = o->slots[i].node;
		const char *up = node_path(d->arena, o->node);
		if ((f->flags & FIELD_REQUIRED) && !at)
			diag_error_at(d, o->node->source, o->node->line, o->node->col,
				      arena_printf(d->arena, "%s%s%s", up, *up ? "." : "", f->key),
				      "is missing; wants %s", field_wants(d->arena, f));
		if (!at || !t->one_of || !words_have(t->one_of, f->key))
			continue;
		if (chosen)
			diag_error_key(d, at, "only one of %s may stand here, and %s does already",
				       words_listed(d->arena, t->one_of), chosen->key->text);
		chosen = at;
	}
	if (t->one_of && !chosen)
		diag_error(d, o->node, "one of %s must stand here", words_listed(d->arena, t->one_of));
}

/* What a lone word in place of a map may have meant. */
static const char *lone_word_hint(struct arena *a, const struct table *t, const struct node *n)
{
	const char *name;

	if (n->kind != NODE_SCALAR || !t->word_is_true)
		return "";
	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		if (node_is(n, f->key))
			return arena_printf(a, "; write {%s: ...}", f->key);
		for (unsigned j = 0; f->type->names && (name = f->type->names(NULL, j)); j++)
			if (node_is(n, name))
				return arena_printf(a, "; write {%s: %s}", f->key, name);
	}
	return suggest_hint(a, n->text, table_key, t);
}

/* `eof` for `{eof: true}`. */
static struct node *expand_word(struct diags *d, const struct table *t, struct node *n)
{
	const struct field *f = table_find(t, n->text);

	if (!f || f->type != &type_true)
		return NULL;
	struct node *map = node_new(d->arena, NODE_MAP, n->source, n->line, n->col);
	struct node *key = node_scalar(d->arena, n->source, n->line, n->col, n->text, n->len);
	map->parent = n->parent;
	map->key = n->key;
	map->index = n->index;
	node_append(map, node_scalar(d->arena, n->source, n->line, n->col, "true", 4), key);
	return map;
}

struct object *object_read(struct diags *d, const struct table *t, struct node *n)
{
	struct object *o = arena_alloc(d->arena, sizeof(*o));

	if (n->kind == NODE_SCALAR && t->word_is_true) {
		struct node *map = expand_word(d, t, n);
		n = map ? map : n;
	}
	*o = (struct object){.table = t, .node = n};
	o->slots = arena_alloc(d->arena, t->n * sizeof(*o->slots));
	if (n->kind != NODE_MAP) {
		diag_error(d, n, "wants a map of keys, found %s%s", found(d->arena, n), lone_word_hint(d->arena, t, n));
		return o;
	}
	for (struct node *child = n->first; child; child = child->next)
		read_field(d, o, child);
	check_keys(d, o);
	return o;
}

void object_merge(struct arena *a, struct object *into, const struct object *from)
{
	for (unsigned i = 0; i < into->table->n; i++) {
		const struct field *f = &into->table->fields[i];
		struct slot *to = &into->slots[i];
		const struct slot *s = &from->slots[i];
		if (!s->n)
			continue;
		if (!to->n || f->type) {
			*to = *s;
		} else if (f->shape == FIELD_OBJECT) {
			object_merge(a, to->objects[0], s->objects[0]);
		} else {
			struct object **all = arena_alloc(a, (to->n + s->n) * sizeof(struct object *));
			memcpy(all, to->objects, to->n * sizeof(*all));
			memcpy(all + to->n, s->objects, s->n * sizeof(*all));
			to->objects = all;
			to->n += s->n;
		}
	}
}
