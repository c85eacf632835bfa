/* image.c - what a policy means: the rule image that it compiles to. */
#include "given.h"

#include <base/hash.h>
#include <errno.h>
#include <signal.h>
#include <snag/occupant.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <sys/socket.h>

#define SEC 1000000000ull

static void test_empty(void **state)
{
	struct compile_input in = {0};
	struct compiled out;

	(void)state;
	assert_int_equal(compile_policy(&in, &out, NULL), 0);
	const struct rules *r = out.image;
	assert_null(rules_check(r, out.size));
	assert_int_equal(r->rule.n, 0);
	assert_int_equal(r->mode, SNAG_MODE_LOG);
	assert_int_equal(r->seed, out.seed);
	compile_free(&out);
}

/* The mode that holds, and whether the image has the rules. */
static void test_modes(void **state)
{
	static const struct {
		const char *policy, *option;
		unsigned mode, rules;
	} rows[] = {
		{V1, NULL, SNAG_MODE_LOG, 0},
		{V1 "mode: inject\n", NULL, SNAG_MODE_INJECT, 0},
		{V1 "mode: disabled\n", NULL, SNAG_MODE_DISABLED, 0},
		{V1 "rules:\n  - {call: bind, do: deny}\n", NULL, SNAG_MODE_INJECT, 1},
		{V1 "mode: log\nrules:\n  - {call: bind, do: deny}\n", NULL, SNAG_MODE_LOG, 0},
		{V1 "mode: log\nrules:\n  - {call: bind, do: deny}\n", "inject", SNAG_MODE_INJECT, 1},
		{V1 "rules:\n  - {call: bind, do: deny}\n", "disabled", SNAG_MODE_DISABLED, 0},
	};
	static const char *const files[] = {"p.yaml"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compile_input in = {.files = files, .n_files = 1, .mode = rows[i].option};
		struct compiled out;
		given_file("p.yaml", rows[i].policy, strlen(rows[i].policy));
		free(given_said(&in, &out));
		const struct rules *r = out.image;
		assert_non_null(r);
		assert_int_equal(r->mode, rows[i].mode);
		assert_int_equal(out.mode, rows[i].mode);
		assert_int_equal(r->rule.n, rows[i].rules);
		compile_free(&out);
	}
}

/* A row for each port, with what is left out filled in; none in modes that ignore them. */
static void test_occupy(void **state)
{
	static const char policy[] = V1 "occupy:\n"
					"  - {port: 8000..8001, as: bound, from: 1s, for: 2s}\n"
					"  - {port: 53, proto: udp, addr: \"::1\"}\n"
					"  - {port: 80, addr: any}\n";
	static const char *const files[] = {"p.yaml"}, *const modes[] = {NULL, "enforce"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct compile_input in = {.files = files, .n_files = 1, .mode = modes[i]};
		struct compiled out;
		given_file("p.yaml", policy, strlen(policy));
		free(given_said(&in, &out));
		const struct rules *r = out.image;
		assert_non_null(r);
		assert_int_equal(r->mode, i ? SNAG_MODE_ENFORCE : SNAG_MODE_INJECT);
		assert_int_equal(r->occupy.n, i ? 0 : 4);
		for (unsigned k = 0; k < r->occupy.n; k++) {
			const struct rules_occupy *o = rules_occupy(r, k);
			assert_int_equal(o->entry, k < 2 ? 0 : k - 1);
			assert_int_equal(o->addr.port, k < 2 ? 8000 + k : k == 2 ? 53 : 80);
			assert_int_equal(o->addr.family, k < 2 ? AF_INET : AF_INET6);
			assert_int_equal(o->addr.ip[k < 2 ? 0 : 15], k < 2 ? 127 : k == 2 ? 1 : 0);
			assert_int_equal(o->proto, k == 2 ? SNAG_PROTO_UDP : SNAG_PROTO_TCP);
			assert_int_equal(o->as, k == 3 ? SNAG_OCCUPANT_LISTENING : SNAG_OCCUPANT_BOUND);
			assert_true(o->from_ns == (k < 2 ? SEC : 0));
			assert_true(o->for_ns == (k < 2 ? 2 * SEC : SNAG_OCCUPANT_FOREVER));
		}
		assert_null(rules_occupy(r, r->occupy.n));
		compile_free(&out);
	}
}

