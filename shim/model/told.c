/* told.c - what the kernel itself lists of a port, against what the model believes of it. */
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "tuple.h"

#include <base/base.h>
#include <netinet/tcp.h>

void model_told(struct model *m, uint32_t sock, uint8_t tcp_state, uint64_t now_ns)
{
	conn_told(m, sock, tcp_state, now_ns);
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
	if (!r->until_ns)
		return true;	/* queued at its listener */
	if (tcp_state == TCP_TIME_WAIT && r->state != SNAG_STATE_TIME_WAIT) {
		conn_part(m, at);
		record_state(record_at(m, at, 0), SNAG_STATE_TIME_WAIT, now_ns);
		port_link(m, at);
	}
	if (left_ms)
		bare_ages(m, at, now_ns + left_ms * NSEC_PER_MSEC);
	return true;
}

/* The next closed one at or behind `at` and its twins; 0: none. */
static uint32_t next_closed(const struct model *m, uint32_t at, uint32_t *steps)
{
	const struct model_sock *r;

	for (; *steps && (r = record_of(m, at, 0)); at = r->twin_next, --*steps)
		if (model_is_bare(at) && r->until_ns)
			return at;
	return 0;
}

void model_told_all(struct model *m, uint16_t port, model_listed_fn *listed, void *arg)
{
	uint32_t at, closed, steps = MODEL_BARES, chain = port ? port : PORT_NONE;
	const struct model_sock *r;
	struct port_walk w;

	port_walk_begin(&w, m, chain);
	while ((r = port_walk_next(&w, &at)))
		for (closed = next_closed(m, at, &steps); closed; closed = next_closed(m, at, &steps)) {
			r = record_of(m, closed, 0);
			at = r->twin_next;
			if (!listed(arg, &r->local, &r->peer))
				bare_free(m, closed);
		}
}
