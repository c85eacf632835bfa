/* record.c - the model's socket records. */
#include "record.h"
#include "traffic.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

uint32_t record_high(const struct model *m)
{
	uint32_t high = load_relaxed(&m->high);

	return high < SNAG_SOCKS ? high : SNAG_SOCKS;
}

uint32_t record_bare_high(const struct model *m)
{
	uint32_t high = load_relaxed(&m->bare_high);

	return high < MODEL_BARES ? high : MODEL_BARES;
}

struct model_sock *record_bare(struct model *m, uint32_t sock)
{
	return model_is_bare(sock) && sock - SNAG_SOCKS <= record_bare_high(m) ? &m->bare[sock - SNAG_SOCKS - 1] : NULL;
}

struct model_sock *record_begin(struct model *m, uint32_t sock, uint32_t serial, uint64_t now_ns)
{
	uint32_t high = load_relaxed(&m->high);
	struct model_sock *r, fresh;

	if (!sock || sock > SNAG_SOCKS || !serial)
		return NULL;
	while (high < sock && !cas(&m->high, &high, sock))
		;
	r = &m->sock[sock - 1];
	if (r->flags & MODEL_COUNTED)
		traffic_leave(m, r, now_ns);
	zero_words(&fresh, sizeof(fresh));
	fresh.on_port = r->on_port;
	fresh.next = r->next;
	fresh.twin_next = r->twin_next;
	fresh.twin_prev = r->twin_prev;
	fresh.flags = r->flags & MODEL_TWIN;
	fresh.serial = serial;
	fresh.state = SNAG_STATE_CLOSED;
	fresh.since_ns = now_ns;
	copy_words(r, &fresh, sizeof(fresh));
	return r;
}

void record_machine(struct model_sock *r, const struct model_machine *machine)
{
	uint32_t s = machine ? machine->fin_timeout_ms / 1000 : 60;

	r->fin_timeout_s = s < UINT16_MAX ? (uint16_t)s : UINT16_MAX;
	r->ttl = machine && machine->ttl ? machine->ttl : 64;
	if (machine && machine->no_time_wait)
		r->traits |= MODEL_NO_TIME_WAIT;
}

/* tcp_rcv_state_process(), FIN_WAIT1; what is longer than TIME_WAIT waits in two parts: tcp_keepalive_timer()
 * (net/ipv4/tcp_timer.c). */
uint64_t record_fin_wait_ns(const struct model_sock *r)
{
	uint64_t wait = (r->linger2_s ? r->linger2_s : r->fin_timeout_s) * NSEC_PER_SEC;

	if (r->traits & (MODEL_NO_TIME_WAIT | MODEL_NO_FIN_WAIT))
		return 0;
	return wait > TIME_WAIT_NS ? 2 * (wait - TIME_WAIT_NS) : wait;
}

void record_state(struct model_sock *r, uint8_t state, uint64_t now_ns)
{
	if (r->state == state)
		return;
	r->state = state;
	r->since_ns = now_ns;
}

void record_local(struct model_sock *r, const struct snag_addr *a)
{
	r->local = *a;
	if (a->family == AF_INET6 && !addr_is_any(a) && !addr_is_mapped(a))
		r->options |= SNAG_OPTION_V6ONLY;
}

bool model_get(const struct model *m, uint32_t sock, struct model_sock *out)
{
	const struct model_sock *r = record_of(m, sock, 0);

	if (!r)
		return false;
	*out = *r;
	if (out->state >= SNAG_STATES)
		out->state = SNAG_STATE_NONE;
	if (out->role >= SNAG_ROLES)
		out->role = SNAG_ROLE_NONE;
	return true;
}

const struct model_sock *model_peek(const struct model *m, uint32_t sock, uint32_t serial)
{
	return record_of(m, sock, serial);
}
