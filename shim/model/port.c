/* port.c - the chains of the port table.
 *
 * A chain runs from the newest to the oldest, as the kernel's own, since for UDP the order decides. A record says
 * itself in which chain it is, so a walk that strays into another one notices and stops. */
#include "port.h"
#include "record.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

/* The chain of its port 0, which nobody is in. */
static uint32_t first_chain(uint8_t proto)
{
	return proto == SNAG_PROTO_TCP ? 0 : proto == SNAG_PROTO_UDP ? MODEL_PORTS
	     : proto == SNAG_PROTO_UDPLITE ? 3 * MODEL_PORTS : PORT_NONE;
}

uint32_t port_chain(uint8_t proto, const struct snag_addr *a)
{
	uint32_t first = first_chain(proto);
	uint16_t hash;

	if (first != PORT_NONE)
		return a->port ? first + a->port : PORT_NONE;
	if (proto != SNAG_PROTO_UNIX || a->family != AF_UNIX)
		return PORT_NONE;
	memcpy(&hash, a->ip, sizeof(hash));
	return 2 * MODEL_PORTS + hash;
}

const uint64_t *port_used(const struct model *m, uint8_t proto)
{
	uint32_t first = first_chain(proto);

	return first != PORT_NONE ? &m->used[first / 64] : NULL;
}

static void mark(struct model *m, uint32_t chain, bool used)
{
	uint64_t bit = 1ull << chain % 64, word = m->used[chain / 64];

	store_relaxed(&m->used[chain / 64], used ? word | bit : word & ~bit);
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
	if (r->elsewhere && r->proto != SNAG_PROTO_UNIX)
		return false;
	return (r->role != SNAG_ROLE_ACCEPTED || (r->flags & MODEL_EXACT)) && r->state >= SNAG_STATE_BOUND &&
	       !record_half_open(r) && port_chain(r->proto, &r->local) != PORT_NONE;
}

void port_walk_begin(struct port_walk *w, const struct model *m, uint32_t chain)
{
	w->m = m;
	w->chain = chain;
	w->next = chain < MODEL_CHAINS ? load_acquire(&m->port[chain]) : 0;
	w->steps = record_high(m) + record_bare_high(m);
}

const struct model_sock *port_walk_next(struct port_walk *w, uint32_t *sock)
{
	const struct model_sock *r = record_of(w->m, w->next, 0);

	if (!r || !w->steps || r->on_port != w->chain + 1 || (r->flags & MODEL_TWIN))
		return NULL;
	w->steps--;
	*sock = w->next;
	w->next = load_relaxed(&r->next);
	return r;
}

/* udp_lib_get_port(): AF_INET6 sockets with SO_REUSEPORT go to the tail of the chain. */
static bool goes_last(const struct model_sock *r)
{
	return snag_is_udp(r->proto) && r->domain == AF_INET6 && (r->options & SNAG_OPTION_REUSEPORT);
}

/* Bare records, and connections of which both ends are followed, can be many on a port and change under the lock only:
 * those can be twins. */
static bool may_be_twin(const struct model_sock *r)
{
	return r->proto == SNAG_PROTO_TCP && (r->flags & MODEL_EXACT) && r->state != SNAG_STATE_LISTEN;
}

/* What the port table asks of a record beside its claim. Of twins the newest leads, which is gone last. */
static bool same_kind(const struct model_sock *a, const struct model_sock *b)
{
	static const uint16_t flags = MODEL_EXPLICIT | MODEL_DOUBT | MODEL_BY_CONNECT;

	return !((a->flags ^ b->flags) & flags) && a->overlooked == b->overlooked && !a->until_ns == !b->until_ns &&
	       (a->state == SNAG_STATE_SYN_SENT) == (b->state == SNAG_STATE_SYN_SENT) &&
	       (!a->until_ns || a->state == b->state);
}

static bool are_twins(const struct model_sock *a, const struct model_sock *b)
{
	struct bind_claim ca = port_claim(a, UINT64_MAX), cb = port_claim(b, UINT64_MAX);

	return may_be_twin(a) && may_be_twin(b) && same_kind(a, b) && bind_same(&ca, &cb);
}

/* Where a twin of r stands in the chain: the link to it; NULL: it has none. */
static uint32_t *find_twin(struct model *m, uint32_t chain, const struct model_sock *r)
{
	uint32_t at, *link = &m->port[chain];
	const struct model_sock *old;
	struct port_walk w;

	if (!may_be_twin(r))
		return NULL;
	port_walk_begin(&w, m, chain);
	while ((old = port_walk_next(&w, &at))) {
		if (are_twins(old, r))
			return link;
		link = &record_at(m, at, 0)->next;
	}
	return NULL;
}

static uint32_t *find_end(struct model *m, uint32_t chain)
{
	uint32_t at, *link = &m->port[chain];
	struct port_walk w;

	port_walk_begin(&w, m, chain);
	while (port_walk_next(&w, &at))
		link = &record_at(m, at, 0)->next;
	return link;
}

void port_link(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0), *twin;
	uint32_t chain, *link;

	if (!r)
		return;
	port_unlink(m, sock);
	r->flags &= (uint16_t)~MODEL_TWIN;
	chain = port_chain(r->proto, &r->local);
	if (chain == PORT_NONE)
		return;
	link = find_twin(m, chain, r);
	twin = link ? record_at(m, *link, 0) : NULL;
	if (!twin)
		link = goes_last(r) ? find_end(m, chain) : &m->port[chain];
	r->next = twin ? twin->next : goes_last(r) ? 0 : *link;
	r->twin_next = twin ? *link : 0;
	r->on_port = chain + 1;
	if (twin) {
		twin->twin_prev = sock;
		twin->flags |= MODEL_TWIN;
		twin->next = 0;
	}
	mark(m, chain, true);
	store_release(link, sock);	/* whoever dies before this has linked nothing */
	fetch_add(version_of(m, chain), 1);
}

/* A leader leaves: its first twin takes its place. */
static void unlink_leader(struct model *m, uint32_t sock, struct model_sock *r, uint32_t chain)
{
	struct model_sock *heir = record_at(m, r->twin_next, 0);
	uint32_t at, *link = &m->port[chain];
	struct port_walk w;

	port_walk_begin(&w, m, chain);
	while (port_walk_next(&w, &at)) {
		if (at == sock)
			break;
		link = &record_at(m, at, 0)->next;
	}
	if (*link != sock)
		return;
	if (heir) {
		heir->next = r->next;
		heir->twin_prev = 0;
		heir->flags &= (uint16_t)~MODEL_TWIN;
	}
	store_release(link, heir ? r->twin_next : r->next);
}

void port_unlink(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0), *prev, *next;
	uint32_t chain;

	if (!r || !r->on_port)
		return;
	chain = r->on_port - 1;
	if (chain < MODEL_CHAINS) {
		if (r->flags & MODEL_TWIN) {
			prev = record_at(m, r->twin_prev, 0);
			next = record_at(m, r->twin_next, 0);
			if (prev)
				prev->twin_next = r->twin_next;
			if (next)
				next->twin_prev = r->twin_prev;
		} else {
			unlink_leader(m, sock, r, chain);
		}
		if (!m->port[chain])
			mark(m, chain, false);
		fetch_add(version_of(m, chain), 1);
	}
	r->flags &= (uint16_t)~MODEL_TWIN;
	r->on_port = r->next = r->twin_next = r->twin_prev = 0;
}
