/* warn.c - rules that can never match or fire, and what is not as it seems. Warnings only: each of them is certain,
 * none is needed for a policy to work. */
#include "kind.h"
#include "language.h"
#include "policy.h"
#include "type.h"

#include <base/base.h>
#include <base/calls.h>
#include <snag/state.h>
#include <string.h>
#include <sys/socket.h>

/* ---- match: keys that contradict each other ---- */

/* The key that a predicate was written under: it may stand in a list there. */
static const char *key_text(const struct predicate *m)
{
	const struct node *n = m->node;

	while (n && !n->key)
		n = n->parent;
	return n ? n->key->text : "match";
}

static bool warn_kinds(struct diags *d, const struct policy_rule *r, unsigned k)
{
	unsigned left = KIND_ALL;

	for (unsigned i = 0; i < r->n_match; i++) {
		const struct predicate *m = &r->match[i];
		if (!policy_counts(m, k))
			continue;
		unsigned kinds = kind_of(m);
		if (left & kinds) {
			left &= kinds;
			continue;
		}
		for (unsigned j = 0; j < i; j++) {
			if (policy_counts(&r->match[j], k) && !(kind_of(&r->match[j]) & kinds)) {
				diag_warn(d, m->node, "can never match: contradicts %s", key_text(&r->match[j]));
				return true;
			}
		}
		diag_warn(d, m->node, "can never match: contradicts the keys before it");
		return true;
	}
	return false;
}

/* What a socket is when a call on it can succeed. What connects or listens now may have been anything before. */
#define BIT(n) (1u << (n))
static const struct {
	const char *group;
	unsigned roles, states, kinds; /* 0: any */
	bool no_peer, no_socket, no_queue;
} possible[] = {
	{"accept", BIT(SNAG_ROLE_LISTENER), BIT(SNAG_STATE_LISTEN), KIND_TCP | KIND_UNIX, true, false, false},
	{"listen", 0, BIT(SNAG_STATE_CLOSED) | BIT(SNAG_STATE_BOUND) | BIT(SNAG_STATE_LISTEN), KIND_TCP | KIND_UNIX,
	 true, false, false},
	{"connect", 0, 0, 0, false, false, true},
	{"bind", 0, 0, 0, true, false, true},
	{"socket", 0, 0, 0, true, true, true},
	{"socketpair", 0, 0, 0, true, true, true},
};

static const char FAILS[] = "fails on such a socket anyway";

/* Is there a socket at all for keys to look at? Calls on processes have none. */
static bool key_needs_socket(unsigned key)
{
	return key <= RULE_KEY_OWN_PORT || key == RULE_KEY_PATH || key == RULE_KEY_ROLE || key == RULE_KEY_STATE ||
	       key == RULE_KEY_QUEUE || key == RULE_KEY_TIME_WAIT || key == RULE_KEY_BLOCKING;
}

/* Why no such call can meet the predicate, or only one that fails anyway; NULL: one can. */
static const char *impossible_for(const struct predicate *m, unsigned call)
{
	const struct call_row *row = call_row(call);
	unsigned key = rules_key_at(m->key, call), asked = 0;

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
		if (possible[i].no_queue && key == RULE_KEY_QUEUE)
			return "is made on no listener";
		if (possible[i].kinds && !(possible[i].kinds & kind_of(m)))
			return FAILS;
		asked = key == RULE_KEY_ROLE ? possible[i].roles : key == RULE_KEY_STATE ? possible[i].states : 0;
	}
	for (unsigned i = 0; i < m->n && asked; i++)
		if (asked & BIT(m->values[i].lo))
			return NULL;
	return asked ? FAILS : NULL;
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
			diag_warn(d, r->match[i].node, "%s: %s %s", why == FAILS ? "is of no use" : "can never match",
				  name, why);
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
	const struct predicate *exe = policy_match(r, RULE_KEY_EXE), *comm = policy_match(r, RULE_KEY_COMM);

	if (match && object_has(match, KEY_match_side) && !object_has(match, KEY_match_addr) &&
	    !object_has(match, KEY_match_port) && !object_has(match, KEY_match_endpoint))
		diag_warn(d, object_at(match, KEY_match_side), "says nothing without addr, port or endpoint");
	for (unsigned i = 0; exe && i < exe->n; i++)
		if (strchr(exe->values[i].text, '/'))
			diag_warn(d, exe->values[i].node, "can never match: exe is a base name, without folders");
	for (unsigned i = 0; comm && i < comm->n; i++)
		if (strlen(comm->values[i].text) >= sizeof(((struct snag_who *)NULL)->comm))
			diag_warn(d, comm->values[i].node,
				  "the kernel keeps 15 bytes of a comm; only that many are compared");
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

