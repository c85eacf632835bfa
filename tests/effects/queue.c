/* What is remembered of a listener's queue: who came when, who may be taken, and what is left when others take. */
#include <effects/queue.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct queue_table *table;
static struct queue_held *q;

static bool nobody_gone(uint32_t sock, uint32_t serial)
{
	(void)sock;
	(void)serial;
	return false;
}

static bool odd_gone(uint32_t sock, uint32_t serial)
{
	(void)serial;
	return sock % 2;
}

static int setup(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table));
	q = queue_find(table, 5, 50, true, nobody_gone);
	return !q;
}

static int teardown(void **state)
{
	(void)state;
	free(table);
	return 0;
}

/* The kernel's queue is so long at `now`; newcomers are held until `until` by rule 1 (0: not at all). */
static void seen(uint32_t len, uint64_t now, uint64_t until)
{
	for (uint32_t n = queue_news(q, len); n; n--)
		queue_add(q, now, until, until ? 1 : 0);
}

static uint32_t may_take(uint64_t now, uint64_t *until)
{
	uint32_t rule;
	uint64_t other;
	return queue_free(table, q, now, until ? until : &other, &rule);
}

static void test_together_in_order(void **state)
{
	uint64_t until;
	(void)state;
	seen(3, 10, 110);
	seen(4, 60, 160);
	assert_int_equal(may_take(109, &until), 0);
	assert_int_equal(until, 110);
	assert_int_equal(may_take(110, &until), 3);
	assert_int_equal(until, 160);
	assert_int_equal(may_take(160, &until), 4);
	assert_true(until == QUEUE_FOREVER);
}

static void test_behind_a_held_head(void **state)
{
	(void)state;
	seen(1, 10, 110);
	seen(2, 20, 0);		/* no rule holds this one, but it stands behind */
	assert_int_equal(may_take(50, NULL), 0);
	assert_int_equal(may_take(110, NULL), 2);
}

static void test_taken(void **state)
{
	(void)state;
	seen(2, 10, 110);
	queue_take(q, 7);
	assert_int_equal(queue_news(q, 1), 0);	/* it is on its way; its accept tells */
	queue_took(q, 7, true);
	assert_int_equal(queue_taking(q), 0);
	assert_int_equal(may_take(110, NULL), 1);
	seen(2, 120, 220);			/* one more */
	assert_int_equal(may_take(120, NULL), 1);
	assert_int_equal(may_take(220, NULL), 2);
	queue_took(q, 7, false);		/* an accept that failed takes none */
	assert_int_equal(may_take(220, NULL), 2);
}

static bool odd_thread(uint32_t tid)
{
	return tid % 2;
}

/* Threads that end in the middle of accept: one that had taken the head, and one that had not. */
static void test_taker_gone(void **state)
{
	(void)state;
	seen(2, 10, 110);
	queue_take(q, 7);
	queue_take(q, 8);
	assert_int_equal(queue_news(q, 1), 0);
	assert_int_equal(queue_taking(q), 2);
	queue_forget(q, odd_thread);
	assert_int_equal(queue_taking(q), 1);
	queue_took(q, 8, true);
	assert_int_equal(queue_news(q, 1), 0);
	assert_int_equal(may_take(110, NULL) - queue_taking(q), 1);
	for (uint32_t tid = 1; tid <= QUEUE_TAKERS; tid++)
		queue_take(q, 2 * tid);
	queue_take(q, 1);			/* no place left: it is not counted */
	queue_took(q, 1, false);
	assert_int_equal(queue_taking(q), QUEUE_TAKERS);
	assert_int_equal(queue_news(q, 0), 0);
	assert_int_equal(queue_taking(q), 0);
}

static void test_taken_unseen(void **state)
{
	(void)state;
	seen(1, 10, 110);
	seen(3, 20, 220);
	assert_int_equal(queue_news(q, 2), 0);	/* the head is gone */
	assert_int_equal(may_take(110, NULL), 0);
	assert_int_equal(queue_news(q, 0), 0);
	assert_int_equal(q->runs, 0);
}

static void test_release(void **state)
{
	(void)state;
	seen(2, 10, QUEUE_FOREVER);
	assert_int_equal(may_take(1000000, NULL), 0);
	table->released_ns = 11;
	assert_int_equal(may_take(12, NULL), 2);
	seen(3, 20, QUEUE_FOREVER);		/* came afterwards */
	assert_int_equal(may_take(30, NULL), 2);
}

static bool is_off(uint32_t rule)
{
	return rule == 0;
}

static void test_switched_off(void **state)
{
	(void)state;
	seen(2, 10, QUEUE_FOREVER);
	queue_let_go(q, is_off);
	assert_int_equal(may_take(11, NULL), 2);
}

static void test_unchanged(void **state)
{
	uint64_t until;
	uint32_t rule;
	(void)state;
	seen(2, 10, 110);
	assert_true(queue_unchanged(table, q, 2, 50, &until, &rule));
	assert_int_equal(until, 110);
	assert_int_equal(rule, 1);
	assert_false(queue_unchanged(table, q, 3, 50, &until, &rule));	/* somebody came */
	assert_false(queue_unchanged(table, q, 1, 50, &until, &rule));	/* somebody took one */
	assert_false(queue_unchanged(table, q, 2, 110, &until, &rule));	/* its time has come */
	assert_false(queue_unchanged(table, q, 0, 50, &until, &rule));
}

static void test_many_runs(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 3 * QUEUE_RUNS; i++)
		seen(i, i, 100 + i);
	assert_int_equal(q->runs, QUEUE_RUNS);
	assert_int_equal(may_take(100 + QUEUE_RUNS - 1, NULL), QUEUE_RUNS - 1);
	assert_int_equal(may_take(100 + 3 * QUEUE_RUNS - 1, NULL), QUEUE_RUNS - 1);	/* never too early */
	assert_int_equal(may_take(100 + 3 * QUEUE_RUNS, NULL), 3 * QUEUE_RUNS);
}

static void test_places(void **state)
{
	(void)state;
	for (uint32_t sock = 6; sock < 6 + QUEUE_LISTENERS - 1; sock++)
		assert_non_null(queue_find(table, sock, 1, true, nobody_gone));
	assert_null(queue_find(table, 1000, 1, true, nobody_gone));
	assert_null(queue_find(table, 1000, 1, false, NULL));
	assert_non_null(queue_find(table, 1000, 1, true, odd_gone));
	assert_ptr_not_equal(queue_find(table, 6, 1, false, NULL), NULL);
	assert_null(queue_find(table, 6, 2, false, NULL));	/* another socket */
}

static void test_scribbled_on(void **state)
{
	uint64_t until;
	uint32_t rule;
	(void)state;
	memset(q, 0xff, sizeof(*q));
	queue_free(table, q, 5, &until, &rule);
	queue_add(q, 1, 2, 1);
	queue_took(q, 7, true);
	queue_let_go(q, is_off);
	queue_news(q, 0);
	assert_int_equal(q->runs, 0);
	q->runs = 2;		/* thousands of millions: forgotten at once */
	q->run[0].n = UINT32_MAX - 7;
	q->run[1].n = 5;
	memset(q->taker, 0, sizeof(q->taker));
	assert_int_equal(queue_news(q, 1), 0);
	assert_int_equal(q->runs, 1);
	assert_int_equal(q->run[0].n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_together_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_behind_a_held_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taker_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_unseen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switched_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scribbled_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
