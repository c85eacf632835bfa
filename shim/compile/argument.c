/* argument.c - `--rule` and `--set` to trees.
 *
 * `--rule` is read token by token. A token ends at a blank, or at a `:` with a blank or the end behind it; the first such
 * `:` divides. A value that begins with a quote goes on to the next quote of that kind. */
#include "argument.h"
#include "language.h"
#include "type.h"

#include <base/base.h>
#include <base/names.h>
#include <snag/plan.h>
#include <string.h>

#define ARGUMENT_BYTES_MAX 65536

struct token {
	const char *key, *value;	/* value: NULL without `=` */
	uint32_t col, value_col;
	bool quoted;
};

struct scan {
	struct diags *diags;
	struct arena *arena;
	const struct source *source;
	uint32_t line;			/* which argument it is */
	const char *text, *at;
	bool divided;			/* the `: ` has been passed */
	bool failed;
};

static void fail(struct scan *s, uint32_t col, const char *path, const char *what)
{
	diag_error_at(s->diags, s->source, s->line, col, path, "%s", what);
	s->failed = true;
}

/* Columns are characters, as in files. */
static uint32_t col_of(const struct scan *s, const char *p)
{
	uint32_t col = 1;

	for (const char *c = s->text; c < p; c++)
		col += ((unsigned char)*c & 0xc0) != 0x80;
	return col;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool ends_token(const struct scan *s, const char *p)
{
	return !*p || is_blank(*p) || (*p == ':' && !s->divided && (!p[1] || is_blank(p[1])));
}

static bool good_text(struct scan *s)
{
	if (strlen(s->text) > ARGUMENT_BYTES_MAX)
		fail(s, 1, "", "longer than 64 KiB; write it into a file");
	else if (!text_is_utf8(s->text))
		fail(s, 1, "", "not UTF-8");
	return !s->failed;
}

static struct node *scalar(struct scan *s, uint32_t col, const char *text)
{
	return node_scalar(s->arena, s->source, s->line, col, text, strlen(text));
}

static struct node *map_new(struct scan *s, uint32_t col)
{
	return node_new(s->arena, NODE_MAP, s->source, s->line, col);
}

static void put(struct scan *s, struct node *map, const struct token *t, const char *key, struct node *value)
{
	if (node_find(map, key))
		fail(s, t->col, key, "duplicate key");
	else
		node_append(map, value, scalar(s, t->col, key));
}

/* The map under `key` of `map`, made where it is not there. */
static struct node *part(struct scan *s, struct node *map, const char *key, uint32_t col)
{
	struct node *n = node_find(map, key);

	if (!n) {
		n = map_new(s, col);
		node_append(map, n, scalar(s, col, key));
	}
	return n;
}

/* ---- tokens ---- */

/* The end of the value that begins at p; NULL: its quote is never closed, or goes on behind it. */
static const char *value_end(struct scan *s, const char *p, struct token *t)
{
	if (*p != '\'' && *p != '"') {
		while (!ends_token(s, p))
			p++;
		return p;
	}
	const char *close = strchr(p + 1, *p);
	t->quoted = true;
	if (!close)
		fail(s, col_of(s, p), t->key, "a quote that is never closed");
	else if (!ends_token(s, close + 1))
		fail(s, col_of(s, close + 1), t->key, "text behind the closing quote");
	return close && ends_token(s, close + 1) ? close + 1 : NULL;
}

/* Goes to the next token of this side of the divider; false: there is none. */
static bool find_token(struct scan *s)
{
	while (is_blank(*s->at))
		s->at++;
	if (!*s->at || s->failed)
		return false;
	if (*s->at != ':' || !ends_token(s, s->at))
		return true;
	s->divided = true;
	s->at++;
	return false;
}

static bool next_token(struct scan *s, struct token *t)
{
	if (!find_token(s))
		return false;
	const char *start = s->at, *p = start;
	while (*p != '=' && !ends_token(s, p))
		p++;
	*t = (struct token){ .col = col_of(s, start), .key = arena_copy(s->arena, start, (size_t)(p - start)) };
	if (*p == '=') {
		const char *value = p + 1;
		p = value_end(s, value, t);
		if (!p)
			return false;
		t->value = arena_copy(s->arena, value + t->quoted, (size_t)(p - value) - 2 * t->quoted);
		t->value_col = col_of(s, value);
	}
	s->at = p;
	return true;
}

/* A scalar; at commas a list of them. */
static struct node *list_of(struct scan *s, uint32_t col, const char *text)
{
	if (!strchr(text, ','))
		return scalar(s, col, text);
	struct node *list = node_new(s->arena, NODE_LIST, s->source, s->line, col);
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ",");
		node_append(list, scalar(s, col + (uint32_t)(p - text), arena_copy(s->arena, p, len)), NULL);
		p += len;
		if (!*p)
			return list;
	}
}

