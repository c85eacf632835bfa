/* warn.c - rules that can never match or fire, and what is not as it seems. Warnings only: each of them is certain,
 * none is needed for a policy to work. */
#include "language.h"
#include "policy.h"
#include "type.h"

#include <base/base.h>
#include <base/calls.h>
#include <errno.h>
#include <snag/state.h>
#include <string.h>
#include <sys/socket.h>

/* ---- match: keys that contradict each other ---- */

/* What kinds of sockets are there? A key leaves some of them. */
enum kind { TCP4 = 1, TCP6 = 2, UDP4 = 4, UDP6 = 8, UNIX = 16, INET = TCP4 | TCP6 | UDP4 | UDP6, ALL = INET | UNIX };

static unsigned kinds_of_value(unsigned key, const struct value *v)
{
	switch (key) {
	case RULE_KEY_PROTO:
		return v->lo == SNAG_PROTO_TCP ? TCP4 | TCP6 : v->lo == SNAG_PROTO_UDP ? UDP4 | UDP6 : UNIX;
	case RULE_KEY_FAMILY:
		return v->lo == AF_INET ? TCP4 | UDP4 : v->lo == AF_INET6 ? TCP6 | UDP6 : UNIX;
	case RULE_KEY_PATH:
		return UNIX;
	case RULE_KEY_LOCAL_ADDR:
	case RULE_KEY_PEER_ADDR:
	case RULE_KEY_OWN_ADDR: /* an IPv4 address may be a mapped one of an IPv6 socket */
		return !v->any && v->net.family == AF_INET6 ? TCP6 | UDP6 : INET;
	case RULE_KEY_LOCAL_PORT:
	case RULE_KEY_PEER_PORT:
	case RULE_KEY_OWN_PORT:
		return INET;
	case RULE_KEY_QUEUE:
		return TCP4 | TCP6 | UNIX;
	case RULE_KEY_TIME_WAIT:
		return TCP4 | TCP6;
	default:
		return ALL;
	}
}

/* The key that a predicate was written under: it may stand in a list there. */
static const char *key_text(const struct predicate *m)
{
	const struct node *n = m->node;

	while (n && !n->key)
		n = n->parent;
	return n ? n->key->text : "match";
}

static unsigned kinds_of(const struct predicate *m)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < m->n; i++)
		kinds |= kinds_of_value(m->key, &m->values[i]);
	return kinds;
}

static bool warn_kinds(struct diags *d, const struct policy_rule *r, unsigned k)
{
	unsigned left = ALL;

	for (unsigned i = 0; i < r->n_match; i++) {
		const struct predicate *m = &r->match[i];
		if (!policy_counts(m, k))
			continue;
		unsigned kinds = kinds_of(m);
		if (left & kinds) {
			left &= kinds;
			continue;
		}
		for (unsigned j = 0; j < i; j++) {
			if (policy_counts(&r->match[j], k) && !(kinds_of(&r->match[j]) & kinds)) {
				diag_warn(d, m->node, "can never match: contradicts %s", key_text(&r->match[j]));
				return true;
			}
		}
		diag_warn(d, m->node, "can never match: contradicts the keys before it");
		return true;
	}
	return false;
}

/* What a socket can be when a call is made on it. */
#define BIT(n) (1u << (n))
static const struct {
	const char *group;
	unsigned roles, states; /* 0: any */
	bool no_peer, no_socket;
} possible[] = {
	{"accept", BIT(SNAG_ROLE_LISTENER), BIT(SNAG_STATE_LISTEN), true, false},
	{"listen", BIT(SNAG_ROLE_LISTENER), BIT(SNAG_STATE_CLOSED) | BIT(SNAG_STATE_BOUND) | BIT(SNAG_STATE_LISTEN),
	 true, false},
	{"connect", BIT(SNAG_ROLE_CLIENT), 0, false, false},
	{"bind", 0, 0, true, false},
	{"socket", 0, 0, true, true},
	{"socketpair", 0, 0, true, true},
};

/* Is there a socket at all for keys to look at? Calls on processes have none. */
static bool key_needs_socket(unsigned key)
{
	return key <= RULE_KEY_OWN_PORT || key == RULE_KEY_PATH || key == RULE_KEY_ROLE || key == RULE_KEY_STATE ||
	       key == RULE_KEY_QUEUE || key == RULE_KEY_TIME_WAIT || key == RULE_KEY_BLOCKING;
}

