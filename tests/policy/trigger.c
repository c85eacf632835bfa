/* trigger: nth, first, every, chance, limit, after, until, pulse, count_per, steps; and that draws are keyed. */
#include "image.h"
#include <policy/trigger.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEC 1000000000ull

static struct trigger_table *table(void)
{
	return calloc(1, sizeof(struct trigger_table));
}

static struct rules *one_rule(const char *name, uint64_t seed, const struct rule_when *w, const struct rule_step *steps,
			      unsigned n)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, seed);

	image_rule(b, name, (unsigned[]){SNAG_CALL_bind, 0});
	*image_when(b) = *w;
	for (unsigned i = 0; i < n; i++)
		*image_step(b) = steps[i];
	return image_end(b);
}

static struct snag_call caller(unsigned proc, unsigned thread, unsigned sock)
{
	struct snag_call c = {.call = SNAG_CALL_bind, .sock = sock, .serial = sock, .sock_key = sock ? 1000 + sock : 0};

	c.who.proc_serial = proc;
	c.who.proc_key = 7000 + proc;
	c.who.thread = thread;
	return c;
}

static const struct rule_step DENY = {.action = SNAG_ACTION_deny};

/* An event that was said counts from then on; switches are the engine's to ask. */
static void test_events(void **state)
{
	struct rules *r = one_rule("r", 1, &(struct rule_when){.event = 77}, &DENY, 1);
	struct trigger_table *t = table();
	struct snag_call c = caller(1, 1, 1);
	uint64_t draw;

	(void)state;
	assert_true(trigger_fire(t, r, 0, &c, 0, &draw) == TRIGGER_NO_STEP);
	assert_true(trigger_say(t, 78));
	assert_true(trigger_fire(t, r, 0, &c, 0, &draw) == TRIGGER_NO_STEP);
	assert_true(trigger_say(t, 77) && trigger_say(t, 77));
	assert_false(trigger_fire(t, r, 0, &c, 0, &draw) == TRIGGER_NO_STEP);
	assert_int_equal(t->event[2], 0);
	for (uint64_t e = 1; e <= TRIGGER_EVENTS - 2; e++)
		assert_true(trigger_say(t, 2000 + e));
	assert_false(trigger_say(t, 1000));
	assert_false(trigger_said(t, 1000));
	assert_true(trigger_on(t, 0) && trigger_on(t, SNAG_RULES_MAX));
	trigger_switch(t, 0, false);
	trigger_switch(t, SNAG_RULES_MAX, false);
	assert_false(trigger_on(t, 0));
	trigger_switch(t, 0, true);
	assert_true(trigger_on(t, 0));
	free(r);
	free(t);
}

