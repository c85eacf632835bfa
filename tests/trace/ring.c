/* The ring: order, room, laps; writers that die or are late; several processes at full speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/base.h>
#include <base/sys.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <trace/ring.h>
#include <unistd.h>

#define DEAD 4000000u	/* a pid that alive() denies */
#define LATE 1000u	/* and one that it confirms */

static bool alive(uint32_t pid)
{
	return pid != DEAD;
}

static struct ring *r;
static union snag_event ev[SNAG_EVENT_MAX];
static unsigned n;

static int setup(void **state)
{
	(void)state;
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r, MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(r, sizeof(*r));
	return 0;
}

static uint64_t put(unsigned records, uint64_t t_ns)
{
	union snag_event e[SNAG_EVENT_MAX];

	memset(e, 0, sizeof(e));
	for (unsigned i = 0; i < records; i++) {
		e[i].head.kind = i ? SNAG_EXTRA_TEXT : SNAG_EVENT_CALL;
		e[i].head.extra = 9;
		e[i].call.t_ns = t_ns + i;
	}
	return ring_put(r, SNAG_RING_SLOTS, e, records, LATE);
}

static enum ring_got get(uint64_t now_ns)
{
	memset(ev, 0xee, sizeof(ev));
	return ring_get(r, ev, &n, alive, now_ns);
}

static void expect_event(uint64_t t_ns, unsigned records)
{
	assert_int_equal(get(1), RING_EVENT);
	assert_int_equal(n, records);
	assert_int_equal(ev[0].head.extra, records - 1);
	for (unsigned i = 0; i < records; i++)
		assert_int_equal(ev[i].call.t_ns, t_ns + i);
}

static void in_order(void **state)
{
	(void)state;
	assert_int_equal(get(1), RING_EMPTY);
	assert_int_equal(put(1, 10), 1);
	assert_int_equal(put(3, 20), 4);
	assert_int_equal(put(8, 30), 12);
	assert_int_equal(ring_put(r, SNAG_RING_SLOTS, ev, 0, LATE), 0);
	assert_int_equal(ring_put(r, SNAG_RING_SLOTS, ev, SNAG_EVENT_MAX + 1, LATE), 0);
	expect_event(10, 1);
	expect_event(20, 3);
	expect_event(30, 8);
	assert_int_equal(get(1), RING_EMPTY);
}

/* Many laps, with events of every length that lie across the end. */
static void round_and_round(void **state)
{
	uint64_t places = 0;

	(void)state;
	for (unsigned i = 0; places < 5ull * SNAG_RING_SLOTS; i++) {
		unsigned records = 1 + i % 8;

		places += records;
		assert_int_equal(put(records, i), places);
		expect_event(i, records);
	}
}

static void full(void **state)
{
	uint64_t t = 0;

	(void)state;
	while (put(3, t))
		t++;
	assert_int_equal(t, SNAG_RING_SLOTS / 3);
	assert_int_equal(put(3, 1), 0);
	assert_int_equal(get(1), RING_LOST);
	assert_int_equal(n, 2);
	for (uint64_t i = 0; i < t; i++)
		expect_event(i, 3);
	assert_int_equal(get(1), RING_EMPTY);
}

/* The first lap stops where file space ends, and goes on when there is more. */
static void not_all_allocated(void **state)
{
	union snag_event e;
	unsigned i = 0;

	(void)state;
	memset(&e, 0, sizeof(e));
	while (ring_put(r, 100, &e, 1, LATE))
		i++;
	assert_int_equal(i, 100);
	assert_int_equal(get(1), RING_LOST);
	expect_event(0, 1);
	assert_int_equal(ring_put(r, 100, &e, 1, LATE), 0);
	assert_int_equal(ring_put(r, 101, &e, 1, LATE), 101);
	assert_int_equal(ring_put(r, UINT32_MAX, &e, 1, LATE), 102);
}

