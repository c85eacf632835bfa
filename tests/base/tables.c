/* calls and names: the tables agree with each other and with the system's headers. */
#include <base/calls.h>
#include <base/names.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_calls(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SNAG_CALLS; i++) {
		const struct call_row *row = call_row(i);
		assert_int_equal(call_by_name(row->name, strlen(row->name)), i);
		assert_true(row->group[0]);
	}
	assert_int_equal(call_by_name("acce", 4), SNAG_CALL_NONE);
	assert_int_equal(call_by_name("", 0), SNAG_CALL_NONE);
	assert_string_equal(call_row(SNAG_CALL_accept4)->group, "accept");
	assert_string_equal(call_row(9999)->name, "");
	assert_true(call_has(SNAG_CALL_bind, SNAG_TRAIT_PORT));
	assert_true(call_has(SNAG_CALL_bind, SNAG_TRAIT_FD | SNAG_TRAIT_NEW));
	assert_false(call_has(SNAG_CALL_bind, SNAG_TRAIT_NEW));
	assert_true(call_has(SNAG_CALL_poll, SNAG_TRAIT_WAIT));
}

/* Each errno that a call may inject has a name that we know, and none stands twice. */
static void test_call_errnos(void **state)
{
	(void)state;
	for (unsigned i = 1; i < SNAG_CALLS; i++) {
		const char *p = call_row(i)->errnos;
		char seen[4096] = {0};

		while (*p) {
			size_t n = strcspn(p, " ");
			int err = errno_by_name(p, n);
			if (!err || seen[err])
				fail_msg("%s: %.*s", call_row(i)->name, (int)n, p);
			seen[err] = 1;
			p += n + (p[n] == ' ');
		}
	}
}

static void test_errnos(void **state)
{
	(void)state;
	for (unsigned i = 0; errno_nth(i); i++) {
		int err = errno_by_name(errno_nth(i), strlen(errno_nth(i)));
		assert_true(err > 0);
		assert_int_equal(errno_by_name(errno_name(err), strlen(errno_name(err))), err);
	}
	for (int err = 1; err < 134; err++)	/* the C library knows a text for each: so have we a name */
		if (strncmp(strerror(err), "Unknown", 7) && !errno_name(err))
			fail_msg("no name for errno %d", err);
	assert_string_equal(errno_name(EAGAIN), "EAGAIN");
	assert_string_equal(errno_name(EOPNOTSUPP), "EOPNOTSUPP");
	assert_int_equal(errno_by_name("EWOULDBLOCK", 11), EAGAIN);
	assert_null(errno_name(0));
	assert_null(errno_name(-5));
	assert_null(errno_name(4000));
	assert_int_equal(errno_by_name("ECONREFUSED", 11), 0);
	assert_int_equal(errno_by_name("EIO", 2), 0);
}

static void test_signals(void **state)
{
	(void)state;
	for (int sig = 1; sig < 32; sig++) {
		assert_non_null(signal_name(sig));
		assert_int_equal(signal_by_name(signal_name(sig), strlen(signal_name(sig))), sig);
	}
	assert_int_equal(signal_by_name("SIGCLD", 6), SIGCHLD);
	assert_int_equal(signal_by_name("KILL", 4), 0);
	assert_null(signal_name(0));
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(state_name(SNAG_STATE_SYN_SENT), "syn_sent");
	assert_string_equal(why_name(SNAG_WHY_UNKNOWN_HOLDER), "unknown_holder");
	for (unsigned i = 0; i < SNAG_STATES; i++)
		assert_string_not_equal(state_name(i), "?");
	for (unsigned i = 0; i < SNAG_ROLES; i++)
		assert_string_not_equal(role_name(i), "?");
	for (unsigned i = 0; i < SNAG_WHYS; i++)
		assert_string_not_equal(why_name(i), "?");
	for (unsigned i = 0; i < SNAG_UNSURES; i++)
		assert_string_not_equal(unsure_name(i), "?");
	for (unsigned i = 0; i <= SNAG_MODE_INJECT; i++)
		assert_string_not_equal(mode_name(i), "?");
	for (unsigned i = 0; i <= SNAG_BY_RULE; i++)
		assert_string_not_equal(by_name(i), "?");
	assert_string_equal(state_name(SNAG_STATES), "?");
	assert_string_equal(proto_name(77), "?");
	assert_string_equal(mode_name(77), "?");
	assert_string_equal(by_name(77), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),	cmocka_unit_test(test_call_errnos), cmocka_unit_test(test_errnos),
		cmocka_unit_test(test_signals), cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