/* Bytes are counted on a connection: which has moved none before these. */
static void warn_bytes(struct diags *d, const struct policy_rule *r)
{
	static const unsigned keys[] = {KEY_when_bytes_sent, KEY_when_bytes_received};
	const struct object *w = object_sub(r->object, KEY_rule_when);
	const char *name = NULL;

	for (unsigned c = SNAG_CALLS - 1; w && c; c--) {
		if (!policy_covers(r, c))
			continue;
		name = call_row(c)->group;
		if (call_has(c, SNAG_TRAIT_FD) && !words_have("bind listen accept connect", name))
			return;
	}
	for (size_t i = 0; name && i < ARRAY_LEN(keys); i++)
		if (object_num(w, keys[i], 0))
			diag_warn(d, object_at(w, keys[i]), "never fires: no byte has been moved before %s", name);
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

/* count_per: listener speaks of the socket that a call is made on. */
static void warn_listener(struct diags *d, const struct policy_rule *r)
{
	const struct object *w = object_sub(r->object, KEY_rule_when);
	const char *name = NULL;

	if (!w || object_num(w, KEY_when_count_per, RULE_PER_RULE) != RULE_PER_LISTENER)
		return;
	for (unsigned c = SNAG_CALLS - 1; c; c--) {
		bool listener = !call_has(c, SNAG_TRAIT_PROC);
		for (size_t i = 0; i < ARRAY_LEN(possible) && listener; i++)
			listener = !possible[i].no_queue || strcmp(possible[i].group, call_row(c)->group) != 0;
		if (policy_covers(r, c) && listener)
			return;
		if (policy_covers(r, c))
			name = call_row(c)->group;
	}
	if (name)
		diag_warn(d, object_at(w, KEY_when_count_per),
			  "%s is made on no listener; did you mean socket, or process?", name);
}

/* ---- do ---- */

/* A delay holds up the thread, also where the program asked not to wait. */
static void warn_delay(struct diags *d, const struct policy_rule *r)
{
	const struct predicate *blocking = policy_match(r, RULE_KEY_BLOCKING);
	bool waits = false;

	for (unsigned c = 1; c < SNAG_CALLS; c++)
		waits |= policy_covers(r, c) && call_has(c, SNAG_TRAIT_BLOCK);
	if (!blocking || blocking->values[0].lo || !waits)
		return;
	for (unsigned i = 0; i < r->n_steps; i++)
		if (object_has(r->steps[i].what, KEY_do_delay))
			diag_warn(d, object_at(r->steps[i].what, KEY_do_delay),
				  "the thread itself waits in a non-blocking call; hold (accept) and stall (recv, "
				  "send) let readiness come late instead");
}

/* Can a call of the rule have such a socket, as far as the rule's keys tell? */
static bool may_answer(const struct policy_rule *r, struct answers a)
{
	const struct predicate *blocking = policy_match(r, RULE_KEY_BLOCKING);
	unsigned kinds = kind_of_rule(r);

	if (a.wait && blocking && !blocking->values[0].lo != (a.wait == ANSWERS_NONBLOCKING))
		return false;
	return !kinds || kinds & kind_of_protos(a.protos); /* none: it never matches, which was said */
}

/* KEYS_do: there is none. */
static unsigned terminal_key(const struct object *what)
{
	unsigned key = 0;

	while (key < KEYS_do && (!object_has(what, key) || (table_do.fields[key].flags & FIELD_PARAM) ||
				 !language_terminal(language_action(key))))
		key++;
	return key;
}

/* An errno of one action that none of the rule's calls can answer. */
static void warn_answers(struct diags *d, const struct policy_rule *r, const struct object *what)
{
	static const char *const waits[] = {"", " on a blocking socket", " on a non-blocking socket"};
	unsigned key = terminal_key(what);
	struct answers last = {~0u, ANSWERS_ANY, false};
	const char *name = NULL;

	for (unsigned c = SNAG_CALLS - 1; c; c--) {
		if (!policy_covers(r, c))
			continue;
		last = policy_answers(what, c);
		name = call_row(c)->group;
		if (may_answer(r, last))
			return;
	}
	if (!name || key == KEYS_do)
		return;
	const char *on = last.protos == ~0u ? "" : last.protos >> SNAG_PROTO_UNIX & 1 ? " over tcp or unix" : " over tcp";
	diag_warn(d, object_at(what, key), "never fires: %s fits %s%s%s only",
		  key == KEY_do_errno ? object_text(what, key) : table_do.fields[key].key, name, on,
		  waits[last.wait]);
}

/* ---- the whole ---- */

/* The sections that the mode leaves out, and the lowest mode that would not. */
static void warn_mode(struct policy *p)
{
	static const struct {
		unsigned key;
		uint32_t mode;
		const char *name;
	} sections[] = {
		{KEY_policy_kernel, SNAG_MODE_ENFORCE, "kernel"},
		{KEY_policy_occupy, SNAG_MODE_INJECT, "occupy"},
		{KEY_policy_rules, SNAG_MODE_INJECT, "rules"},
	};
	const struct node *at = object_at(p->top, KEY_policy_mode);
	const char *ignored = "", *wanted = "";
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(sections); i++) {
		if (p->mode >= sections[i].mode || !object_has(p->top, sections[i].key))
			continue;
		ignored = n++ ? arena_printf(p->diags->arena, "%s and %s", ignored, sections[i].name)
			      : sections[i].name;
		wanted = sections[i].mode == SNAG_MODE_INJECT ? "inject" : "enforce";
	}
	if (at && n)
		diag_warn(p->diags, at, "%s ignores %s; mode: %s carries %s out", object_text(p->top, KEY_policy_mode),
			  ignored, wanted, strcmp(wanted, "inject") == 0 ? "them" : "it");
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
		warn_bytes(p->diags, r);
		warn_arrival(p->diags, r);
		warn_listener(p->diags, r);
		warn_delay(p->diags, r);
		for (unsigned j = 0; j < r->n_steps; j++)
			warn_answers(p->diags, r, r->steps[j].what);
		warn_shadow(p, i);
	}
}
