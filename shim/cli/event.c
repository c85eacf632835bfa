/* event.c - from the ring's events to records. The ring is shared with the programs under test: nothing in it is
 * believed before it is checked. */
#include "event.h"

#include "why.h"

#include <base/base.h>
#include <base/calls.h>
#include <base/names.h>
#include <errno.h>
#include <snag/state.h>
#include <stdio.h>
#include <unistd.h>

/* A text in a fixed array, up to its NUL. NULL for an empty one: absent. */
static struct text fixed(const char *p, size_t size)
{
	size_t n = strnlen(p, size);

	return (struct text){ n ? p : NULL, n };
}

static int64_t number_or_none(uint32_t n)
{
	return n ? (int64_t)n : RECORD_NONE;
}

static struct text error_text(int err, char space[16])
{
	const char *name = errno_name(err);

	if (name)
		return text_of(name);
	snprintf(space, 16, "E%d", err);
	return text_of(space);
}

static struct text signal_text(int sig, char space[16])
{
	const char *name = signal_name(sig);

	if (name)
		return text_of(name);
	snprintf(space, 16, "SIG%d", sig);
	return text_of(space);
}

static struct text address_text(const struct snag_addr *a, char space[ADDR_TEXT_MAX])
{
	size_t n = addr_text(a, space);

	return (struct text){ n ? space : NULL, n };
}

/* A unix path as people write it: an abstract one begins with @. */
static struct text path_text(const struct snag_event_text *t, char space[SNAG_PATH_MAX + 2])
{
	size_t n = t->len < SNAG_PATH_MAX ? t->len : SNAG_PATH_MAX;

	memcpy(space, t->text, n);
	if (n && !space[0])
		space[0] = '@';
	return (struct text){ n ? space : NULL, n };
}

static struct text rule_name(const struct rules *rules, unsigned index1)
{
	const struct rule *rule = rules && index1 ? rules_rule(rules, index1 - 1) : NULL;

	return rule ? text_of(rules_string(rules, rule->name)) : (struct text){ 0 };
}

static void fill_rules(const struct event_reader *e, const struct snag_event_call *c, struct record *r)
{
	struct record_texts *all = &r->rules;

	r->rule = rule_name(e->rules, c->rule[0]);
	for (unsigned i = 0; i < ARRAY_LEN(c->rule); i++) {
		all->item[all->n] = rule_name(e->rules, c->rule[i]);
		all->n += all->item[all->n].p != NULL;
	}
	if (all->n < 2)
		all->n = 0;
	r->dry = c->flags & SNAG_EVENT_DRY;
	for (unsigned i = 0; i < ARRAY_LEN(c->log) && e->rules; i++) {
		const struct rule_step *step = c->log[i] ? rules_step(e->rules, c->log[i] - 1) : NULL;
		if (step && step->has_log)
			r->log.item[r->log.n++] = text_of(rules_string(e->rules, step->log));
	}
}

static void fill_model(const struct snag_event_call *c, struct record *r)
{
	if (c->flags & SNAG_EVENT_AFTER) {
		r->model_why = text_of(unsure_name(c->model_why));
		r->model_when = text_of("after");
	}
	if (c->sure == SNAG_CERTAIN) {
		r->model = c->model_err ? text_of(errno_name(c->model_err)) : text_of("ok");
	} else if (c->sure == SNAG_WAITS) {
		r->model = text_of("waits");
	} else if (c->model_why != SNAG_UNSURE_NONE) {
		r->model = text_of("unknown");
		r->model_why = text_of(unsure_name(c->model_why));
	}
	r->diverged = c->flags & SNAG_EVENT_DIVERGED;
}

static void fill_result(struct event_reader *e, const struct snag_event_call *c, struct record *r)
{
	if (c->flags & SNAG_EVENT_UNSEEN) {
		r->unseen = true;
		return;
	}
	r->ret = c->ret;
	if (c->err)
		r->err = error_text(c->err, e->space.err);
}

static bool is_accept(unsigned call)
{
	return call == SNAG_CALL_accept || call == SNAG_CALL_accept4;
}

static void put_words(struct event_reader *e, struct record *r)
{
	if (e->space.why.n)
		r->why.text = (struct text){ e->space.why.p, e->space.why.n };
	if (e->space.fix.n)
		r->why.fix = (struct text){ e->space.fix.p, e->space.fix.n };
}

