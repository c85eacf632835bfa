/* argument.c - policies from the command line: --rule, --set, --mode, --seed. */
#include "given.h"

struct argument_row {
	const char *text;
	const char *said;
};

static const struct argument_row rules[] = {
	{"bind port=8080 first=3: EADDRINUSE", ""},
	{"connect: ETIMEDOUT after=1200ms", ""},
	{"send count_per=socket nth=3..9+2: clamp=7", ""},
	{"accept port=80,443 chance=5%: hold=300ms",
	 ""},
	{"bind prot=80 x=1 first=0: EADDRINUS",
	 "--rule 1:6: error: prot: unknown key; did you mean proto?\n"
	 "--rule 1:14: error: x: unknown key\n"
	 "--rule 1:24: error: when.first: out of range; from 1 to 4294967295\n"
	 "--rule 1:27: error: unknown errno or action 'EADDRINUS'; did you mean EADDRINUSE?\n"},
	{"conect: X",
	 "--rule 1:1: error: call: unknown call 'conect'; did you mean connect?\n"
	 "--rule 1:9: error: unknown errno or action 'X'\n"},
	{"bind nth=2: SIGKILL",
	 "--rule 1:13: error: unknown errno or action 'SIGKILL'; a signal is written signal=NAME\n"},
	{"bnd: dely=1s jitter=2s",
	 "--rule 1:1: error: call: unknown call 'bnd'; did you mean bind?\n"
	 "--rule 1:6: error: dely: unknown action; did you mean delay?\n"},
	{"bind first=3 EADDRINUSE",
	 "--rule 1:14: error: EADDRINUSE: wants a value: KEY=VALUE\n"
	 "--rule 1:24: error: no ': ' behind the keys; write CALL [KEY=VALUE ...]: ACTION\n"},
	{"bind first=3: ", "--rule 1:15: error: no action behind ': '; an errno's name, or such as delay=50ms\n"},
	{"bind:EADDRINUSE", "--rule 1:16: error: no ': ' behind the keys; write CALL [KEY=VALUE ...]: ACTION\n"},
	{"", "--rule 1:1: error: no call; write CALL [KEY=VALUE ...]: ACTION\n"},
	{": EADDRINUSE", "--rule 1:1: error: no call; write CALL [KEY=VALUE ...]: ACTION\n"},
	{"port=80: EADDRINUSE", "--rule 1:1: error: begin with the name of a call, or with *\n"},
	{"bind port=80 port=81: deny", "--rule 1:14: error: port: duplicate key\n"},
	{"bind path='/tmp/a: EACCES", "--rule 1:11: error: path: a quote that is never closed\n"},
	{"bind path=\"/a\"b: EACCES", "--rule 1:15: error: path: text behind the closing quote\n"},
	{"bind port: deny", "--rule 1:6: error: port: wants a value: KEY=VALUE\n"},
	{"bind pulse=1s: deny", "--rule 1:12: error: pulse: wants the two durations, such as pulse=1s/4s\n"},
	{"bind pulse=1s/x: deny", "--rule 1:15: error: when.pulse.idle: wants a duration such as 250ms, found 'x'\n"},
	{"bind: foo=1", "--rule 1:7: error: foo: unknown action\n"},
	{"bind: delay", "--rule 1:7: error: delay: wants a value: delay=VALUE\n"},
	{"bind: jitter=1s", "--rule 1:7: error: jitter: unknown action\n"},
	{"bind: EADDRINUSE deny", "--rule 1:18: error: deny: a second action; --rule takes one, a policy file takes "
				  "more\n"},
	{"bind: delay=1s EADDRINUSE",
	 "--rule 1:16: error: EADDRINUSE: a second action; --rule takes one, a policy file "
	 "takes more\n"},
	{"bind: deny after=1s", "--rule 1:12: error: after: deny takes no parameters\n"},
	{"bind: errno=EACCES jitter=1s",
	 "--rule 1:20: error: jitter: no parameter of errno, which takes after, force\n"},
	{"bind: EACCES after", "--rule 1:14: error: after: wants a value: PARAM=VALUE\n"},
	{"connect: deny=false", "--rule 1:15: error: do.deny: wants true; leave deny out in place of false\n"},
	{"accept4: EMFILE", "--rule 1:1: error: call: accept4 is a variant of accept; write accept, or =accept4 "
			    "for exactly this one\n"},
	{"bnd: deny", "--rule 1:1: error: call: unknown call 'bnd'; did you mean bind?\n"},
	{"bind,: deny", "--rule 1:6: error: call[1]: unknown call ''\n"},
	{"bind port=80,x: deny", "--rule 1:14: error: match.port[1]: wants a port such as 8080, or a range such as "
				 "8000..8099, found 'x'\n"},
	{"listen: backlog=1 overflow=dorp",
	 "--rule 1:28: error: do.overflow: unknown word 'dorp'; did you mean drop?\n"},
	{"* : EMFILE", ""},
	{"caf\303\251: deny", "--rule 1:1: error: call: unknown call 'caf\303\251'\n"},
	{"bind exe=caf\303\251 prt=1: deny", "--rule 1:15: error: prt: unknown key; did you mean port?\n"},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct compile_input in = {.rules = &rules[i].text, .n_rules = 1};
		given_check(&in, rules[i].said);
	}
}

