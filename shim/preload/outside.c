/* outside.c - who else stands on the port of a call */
#include "outside.h"
#include "identity.h"
#include "netns.h"
#include <base/sys.h>
#include <model/foreign.h>
#include <model/listener.h>
#include <model/port.h>
#include <model/route.h>
#include <netinet/tcp.h>
#include <probe/diag.h>
#include <probe/owner.h>
#include <session/lock.h>
#include <string.h>
#include <sys/mman.h>

#define LIST_MAX 2048

struct outside_list {
	struct snag_addr at;		/* the call's address on that port */
	uint32_t version;		/* of the port, before the question */
	uint64_t own;			/* cookie of the call's socket */
	uint32_t n;
	bool cut;			/* there are more */
	uint8_t proto;
	struct diag_sock sock[LIST_MAX];
};

static __thread const struct engine_holder *found;

/* ---- the question ---- */

static bool is_bind_or_listen(const struct snag_call *c)
{
	return c->call == SNAG_CALL_bind || c->call == SNAG_CALL_listen;
}

/* The address whose port the answer depends on; family 0: none. */
static struct snag_addr address_of(const struct hook *h)
{
	const struct snag_call *c = &h->call;
	const struct model_sock *m = model_peek(engine.model, c->sock, c->serial);
	if (c->call == SNAG_CALL_listen && m)
		return m->local;
	if (c->call == SNAG_CALL_bind || (c->call == SNAG_CALL_connect && c->reach == SNAG_REACH_LOCAL))
		return c->addr;
	return (struct snag_addr){ 0 };
}

bool outside_wanted(const struct hook *h, unsigned facts)
{
	const struct snag_call *c = &h->call;
	struct snag_addr at;
	if (c->proto != SNAG_PROTO_TCP && !snag_is_udp(c->proto))
		return false;
	if (facts & SNAG_FACT_WHOLE)
		return true;
	if (!is_bind_or_listen(c) || likely(!load_relaxed(&engine.model->foreign_high)))
		return false;
	at = address_of(h);
	return at.port && model_foreign_count(engine.model, c->proto, at.port);
}

static bool keep(void *arg, const struct diag_sock *s)
{
	struct outside_list *l = arg;
	l->cut = l->n == LIST_MAX;
	if (!l->cut)
		l->sock[l->n++] = *s;
	return !l->cut;
}

/* What the kernel lists to this thread, is it true of the socket and of the model? */
static bool lists_hold(const struct hook *h)
{
	const struct model_sock *m = model_peek(engine.model, h->call.sock, h->call.serial);
	return !(m && m->elsewhere) && netns_at_home();
}

struct outside_list *outside_ask(struct hook *h)
{
	struct snag_addr at = address_of(h);
	struct diag_query q = { .proto = h->call.proto, .port = at.port, .states = DIAG_ALL };
	struct outside_list *l;
	if (!at.port || (q.proto != SNAG_PROTO_TCP && !snag_is_udp(q.proto)) || !lists_hold(h))
		return NULL;
	l = sys_mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(l))
		return NULL;
	l->at = at;
	l->proto = q.proto;
	l->own = identity_cookie(h->call.fd);
	l->version = port_version(engine.model, port_chain(q.proto, &at));
	if (diag_dump(&q, keep, l) < 0) {
		outside_free(l);
		return NULL;
	}
	return l;
}

void outside_free(struct outside_list *l)
{
	if (l)
		sys_munmap(l, sizeof(*l));
}

/* ---- the model ---- */

/* Half-open, in the SYN queue of a listener. */
static bool is_request(const struct diag_sock *s)
{
	return s->state == TCP_SYN_RECV && !s->inode;
}

/* In the accept queue of a listener. */
static bool is_queued(const struct diag_sock *s)
{
	return !s->inode && (s->state == TCP_ESTABLISHED || s->state == TCP_CLOSE_WAIT);
}

static uint8_t state_of(const struct diag_sock *s)
{
	const struct model_sock bound = { .state = SNAG_STATE_BOUND };
	if (s->state == TCP_FIN_WAIT2 && !s->inode)	/* a mini socket, as TIME_WAIT is */
		return SNAG_STATE_TIME_WAIT;
	return model_state_of(s->state == DIAG_BOUND ? TCP_CLOSE : s->state, &bound);
}