/* Twelve matches; which of them fire? A dot: it does not. */
static void test_counts(void **state)
{
	static const struct {
		struct rule_when w;
		const char *fires;
	} rows[] = {
		{{0}, "xxxxxxxxxxxx"},
		{{.nth_lo = 3, .nth_hi = 3}, "..x........."},
		{{.nth_lo = 1, .nth_hi = 3, .nth_step = 1}, "xxx........."},
		{{.nth_lo = 3, .nth_hi = 9, .nth_step = 2}, "..x.x.x.x..."},
		{{.nth_lo = 9, .nth_hi = 3}, "............"},
		{{.every = 4}, "...x...x...x"},
		{{.every = 1}, "xxxxxxxxxxxx"},
		{{.limit = 2}, "xx.........."},
		{{.every = 3, .limit = 2}, "..x..x......"},
		{{.nth_lo = 2, .nth_hi = 8, .nth_step = 1, .every = 3}, "..x..x......"},
		{{.has_chance = 1, .chance = 0}, "............"},
		{{.has_chance = 1, .chance = 1ull << 32}, "xxxxxxxxxxxx"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rules *r = one_rule("r", 1, &rows[i].w, &DENY, 1);
		struct trigger_table *t = table();
		struct snag_call c = caller(1, 1, 1);
		char fires[13] = {0};
		uint64_t draw, n = 0;

		for (int j = 0; j < 12; j++) {
			fires[j] = trigger_fire(t, r, 0, &c, 0, &draw) == TRIGGER_NO_STEP ? '.' : 'x';
			n += fires[j] == 'x';
		}
		assert_string_equal(fires, rows[i].fires);
		assert_int_equal(t->rule[0].matched, 12);
		assert_int_equal(t->rule[0].fired, n);
		free(r);
		free(t);
	}
}

/* Seconds 0 to 11: in which does it fire? */
static void test_times(void **state)
{
	static const struct {
		struct rule_when w;
		const char *fires;
	} rows[] = {
		{{.after_ns = 3 * SEC}, "...xxxxxxxxx"},
		{{.until_ns = 3 * SEC}, "xxx........."},
		{{.after_ns = 2 * SEC, .until_ns = 5 * SEC}, "..xxx......."},
		{{.active_ns = SEC, .idle_ns = 3 * SEC}, "x...x...x..."},
		{{.after_ns = 2 * SEC, .active_ns = 2 * SEC, .idle_ns = SEC}, "..xx.xx.xx.x"},
		{{.idle_ns = SEC}, "............"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rules *r = one_rule("r", 1, &rows[i].w, &DENY, 1);
		struct trigger_table *t = table();
		struct snag_call c = caller(1, 1, 1);
		char fires[13] = {0};
		uint64_t draw;

		for (unsigned j = 0; j < 12; j++)
			fires[j] = trigger_fire(t, r, 0, &c, j * SEC, &draw) == TRIGGER_NO_STEP ? '.' : 'x';
		assert_string_equal(fires, rows[i].fires);
		free(r);
		free(t);
	}
}

/* Matches outside the time window count, too: after the window opens, nth goes on from there. */
static void test_counts_are_of_matches(void **state)
{
	struct rule_when w = {.nth_lo = 3, .nth_hi = 100, .after_ns = 5 * SEC};
	struct rules *r = one_rule("r", 1, &w, &DENY, 1);
	struct trigger_table *t = table();
	struct snag_call c = caller(1, 1, 1);
	uint64_t draw;

	(void)state;
	assert_int_equal(trigger_fire(t, r, 0, &c, 0, &draw), TRIGGER_NO_STEP);
	assert_int_equal(trigger_fire(t, r, 0, &c, 0, &draw), TRIGGER_NO_STEP);
	assert_int_equal(trigger_fire(t, r, 0, &c, 6 * SEC, &draw), 0);
	free(r);
	free(t);
}

static void test_steps(void **state)
{
	const struct rule_step steps[] = {
		{.times = 2, .action = SNAG_ACTION_deny}, {.times = 1, .delay_ns = 5},
		{.times = 3, .action = SNAG_ACTION_deny},
	};
	static const uint32_t expect[] = {0, 0, 1, 2, 2, 2, TRIGGER_NO_STEP, TRIGGER_NO_STEP};
	struct rule_when w = {0};
	struct rules *r = one_rule("r", 1, &w, steps, 3);
	struct trigger_table *t = table();
	struct snag_call c = caller(1, 1, 1);
	uint64_t draw;

	(void)state;
	for (size_t i = 0; i < COUNT(expect); i++)
		assert_int_equal(trigger_fire(t, r, 0, &c, 0, &draw), expect[i]);
	free(r);
	w.every = 2;	/* a step serves its fires, not matches */
	r = one_rule("r", 1, &w, steps, 2);
	memset(t, 0, sizeof(*t));
	static const uint32_t every[] = {TRIGGER_NO_STEP, 0, TRIGGER_NO_STEP, 0, TRIGGER_NO_STEP, 1, TRIGGER_NO_STEP,
					 TRIGGER_NO_STEP};
	for (size_t i = 0; i < COUNT(every); i++)
		assert_int_equal(trigger_fire(t, r, 0, &c, 0, &draw), every[i]);
	free(r);
	free(t);
}

/* first: 1 by owner: who fires once each? */
static void test_count_per(void **state)
{
	static const struct {
		unsigned proc, thread, sock;
	} calls[] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 2}, {1, 2, 1}, {2, 1, 3}, {2, 1, 1}, {1, 1, 1}};
	static const char *const fires[] = {
		[RULE_PER_RULE] = "x......",	 [RULE_PER_PROCESS] = "x...x..", [RULE_PER_THREAD] = "x..xx..",
		[RULE_PER_SOCKET] = "x.x.x..", [RULE_PER_LISTENER] = "x.x.x..",
	};

	(void)state;
	for (uint8_t per = 0; per < COUNT(fires); per++) {
		struct rule_when w = {.nth_lo = 1, .nth_hi = 1, .per = per};
		struct rules *r = one_rule("r", 1, &w, &DENY, 1);
		struct trigger_table *t = table();
		char got[COUNT(calls) + 1] = {0};
		uint64_t draw;

		for (size_t i = 0; i < COUNT(calls); i++) {
			struct snag_call c = caller(calls[i].proc, calls[i].thread, calls[i].sock);
			got[i] = trigger_fire(t, r, 0, &c, 0, &draw) == TRIGGER_NO_STEP ? '.' : 'x';
		}
		assert_string_equal(got, fires[per]);
		assert_int_equal(t->rule[0].matched, COUNT(calls));
		free(r);
		free(t);
	}
}

