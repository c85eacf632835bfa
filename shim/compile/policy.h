/* policy.h - a policy that was read, with its names resolved: what the checks look at and the image is made of. */
#ifndef COMPILE_POLICY_H
#define COMPILE_POLICY_H

#include "diag.h"
#include "field.h"

#include <policy/answers.h>
#include <policy/rules.h>

/* A match key of the image with its values. */
struct predicate {
	unsigned key;			/* enum rule_key */
	unsigned n;
	const struct value *values;
	const struct node *node;	/* where it was written */
	unsigned alternative;		/* as in struct rule_match */
};

struct policy_step {
	const struct object *what;	/* table_do */
	uint64_t times;			/* 0: without end */
};

struct policy_rule {
	const struct object *object;	/* table_rule */
	const char *name;
	bool covers_all;		/* no call named, or `*` */
	uint64_t calls[SNAG_CALL_WORDS];
	struct policy_step *steps;
	unsigned n_steps;
	struct predicate *match;	/* those of the alternatives behind all others, as the image wants them */
	unsigned n_match;
};

struct policy {
	struct diags *diags;
	struct object *top;		/* table_policy */
	struct policy_rule *rules;
	unsigned n_rules;
	uint32_t mode;			/* enum snag_mode: what holds */
};

/* Names the rules, resolves endpoints, checks what one table can't see. Errors are said; go on only without. */
void policy_resolve(struct policy *p, struct diags *d, struct object *top);

/* The endpoint of this name, NULL: none; and for suggestions, the name of the i-th of a struct policy. */
const struct object *policy_endpoint(const struct policy *p, const char *name);
const char *policy_endpoint_name(const void *policy, unsigned i);
/* fit.c: which calls a rule covers, and whether each action and errno is possible there. */
void fit_rule(struct diags *d, struct policy_rule *r);
/* predicate.c: `match` with its endpoints to predicates. Wants the calls known. */
void predicate_resolve(struct policy *p, struct policy_rule *r);
/* fit.c: the sockets on which `do` can fail this call so; all where it fails none. */
struct answers policy_answers(const struct object *what, unsigned call);
/* warn.c: rules that can never match or fire, and what is not as it seems. */
void warn_policy(struct policy *p);
/* warn_match.c: keys of `match` that contradict each other or the rule's calls; `count_per: listener`, which speaks of the
 * socket that a call is made on, where none is made on a listener. */
void warn_match(struct diags *d, const struct policy_rule *r);
void warn_listener(struct diags *d, const struct policy_rule *r);
/* shadow.c: says so where a rule above the i-th decides each of its calls. */
void warn_shadow(struct policy *p, unsigned i);

static inline bool policy_covers(const struct policy_rule *r, unsigned call)
{
	return r->calls[call / 64] >> (call % 64) & 1;
}
static inline bool policy_is_port(unsigned key)
{
	return key == RULE_KEY_LOCAL_PORT || key == RULE_KEY_PEER_PORT || key == RULE_KEY_OWN_PORT;
}
/* How many alternatives there are, and does this predicate count where it is the k-th (0: beside all of them)? */
static inline unsigned policy_alternatives(const struct policy_rule *r)
{
	return r->n_match ? r->match[r->n_match - 1].alternative : 0;
}
static inline bool policy_counts(const struct predicate *m, unsigned k)
{
	return !m->alternative || m->alternative == k;
}
/* The first predicate of a key that no endpoint has. */
static inline const struct predicate *policy_match(const struct policy_rule *r, unsigned key)
{
	for (unsigned i = 0; i < r->n_match; i++)
		if (r->match[i].key == key)
			return &r->match[i];
	return NULL;
}

#endif