/* "1s/4s" -> {active: 1s, idle: 4s} */
static struct node *pulse_of(struct scan *s, const struct token *t)
{
	const char *slash = strchr(t->value, '/');

	if (!slash) {
		fail(s, t->value_col, "pulse", "wants the two durations, such as pulse=1s/4s");
		return NULL;
	}
	struct node *map = map_new(s, t->value_col);
	uint32_t behind = t->value_col + (uint32_t)(slash - t->value) + 1;
	node_append(map, scalar(s, t->value_col, arena_copy(s->arena, t->value, (size_t)(slash - t->value))),
		    scalar(s, t->value_col, "active"));
	node_append(map, scalar(s, behind, slash + 1), scalar(s, behind, "idle"));
	return map;
}

/* ---- the left side ---- */

static const char *left_candidate(const void *arg, unsigned i)
{
	(void)arg;
	if (i < table_match.n)
		return table_match.fields[i].key;
	return i == table_match.n ? "name" : table_key(&table_when, i - table_match.n - 1);
}

static void left_token(struct scan *s, struct node *rule, const struct token *t)
{
	const struct field *match = table_find(&table_match, t->key), *when = table_find(&table_when, t->key);

	if (!t->value) {
		fail(s, t->col, t->key, "wants a value: KEY=VALUE");
	} else if (strcmp(t->key, "name") == 0) {
		put(s, rule, t, "name", scalar(s, t->value_col, t->value));
	} else if (when && when->shape == FIELD_OBJECT) {
		struct node *pulse = pulse_of(s, t);
		if (pulse)
			put(s, part(s, rule, "when", t->col), t, t->key, pulse);
	} else if (match || when) {
		bool many = !t->quoted && (match ? match : when)->shape == FIELD_MANY;
		put(s, part(s, rule, match ? "match" : "when", t->col), t, t->key,
		    many ? list_of(s, t->value_col, t->value) : scalar(s, t->value_col, t->value));
	} else {
		fail(s, t->col, t->key,
		     arena_printf(s->arena, "unknown key%s", suggest_hint(s->arena, t->key, left_candidate, NULL)));
	}
}

/* ---- the right side ---- */

/* Words that are an action by themselves: errnos, and actions that take `true`. */
static const char *bare_candidate(const void *arg, unsigned i)
{
	(void)arg;
	for (unsigned key = 0; key < table_do.n; key++)
		if (table_do.fields[key].type == &type_true && i-- == 0)
			return table_do.fields[key].key;
	return errno_nth(i);
}

static const char *action_candidate(const void *arg, unsigned i)
{
	(void)arg;
	for (unsigned key = 0; key < table_do.n; key++)
		if (!(table_do.fields[key].flags & FIELD_PARAM) && i-- == 0)
			return table_do.fields[key].key;
	return NULL;
}

