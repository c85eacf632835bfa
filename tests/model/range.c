/* tests of model/range.c: which ports of a range does the kernel try? */
#include "drive.h"
#include <model/port.h>
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
		struct port_range range = {rows[i].low, rows[i].high, false, NULL, NULL};
		uint16_t free = rows[i].free;
		assert_int_equal(range_all(&range, only, &free), rows[i].all);
		assert_int_equal(range_in_twos(&range, only, &free), rows[i].twos);
		assert_int_equal(range_in_halves(&range, only, &free), rows[i].halves);
	}
}

static void test_reserved(void **state)
{
	static uint8_t reserved[MODEL_PORTS / 8];
	struct port_range range = {10, 13, false, reserved, NULL};
	uint16_t free = 11;

	(void)state;
	assert_int_equal(range_in_twos(&range, only, &free), BIND_FREE);
	reserved[11 / 8] = 1 << 11 % 8;
	assert_int_equal(range_in_twos(&range, only, &free), BIND_CONFLICT);
}

struct asked {
	uint16_t free, order[8];
	unsigned n;
};

static enum bind_answer ask_and_note(void *arg, uint16_t port)
{
	struct asked *a = arg;

	a->order[a->n++] = port;
	return only(&a->free, port);
}

/* Ports that nobody uses are asked first; then all others, as some of those may be shared. */
static void test_unused_first(void **state)
{
	static uint64_t used[MODEL_PORTS / 64];
	struct port_range range = {65530, 65535, false, NULL, used};
	struct asked a = {.free = 65534};
	static const uint16_t order[] = {65534, 65535, 65530, 65531, 65532, 65533};

	(void)state;
	used[MODEL_PORTS / 64 - 1] = 0x3cull << 56 | 1;	/* 65530 to 65533, and one below */
	assert_int_equal(range_all(&range, ask_and_note, &a), BIND_FREE);
	assert_int_equal(a.n, 1);
	a = (struct asked){.free = 1};
	assert_int_equal(range_all(&range, ask_and_note, &a), BIND_CONFLICT);
	assert_memory_equal(a.order, order, sizeof(order));
	a = (struct asked){.free = 65532};
	assert_int_equal(range_all(&range, ask_and_note, &a), BIND_FREE);
	assert_int_equal(a.n, 5);
	for (unsigned i = 0; i < ARRAY_LEN(used); i++)
		used[i] = UINT64_MAX;
	a = (struct asked){.free = 65535};
	assert_int_equal(range_all(&range, ask_and_note, &a), BIND_FREE);
	assert_int_equal(a.n, 6);
}

/* A port is used from the first socket that is put there until the last one is gone, each protocol's by itself. */
static void test_used(void **state)
{
	static const struct {
		uint8_t proto;
		unsigned type;
	} kinds[] = {{SNAG_PROTO_TCP, SOCK_STREAM}, {SNAG_PROTO_UDP, SOCK_DGRAM}, {SNAG_PROTO_UDPLITE, SOCK_DGRAM}};
	static const char *const addrs[] = {"127.0.0.1", "127.0.0.2"};
	struct drive *d = drive_begin();

	(void)state;
	for (uint32_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const uint64_t *used = port_used(d->m, kinds[k].proto);
		assert_int_equal(used[8080 / 64], 0);
		for (uint32_t i = 0; i < 2; i++) {
			struct snag_outcome o = drive_outcome(d, 0);
			struct snag_call c;
			drive_socket(d, 1 + 2 * k + i, kinds[k].proto, AF_INET, kinds[k].type);
			c = drive_bind_call(d, 1 + 2 * k + i, drive_addr(addrs[i], 8080));
			drive_learn(d, &c, &o);
			assert_int_equal(used[8080 / 64], 1ull << 8080 % 64);
		}
	}
	for (uint32_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const uint64_t *used = port_used(d->m, kinds[k].proto);
		drive_close(d, 1 + 2 * k);
		assert_int_equal(used[8080 / 64], 1ull << 8080 % 64);
		drive_close(d, 2 + 2 * k);
		assert_int_equal(used[8080 / 64], 0);
	}
	assert_null(port_used(d->m, SNAG_PROTO_UNIX));
	drive_end(d);
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
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct model_sock r = {.range = rows[i].own};
		struct port_range range = range_of(m, &machine, &r);
		assert_int_equal(range.low, rows[i].low);
		assert_int_equal(range.high, rows[i].high);
		assert_int_equal(range.own, rows[i].own != 0);
	}
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan), cmocka_unit_test(test_reserved), cmocka_unit_test(test_own),
		cmocka_unit_test(test_unused_first), cmocka_unit_test(test_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
