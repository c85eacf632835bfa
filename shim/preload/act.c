/* act.c - a plan carried out before the real call: its signal, its delay, its failure */
#include "act.h"
#include "identity.h"
#include "pending.h"
#include "ports.h"
#include <base/sys.h>
#include <effects/refuse.h>
#include <effects/spare.h>
#include <effects/wait.h>
#include <string.h>

bool act_mistaken(struct hook *h)
{
	if (h->call.fd < 0 || !h->ref.sock || identity_holds(h->call.fd, h->ref))
		return false;
	struct sock_ref stale = fdtab_take(h->call.fd);
	if (stale.sock)
		self_drop(stale, false);
	h->silent = true;
	memset(&h->plan, 0, sizeof(h->plan));
	return true;
}

void act_signal(struct hook *h)
{
	union snag_event ev;
	memset(&ev, 0, sizeof(ev));
	ev.call = (struct snag_event_call){
		.head = { .kind = SNAG_EVENT_RULE, .proc = (uint16_t)h->call.who.proc, .pid = h->call.who.pid },
		.t_ns = self_now(),
		.tid = h->call.who.tid,
		.fd = h->call.fd,
		.sock = h->call.serial,
		.addr = h->call.addr,
		.call = h->call.call,
		.by = SNAG_BY_RULE,
		.proto = h->call.proto,
		.flags = SNAG_EVENT_SIGNAL,
		.arg = { h->plan.signal },
	};
	memcpy(ev.call.rule, h->plan.rule, sizeof(ev.call.rule));
	memcpy(ev.call.log, h->plan.log, sizeof(ev.call.log));
	if (h->traced)
		self_event(&ev, 1);
	sys_kill(h->call.who.pid, h->plan.signal);
}

void act_leave_alone(struct hook *h, const char *note)
{
	h->plan.action = SNAG_ACTION_NONE;
	h->plan.by = SNAG_BY_KERNEL;
	h->note = note;
}

/* The failure that the plan asks for. True: the real call is made all the same, or must be made first. */
static bool act_failure(struct hook *h)
{
	const struct snag_call *c = &h->call;
	int err = h->plan.err;
	if (hook_ends(c->call) && c->call != SNAG_CALL_close_range) {
		h->after = err;		/* an error of close still closes: fs/open.c, close(2) */
		return true;
	}
	if ((c->call == SNAG_CALL_accept || c->call == SNAG_CALL_accept4) && refuse_consumes(err)) {
		h->after = err;
		return true;
	}
	if ((h->traits & SNAG_TRAIT_NEW) && (err == EMFILE || err == ENFILE) && spare_left()) {
		act_leave_alone(h, "the program has closed a descriptor since");
		return true;
	}
	if (c->call == SNAG_CALL_connect && refuse_is_late(c, err))
		err = refuse_connect(c);
	hook_fail(h, err);
	return false;
}

bool act(struct hook *h)
{
	const struct snag_plan *p = &h->plan;
	bool fails = p->action == SNAG_ACTION_errno || p->action == SNAG_ACTION_deny;
	uint64_t ns = p->delay_ns;
	if (p->signal && !p->after_call)
		act_signal(h);
	if (h->call.call == SNAG_CALL_connect && pending_has(h->ref)) {	/* of an attempt under way the kernel speaks */
		memset(&h->plan, 0, sizeof(h->plan));
		return true;
	}
	if (p->action == SNAG_ACTION_self_connect)
		ports_act(h);
	if (pending_connect(h))
		return false;
	if (fails)
		ns += p->after_ns;
	int err = ns ? wait_for(&h->call, h->traits, hook_since(h), ns) : 0;
	if (err) {
		hook_fail(h, err);
		return false;
	}
	if (p->action != SNAG_ACTION_self_connect)
		ports_act(h);
	return fails ? act_failure(h) : true;
}
