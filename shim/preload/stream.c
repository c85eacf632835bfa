/* stream.c - the way of the calls that move bytes */
#include "stream.h"
#include "pending.h"
#include "ready.h"
#include "resets.h"
#include "stall.h"
#include <base/calls.h>
#include <base/sys.h>
#include <effects/lowat.h>
#include <effects/raise.h>
#include <effects/reset.h>
#include <effects/silence.h>
#include <effects/wait.h>
#include <signal.h>

#define BUFFERS_MAX 1024		/* UIO_MAXIOV */

uint32_t stream_ways;
static uint32_t ruled;	/* the ways that rules concern */
static bool counts;	/* a rule counts bytes */

/* ---- whom does it concern? ---- */

static unsigned ways_of(unsigned call)
{
	if (!call_has(call, SNAG_TRAIT_STREAM))
		return 0;
	return call_has(call, SNAG_TRAIT_SENDS) ? STREAM_SEND : STREAM_RECV;
}

/* What a rule does to a connection for good, or at its first use, is met on both ways. */
static bool is_lasting(const struct rules *r, const struct rule *rule)
{
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		unsigned action = rules_step(r, rule->first_step + i)->action;
		if (action == SNAG_ACTION_reset || action == SNAG_ACTION_blackhole)
			return true;
	}
	return false;
}

void stream_set_up(void)
{
	const struct rules *r = engine.rules;
	unsigned ways = 0;
	for (unsigned call = 0; call < SNAG_CALLS; call++)
		if (engine_wants(&engine, call))
			ways |= ways_of(call);
	for (uint32_t i = 0; engine.mode == SNAG_MODE_INJECT && i < r->rule.n; i++) {
		const struct rule *rule = rules_rule(r, i);
		if (rule->when.bytes_sent)
			ways |= STREAM_SEND;
		if (rule->when.bytes_received)
			ways |= STREAM_RECV;
		counts |= rule->when.bytes_sent || rule->when.bytes_received;
		if (is_lasting(r, rule))
			ways |= STREAM_SEND | STREAM_RECV;
	}
	ruled = ways;
	stream_ways = ways;
}

void stream_watch(bool late)
{
	store_relaxed(&stream_ways, late ? STREAM_SEND | STREAM_RECV : ruled);
}

/* What faults left on the socket; NULL: nothing, and nothing to be written down. */
static struct fault_state *state_of(struct sock_ref r, bool claim)
{
	uint32_t ready = load_acquire(&session.header->socks_ready);
	return claim ? fault_claim(session.faults, ready, r.sock, r.serial)
		     : fault_find(session.faults, ready, r.sock, r.serial);
}

bool stream_enter_from(struct stream *s, unsigned id, int fd, size_t want, int flags, const void *caller)
{
	struct snag_call *c = &s->h.call;
	if ((flags & (MSG_OOB | MSG_ERRQUEUE)) || !hook_enter_from(&s->h, id, fd, caller))
		return false;
	s->want = s->most = want;
	s->flags = flags;
	s->again = s->stalled = false;
	s->state = state_of(s->h.ref, counts);
	s->spent = s->state ? load_acquire(&s->state->spent) : 0;
	c->arg[0] = want < INT32_MAX ? (int32_t)want : INT32_MAX;
	if (flags & MSG_DONTWAIT) {
		c->facts |= SNAG_FACT_BLOCKING;
		c->blocking = 0;
	}
	return true;
}

/* ---- what is done to a connection ---- */

static void set_spent(struct fault_state *f, unsigned bits)
{
	if (f)
		__atomic_fetch_or(&f->spent, bits, __ATOMIC_ACQ_REL);
}

static int do_blackhole(int fd, struct sock_ref r, struct fault_state *f, unsigned end)
{
	struct silence_mute mute;
	(void)r;
	if (end == SNAG_END_PEER) {
		set_spent(f, SNAG_SPENT_MUTE);
		return silence_mute(fd, &mute);
	}
	int least = silence_deafen(fd);
	if (f && least >= 0)
		store_relaxed(&f->least, (uint32_t)least);
	set_spent(f, SNAG_SPENT_DEAF);
	return least < 0 ? least : 0;
}

static int do_eof(int fd, struct sock_ref r, struct fault_state *f, unsigned end)
{
	(void)r;
	(void)end;
	set_spent(f, SNAG_SPENT_EOF);
	return silence_end(fd);
}

