/* held.c - listeners whose connections a rule holds: what the queue holds, and accept
 *
 * The connections stay in the real queue. Whoever looks (a wait, an accept) compares its length, which the kernel tells,
 * with what was seen before, and asks the rules about each newcomer. Of a unix listener only the head is known to be
 * there. */
#include "held.h"
#include "arrivals.h"
#include "facts.h"
#include "hide.h"
#include "ready.h"
#include <base/sys.h>
#include <effects/state.h>
#include <effects/wait.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <session/lock.h>
#include <session/task.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define RECHECK_NS (50 * NSEC_PER_MSEC)	/* for what others do: snag ctl release, another process's accept */

/* ---- the queue ---- */

static bool gone(uint32_t sock, uint32_t serial)
{
	return !sock_is(&session, (struct sock_ref){ .sock = sock, .serial = serial });
}

static bool off(uint32_t rule)
{
	return !trigger_on(engine.triggers, rule);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec now = { 0, 0 };
	return sys_call(SYS_ppoll, &p, 1, &now, NULL, 0) == 1 && (p.revents & POLLIN);
}

/* How long the kernel's queue is; false: this is no listener, or not any more. */
static bool length(int fd, unsigned proto, uint32_t *len)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	memset(&info, 0, sizeof(info));
	if (proto == SNAG_PROTO_UNIX) {
		*len = readable(fd);
		return true;
	}
	if (sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state != TCP_LISTEN)
		return false;
	*len = info.tcpi_unacked;
	return true;
}

/* Its accept is not under way any more: this thread jumped out of it, another one was cancelled or killed there. */
static bool thread_gone(uint32_t tid)
{
	return tid == sys_gettid() || !task_runs(tid, 0);
}

static void tell(const struct snag_call *c, const struct snag_plan *p)
{
	union snag_event ev;
	if (!session_tracing(&session) || !p->rule[0])
		return;
	memset(&ev, 0, sizeof(ev));
	ev.call = (struct snag_event_call){
		.head = { .kind = SNAG_EVENT_RULE, .proc = (uint16_t)c->who.proc, .pid = c->who.pid },
		.t_ns = c->start_ns,
		.tid = c->who.tid,
		.fd = c->fd,
		.sock = c->serial,
		.call = c->call,
		.by = SNAG_BY_RULE,
		.proto = c->proto,
	};
	memcpy(ev.call.rule, p->rule, sizeof(ev.call.rule));
	memcpy(ev.call.log, p->log, sizeof(ev.call.log));
	self_event(&ev, 1);
}

/* A newcomer, as the accept that would take it. */
static void arrive(struct queue_held *q, struct snag_call *c)
{
	struct snag_plan p;
	engine_arrive(&engine, c, &p);
	bool held = p.action == SNAG_ACTION_hold;
	uint64_t until = !held ? 0 : p.value == RULE_FOREVER ? QUEUE_FOREVER : c->start_ns + p.value;
	queue_add(q, c->start_ns, until, held ? p.rule[0] : 0);
	tell(c, &p);
}

/* The accept that would take it; accept4 where rules speak of that one alone. False: no rule holds what comes here. */
static bool describe_newcomer(struct hook *h, int fd, struct sock_ref r)
{
	return (hook_describe(h, SNAG_CALL_accept, fd, r) && engine_may_hold(&engine, &h->call)) ||
	       (hook_describe(h, SNAG_CALL_accept4, fd, r) && engine_may_hold(&engine, &h->call));
}

struct look {
	bool listens;		/* and a rule may hold what comes */
	uint32_t len, free;	/* in the queue; of these, what may be taken and nobody is taking */
	uint64_t until;
	uint32_t rule;
};

/* The usual look, while time passes: nothing has changed. */
static bool look_again(struct sock_ref r, int fd, struct look *l)
{
	struct queue_table *t = &((struct fault_table *)session.faults)->queues;
	const struct model_sock *m = model_peek(engine.model, r.sock, r.serial);
	const struct queue_held *q = m ? queue_find(t, r.sock, r.serial, false, NULL) : NULL;
	*l = (struct look){ .listens = true };
	return q && length(fd, m->proto, &l->len) && queue_unchanged(t, q, l->len, self_now(), &l->until, &l->rule) &&
	       !off(l->rule - 1);
}

/* Looks at the queue; with `take` a free connection is the caller's, who tells queue_took. */
static struct look look_at(struct sock_ref r, int fd, bool take)
{
	struct queue_table *t = &((struct fault_table *)session.faults)->queues;
	struct session_guard g;
	struct hook h;
	struct look l;
	uint32_t len;
	if (look_again(r, fd, &l))
		return l;
	l = (struct look){ .until = QUEUE_FOREVER };
	if (!describe_newcomer(&h, fd, r) || !length(fd, h.call.proto, &len) || !self_lock(&g))
		return l;
	struct queue_held *q = queue_find(t, r.sock, r.serial, len > 0, gone);
	l.listens = q || !len;
	l.len = len;
	if (q) {
		if (h.call.proto == SNAG_PROTO_UNIX && len && q->runs)
			len = 1;
		queue_forget(q, thread_gone);
		for (uint32_t n = queue_news(q, len); n; n--)
			arrive(q, &h.call);
		queue_let_go(q, off);
		l.free = queue_free(t, q, h.call.start_ns, &l.until, &l.rule);
		uint32_t taking = queue_taking(q);
		l.free = l.free > taking ? l.free - taking : 0;
		if (take && l.free)
			queue_take(q, h.call.who.tid);
	}
	self_unlock(&g);
	return l;
}

