/* live: the model against the running kernel. Random sequences of calls, each predicted before it is made; a certain
 * prediction that differs is a failure. It is then shrunk to its shortest sequence and printed.
 *
 *     build/release/tests/live				some seconds, as a unit test
 *     SEED=7 OPS=1000000 build/release/tests/live	as long as it takes: `make check-live` */
#include "live.h"

#include <base/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

struct board *board;

static bool everybody_lives(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)sock, (void)serial;
	return true;
}

/* All sequences of a seed, one after the other in one world. */
static int run_world(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	struct sequence q;
	struct world w;

	if (!world_begin(&w, seed))
		return 2;
	for (unsigned i = 0; i < SEQUENCES; i++) {
		sequence_make(&q, seed, i);
		if (!sequence_play(&w, &q, 2000 + i * PORTS)) {
			board->failed = (int)i + 1;
			return 1;
		}
	}
	return model_check(w.d->m, everybody_lives, NULL) != 0;
}

static void report(unsigned seed)
{
	unsigned i = (unsigned)board->failed - 1;
	char *log = strdup(board->log);
	struct sequence q;

	sequence_make(&q, seed, i);
	fprintf(stderr, "seed %u, sequence %u:\n", seed, i);
	if (!board->failed) {
		fprintf(stderr, "the model's invariants do not hold at the end\n");
	} else if (sequence_alone(&q) != 1) {
		fprintf(stderr, "not by itself; the whole of it:\n%s", log);
	} else {
		sequence_shrink(&q);
		sequence_alone(&q);
		fputs(board->log, stderr);
	}
	free(log);
}

static void tell(void)
{
	const struct totals *t = &board->totals;
	static const char *const reasons[] = {"", "peer", "raced", "foreign", "machine", "virtual",
		"unmodelled"};

	printf("# %lu steps, %lu calls predicted: %lu certain and right, %lu unknown", t->steps, t->asked, t->certain,
	       t->asked - t->certain);
	for (unsigned i = 1; i < SNAG_UNSURES && i < ARRAY_LEN(reasons); i++)
		if (t->unknown[i])
			printf(", %s %lu", reasons[i], t->unknown[i]);
	printf(" (%.2f %%)\n", 100.0 * (double)(t->asked - t->certain) / (double)(t->asked ? t->asked : 1));
	for (unsigned call = 0; getenv("VERBOSE") && call < SNAG_CALLS; call++)
		if (t->by_call[call])
			printf("# call %u unknown %lu\n", call, t->by_call[call]);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

static void test_live(void **state)
{
	unsigned seed = (unsigned)setting("SEED", 1);
	unsigned long steps = setting("OPS", 15000), failures = 0;

	(void)state;
	while (board->totals.steps < steps && failures < setting("FAILURES", 1)) {
		int status = (board->failed = 0, in_child(run_world, &seed));
		if (status == 2)
			skip();
		if (status)
			failures++, report(seed);
		seed++;
	}
	tell();
	assert_int_equal(failures, 0);
	assert_true(board->totals.certain > board->totals.asked / 100 * 95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_live)};

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return board == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