/* Over p.yaml, which has a rule and an endpoint. */
static const struct argument_row sets[] = {
	{"seed", "--set 1:5: error: no value; write PATH=VALUE\n"},
	{"seed=", "--set 1:6: error: seed: wants a number of at least 0, found nothing\n"},
	{"seed=x", "--set 1:6: error: seed: wants a number of at least 0, found 'x'\n"},
	{"=1", "--set 1:1: error: no path; write such as seed=7, endpoints.web.port=81 or "
	       "rules[0].when.first=2\n"},
	{"sed=1", "--set 1:1: error: sed: unknown key; did you mean seed?\n"},
	{"mode=foo", "--set 1:6: error: mode: unknown word 'foo'; one of log, enforce, inject, disabled\n"},
	{"kernel.somaxconn=2", ""},
	{"kernel.somaxcon=2", "--set 1:8: error: kernel.somaxcon: unknown key; did you mean somaxconn?\n"},
	{"kernel.somaxconn=x", "--set 1:18: error: kernel.somaxconn: wants a number from 0 to 2147483647, found 'x'\n"},
	{"rules[0].do.errno=EACESS",
	 "--set 1:19: error: rules[0].do.errno: unknown errno 'EACESS'; did you mean EACCES?\n"},
	{"rules[1].do.errno=EACCES", "--set 1:6: error: rules: no item [1]; there are 1\n"},
	{"rules.nobody.do.errno=EACCES", "--set 1:7: error: rules: none is named 'nobody'\n"},
	{"rules[x].name=a", "--set 1:6: error: no path; write such as seed=7, endpoints.web.port=81 or "
			    "rules[0].when.first=2\n"},
	{"rules[0]x=1", "--set 1:6: error: no path; write such as seed=7, endpoints.web.port=81 or "
			"rules[0].when.first=2\n"},
	{"rules[0].match.prt=80", "--set 1:16: error: rules[0].match.prt: unknown key; did you mean port?\n"},
	{"rules[0].when.first.x=1",
	 "--set 1:15: error: rules[0].when.first: wants a number from 1 to 4294967295, found "
	 "a map\n"},
	{"rules[0].call[3]=bind", "--set 1:14: error: rules[0].call: has no such part\n"},
	{"endpoints.web.prot=tcp", "--set 1:15: error: endpoints.web.prot: unknown key; did you mean proto?\n"},
	{"endpoints.db.port=x", "--set 1:19: error: endpoints.db.port: wants a port such as 8080, or a range such as "
				"8000..8099, found 'x'\n"},
	{"seed='1", "--set 1:6: error: a quote that is never closed\n"},
	{"rules[0]=x", "--set 1:6: error: rules[0]: is a map of keys; set one of them: rules[0].KEY=VALUE\n"},
	{"rules.a=x", "--set 1:7: error: rules.a: is a map of keys; set one of them: rules.a.KEY=VALUE\n"},
	{"expect[0].exit=0", "--set 1:7: error: expect: no item [0]; there are 0\n"},
};

static void test_sets(void **state)
{
	static const char *const files[] = {"p.yaml"};
	static const char policy[] = V1 "endpoints:\n  web: {port: 80}\n"
					"rules:\n  - {name: a, call: bind, do: {errno: EACCES}}\n";

	(void)state;
	given_file("p.yaml", policy, strlen(policy));
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct compile_input in = {.files = files, .n_files = 1, .sets = &sets[i].text, .n_sets = 1};
		given_check(&in, sets[i].said);
	}
}

/* Which argument it is stands in place of the line; all of them are told. */
static void test_ordinal(void **state)
{
	static const char *const rule_list[] = {"bind: deny", "bnd: deny", "bind: dny"};
	static const char *const set_list[] = {"seed=1", "sed=1"};
	struct compile_input in = {
		.rules = rule_list, .n_rules = 3, .sets = set_list, .n_sets = 2, .mode = "logg", .seed = "-1"};

	(void)state;
	given_check(&in, "--rule 2:1: error: call: unknown call 'bnd'; did you mean bind?\n"
			 "--rule 3:7: error: unknown errno or action 'dny'; did you mean deny?\n"
			 "--set 2:1: error: sed: unknown key; did you mean seed?\n"
			 "--mode: error: mode: unknown word 'logg'; did you mean log?\n"
			 "--seed: error: seed: out of range; from 0 to 9223372036854775807\n");
}

static void test_bytes(void **state)
{
	static const char *const latin[] = {"bind exe=caf\xe9: deny"};
	struct compile_input in = {.rules = latin, .n_rules = 1};
	char *text = malloc(70000);
	const char *list[] = {text};

	(void)state;
	given_check(&in, "--rule 1:1: error: not UTF-8\n");
	assert_non_null(text);
	memset(text, 'x', 69999);
	text[69999] = 0;
	in.rules = list;
	given_check(&in, "--rule 1:1: error: longer than 64 KiB; write it into a file\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_ordinal),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
