/* check.c - the invariants of the model, made true again after an owner died inside the lock.
 *
 *   1. A record belongs to a living socket, or is free; a bare one is queued at a listener, or ages.
 *   2. The chain of a port holds every record that belongs there, once, alone or as a twin, and none of another port.
 *   3. The table of 4-tuples holds every connection of which both addresses are known.
 *   4. Two ends of a connection name each other.
 *   5. A port's count of connections is the number of records counted on it.
 *   6. A name belongs to the record that names it. */
#include "bare.h"
#include "name.h"
#include "port.h"
#include "record.h"
#include "tuple.h"

#include <string.h>
#include <sys/socket.h>

static bool sane(const struct model_sock *r)
{
	return r->state < SNAG_STATES && r->role < SNAG_ROLES && r->proto <= SNAG_PROTO_OTHER && r->state;
}

static unsigned drop_the_dead(struct model *m, bool (*alive)(void *arg, uint32_t sock, uint32_t serial), void *arg)
{
	unsigned mended = 0;

	for (uint32_t i = 0; i < record_high(m); i++) {
		struct model_sock *r = &m->sock[i];
		if (!r->serial || (sane(r) && alive(arg, i + 1, r->serial)))
			continue;
		memset(r, 0, sizeof(*r));
		mended++;
	}
	return mended;
}

static unsigned check_names(struct model *m)
{
	unsigned mended = 0;

	if (m->names_high > MODEL_NAMES) {
		m->names_high = MODEL_NAMES;
		mended++;
	}
	for (uint32_t i = 0; i < m->names_high; i++) {
		const struct model_sock *r = record_of(m, m->name[i].sock, 0);
		if (!m->name[i].sock || (r && r->name == i + 1 && m->name[i].len <= SNAG_PATH_MAX))
			continue;
		m->name[i].sock = 0;
		mended++;
	}
	return mended;
}

/* The i-th number there is: sockets first, then bare records. */
static uint32_t number(const struct model *m, uint32_t i)
{
	return i < record_high(m) ? i + 1 : SNAG_SOCKS + 1 + i - record_high(m);
}

static uint32_t numbers(const struct model *m)
{
	return record_high(m) + record_bare_high(m);
}

static const struct model_sock *slot_of(const struct model *m, uint32_t sock)
{
	return model_is_bare(sock) ? &m->bare[sock - SNAG_SOCKS - 1] : &m->sock[sock - 1];
}

/* ---- chains of the ports ---- */

/* Twins behind a record, and itself; UINT32_MAX: they are not linked as they should be. */
static uint32_t twins_length(const struct model *m, uint32_t leader, uint32_t chain)
{
	const struct model_sock *r = record_of(m, leader, 0);
	uint32_t at = leader, n = 1;

	while (r->twin_next) {
		const struct model_sock *next = record_of(m, r->twin_next, 0);
		if (!next || next->twin_prev != at || !(next->flags & MODEL_TWIN) || next->on_port != chain + 1 ||
		    n++ > numbers(m))
			return UINT32_MAX;
		at = r->twin_next;
		r = next;
	}
	return n;
}

/* How many records a chain that is as it should be has; UINT32_MAX: it is not. */
static uint32_t chain_length(const struct model *m, uint32_t chain)
{
	struct port_walk w;
	uint32_t at, n = 0, twins;
	const struct model_sock *r;

	port_walk_begin(&w, m, chain);
	while ((r = port_walk_next(&w, &at))) {
		if (port_chain(r->proto, &r->local) != chain)
			return UINT32_MAX;
		twins = twins_length(m, at, chain);
		if (twins == UINT32_MAX)
			return UINT32_MAX;
		n += twins;
	}
	return w.next ? UINT32_MAX : n;
}

/* Every record that belongs is linked where it belongs, and no chain holds more than that. */
static bool chains_hold(const struct model *m)
{
	uint32_t linked = 0, found = 0;

	for (uint32_t i = 0; i < numbers(m); i++) {
		const struct model_sock *r = slot_of(m, number(m, i));
		uint32_t chain = r->serial ? port_chain(r->proto, &r->local) : PORT_NONE;
		if (r->on_port && r->on_port != chain + 1)
			return false;
		if (!r->on_port && r->serial && port_belongs(r))
			return false;
		linked += r->on_port != 0;
	}
	for (uint32_t chain = 0; chain < MODEL_CHAINS; chain++) {
		uint32_t n = m->port[chain] ? chain_length(m, chain) : 0;
		if (n == UINT32_MAX)
			return false;
		found += n;
	}
	return linked == found;
}

static void relink(struct model *m)
{
	memset(m->port, 0, sizeof(m->port));
	memset(m->used, 0, sizeof(m->used));
	for (uint32_t i = 0; i < numbers(m); i++) {
		struct model_sock *r = (struct model_sock *)slot_of(m, number(m, i));
		r->on_port = r->next = r->twin_next = r->twin_prev = 0;
		r->flags &= (uint16_t)~MODEL_TWIN;
	}
	for (uint32_t i = 0; i < numbers(m); i++)
		if (slot_of(m, number(m, i))->serial && port_belongs(slot_of(m, number(m, i))))
			port_link(m, number(m, i));
}

/* ---- connections ---- */

