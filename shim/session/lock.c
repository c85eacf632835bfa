/* lock.c - the session's lock. Word as FUTEX_LOCK_PI has it (futex(2)): thread id | FUTEX_WAITERS | FUTEX_OWNER_DIED.
 *
 * How a dead owner is told from a slow one:
 *   - the kernel says so (ESRCH, FUTEX_OWNER_DIED);
 *   - or the word bears our own id, though signals are blocked while it is held and so nothing nests: the id was given
 *     to us after its owner's death;
 *   - or, when a wait has run out, the thread of that id was born after lock_at, the moment at which the lock was
 *     taken: the id was given to somebody else. lock_at is unknown for the few instructions between word and lock_at;
 *     then nobody is taken for dead by it.
 * Whoever takes over sets tables.mend before anything else, so that its own death does not hide the damage. */
#include <session/lock.h>

#include <base/sys.h>
#include <errno.h>
#include <linux/futex.h>
#include <session/task.h>
#include "tables.h"

#define LOCK_WAIT_NS (200 * NSEC_PER_MSEC)
#define LOCK_ROUNDS 25
#define LOCK_PAUSE_NS NSEC_PER_MSEC

/* All signals, those that the C library keeps for itself (cancellation) too: the kernel's set is one 64-bit word. */
static void signals_block(uint64_t *before)
{
	uint64_t all = ~0ull;

	sys_call(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, before, sizeof(all));
}

static void signals_restore(const uint64_t *before)
{
	sys_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, before, 0, sizeof(*before));
}

static bool lock_owner_replaced(const struct session *s, uint32_t word)
{
	uint64_t at = load_acquire(&s->tables->lock_at);
	struct task t;

	if (at == LOCK_AT_UNKNOWN || task_read(word & FUTEX_TID_MASK, &t) < 0)
		return false;
	return task_start_ns(&t) > at;
}

/* From an owner that is dead, judged by `word`: it cannot have changed the word since, so one compare-and-swap decides
 * among those who take over. FUTEX_WAITERS stays set: the unlock then asks the kernel who waits. */
static bool lock_take_over(struct session *s, uint32_t word, uint32_t tid)
{
	shared_store(&s->tables->lock_at, LOCK_AT_UNKNOWN);
	return shared_cas(&s->header->lock, &word, tid | FUTEX_WAITERS);
}

/* The kernel found no living thread behind `before`, the word as we last saw it. Is that still so? Where /proc shows
 * the thread, it must be a zombie; one that is still on its way there is asked about again. */
static bool lock_owner_dead(uint32_t before, uint32_t now)
{
	struct task t;

	if ((before & FUTEX_TID_MASK) != (now & FUTEX_TID_MASK))
		return false;
	return task_read(now & FUTEX_TID_MASK, &t) < 0 || t.state == 'Z' || t.state == 'X';
}

/* One wait in the kernel. 0: held; 1: held, the owner died; -EAGAIN: ask again; -ETIMEDOUT. */
static int lock_wait(struct session *s, uint32_t tid, const struct timespec *until)
{
	struct timespec pause = sys_timespec(LOCK_PAUSE_NS);
	uint32_t before = 0, word;
	int rc;

	if (shared_cas(&s->header->lock, &before, tid))
		return 0;
	if ((before & FUTEX_TID_MASK) == tid)
		return lock_take_over(s, before, tid) ? 1 : -EAGAIN;
	rc = sys_futex(&s->header->lock, FUTEX_LOCK_PI, 0, until);
	word = load_acquire(&s->header->lock);
	if (rc == 0)
		return word & FUTEX_OWNER_DIED ? 1 : 0;
	if (rc == -EAGAIN || rc == -EINTR || rc == -ETIMEDOUT)
		return rc == -ETIMEDOUT ? rc : -EAGAIN;
	if (rc == -ESRCH && lock_owner_dead(before, word))
		return lock_take_over(s, word, tid) ? 1 : -EAGAIN;
	/* EINVAL: some wait for a dead owner whose id lives on and have yet to time out. EPERM: the id is a kernel
	 * thread's now. ENOSYS: no such futex here. */
	sys_call(SYS_nanosleep, &pause, 0);
	return -EAGAIN;
}

