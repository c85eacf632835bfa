/* schema.c - the tables of the language as JSON Schema, and as the reference page. */
#include "compile.h"

#include "field.h"
#include "language.h"
#include "type.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON Schema ---- */

static json_t *names_schema(const struct field *f)
{
	json_t *names = json_array();
	const char *name;

	for (unsigned i = 0; (name = f->type->names(NULL, i)); i++)
		json_array_append_new(names, json_string(name));
	if (f->type == &type_call)
		json_array_append_new(names, json_string("*"));
	return json_pack("{so}", "enum", names);
}

static json_t *words_schema(const struct word *words)
{
	json_t *names = json_array();

	for (const struct word *w = words; w->name; w++)
		json_array_append_new(names, json_string(w->name));
	return json_pack("{so}", "enum", names);
}

static json_t *number_schema(const struct field *f)
{
	bool chance = f->type == &type_chance;
	json_t *s = json_pack("{ssso}", "type", chance ? "number" : "integer", "minimum",
			      json_integer(f->type == &type_duration ? 0 : f->min));

	if (f->max != INT64_MAX)
		json_object_set_new(s, "maximum", json_integer(f->max));
	return s;
}

/* Every form in which the value may be written. */
static json_t *value_forms(const struct field *f)
{
	const struct type *t = f->type;
	bool unit_only = t == &type_duration || t == &type_hold;
	json_t *forms = json_array();

	if (f->words)
		json_array_append_new(forms, words_schema(f->words));
	if (t->names)
		json_array_append_new(forms, names_schema(f));
	if (t == &type_true)
		json_array_append_new(forms, json_pack("{sb}", "const", 1));
	else if (t->accepts & ACCEPT_BOOL)
		json_array_append_new(forms, json_pack("{ss}", "type", "boolean"));
	if ((t->accepts & ACCEPT_NUMBER) && !unit_only && !t->names)
		json_array_append_new(forms, number_schema(f));
	if (t->pattern)
		json_array_append_new(forms, json_pack("{ssss}", "type", "string", "pattern", t->pattern));
	else if ((t->accepts & ACCEPT_TEXT) && !f->words && !t->names)
		json_array_append_new(forms, json_pack("{sssI}", "type", "string", "minLength", (json_int_t)f->min));
	return forms;
}

/* One of several schemas, or the only one. Takes over `forms`. */
static json_t *any_of(json_t *forms)
{
	json_t *s = json_array_size(forms) == 1 ? json_incref(json_array_get(forms, 0)) : NULL;

	if (!s)
		return json_pack("{so}", "anyOf", forms);
	json_decref(forms);
	return s;
}

static json_t *object_schema(const struct table *t);

static json_t *field_schema(const struct field *f)
{
	json_t *s;

	if (f->shape == FIELD_OBJECT) {
		s = object_schema(f->table);
	} else if (f->shape == FIELD_OBJECTS) {
		s = json_pack("{ssso}", "type", "array", "items", object_schema(f->table));
	} else if (f->shape == FIELD_NAMED) {
		s = json_pack("{sss{ss}so}", "type", "object", "propertyNames", "pattern", "^[A-Za-z0-9_-]{1,63}$",
			      "additionalProperties", object_schema(f->table));
	} else if (f->shape == FIELD_MANY) {
		json_t *one = any_of(value_forms(f));
		json_t *many = json_pack("{sssOsi}", "type", "array", "items", one, "minItems", 1);
		s = json_pack("{s[oo]}", "anyOf", one, many);
	} else {
		s = any_of(value_forms(f));
	}
	json_object_set_new(s, "description",
			    json_sprintf("%s%s", f->help, f->flags & FIELD_LATER ? " (not built yet)" : ""));
	return s;
}

/* {"oneOf": [{"required": ["do"]}, ...]} */
static void add_one_of(json_t *schema, const char *keys)
{
	json_t *choices = json_array();

	for (const char *k = keys; *k;) {
		size_t len = strcspn(k, " ");
		json_array_append_new(choices, json_pack("{s[s%]}", "required", k, len));
		k += len + (k[len] == ' ');
	}
	json_object_set_new(schema, "oneOf", choices);
}

