/* predicate.c - which side an address is of, and what endpoints come to. */
#include "given.h"

#include <snag/call.h>
#include <sys/socket.h>

static void test_sides(void **state)
{
	static const struct {
		const char *rule;
		unsigned key;
	} rows[] = {
		{"bind port=80: deny", RULE_KEY_LOCAL_PORT},
		{"listen port=80: EADDRINUSE", RULE_KEY_LOCAL_PORT},
		{"accept port=80: EMFILE", RULE_KEY_LOCAL_PORT},
		{"close port=80: EIO", RULE_KEY_LOCAL_PORT},
		{"connect port=80: deny", RULE_KEY_PEER_PORT},
		{"connect side=local port=80: deny", RULE_KEY_LOCAL_PORT},
		{"close side=peer port=80: EIO", RULE_KEY_PEER_PORT},
		{"bind,connect side=local port=80: deny", RULE_KEY_LOCAL_PORT},
		{"bind,connect side=peer port=80: log=x", RULE_KEY_PEER_PORT},
		{"bind,connect port=80: deny", RULE_KEY_OWN_PORT},
		{"* port=80: deny", RULE_KEY_OWN_PORT},
		{"* port=80: EADDRINUSE", RULE_KEY_OWN_PORT},
		{"bind,accept,close port=80: log=x", RULE_KEY_LOCAL_PORT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compiled given;
		const struct rules *r = given_image_of_rule(&given, rows[i].rule);
		const struct rule_value *v = given_value(r, 0, rows[i].key, 1);
		assert_int_equal(v->lo, 80);
		assert_int_equal(v->hi, 80);
		compile_free(&given);
	}
}

/* One endpoint: all that it says must hold. */
static void test_endpoint(void **state)
{
	struct compiled given;
	const struct rules *r =
		given_image(&given, V1 "endpoints:\n"
				    "  db: {side: peer, addr: 10.0.0.0/8, port: [5432, 6000..6010]}\n"
				    "rules:\n"
				    "  - {call: close, match: {endpoint: [db], proto: tcp}, do: {errno: EIO}}\n");
	const struct rule_value *addr = given_value(r, 1, RULE_KEY_PEER_ADDR, 1);
	const struct rule_value *port = given_value(r, 2, RULE_KEY_PEER_PORT, 2);
	const uint8_t ten[4] = {10, 0, 0, 0};

	(void)state;
	assert_int_equal(rules_rule(r, 0)->n_matches, 3);
	assert_int_equal(given_value(r, 0, RULE_KEY_PROTO, 1)->lo, SNAG_PROTO_TCP);
	assert_int_equal(addr->net.family, AF_INET);
	assert_int_equal(addr->prefix, 8);
	assert_memory_equal(addr->net.ip, ten, 4);
	assert_int_equal(port[0].lo, 5432);
	assert_int_equal(port[1].hi, 6010);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rules_match(r, i)->alternative, 0);
	compile_free(&given);
}

/* Several: each is an alternative with all its keys; the keys beside them must hold. */
static void test_endpoints(void **state)
{
	static const struct {
		unsigned key, alternative;
	} rows[] = {
		{RULE_KEY_LOCAL_PORT, 0}, {RULE_KEY_EXE, 0},	    {RULE_KEY_PEER_ADDR, 1}, {RULE_KEY_PEER_PORT, 1},
		{RULE_KEY_LOCAL_PORT, 2}, {RULE_KEY_PROTO, 2}, {RULE_KEY_PATH, 3},
	};
	struct compiled given;
	const struct rules *r =
		given_image(&given, V1 "endpoints:\n"
				    "  db: {side: peer, addr: 10.0.0.0/8, port: 5432}\n"
				    "  web: {port: 80, proto: tcp}\n"
				    "  sock: {path: /run/*}\n"
				    "  all: {side: peer}\n"
				    "rules:\n"
				    "  - call: close\n"
				    "    match: {endpoint: [db, web], exe: x, port: 1..99}\n"
				    "    do: {errno: EIO}\n"
				    "  - {call: close, match: {endpoint: [db, web, sock]}, do: {errno: EINTR}}\n"
				    "  - {call: close, match: {endpoint: [db, all], exe: x}, do: {errno: EINTR}}\n");
	const struct rule *first = rules_rule(r, 0), *second = rules_rule(r, 1), *third = rules_rule(r, 2);

	(void)state;
	assert_int_equal(first->n_matches, 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(rules_match(r, first->first_match + i)->key, rows[i].key);
		assert_int_equal(rules_match(r, first->first_match + i)->alternative, rows[i].alternative);
	}
	assert_int_equal(second->n_matches, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(rules_match(r, second->first_match + i)->key, rows[i + 2].key);
		assert_int_equal(rules_match(r, second->first_match + i)->alternative, rows[i + 2].alternative);
	}
	assert_int_equal(third->n_matches, 1);	/* `all` is met by every call */
	assert_int_equal(rules_match(r, third->first_match)->key, RULE_KEY_EXE);
	compile_free(&given);
}

/* As many as a list may have, each with all it may say: nothing is left out. */
static void test_many_endpoints(void **state)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	struct compiled given;

	(void)state;
	assert_non_null(f);
	fputs(V1 "endpoints:\n", f);
	for (unsigned i = 0; i < 100; i++)
		fprintf(f, "  e%u: {addr: 10.0.0.%u, port: %u, proto: tcp, side: peer}\n", i, i, 1000 + i);
	fputs("rules:\n  - call: close\n    do: {errno: EIO}\n    match: {endpoint: [e0", f);
	for (unsigned i = 1; i < 100; i++)
		fprintf(f, ", e%u", i);
	fputs("]}\n", f);
	assert_int_equal(fclose(f), 0);
	const struct rules *r = given_image(&given, text);
	assert_int_equal(rules_rule(r, 0)->n_matches, 300);
	assert_int_equal(rules_match(r, 299)->alternative, 100);
	free(text);
	compile_free(&given);
}

/* An endpoint without a side, in a rule without a call: the side is each call's own. */
static void test_own_endpoint(void **state)
{
	struct compiled given;
	const struct rules *r = given_image(&given, V1 "endpoints:\n"
						    "  web: {addr: [any, 10.0.0.0/8], port: 80}\n"
						    "rules:\n"
						    "  - {match: {endpoint: web}, do: {errno: EPERM}}\n");

	(void)state;
	assert_int_equal(rules_rule(r, 0)->n_matches, 2);
	assert_int_equal(given_value(r, 0, RULE_KEY_OWN_ADDR, 3)->any_only, 1);
	assert_int_equal(given_value(r, 1, RULE_KEY_OWN_PORT, 1)->hi, 80);
	compile_free(&given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sides),	  cmocka_unit_test(test_own_endpoint), cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_endpoints), cmocka_unit_test(test_many_endpoints),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