static struct model_foreign foreign_of(const struct diag_sock *s)
{
	struct model_foreign f = {
		.proto = s->proto,
		.state = state_of(s),
		.options = s->v6only ? SNAG_OPTION_V6ONLY : 0,
		.hidden = SNAG_OPTION_REUSEADDR | SNAG_OPTION_REUSEPORT,
		.domain = s->domain,
		.uid = s->uid,
		.device = s->device,
		.cookie = s->cookie,
		.inode = s->inode,
		.local = s->local,
	};
	if (s->domain == AF_INET6 && !s->v6only_known)
		f.hidden |= SNAG_OPTION_V6ONLY;
	return f;
}

/* Is it what the call itself has put there: its socket, or the other end that a connect has got? */
static bool is_own(const struct hook *h, const struct outside_list *l, const struct diag_sock *s)
{
	return s->cookie == l->own || (h->call.call == SNAG_CALL_connect && s->peer.port &&
				       s->peer.port == h->out.local.port);
}

/* The sockets that a prediction stands on, as a number that tells two moments apart: who is there, in what state, and
 * whether somebody has accepted it. */
static uint64_t sum_of(const struct hook *h, const struct outside_list *l)
{
	uint64_t sum = 1;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag_sock *s = &l->sock[i];
		if (is_own(h, l, s))
			sum -= is_queued(s);
		else
			sum += (s->cookie << 8 | s->state << 1 | !s->inode) * 0x9e3779b97f4a7c15ull;
		sum += s->queue_len;
	}
	return sum;
}

/* What the model can place: a socket of the session, or what one left behind. */
static bool is_known(const struct hook *h, const struct outside_list *l, const struct diag_sock *s)
{
	struct sock_ref r = s->cookie == l->own ? h->ref : sock_find(&session, s->cookie);
	uint32_t sock = r.sock;
	if (sock && s->inode)
		model_told_owner(engine.model, sock, r.serial, s->uid);
	if (sock && s->proto == SNAG_PROTO_TCP && s->state != DIAG_BOUND)
		model_told(engine.model, sock, s->state, h->call.start_ns);
	return sock || (s->proto == SNAG_PROTO_TCP && !s->inode &&
			model_told_bare(engine.model, &s->local, &s->peer, s->state, s->left_ms, h->call.start_ns));
}

static bool is_listed(void *arg, const struct snag_addr *local, const struct snag_addr *peer)
{
	const struct outside_list *l = arg;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag_sock *s = &l->sock[i];
		if (s->local.port == local->port && s->peer.port == peer->port && addr_equal_ip(&s->peer, peer) &&
		    addr_equal_ip(&s->local, local))
			return true;
	}
	return false;
}

static uint32_t listener_at(const struct snag_addr *to)
{
	uint32_t listener, silent;
	return listener_for(engine.model, NULL, to, &listener, &silent) == LISTENER_NONE ? 0 : listener;
}

static void tell_length(struct snag_call *c, const struct diag_sock *s)
{
	c->queue = (int32_t)s->queue_len;
	c->queue_max = (int32_t)s->queue_limit;
	c->facts |= SNAG_FACT_QUEUE;
}

/* The only listener that may get the SYN is a stranger: whose SYN queue a half-open request on the port stands in nobody
 * tells. */
static void tell_strangers_queue(struct snag_call *c, const struct outside_list *l, const struct snag_addr *to)
{
	const struct bind_claim syn = { .addr = *to, .domain = to->family };
	const struct diag_sock *only = NULL;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag_sock *s = &l->sock[i];
		struct model_foreign f = foreign_of(s);
		struct bind_claim old = foreign_claim(&f);
		if (is_request(s))
			return;
		if (s->state != TCP_LISTEN || !bind_addresses_meet(&syn, &old))
			continue;
		if (only || sock_find(&session, s->cookie).sock)
			return;
		only = s;
	}
	if (only)
		tell_length(c, only);
}

/* connect: the queues of the listener that gets the SYN. */
static void tell_queue(struct hook *h, const struct outside_list *l)
{
	struct snag_call *c = &h->call;
	const struct model_sock *m = model_peek(engine.model, c->sock, c->serial);
	struct snag_addr to = m ? route_meant(&m->local, &l->at) : l->at;
	uint32_t listener = listener_at(&to);
	c->syn_queue = 0;
	for (uint32_t i = 0; listener && i < l->n; i++) {
		const struct diag_sock *s = &l->sock[i];
		if (is_request(s)) {
			c->syn_queue += listener_at(&s->local) == listener;
		} else if (s->state == TCP_LISTEN && sock_find(&session, s->cookie).sock == listener) {
			tell_length(c, s);
		}
	}
	if (!listener)
		tell_strangers_queue(c, l, &to);
}

