/* yaml.c - files that are no YAML, or more YAML than a policy is. */
#include "given.h"

static const struct given_row syntax[] = {
	{V1 "rules: [\n", "p.yaml:3:1: error: no YAML: did not find expected node content, while parsing a "
			  "flow node\n"},
	{V1 "\011mode: log\n", "p.yaml:2:1: error: no YAML: found a tab character that violates indentation, while "
			       "scanning a plain scalar; indent with blanks, not with tabs\n"},
	{V1 "rules:\n\011- call: bind\n",
	 "p.yaml:3:1: error: no YAML: found character that cannot start any token, while scanning for the next token; "
	 "indent with blanks, not with tabs\n"},
	{"a: b: c\n", "p.yaml:1:5: error: no YAML: mapping values are not allowed in this context; a text with `: ` in "
		      "it needs quotes, and the keys of one map begin in one column\n"},
	{V1 "path: *.sock\n",
	 "p.yaml:2:8: error: no YAML: did not find expected alphabetic or numeric character, while scanning an alias; "
	 "a value that begins with * needs quotes\n"},
	{V1 "queue: >=3\n", "p.yaml:2:9: error: no YAML: did not find expected comment or line break, while scanning a "
			    "block scalar; a value that begins with > needs quotes\n"},
	{V1 "\303\251: {queue: >=3}\n",
	 "p.yaml:2:12: error: no YAML: found character that cannot start any token, while scanning for the next "
	 "token; a value that begins with > needs quotes\n"},
	{"\xef\xbb\xbf{addr: ::1}\n", "p.yaml:1:8: error: no YAML: did not find expected node content, while parsing a "
				       "flow node; an address such as ::1 needs quotes\n"},
	{V1 "mode: 'log\n", "p.yaml:3:1: error: no YAML: found unexpected end of stream, while scanning a quoted "
			    "scalar\n"},
};

static void test_syntax(void **state)
{
	(void)state;
	given_table(syntax);
}

static const struct given_row plain[] = {
	{V1 "rules: &all []\n",
	 "p.yaml:2:8: error: anchors (&NAME) are no part of the language; write the value out\n"},
	{V1 "mode: *all\n", "p.yaml:2:7: error: aliases (*NAME) are no part of the language; a value that begins "
			    "with * needs quotes\n"},
	{"version: !!int 1\n", "p.yaml:1:10: error: tags (!NAME) are no part of the language; leave it out\n"},
	{V1 "---\n"
	    "version: 1\n",
	 "p.yaml:2:1: error: a second document begins here; one file holds one policy\n"},
	{V1 "? [a]\n"
	    ": b\n",
	 "p.yaml:2:3: error: a key is a word, not a list or map\n"},
	{V1 "mode: log\n"
	    "mode: inject\n",
	 "p.yaml:3:1: error: mode: duplicate key; it stands in line 2 already\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: deny}\n"
	    "  - call: bind\n"
	    "    do: {errno: EACCES, errno: EPERM}\n"
	    "    do: deny\n",
	 "p.yaml:5:25: error: rules[1].do.errno: duplicate key; it stands in line 5 already\n"
	 "p.yaml:6:5: error: rules[1].do: duplicate key; it stands in line 5 already\n"},
	{V1 "rules:\n"
	    "  - {name: \"a\\0b\", call: bind, do: {deny: true}}\n",
	 "p.yaml:3:12: error: a text can't hold a NUL\n"},
	{V1 "rules: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
	    "]]]\n",
	 "p.yaml:2:39: error: nested more than 32 deep\n"},
	{V1 "mode: \001log\n", "p.yaml:2:7: error: no YAML: control characters are not allowed (byte 0x01)\n"},
};

static void test_plain(void **state)
{
	(void)state;
	given_table(plain);
}

static const struct given_row whole[] = {
	{"", "p.yaml:1:1: error: version: is missing; write version: 1\n"},
	{"# nothing\n", "p.yaml:1:1: error: version: is missing; write version: 1\n"},
	{"hello\n", "p.yaml:1:1: error: wants a map of keys, found 'hello'\n"},
	{"- version: 1\n", "p.yaml:1:1: error: wants a map of keys, found a list\n"},
	{"~\n", "p.yaml:1:1: error: version: is missing; write version: 1\n"},
};

static void test_whole(void **state)
{
	(void)state;
	given_table(whole);
}

/* Bytes that a C string can't hold, and sizes. */
static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *said;
	} rows[] = {
		{"version: 1\nmode: \0log\n", 22,
		 "p.yaml:2:7: error: no YAML: control characters are not allowed (byte 0x00)\n"},
		{"version: 1\n# caf\xe9\n", 18, "p.yaml:2:6: error: no YAML: incomplete UTF-8 octet sequence\n"},
		{"version: 1\nmode: \xff\n", 19,
		 "p.yaml:2:7: error: no YAML: invalid leading UTF-8 octet (byte 0xff)\n"},
		{"\xef\xbb\xbfversion: 1\n", 14, ""},
	};
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		given_file("p.yaml", rows[i].text, rows[i].len);
		given_check(&in, rows[i].said);
	}
}

static void test_size(void **state)
{
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};
	size_t n = (1 << 20) + 1;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	memset(text, '#', n);
	memcpy(text, "version: 1\n", 11);
	given_file("p.yaml", text, n);
	given_check(&in, "p.yaml: error: larger than 1 MiB; a policy is written by hand\n");
	given_file("p.yaml", text, n - 1);
	given_check(&in, "");
	free(text);
}

/* Maps of thousands of keys, lists of thousands of values. */
static void test_many(void **state)
{
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};
	char *text = NULL;
	size_t n;

	(void)state;
	FILE *f = open_memstream(&text, &n);
	fputs("version: 1\nendpoints:\n", f);
	for (unsigned i = 0; i < 1025; i++)
		fprintf(f, "  e%u: {port: 1}\n", i);
	fclose(f);
	given_file("p.yaml", text, n);
	given_check(&in, "p.yaml:1027:3: error: more than 1024 keys in one map\n");
	free(text);

	f = open_memstream(&text, &n);
	fputs("version: 1\nrules:\n", f);
	for (unsigned i = 0; i < SNAG_RULES_MAX + 1; i++)
		fprintf(f, "  - {call: bind, match: {pid: %u}, do: {errno: EACCES}}\n", i + 1);
	fclose(f);
	given_file("p.yaml", text, n);
	given_check(&in, "p.yaml:1027:5: error: rules[1024]: more than 1024 rules\n");
	free(text);

	f = open_memstream(&text, &n);
	fputs("version: 1\nrules:\n  - {call: bind, do: {deny: true}, match: {port: [1", f);
	for (unsigned i = 0; i < 1024; i++)
		fputs(", 1", f);
	fputs("]}}\n", f);
	fclose(f);
	given_file("p.yaml", text, n);
	given_check(&in, "p.yaml:3:50: error: rules[0].match.port: more than 1024 values\n");
	free(text);
}

static void test_unreadable(void **state)
{
	static const char *const files[] = {"absent.yaml", "./"};
	struct compile_input in = {.files = files, .n_files = 2};

	(void)state;
	given_check(&in, "absent.yaml: error: cannot be read: No such file or directory\n"
			 "./: error: cannot be read: Is a directory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),	   cmocka_unit_test(test_plain), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_bytes),	   cmocka_unit_test(test_size),	 cmocka_unit_test(test_many),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
