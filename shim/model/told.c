/* told.c - what the kernel itself lists of a port, against what the model believes of it. */
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "request.h"
#include "tuple.h"

#include <base/base.h>
#include <netinet/tcp.h>

void model_told(struct model *m, uint32_t sock, uint8_t tcp_state, uint64_t now_ns)
{
	conn_told(m, sock, tcp_state, now_ns);
}

void model_told_owner(struct model *m, uint32_t sock, uint32_t serial, uint32_t uid)
{
	struct model_sock *r = record_at(m, sock, serial);

	if (!r || r->uid == uid)
		return;
	r->uid = uid;
	if (r->on_port && (r->flags & MODEL_EXACT))	/* twins agree in it */
		port_link(m, sock);
}

bool model_told_bare(struct model *m, const struct snag_addr *local, const struct snag_addr *peer, uint8_t tcp_state,
		     uint32_t left_ms, uint64_t now_ns)
{
	const struct model_sock *r;
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, m, local, peer);
	while ((r = tuple_walk_next(&w, &at)) && !model_is_bare(at))
		;
	if (!r)
		return false;
	if (!r->until_ns) {
		request_told(m, at, tcp_state, now_ns);
		return true;
	}
	if (tcp_state == TCP_TIME_WAIT && r->state != SNAG_STATE_TIME_WAIT) {
		conn_part(m, at);
		record_state(record_at(m, at, 0), SNAG_STATE_TIME_WAIT, now_ns);
		port_link(m, at);
	}
	if (left_ms)
		bare_ages(m, at, now_ns + left_ms * NSEC_PER_MSEC);
	return true;
}

/* Can it end without a word to the model? What was closed does; and a connection whose other end no process of the
 * session has. */
static bool may_have_gone(uint32_t at, const struct model_sock *r)
{
	bool followed = r->other && !model_is_bare(r->other);

	return model_is_bare(at) ? r->until_ns != 0 : record_connected(r) && !followed;
}

/* The kernel does not list it: of what was closed nothing is left; a socket has no connection any more. */
static void not_listed(struct model *m, uint32_t at)
{
	if (model_is_bare(at))
		bare_free(m, at);
	else
		record_at(m, at, 0)->flags |= MODEL_DOUBT;
}

void model_told_all(struct model *m, uint16_t port, model_listed_fn *listed, void *arg)
{
	uint32_t at, next, steps = SNAG_SOCKS + MODEL_BARES, chain = port ? port : PORT_NONE;
	const struct model_sock *r;
	struct port_walk w;

	port_walk_begin(&w, m, chain);
	while (port_walk_next(&w, &at))
		for (; steps && (r = record_of(m, at, 0)); at = next, steps--) {
			next = r->twin_next;
			if (may_have_gone(at, r) && !listed(arg, &r->local, &r->peer))
				not_listed(m, at);
		}
}