/* ---- keyed draws ---- */

#define PROCS 4
#define MATCHES 64

/* Plays MATCHES matches of each process, in an order that `order` shuffles, and notes what each decided. */
static void play(uint64_t seed, unsigned order, const char *name, char out[PROCS][MATCHES + 1], uint64_t *draws)
{
	struct rule_when w = {.has_chance = 1, .chance = (uint64_t)(0.3 * 4294967296.0)};
	struct rules *r = one_rule(name, seed, &w, &DENY, 1);
	struct trigger_table *t = table();
	unsigned done[PROCS] = {0}, left = PROCS * MATCHES;

	memset(out, 0, PROCS * (MATCHES + 1));
	while (left) {
		unsigned p = (unsigned)rand_r(&order) % PROCS;
		struct snag_call c;
		uint64_t draw;
		if (done[p] == MATCHES)
			continue;
		c = caller(p + 1, 1, 0);
		c.sock_key = 1 + done[p] % 3;		/* three sockets each, with the same keys in all processes */
		c.serial = (uint32_t)rand_r(&order);	/* as arrival gives them */
		c.who.proc_serial = (uint32_t)rand_r(&order);
		out[p][done[p]] = trigger_fire(t, r, 0, &c, left, &draw) == TRIGGER_NO_STEP ? '.' : 'x';
		if (draws)
			draws[p * MATCHES + done[p]] = draw;
		done[p]++;
		left--;
	}
	free(r);
	free(t);
}

static void test_same_seed_same_decisions(void **state)
{
	char a[PROCS][MATCHES + 1], b[PROCS][MATCHES + 1];
	uint64_t draws_a[PROCS * MATCHES], draws_b[PROCS * MATCHES];

	(void)state;
	play(42, 1, "r", a, draws_a);
	for (unsigned order = 2; order < 30; order++) {
		play(42, order, "r", b, draws_b);
		assert_memory_equal(a, b, sizeof(a));
		assert_memory_equal(draws_a, draws_b, sizeof(draws_a));
	}
	play(43, 1, "r", b, NULL);
	assert_memory_not_equal(a, b, sizeof(a));
	play(42, 1, "other", b, NULL);
	assert_memory_not_equal(a, b, sizeof(a));
	for (unsigned p = 1; p < PROCS; p++)
		assert_memory_not_equal(a[0], a[p], MATCHES);
}

