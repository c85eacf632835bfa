#include <trace/ring.h>

#include <base/shared.h>
#include <string.h>

#define RING_PATIENCE_NS NSEC_PER_SEC
#define RING_STRIDE (SNAG_RING_SLOTS / 64)

_Static_assert((SNAG_RING_SLOTS & (SNAG_RING_SLOTS - 1)) == 0, "places go round the slots by their low bits");
_Static_assert(SNAG_EVENT_MAX <= 8, "a stamp has three bits for the number of records");

/* FREE(lap) -> CLAIMED(lap, pid, n) -> DONE(lap, pid, n) by the writer, -> FREE(lap + 1) by the reader.
 * Where the reader gives up on a living writer: CLAIMED -> ABANDONED by the reader, -> RETURNED by the late writer, and
 * FREE by the reader when it comes by next and the slot is returned or its writer dead.
 * FREE -> VOID by a writer whose first slot is such a one: the rest of its places hold nothing. */
enum ring_state { RING_FREE, RING_CLAIMED, RING_DONE, RING_ABANDONED, RING_RETURNED, RING_VOID };

#define PID_BITS 22	/* PID_MAX_LIMIT is 2^22 */
#define PID_MASK ((1u << PID_BITS) - 1)

static uint64_t stamp_make(uint64_t place, uint32_t pid, unsigned n, enum ring_state state)
{
	return place / SNAG_RING_SLOTS << (PID_BITS + 6) | (uint64_t)(pid & PID_MASK) << 6 | (uint64_t)(n - 1) << 3 |
	       state;
}

static uint64_t stamp_free(uint64_t place)
{
	return stamp_make(place, 0, 1, RING_FREE);
}

static enum ring_state stamp_state(uint64_t stamp) { return (enum ring_state)(stamp & 7); }
static uint32_t stamp_pid(uint64_t stamp) { return (uint32_t)(stamp >> 6) & PID_MASK; }
static unsigned stamp_records(uint64_t stamp) { return (unsigned)(stamp >> 3 & 7) + 1; }
static uint64_t stamp_lap(uint64_t stamp) { return stamp >> (PID_BITS + 6); }

static uint64_t *ring_stamp(struct ring *r, uint64_t place)
{
	return &r->slot[place % SNAG_RING_SLOTS].head.stamp;
}

/* Room for n more records behind `head`? In the first lap up to what is allocated. */
static bool ring_has_room(struct ring *r, uint64_t head, unsigned n, uint32_t ready)
{
	uint64_t limit = load_acquire(&r->tail) + SNAG_RING_SLOTS;

	if (ready < SNAG_RING_SLOTS && ready < limit)
		limit = ready;
	return head + n <= limit;
}

/* The first slot tells the reader how many belong together, so that a writer that dies here costs one event. */
static bool ring_write(struct ring *r, uint64_t place, const union snag_event *ev, uint32_t pid, unsigned n)
{
	uint64_t *stamp = ring_stamp(r, place), was = stamp_free(place);

	if (!shared_cas(stamp, &was, stamp_make(place, pid, n, RING_CLAIMED)))
		return false;
	SNAG_STEP();
	memcpy((char *)stamp + sizeof(*stamp), (const char *)ev + sizeof(ev->head.stamp), sizeof(*ev) - sizeof(*stamp));
	return true;
}

static bool ring_finish(struct ring *r, uint64_t place, uint32_t pid, unsigned n)
{
	uint64_t *stamp = ring_stamp(r, place), was = stamp_make(place, pid, n, RING_CLAIMED);

	if (shared_cas(stamp, &was, stamp_make(place, pid, n, RING_DONE)))
		return true;
	if (was == stamp_make(place, pid, n, RING_ABANDONED))
		shared_cas(stamp, &was, stamp_make(place, pid, n, RING_RETURNED));
	return false;
}

uint64_t ring_put(struct ring *r, uint32_t ready, union snag_event *ev, unsigned n, uint32_t pid)
{
	uint64_t place = load_relaxed(&r->head);
	unsigned written = 0;
	bool whole = true;

	if (n < 1 || n > SNAG_EVENT_MAX)
		return 0;
	ev[0].head.extra = (uint8_t)(n - 1);
	do {
		if (!ring_has_room(r, place, n, ready)) {
			shared_add(&r->lost, 1);
			return 0;
		}
	} while (!shared_cas(&r->head, &place, place + n));
	/* A slot that we do not get belongs to a late writer, or the reader has given up on us: it counts the event. */
	while (written < n && ring_write(r, place + written, &ev[written], pid, n - written))
		written++;
	for (unsigned i = 1; i < n && !written; i++) {
		uint64_t was = stamp_free(place + i);

		shared_cas(ring_stamp(r, place + i), &was, stamp_make(place + i, pid, 1, RING_VOID));
	}
	/* The first one last: when it is done, all are. */
	for (unsigned i = written; i-- > 0;)
		whole &= ring_finish(r, place + i, pid, n - i);
	return whole && written == n ? place + n : 0;
}

