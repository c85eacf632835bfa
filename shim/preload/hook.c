/* hook.c - the way of every hooked call */
#include "hook.h"
#include "act.h"
#include "facts.h"
#include "outside.h"
#include "identity.h"
#include "netns.h"
#include "ports.h"
#include <base/addr.h>
#include <base/calls.h>
#include <base/sys.h>
#include <effects/spare.h>
#include <effects/state.h>
#include <errno.h>
#include <session/lock.h>
#include <string.h>

/* What a call needs to know, by its traits and its name. */
enum hook_kind {
	ADOPTS = 1 << 0,	/* worth asking the kernel about an unknown descriptor */
	ENDS = 1 << 1,		/* takes the meaning of a descriptor away */
	LOCKS = 1 << 2,		/* always changes who owns a port */
};

static const uint8_t kinds[SNAG_CALLS] = {
	[SNAG_CALL_bind] = ADOPTS | LOCKS,
	[SNAG_CALL_listen] = ADOPTS | LOCKS,
	[SNAG_CALL_accept] = ADOPTS,
	[SNAG_CALL_accept4] = ADOPTS,
	[SNAG_CALL_connect] = ADOPTS,
	[SNAG_CALL_shutdown] = ADOPTS,
	[SNAG_CALL_setsockopt] = ADOPTS,
	[SNAG_CALL_recv] = ADOPTS,
	[SNAG_CALL_recvfrom] = ADOPTS,
	[SNAG_CALL_recvmsg] = ADOPTS,
	[SNAG_CALL_recvmmsg] = ADOPTS,
	[SNAG_CALL_send] = ADOPTS,
	[SNAG_CALL_sendto] = ADOPTS,
	[SNAG_CALL_sendmsg] = ADOPTS,
	[SNAG_CALL_sendmmsg] = ADOPTS,
	[SNAG_CALL_close] = ENDS,
	[SNAG_CALL_fclose] = ENDS,
	[SNAG_CALL_close_range] = ENDS,
	[SNAG_CALL_closefrom] = ENDS,
};

bool hook_ends(unsigned id)
{
	return (kinds[id] & ENDS) != 0;
}

static bool find_socket(struct hook *h, unsigned id, int fd)
{
	h->ref = fdtab_get(fd);
	if (h->ref.sock && !sock_is(&session, h->ref)) {	/* gone from the session: look afresh */
		fdtab_take(fd);
		h->ref.sock = 0;
	}
	if (!h->ref.sock && (kinds[id] & ADOPTS))
		h->ref = identity_adopt(fd);
	return h->ref.sock != 0;
}

/* What the model needs to learn from a call: all that is known of one that nobody asks about. */
static void describe(struct hook *h, unsigned id, int fd)
{
	const struct model_sock *m;
	struct snag_call *c = &h->call;
	zero_words(c, offsetof(struct snag_call, who));
	c->call = (uint16_t)id;
	c->fd = fd;
	c->path_len = 0;
	c->who.proc = self->who.proc;
	c->who.uid = self->who.uid;
	h->local_port = h->peer_port = 0;
	if (!h->ref.sock)
		return;
	c->sock = h->ref.sock;
	c->serial = h->ref.serial;
	m = model_peek(engine.model, c->sock, c->serial);
	if (!m)
		return;
	c->proto = m->proto;
	c->domain = (uint8_t)m->domain;
	c->type = m->type;
	h->local_port = m->local.port;
	h->peer_port = m->peer.port;
	h->locked = (m->on_port && (h->traits & SNAG_TRAIT_PORT)) ||
		    (m->proto == SNAG_PROTO_TCP && unlikely(engine_keeps_waits(&engine)) && engine_wants(&engine, id));
}

static void describe_faults(struct snag_call *c)
{
	const struct fault_state *f =
		fault_find(session.faults, load_acquire(&session.header->socks_ready), c->sock, c->serial);
	if (!f)
		return;
	c->spent = (uint8_t)load_acquire(&f->spent);
	c->sent = load_relaxed(&f->sent);
	c->received = load_relaxed(&f->received);
}

/* The rest: who calls, and the socket's place in its creator. */
static void describe_caller(struct hook *h)
{
	struct snag_call *c = &h->call;
	struct sock s;
	self_who(&c->who);
	if (kinds[c->call] & LOCKS)	/* its user may own the port */
		c->who.uid = sys_geteuid();
	if (h->borrowed)
		c->who.pid = c->who.tid = sys_getpid();
	c->caller[0] = 0;
	if (c->sock && sock_get(&session, c->sock, &s))
		c->sock_key = s.key;
	if (c->sock)
		describe_faults(c);
}

