/* policy.c - names the rules, finds what names refer to, checks what one table can't see. */
#include "policy.h"
#include "kernel.h"
#include "language.h"
#include "occupy.h"
#include "type.h"

#include <base/base.h>
#include <string.h>

static const char *rule_candidate(const void *arg, unsigned i)
{
	const struct policy *p = arg;

	return i < p->n_rules ? p->rules[i].name : NULL;
}

static const struct policy_rule *rule_named(const struct policy *p, const char *name, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p->rules[i].name && strcmp(p->rules[i].name, name) == 0)
			return &p->rules[i];
	return NULL;
}

const struct object *policy_endpoint(const struct policy *p, const char *name)
{
	const struct slot *s = &p->top->slots[KEY_policy_endpoints];

	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->objects[i]->name, name) == 0)
			return s->objects[i];
	return NULL;
}

const char *policy_endpoint_name(const void *policy, unsigned i)
{
	const struct slot *s = &((const struct policy *)policy)->top->slots[KEY_policy_endpoints];

	return i < s->n ? s->objects[i]->name : NULL;
}

static const char *place_of(struct arena *a, const struct node *n)
{
	return arena_printf(a, "%s%c%u:%u", n->source->name, n->source->argument ? ' ' : ':', n->line, n->col);
}

/* ---- names ---- */

/* The order of the policy; nameless rules are rule1, rule2, ..., past names that are taken. */
static void name_rules(struct policy *p)
{
	unsigned unnamed = 0;

	for (unsigned i = 0; i < p->n_rules; i++) {
		struct policy_rule *r = &p->rules[i];
		r->name = object_text(r->object, KEY_rule_name);
		const struct policy_rule *before = r->name ? rule_named(p, r->name, i) : NULL;
		if (before)
			diag_error(p->diags, object_at(r->object, KEY_rule_name), "another rule has this name, %s",
				   place_of(p->diags->arena, before->object->node));
	}
	for (unsigned i = 0; i < p->n_rules; i++)
		while (!p->rules[i].name) {
			const char *name = arena_printf(p->diags->arena, "rule%u", ++unnamed);
			p->rules[i].name = rule_named(p, name, p->n_rules) ? NULL : name;
		}
}

static void check_endpoints(const struct policy *p)
{
	const struct slot *s = &p->top->slots[KEY_policy_endpoints];

	for (unsigned i = 0; i < s->n; i++) {
		const struct object *e = s->objects[i], *first = policy_endpoint(p, e->name);
		if (first != e && first->node->source != e->node->source)
			diag_error_key(p->diags, e->node, "another endpoint has this name, %s",
				       place_of(p->diags->arena, first->node->key));
	}
}

static void check_name(const struct policy *p, const struct object *o, unsigned key, bool known, const char *what,
		       suggest_fn *candidate)
{
	if (object_has(o, key) && !known)
		diag_error(p->diags, object_at(o, key), "no %s %s%s", what,
			   diag_quote(p->diags->arena, object_text(o, key)),
			   suggest_hint(p->diags->arena, object_text(o, key), candidate, p));
}