/* The stamps as ring.h tells them: lap << 28 | pid << 6 | records - 1 << 3 | state. */
static uint64_t stamp(uint64_t lap, uint32_t pid, unsigned records, unsigned state)
{
	return lap << 28 | (uint64_t)pid << 6 | (uint64_t)(records - 1) << 3 | state;
}
enum { FREE, CLAIMED, DONE, ABANDONED, RETURNED };

/* A writer has taken `records` places and claimed the first `claimed` of them. */
static uint64_t begun(unsigned records, unsigned claimed, uint32_t pid)
{
	uint64_t place = r->head;

	r->head += records;
	for (unsigned i = 0; i < claimed; i++)
		r->slot[(place + i) % SNAG_RING_SLOTS].head.stamp =
			stamp((place + i) / SNAG_RING_SLOTS, pid, records - i, CLAIMED);
	return place;
}

static void a_dead_writer_costs_one_event(void **state)
{
	(void)state;
	for (unsigned claimed = 1; claimed <= 3; claimed++) {
		begun(3, claimed, DEAD);
		put(2, 7);
		assert_int_equal(get(1), RING_LOST);
		assert_int_equal(n, 1);
		expect_event(7, 2);
		assert_int_equal(get(1), RING_EMPTY);
	}
}

/* Dead between place and claim: nobody knows who it was, so it is waited for. One wait for all that is so. */
static void nobody_claims(void **state)
{
	(void)state;
	begun(1, 0, DEAD);
	put(1, 7);
	begun(2, 0, DEAD);
	put(1, 8);
	assert_int_equal(get(5), RING_WAIT);
	begun(1, 0, DEAD);
	assert_int_equal(get(5 + NSEC_PER_SEC), RING_WAIT);
	assert_int_equal(get(6 + NSEC_PER_SEC), RING_LOST);
	assert_int_equal(ring_get(r, ev, &n, alive, 7 + NSEC_PER_SEC), RING_EVENT);
	assert_int_equal(ring_get(r, ev, &n, alive, 8 + NSEC_PER_SEC), RING_WAIT);
	assert_int_equal(ring_get(r, ev, &n, alive, 9 + 2 * NSEC_PER_SEC), RING_LOST);
	assert_int_equal(ring_get(r, ev, &n, alive, 9 + 2 * NSEC_PER_SEC), RING_LOST);
	assert_int_equal(ring_get(r, ev, &n, alive, 9 + 2 * NSEC_PER_SEC), RING_EVENT);
	assert_int_equal(ev[0].call.t_ns, 8);
	assert_int_equal(get(9 + 2 * NSEC_PER_SEC), RING_WAIT);
	assert_int_equal(get(10 + 3 * NSEC_PER_SEC), RING_LOST);
	assert_int_equal(get(10 + 3 * NSEC_PER_SEC), RING_EMPTY);
}

/* Fills the ring up to the same slot one lap later; returns how many events were lost on the way. */
static unsigned one_lap(void)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < SNAG_RING_SLOTS; i++) {
		uint64_t place = put(1, i);
		enum ring_got got = get(1);

		lost += got == RING_LOST;
		assert_true(place ? got == RING_EVENT && ev[0].call.t_ns == i : got == RING_LOST);
	}
	return lost;
}

/* A late writer's slot is nobody else's until it is returned: its late bytes land in no newer record. */
static void a_late_writer(void **state)
{
	uint64_t place = begun(1, 1, LATE), *late = &r->slot[place].head.stamp;

	(void)state;
	put(1, 7);
	assert_int_equal(get(1), RING_WAIT);
	assert_int_equal(get(2 + NSEC_PER_SEC), RING_LOST);
	expect_event(7, 1);
	assert_int_equal(*late, stamp(0, LATE, 1, ABANDONED));
	assert_int_equal(one_lap(), 1);
	assert_int_equal(one_lap(), 1);
	assert_int_equal(*late, stamp(0, LATE, 1, ABANDONED));
	*late = stamp(0, LATE, 1, RETURNED);	/* as ring_put does when it goes on */
	assert_int_equal(one_lap(), 1);
	assert_int_equal(one_lap(), 0);
}