static json_t *object_schema(const struct table *t)
{
	json_t *properties = json_object(), *required = json_array(), *words = json_array();

	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		json_object_set_new(properties, f->key, field_schema(f));
		if (f->flags & (FIELD_REQUIRED | FIELD_IN_FILES))
			json_array_append_new(required, json_string(f->key));
		if (t->word_is_true && f->type == &type_true)
			json_array_append_new(words, json_string(f->key));
	}
	json_t *s = json_pack("{sssssosb}", "description", t->help, "type", "object", "properties", properties,
			      "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set(s, "required", required);
	if (t->one_of)
		add_one_of(s, t->one_of);
	if (t == &table_do)
		json_object_set_new(s, "minProperties", json_integer(1));
	if (json_array_size(words))
		s = json_pack("{s[o{sO}]}", "anyOf", s, "enum", words);
	json_decref(words);
	json_decref(required);
	return s;
}

void compile_schema(FILE *out)
{
	json_t *schema = json_pack("{ssssss}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
				   "urn:snag:policy:1", "title", "snag policy, version 1");
	json_t *policy = object_schema(&table_policy);

	json_object_update(schema, policy);
	json_decref(policy);
	json_dumpf(schema, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(schema);
}

/* ---- the reference page ---- */

/* A cell of a Markdown table: its bars are no borders. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_words(FILE *out, const struct word *words)
{
	for (const struct word *w = words; w->name; w++)
		fprintf(out, "%s`%s`%s", w == words ? "" : ", ", w->name, w->later ? " (not built yet)" : "");
}

static void print_takes(FILE *out, const struct field *f)
{
	struct arena a = {0};

	if (f->shape == FIELD_NAMED)
		fprintf(out, "names, each with keys as in [%s](#%s)", f->table->name, f->table->name);
	else if (f->table)
		fprintf(out, "%s as in [%s](#%s)", f->shape == FIELD_OBJECT ? "keys" : "a list of items",
			f->table->name, f->table->name);
	else if (f->words)
		print_words(out, f->words);
	else
		print_cell(out, field_wants(&a, f));
	if (f->shape == FIELD_MANY)
		fputs("; or a list", out);
	arena_free(&a);
}

static void print_keys(FILE *out, const struct table *t)
{
	fprintf(out, "## %s\n\n", t->name);
	if (t->one_of)
		fprintf(out, "%s. Exactly one of: %s.\n\n", t->help, t->one_of);
	else
		fprintf(out, "%s.\n\n", t->help);
	fputs("| key | takes | |\n|---|---|---|\n", out);
	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		fprintf(out, "| `%s`%s | ", f->key, f->flags & (FIELD_REQUIRED | FIELD_IN_FILES) ? " (required)" : "");
		print_takes(out, f);
		fputs(" | ", out);
		print_cell(out, f->help);
		fprintf(out, "%s |\n", f->flags & FIELD_LATER ? " (not built yet)" : "");
	}
	fputc('\n', out);
}

/* Actions, each with its parameters below it. */
static void print_actions(FILE *out)
{
	fprintf(out, "## %s\n\n%s.\n\n| action | takes | on | what happens |\n|---|---|---|---|\n", table_do.name,
		table_do.help);
	for (unsigned key = 0; key < table_do.n; key++) {
		const struct field *f = &table_do.fields[key];
		bool param = f->flags & FIELD_PARAM;
		fprintf(out, "| %s`%s` | ", param ? "&nbsp; " : "", f->key);
		print_takes(out, f);
		fputs(" | ", out);
		if (param)
			fprintf(out, "beside `%s`", f->fits);
		else
			fputs(strcmp(f->fits, "*") == 0 ? "any call" : f->fits, out);
		fputs(" | ", out);
		print_cell(out, f->help);
		fprintf(out, "%s |\n", f->flags & FIELD_LATER ? " (not built yet)" : "");
	}
	fputc('\n', out);
}

/* What each action is to those who meet it. */
static void print_seen(FILE *out)
{
	static const struct {
		const char *action, *program, *peer, *kernel;
	} rows[] = {
#define SNAG_FAULT_SEEN(fault, program, peer, kernel) {#fault, program, peer, kernel},
#include <snag/faults.def>
	};

	fputs("| action | the program sees | the peer sees | the kernel does |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(out, "| `%s` | %s | %s | %s |\n", rows[i].action, rows[i].program, rows[i].peer, rows[i].kernel);
	fputc('\n', out);
}

void compile_reference(FILE *out)
{
	static const struct table *const tables[] = {&table_policy, &table_endpoint, &table_rule, &table_match,
						     &table_when,   &table_pulse,    &table_step};
	static const struct table *const later[] = {&table_kernel, &table_occupy, &table_expect, &table_rate};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		print_keys(out, tables[i]);
	print_actions(out);
	print_seen(out);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		print_keys(out, later[i]);
}
