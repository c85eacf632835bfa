/* waits.c - TIME_WAIT as the virtual kernel keeps it. */
#include "waits.h"
#include "model.h"
#include "profile.h"
#include "record.h"

#include <base/addr.h>
#include <base/base.h>
#include <netinet/tcp.h>
#include <string.h>

/* An orphaned FIN_WAIT2 of at most 120 s, then TIME_WAIT (include/net/tcp.h), and timers that are late. */
#define PAST_NS (190 * NSEC_PER_SEC)

bool waits_in_force(const struct snag_kernel *k)
{
	return (k->given & WAITS_KEYS) != 0;
}

static uint32_t *chain_of(struct model_waits *w, uint16_t port)
{
	return &w->chain[port % MODEL_WAIT_CHAINS];
}

static struct model_wait *at(struct model_waits *w, uint32_t wait)
{
	return wait && wait <= MODEL_WAITS && (w->wait[wait - 1].flags & WAIT_USED) ? &w->wait[wait - 1] : NULL;
}

/* ---- walking ---- */

struct walk {
	struct model_waits *w;
	uint32_t next, steps;
	uint16_t port;
};

static struct walk walk_begin(const struct model *m, uint16_t port)
{
	struct model_waits *w = (struct model_waits *)&m->waits;

	return (struct walk){.w = w, .next = *chain_of(w, port), .steps = MODEL_WAITS, .port = port};
}

/* The next entry on the port, its index + 1 in *wait; NULL: the end. */
static struct model_wait *walk_next(struct walk *w, uint32_t *wait)
{
	struct model_wait *e;

	while (w->steps-- && (e = at(w->w, w->next))) {
		*wait = w->next;
		w->next = e->next;
		if (e->local.port == w->port)
			return e;
	}
	return NULL;
}

static void unlink_wait(struct model_waits *w, uint32_t wait)
{
	struct model_wait *e = at(w, wait), *before;
	uint32_t *link = e ? chain_of(w, e->local.port) : NULL;

	for (uint32_t steps = MODEL_WAITS; e && steps && *link != wait; steps--) {
		before = at(w, *link);
		if (!before)
			return;
		link = &before->next;
	}
	if (e && *link == wait)
		*link = e->next;
}

static void link_wait(struct model_waits *w, uint32_t wait)
{
	uint32_t *head = chain_of(w, w->wait[wait - 1].local.port);

	w->wait[wait - 1].next = *head;
	*head = wait;
}

void waits_check(struct model *m)
{
	memset(m->waits.chain, 0, sizeof(m->waits.chain));
	for (uint32_t i = 1; i <= MODEL_WAITS; i++)
		if (m->waits.wait[i - 1].flags & WAIT_USED)
			link_wait(&m->waits, i);
}

/* ---- asking ---- */

static struct bind_claim claim_of(const struct model_wait *e)
{
	return (struct bind_claim){
		.addr = e->local,
		.domain = e->domain,
		.options = e->options,
		.time_wait = true,
		.device = e->device,
		.uid = e->uid,
	};
}

uint32_t waits_refuse(const struct model *m, const struct snag_kernel *k, const struct bind_claim *new,
		      uint64_t now_ns)
{
	struct walk w = walk_begin(m, new->addr.port);
	uint32_t wait, doubtful = 0;
	struct model_wait *e;

	while ((e = walk_next(&w, &wait))) {
		struct bind_claim old = claim_of(e);
		if (e->until_ns <= now_ns || profile_conflict(k->profile, new, &old, true) == BIND_FREE)
			continue;
		if (!(e->flags & WAIT_DOUBT))
			return wait;
		doubtful = wait;
	}
	return doubtful;
}

bool waits_doubtful(const struct model *m, uint32_t wait)
{
	const struct model_wait *e = at((struct model_waits *)&m->waits, wait);

	return e && (e->flags & WAIT_DOUBT);
}

