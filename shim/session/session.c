/* session.c - a session in use: its clock, its size, its end, its keeper. file.c makes and maps it. */
#include <session/session.h>

#include <base/sys.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <session/lock.h>
#include <session/task.h>
#include "file.h"
#include "tables.h"

uint64_t session_now(const struct session *s)
{
	return sys_clock_ns(CLOCK_MONOTONIC) - s->header->start_ns;
}

/* Raises a ready count; whoever made more room meanwhile wins. */
static void ready_raise(uint32_t *ready, uint32_t to)
{
	uint32_t now = load_acquire(ready);

	while (now < to && !shared_cas(ready, &now, to))
		continue;
}

/* File space first, ready count last: a process that dies between the two has only left room that is not known of. */
int session_grow_socks(struct session *s)
{
	struct session_tables *t = s->tables;
	uint32_t from = tables_ready(s), to = from < SNAG_SOCKS / 2 ? 2 * from : SNAG_SOCKS;
	int rc;

	if (from == SNAG_SOCKS)
		return -ENFILE;
	if (from < SESSION_SOCKS_FIRST)
		return -EPROTO;
	rc = file_room(s, &t->sock[from], (to - from) * sizeof(t->sock[0]));
	if (rc == 0)
		rc = file_room(s, &t->hold[from], (to - from) * sizeof(t->hold[0]));
	if (rc == 0)
		rc = file_room(s, (char *)s->model + s->sizes.model_fixed + from * s->sizes.model_per_sock,
			       (to - from) * s->sizes.model_per_sock);
	if (rc == 0)
		rc = file_room(s, (char *)s->faults + s->sizes.faults_fixed + from * s->sizes.faults_per_sock,
			       (to - from) * s->sizes.faults_per_sock);
	if (rc == 0)
		ready_raise(&s->header->socks_ready, to);
	return rc;
}

int session_grow_ring(struct session *s)
{
	uint32_t from = load_acquire(&s->header->ring_ready), to;
	size_t more = (1u << 20) / s->sizes.ring_per_slot;
	int rc;

	if (from >= SNAG_RING_SLOTS)
		return 1;
	to = SNAG_RING_SLOTS - from > more ? from + (uint32_t)more : SNAG_RING_SLOTS;
	rc = file_room(s, (char *)s->ring + s->sizes.ring_fixed + from * s->sizes.ring_per_slot,
		       (to - from) * s->sizes.ring_per_slot);
	if (rc < 0)
		return rc;
	ready_raise(&s->header->ring_ready, to);
	return to == SNAG_RING_SLOTS;
}

bool session_close(struct session *s)
{
	struct session_guard g;
	struct proc p;
	bool empty = true;

	if (session_lock_tables(s, &g, 0) < 0)
		return false;
	for (uint32_t i = 1; i <= tables_procs(s) && empty; i++)
		empty = !proc_get(s, i, &p);
	if (empty)
		shared_or(&s->header->flags, SNAG_SESSION_CLOSED);
	session_unlock(s, &g);
	return empty;
}

void session_wake_keeper(struct session *s)
{
	shared_add(&s->header->keeper_wake, 1);
	sys_futex(&s->header->keeper_wake, FUTEX_WAKE, INT_MAX, NULL);
}

void session_drained(struct session *s)
{
	shared_add(&s->header->drained, 1);
	sys_futex(&s->header->drained, FUTEX_WAKE, INT_MAX, NULL);
}

/* One pass of the keeper that ends after now. */
static bool flush_pass(struct session *s, uint64_t deadline)
{
	uint32_t before = load_acquire(&s->header->drained);

	session_wake_keeper(s);
	while (load_acquire(&s->header->drained) == before) {
		uint64_t now = sys_clock_ns(CLOCK_MONOTONIC), left = deadline - now;
		struct timespec wait;

		if (now >= deadline || !task_runs(load_acquire(&s->header->keeper_pid), 0))
			return false;
		/* in pieces, to see a keeper die */
		wait = sys_timespec(left < 50 * NSEC_PER_MSEC ? left : 50 * NSEC_PER_MSEC);
		sys_futex(&s->header->drained, FUTEX_WAIT, before, &wait);
	}
	return true;
}

/* The pass that ends first may have looked at the ring before we came; the one after it has not. */
bool session_flush(struct session *s, uint64_t timeout_ns)
{
	uint64_t deadline = sys_clock_ns(CLOCK_MONOTONIC) + timeout_ns;

	return flush_pass(s, deadline) && flush_pass(s, deadline);
}
