/* spare: a table that is full, and the descriptor that is given up in it. */
#include <effects/spare.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

static void test_given_up(void **state)
{
	int reserve = open("/", O_RDONLY), other;

	(void)state;
	assert_false(spare_left());
	assert_false(spare_left());
	close(reserve);
	assert_true(spare_left());
	assert_true(spare_left());
	assert_int_equal(open("/", O_RDONLY), reserve);
	assert_false(spare_left());

	/* What was opened later is none of those that were taken then. */
	other = open("/", O_RDONLY);
	assert_true(other > reserve);
	close(other);
	assert_false(spare_left());
	close(reserve);
	spare_forget();
}

/* The next time is a first time again. */
static void test_forgotten(void **state)
{
	int reserve = open("/", O_RDONLY);

	(void)state;
	assert_false(spare_left());
	spare_forget();
	close(reserve);
	assert_false(spare_left());
	spare_forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
