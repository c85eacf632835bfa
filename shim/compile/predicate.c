/* predicate.c - `match` with its endpoints to predicates of the image. */
#include "language.h"
#include "policy.h"

#include <base/base.h>
#include <string.h>

static const struct {
	unsigned match, key; /* KEY_match_..., enum rule_key */
} plain_keys[] = {
	{KEY_match_proto, RULE_KEY_PROTO},	   {KEY_match_family, RULE_KEY_FAMILY},
	{KEY_match_path, RULE_KEY_PATH},	   {KEY_match_exe, RULE_KEY_EXE},
	{KEY_match_comm, RULE_KEY_COMM},	   {KEY_match_pid, RULE_KEY_PID},
	{KEY_match_user, RULE_KEY_USER},	   {KEY_match_role, RULE_KEY_ROLE},
	{KEY_match_state, RULE_KEY_STATE},	   {KEY_match_queue, RULE_KEY_QUEUE},
	{KEY_match_time_wait, RULE_KEY_TIME_WAIT}, {KEY_match_blocking, RULE_KEY_BLOCKING},
	{KEY_match_caller, RULE_KEY_CALLER},
};

static void add(struct policy_rule *r, unsigned key, const struct slot *s)
{
	if (s->n)
		r->match[r->n_match++] = (struct predicate){key, s->n, s->values, s->node, 0};
}

/* The side that addr and port speak of where none is said: connect's is the peer's, all others' the local one. OWN: the
 * rule covers both kinds of calls. */
static unsigned default_side(const struct policy_rule *r)
{
	bool connects = policy_covers(r, SNAG_CALL_connect), others = false;

	for (unsigned c = 1; c < SNAG_CALLS; c++)
		others |= c != SNAG_CALL_connect && policy_covers(r, c);
	return connects && others ? SIDE_OWN : connects ? SIDE_PEER : SIDE_LOCAL;
}

/* addr and port of `match` or an endpoint. */
static void add_address(struct policy_rule *r, unsigned side, const struct slot *addr, const struct slot *port)
{
	static const struct {
		unsigned addr, port;
	} keys[] = {
		[SIDE_LOCAL] = {RULE_KEY_LOCAL_ADDR, RULE_KEY_LOCAL_PORT},
		[SIDE_PEER] = {RULE_KEY_PEER_ADDR, RULE_KEY_PEER_PORT},
		[SIDE_OWN] = {RULE_KEY_OWN_ADDR, RULE_KEY_OWN_PORT},
	};

	if (side == SIDE_OWN)
		side = default_side(r);
	add(r, keys[side].addr, addr);
	add(r, keys[side].port, port);
}

/* ---- endpoints ---- */

/* What one endpoint says; false: nothing. It stands in the rule at the name. */
static bool add_endpoint(struct policy_rule *r, const struct object *e, unsigned side, const struct node *name,
			 unsigned alternative)
{
	unsigned first = r->n_match;

	add_address(r, (unsigned)object_num(e, KEY_endpoint_side, side), &e->slots[KEY_endpoint_addr],
		    &e->slots[KEY_endpoint_port]);
	add(r, RULE_KEY_PROTO, &e->slots[KEY_endpoint_proto]);
	add(r, RULE_KEY_PATH, &e->slots[KEY_endpoint_path]);
	for (unsigned i = first; i < r->n_match; i++) {
		r->match[i].node = name;
		r->match[i].alternative = alternative;
	}
	return r->n_match > first;
}

/* Several are alternatives. Where one of them says nothing every call is met, whatever the others say. */
static void add_endpoints(struct policy *p, struct policy_rule *r, const struct slot *names, unsigned side)
{
	struct arena *a = p->diags->arena;
	unsigned first = r->n_match;
	bool all_speak = true;

	for (unsigned i = 0; i < names->n; i++) {
		const struct value *v = &names->values[i];
		const struct object *e = policy_endpoint(p, v->text);
		if (e)
			all_speak &= add_endpoint(r, e, side, v->node, names->n > 1 ? i + 1 : 0);
		else
			diag_error(p->diags, v->node, "no endpoint %s%s", diag_quote(a, v->text),
				   suggest_hint(a, v->text, policy_endpoint_name, p));
	}
	if (!all_speak)
		r->n_match = first;
}

void predicate_resolve(struct policy *p, struct policy_rule *r)
{
	const struct object *match = object_sub(r->object, KEY_rule_match);

	if (!match)
		return;
	const struct slot *names = &match->slots[KEY_match_endpoint];
	unsigned side = (unsigned)object_num(match, KEY_match_side, SIDE_OWN);
	size_t most = KEYS_match + names->n * (size_t)KEYS_endpoint;
	r->match = arena_alloc(p->diags->arena, most * sizeof(*r->match));
	add_address(r, side, &match->slots[KEY_match_addr], &match->slots[KEY_match_port]);
	for (unsigned i = 0; i < ARRAY_LEN(plain_keys); i++)
		add(r, plain_keys[i].key, &match->slots[plain_keys[i].match]);
	add_endpoints(p, r, names, side);
}
