/* reason.c - why a call was refused: what its errno means, who holds the address, what is left of a connection there. */
#include "reason.h"
#include "enforce.h"

#include <base/base.h>
#include <errno.h>
#include <string.h>

#define PRIVILEGED_PORTS 1024

bool reason_is_held(const struct engine *e, uint32_t sock)
{
	struct engine_holder h;
	struct model_foreign f;
	struct model_sock s;

	if (model_foreign_get(e->model, sock, &f))
		return true;	/* the kernel has listed it just now */
	return sock && model_get(e->model, sock, &s) &&
	       (model_is_bare(sock) || !e->holder || e->holder(e->arg, sock, s.serial, &h));
}

/* What an errno of a call means by itself. */
static const struct {
	uint16_t call;
	int err;
	uint8_t why;
} meanings[] = {
	{SNAG_CALL_bind, EADDRINUSE, SNAG_WHY_UNKNOWN_HOLDER},
	{SNAG_CALL_bind, EADDRNOTAVAIL, SNAG_WHY_NOT_LOCAL},
	{SNAG_CALL_listen, EADDRINUSE, SNAG_WHY_UNKNOWN_HOLDER},
	{SNAG_CALL_listen, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE},
	{SNAG_CALL_accept, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE},
	{SNAG_CALL_accept4, EOPNOTSUPP, SNAG_WHY_WRONG_TYPE},
	{SNAG_CALL_connect, ECONNREFUSED, SNAG_WHY_NO_LISTENER},
	{SNAG_CALL_connect, EADDRNOTAVAIL, SNAG_WHY_NO_PORT},
	{SNAG_CALL_connect, EISCONN, SNAG_WHY_WRONG_STATE},
	{SNAG_CALL_shutdown, ENOTCONN, SNAG_WHY_WRONG_STATE},
};

static bool same_sock(const struct engine *e, uint32_t sock, uint32_t serial)
{
	struct model_sock s;

	return sock && model_get(e->model, sock, &s) && s.serial == serial;
}

uint32_t engine_in_the_way(const struct engine *e, const struct snag_call *c, const struct snag_plan *p)
{
	struct model_sock s;
	uint32_t holder = 0;

	if (p->why == SNAG_WHY_HELD && same_sock(e, p->holder, p->holder_serial))
		holder = p->holder;
	else if (c->call == SNAG_CALL_bind)
		holder = model_holder(e->model, c->sock, &c->addr, c->proto, c->start_ns);
	else if (c->call == SNAG_CALL_listen && model_get(e->model, c->sock, &s) && s.serial == c->serial)
		holder = model_holder(e->model, c->sock, &s.local, s.proto, c->start_ns);
	return reason_is_held(e, holder) ? holder : 0;
}

/* It waited in vain, as foretold. */
static bool waited(const struct snag_plan *p, const struct snag_outcome *o)
{
	return p->sure == SNAG_WAITS && o->real_err == ETIMEDOUT;
}

static struct reason explain(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
			     const struct snag_outcome *o, uint32_t holder)
{
	if (o->real_err == EADDRINUSE && holder)
		return (struct reason){.why = SNAG_WHY_HELD, .holder = holder};
	if ((o->real_err == p->model_err || waited(p, o)) && p->why && p->why != SNAG_WHY_HELD)
		return (struct reason){.why = p->why, .holder = p->holder};
	if (c->call == SNAG_CALL_bind && o->real_err == EACCES && c->addr.port && c->addr.port < PRIVILEGED_PORTS)
		return (struct reason){.why = SNAG_WHY_PRIVILEGED};
	if (o->real_err == EADDRINUSE && engine_elsewhere(e, c) && !(c->path_len && c->path[0]))
		return (struct reason){.why = SNAG_WHY_NETNS};
	for (unsigned i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].call == c->call && meanings[i].err == o->real_err)
			return (struct reason){.why = meanings[i].why};
	return (struct reason){.why = SNAG_WHY_NONE};
}

/* connect() finds no 4-tuple: the port that the socket has is connected there already, or no port is left to choose. */
static void look_for_tuple(const struct engine *e, const struct snag_call *c, struct reason *reason)
{
	struct model_sock s;

	if (reason->why == SNAG_WHY_NO_PORT && model_get(e->model, c->sock, &s) && s.serial == c->serial && s.local.port)
		reason->why = SNAG_WHY_SAME_TUPLE;
}

/* In use, and by nobody that lives: by what is left of a connection? */
static void look_for_remains(const struct engine *e, const struct snag_call *c, struct reason *reason)
{
	struct model_sock s;

	if (reason->why != SNAG_WHY_UNKNOWN_HOLDER || c->proto != SNAG_PROTO_TCP)
		return;
	reason->local = c->addr;
	if (c->call == SNAG_CALL_listen && model_get(e->model, c->sock, &s) && s.serial == c->serial)
		reason->local = s.local;
	reason->remains = model_remains(e->model, c->sock, &reason->local, c->start_ns, &reason->options);
	if (reason->remains)
		reason->why = SNAG_WHY_HELD;
}

struct reason reason_of(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
			const struct snag_outcome *o, uint32_t holder)
{
	struct reason reason = explain(e, c, p, o, holder);

	look_for_tuple(e, c, &reason);
	look_for_remains(e, c, &reason);
	if (enforce_stricter(e, c, p, o, reason.holder))
		reason.why = SNAG_WHY_STRICTER;
	return reason;
}

static void name_holder(const struct engine_holder *h, struct snag_event_why *w)
{
	w->pid = h->pid;
	w->fd = h->fd;
	w->others = h->others;
	memcpy(w->comm, h->comm, sizeof(w->comm));
	memcpy(w->exe, h->exe, sizeof(w->exe));
}

static void build_foreign(const struct engine *e, uint32_t sock, const struct model_foreign *f, struct snag_event_why *w)
{
	struct engine_holder h;

	w->state = f->state;
	w->options = f->options;
	w->local = f->local;
	if (e->holder && e->holder(e->arg, sock, 0, &h))
		name_holder(&h, w);
	if (!w->pid) {
		w->uid = f->uid;
		w->inode = f->inode;
	}
}

struct reason reason_enforced(const struct engine *e, const struct snag_plan *p)
{
	struct reason reason = {.why = p->refusal};
	struct model_wait w;

	reason.remains = waits_get(e->model, p->wait, &w);
	if (reason.remains) {
		reason.options = w.options;
		reason.local = w.local;
		reason.since_ns = w.since_ns;
	} else if (p->refusal == SNAG_WHY_HELD) {
		reason.holder = p->holder;
	}
	return reason;
}

void reason_write(const struct engine *e, const struct reason *reason, struct snag_event_why *w)
{
	struct engine_holder h;
	struct model_foreign f;
	struct model_sock s;

	memset(w, 0, sizeof(*w));
	w->head.kind = SNAG_EXTRA_WHY;
	w->code = reason->why;
	w->fd = -1;
	if (reason->remains) {
		w->state = SNAG_STATE_TIME_WAIT;
		w->options = reason->options;
		w->local = reason->local;
		w->since_ns = reason->since_ns;
	}
	if (model_foreign_get(e->model, reason->holder, &f)) {
		build_foreign(e, reason->holder, &f, w);
		return;
	}
	if (!reason->holder || !model_get(e->model, reason->holder, &s))
		return;
	w->state = s.state;
	w->options = s.options;
	w->sock = s.serial;
	w->since_ns = s.since_ns;
	w->local = s.local;
	if (!e->holder || !e->holder(e->arg, reason->holder, s.serial, &h))
		return;
	name_holder(&h, w);
}