/* Is it the keeper itself that holds the port? Then for whom. */
static bool fill_occupied(struct event_reader *e, const union snag_event *ev, const struct snag_event_why *w,
			  struct record *r)
{
	const struct snag_event_call *c = &ev->call;
	bool stranger = !w->sock && c->by != SNAG_BY_MODEL &&
			(w->code == SNAG_WHY_UNKNOWN_HOLDER || w->code == SNAG_WHY_HELD);
	const struct occupant *o;
	struct record_holder *h = &r->why.holder;

	if (!e->occupants || c->err != EADDRINUSE || !stranger)
		return false;
	o = occupants_find(e->occupants, c->proto, c->addr.port ? &c->addr : &w->local, c->t_ns, c->t_ns + c->dur_ns);
	if (!o)
		return false;
	r->why.code = text_of(why_name(SNAG_WHY_HELD));
	e->space.occupant.n = e->space.place.n = e->space.why.n = e->space.fix.n = 0;
	occupant_name(&e->space.occupant, o, e->rules);
	occupant_place(&e->space.place, o, e->rules);
	h->pid = getpid();
	h->comm = text_of("snag");
	h->local = address_text(&o->addr, e->space.holder);
	occupant_holder(o, (struct text){ e->space.occupant.p, e->space.occupant.n },
			(struct text){ e->space.place.p, e->space.place.n }, h);
	buf_str(&e->space.why, "held by ");
	why_occupied(&e->space.why, h, r->t);
	why_occupied_fix(&e->space.fix, h, r->t);
	put_words(e, r);
	return true;
}

static void fill_why(struct event_reader *e, const union snag_event *ev, const struct snag_event_why *w,
		     struct record *r)
{
	struct record_holder *h = &r->why.holder;

	if (fill_occupied(e, ev, w, r))
		return;

	r->why.code = text_of(why_name(w->code));
	bool hidden = !w->sock && !w->pid && w->inode;
	bool remains = !w->sock && !w->pid && !hidden;	/* of a closed connection: no socket, and nobody's */
	if (!remains || w->state != SNAG_STATE_NONE) {
		h->pid = number_or_none(w->pid);
		h->comm = fixed(w->comm, sizeof(w->comm));
		h->exe = fixed(w->exe, sizeof(w->exe));
		if (w->pid && w->fd >= 0)
			h->fd = w->fd;
		h->others = number_or_none(w->others);
		h->sock = number_or_none(w->sock);
		h->local = address_text(&w->local, e->space.holder);
		if (w->state != SNAG_STATE_NONE)
			h->state = text_of(state_name(w->state));
		record_options(h, w->options);
		if (hidden) {
			h->uid = w->uid;
			h->inode = w->inode;
		}
		if (w->sock || w->since_ns)
			h->since = (int64_t)(w->since_ns & INT64_MAX);
	}
	const struct snag_kernel *k = e->rules ? &e->rules->kernel : NULL;
	if (remains && w->since_ns && k && k->clock)
		h->until = (int64_t)(w->since_ns + k->time_wait_ns / k->clock);
	e->space.why.n = e->space.fix.n = 0;
	why_text(&e->space.why, w->code, r);
	why_fix(&e->space.fix, w->code, r);
	put_words(e, r);
}

static struct text event_text(const struct snag_event_text *t)
{
	return (struct text){ t->text, t->len < sizeof(t->text) ? t->len : sizeof(t->text) };
}

static void fill_extras(struct event_reader *e, const union snag_event *ev, unsigned n, struct record *r)
{
	const struct snag_event_why *why = NULL;

	for (unsigned i = 1; i < n; i++) {
		if (ev[i].head.kind == SNAG_EXTRA_WHY)
			why = &ev[i].why;
		else if (ev[i].head.kind == SNAG_EXTRA_TEXT && ev[i].text.what == SNAG_TEXT_PATH)
			*(is_accept(ev->call.call) ? &r->peer : &r->addr) = path_text(&ev[i].text, e->space.path);
		else if (ev[i].head.kind == SNAG_EXTRA_TEXT && ev[i].text.what == SNAG_TEXT_NOTE)
			r->note = event_text(&ev[i].text);
		else if (ev[i].head.kind == SNAG_EXTRA_LOCAL)
			r->local = address_text(&ev[i].local.local, e->space.local);
		else if (ev[i].head.kind == SNAG_EXTRA_QUEUE)
			r->queue = (struct record_queue){ ev[i].queue.len, ev[i].queue.max, ev[i].queue.high };
	}
	if (why)	/* last: its words need the address */
		fill_why(e, ev, why, r);
}

