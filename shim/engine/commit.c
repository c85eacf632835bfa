/* commit.c - what became of a call: prediction against kernel, the model learns, the event is built. */
#include "enforce.h"
#include "engine.h"
#include "reason.h"

#include <base/addr.h>
#include <base/base.h>
#include <base/calls.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* ---- prediction against answer ---- */

struct verdict {		/* what the event says of the prediction */
	uint8_t sure, unsure;	/* enum snag_sure, enum snag_unsure */
	bool diverged;
	bool foreign;		/* in use by somebody that the session never saw */
	bool after;		/* `sure` and `err` are what follows from a foreign socket that was met only now */
	int err;		/* the prediction */
};

/* Answers that speak of the machine, or of the caller's thread, and not of sockets. */
static bool is_machine(int err)
{
	static const int errs[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM, EACCES, EINTR, EADDRNOTAVAIL, ENOSYS};

	for (unsigned i = 0; i < ARRAY_LEN(errs); i++)
		if (errs[i] == err)
			return true;
	return false;
}

static void doubt(struct verdict *v, enum snag_unsure unsure)
{
	v->sure = SNAG_WITHHELD;
	v->unsure = (uint8_t)unsure;
}

static bool is_foreign(const struct engine *e, uint32_t sock)
{
	struct model_foreign f;

	return model_foreign_get(e->model, sock, &f);
}

/* A client came, or another thread was faster, between the look at the queue and the accept. */
static bool crowd_moved(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o)
{
	return (c->call == SNAG_CALL_accept || c->call == SNAG_CALL_accept4) &&
	       (p->model_err ? p->model_err == EAGAIN && !o->real_err : o->real_err == EAGAIN);
}

/* Nobody listens, but the port that the kernel drew for the client was the one it connects to: it is its own peer. */
static bool met_itself(const struct snag_call *c, const struct snag_outcome *o)
{
	return c->call == SNAG_CALL_connect && !o->real_err && o->local.port && o->local.port == c->addr.port &&
	       addr_equal_ip(&o->local, &c->addr);
}

#define FIRST_RETRY_NS (900 * NSEC_PER_MSEC)	/* TCP_TIMEOUT_INIT (include/net/tcp.h) is a second */

/* A call that finds a connection in the queue is back sooner; one that sleeps has to be woken. */
#define WAKING_NS 20000

/* An accept that was to wait: until somebody came, or something ended it. */
static bool has_waited(const struct snag_call *c, const struct snag_outcome *o)
{
	if (!o->real_err)
		return o->end_ns >= c->start_ns + WAKING_NS;
	return o->real_err == EAGAIN || o->real_err == EINTR || o->real_err == EINVAL;	/* shutdown() of a listener */
}

bool engine_foretold(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o)
{
	if (p->sure != SNAG_WAITS)
		return o->real_err == p->model_err;
	if (c->call == SNAG_CALL_accept || c->call == SNAG_CALL_accept4)
		return has_waited(c, o);
	return o->real_err == EINPROGRESS || o->real_err == EINTR || o->real_err == ETIMEDOUT ||
	       o->end_ns >= c->start_ns + FIRST_RETRY_NS;
}

/* inet_autobind() (net/ipv4/af_inet.c): no port is left for a datagram socket that has none. */
static bool lacks_port(const struct snag_call *c, const struct snag_outcome *o)
{
	return c->call == SNAG_CALL_connect && snag_is_udp(c->proto) && o->real_err == EAGAIN;
}

/* Before the model learns: `raced` compares the port's version with the ticket's. */
static struct verdict judge(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
			    const struct snag_outcome *o, uint32_t holder)
{
	struct verdict v = {.sure = p->sure, .unsure = p->model_why, .err = p->model_err};
	bool in_use = o->real_err == EADDRINUSE && (c->call == SNAG_CALL_bind || c->call == SNAG_CALL_listen);

	v.foreign = o->seen == SNAG_SEEN && in_use && !holder;
	if (v.sure == SNAG_WITHHELD || o->seen != SNAG_SEEN || o->real_err < 0)
		return v;
	if (model_raced(e->model, c, p->ticket))
		doubt(&v, SNAG_UNSURE_RACED);
	else if (engine_foretold(c, p, o))
		return v;
	else if (o->raced || crowd_moved(c, p, o))
		doubt(&v, SNAG_UNSURE_RACED);
	else if (v.foreign || (in_use && is_foreign(e, holder)))
		doubt(&v, SNAG_UNSURE_FOREIGN);
	else if (is_machine(o->real_err) || met_itself(c, o) || lacks_port(c, o))
		doubt(&v, SNAG_UNSURE_MACHINE);
	else if (p->holder && !reason_is_held(e, p->holder))
		doubt(&v, SNAG_UNSURE_RACED);
	else
		v.diverged = true;
	return v;
}

