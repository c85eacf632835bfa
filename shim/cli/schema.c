/* schema.c - snag schema: the JSON Schema of policies or of trace lines, each from the table that reads or writes them.
 */
#include "cmd.h"
#include "options.h"
#include "record.h"

#include <compile/compile.h>
#include <getopt.h>
#include <base/names.h>
#include <jansson.h>
#include <snag/plan.h>
#include <stdio.h>
#include <string.h>

static const struct option_row options[] = {{0, NULL, NULL, NULL}};

static const struct usage usage = {
	.line = "schema [policy|trace]",
	.what = "Print the JSON Schema of a policy (the default), or of one line of a JSONL trace",
	.options = options,
	.notes = "For an editor: `snag schema >policy-v1.schema.json`, and as the first line of a policy\n"
		 "# yaml-language-server: $schema=./policy-v1.schema.json",
};

/* ---- the trace ---- */

static json_t *fields_schema(const struct record_field *f);

static json_t *field_schema(const struct record_field *f)
{
	json_t *s;

	switch (f->type) {
	case RECORD_TIME:
		s = json_pack("{ss}", "type", "number");
		break;
	case RECORD_INT:
		s = json_pack("{ss}", "type", "integer");
		break;
	case RECORD_UINT:
		s = json_pack("{sssi}", "type", "integer", "minimum", 0);
		break;
	case RECORD_BOOL:
		s = json_pack("{sb}", "const", 1); /* absent where it is false */
		break;
	case RECORD_LIST:
		s = json_pack("{sss{ss}}", "type", "array", "items", "type", "string");
		break;
	case RECORD_OBJECT:
		s = fields_schema(f->fields);
		break;
	default:
		s = json_pack("{ss}", "type", "string");
	}
	if (f->help)
		json_object_set_new(s, "description", json_string(f->help));
	return s;
}

static json_t *fields_schema(const struct record_field *f)
{
	json_t *properties = json_object();

	for (; f->name; f++)
		json_object_set_new(properties, f->name, field_schema(f));
	return json_pack("{sssosb}", "type", "object", "properties", properties, "additionalProperties", 0);
}

/* All that may stand there; what a table calls its first entry means that nothing does. */
static void put_words(json_t *line, const char *field, const char *(*name)(unsigned), unsigned n)
{
	json_t *words = json_array();

	for (unsigned i = 1; i < n; i++)
		json_array_append_new(words, json_string(name(i)));
	json_object_set_new(json_object_get(json_object_get(line, "properties"), field), "enum", words);
}

static void trace_schema(FILE *out)
{
	json_t *schema = json_pack("{ssssss}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
				   "urn:snag:trace:1", "title", "one line of a snag trace");
	json_t *line = fields_schema(record_fields);

	put_words(line, "model_why", unsure_name, SNAG_UNSURES);
	json_object_update(schema, line);
	json_object_set_new(schema, "required", json_pack("[ssss]", "t", "seq", "pid", "call"));
	json_decref(line);
	json_dumpf(schema, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(schema);
}

static const struct {
	const char *name;
	void (*print)(FILE *out);
} kinds[] = {
	{"policy", compile_schema},
	{"trace", trace_schema},
	{"reference", compile_reference}, /* for policies/README.md */
};

int cmd_schema(int argc, char **argv)
{
	int key = options_next(&usage, argc, argv);

	if (key == OPTIONS_HELP)
		return CMD_OK;
	if (key == OPTIONS_BAD)
		return CMD_USAGE;
	if (argc - optind > 1) {
		fprintf(stderr, "snag schema: one schema at a time: policy or trace\n");
		return CMD_USAGE;
	}
	const char *name = optind < argc ? argv[optind] : "policy";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) == 0) {
			kinds[i].print(stdout);
			return CMD_OK;
		}
	}
	fprintf(stderr, "snag schema: no schema '%s'; policy or trace\n", name);
	return CMD_USAGE;
}
