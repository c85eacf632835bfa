/* check.c - the invariants of the model, made true again after an owner died inside the lock.
 *
 *   1. A record belongs to a living socket, or is free.
 *   2. The chain of a port holds every record that belongs there, once, and none of another port.
 *   3. A port's count of connections is the number of records counted on it.
 *   4. A name belongs to the record that names it. */
#include "name.h"
#include "port.h"
#include "record.h"

#include <string.h>

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

/* How many records a chain that is as it should be has; UINT32_MAX: it is not. */
static uint32_t chain_length(const struct model *m, uint32_t chain)
{
	struct port_walk w;
	uint32_t at, n = 0;
	const struct model_sock *r;

	port_walk_begin(&w, m, chain);
	while ((r = port_walk_next(&w, &at))) {
		if (port_chain(r->proto, &r->local) != chain)
			return UINT32_MAX;
		n++;
	}
	return w.next ? UINT32_MAX : n;
}

/* Every record that belongs is linked where it belongs, and no chain holds more than that. */
static bool chains_hold(const struct model *m)
{
	uint32_t linked = 0, found = 0;

	for (uint32_t i = 0; i < record_high(m); i++) {
		const struct model_sock *r = &m->sock[i];
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
	for (uint32_t i = 0; i < record_high(m); i++)
		m->sock[i].on_port = m->sock[i].next = 0;
	for (uint32_t i = 0; i < record_high(m); i++)
		if (m->sock[i].serial && port_belongs(&m->sock[i]))
			port_link(m, i + 1);
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
	mended += check_names(m);
	if (!chains_hold(m)) {
		relink(m);
		mended++;
	}
	recount(m);
	return mended;
}
