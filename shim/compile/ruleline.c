/* ruleline.c - a rule on one line, `--rule`, to the tree that a file would have given.
 *
 * Read token by token. A token ends at a blank, or at a `:` with a blank or the end behind it; the first such `:`
 * divides. A value that begins with a quote goes on to the next quote of that kind. */
#include "ruleline.h"
#include "language.h"
#include "scan.h"
#include "type.h"

#include <base/names.h>
#include <string.h>

struct token {
	const char *key, *value; /* value: NULL without `=` */
	uint32_t col, value_col;
	bool quoted;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool ends_token(const struct scan *s, const char *p)
{
	return !*p || is_blank(*p) || (*p == ':' && !s->divided && (!p[1] || is_blank(p[1])));
}

static void put(struct scan *s, struct node *map, const struct token *t, const char *key, struct node *value)
{
	if (node_find(map, key))
		scan_complain(s, t->col, key, "duplicate key");
	else
		node_append(map, value, scan_scalar(s, t->col, key));
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
		scan_fail(s, scan_col(s, p), t->key, "a quote that is never closed");
	else if (!ends_token(s, close + 1))
		scan_fail(s, scan_col(s, close + 1), t->key, "text behind the closing quote");
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
	*t = (struct token){.col = scan_col(s, start), .key = arena_copy(s->arena, start, (size_t)(p - start))};
	if (*p == '=') {
		const char *value = p + 1;
		p = value_end(s, value, t);
		if (!p)
			return false;
		t->value = arena_copy(s->arena, value + t->quoted, (size_t)(p - value) - 2 * t->quoted);
		t->value_col = scan_col(s, value);
	}
	s->at = p;
	return true;
}

/* "1s/4s" -> {active: 1s, idle: 4s} */
static struct node *pulse_of(struct scan *s, const struct token *t)
{
	const char *slash = strchr(t->value, '/');

	if (!slash) {
		scan_complain(s, t->value_col, "pulse", "wants the two durations, such as pulse=1s/4s");
		return NULL;
	}
	struct node *map = scan_map(s, t->value_col);
	uint32_t behind = t->value_col + (uint32_t)(slash - t->value) + 1;
	node_append(map, scan_scalar(s, t->value_col, arena_copy(s->arena, t->value, (size_t)(slash - t->value))),
		    scan_scalar(s, t->value_col, "active"));
	node_append(map, scan_scalar(s, behind, slash + 1), scan_scalar(s, behind, "idle"));
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
		scan_complain(s, t->col, t->key, "wants a value: KEY=VALUE");
	} else if (strcmp(t->key, "name") == 0) {
		put(s, rule, t, "name", scan_scalar(s, t->value_col, t->value));
	} else if (when && when->shape == FIELD_OBJECT) {
		struct node *pulse = pulse_of(s, t);
		if (pulse)
			put(s, scan_part(s, rule, "when", t->col), t, t->key, pulse);
	} else if (match || when) {
		bool many = !t->quoted && (match ? match : when)->shape == FIELD_MANY;
		put(s, scan_part(s, rule, match ? "match" : "when", t->col), t, t->key,
		    many ? scan_list(s, t->value_col, t->value) : scan_scalar(s, t->value_col, t->value));
	} else {
		scan_complain(
			s, t->col, t->key,
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

/* Said; an action that fits every call stands in its place, so that the rest of the rule is looked at. */
static const char *stray_action(struct scan *s, struct node *what, const struct token *t)
{
	if (t->value)
		scan_complain(s, t->col, t->key,
			      arena_printf(s->arena, "unknown action%s",
					   suggest_hint(s->arena, t->key, action_candidate, NULL)));
	else
		scan_complain(s, t->col, "",
			      arena_printf(s->arena, "unknown errno or action %s%s", diag_quote(s->arena, t->key),
					   strncmp(t->key, "SIG", 3) == 0 ? "; a signal is written signal=NAME" :
					   suggest_hint(s->arena, t->key, bare_candidate, NULL)));
	put(s, what, t, "log", scan_scalar(s, t->col, t->key));
	for (struct token its; next_token(s, &its);)	/* parameters */
		;
	return "log";
}

/* The action; returns its name, NULL: there is none of that name. */
static const char *action_token(struct scan *s, struct node *what, const struct token *t)
{
	const struct field *f = table_find(&table_do, t->key);

	if (f && !(f->flags & FIELD_PARAM) && (t->value || f->type == &type_true)) {
		put(s, what, t, t->key,
		    t->value ? scan_scalar(s, t->value_col, t->value) : scan_scalar(s, t->col, "true"));
		return t->key;
	}
	if (!t->value && f && !(f->flags & FIELD_PARAM))
		scan_fail(s, t->col, t->key, arena_printf(s->arena, "wants a value: %s=VALUE", t->key));
	else if (t->value || !errno_by_name(t->key, strlen(t->key)))
		return stray_action(s, what, t);
	else
		put(s, what, t, "errno", scan_scalar(s, t->col, t->key));
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
			put(s, what, t, t->key, scan_scalar(s, t->value_col, t->value));
		else
			scan_complain(s, t->col, t->key, "wants a value: PARAM=VALUE");
	} else if ((f && !(f->flags & FIELD_PARAM)) || errno_by_name(t->key, strlen(t->key))) {
		scan_complain(s, t->col, t->key, "a second action; --rule takes one, a policy file takes more");
	} else if (*params) {
		scan_complain(s, t->col, t->key,
			      arena_printf(s->arena, "no parameter of %s, which takes %s", action, params));
	} else {
		scan_complain(s, t->col, t->key, arena_printf(s->arena, "%s takes no parameters", action));
	}
}

/* "bind,=accept4": the `=` of an exact name is no key's. */
static void call_token(struct scan *s, struct node *rule)
{
	if (!find_token(s)) {
		if (!s->failed)
			scan_fail(s, 1, "", "no call; write CALL [KEY=VALUE ...]: ACTION");
		return;
	}
	struct token t = {.col = scan_col(s, s->at)};
	const char *start = s->at;
	for (; !ends_token(s, s->at); s->at++)
		if (*s->at == '=' && s->at > start && s->at[-1] != ',') {
			scan_fail(s, t.col, "", "begin with the name of a call, or with *");
			return;
		}
	put(s, rule, &t, "call", scan_list(s, t.col, arena_copy(s->arena, start, (size_t)(s->at - start))));
}

struct node *ruleline_read(struct diags *d, const struct source *source, unsigned ordinal, const char *text)
{
	struct scan s = scan_begin(d, source, ordinal, text);
	struct token t;

	if (s.failed)
		return NULL;
	struct node *rule = scan_map(&s, 1);
	call_token(&s, rule);
	while (next_token(&s, &t))
		left_token(&s, rule, &t);
	if (!s.failed && !s.divided)
		scan_fail(&s, scan_col(&s, s.at), "", "no ': ' behind the keys; write CALL [KEY=VALUE ...]: ACTION");
	if (s.failed)
		return NULL;

	struct node *what = scan_map(&s, scan_col(&s, s.at));
	const char *action = next_token(&s, &t) ? action_token(&s, what, &t) : NULL;
	if (!action && !s.failed)
		scan_fail(&s, scan_col(&s, s.at), "", "no action behind ': '; an errno's name, or such as delay=50ms");
	while (action && next_token(&s, &t))
		param_token(&s, what, &t, action);
	node_append(rule, what, scan_scalar(&s, what->col, "do"));
	return s.failed ? NULL : rule;
}
