/* bind: may these two share a port? The tables are Linux's, measured. */
#include "drive.h"
#include <model/bind.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { ADDR = SNAG_OPTION_REUSEADDR, PORT = SNAG_OPTION_REUSEPORT, BOTH = ADDR | PORT };

static struct bind_claim claim(const char *addr, unsigned domain, unsigned options)
{
	return (struct bind_claim){.addr = drive_addr(addr, 80), .domain = (uint16_t)domain,
		.options = (uint8_t)options};
}

/* Rows: the new socket's options; columns: the old one's, in the order none, addr, port, both. x: in the way; u: shared
 * by the same user only; o: shared. */
static const unsigned OPTIONS[4] = {0, ADDR, PORT, BOTH};
static const char BOUND[4][5] = {"xxxx", "xoxo", "xxuu", "xouo"};
static const char LISTENING[4][5] = {"xxxx", "xxxx", "xxuu", "xxuu"};
static const char TIME_WAIT[4][5] = {"xxxx", "xoxo", "xxoo", "xooo"};

static void check_table(const char table[4][5], bool listening, bool time_wait)
{
	for (int new = 0; new < 4; new++) {
		for (int old = 0; old < 4; old++) {
			for (uint32_t uid = 0; uid < 2; uid++) {
				struct bind_claim b = claim("127.0.0.1", AF_INET, OPTIONS[new]);
				struct bind_claim a = claim("127.0.0.1", AF_INET, OPTIONS[old]);
				bool shared = table[new][old] == 'o' || (table[new][old] == 'u' && !uid);
				a.listening = listening;
				a.time_wait = time_wait;
				a.uid = uid;
				if ((bind_conflict(&b, &a) == BIND_FREE) != shared)
					fail_msg("new %d old %d other user %u", new, old, uid);
			}
		}
	}
}

static void test_flags(void **state)
{
	(void)state;
	check_table(BOUND, false, false);
	check_table(LISTENING, true, false);
	check_table(TIME_WAIT, false, true);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *new;
		unsigned new_domain, new_options;
		const char *old;
		unsigned old_domain, old_options;
		bool meet;
	} rows[] = {
		{"127.0.0.1", AF_INET, 0, "127.0.0.1", AF_INET, 0, true},
		{"127.0.0.1", AF_INET, 0, "127.0.0.2", AF_INET, 0, false},
		{"0.0.0.0", AF_INET, 0, "127.0.0.2", AF_INET, 0, true},
		{"127.0.0.1", AF_INET, 0, "0.0.0.0", AF_INET, 0, true},
		{"127.0.0.1", AF_INET, 0, "::ffff:127.0.0.1", AF_INET6, 0, true},
		{"::ffff:127.0.0.1", AF_INET6, 0, "127.0.0.1", AF_INET, 0, true},
		{"::ffff:127.0.0.2", AF_INET6, 0, "127.0.0.1", AF_INET, 0, false},
		{"::ffff:0.0.0.0", AF_INET6, 0, "127.0.0.1", AF_INET, 0, true},
		{"::1", AF_INET6, SNAG_OPTION_V6ONLY, "::1", AF_INET6, SNAG_OPTION_V6ONLY, true},
		{"::1", AF_INET6, SNAG_OPTION_V6ONLY, "::2", AF_INET6, SNAG_OPTION_V6ONLY, false},
		{"::", AF_INET6, 0, "::1", AF_INET6, SNAG_OPTION_V6ONLY, true},
		{"::", AF_INET6, SNAG_OPTION_V6ONLY, "::1", AF_INET6, SNAG_OPTION_V6ONLY, true},
		{"::1", AF_INET6, 0, "::", AF_INET6, SNAG_OPTION_V6ONLY, true},
		{"::", AF_INET6, 0, "127.0.0.1", AF_INET, 0, true},
		{"127.0.0.1", AF_INET, 0, "::", AF_INET6, 0, true},
		{"::", AF_INET6, SNAG_OPTION_V6ONLY, "127.0.0.1", AF_INET, 0, false},
		{"127.0.0.1", AF_INET, 0, "::", AF_INET6, SNAG_OPTION_V6ONLY, false},
		{"0.0.0.0", AF_INET, 0, "::", AF_INET6, SNAG_OPTION_V6ONLY, false},
		{"0.0.0.0", AF_INET, 0, "::", AF_INET6, 0, true},
		{"::1", AF_INET6, 0, "127.0.0.1", AF_INET, 0, false},
		/* an AF_INET wildcard meets any IPv6 socket that is not V6ONLY, not the other way round */
		{"0.0.0.0", AF_INET, 0, "::1", AF_INET6, 0, true},
		{"0.0.0.0", AF_INET, 0, "::1", AF_INET6, SNAG_OPTION_V6ONLY, false},
		{"::ffff:0.0.0.0", AF_INET6, 0, "::1", AF_INET6, 0, false},
		{"127.0.0.1", AF_INET, 0, "::1", AF_INET6, 0, false},
		{"::1", AF_INET6, 0, "0.0.0.0", AF_INET, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bind_claim new = claim(rows[i].new, rows[i].new_domain, rows[i].new_options);
		struct bind_claim old = claim(rows[i].old, rows[i].old_domain, rows[i].old_options);
		if (bind_addresses_meet(&new, &old) != rows[i].meet)
			fail_msg("new %s, old %s", rows[i].new, rows[i].old);
	}
}

static void test_devices(void **state)
{
	struct bind_claim new = claim("127.0.0.1", AF_INET, 0), old = new;

	(void)state;
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
	new.device = 1;
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
	old.device = 2;
	assert_int_equal(bind_conflict(&new, &old), BIND_FREE);
	old.device = 1;
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
	old.device = MODEL_DEVICE_UNKNOWN;
	assert_int_equal(bind_conflict(&new, &old), BIND_UNSURE);
	new.device = 0;
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
}

/* A connection accepted on a wildcard: its address is not known, so only a wildcard certainly meets it. */
static void test_vague(void **state)
{
	struct bind_claim new = claim("127.0.0.2", AF_INET, 0), old = claim("0.0.0.0", AF_INET, 0);

	(void)state;
	old.vague = true;
	assert_int_equal(bind_conflict(&new, &old), BIND_UNSURE);
	new = claim("0.0.0.0", AF_INET, 0);
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_vague),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