bool hook_enter_from(struct hook *h, unsigned id, int fd, const void *caller)
{
	int saved = errno;
	if (!self_active())
		return false;
	h->traits = call_row(id)->traits;
	h->ref = (struct sock_ref){ 0 };
	if ((h->traits & SNAG_TRAIT_FD) && !find_socket(h, id, fd))
		return false;
	h->borrowed = (kinds[id] & ENDS || h->traits & (SNAG_TRAIT_DUP | SNAG_TRAIT_PROC)) && self_borrowed();
	if (h->borrowed && !(h->traits & SNAG_TRAIT_PROC))
		return false;
	h->saved = saved;
	h->caller = caller;
	h->after = 0;
	h->silent = h->begun = h->turn = h->claimed = false;
	h->note = NULL;
	h->since = 0;
	h->locked = false;
	describe(h, id, fd);
	h->locked |= (kinds[id] & LOCKS) != 0 || unlikely(engine_exact(&engine) && (engine_counts(id) || id == SNAG_CALL_setsockopt));
	h->stood = 0;
	h->traced = session_tracing(&session);
	h->asked = (h->traced && !(h->traits & SNAG_TRAIT_STREAM)) || h->locked || engine_wants(&engine, id);
	zero_words(&h->plan, sizeof(h->plan));
	zero_words(&h->out, sizeof(h->out));
	h->out.real_err = -1;
	h->out.new_fd = -1;
	if (h->traits & SNAG_TRAIT_PROC)
		describe_caller(h);
	return true;
}

bool hook_describe(struct hook *h, unsigned id, int fd, struct sock_ref r)
{
	if (!self_active() || !r.sock)
		return false;
	h->ref = r;
	h->traits = call_row(id)->traits;
	h->locked = h->borrowed = false;
	describe(h, id, fd);
	describe_caller(h);
	facts_fill(&h->call, engine_facts(&engine, id) & ~(unsigned)SNAG_FACT_CALLER, NULL);
	h->call.start_ns = self_now();
	return true;
}

uint64_t hook_since(struct hook *h)
{
	if (!h->since)
		h->since = sys_clock_ns(CLOCK_MONOTONIC);
	return h->since;
}

bool hook_wanted(unsigned id)
{
	return self_active() && (session_tracing(&session) || engine_wants(&engine, id));
}

#define PAGE 4096ul	/* the least there is */

/* kernel/signal.c, rt_sigtimedwait: the set is read before a time that is none is refused. An aligned word lies in one
 * page. So it is under valgrind and qemu too, and in silence. */
static bool ask_word(uintptr_t at)
{
	static const struct timespec no_time = { .tv_nsec = -1 };
	return sys_call(SYS_rt_sigtimedwait, at & ~7ul, NULL, &no_time, 8) != -EFAULT;
}

bool hook_ask_readable(uintptr_t at, size_t len)
{
	if (at < PAGE || at + len < at)
		return false;
	for (uintptr_t page = at; page < at + len; page = (page | (PAGE - 1)) + 1)
		if (!ask_word(page))
			return false;
	return true;
}

bool hook_reuses(const struct hook *h)
{
	const struct model_sock *m = model_peek(engine.model, h->ref.sock, h->ref.serial);
	return m && (m->options & SNAG_OPTION_REUSEADDR);
}

/* ---- decide ---- */

/* Bytes are moved often: where the model knows the connection's own address the kernel is not asked for it again. */
static unsigned without_known(const struct hook *h, unsigned facts)
{
	const struct model_sock *m;
	if (!(h->traits & SNAG_TRAIT_STREAM) || !(facts & SNAG_FACT_LOCAL))
		return facts;
	m = model_peek(engine.model, h->call.sock, h->call.serial);
	if (m && (m->proto == SNAG_PROTO_UNIX || (m->local.port && !addr_is_any(&m->local))))
		facts &= ~(unsigned)SNAG_FACT_LOCAL;
	return facts;
}

/* What the kernel tells of the caller's network namespace. */
#define MACHINE_FACTS ((unsigned)(SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_TARGET))

static bool ask_engine(struct hook *h)
{
	struct session_guard g;
	unsigned facts = without_known(h, engine_facts(&engine, h->call.call));
	if (unlikely(engine_exact(&engine)) && !netns_at_home()) {
		h->call.elsewhere = 1;
		facts &= ~MACHINE_FACTS;
	}
	if (facts)
		facts_fill(&h->call, facts, h->caller);
	bool whole = outside_wanted(h, facts);
	/* A killed process may stand in the tables for a while: what it leaves on a port is not what it held. */
	if (unlikely(whole || engine_keeps_waits(&engine) || engine_leaves(&engine, SNAG_CALL_close)) &&
	    (kinds[h->call.call] & LOCKS) && h->call.domain != AF_UNIX)
		ports_reap();
	struct outside_list *others = whole ? outside_ask(h) : NULL;
	h->call.start_ns = self_now();
	if (h->locked && !self_lock(&g)) {
		h->silent = true;	/* goes unrecorded, and is counted */
		outside_free(others);
		return false;
	}
	if (others)
		outside_enter(h, others);
	if ((h->call.facts & SNAG_FACT_OWNER) && h->locked)
		model_told_owner(engine.model, h->call.sock, h->call.serial, h->call.owner);
	engine_decide(&engine, &h->call, &h->plan);
	if (h->locked)
		self_unlock(&g);
	outside_free(others);
	return true;
}

