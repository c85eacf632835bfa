/* tests of model/range.c: which ports of a range does the kernel try? */
#include <model/range.h>

#include <base/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* One port is free. */
static enum bind_answer only(void *arg, uint16_t port)
{
	return port == *(uint16_t *)arg ? BIND_FREE : BIND_CONFLICT;
}

struct row {
	uint16_t low, high, free;
	enum bind_answer all, twos, halves;
};

static void test_scan(void **state)
{
	static const struct row rows[] = {
		{10, 10, 10, BIND_FREE, BIND_FREE, BIND_FREE},
		{10, 11, 11, BIND_FREE, BIND_FREE, BIND_FREE},
		{10, 12, 10, BIND_FREE, BIND_FREE, BIND_FREE},
		{10, 12, 12, BIND_FREE, BIND_CONFLICT, BIND_CONFLICT},	/* of three the last is never tried */
		{10, 13, 13, BIND_FREE, BIND_FREE, BIND_FREE},
		{10, 14, 10, BIND_FREE, BIND_UNSURE, BIND_FREE},	/* of five the first or the last, by chance */
		{10, 14, 12, BIND_FREE, BIND_FREE, BIND_FREE},
		{10, 14, 14, BIND_FREE, BIND_UNSURE, BIND_CONFLICT},	/* the upper half is three */
		{10, 17, 18, BIND_CONFLICT, BIND_CONFLICT, BIND_CONFLICT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct port_range range = {rows[i].low, rows[i].high, false, NULL};
		uint16_t free = rows[i].free;
		assert_int_equal(range_all(&range, only, &free), rows[i].all);
		assert_int_equal(range_in_twos(&range, only, &free), rows[i].twos);
		assert_int_equal(range_in_halves(&range, only, &free), rows[i].halves);
	}
}

static void test_reserved(void **state)
{
	static uint8_t reserved[MODEL_PORTS / 8];
	struct port_range range = {10, 13, false, reserved};
	uint16_t free = 11;

	(void)state;
	assert_int_equal(range_in_twos(&range, only, &free), BIND_FREE);
	reserved[11 / 8] = 1 << 11 % 8;
	assert_int_equal(range_in_twos(&range, only, &free), BIND_CONFLICT);
}

/* A bound of the socket's own counts where it lies within the machine's. */
static void test_own(void **state)
{
	static const struct {
		uint32_t own;
		uint16_t low, high;
	} rows[] = {{0, 100, 200}, {150, 150, 200}, {150u << 16, 100, 150}, {160u << 16 | 150, 150, 160}, {99, 100, 200},
		    {201u << 16 | 120, 120, 200}};
	struct model_machine machine = {.port_low = 100, .port_high = 200};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct model_sock r = {.range = rows[i].own};
		struct port_range range = range_of(&machine, &r);
		assert_int_equal(range.low, rows[i].low);
		assert_int_equal(range.high, rows[i].high);
		assert_int_equal(range.own, rows[i].own != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan), cmocka_unit_test(test_reserved), cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
