/* index.c - what can be known of a policy before the first call: which facts each call's rules ask for, and which ports
 * they speak of. */
#include "answers.h"
#include "rules.h"

#include <base/base.h>
#include <base/calls.h>
#include <string.h>

static const uint16_t key_facts[RULE_KEYS] = {
	[RULE_KEY_LOCAL_ADDR] = SNAG_FACT_LOCAL, [RULE_KEY_LOCAL_PORT] = SNAG_FACT_LOCAL,
	[RULE_KEY_STATE] = SNAG_FACT_TCP_STATE,	 [RULE_KEY_TIME_WAIT] = SNAG_FACT_TCP_STATE,
	[RULE_KEY_QUEUE] = SNAG_FACT_QUEUE,	 [RULE_KEY_BLOCKING] = SNAG_FACT_BLOCKING,
	[RULE_KEY_CALLER] = SNAG_FACT_CALLER,
};

/* Their local address stands in the call, or the model knows it as well as the kernel. */
static bool knows_local(unsigned call)
{
	return call == SNAG_CALL_bind || call == SNAG_CALL_listen || call == SNAG_CALL_accept ||
	       call == SNAG_CALL_accept4;
}

static bool step_asks_wait(unsigned call, const struct rule_step *s)
{
	return answers_of(call, s->action, s->err).wait != ANSWERS_ANY;
}

static bool step_leaves(unsigned call, const struct rule_step *s)
{
	return !strcmp(call_row(call)->group, "close") &&
	       (s->action == SNAG_ACTION_time_wait || s->action == SNAG_ACTION_steal);
}

static unsigned rule_facts(const struct rules *r, const struct rule *rule, unsigned call)
{
	unsigned facts = 0;

	for (uint32_t i = 0; i < rule->n_matches; i++)
		facts |= key_facts[rules_key_at(rules_match(r, rule->first_match + i)->key, call)];
	if (knows_local(call))
		facts &= ~(unsigned)SNAG_FACT_LOCAL;
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		const struct rule_step *s = rules_step(r, rule->first_step + i);

		if (step_asks_wait(call, s))
			facts |= SNAG_FACT_BLOCKING;
		if (step_leaves(call, s))
			facts |= SNAG_FACT_LAST;
	}
	return facts;
}

static uint16_t call_facts(const struct rules *r, unsigned call)
{
	unsigned facts = 0;

	for (uint32_t i = 0; i < r->call[call].n; i++)
		facts |= rule_facts(r, rules_rule(r, rules_by_call(r, call, i)), call);
	return (uint16_t)facts;
}

/* Which TIME_WAIT there is shows when connections are closed: whoever asks for it makes the closing calls tell. */
static bool asks_time_wait(const struct rules *r)
{
	for (uint32_t i = 0; i < r->match.n; i++)
		if (rules_match(r, i)->key == RULE_KEY_TIME_WAIT)
			return true;
	return false;
}

static void add_ports(const struct rules *r, const struct rule_match *match, struct rules_ports *set)
{
	for (uint32_t i = 0; i < match->n_values; i++) {
		const struct rule_value *v = rules_value(r, match->first_value + i);
		for (int64_t port = v->lo < 0 ? 0 : v->lo; port <= v->hi && port < 65536; port++)
			set->bit[port / 64] |= 1ull << port % 64;
	}
}

/* Into `set` the ports that the rule names by this key. False: it can match on others too, since it names none, or not
 * in each of its alternatives. */
static bool add_rule(const struct rules *r, const struct rule *rule, unsigned call, unsigned key,
		     struct rules_ports *set)
{
	unsigned named = 0, last = 0;	/* the alternatives up to this one all name a port; how many there are */

	for (uint32_t i = 0; i < rule->n_matches; i++) {
		const struct rule_match *match = rules_match(r, rule->first_match + i);
		last = match->alternative;
		if (rules_key_at(match->key, call) != key)
			continue;
		if (set)
			add_ports(r, match, set);
		if (!last)
			return true;
		if (last == named + 1)
			named = last;
	}
	return named && named == last;
}

/* Into `set` the ports of all rules of the call; false: one of them names no port by this key. */
static bool collect(const struct rules *r, unsigned call, unsigned key, struct rules_ports *set)
{
	for (uint32_t i = 0; i < r->call[call].n; i++) {
		const struct rule *rule = rules_rule(r, rules_by_call(r, call, i));
		if (!rule || !add_rule(r, rule, call, key, set))
			return false;
	}
	return true;
}

/* The set of a call whose rules all name a port by the same key; false: they do not. */
static bool make_set(const struct rules *r, unsigned call, struct rules_ports *set)
{
	for (unsigned peer = 0; peer < 2; peer++) {
		unsigned key = peer ? RULE_KEY_PEER_PORT : RULE_KEY_LOCAL_PORT;
		if (!collect(r, call, key, NULL))
			continue;
		memset(set, 0, sizeof(*set));
		set->peer = peer;
		return collect(r, call, key, set);
	}
	return false;
}

uint32_t rules_index(struct rules *image, size_t room)
{
	uint32_t offset = (image->size + 7) & ~7u;
	struct rules_ports *sets = (struct rules_ports *)((char *)image + offset);
	bool time_wait = asks_time_wait(image);

	image->ports.offset = offset;
	image->ports.n = 0;
	for (unsigned call = 0; call < SNAG_CALLS; call++) {
		image->call[call].facts |= call_facts(image, call);
		if (time_wait && !strcmp(call_row(call)->group, "close"))
			image->call[call].facts |= SNAG_FACT_TCP_STATE;
		image->call[call].ports = 0;
		if (!image->call[call].n || image->ports.n == RULES_PORTS_MAX ||
		    (size_t)((char *)(sets + image->ports.n + 1) - (char *)image) > room)
			continue;
		if (make_set(image, call, sets + image->ports.n))
			image->call[call].ports = (uint16_t)++image->ports.n;
	}
	if (image->ports.n)
		image->size = offset + (uint32_t)(image->ports.n * sizeof(*sets));
	return image->size;
}