/* Does the plan do anything to the program? */
static bool plan_acts(const struct snag_plan *p)
{
	return p->action != SNAG_ACTION_NONE || p->delay_ns || p->signal || p->most;
}

bool hook_decide(struct hook *h)
{
	h->asked = h->asked && (h->traced || h->locked ||
				engine_concerns(&engine, &h->call, h->local_port, h->peer_port));
	if (likely(!h->asked))
		return true;
	if (!(h->traits & SNAG_TRAIT_PROC))
		describe_caller(h);
	if (!ask_engine(h) || h->plan.dry || !plan_acts(&h->plan) || act_mistaken(h))
		return true;
	bool go = act(h);
	errno = h->saved;
	return go;
}

/* ---- commit ---- */

void hook_fail(struct hook *h, int err)
{
	h->out.seen = SNAG_SEEN;
	h->out.ret = -1;
	h->out.err = err;
}

void hook_done(struct hook *h, long ret)
{
	h->saved = errno;
	h->out.seen = SNAG_SEEN;
	h->out.ret = ret;
	h->out.err = ret == -1 ? errno : 0;
	h->out.real_err = h->out.err;
	if (h->asked || kinds[h->call.call] & ENDS)
		h->out.end_ns = self_now();
}

void hook_made(struct hook *h, int fd)
{
	struct sock_ref r = sock_new(&session, h->call.who.proc, fd);
	self_put(fd, r);
	if (unlikely(engine.audit))	/* so that the kernel's lists can be told apart */
		identity_publish(fd, r);
	h->out.new_fd = fd;
	h->out.new_sock = r.sock;
	h->out.new_serial = r.serial;
	if (!h->note)
		spare_forget();
}

/* The kernel refused: what it can tell of others is asked before the session's lock is taken. */
static void look_around(struct hook *h, struct engine_holder *who)
{
	if (h->stood && h->plan.sure != SNAG_WITHHELD && !engine_foretold(&h->call, &h->plan, &h->out))
		h->out.raced = outside_raced(h);
	if (h->out.real_err == EADDRINUSE && kinds[h->call.call] & LOCKS)
		outside_explain(h, who);
}

/* Why the rule was not carried out. */
static unsigned add_note(const struct hook *h, union snag_event *ev, unsigned n)
{
	struct snag_event_text *t = &ev[n].text;
	if (!h->note || !n || n >= SNAG_EVENT_MAX)
		return n;
	memset(t, 0, sizeof(*t));
	t->head.kind = SNAG_EXTRA_TEXT;
	t->what = SNAG_TEXT_NOTE;
	t->len = (uint8_t)strnlen(h->note, sizeof(t->text));
	memcpy(t->text, h->note, t->len);
	return n + 1;
}

static void commit(struct hook *h)
{
	union snag_event ev[SNAG_EVENT_MAX];
	struct session_guard g;
	unsigned n = 0;
	struct engine_holder who;
	if ((h->traits & SNAG_TRAIT_STREAM) && !h->plan.rule[0])	/* moves bytes, and nobody asked */
		return;
	if (h->asked && !h->out.end_ns)
		h->out.end_ns = self_now();
	if (unlikely(h->traced && (h->out.real_err > 0 || h->stood)))
		look_around(h, &who);
	if (h->locked && !self_lock(&g)) {
		outside_done();
		return;
	}
	if (h->asked)
		n = engine_commit(&engine, &h->call, &h->plan, &h->out, h->traced ? ev : NULL);
	else
		model_learn(engine.model, engine.machine, &h->call, &h->out, h->out.end_ns);
	if (h->out.last)
		model_forget(engine.model, h->ref.sock, h->out.end_ns);
	if (h->locked)
		self_unlock(&g);
	outside_done();
	if (h->traced)
		self_event(ev, unlikely(h->note != NULL) ? add_note(h, ev, n) : n);
	if (h->out.last)
		sock_free(&session, h->ref);
}

void hook_gone(const struct hook *h, int fd, struct sock_ref r)
{
	struct hook one = *h;
	one.ref = r;
	one.locked = false;
	describe(&one, h->call.call, fd);
	describe_caller(&one);
	one.out.last = self_drop(r, true);
	one.call.start_ns = h->call.start_ns;
	one.out.seen = SNAG_SEEN;
	one.out.real_err = 0;
	memset(&one.plan, 0, sizeof(one.plan));
	commit(&one);
}

long hook_leave(struct hook *h)
{
	if (h->after && h->out.err == 0) {
		h->out.ret = -1;
		h->out.err = h->after;
	}
	if (!h->silent)
		commit(h);
	if (h->asked && h->plan.signal && h->plan.after_call && !h->plan.dry && !h->silent)
		act_signal(h);
	errno = h->out.ret == -1 && h->out.err ? h->out.err : h->saved;
	return h->out.ret;
}
