/* ready.c - what the wait hooks of this process must heed */
#include "ready.h"
#include "arrivals.h"
#include "epset.h"
#include "held.h"
#include "pending.h"
#include "self.h"
#include "stall.h"
#include <base/calls.h>
#include <base/sys.h>
#include <errno.h>
#include <model/profile.h>
#include <linux/futex.h>
#include <signal.h>

uint32_t ready_flags;
uint32_t ready_changes;

#define SPINS 10
#define NAP_NS (50 * NSEC_PER_MSEC)	/* at most; whoever lets go of the lock wakes one */
#define RECHECK_NS (50 * NSEC_PER_MSEC)	/* for a stall that another thread's call has begun meanwhile */

static uint32_t lock;		/* thread id of the holder; 0: free */
static uint32_t lock_pid;	/* the process that it speaks of: a fork child finds its parent's */
static uint32_t waiters;	/* threads that wait for it, or (after fork) more */

/* ---- what the policy may do ---- */

/* Of these a call says EAGAIN, or takes less than there is: the edge that told of the rest is gone. */
static bool takes_edges(const struct rule_step *s)
{
	return s->action == SNAG_ACTION_stall || s->action == SNAG_ACTION_clamp || s->action == SNAG_ACTION_spurious ||
	       (s->action == SNAG_ACTION_errno && s->err == EAGAIN);
}

static unsigned flags_of_step(const struct rule_step *s, unsigned call)
{
	if (s->action == SNAG_ACTION_reset)	/* for stream calls, also where one has made the connection */
		return READY_BREAKS | READY_SETS;
	if (call == SNAG_CALL_accept || call == SNAG_CALL_accept4)
		return s->action == SNAG_ACTION_hold	 ? READY_HOLDS | READY_SETS
		       : s->action == SNAG_ACTION_spurious ? READY_SETS
							   : 0;
	if (call == SNAG_CALL_listen)
		return s->resets ? READY_RESETS | READY_SETS : 0;
	if (call == SNAG_CALL_connect)
		return s->delay_ns || s->jitter_ns || s->after_ns || s->err == ETIMEDOUT ||
				       s->action == SNAG_ACTION_syn_drop ? READY_SETS : 0;
	if (call_has(call, SNAG_TRAIT_STREAM))
		return (takes_edges(s) ? READY_SETS : 0) | (s->action == SNAG_ACTION_stall ? READY_VEILS : 0);
	return READY_RULES | (s->action == SNAG_ACTION_spurious ? READY_SETS : 0);
}

static unsigned flags_of_call(const struct rules *r, unsigned call)
{
	unsigned flags = 0;
	for (uint32_t i = 0; i < r->call[call].n; i++) {
		const struct rule *rule = rules_rule(r, rules_by_call(r, call, i));
		if (rule && (rule->when.bytes_sent || rule->when.bytes_received))	/* the call ends at that border */
			flags |= READY_SETS;
		for (uint32_t k = 0; rule && k < rule->n_steps; k++)
			flags |= flags_of_step(rules_step(r, rule->first_step + k), call);
	}
	return flags;
}

void ready_start(const struct rules *r)
{
	static const uint16_t calls[] = { SNAG_CALL_accept, SNAG_CALL_accept4, SNAG_CALL_connect, SNAG_CALL_listen };
	unsigned flags = 0;
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
		flags |= flags_of_call(r, calls[i]);
	for (unsigned call = 0; call < SNAG_CALLS; call++)
		if (call_has(call, SNAG_TRAIT_WAIT | SNAG_TRAIT_STREAM))
			flags |= flags_of_call(r, call);
	store_release(&ready_flags, flags);
}

void ready_start_kernel(const struct snag_kernel *k)
{
	if ((k->given & SNAG_KERNEL_RULES) && profile_resets(k->profile))
		__atomic_fetch_or(&ready_flags, READY_RESETS | READY_SETS, __ATOMIC_RELAXED);
}

