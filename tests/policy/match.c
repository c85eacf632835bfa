/* match: every key, and alternatives. */
#include "image.h"
#include <policy/match.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <snag/state.h>
#include <sys/socket.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_pattern(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{"", "", true},		  {"", "a", false},	     {"*", "", true},	       {"*", "abc", true},
		{"abc", "abc", true},	  {"abc", "abcd", false},    {"abc", "ab", false},     {"a*c", "abbbc", true},
		{"a*c", "ac", true},	  {"a*c", "acb", false},     {"*.sock", "/x/y.sock", true},
		{"*.sock", ".sock", true}, {"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false},
		{"**", "x", true},	  {"*ab", "aab", true},	     {"a*", "b", false},       {"*aab", "aaaab", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (match_pattern(rows[i].pattern, rows[i].text, strlen(rows[i].text)) != rows[i].match)
			fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].text);
	assert_true(match_pattern("a*b", "a\0b", 3));
}

static struct snag_addr addr(const char *text, uint16_t port)
{
	struct snag_addr a;
	unsigned prefix;

	assert_true(addr_parse(&a, &prefix, text, strlen(text)));
	a.port = port;
	return a;
}

/* A call and a view that every row below matches or misses in one point. */
static struct snag_call a_call(unsigned call)
{
	struct snag_call c = {
		.call = (uint16_t)call, .fd = 3, .sock = 1, .serial = 1, .proto = SNAG_PROTO_TCP, .domain = AF_INET,
		.facts = SNAG_FACT_QUEUE | SNAG_FACT_BLOCKING | SNAG_FACT_CALLER, .queue = 3, .blocking = 1,
		.caller = "libevent-2.1.so.7", .who = {.pid = 42, .uid = 1000, .comm = "worker", .exe = "nginx"},
	};

	c.addr = addr("10.1.2.3", 8080);
	return c;
}

static struct match_view a_view(void)
{
	return (struct match_view){
		.local = addr("127.0.0.1", 80), .peer = addr("192.168.7.7", 5555), .state = SNAG_STATE_LISTEN,
		.role = SNAG_ROLE_LISTENER, .time_waits = 12,
	};
}

static bool matches(struct image_builder *b, const struct snag_call *c, const struct match_view *v)
{
	struct rules *r;
	bool is;

	*image_step(b) = (struct rule_step){.action = SNAG_ACTION_errno, .err = EACCES};
	r = image_end(b);
	assert_null(rules_check(r, r->size));
	is = match_rule(r, rules_rule(r, 0), c, v);
	free(r);
	return is;
}

static struct image_builder *a_rule(unsigned call)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);

	image_rule(b, "r", (unsigned[]){call, 0});
	return b;
}

static void test_numbers(void **state)
{
	static const struct {
		unsigned call, key;
		int64_t lo, hi;
		bool match;
	} rows[] = {
		{SNAG_CALL_bind, RULE_KEY_LOCAL_PORT, 8080, 8080, true},	/* the argument */
		{SNAG_CALL_bind, RULE_KEY_LOCAL_PORT, 80, 80, false},
		{SNAG_CALL_bind, RULE_KEY_PEER_PORT, 5555, 5555, true},
		{SNAG_CALL_connect, RULE_KEY_PEER_PORT, 8000, 8099, true},
		{SNAG_CALL_connect, RULE_KEY_LOCAL_PORT, 80, 80, true},
		{SNAG_CALL_accept, RULE_KEY_LOCAL_PORT, 80, 80, true},
		{SNAG_CALL_accept, RULE_KEY_LOCAL_PORT, 81, 65535, false},
		{SNAG_CALL_connect, RULE_KEY_OWN_PORT, 8080, 8080, true},	/* the peer's */
		{SNAG_CALL_connect, RULE_KEY_OWN_PORT, 80, 80, false},
		{SNAG_CALL_bind, RULE_KEY_OWN_PORT, 8080, 8080, true},
		{SNAG_CALL_accept, RULE_KEY_OWN_PORT, 80, 80, true},
		{SNAG_CALL_close, RULE_KEY_OWN_PORT, 80, 80, true},
		{SNAG_CALL_close, RULE_KEY_OWN_PORT, 5555, 5555, false},
		{SNAG_CALL_bind, RULE_KEY_PROTO, SNAG_PROTO_TCP, SNAG_PROTO_TCP, true},
		{SNAG_CALL_bind, RULE_KEY_PROTO, SNAG_PROTO_UDP, SNAG_PROTO_UDP, false},
		{SNAG_CALL_bind, RULE_KEY_FAMILY, AF_INET, AF_INET, true},
		{SNAG_CALL_bind, RULE_KEY_FAMILY, AF_INET6, AF_INET6, false},
		{SNAG_CALL_bind, RULE_KEY_PID, 42, 42, true},
		{SNAG_CALL_bind, RULE_KEY_PID, 43, 43, false},
		{SNAG_CALL_bind, RULE_KEY_USER, 1000, 1000, true},
		{SNAG_CALL_bind, RULE_KEY_USER, 0, 0, false},
		{SNAG_CALL_accept, RULE_KEY_ROLE, SNAG_ROLE_LISTENER, SNAG_ROLE_LISTENER, true},
		{SNAG_CALL_accept, RULE_KEY_ROLE, SNAG_ROLE_CLIENT, SNAG_ROLE_CLIENT, false},
		{SNAG_CALL_accept, RULE_KEY_STATE, SNAG_STATE_LISTEN, SNAG_STATE_LISTEN, true},
		{SNAG_CALL_accept, RULE_KEY_STATE, SNAG_STATE_BOUND, SNAG_STATE_BOUND, false},
		{SNAG_CALL_accept, RULE_KEY_QUEUE, 3, INT64_MAX, true},
		{SNAG_CALL_accept, RULE_KEY_QUEUE, 4, INT64_MAX, false},
		{SNAG_CALL_accept, RULE_KEY_TIME_WAIT, 10, INT64_MAX, true},
		{SNAG_CALL_accept, RULE_KEY_TIME_WAIT, 13, INT64_MAX, false},
		{SNAG_CALL_accept, RULE_KEY_BLOCKING, 1, 1, true},
		{SNAG_CALL_accept, RULE_KEY_BLOCKING, 0, 0, false},
	};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_call c = a_call(rows[i].call);
		struct image_builder *b = a_rule(rows[i].call);
		image_range(b, rows[i].key, rows[i].lo, rows[i].hi);
		if (matches(b, &c, &v) != rows[i].match)
			fail_msg("row %zu", i);
	}
}

