/* decide.c - what becomes of a call: the model's prediction, and the first rule whose terminal action fires. */
#include "enforce.h"
#include "engine.h"

#include <base/base.h>
#include <base/calls.h>
#include <model/virtual.h>
#include <policy/answers.h>
#include <policy/match.h>
#include <string.h>
#include <sys/socket.h>

static bool rules_in_force(const struct engine *e, unsigned call)
{
	return e->mode == SNAG_MODE_INJECT && e->rules && e->triggers && call < SNAG_CALLS && e->rules->call[call].n;
}

bool engine_counts(unsigned call)
{
	switch (call) {
	case SNAG_CALL_bind:
	case SNAG_CALL_listen:
	case SNAG_CALL_connect:
	case SNAG_CALL_accept:
	case SNAG_CALL_accept4:
	case SNAG_CALL_shutdown:
	case SNAG_CALL_close:
		return true;
	default:
		return false;
	}
}

/* Those about sockets outside the session and unix names: the machine itself answers for them, and no virtual kernel has
 * a word in it. */
#define OTHERS_FACTS ((unsigned)(SNAG_FACT_WHOLE | SNAG_FACT_TARGET | SNAG_FACT_PATH))

/* All that bears on a prediction. */
static unsigned counted_facts(unsigned call)
{
	switch (call) {
	case SNAG_CALL_bind:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL | SNAG_FACT_REACH | SNAG_FACT_PATH | SNAG_FACT_WHOLE |
		       SNAG_FACT_PRIVILEGED | SNAG_FACT_OWNER;
	case SNAG_CALL_connect:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL | SNAG_FACT_REACH | SNAG_FACT_PATH | SNAG_FACT_WHOLE |
		       SNAG_FACT_BLOCKING | SNAG_FACT_ERROR | SNAG_FACT_TARGET;
	case SNAG_CALL_listen:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL | SNAG_FACT_WHOLE | SNAG_FACT_QUEUE | SNAG_FACT_OWNER;
	case SNAG_CALL_accept:
	case SNAG_CALL_accept4:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_QUEUE;
	case SNAG_CALL_close:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL | SNAG_FACT_UNREAD;
	default:
		return SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL | SNAG_FACT_ERROR;
	}
}

bool engine_exact(const struct engine *e)
{
	const struct snag_kernel *k = engine_kernel(e);

	return e->audit || (k && (k->given & SNAG_KERNEL_PORTS));
}

unsigned engine_facts(const struct engine *e, unsigned call)
{
	unsigned facts = 0;

	if (engine_exact(e) && engine_counts(call))
		facts = counted_facts(call) & (e->audit ? ~0u : ~OTHERS_FACTS);
	if (engine_kernel(e))
		facts |= virtual_facts(engine_kernel(e), call);
	if (e->mode == SNAG_MODE_INJECT && e->rules && call < SNAG_CALLS)
		facts |= e->rules->call[call].facts;
	return facts;
}

bool engine_wants(const struct engine *e, unsigned call)
{
	const struct snag_kernel *k = engine_kernel(e);

	return rules_in_force(e, call) || (k && virtual_concerns(k, call));
}

bool engine_concerns(const struct engine *e, const struct snag_call *c, uint16_t local, uint16_t peer)
{
	const struct snag_kernel *k = engine_kernel(e);

	if (k && virtual_concerns(k, c->call))
		return true;
	if (!rules_in_force(e, c->call))
		return false;
	if (e->rules->call[c->call].facts & SNAG_FACT_LOCAL)
		return true;
	return rules_speak_of(e->rules, c->call, c->call == SNAG_CALL_bind ? c->addr.port : local,
			      c->call == SNAG_CALL_connect ? c->addr.port : peer);
}

bool engine_elsewhere(const struct engine *e, const struct snag_call *c)
{
	const struct model_sock *r = model_peek(e->model, c->sock, c->serial);

	return r && r->elsewhere;
}

/* ---- what rules ask of the model ---- */

static void view_of_socket(const struct engine *e, const struct snag_call *c, struct match_view *v)
{
	struct model_sock s;

	if (!c->serial || !model_get(e->model, c->sock, &s) || s.serial != c->serial)
		return;
	v->local = s.local;
	v->peer = s.peer;
	v->role = s.role;
	v->state = c->facts & SNAG_FACT_TCP_STATE ? model_state_of(c->tcp_state, &s) : s.state;
	if (s.proto == SNAG_PROTO_UNIX)
		v->path = model_path(e->model, c->sock, &v->path_len);
}

/* The role that a call gives to a socket without one: a first connect is a client's call already. */
static uint8_t role_by_call(unsigned call)
{
	switch (call) {
	case SNAG_CALL_connect:
		return SNAG_ROLE_CLIENT;
	case SNAG_CALL_listen:
		return SNAG_ROLE_LISTENER;
	default:
		return SNAG_ROLE_NONE;
	}
}

static void view_of(const struct engine *e, const struct snag_call *c, struct match_view *v)
{
	memset(v, 0, sizeof(*v));
	view_of_socket(e, c, v);
	if (v->role == SNAG_ROLE_NONE)
		v->role = role_by_call(c->call);
}