bool waits_past(const struct model *m, const struct bind_claim *new, uint64_t now_ns)
{
	struct walk w = walk_begin(m, new->addr.port);
	struct model_wait *e;
	uint32_t wait;

	while ((e = walk_next(&w, &wait))) {
		struct bind_claim old = claim_of(e);
		if (e->until_ns <= now_ns && e->since_ns + PAST_NS > now_ns && bind_overlap(new, &old) != BIND_FREE)
			return true;
	}
	return false;
}

static bool same_end(const struct snag_addr *a, const struct snag_addr *b)
{
	return a->port == b->port && (addr_is_any(a) || addr_is_any(b) || addr_equal_ip(a, b));
}

static uint32_t find_tuple(const struct model *m, const struct snag_addr *local, const struct snag_addr *peer)
{
	struct walk w = walk_begin(m, local->port);
	struct model_wait *e;
	uint32_t wait;

	while ((e = walk_next(&w, &wait)))
		if (same_end(&e->local, local) && same_end(&e->peer, peer))
			return wait;
	return 0;
}

uint32_t waits_tuple(const struct model *m, const struct snag_addr *local, const struct snag_addr *peer,
		     uint64_t now_ns)
{
	uint32_t wait = find_tuple(m, local, peer);

	return wait && m->waits.wait[wait - 1].until_ns > now_ns ? wait : 0;
}

/* Entries end in the order in which they were made, those apart whose peer was late. */
unsigned waits_all(const struct model *m, uint64_t now_ns)
{
	uint32_t made = m->waits.made, most = made < MODEL_WAITS ? made : MODEL_WAITS;
	unsigned n = 0;

	for (uint32_t i = 1; i <= most; i++) {
		const struct model_wait *e = &m->waits.wait[(made - i) % MODEL_WAITS];
		n += (e->flags & WAIT_USED) && e->until_ns > now_ns;
		if (e->since_ns + PAST_NS <= now_ns && e->until_ns <= now_ns)
			break;
	}
	return n;
}

unsigned waits_count(const struct model *m, uint16_t port, uint64_t now_ns)
{
	struct walk w = walk_begin(m, port);
	struct model_wait *e;
	unsigned n = 0;
	uint32_t wait;

	while ((e = walk_next(&w, &wait)))
		n += e->until_ns > now_ns;
	return n;
}

bool waits_get(const struct model *m, uint32_t wait, struct model_wait *out)
{
	const struct model_wait *e = at((struct model_waits *)&m->waits, wait);

	if (e)
		*out = *e;
	return e != NULL;
}

/* ---- making ---- */

/* Who has sent the first FIN? By the kernel's state right before the close. */
enum closing { CLOSES_NOTHING, CLOSES_FIRST, CLOSES_LAST, CLOSES_UNSEEN };

/* tcp_close() (net/ipv4/tcp.c): unread data, and SO_LINGER of no seconds, send a RST. */
static bool resets(const struct snag_call *c)
{
	return c->call != SNAG_CALL_shutdown && (((c->facts & SNAG_FACT_UNREAD) && c->unread > 0) ||
						 ((c->facts & SNAG_FACT_LINGER) && c->linger == 1));
}

static enum closing closing_by_fact(const struct snag_call *c)
{
	switch (c->tcp_state) {
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
		return resets(c) ? CLOSES_NOTHING : CLOSES_FIRST;
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
		return resets(c) ? CLOSES_NOTHING : CLOSES_LAST;
	default:	/* both FINs are through: the entry was made by shutdown; or it was reset */
		return CLOSES_NOTHING;
	}
}

static enum closing closing_of(const struct model_sock *r, const struct snag_call *c)
{
	if (c && (c->facts & SNAG_FACT_TCP_STATE))
		return closing_by_fact(c);
	switch (r->state) {
	case SNAG_STATE_ESTABLISHED:
	case SNAG_STATE_FIN_WAIT:
		return CLOSES_UNSEEN;
	case SNAG_STATE_CLOSE_WAIT:
		return CLOSES_LAST;
	default:
		return CLOSES_NOTHING;
	}
}