/* A fact that was not filled in matches nothing, whatever stands in its field. */
static void test_missing_facts(void **state)
{
	static const unsigned keys[] = {RULE_KEY_QUEUE, RULE_KEY_BLOCKING};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct snag_call c = a_call(SNAG_CALL_accept);
		struct image_builder *b = a_rule(SNAG_CALL_accept);
		c.facts = 0;
		image_range(b, keys[i], INT64_MIN, INT64_MAX);
		assert_false(matches(b, &c, &v));
	}
}

static void test_texts(void **state)
{
	static const struct {
		unsigned key;
		const char *text;
		bool match;
	} rows[] = {
		{RULE_KEY_EXE, "nginx", true},	      {RULE_KEY_EXE, "ngin", false},   {RULE_KEY_EXE, "nginxx", false},
		{RULE_KEY_COMM, "worker", true},      {RULE_KEY_COMM, "work", false},
		 {RULE_KEY_CALLER, "libevent", true},
		{RULE_KEY_CALLER, "event-2", true},   {RULE_KEY_CALLER, "libuv", false}, {RULE_KEY_EXE, "", false},
	};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_call c = a_call(SNAG_CALL_bind);
		struct image_builder *b = a_rule(SNAG_CALL_bind);
		image_text(b, rows[i].key, rows[i].text);
		if (matches(b, &c, &v) != rows[i].match)
			fail_msg("row %zu", i);
	}
	/* names are cut to their field: so is what the policy says */
	struct snag_call c = a_call(SNAG_CALL_bind);
	memcpy(c.who.comm, "a-very-long-nam", 16);
	struct image_builder *b = a_rule(SNAG_CALL_bind);
	image_text(b, RULE_KEY_COMM, "a-very-long-name-indeed");
	assert_true(matches(b, &c, &v));
}

static void test_addresses(void **state)
{
	static const struct {
		const char *addr, *net;
		bool match;
	} rows[] = {
		{"10.1.2.3", "10.0.0.0/8", true},   {"11.1.2.3", "10.0.0.0/8", false},
		{"::ffff:10.1.1.1", "10.0.0.0/8", true},
		{"10.1.2.3", "10.1.2.3", true},	    {"::1", "::1", true},	       {"::2", "::1", false},
	};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_call c = a_call(SNAG_CALL_bind);
		struct image_builder *b = a_rule(SNAG_CALL_bind);
		c.addr = addr(rows[i].addr, 1);
		image_net(b, RULE_KEY_LOCAL_ADDR, rows[i].net);
		if (matches(b, &c, &v) != rows[i].match)
			fail_msg("row %zu", i);
	}
	static const struct {
		unsigned call;
		const char *net;
		bool match;
	} own[] = {
		{SNAG_CALL_connect, "10.0.0.0/8", true}, {SNAG_CALL_connect, "127.0.0.0/8", false},
		{SNAG_CALL_bind, "10.0.0.0/8", true},	 {SNAG_CALL_close, "127.0.0.0/8", true},
		{SNAG_CALL_close, "192.168.0.0/16", false},
	};
	for (size_t i = 0; i < COUNT(own); i++) {
		struct snag_call c = a_call(own[i].call);
		struct image_builder *b = a_rule(own[i].call);
		image_net(b, RULE_KEY_OWN_ADDR, own[i].net);
		if (matches(b, &c, &v) != own[i].match)
			fail_msg("own, row %zu", i);
	}
	static const struct {
		const char *addr;
		bool match;
	} any[] = {{"0.0.0.0", true}, {"::", true}, {"127.0.0.1", false}};
	for (size_t i = 0; i < COUNT(any); i++) {
		struct snag_call c = a_call(SNAG_CALL_bind);
		struct image_builder *b = a_rule(SNAG_CALL_bind);
		c.addr = addr(any[i].addr, 1);
		image_match(b, RULE_KEY_LOCAL_ADDR)->any_only = 1;
		assert_int_equal(matches(b, &c, &v), any[i].match);
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		uint16_t len;
		const char *pattern;
		bool match;
	} rows[] = {
		{"/run/a.sock", 11, "/run/*.sock", true}, {"/run/a.sock", 11, "/tmp/*", false},
		{"\0name", 5, "@name", true},		  {"\0name", 5, "name", false},
		{"", 0, "*", false},
	};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_call c = a_call(SNAG_CALL_bind);
		struct image_builder *b = a_rule(SNAG_CALL_bind);
		memcpy(c.path, rows[i].path, rows[i].len);
		c.path_len = rows[i].len;
		image_text(b, RULE_KEY_PATH, rows[i].pattern);
		if (matches(b, &c, &v) != rows[i].match)
			fail_msg("row %zu", i);
		/* a listener's path comes from the model */
		struct match_view listener = a_view();
		c = a_call(SNAG_CALL_accept);
		listener.path = rows[i].path;
		listener.path_len = rows[i].len;
		b = a_rule(SNAG_CALL_accept);
		image_text(b, RULE_KEY_PATH, rows[i].pattern);
		assert_int_equal(matches(b, &c, &listener), rows[i].match);
	}
}

