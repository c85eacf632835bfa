/* record.h - the model's socket records: access that checks bounds and staleness. A number up to SNAG_SOCKS is a socket
 * slot + 1, a higher one a bare record, see bare.h. */
#ifndef MODEL_RECORD_H
#define MODEL_RECORD_H

#include "model.h"
#include "route.h"

#include <base/addr.h>
#include <base/base.h>

/* Slots in use, never more than there are. */
uint32_t record_high(const struct model *m);
uint32_t record_bare_high(const struct model *m);

/* A number -> its record; NULL: out of range or not in use. `serial` 0 takes any record in use, else only that one. */
struct model_sock *record_bare(struct model *m, uint32_t sock);
static inline struct model_sock *record_at(struct model *m, uint32_t sock, uint32_t serial)
{
	uint32_t high = load_relaxed(&m->high);
	struct model_sock *r;

	if (likely(sock - 1 < high && sock <= SNAG_SOCKS))
		r = &m->sock[sock - 1];
	else
		r = record_bare(m, sock);
	return r && r->serial && (!serial || r->serial == serial) ? r : NULL;
}
static inline const struct model_sock *record_of(const struct model *m, uint32_t sock, uint32_t serial)
{
	return record_at((struct model *)m, sock, serial);
}

/* A record for a socket that begins; NULL: out of range. What a dead predecessor left linked stays linked, without
 * effect, until the port table is next changed for it. */
struct model_sock *record_begin(struct model *m, uint32_t sock, uint32_t serial, uint64_t now_ns);

void record_state(struct model_sock *r, uint8_t state, uint64_t now_ns);

/* Does it hold its local port? A port that the program did not name is released in CLOSED. */
static inline bool record_holds(const struct model_sock *r)
{
	return r->local.port && r->state != SNAG_STATE_NONE &&
	       (r->state != SNAG_STATE_CLOSED || (r->flags & MODEL_EXPLICIT));
}

static inline bool record_connected(const struct model_sock *r)
{
	return r->state >= SNAG_STATE_SYN_SENT;
}

static inline bool record_is_datagram(const struct model_sock *r)
{
	return snag_is_udp(r->proto) || r->type == 2 /* SOCK_DGRAM */;
}

/* A request in a listener's SYN queue: it holds no port. */
static inline bool record_half_open(const struct model_sock *r)
{
	return r->state == SNAG_STATE_SYN_RECV;
}

/* Does all that this machine sends to it reach it? */
static inline bool record_hears(const struct model_sock *r)
{
	return !(r->traits & (MODEL_DEAF | MODEL_FILTERED)) && route_hears_loopback(r->device);
}

/* Can it send to its peer? tcp_v6_connect() never takes back to IPv6 what has tried a mapped address. */
static inline bool record_sends(const struct model_sock *r, const struct snag_addr *peer)
{
	return !(r->flags & MODEL_MAPPED) || addr_is_mapped(peer);
}

/* How late its end may come: calc_index() (kernel/time/timer.c) rounds up by an eighth of the time at most, and what
 * the timer begins with, an acknowledgement, may be delayed. */
static inline uint64_t record_late_ns(const struct model_sock *r)
{
	uint64_t late = (r->until_ns - r->since_ns) / 7 + 300 * NSEC_PER_MSEC;

	return late < MODEL_LATE_NS ? late : MODEL_LATE_NS;
}

#define TIME_WAIT_NS (60 * NSEC_PER_SEC)	/* TCP_TIMEWAIT_LEN (include/net/tcp.h) */
/* How long does one without a descriptor wait for the other end's FIN? */
uint64_t record_fin_wait_ns(const struct model_sock *r);

/* A socket of this machine begins; NULL: one with Linux's defaults. */
void record_machine(struct model_sock *r, const struct model_machine *machine);

/* bind() to a specific IPv6 address sets IPV6_V6ONLY: __inet6_bind() (net/ipv6/af_inet6.c). */
void record_local(struct model_sock *r, const struct snag_addr *a);

#endif
