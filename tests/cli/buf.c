/* buf.c - what a trace line is written into: numbers, times, escapes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <cli/buf.h>
#include <jansson.h>
#include <stdlib.h>

static void assert_buf(struct buf *b, const char *want)
{
	buf_char(b, 0);
	assert_false(b->failed);
	assert_string_equal(b->p, want);
	b->n = 0;
}

static void test_numbers(void **state)
{
	struct buf b = { 0 };
	static const struct { int64_t v; const char *text; } rows[] = {
		{ 0, "0" }, { 7, "7" }, { -1, "-1" }, { 1234567890, "1234567890" },
		{ INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_int(&b, rows[i].v);
		assert_buf(&b, rows[i].text);
	}
	buf_free(&b);
}

static void test_seconds(void **state)
{
	struct buf b = { 0 };
	static const struct { int64_t ns; unsigned decimals; const char *text; } rows[] = {
		{ 0, 9, "0.000000000" }, { 1234567, 9, "0.001234567" }, { 1234567, 6, "0.001234" },
		{ 12400000000, 1, "12.4" }, { 999999999, 0, "0" }, { 3000000000, 0, "3" }, { -1500000000, 1, "-1.5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_seconds(&b, rows[i].ns, rows[i].decimals);
		assert_buf(&b, rows[i].text);
	}
	buf_free(&b);
}

static void test_json_escapes(void **state)
{
	struct buf b = { 0 };
	static const struct { const char *in; size_t n; const char *out; } rows[] = {
		{ "plain", 5, "\"plain\"" },
		{ "", 0, "\"\"" },
		{ "a\"b\\c", 5, "\"a\\u0022b\\u005cc\"" },
		{ "a\nb\tc\x7f", 6, "\"a\\u000ab\\u0009c\\u007f\"" },
		{ "nul\0in", 6, "\"nul\\u0000in\"" },
		{ "gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xff\xfe", 2, "\"\\u00ff\\u00fe\"" },
		{ "\xc3", 1, "\"\\u00c3\"" },			/* cut short */
		{ "\xc0\xaf", 2, "\"\\u00c0\\u00af\"" },	/* not the shortest form */
		{ "\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\"" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\"" },	/* beyond U+10FFFF */
		{ "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"" },
		{ "\xc2\x9b", 2, "\"\\u009b\"" },		/* a C1 control character */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_json(&b, (struct text){ rows[i].in, rows[i].n });
		assert_buf(&b, rows[i].out);
	}
	buf_free(&b);
}

/* Whatever the bytes, the result is one JSON string, and nothing that moves a terminal's cursor. */
static void test_random_bytes_are_legal(void **state)
{
	struct buf b = { 0 };
	char in[64];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)rand_r(&seed) % sizeof(in);
		for (size_t i = 0; i < n; i++)
			in[i] = (char)rand_r(&seed);
		buf_json(&b, (struct text){ in, n });
		json_t *v = json_loadb(b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_true(json_is_string(v));
		json_decref(v);
		b.n = 0;
		buf_plain(&b, (struct text){ in, n });
		for (size_t i = 0; i < b.n; i++)
			assert_true((unsigned char)b.p[i] >= 0x20 && b.p[i] != 0x7f);
		b.n = 0;
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_random_bytes_are_legal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
