/* warn_match.c - what a rule asks of sockets, against itself and against the calls that it covers. */
#include "kind.h"
#include "language.h"
#include "policy.h"

#include <base/base.h>
#include <base/calls.h>
#include <snag/state.h>
#include <string.h>
#include <sys/socket.h>

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

void warn_match(struct diags *d, const struct policy_rule *r)
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

void warn_listener(struct diags *d, const struct policy_rule *r)
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
