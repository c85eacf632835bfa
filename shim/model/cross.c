/* cross.c - two sockets that connect to each other: tcp_rcv_synsent_state_process() (net/ipv4/tcp_input.c) */
#include "cross.h"
#include "conn.h"
#include "port.h"
#include "record.h"
#include "tuple.h"

uint32_t cross_waits(const struct model *m, const struct snag_addr *from, const struct snag_addr *to, uint64_t now_ns,
		     bool *sure)
{
	const struct model_sock *r;
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, m, to, from);
	while ((r = tuple_walk_next(&w, &at))) {
		if (r->state != SNAG_STATE_SYN_SENT)
			continue;
		*sure = record_hears(r) && record_sends(r, from) && r->device != MODEL_DEVICE_UNKNOWN && !port_may_be_gone(r, now_ns);
		return at;
	}
	return 0;
}

void cross_open(struct model *m, uint32_t sock, uint32_t waiting, uint64_t now_ns)
{
	uint32_t ends[] = {sock, waiting};
	struct model_sock *r;

	for (unsigned i = 0; i < 2; i++) {
		r = record_at(m, ends[i], 0);
		record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
		r->flags &= (uint16_t)~MODEL_DOUBT;
		port_link(m, ends[i]);
	}
	conn_join(m, sock, waiting);
	if (r->flags & MODEL_SHUT_WR)	/* SYN_RECV in tcp_rcv_state_process(): shut down before it began */
		conn_fin(m, waiting, now_ns);
}