/* When to look again though nobody has come. */
static uint64_t next_look(const struct look *l)
{
	uint64_t next = self_now() + RECHECK_NS;
	return l->until < next ? l->until : next;
}

static bool is_held(int fd, struct look *l)
{
	struct sock_ref r = fdtab_get(fd);
	const struct model_sock *m = r.sock ? model_peek(engine.model, r.sock, r.serial) : NULL;
	if (!m || m->role != SNAG_ROLE_LISTENER)
		return false;
	*l = look_at(r, fd, false);
	return l->listens && l->len && !l->free;
}

bool held_hides(int fd, uint64_t *until)
{
	struct look l;
	if (!is_held(fd, &l))
		return false;
	*until = next_look(&l);
	return true;
}

/* ---- accept ---- */

/* Are the program's handlers such that a blocking accept goes on after any of them? Only the wait's end is known, not
 * the signal; SO_RCVTIMEO makes every signal end it (socket(7), signal(7)). */
static bool restarts(void)
{
	struct {	/* the kernel's struct sigaction */
		uintptr_t handler;
		unsigned long flags;
		uintptr_t restorer;
		uint64_t mask;
	} sa;
	for (int sig = 1; sig < 65; sig++)
		if (sys_call(SYS_rt_sigaction, sig, NULL, &sa, sizeof(sa.mask)) == 0 && sa.handler > 1 &&
		    !(sa.flags & SA_RESTART))
			return false;
	return true;
}

/* Session time at which SO_RCVTIMEO ends the call. */
static uint64_t bound_of(struct hook *h)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);
	if (sys_call(SYS_getsockopt, h->call.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len) < 0 || (!tv.tv_sec && !tv.tv_usec))
		return READY_NEVER;
	return hook_since(h) - session.header->start_ns + (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * 1000;
}

/* In the C library's ppoll: a thread can be cancelled there, as in accept. The positive errno, or 0. */
static int wait_for_head(int fd, const struct look *l, uint64_t bound)
{
	struct pollfd p = { .fd = l->len ? arrivals_of(fd) : fd, .events = POLLIN };
	uint64_t now = self_now(), end = bound, next = l->len ? next_look(l) : READY_NEVER;
	if (next < end)
		end = next;
	struct timespec t = sys_timespec(end > now ? end - now : 0);
	if (!l->len)
		arrivals_end();
	int r = real.ppoll(&p, 1, end == READY_NEVER ? NULL : &t, NULL);
	if (r < 0)
		return errno != EINTR || bound != READY_NEVER || !restarts() ? errno : 0;
	if (r > 0 && l->len)
		arrivals_seen();
	return self_now() >= bound ? EAGAIN : 0;
}

static void name_rule(struct hook *h, uint32_t rule)
{
	if (!rule || h->plan.rule[0])
		return;
	h->plan.rule[0] = (uint16_t)rule;
	h->plan.by = SNAG_BY_RULE;
}

int held_accept(struct hook *h)
{
	int fd = h->call.fd, err = 0;
	struct look l = look_at(h->ref, fd, true);
	if (!l.listens)
		return 0;
	bool blocks = !l.free && wait_blocks(&h->call);
	uint64_t bound = blocks ? bound_of(h) : READY_NEVER;
	while (blocks && !err && l.listens && !l.free) {
		err = wait_for_head(fd, &l, bound);
		if (!err)
			l = look_at(h->ref, fd, true);
	}
	if (l.free || (!l.listens && !err)) {
		arrivals_end();
		h->turn = l.free != 0;
		return 0;
	}
	if (l.len) {
		name_rule(h, l.rule);
		if (!blocks)
			hide_socket(h->ref, l.until);
	}
	return err ? err : EAGAIN;
}

void held_over(struct hook *h, bool took)
{
	struct queue_table *t = &((struct fault_table *)session.faults)->queues;
	struct session_guard g;
	if (!h->turn || !self_lock(&g))
		return;
	struct queue_held *q = queue_find(t, h->ref.sock, h->ref.serial, false, NULL);
	if (q)
		queue_took(q, sys_gettid(), took);
	self_unlock(&g);
}

/* ---- epoll ---- */

bool held_event(int epfd, const struct epoll_event *event)
{
	struct hide_owner o = hide_owner(epfd, event->data.u64);
	uint64_t until;
	if (o.fd < 0 || !(event->events & EPOLLIN))
		return false;
	if (held_hides(o.fd, &until)) {
		hide_socket(fdtab_get(o.fd), until);
		return !o.shared;
	}
	if (o.hidden) {		/* shown again, it is reported as the program registered it */
		ready_run();
		return !o.shared;
	}
	hide_delivered(epfd, o.fd);
	return false;
}

void held_registered(int epfd, int fd, const struct epoll_event *event)
{
	if (load_relaxed(&ready_flags) & READY_HOLDS)
		hide_registered(epfd, fd, event);
}

static bool hides_nothing(int fd, uint64_t *until)
{
	(void)fd, (void)until;
	return false;
}

void held_show(void)
{
	if (load_relaxed(&ready_flags) & READY_HIDDEN)
		hide_run(hides_nothing);
}

uint64_t held_run(void)
{
	return load_relaxed(&ready_flags) & READY_HIDDEN ? hide_run(held_hides) : READY_NEVER;
}