static void test_seed(void **state)
{
	struct compile_input in = {.seed = "9223372036854775807"};
	struct compiled out;

	(void)state;
	assert_int_equal(compile_policy(&in, &out, NULL), 0);
	assert_int_equal(out.seed, INT64_MAX);
	compile_free(&out);

	uint64_t seeds[4];
	in.seed = NULL;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(compile_policy(&in, &out, NULL), 0);
		seeds[i] = out.seed;
		compile_free(&out);
	}
	assert_false(seeds[0] == seeds[1] && seeds[1] == seeds[2] && seeds[2] == seeds[3]);
}

/* ---- calls ---- */

static void covers(const char *text, const unsigned *calls, size_t n)
{
	struct compiled given;
	const struct rules *r = given_image_of_rule(&given, text);
	const struct rule *rule = rules_rule(r, 0);
	unsigned count = 0;

	for (unsigned c = 0; c < SNAG_CALLS; c++) {
		bool covered = rule->calls[c / 64] >> (c % 64) & 1;
		count += covered;
		assert_int_equal(r->call[c].n, covered); /* the index agrees */
	}
	for (size_t i = 0; i < n; i++)
		assert_true(rule->calls[calls[i] / 64] >> (calls[i] % 64) & 1);
	assert_int_equal(count, n);
	compile_free(&given);
}

