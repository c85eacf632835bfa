/* port.c - the chains of the port table.
 *
 * A chain runs from the newest to the oldest, as the kernel's own, since for UDP the order decides. A record says
 * itself in which chain it is, so a walk that strays into another one notices and stops. */
#include "port.h"
#include "foreign.h"
#include "record.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

uint32_t port_chain(uint8_t proto, const struct snag_addr *a)
{
	uint16_t hash;

	if (proto == SNAG_PROTO_TCP || proto == SNAG_PROTO_UDP)
		return a->port ? (proto == SNAG_PROTO_UDP) * MODEL_PORTS + a->port : PORT_NONE;
	if (proto != SNAG_PROTO_UNIX || a->family != AF_UNIX)
		return PORT_NONE;
	memcpy(&hash, a->ip, sizeof(hash));
	return 2 * MODEL_PORTS + hash;
}

static uint32_t *version_of(struct model *m, uint32_t chain)
{
	return &m->version[chain % MODEL_VERSIONS];
}

uint32_t port_version(const struct model *m, uint32_t chain)
{
	return load_acquire(version_of((struct model *)m, chain));
}

bool port_belongs(const struct model_sock *r)
{
	return r->role != SNAG_ROLE_ACCEPTED && r->state >= SNAG_STATE_BOUND &&
	       port_chain(r->proto, &r->local) != PORT_NONE;
}

void port_walk_begin(struct port_walk *w, const struct model *m, uint32_t chain)
{
	w->m = m;
	w->chain = chain;
	w->next = chain < MODEL_CHAINS ? load_acquire(&m->port[chain]) : 0;
	w->steps = record_high(m);
}

const struct model_sock *port_walk_next(struct port_walk *w, uint32_t *sock)
{
	const struct model_sock *r = record_of(w->m, w->next, 0);

	if (!r || !w->steps || r->on_port != w->chain + 1)
		return NULL;
	w->steps--;
	*sock = w->next;
	w->next = load_relaxed(&r->next);
	return r;
}

/* udp_lib_get_port(): AF_INET6 sockets with SO_REUSEPORT go to the tail of the chain. */
static bool goes_last(const struct model_sock *r)
{
	return r->proto == SNAG_PROTO_UDP && r->domain == AF_INET6 && (r->options & SNAG_OPTION_REUSEPORT);
}

void port_link(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t chain, *link, last = 0, at;
	struct port_walk w;

	if (!r)
		return;
	port_unlink(m, sock);
	chain = port_chain(r->proto, &r->local);
	if (chain == PORT_NONE)
		return;
	link = &m->port[chain];
	if (goes_last(r)) {
		port_walk_begin(&w, m, chain);
		while (port_walk_next(&w, &at))
			last = at;
		if (last)
			link = &m->sock[last - 1].next;
	}
	r->next = last ? 0 : *link;
	r->on_port = chain + 1;
	store_release(link, sock);	/* whoever dies before this has linked nothing */
	fetch_add(version_of(m, chain), 1);
}

void port_unlink(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t chain, at, *link;
	struct port_walk w;

	if (!r || !r->on_port)
		return;
	chain = r->on_port - 1;
	if (chain < MODEL_CHAINS) {
		link = &m->port[chain];
		port_walk_begin(&w, m, chain);
		while (port_walk_next(&w, &at)) {
			if (at == sock) {
				store_release(link, r->next);
				break;
			}
			link = &m->sock[at - 1].next;
		}
		fetch_add(version_of(m, chain), 1);
	}
	r->on_port = 0;
	r->next = 0;
}

struct bind_claim port_claim(const struct model_sock *r)
{
	return (struct bind_claim){
		.addr = r->local,
		.domain = r->domain,
		.options = r->options,
		.listening = r->state == SNAG_STATE_LISTEN,
		.time_wait = r->state == SNAG_STATE_TIME_WAIT,
		.vague = r->flags & MODEL_VAGUE,
		.device = r->device,
		.uid = r->uid,
	};
}

void port_admitted(struct model *m, const struct model_sock *r)
{
	uint64_t bit = 1ull << r->local.port % 64, *word = &m->reuseport[r->local.port / 64];

	if (r->proto != SNAG_PROTO_TCP || !r->local.port)
		return;
	if (r->options & SNAG_OPTION_REUSEPORT)
		*word |= bit;
	else
		*word &= ~bit;
}

