/* predict_unix.c - what will bind and connect answer on unix sockets? net/unix/af_unix.c. */
#include "predict.h"
#include "port.h"
#include "record.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- bind ---- */

/* unix_bind_bsd(): a path that exists is refused, whoever made it. */
static void predict_bind_path(const struct question *q, bool bound)
{
	const struct snag_call *c = q->c;

	if (!c->path_err)
		predict_refuse(q, EADDRINUSE, SNAG_WHY_HELD);
	else if (c->path_err != ENOENT || c->folder_err)
		predict_refuse(q, c->path_err != ENOENT ? c->path_err : c->folder_err, SNAG_WHY_NONE);
	else if (bound)
		predict_refuse(q, EINVAL, SNAG_WHY_ALREADY_BOUND);
	else
		predict_allow(q);
}

/* unix_bind_abstract(): a name is gone with its socket. */
static void predict_bind_name(const struct question *q, bool bound)
{
	struct bind_claim new = {.addr = q->c->addr, .domain = AF_UNIX};
	bool held = port_ask(q->m, SNAG_PROTO_UNIX, q->c->sock, &new, q->now_ns, &q->v->holder) != BIND_FREE;

	if (bound)
		predict_refuse(q, EINVAL, SNAG_WHY_ALREADY_BOUND);
	else if (held)
		predict_refuse(q, EADDRINUSE, SNAG_WHY_HELD);
	else
		predict_allow(q);
}

/* unix_bind(), unix_validate_addr(). */
void predict_bind_unix(const struct question *q)
{
	const struct snag_call *c = q->c;
	bool bound = q->r->local.family == AF_UNIX && q->r->state >= SNAG_STATE_BOUND;

	if (c->addr_len && (c->addr_family != AF_UNIX || c->addr_len > sizeof(sa_family_t) + SNAG_PATH_MAX))
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_TYPE);
	else if (c->addr_len == sizeof(sa_family_t))
		predict_allow(q);	/* unix_autobind(): it gets a name, unless it has one */
	else if (c->addr.family != AF_UNIX || !c->path_len || c->path_len > SNAG_PATH_MAX)
		predict_withhold(q, SNAG_UNSURE_UNMODELLED);
	else if (c->path[0] && predict_knows(q, SNAG_FACT_PATH))
		predict_bind_path(q, bound);
	else
		predict_bind_name(q, bound);
	if (c->path_len && c->path[0] && !predict_knows(q, SNAG_FACT_PATH))
		predict_withhold(q, SNAG_UNSURE_MACHINE);	/* what became of the file since */
}

/* ---- connect ---- */

/* unix_validate_addr(); connect() of a datagram socket may dissolve too. */
static bool unix_address(const struct question *q)
{
	const struct snag_call *c = q->c;

	if (!c->addr_len)
		return true;	/* nobody told */
	if (q->r->type == SOCK_DGRAM && c->addr_len >= sizeof(sa_family_t) && c->addr_family == AF_UNSPEC)
		return true;
	return c->addr_family == AF_UNIX && c->addr_len > sizeof(sa_family_t) &&
	       c->addr_len <= sizeof(sa_family_t) + SNAG_PATH_MAX;
}

/* unix_may_send(): one that is connected hears its peer only. */
static void predict_unix_hears(const struct question *q)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, q->m, port_chain(SNAG_PROTO_UNIX, &q->c->addr));
	while ((r = port_walk_next(&w, &at)))
		if (r->type == SOCK_DGRAM && !memcmp(&r->local, &q->c->addr, sizeof(r->local)))
			break;
	if (!r || r->peer.family == AF_UNIX)
		predict_withhold(q, SNAG_UNSURE_PEER);
	else
		predict_allow(q);
}

/* unix_stream_connect(): who is there comes before the state of the socket itself. */
static void predict_unix_target(const struct question *q)
{
	const struct snag_call *c = q->c;

	if (c->target == SNAG_TARGET_DENIED)
		predict_refuse(q, EACCES, SNAG_WHY_NONE);
	else if (c->target == SNAG_TARGET_OTHER)
		predict_refuse(q, EPROTOTYPE, SNAG_WHY_WRONG_TYPE);
	else if (c->target == SNAG_TARGET_FULL && predict_knows(q, SNAG_FACT_BLOCKING) && !c->blocking)
		predict_refuse(q, EAGAIN, SNAG_WHY_NONE);
	else if (c->target != SNAG_TARGET_ROOM)
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (q->r->type == SOCK_DGRAM)
		predict_unix_hears(q);
	else if (q->r->state == SNAG_STATE_ESTABLISHED)
		predict_refuse(q, EISCONN, SNAG_WHY_WRONG_STATE);
	else if (q->r->state == SNAG_STATE_LISTEN)
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_STATE);
	else
		predict_allow(q);
}

/* The kernel lists the sockets of one network namespace, but a path leads to those of all: unix_find_bsd() does not ask. */
static bool held_elsewhere(const struct question *q)
{
	struct bind_claim at = {.addr = q->c->addr, .domain = AF_UNIX};
	uint32_t holder;

	return port_ask(q->m, SNAG_PROTO_UNIX, q->c->sock, &at, q->now_ns, &holder) != BIND_FREE &&
	       record_of(q->m, holder, 0)->type == q->r->type &&
	       (q->r->type == SOCK_DGRAM || record_of(q->m, holder, 0)->state == SNAG_STATE_LISTEN);
}

/* unix_find_other() */
void predict_connect_unix(const struct question *q)
{
	const struct snag_call *c = q->c;
	bool file = c->path_len && c->path[0], known = predict_knows(q, SNAG_FACT_PATH);

	if (!unix_address(q))
		predict_refuse(q, EINVAL, SNAG_WHY_WRONG_TYPE);
	else if (c->addr_len && c->addr_family == AF_UNSPEC)
		predict_allow(q);
	else if (c->addr.family != AF_UNIX || !predict_knows(q, SNAG_FACT_TARGET))
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (file && known && c->path_err == ENOENT)
		predict_refuse(q, ENOENT, SNAG_WHY_NO_LISTENER);
	else if (c->target == SNAG_TARGET_NOBODY && file && held_elsewhere(q))
		predict_withhold(q, SNAG_UNSURE_PEER);
	else if (c->target == SNAG_TARGET_NOBODY && (!file || (known && !c->path_err)))
		predict_refuse(q, ECONNREFUSED, SNAG_WHY_NO_LISTENER);
	else
		predict_unix_target(q);
}