/* Over many sockets the share of fires is that of the chance; the numbers are fixed, so is the result. */
static void test_chance_is_fair(void **state)
{
	static const double chances[] = {0.01, 0.3, 0.5, 0.95};

	(void)state;
	for (size_t i = 0; i < COUNT(chances); i++) {
		struct rule_when w = {.has_chance = 1, .chance = (uint64_t)(chances[i] * 4294967296.0)};
		struct rules *r = one_rule("fair", 5, &w, &DENY, 1);
		struct trigger_table *t = table();
		unsigned fired = 0, n = 100000;
		uint64_t draw;

		for (unsigned j = 0; j < n; j++) {
			struct snag_call c = caller(1 + j % 7, 1, 1 + j % 5000);
			fired += trigger_fire(t, r, 0, &c, j, &draw) != TRIGGER_NO_STEP;
		}
		assert_true(fired > (chances[i] - 0.01) * n && fired < (chances[i] + 0.01) * n);
		free(r);
		free(t);
	}
}

static void test_jitter(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t j = trigger_jitter(i, 1000);
		assert_true(j <= 1000);
		assert_int_equal(j, trigger_jitter(i, 1000));
		sum += j;
	}
	assert_true(sum > 10000 * 450 && sum < 10000 * 550);
	assert_int_equal(trigger_jitter(5, 0), 0);
	trigger_jitter(5, UINT64_MAX);
}

/* More owners than there are counters: the table gives up the longest unused, says so, and keeps counting the rest. */
static void test_eviction(void **state)
{
	struct rule_when w = {.nth_lo = 1, .nth_hi = 1, .per = RULE_PER_SOCKET};
	struct rules *r = one_rule("r", 1, &w, &DENY, 1);
	struct trigger_table *t = table();
	unsigned fired = 0;
	uint64_t draw;

	(void)state;
	for (unsigned i = 1; i <= 3 * SNAG_COUNTERS; i++) {
		struct snag_call c = caller(1, 1, i);
		fired += trigger_fire(t, r, 0, &c, i, &draw) != TRIGGER_NO_STEP;
		assert_int_equal(trigger_fire(t, r, 0, &c, i, &draw), TRIGGER_NO_STEP);
	}
	assert_int_equal(fired, 3 * SNAG_COUNTERS);
	assert_true(t->evicted >= 2 * SNAG_COUNTERS);
	free(r);
	free(t);
}

/* Entries whose owner died while they changed hands are passed over, not waited for. */
static void test_stuck_entries(void **state)
{
	struct rule_when w = {.nth_lo = 1, .nth_hi = 1, .per = RULE_PER_SOCKET};
	struct rules *r = one_rule("r", 1, &w, &DENY, 1);
	struct trigger_table *t = table();
	uint64_t draw;

	(void)state;
	for (unsigned i = 0; i < SNAG_COUNTERS; i++) {
		t->count[i].key = i % 2 ? 1 : 1000 + i;		/* every other one: changing hands */
		t->count[i].used_ns = i % 2 ? 0 : 5;
	}
	for (unsigned i = 1; i <= 100; i++) {
		struct snag_call c = caller(1, 1, i);
		assert_int_equal(trigger_fire(t, r, 0, &c, 10, &draw), 0);
	}
	free(r);
	free(t);
}

/* A table full of somebody's noise: no crash, no endless loop. */
static void test_scribbled(void **state)
{
	struct rule_when w = {.has_chance = 1, .chance = 1u << 31, .per = RULE_PER_SOCKET};
	struct rules *r = one_rule("r", 1, &w, &DENY, 1);
	struct trigger_table *t = table();
	unsigned seed = 3;
	uint64_t draw;

	(void)state;
	for (size_t i = 0; i < sizeof(*t) / sizeof(int); i++)
		((int *)t)[i] = rand_r(&seed) % 5 ? rand_r(&seed) : 1;
	for (unsigned i = 0; i < 10000; i++) {
		struct snag_call c = caller(i % 7, 1, i);
		uint32_t step = trigger_fire(t, r, i % 2, &c, i, &draw);
		assert_true(step == 0 || step == TRIGGER_NO_STEP);
	}
	free(r);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_counts),	   cmocka_unit_test(test_times),
		cmocka_unit_test(test_counts_are_of_matches), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_count_per),  cmocka_unit_test(test_same_seed_same_decisions),
		cmocka_unit_test(test_chance_is_fair), cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_eviction),   cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_stuck_entries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