/* ---- the lock ---- */

static long mask_signals(int how, const uint64_t *set, uint64_t *was)
{
	return sys_call(SYS_rt_sigprocmask, how, set, was, sizeof(*set));
}

bool ready_lock(struct ready_guard *g)
{
	static const struct timespec nap = { .tv_nsec = NAP_NS };
	static const uint64_t all = ~0ull;
	uint32_t tid = sys_gettid(), none = 0;
	if (!self_active() || self_borrowed())
		return false;
	mask_signals(SIG_SETMASK, &all, &g->signals);
	if (load_relaxed(&lock_pid) != self->who.pid) {
		store_relaxed(&lock, 0);
		store_release(&lock_pid, self->who.pid);
	}
	for (unsigned i = 0; !cas(&lock, &none, tid); i++) {
		if (i < SPINS) {
			sys_call(SYS_sched_yield);
		} else {	/* the holder may have a lower priority than we */
			fetch_add(&waiters, 1);
			sys_futex(&lock, FUTEX_WAIT, none, &nap);
			fetch_add(&waiters, -1u);
		}
		none = 0;
	}
	return true;
}

void ready_unlock(struct ready_guard *g)
{
	__atomic_store_n(&lock, 0, __ATOMIC_SEQ_CST);	/* before the waiters are counted */
	if (unlikely(__atomic_load_n(&waiters, __ATOMIC_SEQ_CST)))
		sys_futex(&lock, FUTEX_WAKE, 1, NULL);
	mask_signals(SIG_SETMASK, &g->signals, NULL);
}

void ready_leave(void)
{
	struct ready_guard g;
	if (!ready_needed() || !ready_lock(&g))
		return;
	held_show();
	arrivals_end();
	epset_rest();
	ready_unlock(&g);
}

static uint64_t run(void)
{
	uint64_t late = pending_run(self_now()), hidden = held_run(), stalled = stall_run(self_now());
	uint64_t next = late < hidden ? late : hidden;
	next = stalled < next ? stalled : next;
	if (next == READY_NEVER)
		epset_rest();
	else
		epset_wake_at(next);
	return next;
}

static bool anything(void)
{
	return load_relaxed(&ready_flags) & (READY_LATE | READY_HIDDEN | READY_STALLS);
}

uint64_t ready_run(void)
{
	struct ready_guard g;
	uint64_t next = READY_NEVER;
	if (anything() && ready_lock(&g)) {
		next = run();
		ready_unlock(&g);
	}
	if (load_relaxed(&ready_flags) & READY_VEILS && next > self_now() + RECHECK_NS)
		next = self_now() + RECHECK_NS;
	return next;
}

void ready_run_in(int epfd)
{
	struct ready_guard g;
	bool known = epset_known(epfd);
	if (!(load_relaxed(&ready_flags) & READY_SETS) || (known && !anything()) || !ready_lock(&g))
		return;
	epset_note(epfd);
	run();
	ready_unlock(&g);
}

void ready_adopt(int fd, struct sock_ref r)
{
	const struct fault_state *f =
		fault_find(session.faults, load_acquire(&session.header->socks_ready), r.sock, r.serial);
	struct ready_guard g;
	if (likely(!f || !(load_acquire(&f->late) | load_acquire(&f->lowat))) || !ready_lock(&g))
		return;
	pending_adopt(fd, r, f);
	stall_adopt(fd, r, f);
	ready_unlock(&g);
}

void ready_again(struct sock_ref r)
{
	struct epset_places places;
	struct ready_guard g;
	if (!ready_lock(&g))
		return;
	epset_take(&places, r);
	epset_put(&places);
	ready_unlock(&g);
}

void ready_registered(int epfd, int fd, const struct epoll_event *event)
{
	epset_note(epfd);
	held_registered(epfd, fd, event);
	if (anything())
		run();
}
