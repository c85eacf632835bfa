/* state: a record speaks of one socket only, and of nothing where it has no file space. */
#include <effects/state.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define READY 8

static struct fault_table *table(void)
{
	return calloc(1, sizeof(struct fault_table));
}

static void test_claim(void **state)
{
	struct fault_table *t = table();
	struct fault_state *f;

	(void)state;
	assert_null(fault_find(t, READY, 3, 77));
	f = fault_claim(t, READY, 3, 77);
	assert_non_null(f);
	assert_ptr_equal(fault_find(t, READY, 3, 77), f);
	assert_ptr_equal(fault_claim(t, READY, 3, 77), f);
	free(t);
}

/* What a predecessor left is gone with it. */
static void test_successor(void **state)
{
	struct fault_table *t = table();
	struct fault_state *f = fault_claim(t, READY, 3, 77);

	(void)state;
	f->sent = f->received = f->recv_until_ns = f->send_until_ns = 5;
	f->spent = f->pending = f->busy = f->spurious = f->rule = 5;
	assert_null(fault_find(t, READY, 3, 78));
	assert_ptr_equal(fault_claim(t, READY, 3, 78), f);
	assert_int_equal(f->sent + f->received + f->recv_until_ns + f->send_until_ns, 0);
	assert_int_equal(f->spent + f->pending + f->busy + f->spurious + f->rule, 0);
	assert_null(fault_find(t, READY, 3, 77));
	free(t);
}

/* Killed in the middle of the change. */
static void test_moving(void **state)
{
	struct fault_table *t = table();

	(void)state;
	t->sock[2].serial = UINT32_MAX;
	t->sock[2].sent = 5;
	assert_null(fault_find(t, READY, 3, 77));
	assert_non_null(fault_claim(t, READY, 3, 77));
	assert_int_equal(t->sock[2].sent, 0);
	free(t);
}

static void test_bounds(void **state)
{
	struct fault_table *t = table();

	(void)state;
	assert_null(fault_claim(t, READY, 0, 77));
	assert_null(fault_claim(t, READY, READY + 1, 77));
	assert_null(fault_claim(t, READY, UINT32_MAX, 77));
	assert_null(fault_claim(t, UINT32_MAX, SNAG_SOCKS + 1, 77));
	assert_null(fault_claim(t, READY, 3, 0));
	assert_null(fault_claim(NULL, READY, 3, 77));
	assert_non_null(fault_claim(t, READY, READY, 77));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
