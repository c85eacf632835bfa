/* shadow.c - rules that never fire because a rule above them decides each of their calls. */
#include "language.h"
#include "policy.h"

#include <string.h>

#define ALTERNATIVES_SEEN 16	/* rules with more are not compared: each one is, with each */

/* Decides every call that it matches: one terminal action, no condition, no end. */
static bool is_absolute(const struct policy_rule *r)
{
	if (object_has(r->object, KEY_rule_when) || object_has(r->object, KEY_rule_steps) || r->n_steps != 1)
		return false;
	for (unsigned key = 0; key < KEYS_do; key++)
		if (object_has(r->steps[0].what, key) && !(table_do.fields[key].flags & FIELD_PARAM) &&
		    language_terminal(language_action(key)))
			return true;
	return false;
}

static bool covers_all_of(const struct policy_rule *above, const struct policy_rule *r)
{
	for (unsigned w = 0; w < SNAG_CALL_WORDS; w++)
		if (r->calls[w] & ~above->calls[w])
			return false;
	return true;
}

/* Where r can act on a socket, can `above`, as far as their errnos go? All steps of a rule must fit. */
static bool answers_all_of(const struct policy_rule *above, const struct policy_rule *r)
{
	for (unsigned c = 1; c < SNAG_CALLS; c++) {
		struct answers its = policy_answers(above->steps[0].what, c), mine = {~0u, ANSWERS_ANY, false};
		for (unsigned i = 0; i < r->n_steps; i++) {
			struct answers step = policy_answers(r->steps[i].what, c);
			mine.protos &= step.protos;
			mine.stream |= step.stream;
			if (step.wait)
				mine.wait = step.wait;
		}
		if (policy_covers(r, c) && ((mine.protos & ~its.protos) || (its.wait && its.wait != mine.wait) ||
					    (its.stream && !mine.stream)))
			return false;
	}
	return true;
}

/* Do two keys speak of the same thing, on every call of r? */
static bool same_key(const struct policy_rule *r, unsigned a, unsigned b)
{
	for (unsigned c = 1; a != b && c < SNAG_CALLS; c++)
		if (policy_covers(r, c) && rules_key_at(a, c) != rules_key_at(b, c))
			return false;
	return true;
}

/* Every call of r that meets `narrow` meets `wide`. */
static bool predicate_within(const struct policy_rule *r, const struct predicate *narrow, const struct predicate *wide)
{
	if (!same_key(r, narrow->key, wide->key))
		return false;
	for (unsigned i = 0; i < narrow->n; i++) {
		const struct value *v = &narrow->values[i];
		bool found = false;
		for (unsigned j = 0; j < wide->n && !found; j++)
			found = strcmp(v->text, wide->values[j].text) == 0 ||
				(policy_is_port(wide->key) && wide->values[j].lo <= v->lo &&
				 v->hi <= wide->values[j].hi);
		if (!found)
			return false;
	}
	return true;
}

/* Every call that meets r by its k-th alternative meets `above` by its l-th. */
static bool alternative_within(const struct policy_rule *r, unsigned k, const struct policy_rule *above, unsigned l)
{
	for (unsigned i = 0; i < above->n_match; i++) {
		bool implied = !policy_counts(&above->match[i], l);
		for (unsigned j = 0; j < r->n_match && !implied; j++)
			implied = policy_counts(&r->match[j], k) &&
				  predicate_within(r, &r->match[j], &above->match[i]);
		if (!implied)
			return false;
	}
	return true;
}

static bool in_shadow(const struct policy_rule *r, const struct policy_rule *above)
{
	unsigned n = policy_alternatives(r), m = policy_alternatives(above);

	if (n > ALTERNATIVES_SEEN || m > ALTERNATIVES_SEEN)
		return false;
	if (!covers_all_of(above, r) || !answers_all_of(above, r))
		return false;
	for (unsigned k = n > 0; k <= n; k++) {
		bool within = false;
		for (unsigned l = m > 0; l <= m && !within; l++)
			within = alternative_within(r, k, above, l);
		if (!within)
			return false;
	}
	return true;
}

void warn_shadow(struct policy *p, unsigned i)
{
	struct policy_rule *r = &p->rules[i];

	for (unsigned j = 0; j < i; j++) {
		const struct policy_rule *above = &p->rules[j];
		if (!is_absolute(above) || !in_shadow(r, above))
			continue;
		diag_warn(p->diags, r->object->node, "never fires: rule %s above it decides each of its calls",
			  diag_quote(p->diags->arena, above->name));
		return;
	}
}
