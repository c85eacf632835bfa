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
	if (s->n && r->n_match < PREDICATES_MAX)
		r->match[r->n_match++] = (struct predicate){key, s->n, s->values, s->node};
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

static const struct object *find_endpoint(const struct policy *p, const char *name)
{
	const struct slot *s = &p->top->slots[KEY_policy_endpoints];

	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->objects[i]->name, name) == 0)
			return s->objects[i];
	return NULL;
}

static const char *endpoint_candidate(const void *arg, unsigned i)
{
	const struct slot *s = arg;

	return i < s->n ? s->objects[i]->name : NULL;
}

static bool same_values(const struct slot *a, const struct slot *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(a->values[i].text, b->values[i].text) != 0)
			return false;
	return true;
}

/* Any of several endpoints is one set of predicates only where they differ in one key: `sum` then has all its values.
 * False: they differ in more. */
static bool join_endpoint(struct arena *a, struct object *sum, const struct object *more, unsigned *differs)
{
	for (unsigned key = 0; key < KEYS_endpoint; key++) {
		struct slot *to = &sum->slots[key];
		const struct slot *s = &more->slots[key];
		if (same_values(to, s))
			continue;
		if (key == KEY_endpoint_side || !to->n || !s->n || (*differs != KEYS_endpoint && *differs != key))
			return false;
		*differs = key;
		struct value *all = arena_alloc(a, (to->n + s->n) * sizeof(*all));
		memcpy(all, to->values, to->n * sizeof(*all));
		memcpy(all + to->n, s->values, s->n * sizeof(*all));
		to->values = all;
		to->n += s->n;
	}
	return true;
}

static void add_endpoint(struct policy *p, struct policy_rule *r, const struct slot *names,
			 unsigned match_side)
{
	struct arena *a = p->diags->arena;
	struct object sum = {.table = &table_endpoint, .slots = arena_alloc(a, KEYS_endpoint * sizeof(struct slot))};
	unsigned differs = KEYS_endpoint;

	for (unsigned i = 0; i < names->n; i++) {
		const struct value *v = &names->values[i];
		const struct object *e = find_endpoint(p, v->text);
		if (!e) {
			diag_error(p->diags, v->node, "no endpoint %s%s", diag_quote(a, v->text),
				   suggest_hint(a, v->text, endpoint_candidate, &p->top->slots[KEY_policy_endpoints]));
			return;
		}
		if (i == 0)
			memcpy(sum.slots, e->slots, KEYS_endpoint * sizeof(struct slot));
		else if (!join_endpoint(a, &sum, e, &differs))
			diag_error(p->diags, v->node,
				   "endpoints in one list may differ in one key only; write two rules");
	}
	for (unsigned key = 0; key < KEYS_endpoint; key++)
		if (sum.slots[key].n)
			sum.slots[key].node = names->node;
	add_address(r, (unsigned)object_num(&sum, KEY_endpoint_side, match_side), &sum.slots[KEY_endpoint_addr],
		    &sum.slots[KEY_endpoint_port]);
	add(r, RULE_KEY_PROTO, &sum.slots[KEY_endpoint_proto]);
	add(r, RULE_KEY_PATH, &sum.slots[KEY_endpoint_path]);
}

void predicate_resolve(struct policy *p, struct policy_rule *r)
{
	const struct object *match = object_sub(r->object, KEY_rule_match);

	if (!match)
		return;
	unsigned side = (unsigned)object_num(match, KEY_match_side, SIDE_OWN);
	if (object_has(match, KEY_match_endpoint))
		add_endpoint(p, r, &match->slots[KEY_match_endpoint], side);
	add_address(r, side, &match->slots[KEY_match_addr], &match->slots[KEY_match_port]);
	for (unsigned i = 0; i < ARRAY_LEN(plain_keys); i++)
		add(r, plain_keys[i].key, &match->slots[plain_keys[i].match]);
}
