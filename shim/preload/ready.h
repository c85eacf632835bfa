/* ready.h - what the wait hooks of this process must heed: one word of flags, a lock of the process's own, and the
 * moments at which something is due. */
#ifndef PRELOAD_READY_H
#define PRELOAD_READY_H

#include "self.h"
#include <policy/rules.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum ready_flag {
	READY_SETS = 1 << 0,	/* the policy may hide or delay readiness: epoll sets are remembered */
	READY_HOLDS = 1 << 1,	/* it may hold connections */
	READY_RULES = 1 << 2,	/* rules on poll, select or epoll calls */
	READY_LATE = 1 << 3,	/* connection attempts of this process are late */
	READY_HIDDEN = 1 << 4,	/* listeners are hidden in its epoll sets */
	READY_STALLS = 1 << 5,	/* sockets of this process hide what has arrived */
	READY_RESETS = 1 << 6,	/* listeners may reset clients that find their queue full */
	READY_BREAKS = 1 << 7,	/* the policy may reset connections: they may be in the middle of it */
	READY_VEILS = 1 << 8,	/* it may hide what arrives: from a wait, too, that is under way */
};

/* 0: every wait hook goes straight to the real call; so it does in a process that has left the session, or found no place
 * in it. */
extern uint32_t ready_flags;
/* Bumped when a late connection was begun anew, or one is reset: what a wait saw before may be the moment in between. */
extern uint32_t ready_changes;

/* From the policy, at the start: from its rules, and from its virtual kernel. */
void ready_start(const struct rules *r);
void ready_start_kernel(const struct snag_kernel *k);

static inline bool ready_needed(void)
{
	return unlikely(load_relaxed(&ready_flags) != 0) && self_active();
}

/* The process's own lock over what ready, pending, epset and held keep. All signals are blocked meanwhile. False: it is
 * not to be had (no session, a vfork child); go without. */
struct ready_guard {
	uint64_t signals;
};
bool ready_lock(struct ready_guard *g);
void ready_unlock(struct ready_guard *g);

/* This process is about to leave the session: what it hides is shown, its timers are closed. */
void ready_leave(void);

#define READY_NEVER UINT64_MAX
/* Does what is due, with the lock taken here. Session time at which something is due next; READY_NEVER: nothing. */
uint64_t ready_run(void);
/* The same before a wait in an epoll set: the set is remembered, and its timer set. */
void ready_run_in(int epfd);
/* This process has a socket that another one, or the program that it was before exec, may have left something on that is
 * to end on time. */
void ready_adopt(int fd, struct sock_ref r);
/* Whoever waits for the socket in an epoll set of this process is told afresh, edges too. */
void ready_again(struct sock_ref r);
/* Under ready_lock: the program has registered, changed or (event NULL) removed fd in a set. */
void ready_registered(int epfd, int fd, const struct epoll_event *event);

#endif