static const struct {
	uint8_t action;
	int (*act)(int fd, struct sock_ref r, struct fault_state *f, unsigned end);
} deeds[] = {
	{ SNAG_ACTION_reset, resets_do },
	{ SNAG_ACTION_blackhole, do_blackhole },
	{ SNAG_ACTION_eof, do_eof },
};

/* 0: nothing to do, or done; -ENOTCONN: there was no connection; -errno: it is gone, and the kernel has no error for
 * it. */
static int do_to(int fd, struct sock_ref r, struct fault_state *f, unsigned action, unsigned end)
{
	for (unsigned i = 0; i < ARRAY_LEN(deeds); i++)
		if (deeds[i].action == action)
			return deeds[i].act(fd, r, f, end);
	return 0;
}

/* A connect that was still under way: the first recv or send finds it done, or failed. */
static void do_pending(struct stream *s)
{
	int fd = s->h.call.fd;
	uint32_t todo = s->state ? load_acquire(&s->state->pending) : 0;
	if (!todo || !reset_connected(fd) || !cas(&s->state->pending, &todo, 0))
		return;
	do_to(fd, s->h.ref, s->state, todo & 0xff, todo >> 8 & 0xff);
	s->spent |= SNAG_SPENT_RESET;
}

void stream_made(struct hook *h, int fd, struct sock_ref r)
{
	const struct snag_plan *p = &h->plan;
	struct fault_state *f;
	int saved = errno;
	if (p->action != SNAG_ACTION_reset && p->action != SNAG_ACTION_blackhole)
		return;
	f = state_of(r, true);
	if (reset_connected(fd))
		do_to(fd, r, f, p->action, (unsigned)p->value);
	else if (f && h->out.err == EINPROGRESS)
		store_release(&f->pending, p->action | (uint32_t)p->value << 8);
	errno = saved;
}

/* ---- the decision ---- */

/* The plan came to nothing: what follows is the kernel's. */
static bool let_go(struct stream *s)
{
	s->h.plan.by = SNAG_BY_KERNEL;
	return true;
}

static bool fail(struct stream *s, int err)
{
	hook_fail(&s->h, err);
	return false;
}

static bool sends(const struct stream *s)
{
	return call_has(s->h.call.call, SNAG_TRAIT_SENDS);
}

/* An edge is lost with what was not taken, so there is another, where there is anything. */
static bool raise_edge(const struct stream *s)
{
	const struct snag_call *c = &s->h.call;
	if (c->proto != SNAG_PROTO_TCP)
		ready_again(s->h.ref);
	else if (reset_connected(c->fd))
		raise_again(c->fd, sends(s));
	else
		return false;
	return true;
}

/* A rule answered. EAGAIN comes with readiness raised again, where there will be any; EPIPE with its signal, as in
 * net/core/stream.c, sk_stream_error(). */
static bool answered(struct stream *s)
{
	const struct snag_call *c = &s->h.call;
	if (s->h.plan.action != SNAG_ACTION_errno)
		return false;
	if (s->h.out.err == EAGAIN && !raise_edge(s))
		return let_go(s);
	if (s->h.out.err == EPIPE && sends(s) && !(s->flags & MSG_NOSIGNAL))
		sys_call(SYS_tgkill, c->who.pid, c->who.tid, SIGPIPE);
	return false;
}

/* The first of so many: the others are left for the next calls. */
static bool act_spurious(struct stream *s)
{
	uint64_t n = s->h.plan.value;
	struct fault_state *f = n ? state_of(s->h.ref, true) : NULL;
	if (!n || !raise_edge(s))
		return let_go(s);
	if (f && n > 1) {
		store_relaxed(&f->rule, s->h.plan.rule[0]);
		store_release(&f->spurious, (uint32_t)n - 1);
	}
	return fail(s, EAGAIN);
}

static bool is_spurious(struct stream *s)
{
	uint32_t n = s->state ? load_acquire(&s->state->spurious) : 0;
	if (likely(!n) || sends(s) || wait_blocks(&s->h.call))
		return false;
	while (n && !cas(&s->state->spurious, &n, n - 1))
		;
	if (!n || !raise_edge(s))
		return false;
	s->h.plan.rule[0] = (uint16_t)load_relaxed(&s->state->rule);
	s->h.plan.by = SNAG_BY_RULE;
	return true;
}

/* Until then nothing moves this way, whoever tries. */
static uint64_t *stall_of(struct stream *s)
{
	if (!s->state)
		return NULL;
	return sends(s) ? &s->state->send_until_ns : &s->state->recv_until_ns;
}