/* The action; returns its name, NULL: there is none of that name. */
static const char *action_token(struct scan *s, struct node *what, const struct token *t)
{
	const struct field *f = table_find(&table_do, t->key);

	if (f && !(f->flags & FIELD_PARAM) && (t->value || f->type == &type_true)) {
		put(s, what, t, t->key, t->value ? scalar(s, t->value_col, t->value) : scalar(s, t->col, "true"));
		return t->key;
	}
	if (t->value)
		fail(s, t->col, t->key, arena_printf(s->arena, "unknown action%s",
						     suggest_hint(s->arena, t->key, action_candidate, NULL)));
	else if (f && !(f->flags & FIELD_PARAM))
		fail(s, t->col, t->key, arena_printf(s->arena, "wants a value: %s=VALUE", t->key));
	else if (!errno_by_name(t->key, strlen(t->key)))
		fail(s, t->col, "", arena_printf(s->arena, "unknown errno or action %s%s", diag_quote(s->arena, t->key),
						 suggest_hint(s->arena, t->key, bare_candidate, NULL)));
	else
		put(s, what, t, "errno", scalar(s, t->col, t->key));
	return s->failed ? NULL : "errno";
}

static const char *params_of(struct arena *a, const char *action)
{
	const char *list = "";

	for (unsigned key = 0; key < table_do.n; key++) {
		const struct field *f = &table_do.fields[key];
		if ((f->flags & FIELD_PARAM) && strcmp(f->fits, action) == 0)
			list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", f->key);
	}
	return list;
}

static void param_token(struct scan *s, struct node *what, const struct token *t, const char *action)
{
	const struct field *f = table_find(&table_do, t->key);
	const char *params = params_of(s->arena, action);

	if (f && (f->flags & FIELD_PARAM) && strcmp(f->fits, action) == 0) {
		if (t->value)
			put(s, what, t, t->key, scalar(s, t->value_col, t->value));
		else
			fail(s, t->col, t->key, "wants a value: PARAM=VALUE");
	} else if ((f && !(f->flags & FIELD_PARAM)) || errno_by_name(t->key, strlen(t->key))) {
		fail(s, t->col, t->key, "a second action; --rule takes one, a policy file takes more");
	} else if (*params) {
		fail(s, t->col, t->key, arena_printf(s->arena, "no parameter of %s, which takes %s", action, params));
	} else {
		fail(s, t->col, t->key, arena_printf(s->arena, "%s takes no parameters", action));
	}
}

/* "bind,=accept4": the `=` of an exact name is no key's. */
static void call_token(struct scan *s, struct node *rule)
{
	if (!find_token(s)) {
		if (!s->failed)
			fail(s, 1, "", "no call; write CALL [KEY=VALUE ...]: ACTION");
		return;
	}
	struct token t = { .col = col_of(s, s->at) };
	const char *start = s->at;
	for (; !ends_token(s, s->at); s->at++)
		if (*s->at == '=' && s->at > start && s->at[-1] != ',') {
			fail(s, t.col, "", "begin with the name of a call, or with *");
			return;
		}
	put(s, rule, &t, "call", list_of(s, t.col, arena_copy(s->arena, start, (size_t)(s->at - start))));
}

struct node *argument_rule(struct diags *d, const struct source *source, unsigned ordinal, const char *text)
{
	struct scan s = { .diags = d, .arena = d->arena, .source = source, .line = ordinal, .text = text, .at = text };
	struct token t;

	if (!good_text(&s))
		return NULL;
	struct node *rule = map_new(&s, 1);
	call_token(&s, rule);
	while (next_token(&s, &t))
		left_token(&s, rule, &t);
	if (!s.failed && !s.divided)
		fail(&s, col_of(&s, s.at), "", "no ': ' behind the keys; write CALL [KEY=VALUE ...]: ACTION");
	if (s.failed)
		return NULL;

