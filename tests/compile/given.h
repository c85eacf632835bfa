/* given.h - policies as texts, for the tests of the compiler: in a folder of the test's own, as p.yaml. */
#ifndef TESTS_COMPILE_GIVEN_H
#define TESTS_COMPILE_GIVEN_H

#include <compile/compile.h>
#include <policy/rules.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define V1 "version: 1\n"

struct given_row {
	const char *policy;
	const char *said; /* all diagnostics, to the letter */
};

static char given_dir[64];

static inline int given_setup(void **state)
{
	(void)state;
	strcpy(given_dir, "/tmp/snag-compile.XXXXXX");
	return mkdtemp(given_dir) && chdir(given_dir) == 0 ? 0 : -1;
}

static inline int given_teardown(void **state)
{
	(void)state;
	unlink("p.yaml");
	unlink("q.yaml");
	return chdir("/") == 0 && rmdir(given_dir) == 0 ? 0 : -1;
}

static inline void given_file(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* What compile_policy says of it; free it. The result goes to *out, which is compile_free'd by the caller. */
static inline char *given_said(const struct compile_input *in, struct compiled *out)
{
	char *said = NULL;
	size_t n;
	FILE *f = open_memstream(&said, &n);

	assert_non_null(f);
	int result = compile_policy(in, out, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(result, out->errors ? -1 : 0);
	assert_int_equal(out->image != NULL, out->errors == 0);
	if (out->image)
		assert_null(rules_check(out->image, out->size));
	return said;
}

static inline void given_check(const struct compile_input *in, const char *said)
{
	struct compiled out;
	char *got = given_said(in, &out);

	assert_string_equal(got, said);
	free(got);
	compile_free(&out);
}

static inline void given_rows(const struct given_row *rows, size_t n)
{
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};

	for (size_t i = 0; i < n; i++) {
		given_file("p.yaml", rows[i].policy, strlen(rows[i].policy));
		given_check(&in, rows[i].said);
	}
}

/* The image of one policy text; compile_free it. */
static inline const struct rules *given_image(struct compiled *out, const char *policy)
{
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};

	given_file("p.yaml", policy, strlen(policy));
	char *said = given_said(&in, out);
	assert_string_equal(said, "");
	free(said);
	return out->image;
}

static inline const struct rules *given_image_of_rule(struct compiled *out, const char *rule)
{
	struct compile_input in = {.rules = &rule, .n_rules = 1};
	char *said = given_said(&in, out);

	assert_string_equal(said, "");
	free(said);
	return out->image;
}

/* The n values of a match of the first rule, which is of this key. */
static inline const struct rule_value *given_value(const struct rules *r, unsigned match, unsigned key, unsigned n)
{
	const struct rule_match *m = rules_match(r, rules_rule(r, 0)->first_match + match);

	assert_int_equal(m->key, key);
	assert_int_equal(m->n_values, n);
	return rules_value(r, m->first_value);
}

#define given_table(rows) given_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
