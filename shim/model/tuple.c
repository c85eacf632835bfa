/* tuple.c - TCP connections by their two addresses: a hash table, chained. */
#include "tuple.h"
#include "record.h"

#include <base/addr.h>
#include <base/base.h>
#include <base/hash.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t mix_addr(uint64_t h, const struct snag_addr *a)
{
	uint64_t half[2] = {0, 0};

	if (addr_is_mapped(a))
		memcpy(half, a->ip + 12, 4);
	else
		memcpy(half, a->ip, a->family == AF_INET ? 4 : 16);
	return hash_mix(hash_mix(h, half[0] ^ a->port), half[1]);
}

static uint32_t place(const struct snag_addr *local, const struct snag_addr *peer)
{
	return (uint32_t)(mix_addr(mix_addr(0, local), peer) % MODEL_TUPLES);
}

void tuple_link(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0);
	uint32_t *first;

	if (!r)
		return;
	tuple_unlink(m, sock);
	first = &m->tuple[place(&r->local, &r->peer)];
	r->tuple_next = *first;
	r->flags |= MODEL_IN_TUPLES;
	store_release(first, sock);
}

void tuple_unlink(struct model *m, uint32_t sock)
{
	struct model_sock *r = record_at(m, sock, 0), *at;
	uint32_t *link;

	if (!r || !(r->flags & MODEL_IN_TUPLES))
		return;
	link = &m->tuple[place(&r->local, &r->peer)];
	for (uint32_t i = 0; i < SNAG_SOCKS && (at = record_at(m, *link, 0)); i++) {
		if (at == r) {
			store_release(link, r->tuple_next);
			break;
		}
		link = &at->tuple_next;
	}
	r->flags &= (uint16_t)~MODEL_IN_TUPLES;
	r->tuple_next = 0;
}

void tuple_walk_begin(struct tuple_walk *w, const struct model *m, const struct snag_addr *local,
		      const struct snag_addr *peer)
{
	w->m = m;
	w->local = local;
	w->peer = peer;
	w->next = load_acquire(&m->tuple[place(local, peer)]);
	w->steps = SNAG_SOCKS;
}

static bool same(const struct snag_addr *a, const struct snag_addr *b)
{
	return a->port == b->port && addr_equal_ip(a, b);
}

const struct model_sock *tuple_walk_next(struct tuple_walk *w, uint32_t *sock)
{
	const struct model_sock *r;

	while (w->steps-- && (r = record_of(w->m, w->next, 0)) && (r->flags & MODEL_IN_TUPLES)) {
		*sock = w->next;
		w->next = load_relaxed(&r->tuple_next);
		if (same(&r->local, w->local) && same(&r->peer, w->peer))
			return r;
	}
	return NULL;
}
