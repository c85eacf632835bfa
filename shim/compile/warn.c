/* warn.c - rules that can never match or fire, and what is not as it seems. Warnings only: each of them is certain,
 * none is needed for a policy to work. */
#include "kind.h"
#include "language.h"
#include "policy.h"

#include <base/base.h>
#include <base/calls.h>
#include <string.h>

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

/* Nobody can make the machine's kernel send that RST; whoever is in the session is made to meet one. */
static void warn_overflow(struct diags *d, const struct object *what)
{
	if (object_num(what, KEY_do_overflow, OVERFLOW_DROP) == OVERFLOW_RESET)
		diag_warn(d, object_at(what, KEY_do_overflow),
			  "resets clients of the session only: the SYN of any other one is dropped, as ever on Linux");
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
		for (unsigned j = 0; j < r->n_steps; j++) {
			warn_overflow(p->diags, r->steps[j].what);
			warn_answers(p->diags, r, r->steps[j].what);
		}
		warn_shadow(p, i);
	}
}
