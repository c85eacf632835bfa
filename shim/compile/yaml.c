/* yaml.c - a policy file to a tree, by libyaml's events. */
#include "yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAP_KEYS_MAX 1024

struct loader {
	yaml_parser_t parser;
	struct diags *diags;
	struct arena *arena;
	const struct source *source;
	const char *text;
	size_t len;
};

static bool fail(struct loader *l, yaml_mark_t m, const char *what)
{
	diag_error_at(l->diags, l->source, (uint32_t)m.line + 1, (uint32_t)m.column + 1, "", "%s", what);
	return false;
}

/* Errors of libyaml's reader (bytes that are no UTF-8, control characters) come with an offset in place of a mark. */
static yaml_mark_t mark_of_offset(const struct loader *l, size_t offset)
{
	yaml_mark_t m = {.index = offset};

	for (size_t i = 0; i < offset && i < l->len; i++) {
		if (l->text[i] == '\n') {
			m.line++;
			m.column = 0;
		} else if (((unsigned char)l->text[i] & 0xc0) != 0x80) {
			m.column++;
		}
	}
	return m;
}

/* The text at a mark, to its end; "" where it does not lie in the file. */
static const char *text_at(const struct loader *l, yaml_mark_t m)
{
	size_t i = 0;

	for (; m.line && i < l->len; i++)
		m.line -= l->text[i] == '\n';
	for (; m.column && i < l->len && l->text[i] != '\n'; m.column--)
		for (i++; i < l->len && ((unsigned char)l->text[i] & 0xc0) == 0x80; i++)
			;
	return i < l->len ? l->text + i : "";
}

/* What a writer of a policy most likely meant, by what stands where libyaml stopped. */
static const char *syntax_hint(const struct loader *l, const char *problem)
{
	const char *at = text_at(l, l->parser.problem_mark);
	char c = *at;

	if (c == '\t')
		return "; indent with blanks, not with tabs";
	if (c == ':' && strstr(problem, "mapping values"))
		return "; a text with `: ` in it needs quotes, and the keys of one map begin in one column";
	if (c == ':')
		return "; an address such as ::1 needs quotes";
	if (at > l->text && *at && !strchr("*>|&!@%`", c)) /* it may have gone on by one */
		c = at[-1];
	if (c && strchr("*>|&!@%`", c))
		return arena_printf(l->arena, "; a value that begins with %c needs quotes", c);
	return "";
}

static bool fail_syntax(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "unreadable";

	if (p->error == YAML_READER_ERROR) {
		yaml_mark_t m = mark_of_offset(l, p->problem_offset);
		if (p->problem_value >= 0)
			problem = arena_printf(l->arena, "%s (byte 0x%02x)", problem, (unsigned)p->problem_value);
		return fail(l, m, arena_printf(l->arena, "no YAML: %s", problem));
	}
	const char *hint = syntax_hint(l, problem);
	if (p->context)
		problem = arena_printf(l->arena, "%s, %s", problem, p->context);
	return fail(l, p->problem_mark, arena_printf(l->arena, "no YAML: %s%s", problem, hint));
}

static bool next_event(struct loader *l, yaml_event_t *e)
{
	return yaml_parser_parse(&l->parser, e) || fail_syntax(l);
}

/* Is anything there that is YAML and not ours? */
static bool plain_yaml(struct loader *l, const yaml_event_t *e)
{
	const void *anchor = NULL, *tag = NULL;

	if (e->type == YAML_ALIAS_EVENT)
		return fail(l, e->start_mark,
			    "aliases (*NAME) are no part of the language; a value that begins with * "
			    "needs quotes");
	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor)
		return fail(l, e->start_mark, "anchors (&NAME) are no part of the language; write the value out");
	if (tag)
		return fail(l, e->start_mark, "tags (!NAME) are no part of the language; leave it out");
	return true;
}

/* A value that will stand in `parent` (NULL: nowhere), under `key` (NULL: it has none). */
static struct node *build(struct loader *l, const yaml_event_t *e, unsigned depth, struct node *parent,
			  const struct node *key);

static bool build_list(struct loader *l, struct node *list, unsigned depth)
{
	for (;;) {
		yaml_event_t e;
		if (!next_event(l, &e))
			return false;
		if (e.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&e);
			return true;
		}
		struct node *item = build(l, &e, depth, list, NULL);
		yaml_event_delete(&e);
		if (!item)
			return false;
		node_append(list, item, NULL);
	}
}

static bool add_pair(struct loader *l, struct node *map, struct node *key, struct node *value)
{
	yaml_mark_t at = {.line = key->line - 1, .column = key->col - 1};

	if (key->kind != NODE_SCALAR)
		return fail(l, at, "a key is a word, not a list or map");
	if (map->n >= MAP_KEYS_MAX)
		return fail(l, at, "more than 1024 keys in one map");
	struct node *before = node_find(map, key->text);
	node_append(map, value, key);
	if (before)
		diag_error_key(l->diags, value, "duplicate key; it stands in line %u already", before->key->line);
	return true;
}

