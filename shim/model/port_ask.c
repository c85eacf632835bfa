/* port_ask.c - is anybody in the way on a port? */
#include "port.h"
#include "bucket.h"
#include "foreign.h"
#include "range.h"
#include "record.h"
#include "traffic.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

#define ACK_NS (250 * NSEC_PER_MSEC)	/* a delayed acknowledgement is out by then: TCP_DELACK_MAX */

struct bind_claim port_claim(const struct model_sock *r, uint64_t now_ns)
{
	bool orphan = r->until_ns && r->state == SNAG_STATE_FIN_WAIT;
	bool fresh = now_ns < r->since_ns + ACK_NS;

	return (struct bind_claim){
		.addr = r->local,
		.domain = r->domain,
		.options = r->options,
		.listening = r->state == SNAG_STATE_LISTEN,
		.time_wait = r->state == SNAG_STATE_TIME_WAIT || (orphan && !fresh),
		.closing = orphan && fresh,
		.vague = r->flags & MODEL_VAGUE,
		.device = r->device,
		.uid = r->uid,
	};
}

#define FIRST_RETRY_NS (900 * NSEC_PER_MSEC)	/* TCP_TIMEOUT_INIT is a second: until then nothing happens to a SYN */

bool port_may_be_gone(const struct model_sock *r, uint64_t now_ns)
{
	return (r->flags & MODEL_DOUBT) || (r->state == SNAG_STATE_SYN_SENT && now_ns > r->since_ns + FIRST_RETRY_NS);
}

bool port_may_be_free(const struct model_sock *r, uint64_t now_ns)
{
	if ((r->flags & MODEL_EXPLICIT) || r->state == SNAG_STATE_BOUND || r->state == SNAG_STATE_LISTEN)
		return false;
	return !(r->flags & MODEL_EXACT) || port_may_be_gone(r, now_ns);
}

/* ---- is anybody in the way? ---- */

/* A closed one may be gone, or certainly is. */
static enum bind_answer aged(const struct model_sock *r, uint64_t now_ns, enum bind_answer answer)
{
	if (answer == BIND_FREE || !r->until_ns || r->state == SNAG_STATE_LISTEN || now_ns < r->until_ns)
		return answer;
	return now_ns < r->until_ns + record_late_ns(r) ? BIND_UNSURE : BIND_FREE;
}

static void worse(enum bind_answer *so_far, enum bind_answer a, uint32_t *holder, uint32_t sock)
{
	if (a > *so_far) {
		*so_far = a;
		*holder = sock;
	}
}

typedef enum bind_answer rule_fn(const struct bind_claim *new, const struct bind_claim *old);

#define COUNTED_STEPS 64

/* Connections that are only counted: the last ones that came are looked at, at most COUNTED_STEPS; with more of them the
 * answer is unsure. All on one listener claim the same. */
static enum bind_answer ask_counted(const struct model *m, uint32_t self, const struct bind_claim *new, rule_fn *rule,
				    uint64_t now_ns, uint32_t *holder)
{
	const struct model_traffic *t = &m->traffic[new->addr.port];
	uint32_t open = load_relaxed(&t->open), at = load_relaxed(&t->last), seen = 0;
	const struct model_sock *r;

	for (int i = 0; i < COUNTED_STEPS && seen < open && (r = record_of(m, at, 0)) && !model_is_bare(at); i++) {
		struct bind_claim old = port_claim(r, now_ns);
		if (!(r->flags & MODEL_COUNTED) || r->local.port != new->addr.port)
			break;
		seen++;
		if (at != self && record_holds(r) && rule(new, &old) != BIND_FREE) {
			*holder = at;
			return BIND_UNSURE;
		}
		at = load_relaxed(&r->next);
	}
	return seen < open ? BIND_UNSURE : BIND_FREE;
}