static void check_expect(const struct policy *p)
{
	static const struct {
		unsigned key;
		const char *with;
	} riders[] = {
		{KEY_expect_fired, "rule"},
		{KEY_expect_observed, "rule"},
		{KEY_expect_below, "rate"},
		{KEY_expect_within, "listens connects"},
		{KEY_expect_after, "listens connects"},
	};
	static const unsigned rules[] = {KEY_expect_rule, KEY_expect_after};
	static const unsigned endpoints[] = {KEY_expect_listens, KEY_expect_connects};
	const struct slot *s = &p->top->slots[KEY_policy_expect];

	for (unsigned i = 0; i < s->n; i++) {
		const struct object *e = s->objects[i];
		for (unsigned j = 0; j < ARRAY_LEN(riders); j++) {
			bool lead = false;
			for (unsigned k = 0; k < table_expect.n; k++)
				lead |= object_has(e, k) && words_have(riders[j].with, table_expect.fields[k].key);
			if (object_has(e, riders[j].key) && !lead)
				diag_error_key(p->diags, object_at(e, riders[j].key),
					       "goes with %s, which is not there",
					       words_listed(p->diags->arena, riders[j].with));
		}
		for (unsigned j = 0; j < ARRAY_LEN(rules); j++)
			check_name(p, e, rules[j],
				   object_has(e, rules[j]) && rule_named(p, object_text(e, rules[j]), p->n_rules),
				   "rule", rule_candidate);
		for (unsigned j = 0; j < ARRAY_LEN(endpoints); j++)
			check_name(p, e, endpoints[j],
				   object_has(e, endpoints[j]) && policy_endpoint(p, object_text(e, endpoints[j])),
				   "endpoint", policy_endpoint_name);
		if (object_has(e, KEY_expect_rate) != object_has(e, KEY_expect_below) && object_has(e, KEY_expect_rate))
			diag_error(p->diags, e->node, "wants below: N beside rate");
	}
}

/* ---- rules ---- */

static void find_steps(struct policy *p, struct policy_rule *r)
{
	const struct slot *s = &r->object->slots[KEY_rule_steps];
	const struct object *one = object_sub(r->object, KEY_rule_do);

	if (object_has(r->object, KEY_rule_steps) || !one) {
		r->steps = arena_alloc(p->diags->arena, (s->n + 1) * sizeof(*r->steps));
		for (unsigned i = 0; i < s->n; i++) {
			const struct object *what = object_sub(s->objects[i], KEY_step_do);
			uint64_t times = (uint64_t)object_num(s->objects[i], KEY_step_times, 1);
			if (what)
				r->steps[r->n_steps++] = (struct policy_step){what, times};
		}
		if (object_at(r->object, KEY_rule_steps) && !s->n &&
		    object_at(r->object, KEY_rule_steps)->kind == NODE_LIST)
			diag_error(p->diags, object_at(r->object, KEY_rule_steps), "has no step");
		return;
	}
	r->steps = arena_alloc(p->diags->arena, sizeof(*r->steps));
	r->steps[r->n_steps++] = (struct policy_step){one, 0};
}

/* inject with rules or occupy, else enforce with `kernel`, else log. */
static uint32_t find_mode(const struct policy *p)
{
	if (object_has(p->top, KEY_policy_mode))
		return (uint32_t)object_num(p->top, KEY_policy_mode, 0);
	if (object_has(p->top, KEY_policy_rules) || object_has(p->top, KEY_policy_occupy))
		return SNAG_MODE_INJECT;
	return object_has(p->top, KEY_policy_kernel) ? SNAG_MODE_ENFORCE : SNAG_MODE_LOG;
}

void policy_resolve(struct policy *p, struct diags *d, struct object *top)
{
	const struct slot *rules = &top->slots[KEY_policy_rules];

	*p = (struct policy){.diags = d, .top = top, .n_rules = rules->n};
	p->mode = find_mode(p);
	if (rules->n > SNAG_RULES_MAX) {
		diag_error(d, rules->objects[SNAG_RULES_MAX]->node, "more than %u rules", SNAG_RULES_MAX);
		p->n_rules = SNAG_RULES_MAX;
	}
	p->rules = arena_alloc(d->arena, (p->n_rules + 1) * sizeof(*p->rules));
	for (unsigned i = 0; i < p->n_rules; i++) {
		p->rules[i].object = rules->objects[i];
		find_steps(p, &p->rules[i]);
	}
	name_rules(p);
	check_endpoints(p);
	check_expect(p);
	kernel_check(p);
	occupy_check(p);
	for (unsigned i = 0; i < p->n_rules; i++) {
		fit_rule(d, &p->rules[i]);
		predicate_resolve(p, &p->rules[i]);
	}
}