/* ---- does an action fit this very call? ---- */

/* What a step fails a call with; 0: it does not. */
static int step_errno(const struct rule_step *s, const struct snag_call *c)
{
	if (s->action == SNAG_ACTION_errno)
		return s->err;
	if (s->action == SNAG_ACTION_deny)
		return answers_denied(c->call);
	return 0;
}

/* Has it been done to this connection already? */
static bool is_spent(const struct rule_step *s, unsigned spent)
{
	switch (s->action) {
	case SNAG_ACTION_reset:
		return spent & SNAG_SPENT_RESET;
	case SNAG_ACTION_eof:
		return spent & (SNAG_SPENT_RESET | SNAG_SPENT_EOF);
	case SNAG_ACTION_blackhole:
		return spent & (SNAG_SPENT_RESET | (s->value == SNAG_END_PEER ? SNAG_SPENT_MUTE : SNAG_SPENT_DEAF));
	default:
		return false;
	}
}

/* Has the call a port that can be taken away so? */
static bool port_fits(const struct engine *e, unsigned action, const struct snag_call *c)
{
	struct model_sock m;

	if (action != SNAG_ACTION_time_wait && action != SNAG_ACTION_steal)
		return true;
	if (c->call == SNAG_CALL_bind)
		return c->addr.port != 0;
	if (!(c->facts & SNAG_FACT_LAST) || !c->last || !c->serial || !model_get(e->model, c->sock, &m) || m.serial != c->serial)
		return false;
	if (action == SNAG_ACTION_steal)	/* bound to port 0, and neither connected nor accepted */
		return (m.elsewhere ? m.local.port : m.on_port) && !(m.flags & MODEL_EXPLICIT) && m.state <= SNAG_STATE_LISTEN;
	return m.local.port || m.state >= SNAG_STATE_SYN_SENT;
}

static bool step_fits(const struct engine *e, const struct rule_step *s, const struct snag_call *c)
{
	unsigned action = s->action == SNAG_ACTION_deny ? SNAG_ACTION_errno : s->action;

	if (action == SNAG_ACTION_NONE)
		return true;
	if (action == SNAG_ACTION_backlog)
		return c->call == SNAG_CALL_listen;
	return !is_spent(s, c->spent) && port_fits(e, action, c) && answers_met(answers_of(c->call, action, step_errno(s, c)), c);
}

static bool rule_fits(const struct engine *e, const struct rule *rule, const struct snag_call *c)
{
	for (uint32_t i = 0; i < rule->n_steps; i++)
		if (!step_fits(e, rules_step(e->rules, rule->first_step + i), c))
			return false;
	return true;
}

/* ---- the plan ---- */

static void append(uint16_t *list, uint32_t index)
{
	for (unsigned i = 0; i < SNAG_PLAN_RULES; i++) {
		if (!list[i]) {
			list[i] = (uint16_t)(index + 1);
			return;
		}
	}
}

/* The deciding rule stands first, whatever logged before it. */
static void decides(struct snag_plan *p, uint32_t rule)
{
	memmove(p->rule + 1, p->rule, sizeof(p->rule) - sizeof(p->rule[0]));
	p->rule[0] = (uint16_t)(rule + 1);
	p->by = SNAG_BY_RULE;
}

static void add_step(const struct rules *r, uint32_t rule, uint32_t step, uint64_t draw, const struct snag_call *c,
		     struct snag_plan *p)
{
	const struct rule_step *s = rules_step(r, step);

	p->delay_ns += s->delay_ns;
	if (s->jitter_ns)
		p->delay_ns += trigger_jitter(draw, s->jitter_ns);
	if (s->signal && !p->signal) {
		p->signal = s->signal;
		p->after_call = s->after_call;
	}
	if (s->has_log)
		append(p->log, step);
	if (s->action == SNAG_ACTION_NONE) {
		append(p->rule, rule);
		return;
	}
	decides(p, rule);
	p->action = s->action;
	p->err = step_errno(s, c);
	if (s->action == SNAG_ACTION_backlog) {
		p->backlog = s->backlog;
		p->changes |= SNAG_CHANGE_BACKLOG | (s->resets ? SNAG_CHANGE_OVERFLOW : 0);
	}
	if (s->action == SNAG_ACTION_clamp && (!p->most || p->most > s->value))
		p->most = s->value;
	p->after_ns = s->after_ns;
	p->value = s->value;
}

/* A rule that waits for so many bytes lets a call move those that are still missing, and no more: the next one meets
 * it at exactly that count. */
static void bound_bytes(const struct engine *e, uint32_t index, const struct snag_call *c, struct snag_plan *p)
{
	const struct rule_when *w = &rules_rule(e->rules, index)->when;
	bool sends = call_has(c->call, SNAG_TRAIT_SENDS);
	uint64_t border = sends ? w->bytes_sent : w->bytes_received, moved = sends ? c->sent : c->received;

	if (!call_has(c->call, SNAG_TRAIT_STREAM) || border <= moved || (uint64_t)c->arg[0] <= border - moved ||
	    (p->most && p->most <= border - moved))
		return;
	if (!trigger_over(e->triggers, e->rules, index, c, c->start_ns))
		p->most = border - moved;
}