/* The refusal is explained by a foreign socket that was entered after the call: what does the model say now? */
static void judge_after(const struct engine *e, const struct snag_call *c, const struct snag_outcome *o,
			uint32_t holder, struct verdict *v)
{
	struct model_verdict now;

	if (v->sure == SNAG_CERTAIN || v->unsure != SNAG_UNSURE_FOREIGN || !is_foreign(e, holder))
		return;
	model_predict(e->model, e->machine, c, c->start_ns, &now);
	if (now.sure != SNAG_CERTAIN || now.err != o->real_err)
		return;
	v->sure = SNAG_CERTAIN;
	v->err = now.err;
	v->after = true;
}

/* ---- the event ---- */

static bool is_accept(const struct snag_call *c)
{
	return c->call == SNAG_CALL_accept || c->call == SNAG_CALL_accept4;
}

/* The call's part: all but the result. */
static void build_call(const struct snag_call *c, const struct snag_plan *p, struct snag_event_call *ev)
{
	zero_words(ev, sizeof(*ev));
	ev->head.kind = SNAG_EVENT_CALL;
	ev->head.proc = (uint16_t)c->who.proc;
	ev->head.pid = c->who.pid;
	ev->t_ns = c->start_ns;
	ev->tid = c->who.tid;
	ev->fd = c->fd;
	ev->sock = c->serial;
	ev->addr = c->addr;
	ev->call = c->call;
	ev->proto = c->proto;
	ev->by = p->by;
	memcpy(ev->rule, p->rule, sizeof(ev->rule));
	memcpy(ev->log, p->log, sizeof(ev->log));
	memcpy(ev->arg, c->arg, sizeof(ev->arg));
	if (p->dry)
		ev->flags |= SNAG_EVENT_DRY;
}

static bool is_network(unsigned domain)
{
	return domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX;
}

static void build_result(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
			 const struct snag_outcome *o, const struct verdict *v, struct snag_event_call *ev)
{
	/* A refusal that consumes a connection found none: what the program got is the kernel's. */
	if (p->by == SNAG_BY_RULE && p->err && o->real_err > 0 && o->err != p->err)
		ev->by = SNAG_BY_KERNEL;
	if (enforce_refused(c, p, o))
		ev->by = SNAG_BY_MODEL;
	ev->dur_ns = o->end_ns > c->start_ns ? o->end_ns - c->start_ns : 0;
	ev->ret = o->ret;
	ev->err = (uint16_t)o->err;
	ev->sure = v->sure;
	ev->model_why = v->unsure;
	ev->model_err = v->sure == SNAG_CERTAIN ? (uint16_t)v->err : 0;
	if (v->after)
		ev->flags |= SNAG_EVENT_AFTER;
	if (e->audit && engine_counts(c->call) && is_network(c->domain))
		ev->flags |= SNAG_EVENT_COUNTED;
	if (v->diverged)
		ev->flags |= SNAG_EVENT_DIVERGED;
	if (o->seen != SNAG_SEEN)
		ev->flags |= SNAG_EVENT_UNSEEN;
	if (is_accept(c)) {
		ev->listener = c->serial;
		ev->addr = o->peer;
	}
	if (o->new_serial && call_has(c->call, SNAG_TRAIT_NEW) && !call_has(c->call, SNAG_TRAIT_DUP))
		ev->sock = o->new_serial;
}

/* The state of the socket that the event names, after the call; a socket that is gone is closed. */
static uint8_t state_after(const struct engine *e, const struct snag_call *c, const struct snag_outcome *o,
			   const struct snag_event_call *ev)
{
	uint32_t sock = ev->sock == c->serial ? c->sock : o->new_sock;
	struct model_sock s;

	if (!ev->sock)
		return SNAG_STATE_NONE;
	if (!model_get(e->model, sock, &s) || s.serial != ev->sock)
		return o->last ? SNAG_STATE_CLOSED : SNAG_STATE_NONE;
	return s.state;
}

