/* elsewhere.c - sockets of another network namespace than the session. */
#include "elsewhere.h"
#include "name.h"
#include "record.h"

#include <errno.h>
#include <sys/socket.h>

bool elsewhere_speaks(const struct model_sock *r, const struct snag_call *c)
{
	bool path = c->path_len && c->path[0];

	return r->proto != SNAG_PROTO_UNIX || (c->call == SNAG_CALL_bind && !path);
}

void elsewhere_bind(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		    uint64_t now_ns)
{
	const struct snag_addr *a = o->local.family ? &o->local : &c->addr;

	if (o->real_err)
		return;
	if (r->state == SNAG_STATE_CLOSED)
		record_state(r, SNAG_STATE_BOUND, now_ns);
	if (c->addr.port)
		r->flags |= MODEL_EXPLICIT;
	if (r->proto == SNAG_PROTO_UNIX)	/* without the address by which others would meet it */
		name_set(m, c->sock, c->path, c->path_len);
	else if (a->family == r->domain)
		record_local(r, a);
}

void elsewhere_listen(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		      uint64_t now_ns)
{
	(void)m;
	if (o->real_err)
		return;
	r->role = SNAG_ROLE_LISTENER;
	r->backlog = c->facts & SNAG_FACT_QUEUE ? c->queue_max : c->arg[0];
	record_state(r, SNAG_STATE_LISTEN, now_ns);
	if (o->local.family)
		record_local(r, &o->local);
}

void elsewhere_accept(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		      uint64_t now_ns)
{
	struct model_sock *n = o->real_err ? NULL : record_begin(m, o->new_sock, o->new_serial, now_ns);

	if (!n)
		return;
	n->elsewhere = 1;
	n->proto = r->proto;
	n->domain = r->domain;
	n->type = r->type;
	n->options = r->options;
	n->uid = c->who.uid;
	n->role = SNAG_ROLE_ACCEPTED;
	n->local = o->local.family ? o->local : r->local;
	n->peer = o->peer;
	record_state(n, SNAG_STATE_ESTABLISHED, now_ns);
}

void elsewhere_connect(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		       uint64_t now_ns)
{
	bool dissolves = !c->addr.family, begun = o->real_err == EINPROGRESS || o->real_err == EINTR;

	(void)m;
	if (o->real_err && !begun)
		return;
	if (o->local.family)
		r->local = o->local;
	r->role = dissolves ? SNAG_ROLE_NONE : SNAG_ROLE_CLIENT;
	r->peer = c->addr;
	record_state(r, begun ? SNAG_STATE_SYN_SENT : !dissolves ? SNAG_STATE_ESTABLISHED
			: r->flags & MODEL_EXPLICIT ? SNAG_STATE_BOUND : SNAG_STATE_CLOSED, now_ns);
}

void elsewhere_shutdown(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
			uint64_t now_ns)
{
	(void)m;
	if (o->real_err || r->proto != SNAG_PROTO_TCP)
		return;
	if (r->state == SNAG_STATE_LISTEN && c->arg[0] != SHUT_WR)
		record_state(r, SNAG_STATE_BOUND, now_ns);
	else if (r->state == SNAG_STATE_ESTABLISHED && c->arg[0] != SHUT_RD)
		record_state(r, SNAG_STATE_FIN_WAIT, now_ns);
}

void elsewhere_close(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		     uint64_t now_ns)
{
	(void)r;
	if (o->last && o->real_err >= 0)
		model_forget(m, c->sock, now_ns);
}