static bool is_ip(const struct snag_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static bool in_tuples(const struct model *m, uint32_t sock, const struct model_sock *r)
{
	struct tuple_walk w;
	uint32_t at;

	tuple_walk_begin(&w, m, &r->local, &r->peer);
	while (tuple_walk_next(&w, &at))
		if (at == sock)
			return true;
	return false;
}

static bool tuples_hold(const struct model *m)
{
	uint32_t marked = 0, found = 0;

	for (uint32_t i = 0; i < numbers(m); i++) {
		const struct model_sock *r = slot_of(m, number(m, i));
		if (!(r->flags & MODEL_IN_TUPLES))
			continue;
		if (!r->serial || !in_tuples(m, number(m, i), r))
			return false;
		marked++;
	}
	for (uint32_t t = 0; t < MODEL_TUPLES; t++) {
		const struct model_sock *r = record_of(m, m->tuple[t], 0);
		if (m->tuple[t] && !r)
			return false;
		for (; r && found <= marked; r = record_of(m, r->tuple_next, 0))
			found++;
	}
	return marked == found;
}

static void rehash(struct model *m)
{
	memset(m->tuple, 0, sizeof(m->tuple));
	for (uint32_t i = 0; i < numbers(m); i++) {
		struct model_sock *r = (struct model_sock *)slot_of(m, number(m, i));
		bool marked = r->serial && (r->flags & MODEL_IN_TUPLES) && is_ip(&r->local) && is_ip(&r->peer);
		r->flags &= (uint16_t)~MODEL_IN_TUPLES;
		r->tuple_next = 0;
		if (marked)
			tuple_link(m, number(m, i));
	}
}

static unsigned check_ends(struct model *m)
{
	unsigned mended = 0;

	for (uint32_t i = 0; i < numbers(m); i++) {
		struct model_sock *r = record_at(m, number(m, i), 0), *other = r ? record_at(m, r->other, 0) : NULL;
		if (!r || !r->other || (other && other->other == number(m, i)))
			continue;
		r->other = 0;
		mended++;
	}
	return mended;
}

/* ---- bare records ---- */

/* How many stand in a list that is as it should be, all with `listener`; UINT32_MAX: it is not. */
static uint32_t list_length(const struct model *m, uint32_t first, uint32_t last, uint32_t listener)
{
	uint32_t n = 0, prev = 0, at = first;
	uint64_t until = 0;

	while (at) {
		const struct model_sock *r = record_of(m, at, 0);
		if (!r || !model_is_bare(at) || r->list_prev != prev || r->listener != listener || n++ > MODEL_BARES)
			return UINT32_MAX;
		if (!listener && (!r->until_ns || r->until_ns < until))
			return UINT32_MAX;
		until = r->until_ns;
		prev = at;
		at = r->list_next;
	}
	return prev == last ? n : UINT32_MAX;
}

static bool lists_hold(const struct model *m)
{
	uint32_t used = 0, listed = list_length(m, m->age_first, m->age_last, 0), free = 0;

	if (listed == UINT32_MAX)
		return false;
	for (uint32_t i = 0; i < record_high(m); i++) {
		const struct model_sock *r = &m->sock[i];
		uint32_t n = r->serial ? list_length(m, r->queue_first, r->queue_last, i + 1) : 0;
		if (n == UINT32_MAX || (r->serial && n != (uint32_t)r->queue_len + r->syn_len))
			return false;
		listed += n;
	}
	for (uint32_t i = 0; i < record_bare_high(m); i++) {
		const struct model_sock *r = &m->bare[i];
		if (r->serial && !sane(r))
			return false;
		used += r->serial && (r->listener || r->until_ns);
		free += !r->serial;
	}
	for (uint32_t at = m->bare_free; at; at = m->bare[at - SNAG_SOCKS - 1].list_next)
		if (!model_is_bare(at) || at - SNAG_SOCKS > record_bare_high(m) ||
		    m->bare[at - SNAG_SOCKS - 1].serial || !free--)
			return false;
	return used == listed && !free;
}

/* They are what the kernel holds for nobody: nobody can say which of them still are. */
static void drop_bares(struct model *m)
{
	for (uint32_t i = 0; i < record_high(m); i++)
		m->sock[i].queue_first = m->sock[i].queue_last = m->sock[i].queue_len = m->sock[i].syn_len = 0;
	memset(m->bare, 0, record_bare_high(m) * sizeof(m->bare[0]));
	m->bare_high = m->bare_free = m->age_first = m->age_last = 0;
}

static void recount(struct model *m)
{
	for (uint32_t port = 0; port < MODEL_PORTS; port++)
		m->traffic[port].open = 0;
	for (uint32_t i = 0; i < record_high(m); i++)
		if (m->sock[i].flags & MODEL_COUNTED)
			m->traffic[m->sock[i].local.port].open++;
}

unsigned model_check(struct model *m, bool (*alive)(void *arg, uint32_t sock, uint32_t serial), void *arg)
{
	unsigned mended = 0;

	if (m->high > SNAG_SOCKS) {
		m->high = SNAG_SOCKS;
		mended++;
	}
	mended += drop_the_dead(m, alive, arg);
	if (m->bare_high > MODEL_BARES || !lists_hold(m)) {
		drop_bares(m);
		mended++;
	}
	mended += check_names(m);
	mended += check_ends(m);
	if (!tuples_hold(m)) {
		rehash(m);
		mended++;
	}
	waits_check(m);
	if (!chains_hold(m)) {
		relink(m);
		mended++;
	}
	recount(m);
	return mended;
}