/* A socket that does not block says EAGAIN where poll and epoll agree, and wakes its waiters at the end; where the
 * kernel shows it ready all the same, the thread waits. */
static bool says_eagain(struct stream *s, uint64_t until)
{
	const struct snag_call *c = &s->h.call;
	if (wait_blocks(c))
		return false;
	if (!sends(s) && c->proto == SNAG_PROTO_TCP)
		return stall_hide(c->fd, s->h.ref, s->state, until);
	return !lowat_is_ready(c->fd, sends(s));
}

static bool wait_stall(struct stream *s)
{
	uint64_t *until = stall_of(s), end = until ? load_acquire(until) : 0, now = end ? self_now() : 0;
	int err = 0;
	if (likely(!end))
		return true;
	if (end > now)
		err = says_eagain(s, end) ? EAGAIN : wait_for(&s->h.call, s->h.traits, hook_since(&s->h), end - now);
	if (err)
		return fail(s, err);
	if (!sends(s))
		stall_show(s->h.call.fd, s->state);
	s->stalled = cas(until, &end, 0);	/* else another one has begun meanwhile */
	return true;
}

static bool act_stall(struct stream *s)
{
	if (s->stalled)		/* the call behind a stall moves, or nothing ever would */
		return true;
	s->state = state_of(s->h.ref, true);
	if (s->state)
		store_release(stall_of(s), self_now() + s->h.plan.value);
	return wait_stall(s);
}

bool stream_go(struct stream *s)
{
	const struct snag_plan *p = &s->h.plan;
	int err = pending_wait(&s->h);
	if (unlikely(err))
		return fail(s, err);
	do_pending(s);
	if (unlikely(s->spent & SNAG_SPENT_EOF) && !sends(s))
		silence_empty(s->h.call.fd);
	if (unlikely(is_spurious(s)))
		return fail(s, EAGAIN);
	if (!wait_stall(s))
		return false;
	if (!hook_decide(&s->h) && !answered(s))
		return false;
	if (p->most && p->most < s->want)
		s->most = p->most;
	if (likely(p->action == SNAG_ACTION_NONE || p->action == SNAG_ACTION_clamp))
		return true;
	if (p->action == SNAG_ACTION_spurious)
		return act_spurious(s);
	if (p->action == SNAG_ACTION_stall)
		return act_stall(s);
	int r = do_to(s->h.call.fd, s->h.ref, state_of(s->h.ref, true), p->action, (unsigned)p->value);
	s->spent |= SNAG_SPENT_RESET;	/* what the kernel says now is what it says behind it */
	if (r == -ENOTCONN || r == -EOPNOTSUPP)
		return let_go(s);
	return r < 0 && p->action == SNAG_ACTION_reset ? fail(s, ECONNRESET) : true;
}

/* ---- the result ---- */

/* The call is to be made again: its answer was that of the middle of a reset by another thread. */
static bool met_reset(struct stream *s)
{
	struct fault_state *f = s->again || (s->spent & SNAG_SPENT_RESET) ? NULL : state_of(s->h.ref, false);
	int err = errno;
	s->again = f && resets_stray(f, err);
	errno = err;
	return s->again;
}

bool stream_again(struct stream *s, long ret, ssize_t bytes)
{
	struct fault_state *f = counts ? s->state : NULL;
	if (unlikely(ret < 0) && met_reset(s))
		return true;
	hook_done(&s->h, ret);
	if (unlikely(s->most < s->want) && ret > 0)	/* epoll(7): it may be taken for the end of what there is */
		raise_edge(s);
	if (f && ret > 0 && bytes > 0 && !(s->flags & MSG_PEEK))
		fetch_add(sends(s) ? &f->sent : &f->received, (uint64_t)bytes);
	return false;
}

long stream_leave(struct stream *s)
{
	return hook_leave(&s->h);
}

/* ---- buffers ---- */

bool stream_sum(const struct iovec *iov, size_t n, size_t *sum)
{
	*sum = 0;
	if (n > BUFFERS_MAX || !hook_readable(iov, n * sizeof(*iov)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(*sum, iov[i].iov_len, sum))
			return false;
	return true;
}

int stream_cut(struct iovec out[STREAM_BUFFERS], const struct iovec *iov, size_t n, size_t most)
{
	int k = 0;
	for (size_t i = 0; i < n && k < STREAM_BUFFERS && most; i++) {
		out[k] = iov[i];
		if (out[k].iov_len > most)
			out[k].iov_len = most;
		most -= out[k++].iov_len;
	}
	return k;
}