void outside_enter(struct hook *h, const struct outside_list *l)
{
	bool whole = !l->cut && l->version == port_version(engine.model, port_chain(l->proto, &l->at));
	model_foreign_clear(engine.model, l->proto, l->at.port);
	for (uint32_t i = 0; i < l->n && whole; i++) {
		const struct diag_sock *s = &l->sock[i];
		struct model_foreign f = foreign_of(s);
		if (is_known(h, l, s) || is_request(s))	/* which holds no port */
			continue;
		whole = model_foreign_add(engine.model, &f);
	}
	if (whole && l->proto == SNAG_PROTO_TCP)
		model_told_all(engine.model, l->at.port, is_listed, (void *)l);
	if (whole)
		h->call.facts |= SNAG_FACT_WHOLE;
	if (whole && h->call.call == SNAG_CALL_connect && l->proto == SNAG_PROTO_TCP)
		tell_queue(h, l);
	h->stood = sum_of(h, l);
	h->stood_version = l->version;
}

/* ---- afterwards ---- */

bool outside_raced(struct hook *h)
{
	struct outside_list *l = h->stood ? outside_ask(h) : NULL;
	bool raced = l && (l->version != h->stood_version || sum_of(h, l) != h->stood);
	outside_free(l);
	return raced;
}

/* Who is in the way first: certainly, then who listens, then whoever a descriptor means. */
static const struct diag_sock *worst(const struct outside_list *l, const struct bind_claim *new)
{
	const struct diag_sock *best = NULL;
	unsigned most = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct diag_sock *s = &l->sock[i];
		struct model_foreign f = foreign_of(s);
		struct bind_claim old = foreign_claim(&f);
		unsigned weight = (unsigned)bind_conflict(new, &old) * 4;
		if (s->cookie == l->own || !weight)
			continue;
		weight += (s->state == TCP_LISTEN) * 2 + (s->inode != 0);
		if (weight > most) {
			most = weight;
			best = s;
		}
	}
	return best;
}

/* A process of the session: its socket is not foreign, the model has only lost sight of it. */
static bool is_ours(uint32_t pid)
{
	struct proc p;
	for (uint32_t i = 1; i <= SNAG_PROCS; i++)
		if (proc_get(&session, i, &p) && p.state == PROC_ALIVE && p.pid == pid)
			return true;
	return false;
}

static void name_owner(const struct owner *o, struct engine_holder *h)
{
	size_t len = strnlen(o->exe, sizeof(o->exe)), cut = len < sizeof(h->exe) ? 0 : len - sizeof(h->exe) + 1;
	memset(h, 0, sizeof(*h));
	h->pid = o->pid;
	h->fd = o->fd;
	h->others = o->others < UINT8_MAX ? (uint8_t)o->others : UINT8_MAX;
	memcpy(h->comm, o->comm, sizeof(h->comm));
	memcpy(h->exe, o->exe + cut, len - cut);
}

static void adopt(struct hook *h, const struct diag_sock *s)
{
	struct model_foreign f = foreign_of(s);
	struct session_guard g;
	if (!self_lock(&g))
		return;
	if (!sock_find(&session, s->cookie).sock) {
		if (!(h->call.facts & SNAG_FACT_WHOLE))
			model_foreign_clear(engine.model, f.proto, f.local.port);
		model_foreign_add(engine.model, &f);
	}
	self_unlock(&g);
}

void outside_explain(struct hook *h, struct engine_holder *who)
{
	const struct snag_call *c = &h->call;
	const struct model_sock *m = model_peek(engine.model, c->sock, c->serial);
	uint32_t holder = m ? engine_in_the_way(&engine, c, &h->plan) : 0;
	struct outside_list *l;
	struct owner o = { 0 };
	if (!m || (holder && !foreign_is(holder)) || !(l = outside_ask(h)))
		return;
	struct bind_claim new = port_claim(m, c->start_ns);
	new.addr = l->at;
	new.vague = false;
	const struct diag_sock *s = worst(l, &new);
	bool owned = s && owner_find(s->inode, &o);
	if (s && !(owned && is_ours(o.pid))) {
		adopt(h, s);
		if (owned) {
			name_owner(&o, who);
			found = who;
		}
	}
	outside_free(l);
}

bool outside_owner(struct engine_holder *out)
{
	if (!found)
		return false;
	*out = *found;
	return true;
}

void outside_done(void)
{
	found = NULL;
}
