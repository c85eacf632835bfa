/* check.h - what must be true of a session after processes of it were killed. */
#ifndef TESTS_CRASH_CHECK_H
#define TESTS_CRASH_CHECK_H

#include "session/fixture.h"

#include <base/sys.h>

static inline bool check_pid_alive(uint32_t pid)
{
	return pid && sys_kill(pid, 0) == 0;
}

/* Reads the ring until it is empty. Time is the caller's to hurry: a writer that nobody knows is waited for a
 * second. */
static inline void check_drain(struct session *s, unsigned *events, unsigned *lost)
{
	static uint64_t now = 1;
	union snag_event ev[SNAG_EVENT_MAX];
	unsigned n;

	for (;;) {
		switch (ring_get(s->ring, ev, &n, check_pid_alive, now)) {
		case RING_EVENT:
			assert_int_equal(ev[0].head.kind, SNAG_EVENT_CALL);
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(ev[i].call.t_ns, n);
			++*events;
			break;
		case RING_LOST:
			*lost += n;
			break;
		case RING_WAIT:
			now += NSEC_PER_SEC / 2 + 1;
			break;
		case RING_EMPTY:
			return;
		}
	}
}

static inline void check_put(struct session *s, unsigned n)
{
	union snag_event ev[SNAG_EVENT_MAX];

	memset(ev, 0, sizeof(ev));
	for (unsigned i = 0; i < n; i++) {
		ev[i].head.kind = SNAG_EVENT_CALL;
		ev[i].call.t_ns = n;
	}
	ring_put(s->ring, s->header->ring_ready, ev, n, sys_getpid());
}

/* Every word, record and chain belongs to a process that is there, and they agree. */
static inline void check_tables(struct session *s)
{
	struct session_tables *t = s->tables;
	uint32_t records = 0, chained = 0, ready = tables_ready(s);

	for (uint32_t i = 0; i < ready; i++) {
		uint64_t word = t->sock[i].word;
		struct proc p;

		records += t->hold[i].sock != 0;
		if (t->hold[i].sock)
			assert_true(proc_get(s, t->hold[i].proc, &p) && t->hold[i].fds > 0 && p.refs > 0);
		if (word_state(word) == SOCK_SHARED) {
			uint32_t at = t->sock[i].holds;

			assert_int_not_equal(at, 0);
			for (; at; at = t->hold[at - 1].next, chained++)
				assert_int_equal(t->hold[at - 1].sock, i + 1);
		} else if (word) {
			assert_true(proc_get(s, word_owner(word), &p));
			assert_true(p.socks_held > 0);
		}
	}
	assert_int_equal(records, chained);
}

/* As the survivors do it: take the lock, mend if told to, reap the dead. */
static inline void check_mend(struct session *s)
{
	struct session_guard g;
	int rc = session_lock(s, &g, 0);

	assert_true(rc == 0 || rc == 1);
	if (rc == 1) {
		session_repair(s);
		assert_int_equal(session_repair(s), 0);
	}
	session_unlock(s, &g);
	proc_reap(s, NULL, NULL);
	check_tables(s);
	assert_int_equal(s->header->lock, 0);
	assert_int_equal(session_lock(s, &g, 0), 0);
	assert_int_equal(session_repair(s), 0);
	session_unlock(s, &g);
}

#endif