/* All keys must hold; of one key any value. */
static void test_and_or(void **state)
{
	struct match_view v = a_view();
	struct snag_call c = a_call(SNAG_CALL_bind);
	struct image_builder *b = a_rule(SNAG_CALL_bind);

	(void)state;
	assert_true(matches(b, &c, &v));	/* no key at all */
	b = a_rule(SNAG_CALL_bind);
	image_range(b, RULE_KEY_LOCAL_PORT, 1, 1);
	*image_or(b) = (struct rule_value){.lo = 8080, .hi = 8080};
	image_range(b, RULE_KEY_PID, 42, 42);
	assert_true(matches(b, &c, &v));
	b = a_rule(SNAG_CALL_bind);
	image_range(b, RULE_KEY_LOCAL_PORT, 8080, 8080);
	image_range(b, RULE_KEY_PID, 7, 7);
	assert_false(matches(b, &c, &v));
}

/* Beside what must hold, all of at least one alternative. The call is a bind to 10.1.2.3:8080 of pid 42. */
static void test_alternatives(void **state)
{
	static const struct {
		int64_t pid;
		struct {
			int64_t port;	/* 0: not asked */
			const char *net;
		} alternative[3];
		bool match;
	} rows[] = {
		{42, {{8080, "10.0.0.0/8"}, {80, "127.0.0.0/8"}}, true},
		{42, {{80, "127.0.0.0/8"}, {8080, "10.0.0.0/8"}}, true},
		{42, {{80, "127.0.0.0/8"}, {81, NULL}, {8080, "10.0.0.0/8"}}, true},
		{42, {{80, "10.0.0.0/8"}, {8080, "127.0.0.0/8"}}, false},	/* half of each is not one */
		{42, {{8080, "127.0.0.0/8"}, {8080, NULL}}, true},
		{42, {{80, NULL}, {0, "10.0.0.0/8"}}, true},
		{42, {{80, NULL}, {0, "127.0.0.0/8"}}, false},
		{42, {{8080, "10.0.0.0/8"}}, true},
		{42, {{8080, "127.0.0.0/8"}}, false},
		{7, {{8080, "10.0.0.0/8"}, {80, "127.0.0.0/8"}}, false},
		{7, {{80, NULL}, {8080, NULL}}, false},
	};
	struct match_view v = a_view();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_call c = a_call(SNAG_CALL_bind);
		struct image_builder *b = a_rule(SNAG_CALL_bind);
		image_range(b, RULE_KEY_PID, rows[i].pid, rows[i].pid);
		for (unsigned k = 0; k < COUNT(rows[i].alternative); k++) {
			if (rows[i].alternative[k].port) {
				image_range(b, RULE_KEY_LOCAL_PORT, rows[i].alternative[k].port,
					    rows[i].alternative[k].port);
				image_alternative(b, k + 1);
			}
			if (rows[i].alternative[k].net) {
				image_net(b, RULE_KEY_LOCAL_ADDR, rows[i].alternative[k].net);
				image_alternative(b, k + 1);
			}
		}
		if (matches(b, &c, &v) != rows[i].match)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pattern),	  cmocka_unit_test(test_numbers), cmocka_unit_test(test_missing_facts),
		cmocka_unit_test(test_texts),	  cmocka_unit_test(test_addresses), cmocka_unit_test(test_paths),
		cmocka_unit_test(test_and_or),	  cmocka_unit_test(test_alternatives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