/* Why no such call can meet the predicate; NULL: one can. */
static const char *impossible_for(const struct predicate *m, unsigned call)
{
	const struct call_row *row = call_row(call);
	unsigned key = rules_key_at(m->key, call), roles = 0, states = 0;

	if ((row->traits & SNAG_TRAIT_PROC) &&
	    (key_needs_socket(key) || key == RULE_KEY_PROTO || key == RULE_KEY_FAMILY))
		return "is made on no socket";
	for (size_t i = 0; i < ARRAY_LEN(possible); i++) {
		if (strcmp(possible[i].group, row->group) != 0)
			continue;
		if (possible[i].no_socket && key_needs_socket(key))
			return "is made on no socket";
		if (possible[i].no_peer && (key == RULE_KEY_PEER_ADDR || key == RULE_KEY_PEER_PORT))
			return "knows of no peer beforehand";
		roles = possible[i].roles;
		states = possible[i].states;
	}
	unsigned asked = key == RULE_KEY_ROLE ? roles : key == RULE_KEY_STATE ? states : 0;
	for (unsigned i = 0; i < m->n && asked; i++)
		if (asked & BIT(m->values[i].lo))
			return NULL;
	return asked ? "is made on no such socket" : NULL;
}

static bool warn_calls(struct diags *d, const struct policy_rule *r, unsigned k)
{
	for (unsigned i = 0; i < r->n_match; i++) {
		const char *name = NULL, *why = NULL;
		bool any = !policy_counts(&r->match[i], k);
		for (unsigned c = SNAG_CALLS - 1; c && !any; c--) {
			if (!policy_covers(r, c))
				continue;
			name = call_row(c)->group;
			why = impossible_for(&r->match[i], c);
			any = !why;
		}
		if (!any && name) {
			diag_warn(d, r->match[i].node, "can never match: %s %s", name, why);
			return true;
		}
	}
	return false;
}

static bool is_empty(const struct predicate *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->values[i].lo <= m->values[i].hi)
			return false;
	return true;
}

static bool share_a_port(const struct predicate *a, const struct predicate *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned j = 0; j < b->n; j++)
			if (a->values[i].lo <= b->values[j].hi && b->values[j].lo <= a->values[i].hi)
				return true;
	return false;
}

/* Ranges that are empty, or that two predicates on one thing do not share. */
static bool warn_ranges(struct diags *d, const struct policy_rule *r, unsigned k)
{
	for (unsigned i = 0; i < r->n_match; i++) {
		const struct predicate *m = &r->match[i];
		if (!policy_is_port(m->key) || !policy_counts(m, k))
			continue;
		if (is_empty(m)) {
			diag_warn(d, m->values[0].node, "can never match: the range of ports is empty");
			return true;
		}
		for (unsigned j = 0; j < i; j++) {
			const struct predicate *other = &r->match[j];
			if (other->key != m->key || !policy_counts(other, k) || share_a_port(m, other))
				continue;
			diag_warn(d, m->node, "can never match: contradicts %s", key_text(other));
			return true;
		}
	}
	return false;
}

static bool warn_alternative(struct diags *d, const struct policy_rule *r, unsigned k)
{
	return warn_ranges(d, r, k) || warn_kinds(d, r, k) || warn_calls(d, r, k);
}

static void warn_match(struct diags *d, const struct policy_rule *r)
{
	const struct object *match = object_sub(r->object, KEY_rule_match);
	const struct predicate *exe = policy_match(r, RULE_KEY_EXE);

	if (match && object_has(match, KEY_match_side) && !object_has(match, KEY_match_addr) &&
	    !object_has(match, KEY_match_port) && !object_has(match, KEY_match_endpoint))
		diag_warn(d, object_at(match, KEY_match_side), "says nothing without addr, port or endpoint");
	for (unsigned i = 0; exe && i < exe->n; i++)
		if (strchr(exe->values[i].text, '/'))
			diag_warn(d, exe->values[i].node, "can never match: exe is a base name, without folders");
	if (warn_alternative(d, r, 0))
		return;
	for (unsigned k = 1; k <= policy_alternatives(r); k++)
		warn_alternative(d, r, k);
}

/* ---- when: rules that never fire ---- */

/* Does one of lo, lo+step, ... hi fall on a multiple of `every`? The remainders repeat after at most `every` of them.
 */
static bool meets(int64_t lo, int64_t hi, int64_t step, int64_t every)
{
	int64_t n = (hi - lo) / step + 1;

	if (n > every)
		n = every;
	for (int64_t i = 0; i < n && i < 1000000; i++)
		if ((lo + i * step) % every == 0)
			return true;
	return n > 1000000;
}

static bool warn_counts(struct diags *d, const struct object *w)
{
	const struct value *nth = object_has(w, KEY_when_nth) ? w->slots[KEY_when_nth].values : NULL;
	int64_t lo = nth ? nth->lo : 1, hi = nth ? nth->hi : UINT32_MAX, step = nth ? nth->step : 1;
	int64_t first = object_num(w, KEY_when_first, UINT32_MAX), every = object_num(w, KEY_when_every, 1);

	if (first < hi)
		hi = first;
	if (lo > hi)
		diag_warn(d, object_at(w, KEY_when_nth), "never fires: the first %lld matches end before it",
			  (long long)first);
	else if (!meets(lo, hi, step, every))
		diag_warn(d, object_at(w, KEY_when_every), "never fires: no such match is left by %s",
			  nth ? "nth" : "first");
	else
		return false;
	return true;
}