/* TCP: whoever is in the way, is. */
static enum bind_answer ask_tcp(const struct model *m, uint32_t self, const struct bind_claim *new, rule_fn *rule,
				uint64_t now_ns, uint32_t *holder)
{
	enum bind_answer answer = BIND_FREE;
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_TCP, &new->addr));
	while (answer != BIND_CONFLICT && (r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r, now_ns);
		enum bind_answer a;
		if (at == self && r->twin_next)
			at = r->twin_next;
		else if (at == self)
			continue;
		if (!record_holds(r) || r->proto != SNAG_PROTO_TCP)
			continue;
		a = aged(r, now_ns, rule(new, &old));
		worse(&answer, a == BIND_CONFLICT && port_may_be_free(r, now_ns) ? BIND_UNSURE : a, holder, at);
	}
	if (answer == BIND_FREE)
		answer = ask_counted(m, self, new, rule, now_ns, holder);
	return answer;
}

static enum bind_answer ask_tcp_named(const struct model *m, uint32_t self, const struct bind_claim *new,
				      uint64_t now_ns, uint32_t *holder)
{
	enum bind_answer answer = ask_tcp(m, self, new, bind_conflict, now_ns, holder), skipped;

	if (answer == BIND_FREE)
		return answer;
	skipped = bucket_asked(m, new);
	return skipped < answer ? skipped : answer;
}

/* UDP, udp_lib_lport_inuse(): the first in the chain that overlaps and is not excused by REUSEADDR decides. */
static enum bind_answer ask_udp(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
				uint64_t now_ns, uint32_t *holder)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(proto, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r, now_ns);
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

/* unix_abstract_hash() (net/unix/af_unix.c): each type of socket has abstract names of its own. */
static bool name_apart(const struct model *m, uint32_t self, uint32_t other)
{
	const struct model_sock *a = record_of(m, self, 0), *b = record_of(m, other, 0);
	uint16_t len;
	const char *path = model_path(m, other, &len);

	return a && b && a->type != b->type && path && !path[0];
}

static enum bind_answer ask_unix(const struct model *m, uint32_t self, const struct bind_claim *new, uint32_t *holder)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(SNAG_PROTO_UNIX, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		if (at == self || memcmp(&r->local, &new->addr, sizeof(r->local)) || name_apart(m, self, at))
			continue;
		*holder = at;
		return BIND_CONFLICT;
	}
	return BIND_FREE;
}

enum bind_answer port_ask(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			  uint64_t now_ns, uint32_t *holder)
{
	enum bind_answer answer;
	uint32_t foreign = 0;

	*holder = 0;
	if (proto == SNAG_PROTO_UNIX)
		return ask_unix(m, self, new, holder);
	if (!new->addr.port)
		return BIND_FREE;
	answer = snag_is_udp(proto) ? ask_udp(m, proto, self, new, now_ns, holder)
				    : ask_tcp_named(m, self, new, now_ns, holder);
	if (answer != BIND_CONFLICT && load_relaxed(&m->foreign_high)) {
		enum bind_answer outside = foreign_ask(m, proto, new, &foreign);
		worse(&answer, outside, holder, foreign);
	}
	return answer;
}

/* ---- the kernel chooses ---- */

struct choice {
	const struct model *m;
	uint32_t self;
	struct bind_claim new;
	uint64_t now_ns;
	rule_fn *rule;
	uint8_t proto;
};

/* inet_csk_find_open_port(): nobody is shared with. */
static enum bind_answer choose_tcp(void *arg, uint16_t port)
{
	struct choice *c = arg;
	uint32_t holder;

	c->new.addr.port = port;
	return ask_tcp(c->m, c->self, &c->new, c->rule, c->now_ns, &holder);
}

/* udp_lib_lport_inuse() with a bitmap: any that is in the way takes the port off the list. */
static enum bind_answer choose_udp(void *arg, uint16_t port)
{
	struct choice *c = arg;
	enum bind_answer answer = BIND_FREE, a;
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	c->new.addr.port = port;
	port_walk_begin(&w, c->m, port_chain(c->proto, &c->new.addr));
	while (answer != BIND_CONFLICT && (r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r, c->now_ns);
		a = at == c->self || !record_holds(r) ? BIND_FREE : bind_conflict(&c->new, &old);
		answer = a > answer ? a : answer;
	}
	return answer;
}

