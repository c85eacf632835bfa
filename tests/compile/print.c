/* print.c - the canonical form: what it looks like, that it is accepted, and that it means the same. */
#include "given.h"

static const char *const files[] = {"p.yaml", "q.yaml"};

static char *printed(const struct compile_input *in)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(compile_print(in, f, NULL), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Prints, reads what was printed, and compares image and second print. */
static void round_trip(const struct compile_input *in)
{
	struct compile_input again = {.files = files, .n_files = 1, .seed = "5"}, first = *in;
	struct compiled a, b;

	char *text = printed(in);
	first.seed = "5";
	assert_int_equal(compile_policy(&first, &a, NULL), 0);
	given_file("p.yaml", text, strlen(text));
	assert_int_equal(compile_policy(&again, &b, NULL), 0);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.image, b.image, a.size);
	again.seed = NULL;
	char *twice = printed(&again);
	assert_string_equal(text, twice);
	free(text);
	free(twice);
	compile_free(&a);
	compile_free(&b);
}

static void test_form(void **state)
{
	static const char policy[] = "rules:\n"
				     "- do: deny\n"
				     "  match: {port: [80, 8000..8099], endpoint: web, user: ['0'], comm: 'null', exe: "
				     "\"a\\u00e9 \\\"\\x01\"}\n"
				     "  call: [bind]\n"
				     "- {steps: [{do: {after: 1000ms, errno: EWOULDBLOCK}}, {times: 2, do: {delay: "
				     "90s, jitter: 1500us}}], call: fork,\n"
				     "   when: {pulse: {idle: 60m, active: 0.5s}, chance: 5.50%, nth: 3..3+1}}\n"
				     "- {name: 'on: x', call: ['*'], do: {log: '# no'}}\n"
				     "endpoints: {web: {proto: tcp, side: local}}\n"
				     "seed: 007\n"
				     "version: 1\n";
	struct compile_input in = {.files = files, .n_files = 1};

	(void)state;
	given_file("p.yaml", policy, strlen(policy));
	char *text = printed(&in);
	assert_string_equal(text, "version: 1\n"
				  "seed: 7\n"
				  "mode: inject\n"
				  "endpoints:\n"
				  "  web: {side: local, proto: tcp}\n"
				  "rules:\n"
				  "  - name: rule1\n"
				  "    call: bind\n"
				  "    match: {endpoint: web, port: [80, 8000..8099], exe: \"a\303\251 "
				  "\\\"\\U00000001\", comm: \"null\", user: \"0\"}\n"
				  "    do: {deny: true}\n"
				  "  - name: rule2\n"
				  "    call: fork\n"
				  "    when: {nth: 3, chance: 5.50%, pulse: {active: 500ms, idle: 1h}}\n"
				  "    steps:\n"
				  "      - {do: {errno: EAGAIN, after: 1s}}\n"
				  "      - {times: 2, do: {delay: 90s, jitter: 1500us}}\n"
				  "  - name: \"on: x\"\n"
				  "    call: \"*\"\n"
				  "    do: {log: \"# no\"}\n");
	free(text);
}

static void test_policies(void **state)
{
	static const char *const policies[] = {
		V1,
		V1 "mode: log\nrules:\n  - {call: bind, do: deny}\n",
		V1 "endpoints: {}\nrules: []\n",
		V1 "endpoints:\n  a: {}\n  b: {path: [/x, '@y*'], proto: unix}\nrules:\n"
		   "  - {call: bind, match: {endpoint: b}, do: {deny: true}}\n",
		V1 "endpoints:\n  a: {port: 1}\nrules:\n  - {match: {endpoint: a}, do: deny}\n"
		   "  - {call: [connect, close], match: {port: 2, addr: '::1'}, do: {delay: 1s}}\n",
		V1 "endpoints:\n  a: {port: 1, proto: tcp}\n  b: {addr: any}\n  c: {path: /x}\nrules:\n"
		   "  - {call: close, match: {endpoint: [c, a, b], user: root}, do: {errno: EIO}}\n"
		   "  - {match: {endpoint: [b, c]}, do: {delay: 1s}}\n",
		V1 "rules:\n  - {do: {errno: EMFILE}}\n  - {name: rule1, do: {backlog: 2, overflow: drop}}\n",
		V1 "rules:\n  - {call: [bind, '=accept4', close], do: {delay: 0s, jitter: 0.1ms}}\n",
		V1 "rules:\n  - {call: accept, match: {queue: ['>3', 1..2, '<=0'], time_wait: 7, side: local, addr: "
		   "[any, '::1/64']},"
		   " when: {every: 3, limit: 4, first: 9, nth: 1..9+2, after: 1us, until: 1ns, count_per: thread},"
		   " do: {errno: EINTR, log: 'x'}}\n",
		V1 "rules:\n  - {call: bind, match: {blocking: false, state: [closed, bound], role: client, family: "
		   "[inet, unix],"
		   " caller: 'lib c', pid: [1, 2], user: root}, do: {errno: ENOSPC, force: true, signal: SIGCLD}}\n",
		V1
		"rules:\n  - {name: \"\\u2028\\ufeff\\U0001F600\\x7f\\x85'\", call: bind, do: {log: '-'}}\n"
		"  - {name: '1.5', call: connect, do: {log: '~'}}\n  - {name: 'true', call: listen, do: {log: ':'}}\n",
	};
	struct compile_input in = {.files = files, .n_files = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		given_file("p.yaml", policies[i], strlen(policies[i]));
		round_trip(&in);
	}
}