static void warn_when(struct diags *d, const struct policy_rule *r)
{
	const struct object *w = object_sub(r->object, KEY_rule_when);

	if (!w || warn_counts(d, w))
		return;
	const struct object *pulse = object_sub(w, KEY_when_pulse);
	int64_t after = object_num(w, KEY_when_after, 0);
	if (object_num(w, KEY_when_limit, 1) == 0)
		diag_warn(d, object_at(w, KEY_when_limit), "never fires: the limit is 0");
	else if (object_num(w, KEY_when_chance, 1) == 0)
		diag_warn(d, object_at(w, KEY_when_chance), "never fires: the chance is 0");
	else if (object_num(w, KEY_when_until, INT64_MAX) <= after)
		diag_warn(d, object_at(w, KEY_when_until), "never fires: until is not later than %s",
			  object_has(w, KEY_when_after) ? "after" : "the start");
	else if (pulse && object_num(pulse, KEY_pulse_active, 1) == 0)
		diag_warn(d, object_at(pulse, KEY_pulse_active), "never fires: it is active for no time");
}

/* Counts of the whole rule, over processes that run side by side. */
static void warn_arrival(struct diags *d, const struct policy_rule *r)
{
	static const unsigned process_keys[] = {RULE_KEY_EXE, RULE_KEY_COMM, RULE_KEY_PID};
	static const unsigned counts[] = {KEY_when_nth, KEY_when_first};
	const struct object *w = object_sub(r->object, KEY_rule_when);
	bool several = false;

	for (size_t i = 0; i < ARRAY_LEN(process_keys); i++)
		several |= policy_match(r, process_keys[i]) && policy_match(r, process_keys[i])->n > 1;
	if (!w || !several || object_num(w, KEY_when_count_per, RULE_PER_RULE) != RULE_PER_RULE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (object_has(w, counts[i]))
			diag_warn(d, object_at(w, counts[i]),
				  "counts over several processes follow their arrival, which no "
				  "seed fixes; count_per: process counts in each");
}

/* ---- do ---- */

/* On a non-blocking connect a delay is a late completion; on other calls that could wait it holds up the thread. */
static void warn_delay(struct diags *d, const struct policy_rule *r)
{
	const struct predicate *blocking = policy_match(r, RULE_KEY_BLOCKING);
	bool waits = false;

	for (unsigned c = 1; c < SNAG_CALLS; c++)
		waits |= policy_covers(r, c) && call_has(c, SNAG_TRAIT_BLOCK) && c != SNAG_CALL_connect;
	if (!blocking || blocking->values[0].lo || !waits)
		return;
	for (unsigned i = 0; i < r->n_steps; i++)
		if (object_has(r->steps[i].what, KEY_do_delay))
			diag_warn(d, object_at(r->steps[i].what, KEY_do_delay),
				  "the thread really waits in a non-blocking "
				  "call; hold (accept) and stall (recv, send) let readiness come late instead");
}

/* EINTR on accept fits blocking sockets only: on others no correct program would call again by itself. */
static void warn_eintr(struct diags *d, const struct policy_rule *r)
{
	const struct predicate *blocking = policy_match(r, RULE_KEY_BLOCKING);
	bool only_accept = true;

	for (unsigned c = 1; c < SNAG_CALLS; c++)
		if (policy_covers(r, c))
			only_accept &= strcmp(call_row(c)->group, "accept") == 0;
	if (!blocking || blocking->values[0].lo || !only_accept)
		return;
	for (unsigned i = 0; i < r->n_steps; i++)
		if (object_num(r->steps[i].what, KEY_do_errno, 0) == EINTR)
			diag_warn(d, object_at(r->steps[i].what, KEY_do_errno),
				  "never fires: EINTR fits an accept that blocks");
}

/* ---- the whole ---- */

static void warn_mode(struct policy *p)
{
	const struct node *at = object_at(p->top, KEY_policy_mode);

	if (at && p->mode < SNAG_MODE_INJECT && object_has(p->top, KEY_policy_rules))
		diag_warn(p->diags, at, "%s ignores rules; mode: inject carries them out",
			  object_text(p->top, KEY_policy_mode));
}

void warn_policy(struct policy *p)
{
	warn_mode(p);
	for (unsigned i = 0; i < p->n_rules; i++) {
		struct policy_rule *r = &p->rules[i];
		if (!r->n_steps)
			continue;
		warn_match(p->diags, r);
		warn_when(p->diags, r);
		warn_arrival(p->diags, r);
		warn_delay(p->diags, r);
		warn_eintr(p->diags, r);
		warn_shadow(p, i);
	}
}