/* sk_reuseport_match() (net/ipv4/inet_connection_sock.c): would the kernel perhaps not look who is in the way? */
static bool may_skip(const struct model *m, const struct bind_claim *new)
{
	return (new->options & SNAG_OPTION_REUSEPORT) &&
	       (m->reuseport[new->addr.port / 64] >> new->addr.port % 64 & 1);
}

bool port_may_be_free(const struct model_sock *r)
{
	return !(r->flags & MODEL_EXPLICIT) && r->state != SNAG_STATE_BOUND && r->state != SNAG_STATE_LISTEN;
}

static void worse(enum bind_answer *so_far, enum bind_answer a, uint32_t *holder, uint32_t sock)
{
	if (a > *so_far) {
		*so_far = a;
		*holder = sock;
	}
}

/* TCP: whoever is in the way, is. Accepted connections stand in no chain; they are looked for where there are any. */
static enum bind_answer ask_tcp(const struct model *m, uint32_t self, const struct bind_claim *new, uint32_t *holder)
{
	enum bind_answer answer = BIND_FREE;
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_TCP, &new->addr));
	while (answer != BIND_CONFLICT && (r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r);
		enum bind_answer a;
		if (at == self || !record_holds(r) || r->proto != SNAG_PROTO_TCP)
			continue;
		a = bind_conflict(new, &old);
		worse(&answer, a == BIND_CONFLICT && port_may_be_free(r) ? BIND_UNSURE : a, holder, at);
	}
	if (answer == BIND_CONFLICT && may_skip(m, new))
		return BIND_UNSURE;
	if (answer != BIND_FREE || !load_relaxed(&m->traffic[new->addr.port].open))
		return answer;
	for (uint32_t i = 0; answer == BIND_FREE && i < record_high(m); i++) {
		r = &m->sock[i];
		if (i + 1 == self || !(r->flags & MODEL_COUNTED) || r->local.port != new->addr.port || !record_holds(r))
			continue;
		struct bind_claim old = port_claim(r);
		if (bind_conflict(new, &old) != BIND_FREE)
			worse(&answer, BIND_UNSURE, holder, i + 1);
	}
	return answer;
}

/* UDP, udp_lib_lport_inuse(): the first in the chain that overlaps and is not excused by REUSEADDR decides. */
static enum bind_answer ask_udp(const struct model *m, uint32_t self, const struct bind_claim *new, uint32_t *holder)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_UDP, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r);
		enum bind_answer a;
		if (at == self || !record_holds(r) || bind_reuses_addr(new, &old))
			continue;
		a = bind_overlap(new, &old);
		if (a == BIND_FREE)
			continue;
		if (a == BIND_CONFLICT && bind_reuses_port(new, &old))
			return BIND_FREE;
		*holder = at;
		return a;
	}
	return BIND_FREE;
}

static enum bind_answer ask_unix(const struct model *m, uint32_t self, const struct bind_claim *new, uint32_t *holder)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_UNIX, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		if (at == self || memcmp(&r->local, &new->addr, sizeof(r->local)))
			continue;
		*holder = at;
		return BIND_CONFLICT;
	}
	return BIND_FREE;
}

enum bind_answer port_ask(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			  uint32_t *holder)
{
	enum bind_answer answer;
	uint32_t foreign = 0;

	*holder = 0;
	if (proto == SNAG_PROTO_UNIX)
		return ask_unix(m, self, new, holder);
	if (!new->addr.port)
		return BIND_FREE;
	answer = proto == SNAG_PROTO_UDP ? ask_udp(m, self, new, holder) : ask_tcp(m, self, new, holder);
	if (answer != BIND_CONFLICT && load_relaxed(&m->foreign_high)) {
		enum bind_answer outside = foreign_ask(m, proto, new, &foreign);
		worse(&answer, outside, holder, foreign);
	}
	return answer;
}

uint32_t model_holder(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint8_t proto)
{
	const struct model_sock *r = record_of(m, sock, 0);
	struct bind_claim new = r ? port_claim(r) : (struct bind_claim){.domain = addr->family};
	uint32_t holder;

	new.addr = *addr;
	new.vague = false;
	port_ask(m, proto, sock, &new, &holder);
	return holder;
}
