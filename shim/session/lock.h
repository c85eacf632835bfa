/* lock.h - the session's one lock: a 32-bit word of our own that holds the owner's thread id.
 *
 * Taken by compare-and-swap, contended by FUTEX_LOCK_PI, where ESRCH or FUTEX_OWNER_DIED means: the owner is dead, the
 * caller owns it now and repairs. No pthread object stands in shared memory: robust mutexes hang when a raw-clone
 * child dies inside, and C libraries lay them out differently. A wait is bounded: 200 ms
 * behind an owner that is stopped or asleep, 5 s behind one that could run, or behind many.
 * All signals are blocked in the calling thread while it is held, so no handler runs, jumps out or nests inside; that
 * costs two system calls, on calls that change a port's owner only. Never held over a call that can wait. */
#ifndef SESSION_LOCK_H
#define SESSION_LOCK_H

#include <session/session.h>
#include <stdbool.h>
#include <stdint.h>

struct session_guard {
	uint64_t signals;	/* the thread's mask before */
	uint32_t tid;
	uint32_t mend;		/* this holder was asked to mend */
};

/* 0: held; 1: held, and an owner died inside: mend what it left (session_repair, then the model's check), then go on.
 * Every holder is told so until one that was told has unlocked. -ETIMEDOUT: not held: go without; it is counted here
 * (header.lost, SNAG_SESSION_DEGRADED). `proc` is the caller's slot + 1 or 0. */
int session_lock(struct session *s, struct session_guard *g, uint32_t proc);
void session_unlock(struct session *s, struct session_guard *g);

/* The same for those who touch the session's own tables only: these are mended at once, the model's turn is kept for
 * the next session_lock. 0 or -ETIMEDOUT. */
int session_lock_tables(struct session *s, struct session_guard *g, uint32_t proc);

/* Does this thread hold it? */
bool session_locked(const struct session *s);

#endif