static uint64_t lock_clock(clockid_t clock)
{
	struct timespec ts = {0, 0};

	sys_call(SYS_clock_gettime, clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* One wait: up to 200 ms. */
static int lock_round(struct session *s, uint32_t tid)
{
	/* futex(2): the time-out of FUTEX_LOCK_PI is absolute and on CLOCK_REALTIME; a clock that is set does not
	 * matter more than one early or late end of a wait. */
	struct timespec until = sys_timespec(lock_clock(CLOCK_REALTIME) + LOCK_WAIT_NS);
	uint64_t give_up = lock_clock(CLOCK_MONOTONIC) + 2 * LOCK_WAIT_NS;
	int rc;

	do
		rc = lock_wait(s, tid, &until);
	while (rc == -EAGAIN && lock_clock(CLOCK_MONOTONIC) < give_up);
	if (rc == -EAGAIN || rc == -ETIMEDOUT) {
		uint32_t word = load_acquire(&s->header->lock);

		rc = lock_owner_replaced(s, word) && lock_take_over(s, word, tid) ? 1 : -ETIMEDOUT;
	}
	return rc;
}

/* An owner that is stopped or asleep may stay so for ever. One that could run waits for a processor. */
static bool lock_owner_runs(uint32_t owner)
{
	struct task t;

	return owner && task_read(owner, &t) == 0 && t.state == 'R';
}

/* As long as owners come and go, or could, the queue is only long, on a machine that is short of processors. */
static int lock_contended(struct session *s, uint32_t tid)
{
	int rc = -ETIMEDOUT;

	for (unsigned i = 0; i < LOCK_ROUNDS && rc == -ETIMEDOUT; i++) {
		uint32_t owner = load_acquire(&s->header->lock) & FUTEX_TID_MASK;
		uint64_t at = load_acquire(&s->tables->lock_at);

		rc = lock_round(s, tid);
		if ((load_acquire(&s->header->lock) & FUTEX_TID_MASK) == owner &&
		    load_acquire(&s->tables->lock_at) == at && !lock_owner_runs(owner))
			break;
	}
	return rc;
}

static int lock_take(struct session *s, struct session_guard *g, uint32_t proc)
{
	uint32_t word = 0;
	int rc = 0;

	signals_block(&g->signals);
	g->mend = 0;
	g->tid = sys_gettid();
	if (!shared_cas(&s->header->lock, &word, g->tid))
		rc = lock_contended(s, g->tid);
	if (rc < 0) {
		tables_lost(s);
		signals_restore(&g->signals);
		return rc;
	}
	/* Where the kernel handed the word over, this is what orders the last holder's stores before ours. */
	(void)load_acquire(&s->tables->lock_at);
	if (rc > 0) {
		shared_store(&s->tables->mend, 1);
		shared_add(&s->header->repairs, 1);
		shared_and(&s->header->lock, ~(uint32_t)FUTEX_OWNER_DIED);
	}
	shared_store(&s->tables->lock_at, sys_clock_ns(CLOCK_BOOTTIME));
	shared_store(&s->header->lock_proc, proc);
	return rc;
}

int session_lock(struct session *s, struct session_guard *g, uint32_t proc)
{
	int rc = lock_take(s, g, proc);

	if (rc < 0)
		return rc;
	g->mend = load_acquire(&s->tables->mend) != 0;
	return (int)g->mend;
}

int session_lock_tables(struct session *s, struct session_guard *g, uint32_t proc)
{
	int rc = lock_take(s, g, proc);

	if (rc > 0)
		session_repair(s);
	return rc < 0 ? rc : 0;
}

void session_unlock(struct session *s, struct session_guard *g)
{
	uint32_t word = g->tid;

	if (g->mend)
		shared_store(&s->tables->mend, 0);
	shared_store(&s->header->lock_proc, 0);
	shared_store(&s->tables->lock_at, LOCK_AT_UNKNOWN);
	if (!shared_cas(&s->header->lock, &word, 0) && (word & FUTEX_TID_MASK) == g->tid &&
	    sys_futex(&s->header->lock, FUTEX_UNLOCK_PI, 0, NULL) < 0) {
		/* EINVAL: who waits, waits for somebody else whom we replaced; their wait is bounded. */
		word = load_acquire(&s->header->lock);
		if ((word & FUTEX_TID_MASK) == g->tid)
			shared_cas(&s->header->lock, &word, 0);
	}
	signals_restore(&g->signals);
}

bool session_locked(const struct session *s)
{
	return (load_acquire(&s->header->lock) & FUTEX_TID_MASK) == sys_gettid();
}