static bool rule_does(const struct rules *r, const struct rule *rule, unsigned action)
{
	for (uint32_t i = 0; i < rule->n_steps; i++)
		if (rules_step(r, rule->first_step + i)->action == action)
			return true;
	return false;
}

/* What rules are asked about: a call; a connection that arrives; a socket that ends without a call of its own. */
enum occasion { OF_CALL, OF_ARRIVAL, OF_END };

static bool rule_speaks_of(const struct rules *r, const struct rule *rule, enum occasion what)
{
	if (what == OF_END)
		return rule_does(r, rule, SNAG_ACTION_time_wait) || rule_does(r, rule, SNAG_ACTION_steal);
	return rule_does(r, rule, SNAG_ACTION_hold) == (what == OF_ARRIVAL);
}

static void ask_rules(struct engine *e, const struct snag_call *c, enum occasion what, struct snag_plan *p)
{
	const struct rules *r = e->rules;
	struct match_view v;
	uint64_t draw;

	view_of(e, c, &v);
	if (!rules_speak_of(r, c->call, match_local(c, &v)->port, match_peer(c, &v)->port))
		return;
	if ((r->call[c->call].facts & SNAG_FACT_TCP_STATE) && !engine_elsewhere(e, c))
		v.time_waits = enforce_time_waits(e, match_local(c, &v), c->start_ns);
	for (uint32_t i = 0; i < r->call[c->call].n && p->action == SNAG_ACTION_NONE; i++) {
		uint32_t index = rules_by_call(r, c->call, i), step;
		const struct rule *rule = rules_rule(r, index);

		if (!rule || !trigger_on(e->triggers, index) || !rule_speaks_of(r, rule, what) ||
		    !match_rule(r, rule, c, &v) || !rule_fits(e, rule, c))
			continue;
		bound_bytes(e, index, c, p);
		step = trigger_fire(e->triggers, r, index, c, c->start_ns, &draw);
		if (step != TRIGGER_NO_STEP)
			add_step(r, index, step, draw, c, p);
	}
}

/* A dry run keeps the names and drops the deeds, so that nobody can carry them out. */
static void only_name(struct snag_plan *p)
{
	p->dry = 1;
	p->by = SNAG_BY_KERNEL;
	p->action = SNAG_ACTION_NONE;
	p->err = p->signal = p->backlog = 0;
	p->after_call = p->changes = 0;
	p->delay_ns = p->after_ns = p->value = p->most = 0;
}

static void predict(const struct engine *e, const struct snag_call *c, struct snag_plan *p)
{
	struct model_verdict v;
	struct model_foreign f;
	struct model_sock s;

	model_predict(e->model, e->machine, c, c->start_ns, &v);
	p->sure = v.sure;
	p->model_why = v.unsure;
	p->model_err = v.err;
	p->why = v.why;
	p->ticket = v.ticket;
	if (v.holder && model_get(e->model, v.holder, &s)) {
		p->holder = v.holder;
		p->holder_serial = s.serial;
	} else if (model_foreign_get(e->model, v.holder, &f)) {
		p->holder = v.holder;
	}
}

void engine_decide(struct engine *e, const struct snag_call *c, struct snag_plan *p)
{
	const struct snag_kernel *k = engine_kernel(e);

	zero_words(p, sizeof(*p));
	p->mode = e->mode;
	predict(e, c, p);
	if (rules_in_force(e, c->call))
		ask_rules(e, c, OF_CALL, p);
	if (e->dry && p->rule[0])
		only_name(p);
	if (k && virtual_concerns(k, c->call))
		enforce_decide(e, k, c, p);
}

static void decide_apart(struct engine *e, const struct snag_call *c, enum occasion what, struct snag_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->mode = e->mode;
	if (rules_in_force(e, c->call))
		ask_rules(e, c, what, p);
	if (e->dry && p->rule[0])
		only_name(p);
}

void engine_arrive(struct engine *e, const struct snag_call *c, struct snag_plan *p)
{
	decide_apart(e, c, OF_ARRIVAL, p);
}

bool engine_leaves(const struct engine *e, unsigned call)
{
	return e->mode == SNAG_MODE_INJECT && e->rules && call < SNAG_CALLS &&
	       (e->rules->call[call].facts & SNAG_FACT_LAST);
}

void engine_leave(struct engine *e, const struct snag_call *c, struct snag_plan *p)
{
	decide_apart(e, c, OF_END, p);
}

bool engine_may_hold(const struct engine *e, const struct snag_call *c)
{
	const struct rules *r = e->rules;
	struct match_view v;

	if (!rules_in_force(e, c->call))
		return false;
	view_of(e, c, &v);
	for (uint32_t i = 0; i < r->call[c->call].n; i++) {
		const struct rule *rule = rules_rule(r, rules_by_call(r, c->call, i));

		if (rule && rule_does(r, rule, SNAG_ACTION_hold) && match_rule(r, rule, c, &v))
			return true;
	}
	return false;
}