static bool build_map(struct loader *l, struct node *map, unsigned depth)
{
	for (;;) {
		yaml_event_t e;
		if (!next_event(l, &e))
			return false;
		if (e.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&e);
			return true;
		}
		struct node *key = build(l, &e, depth, NULL, NULL);
		yaml_event_delete(&e);
		if (!key || !next_event(l, &e))
			return false;
		struct node *value = build(l, &e, depth, map, key);
		yaml_event_delete(&e);
		if (!value || !add_pair(l, map, key, value))
			return false;
	}
}

/* A list or map, which knows its place before its parts are read: so do they, and say it. */
static struct node *begin(struct loader *l, enum node_kind kind, yaml_mark_t m, struct node *parent,
			  const struct node *key)
{
	struct node *n = node_new(l->arena, kind, l->source, (uint32_t)m.line + 1, (uint32_t)m.column + 1);

	n->parent = parent;
	n->key = key;
	n->index = parent ? parent->n : 0;
	return n;
}

static struct node *build(struct loader *l, const yaml_event_t *e, unsigned depth, struct node *parent,
			  const struct node *key)
{
	uint32_t line = (uint32_t)e->start_mark.line + 1, col = (uint32_t)e->start_mark.column + 1;
	struct node *n;

	if (!plain_yaml(l, e))
		return NULL;
	if (depth >= NODE_DEPTH_MAX) {
		fail(l, e->start_mark, "nested more than 32 deep");
		return NULL;
	}
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		n = node_scalar(l->arena, l->source, line, col, (const char *)e->data.scalar.value,
				e->data.scalar.length);
		n->style = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? NODE_PLAIN : NODE_QUOTED;
		if (strlen(n->text) != n->len) { /* "\0" in double quotes */
			fail(l, e->start_mark, "a text can't hold a NUL");
			return NULL;
		}
		return n;
	case YAML_SEQUENCE_START_EVENT:
		n = begin(l, NODE_LIST, e->start_mark, parent, key);
		return build_list(l, n, depth + 1) ? n : NULL;
	case YAML_MAPPING_START_EVENT:
		n = begin(l, NODE_MAP, e->start_mark, parent, key);
		return build_map(l, n, depth + 1) ? n : NULL;
	default:
		fail(l, e->start_mark, "no YAML: out of place");
		return NULL;
	}
}

/* The stream: one document, or none. */
static struct node *build_stream(struct loader *l)
{
	struct node *root = NULL;

	for (;;) {
		yaml_event_t e;
		if (!next_event(l, &e))
			return NULL;
		int type = e.type;
		bool ok = true;
		if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
		    type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT)
			ok = (root = build(l, &e, 0, NULL, NULL)) != NULL;
		else if (type == YAML_DOCUMENT_START_EVENT && root)
			ok = fail(l, e.start_mark, "a second document begins here; one file holds one policy");
		yaml_event_delete(&e);
		if (!ok)
			return NULL;
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	return root && !node_is_null(root) ? root : node_new(l->arena, NODE_MAP, l->source, 1, 1);
}

struct node *yaml_parse(struct diags *d, const struct source *s, const char *text, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8: no character of the first line */

	if (len >= 3 && memcmp(text, mark, 3) == 0) {
		text += 3;
		len -= 3;
	}
	struct loader l = {.diags = d, .arena = d->arena, .source = s, .text = text, .len = len};

	if (!yaml_parser_initialize(&l.parser)) {
		diag_error_at(d, s, 0, 0, "", "no memory");
		return NULL;
	}
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
	struct node *root = build_stream(&l);
	yaml_parser_delete(&l.parser);
	return root;
}

struct node *yaml_load(struct diags *d, const struct source *s, const char *path)
{
	char *text = arena_alloc(d->arena, SOURCE_BYTES_MAX + 1);
	FILE *f = fopen(path, "re");

	if (!f) {
		diag_error_at(d, s, 0, 0, "", "cannot be read: %s", strerror(errno));
		return NULL;
	}
	size_t len = fread(text, 1, SOURCE_BYTES_MAX + 1, f);
	int err = ferror(f) ? errno : 0;
	fclose(f);
	if (err) {
		diag_error_at(d, s, 0, 0, "", "cannot be read: %s", strerror(err));
		return NULL;
	}
	if (len > SOURCE_BYTES_MAX) {
		diag_error_at(d, s, 0, 0, "", "larger than 1 MiB; a policy is written by hand");
		return NULL;
	}
	return yaml_parse(d, s, text, len);
}