#define check_covers(text, ...)                                                                                        \
	covers(text, (const unsigned[]){__VA_ARGS__}, sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

static void test_calls(void **state)
{
	(void)state;
	check_covers("accept: EMFILE", SNAG_CALL_accept, SNAG_CALL_accept4);
	check_covers("=accept4: EMFILE", SNAG_CALL_accept4);
	check_covers("bind,listen: EADDRINUSE", SNAG_CALL_bind, SNAG_CALL_listen);
	check_covers("close: EIO", SNAG_CALL_close, SNAG_CALL_fclose); /* close_range and closefrom never fail so */
	check_covers("close: delay=1ms", SNAG_CALL_close, SNAG_CALL_close_range, SNAG_CALL_closefrom, SNAG_CALL_fclose);
	check_covers("*: backlog=1", SNAG_CALL_listen);
	check_covers("*: deny", SNAG_CALL_bind, SNAG_CALL_connect);
	check_covers("*: ENOTCONN", SNAG_CALL_shutdown, SNAG_CALL_setsockopt);
}

/* ---- match ---- */

/* Every key once: its place in the image and its values. */
static void test_keys(void **state)
{
	static const struct {
		const char *key;
		unsigned rule_key;
		int64_t lo, hi;
		const char *text;
	} rows[] = {
		{"port=8000..8099", RULE_KEY_LOCAL_PORT, 8000, 8099, NULL},
		{"proto=udp", RULE_KEY_PROTO, SNAG_PROTO_UDP, SNAG_PROTO_UDP, NULL},
		{"family=inet6", RULE_KEY_FAMILY, AF_INET6, AF_INET6, NULL},
		{"path=/tmp/*.sock", RULE_KEY_PATH, 0, 0, "/tmp/*.sock"},
		{"exe=nginx", RULE_KEY_EXE, 0, 0, "nginx"},
		{"comm=42", RULE_KEY_COMM, 0, 0, "42"},
		{"pid=42", RULE_KEY_PID, 42, 42, NULL},
		{"user=0", RULE_KEY_USER, 0, 0, NULL},
		{"user=root", RULE_KEY_USER, 0, 0, NULL},
		{"role=accepted", RULE_KEY_ROLE, SNAG_ROLE_ACCEPTED, SNAG_ROLE_ACCEPTED, NULL},
		{"state=close_wait", RULE_KEY_STATE, SNAG_STATE_CLOSE_WAIT, SNAG_STATE_CLOSE_WAIT, NULL},
		{"queue=>=3", RULE_KEY_QUEUE, 3, INT64_MAX, NULL},
		{"queue=>3", RULE_KEY_QUEUE, 4, INT64_MAX, NULL},
		{"queue=<=3", RULE_KEY_QUEUE, INT64_MIN, 3, NULL},
		{"queue=<3", RULE_KEY_QUEUE, INT64_MIN, 2, NULL},
		{"queue=1..5", RULE_KEY_QUEUE, 1, 5, NULL},
		{"time_wait=10", RULE_KEY_TIME_WAIT, 10, 10, NULL},
		{"blocking=true", RULE_KEY_BLOCKING, 1, 1, NULL},
		{"blocking=false", RULE_KEY_BLOCKING, 0, 0, NULL},
		{"caller=libcurl", RULE_KEY_CALLER, 0, 0, "libcurl"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];
		struct compiled given;
		snprintf(text, sizeof(text), "close %s: log=x", rows[i].key);
		const struct rules *r = given_image_of_rule(&given, text);
		const struct rule_value *v = given_value(r, 0, rows[i].rule_key, 1);
		assert_int_equal(v->lo, rows[i].lo);
		assert_int_equal(v->hi, rows[i].hi);
		assert_string_equal(rules_string(r, v->string), rows[i].text ? rows[i].text : "");
		compile_free(&given);
	}
}

static void test_any(void **state)
{
	struct compiled given;
	const struct rules *r = given_image_of_rule(&given, "bind addr=any,::1: deny");
	const struct rule_value *v = given_value(r, 0, RULE_KEY_LOCAL_ADDR, 3);

	(void)state;
	assert_int_equal(v[0].any_only, 1);
	assert_int_equal(v[0].prefix, 32);
	assert_int_equal(v[1].any_only, 1);
	assert_int_equal(v[1].prefix, 128);
	assert_int_equal(v[2].any_only, 0);
	assert_int_equal(v[2].net.family, AF_INET6);
	assert_int_equal(v[2].prefix, 128);
	compile_free(&given);
}

/* ---- when ---- */

static void test_when(void **state)
{
	static const struct {
		const char *keys;
		struct rule_when w;
	} rows[] = {
		{"nth=3", {.nth_lo = 3, .nth_hi = 3, .nth_step = 1}},
		{"nth=3..9+2", {.nth_lo = 3, .nth_hi = 9, .nth_step = 2}},
		{"first=3", {.nth_lo = 1, .nth_hi = 3, .nth_step = 1}},
		{"nth=2..9+3 first=6", {.nth_lo = 2, .nth_hi = 6, .nth_step = 3}},
		{"every=4 limit=2", {.every = 4, .limit = 2}},
		{"chance=5%", {.has_chance = 1, .chance = 214748364}},
		{"chance=0.5", {.has_chance = 1, .chance = 1ull << 31}},
		{"chance=1", {.has_chance = 1, .chance = 1ull << 32}},
		{"chance=100%", {.has_chance = 1, .chance = 1ull << 32}},
		{"after=1.5s until=2m", {.after_ns = 1500000000, .until_ns = 120 * SEC}},
		{"pulse=1s/250ms", {.active_ns = SEC, .idle_ns = 250000000}},
		{"count_per=listener", {.per = RULE_PER_LISTENER}},
		{"after=7us count_per=process", {.after_ns = 7000, .per = RULE_PER_PROCESS}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];
		struct compiled given;
		snprintf(text, sizeof(text), "accept %s: EMFILE", rows[i].keys);
		const struct rules *r = given_image_of_rule(&given, text);
		assert_memory_equal(&rules_rule(r, 0)->when, &rows[i].w, sizeof(rows[i].w));
		compile_free(&given);
	}
}

/* Where the image's "not asked" would mean the contrary: a chance of nothing. */
static void test_never(void **state)
{
	static const char *const keys[] = {"limit=0", "until=0s", "pulse=0s/1s", "nth=5 first=3", "limit=0 chance=50%"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char text[64];
		const char *rule = text;
		struct compiled given;
		struct compile_input in = {.rules = &rule, .n_rules = 1};
		snprintf(text, sizeof(text), "bind %s: deny", keys[i]);
		free(given_said(&in, &given));
		assert_int_equal(given.warnings, 1);
		const struct rule_when *w = &rules_rule(given.image, 0)->when;
		assert_int_equal(w->has_chance, 1);
		assert_int_equal(w->chance, 0);
		compile_free(&given);
	}
}

/* ---- do ---- */

static void test_steps(void **state)
{
	struct compiled given;
	const struct rules *r = given_image(
		&given, V1 "rules:\n"
			   "  - name: several\n"
			   "    call: connect\n"
			   "    steps:\n"
			   "      - {times: 2, do: {errno: ETIMEDOUT, after: 1s}}\n"
			   "      - {do: {delay: 50ms, jitter: 5ms, log: slow, signal: SIGUSR1, after_call: true}}\n"
			   "  - {name: short, call: listen, do: {backlog: 3}}\n"
			   "  - {name: no, call: bind, do: {deny: true}}\n");
	const struct rule_step *s = rules_step(r, rules_rule(r, 0)->first_step);

	(void)state;
	assert_int_equal(rules_rule(r, 0)->n_steps, 2);
	assert_int_equal(s[0].times, 2);
	assert_int_equal(s[0].action, SNAG_ACTION_errno);
	assert_int_equal(s[0].err, ETIMEDOUT);
	assert_int_equal(s[0].after_ns, SEC);
	assert_int_equal(s[1].times, 1);
	assert_int_equal(s[1].action, SNAG_ACTION_NONE);
	assert_int_equal(s[1].delay_ns, 50000000);
	assert_int_equal(s[1].jitter_ns, 5000000);
	assert_int_equal(s[1].signal, SIGUSR1);
	assert_int_equal(s[1].after_call, 1);
	assert_int_equal(s[1].has_log, 1);
	assert_string_equal(rules_string(r, s[1].log), "slow");
	assert_int_equal(s[2].action, SNAG_ACTION_backlog);
	assert_int_equal(s[2].backlog, 3);
	assert_int_equal(s[2].times, 0);
	assert_int_equal(s[3].action, SNAG_ACTION_deny);
	assert_int_equal(s[3].err, 0);
	assert_int_equal(given.n_rules, 3);
	assert_true(given.draws);
	compile_free(&given);
}

static void test_names(void **state)
{
	static const char *const rules[] = {"bind: deny", "bind name=rule2: log=a", "bind proto=udp: log=b"};
	static const char *const names[] = {"rule1", "rule2", "rule3"};
	struct compile_input in = {.rules = rules, .n_rules = 3};
	struct compiled given;

	(void)state;
	free(given_said(&in, &given));
	for (unsigned i = 0; i < 3; i++) {
		const struct rule *r = rules_rule(given.image, i);
		assert_string_equal(rules_string(given.image, r->name), names[i]);
		assert_int_equal(r->name_hash, hash_bytes(names[i], 5));
	}
	compile_free(&given);
}

/* Long lists multiply: refused before they come to more than an image can hold. */
static void test_too_large(void **state)
{
	static const char *const files[] = {"p.yaml"};
	struct compile_input in = {.files = files, .n_files = 1};
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	fputs(V1 "endpoints:\n  e: {port: [1", f);
	for (unsigned i = 0; i < 1023; i++)
		fputs(", 1", f);
	fputs("]}\nrules:\n", f);
	for (unsigned rule = 0; rule < 2; rule++) {
		fputs("  - {call: listen, do: {delay: 1s}, match: {endpoint: [e", f);
		for (unsigned i = 0; i < 1023; i++)
			fputs(",e", f);
		fputs("]}}\n", f);
	}
	assert_int_equal(fclose(f), 0);
	given_file("p.yaml", text, strlen(text));
	given_check(&in, "policy: error: the rules name too much: over 64 MiB\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty), cmocka_unit_test(test_modes), cmocka_unit_test(test_occupy), cmocka_unit_test(test_seed),
		cmocka_unit_test(test_calls), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_keys),  cmocka_unit_test(test_any),   cmocka_unit_test(test_when),
		cmocka_unit_test(test_never), cmocka_unit_test(test_steps), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