static void test_arguments(void **state)
{
	static const char *const rules[] = {"bind port=8080,9000..9099 first=3: EADDRINUSE",
					    "=accept4,bind pulse=1s/4s: delay=1s",
					    "* exe=12,true,null name='x y': log=\"it's\""};
	static const char *const sets[] = {"seed=9", "endpoints.e.port=1,2", "rules[0].when.first=7"};
	struct compile_input in = {.rules = rules, .n_rules = 3, .sets = sets, .n_sets = 3, .mode = "inject"};

	(void)state;
	round_trip(&in);
}

/* Lists append, names merge, the last scalar wins; --set is over all of them. */
static void test_merge(void **state)
{
	static const char one[] =
		V1 "seed: 1\nmode: log\nendpoints:\n  a: {port: 1}\nrules:\n  - {name: x, call: bind, do: deny}\n";
	static const char two[] = V1 "mode: inject\nendpoints:\n  b: {port: 2}\nrules:\n"
				     "  - {name: y, call: listen, match: {endpoint: a}, do: {backlog: 1}}\n";
	static const char *const rules[] = {"connect endpoint=b name=z: deny"};
	static const char *const sets[] = {"seed=2", "rules[1].do.backlog=4", "rules.z.match.endpoint=a",
					   "endpoints.b.port=3"};
	struct compile_input in = {
		.files = files, .n_files = 2, .rules = rules, .n_rules = 1, .sets = sets, .n_sets = 4};

	(void)state;
	given_file("p.yaml", one, strlen(one));
	given_file("q.yaml", two, strlen(two));
	char *text = printed(&in);
	assert_string_equal(text, "version: 1\n"
				  "seed: 2\n"
				  "mode: inject\n"
				  "endpoints:\n"
				  "  a: {port: 1}\n"
				  "  b: {port: 3}\n"
				  "rules:\n"
				  "  - name: x\n"
				  "    call: bind\n"
				  "    do: {deny: true}\n"
				  "  - name: y\n"
				  "    call: listen\n"
				  "    match: {endpoint: a}\n"
				  "    do: {backlog: 4}\n"
				  "  - name: z\n"
				  "    call: connect\n"
				  "    match: {endpoint: a}\n"
				  "    do: {deny: true}\n");
	free(text);

	/* the same name twice, in two files */
	struct compile_input twice = {.files = files, .n_files = 2};
	given_file("q.yaml", one, strlen(one));
	given_check(&twice, "q.yaml:5:3: error: endpoints.a: another endpoint has this name, p.yaml:5:3\n"
			    "q.yaml:7:12: error: rules[0].name: another rule has this name, p.yaml:7:5\n");
}

static void test_shipped(void **state)
{
	static const char *const names[] = {"p", "none"};
	struct compile_input in = {.files = names, .n_files = 1, .policy_dir = given_dir};
	struct compiled out;
	char said[256];

	(void)state;
	given_file("p.yaml", V1, strlen(V1));
	unlink("q.yaml");
	assert_int_equal(compile_policy(&in, &out, NULL), 0);
	compile_free(&out);
	in.files = names + 1;
	snprintf(said, sizeof(said),
		 "none: error: no shipped policy has this name; there are p. The path of a file has a / "
		 "or a suffix\n");
	given_check(&in, said);
}

/* Errors: nothing is printed. */
static void test_errors(void **state)
{
	static const char *const rules[] = {"bind: EADDRINUS"};
	struct compile_input in = {.rules = rules, .n_rules = 1};
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_int_equal(compile_print(&in, f, NULL), -1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(n, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),  cmocka_unit_test(test_policies), cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_merge), cmocka_unit_test(test_shipped),  cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