/* An event of several records whose first slot, or another, is a late writer's: one loss, and no wait for the rest. */
static void several_records_over_a_late_slot(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 4; at++) {
		uint64_t head = r->head;

		r->slot[(head + at) % SNAG_RING_SLOTS].head.stamp = stamp(0, LATE, 1, ABANDONED);
		assert_int_equal(put(4, 5), 0);
		put(1, 6);
		assert_int_equal(get(1), RING_LOST);
		assert_int_equal(n, 1);
		expect_event(6, 1);
		assert_int_equal(get(1), RING_EMPTY);
	}
}

static void a_late_writer_dies(void **state)
{
	uint64_t place = begun(1, 1, LATE);

	(void)state;
	assert_int_equal(get(1), RING_WAIT);
	assert_int_equal(get(2 + NSEC_PER_SEC), RING_LOST);
	r->slot[place].head.stamp = stamp(0, DEAD, 1, ABANDONED);
	assert_int_equal(one_lap(), 1);
	assert_int_equal(one_lap(), 0);
}

static void scribbled_on(void **state)
{
	uint64_t x = 88172645463325252ull, now = 1;
	unsigned asked = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 4096; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			memset(&r->slot[i], (int)x, sizeof(r->slot[i]));
			r->slot[i].head.stamp = x & (x % 3 ? UINT64_MAX : 0xffffffff);
		}
		r->head = round % 3 ? r->read + x % 4096 : x;
		r->read = round % 5 ? r->read : x >> 20;
		for (now += 2 * NSEC_PER_SEC; get(now) != RING_EMPTY; asked++)
			now += NSEC_PER_SEC / 2;
		assert_int_equal(r->head, r->tail);
		put(3, 1);
	}
	assert_true(asked > 0);
}

/* ---- several processes ---- */

#define WRITERS 4
#define EVENTS 25000u

static void write_events(unsigned who)
{
	union snag_event e[2];

	memset(e, 0, sizeof(e));
	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned records = 1 + i % 7 / 6;

		e[0].head.kind = SNAG_EVENT_CALL;
		e[0].call.tid = who;
		e[0].call.t_ns = i;
		e[1].call.t_ns = i;
		if (!ring_put(r, SNAG_RING_SLOTS, e, records, sys_getpid()))
			_exit(1);
	}
	_exit(0);
}

static bool pid_alive(uint32_t pid)
{
	return sys_kill(pid, 0) == 0;
}

static void none_is_lost(void **state)
{
	unsigned next[WRITERS] = {0}, total = 0;
	pid_t pid[WRITERS];

	(void)state;
	for (unsigned i = 0; i < WRITERS; i++)
		if ((pid[i] = fork()) == 0)
			write_events(i);
	while (total < WRITERS * EVENTS) {
		enum ring_got got = ring_get(r, ev, &n, pid_alive, sys_clock_ns(CLOCK_MONOTONIC));
		unsigned who;

		assert_int_not_equal(got, RING_LOST);
		if (got != RING_EVENT) {
			usleep(100);
			continue;
		}
		who = ev[0].call.tid;
		assert_true(who < WRITERS);
		assert_int_equal(ev[0].call.t_ns, next[who]);
		assert_int_equal(n, 1 + next[who] % 7 / 6);
		if (n == 2)
			assert_int_equal(ev[1].call.t_ns, next[who]);
		next[who]++;
		total++;
	}
	assert_int_equal(ring_get(r, ev, &n, pid_alive, 1), RING_EMPTY);
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
		assert_int_equal(next[i], EVENTS);
	}
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(in_order),
		test(round_and_round),
		test(full),
		test(not_all_allocated),
		test(a_dead_writer_costs_one_event),
		test(nobody_claims),
		test(a_late_writer),
		test(several_records_over_a_late_slot),
		test(a_late_writer_dies),
		test(scribbled_on),
		test(none_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