/* An entry for this 4-tuple: the one that is there, or a new one in place of the oldest. */
static struct model_wait *take(struct model *m, const struct snag_addr *local, const struct snag_addr *peer)
{
	struct model_waits *w = &m->waits;
	uint32_t wait = find_tuple(m, local, peer);

	if (!wait) {
		wait = w->made % MODEL_WAITS + 1;
		unlink_wait(w, wait);
		w->made++;
		w->wait[wait - 1] = (struct model_wait){.flags = WAIT_USED, .local = *local, .peer = *peer};
		link_wait(w, wait);
	}
	return at(w, wait);
}

static uint64_t length_of(const struct snag_kernel *k)
{
	return k->time_wait_ns / (k->clock ? k->clock : 1);
}

/* inet_twsk_alloc() (net/ipv4/inet_timewait_sock.c): with so many there already, the connection is gone at once. */
static bool has_room(const struct model *m, const struct snag_kernel *k, uint64_t now_ns)
{
	return !(k->given & SNAG_KERNEL_TW_BUCKETS) || waits_all(m, now_ns) < (unsigned)k->tw_buckets;
}

static void make(struct model *m, const struct snag_kernel *k, const struct model_sock *r,
		 const struct snag_addr *local, bool doubt, uint64_t now_ns)
{
	uint32_t known = find_tuple(m, local, &r->peer);
	bool waits = (known && m->waits.wait[known - 1].until_ns > now_ns) || has_room(m, k, now_ns);
	struct model_wait *e;

	if (doubt && known && m->waits.wait[known - 1].until_ns > now_ns)	/* since shutdown */
		return;
	e = take(m, local, &r->peer);
	e->domain = r->domain;
	e->options = r->options;
	e->device = r->device;
	e->uid = r->uid;
	e->flags = WAIT_USED | (doubt ? WAIT_DOUBT : 0);
	e->since_ns = now_ns;
	e->until_ns = waits ? now_ns + length_of(k) : now_ns;
}

/* tcp_fin() -> tcp_time_wait(): the full time begins with the second FIN. The first one was sent by the other end: where
 * that was not seen, its process was killed. */
static void peer_closed(struct model *m, const struct snag_kernel *k, const struct model_sock *r,
			const struct snag_addr *local, uint64_t now_ns)
{
	uint32_t wait = find_tuple(m, &r->peer, local);
	const struct model_sock *other = record_of(m, r->other, 0);

	if (wait && m->waits.wait[wait - 1].until_ns > m->waits.wait[wait - 1].since_ns)
		m->waits.wait[wait - 1].until_ns = now_ns + length_of(k);
	else if (!wait && other && !model_is_bare(r->other))
		make(m, k, other, &other->local, false, now_ns);
}

void waits_closed(struct model *m, const struct snag_kernel *k, uint32_t sock, const struct snag_call *c,
		  uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, sock, 0);
	const struct snag_addr *local = r ? &r->local : NULL;
	enum closing closing;

	if (!r || r->elsewhere || r->proto != SNAG_PROTO_TCP || !r->peer.port)
		return;
	if (c && (c->facts & SNAG_FACT_LOCAL))
		local = &c->local;
	if (!local->port)
		return;
	closing = closing_of(r, c);
	if (closing == CLOSES_UNSEEN && waits_tuple(m, &r->peer, local, now_ns))
		closing = CLOSES_LAST;
	if (closing == CLOSES_FIRST || closing == CLOSES_UNSEEN)
		make(m, k, r, local, closing == CLOSES_UNSEEN, now_ns);
	else if (closing == CLOSES_LAST)
		peer_closed(m, k, r, local, now_ns);
}

void waits_resumed(struct model *m, const struct snag_addr *local, const struct snag_addr *peer)
{
	uint32_t wait = local->port && peer->port ? find_tuple(m, local, peer) : 0;

	if (!wait)
		return;
	unlink_wait(&m->waits, wait);
	m->waits.wait[wait - 1].flags = 0;
}