	struct node *what = map_new(&s, col_of(&s, s.at));
	const char *action = next_token(&s, &t) ? action_token(&s, what, &t) : NULL;
	if (!action && !s.failed)
		fail(&s, col_of(&s, s.at), "", "no action behind ': '; an errno's name, or such as delay=50ms");
	while (action && next_token(&s, &t))
		param_token(&s, what, &t, action);
	node_append(rule, what, scalar(&s, what->col, "do"));
	return s.failed ? NULL : rule;
}

/* ---- --set ---- */

/* The next part of a path: "name", or "[3]" as its digits. */
struct step {
	const char *name;
	bool index;
	uint32_t number;	/* of an index */
	uint32_t col;
};

static bool next_step(struct scan *s, struct step *st)
{
	const char *p = s->at;

	if (p > s->text && *p == '.')
		p++;
	*st = (struct step){ .index = *p == '[', .col = col_of(s, p) };
	size_t len = st->index ? strspn(++p, "0123456789") : strcspn(p, ".[=");
	st->name = arena_copy(s->arena, p, len);
	for (const char *c = st->name; st->index && *c; c++)
		st->number = len > 9 ? UINT32_MAX : st->number * 10 + (uint32_t)(*c - '0');
	p += len;
	if (!len || (st->index && *p++ != ']') || (*p && !strchr(".[=", *p))) {
		fail(s, st->col, "", "no path; write such as seed=7, endpoints.web.port=81 or rules[0].when.first=2");
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
	fail(s, second->col, first->name, second->index ?
	     arena_printf(s->arena, "no item [%s]; there are %u", second->name, total) :
	     arena_printf(s->arena, "none is named %s", diag_quote(s->arena, second->name)));
	return NULL;
}

static void set_value(struct scan *s, struct node *map, const struct step *st, const char *value)
{
	uint32_t col = col_of(s, value);
	struct node *old = map->kind == NODE_SCALAR ? NULL : child_of(map, st);
	struct node *node = list_of(s, col, value);

	if (strncmp(value, "'", 1) == 0 || strncmp(value, "\"", 1) == 0) {
		size_t len = strlen(value);
		if (len < 2 || value[len - 1] != *value)
			fail(s, col, "", "a quote that is never closed");
		else
			node = scalar(s, col + 1, arena_copy(s->arena, value + 1, len - 2));
	}
	if (s->failed)
		return;
	if (map->kind != NODE_MAP)
		fail(s, st->col, node_path(s->arena, map), "is no map of keys");
	else if (old)
		node_replace(map, old, node);
	else
		node_append(map, node, scalar(s, st->col, st->name));
}

void argument_set(struct diags *d, const struct source *source, unsigned ordinal, const char *text,
		  struct node **documents, unsigned n)
{
	struct scan s = { .diags = d, .arena = d->arena, .source = source, .line = ordinal, .text = text, .at = text };
	struct node *map = documents[n - 1];
	struct step st[NODE_DEPTH_MAX];
	unsigned depth = 0;

	if (!good_text(&s))
		return;
	do {
		if (!next_step(&s, &st[depth++]))
			return;
	} while (*s.at && *s.at != '=' && depth < NODE_DEPTH_MAX);
	if (*s.at != '=') {
		fail(&s, col_of(&s, s.at), "", "no value; write PATH=VALUE");
		return;
	}
	unsigned at = 0;
	if (depth > 1) {
		struct node *there = place_of(&s, documents, n, &st[0], &st[1]);
		if (s.failed)
			return;
		if (there && depth > 2) {
			map = there;
			at = 2;
		}
	}
	for (; at + 1 < depth; at++) {
		struct node *child = map->kind == NODE_SCALAR ? NULL : child_of(map, &st[at]);
		if (!child && map->kind != NODE_MAP) {
			fail(&s, st[at].col, node_path(s.arena, map), "has no such part");
			return;
		}
		map = child ? child : part(&s, map, st[at].name, st[at].col);
	}
	set_value(&s, map, &st[depth - 1], s.at + 1);
}