static void build_path(const struct snag_call *c, struct snag_event_text *t)
{
	memset(t, 0, sizeof(*t));
	t->head.kind = SNAG_EXTRA_TEXT;
	t->what = SNAG_TEXT_PATH;
	t->len = (uint8_t)c->path_len;
	memcpy(t->text, c->path, c->path_len);
}

static bool has_path(const struct snag_call *c)
{
	return c->addr.family == AF_UNIX && c->path_len && c->path_len <= SNAG_PATH_MAX;
}

/* The kernel chose the port. */
static bool has_local(const struct snag_call *c, const struct snag_outcome *o)
{
	return (c->call == SNAG_CALL_bind || c->call == SNAG_CALL_listen) && o->seen == SNAG_SEEN && !o->err &&
	       o->local.port && o->local.port != c->addr.port;
}

static void build_local(const struct snag_outcome *o, struct snag_event_local *l)
{
	memset(l, 0, sizeof(*l));
	l->head.kind = SNAG_EXTRA_LOCAL;
	l->local = o->local;
}

/* What was really asked of the kernel, where the argument was changed. */
static void learn(struct engine *e, const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o)
{
	struct snag_call real;

	enforce_before(e, c, o);
	if (!(p->changes & SNAG_CHANGE_BACKLOG)) {
		model_learn(e->model, e->machine, c, o, o->end_ns);
	} else {
		real = *c;
		real.arg[0] = p->backlog;
		model_learn(e->model, e->machine, &real, o, o->end_ns);
	}
	if (c->call == SNAG_CALL_socket && c->domain == AF_INET6 && !o->real_err && e->machine && e->machine->bindv6only)
		enforce_option(e, c, o, IPPROTO_IPV6, IPV6_V6ONLY, 1);	/* inet6_create() (net/ipv6/af_inet6.c) */
	enforce_after(e, c, o);
}

/* A fork or exec that no rule touched and that worked: the records of processes tell of it. */
static bool is_plain_process(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o)
{
	return call_has(c->call, SNAG_TRAIT_PROC) && o->seen == SNAG_SEEN && !o->err && !p->rule[0];
}

static bool has_queue(const struct snag_call *c)
{
	return (c->facts & SNAG_FACT_QUEUE) && (is_accept(c) || c->call == SNAG_CALL_listen);
}

/* The model has learnt of it: the most that was seen is no less than what is there now. */
static void build_queue(const struct engine *e, const struct snag_call *c, struct snag_event_queue *q)
{
	struct model_sock s;

	memset(q, 0, sizeof(*q));
	q->head.kind = SNAG_EXTRA_QUEUE;
	q->len = q->high = c->queue;
	q->max = c->queue_max;
	if (model_get(e->model, c->sock, &s) && s.serial == c->serial && s.queue_high > (uint32_t)q->high)
		q->high = (int32_t)s.queue_high;
}

unsigned engine_commit(struct engine *e, const struct snag_call *c, const struct snag_plan *p,
		       const struct snag_outcome *o, union snag_event *ev)
{
	bool refused = o->seen == SNAG_SEEN && o->err && o->real_err > 0, enforced = enforce_refused(c, p, o);
	struct reason reason = {.why = SNAG_WHY_NONE};
	struct verdict v;
	uint32_t holder = 0;
	unsigned n = 1;

	if (!ev || is_plain_process(c, p, o)) {
		learn(e, c, p, o);
		return 0;
	}
	if (refused && o->real_err == EADDRINUSE)
		holder = engine_in_the_way(e, c, p);
	v = judge(e, c, p, o, holder);
	judge_after(e, c, o, holder, &v);
	if (enforced)
		reason = reason_enforced(e, p);
	else if (refused)
		reason = reason_of(e, c, p, o, holder);
	build_call(c, p, &ev[0].call);
	build_result(e, c, p, o, &v, &ev[0].call);
	if (reason.why)
		reason_write(e, &reason, &ev[n++].why);
	if (has_path(c))
		build_path(c, &ev[n++].text);
	if (has_local(c, o))
		build_local(o, &ev[n++].local);
	learn(e, c, p, o);
	if (has_queue(c))
		build_queue(e, c, &ev[n++].queue);
	ev[0].call.state = state_after(e, c, o, &ev[0].call);
	ev[0].head.extra = (uint8_t)(n - 1);
	return n;
}
