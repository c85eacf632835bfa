/* Whose rules hold: may two sockets share a port? Each row is one pair; a column for each profile. */
#include <model/profile.h>

#include <base/addr.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { BOUND, LISTEN, CONNECTED, TIMEWAIT };
#define A SNAG_OPTION_REUSEADDR
#define P SNAG_OPTION_REUSEPORT

/* '.': free, 'X': in the way; linux, freebsd, macos, textbook. Sources: Linux inet_csk_bind_conflict(), FreeBSD 13
 * in_pcbbind_setup(), xnu in_pcbbind(), Stevens UNP 7.5. */
static const struct {
	const char *new, *old;
	unsigned new_options, old_options, old_state, new_uid, old_uid;
	const char *answers;
} pairs[] = {
	/* without options whoever overlaps is in the way */
	{"10.0.0.1", "10.0.0.1", 0, 0, BOUND, 0, 0, "XXXX"},
	{"10.0.0.1", "0.0.0.0", 0, 0, LISTEN, 0, 0, "XXXX"},
	{"10.0.0.1", "10.0.0.1", 0, 0, CONNECTED, 0, 0, "XXXX"},
	{"10.0.0.1", "10.0.0.1", 0, 0, TIMEWAIT, 0, 0, "XXXX"},
	{"10.0.0.1", "10.0.0.2", 0, 0, LISTEN, 0, 0, "...."},
	{"10.0.0.1", "10.0.0.1", 0, A, TIMEWAIT, 0, 0, "XXXX"},
	/* TIME_WAIT and connections: whose SO_REUSEADDR counts */
	{"10.0.0.1", "10.0.0.1", A, 0, TIMEWAIT, 0, 0, "X..."},
	{"10.0.0.1", "10.0.0.1", A, A, TIMEWAIT, 0, 0, "...."},
	{"10.0.0.1", "10.0.0.1", P, 0, TIMEWAIT, 0, 0, "X..."},
	{"0.0.0.0", "10.0.0.1", A, 0, CONNECTED, 0, 0, "X..."},
	/* specific beside a wildcard */
	{"10.0.0.1", "0.0.0.0", A, 0, LISTEN, 0, 0, "X..."},
	{"10.0.0.1", "0.0.0.0", A, A, LISTEN, 0, 0, "X..."},
	{"10.0.0.1", "0.0.0.0", A, A, BOUND, 0, 0, "...."},
	/* exactly the same address */
	{"10.0.0.1", "10.0.0.1", A, A, BOUND, 0, 0, ".XXX"},
	{"0.0.0.0", "0.0.0.0", A, A, BOUND, 0, 0, ".XXX"},
	{"10.0.0.1", "10.0.0.1", A, A, LISTEN, 0, 0, "XXXX"},
	{"10.0.0.1", "10.0.0.1", P, P, LISTEN, 0, 0, "...."},
	{"10.0.0.1", "10.0.0.1", P, A, LISTEN, 0, 0, "XXXX"},
	/* other users: of SO_REUSEPORT on Linux; there at all on the others, root excepted */
	{"10.0.0.1", "10.0.0.1", P, P, LISTEN, 0, 7, "X..."},
	{"10.0.0.1", "10.0.0.1", P, P, LISTEN, 7, 8, "XXX."},
	{"0.0.0.0", "0.0.0.0", P, P, LISTEN, 7, 8, "XX.."},
	{"10.0.0.1", "10.0.0.1", A, A, CONNECTED, 7, 8, "..X."},
	{"10.0.0.1", "0.0.0.0", A, A, BOUND, 7, 8, ".XX."},
	{"10.0.0.1", "10.0.0.1", A, A, TIMEWAIT, 7, 8, "...."},
};

static struct bind_claim claim(const char *text, unsigned options, unsigned state, uint32_t uid)
{
	struct bind_claim c = {.options = (uint8_t)options, .listening = state == LISTEN, .time_wait = state == TIMEWAIT,
			       .uid = uid};
	unsigned prefix;

	assert_true(addr_parse(&c.addr, &prefix, text, strlen(text)));
	c.addr.port = 80;
	c.domain = c.addr.family;
	return c;
}

static void test_pairs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(pairs); i++) {
		struct bind_claim new = claim(pairs[i].new, pairs[i].new_options, BOUND, pairs[i].new_uid);
		struct bind_claim old = claim(pairs[i].old, pairs[i].old_options, pairs[i].old_state, pairs[i].old_uid);
		for (unsigned p = 0; p < SNAG_PROFILES; p++) {
			enum bind_answer a = profile_conflict(p, &new, &old, pairs[i].old_state >= CONNECTED);
			if ((a == BIND_CONFLICT) != (pairs[i].answers[p] == 'X'))
				fail_msg("row %u, profile %u: %d", i, p, a);
		}
	}
}

/* FreeBSD in_pcb_lport_dest() and in_pcbconnect_setup(), xnu in_pcbbind() and in_pcbladdr(). */
static void test_errnos(void **state)
{
	static const int exhausted[] = {EADDRINUSE, EADDRNOTAVAIL, EADDRNOTAVAIL, EADDRNOTAVAIL};
	static const int port_zero[] = {0, EADDRNOTAVAIL, EADDRNOTAVAIL, 0};
	struct snag_addr any = {.family = AF_INET}, one = {.family = AF_INET, .ip = {10, 0, 0, 1}};

	(void)state;
	for (unsigned p = 0; p < SNAG_PROFILES; p++) {
		assert_int_equal(profile_exhausted(p), exhausted[p]);
		assert_int_equal(profile_port_zero(p), port_zero[p]);
		assert_int_equal(profile_opens_low_ports(p, &any), p == SNAG_PROFILE_MACOS);
		assert_false(profile_opens_low_ports(p, &one));
		assert_int_equal(profile_listen_checks(p), p == SNAG_PROFILE_LINUX);
		assert_int_equal(profile_resets(p), p == SNAG_PROFILE_FREEBSD);
	}
}

/* The argument of listen, and Linux's that admits as many: one more than it says. */
static void test_backlog(void **state)
{
	static const struct {
		int32_t asked, somaxconn, real[SNAG_PROFILES];
	} rows[] = {
		{-1, -1, {-1, -1, 127, -1}},	{0, -1, {0, 0, 127, 0}},     {1, -1, {1, 1, 0, 0}},
		{2, -1, {2, 3, 1, 1}},		{5, -1, {5, 7, 4, 4}},	     {128, -1, {128, 192, 127, 127}},
		{500, -1, {500, 750, 127, 499}}, {500, 1000, {500, 750, 499, 499}}, {0, 4, {0, 0, 3, 0}},
		{0, 0, {0, 0, 0, 0}},
		{INT32_MAX, -1, {INT32_MAX, INT32_MAX, 127, INT32_MAX - 1}},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned p = 0; p < SNAG_PROFILES; p++)
			if (profile_backlog(p, rows[i].asked, rows[i].somaxconn) != rows[i].real[p])
				fail_msg("row %u, profile %u", i, p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backlog), cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