enum bind_answer port_ask_any(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			      const struct model_machine *machine, uint64_t now_ns)
{
	struct choice c = {m, self, *new, now_ns, bind_overlap, proto};
	struct port_range range = range_of(m, machine, record_of(m, self, 0));
	bool reuse = new->options & SNAG_OPTION_REUSEADDR;
	enum bind_answer strict, relaxed;

	if (snag_is_udp(proto))
		return range_all(&range, choose_udp, &c);
	if (!reuse)
		return range_in_twos(&range, choose_tcp, &c);
	strict = range_in_halves(&range, choose_tcp, &c);
	if (strict == BIND_FREE || !machine->autobind_reuse)
		return strict;
	c.rule = bind_relaxed;
	relaxed = range_in_halves(&range, choose_tcp, &c);
	return relaxed < strict ? relaxed : strict;
}

enum bind_answer port_held(const struct model *m, uint16_t port, uint32_t self, uint64_t now_ns,
			   enum bind_answer *named)
{
	enum bind_answer answer = load_relaxed(&m->traffic[port].open) ? BIND_UNSURE : BIND_FREE;
	const struct model_sock *r;
	struct port_walk w;
	uint8_t options;
	uint32_t at;

	*named = BIND_FREE;
	if (traffic_lingers(m, port, now_ns, &options))
		answer = BIND_UNSURE;
	port_walk_begin(&w, m, port ? port : PORT_NONE);
	while ((r = port_walk_next(&w, &at))) {
		enum bind_answer a;
		if ((at == self && !r->twin_next) || !record_holds(r))
			continue;
		a = aged(r, now_ns, port_may_be_free(r, now_ns) ? BIND_UNSURE : BIND_CONFLICT);
		answer = a > answer ? a : answer;
		if (r->overlooked && a == BIND_CONFLICT)
			a = BIND_UNSURE;
		if (!(r->flags & MODEL_BY_CONNECT))
			*named = a > *named ? a : *named;
	}
	return answer;
}

/* __inet_bhash2_update_saddr(), __inet_inherit_port() (net/ipv4/inet_hashtables.c): the address is another than was bound,
 * and what the port remembers of that address stays. Where only connect() has chosen there, inet_bind_bucket_destroy()
 * finds nobody who was bound, as soon as somebody else leaves the port. */
void port_moved(struct model *m, uint32_t sock)
{
	struct model_sock *self = record_at(m, sock, 0);
	const struct model_sock *r;
	bool chosen = false, bound = false;
	struct port_walk w;
	uint32_t at;

	if (!self)
		return;
	port_walk_begin(&w, m, self->local.port ? self->local.port : PORT_NONE);
	while ((r = port_walk_next(&w, &at))) {
		if ((at == sock && !r->twin_next) || !record_holds(r) || !addr_equal_ip(&r->local, &self->local))
			continue;
		chosen |= r->overlooked || (r->flags & MODEL_BY_CONNECT);
		bound |= !r->overlooked && !(r->flags & MODEL_BY_CONNECT);
	}
	self->overlooked = chosen && !bound;
}

void port_admitted(struct model *m, uint32_t sock, uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, sock, 0);
	struct bind_claim new;
	enum bind_answer named;

	if (!r || r->proto != SNAG_PROTO_TCP || !r->local.port)
		return;
	new = port_claim(r, now_ns);
	bucket_admitted(m, &new, port_held(m, r->local.port, sock, now_ns, &named));
}

uint32_t model_holder(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint8_t proto,
		      uint64_t now_ns)
{
	const struct model_sock *r = record_of(m, sock, 0);
	struct bind_claim new = r ? port_claim(r, now_ns) : (struct bind_claim){.domain = addr->family};
	uint32_t holder;

	if (r && r->elsewhere)
		return 0;
	new.addr = *addr;
	new.vague = false;
	port_ask(m, proto, sock, &new, now_ns, &holder);
	return holder;
}
