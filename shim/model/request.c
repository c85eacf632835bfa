/* request.c - a request in a listener's SYN queue: tcp_check_req() (net/ipv4/tcp_minisocks.c) */
#include "request.h"
#include "bare.h"
#include "conn.h"
#include "port.h"
#include "record.h"

#include <netinet/tcp.h>

/* inet_csk_complete_hashdance(): the last in the accept queue. Shut down before it began, it sends its FIN before it
 * looks at the one that may have come: tcp_rcv_state_process() (net/ipv4/tcp_input.c). True: one has. */
static bool completes(struct model *m, uint32_t bare, uint64_t now_ns)
{
	struct model_sock *r = record_at(m, bare, 0);
	const struct model_sock *client = record_of(m, r->other, 0);
	bool ended = client && client->state == SNAG_STATE_FIN_WAIT;
	uint32_t listener = r->listener;

	bare_dequeue(m, bare);
	record_state(r, SNAG_STATE_ESTABLISHED, now_ns);
	bare_enqueue(m, bare, listener);
	conn_enter(m, bare);
	if (r->flags & MODEL_SHUT_WR)
		conn_fin(m, bare, now_ns);
	return ended;
}

/* Is there certainly room for one of those that are half-open? */
static bool has_room(const struct model_sock *listener)
{
	uint32_t others = (uint32_t)listener->queue_len + listener->syn_len - 1;

	return !(listener->traits & MODEL_OVERFLOWN) && others <= (uint32_t)listener->backlog;
}

bool request_hears(struct model *m, uint32_t bare, uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, bare, 0), *l = record_of(m, r->listener, 0);

	if (l && has_room(l)) {
		completes(m, bare, now_ns);
		return true;
	}
	if (l)		/* tcp_abort_on_overflow: dropped, or reset */
		conn_lose_sight(m, r->other);
	else
		conn_reset_other(m, bare, now_ns);
	return false;
}

void request_accepted(struct model *m, uint32_t bare, uint64_t now_ns)
{
	const struct model_sock *r;
	struct model_sock *client;

	if (completes(m, bare, now_ns))
		conn_fin_arrives(m, bare, now_ns);
	r = record_of(m, bare, 0);	/* one whose listener is gone may be gone with its last FIN */
	client = r ? record_at(m, r->other, 0) : NULL;
	if (!client)
		return;
	client->flags &= (uint16_t)~MODEL_DOUBT;	/* whatever it has sent, it was not reset */
	if (client->on_port)
		port_link(m, r->other);
}

void request_told(struct model *m, uint32_t bare, uint8_t tcp_state, uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, bare, 0);

	if (r && record_half_open(r) && tcp_state != TCP_SYN_RECV && completes(m, bare, now_ns))
		conn_fin_arrives(m, bare, now_ns);
}