static bool call_record(struct event_reader *e, const union snag_event *ev, unsigned n, struct record *r)
{
	const struct snag_event_call *c = &ev->call;
	const char *name = call_row(c->call)->name;

	if (!name[0])
		return false;
	r->call = text_of(name);
	r->tid = number_or_none(c->tid);
	if (c->fd >= 0)
		r->fd = c->fd;
	r->sock = number_or_none(c->sock);
	if (c->proto != SNAG_PROTO_NONE)
		r->proto = text_of(proto_name(c->proto));
	*(is_accept(c->call) ? &r->peer : &r->addr) = address_text(&c->addr, e->space.addr);
	fill_rules(e, c, r);
	if (ev->head.kind == SNAG_EVENT_RULE) {
		r->on = r->call;
		r->call = text_of("rule");
		if (c->flags & SNAG_EVENT_SIGNAL)
			r->signal = signal_text(c->arg[0], e->space.signal);
		return true;
	}
	args_fill(r, c, &e->space.args);
	r->dur = (int64_t)(c->dur_ns & INT64_MAX);
	r->listener = number_or_none(c->listener);
	fill_result(e, c, r);
	r->by = text_of(by_name(c->by));
	fill_model(c, r);
	if (c->state != SNAG_STATE_NONE)
		r->state = text_of(state_name(c->state));
	fill_extras(e, ev, n, r);
	return true;
}

static bool process_record(const struct snag_event_process *p, struct record *r)
{
	static const char *const whats[] = { NULL, "start", "exec", "end" };

	if (!p->what || p->what >= ARRAY_LEN(whats))
		return false;
	r->call = text_of("process");
	r->what = text_of(whats[p->what]);
	if (p->what != SNAG_PROCESS_END)
		r->ppid = number_or_none(p->ppid);
	return true;
}

static bool mark_record(const union snag_event *ev, unsigned n, struct record *r)
{
	if (n < 2 || ev[1].head.kind != SNAG_EXTRA_TEXT || ev[1].text.what != SNAG_TEXT_MARK)
		return false;
	r->call = text_of("mark");
	r->text = event_text(&ev[1].text);
	return true;
}

bool event_record(struct event_reader *e, const union snag_event *ev, unsigned n, struct record *r)
{
	/* The three kinds agree on where the time stands. */
	_Static_assert(offsetof(struct snag_event_call, t_ns) == offsetof(struct snag_event_process, t_ns), "t_ns");
	const struct procs_row *proc = procs_find(e->procs, e->session, ev->head.proc, ev->head.pid);

	record_clear(r);
	r->t = (int64_t)(ev->call.t_ns & INT64_MAX);
	r->pid = ev->head.pid;
	if (proc)
		r->comm = fixed(proc->comm, sizeof(proc->comm));
	switch (ev->head.kind) {
	case SNAG_EVENT_CALL:
	case SNAG_EVENT_RULE:
		return call_record(e, ev, n, r);
	case SNAG_EVENT_PROCESS:
		if (proc && ev->process.what != SNAG_PROCESS_END)
			r->exe = fixed(proc->exe, sizeof(proc->exe));
		return process_record(&ev->process, r);
	case SNAG_EVENT_MARK:
		return mark_record(ev, n, r);
	}
	return false;
}

void event_end_record(const struct procs_row *row, uint64_t now_ns, struct record *r)
{
	record_clear(r);
	r->t = (int64_t)now_ns;
	r->pid = row->pid;
	r->comm = fixed(row->comm, sizeof(row->comm));
	r->call = text_of("process");
	r->what = text_of("end");
}

void event_occupy_record(struct event_reader *e, const struct occupant *o, const char *what, uint64_t now_ns,
			 struct record *r)
{
	const struct rule *rule = o->rule && e->rules ? rules_rule(e->rules, o->rule - 1u) : NULL;

	record_clear(r);
	r->t = (int64_t)(now_ns & INT64_MAX);
	r->pid = getpid();
	r->comm = text_of("snag");
	r->call = text_of("occupy");
	r->what = text_of(what);
	r->proto = text_of(proto_name(o->proto));
	r->addr = address_text(&o->addr, e->space.addr);
	r->state = text_of(state_name((uint8_t)occupant_state(o)));
	if (o->entry != OCCUPANT_NO_ENTRY)
		r->entry = o->entry;
	if (rule)
		r->rule = text_of(rules_string(e->rules, rule->name));
	if (o->err)
		r->err = error_text(o->err, e->space.err);
}

void event_reader_free(struct event_reader *e)
{
	buf_free(&e->space.why);
	buf_free(&e->space.occupant);
	buf_free(&e->space.place);
	buf_free(&e->space.fix);
}