/* Frees the slot of `place` for the next lap, if nobody will write to it any more. */
static void ring_pass(struct ring *r, uint64_t place, bool (*alive)(uint32_t pid))
{
	uint64_t *stamp = ring_stamp(r, place), was = load_acquire(stamp), now;

	do {
		bool late = stamp_state(was) == RING_CLAIMED || stamp_state(was) == RING_ABANDONED;

		now = late && alive(stamp_pid(was)) ? (was & ~(uint64_t)7) | RING_ABANDONED
						     : stamp_free(place + SNAG_RING_SLOTS);
	} while (!shared_cas(stamp, &was, now));
}

static void ring_skip(struct ring *r, uint64_t place, unsigned n, bool (*alive)(uint32_t pid))
{
	for (unsigned i = 0; i < n; i++)
		ring_pass(r, place + i, alive);
	shared_store(&r->read, place + n);
	if (place + n - load_relaxed(&r->tail) >= RING_STRIDE)
		shared_store(&r->tail, place + n);
}

/* Copies the event at `place`; false: one of its records is not there, though the first one says so. */
static bool ring_copy(struct ring *r, uint64_t place, union snag_event *ev, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t stamp = load_acquire(ring_stamp(r, place + i));

		if (stamp_state(stamp) != RING_DONE || stamp_lap(stamp) != (place + i) / SNAG_RING_SLOTS)
			return false;
		memcpy(&ev[i], &r->slot[(place + i) % SNAG_RING_SLOTS], sizeof(ev[i]));
		ev[i].head.extra = (uint8_t)(i ? 0 : n - 1);
	}
	return true;
}

/* Is it time to give up on a writer that may still come? One wait serves for all places that were taken when it
 * began. */
static bool ring_patience_over(struct ring *r, uint64_t place, uint64_t head, uint64_t now_ns)
{
	if (!r->wait_ns || (place >= r->wait_head && now_ns - r->wait_ns > RING_PATIENCE_NS)) {
		r->wait_ns = now_ns ? now_ns : 1;
		r->wait_head = head;
	}
	return place < r->wait_head && now_ns - r->wait_ns > RING_PATIENCE_NS;
}

static unsigned ring_take_lost(struct ring *r)
{
	uint64_t n = load_relaxed(&r->lost) ? shared_swap(&r->lost, 0) : 0;

	return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

/* What stands at `place`: the stamp's state, FREE and not yet written as such, and anything that is not of this lap as
 * RETURNED: nobody will write an event there. */
static enum ring_state ring_look(struct ring *r, uint64_t place, uint32_t *pid, unsigned *n)
{
	uint64_t stamp = load_acquire(ring_stamp(r, place));
	enum ring_state state = stamp_state(stamp);

	*pid = stamp_pid(stamp);
	*n = state == RING_CLAIMED || state == RING_DONE ? stamp_records(stamp) : 1;
	return stamp_lap(stamp) == place / SNAG_RING_SLOTS && state <= RING_VOID ? state : RING_RETURNED;
}

/* Places below it are given out. The writers' own word is looked at only when all that was known of is read. */
static uint64_t ring_head(struct ring *r, uint64_t place)
{
	if (load_relaxed(&r->seen) - place - 1 >= SNAG_RING_SLOTS)
		shared_store(&r->seen, load_acquire(&r->head));
	return load_relaxed(&r->seen);
}

enum ring_got ring_get(struct ring *r, union snag_event *ev, unsigned *n, bool (*alive)(uint32_t pid), uint64_t now_ns)
{
	uint64_t place = load_relaxed(&r->read), head = ring_head(r, place);
	enum ring_state state;
	bool whole = false;
	uint32_t pid;

	*n = ring_take_lost(r);
	if (*n)
		return RING_LOST;
	if (head - place > SNAG_RING_SLOTS) {	/* scribbled on */
		shared_store(&r->read, head);
		shared_store(&r->tail, head);
		*n = 1;
		return RING_LOST;
	}
	for (; place != head && ring_look(r, place, &pid, n) == RING_VOID; place++)
		ring_skip(r, place, 1, alive);
	if (place == head) {
		shared_store(&r->tail, place);
		return RING_EMPTY;
	}
	state = ring_look(r, place, &pid, n);
	if (*n > head - place)
		*n = (unsigned)(head - place);
	if ((state == RING_FREE || (state == RING_CLAIMED && alive(pid))) &&
	    !ring_patience_over(r, place, load_acquire(&r->head), now_ns))
		return RING_WAIT;
	if (state == RING_DONE) {
		whole = ring_copy(r, place, ev, *n);
		r->wait_ns = 0;
	}
	ring_skip(r, place, *n, alive);
	if (whole)
		return RING_EVENT;
	*n = 1;
	return RING_LOST;
}
