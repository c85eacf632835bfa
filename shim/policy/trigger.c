/* trigger.c - the `when` of a rule.
 *
 * Who counts by whom: count_per rule by the rule's totals; the others by a counter of (rule, owner). Draws have a
 * counter of (rule, process, socket) of their own, so that what one process does moves no draw of another one.
 * Counters live in an open hash table that is never swept: an entry is claimed by compare-and-swap, and the longest
 * unused of a short probe is given up when there is no free one. */
#include "trigger.h"

#include <base/base.h>
#include <base/hash.h>

#define PROBES 16
#define KEY_FREE 0
#define KEY_MOVING 1

enum { SALT_OWNER = 1, SALT_DRAW, SALT_CHANCE, SALT_JITTER };

/* ---- counters ---- */

static struct trigger_tally *take(struct trigger_table *t, struct trigger_count *old, uint64_t key, uint64_t now_ns)
{
	uint64_t was = load_relaxed(&old->key);

	if (was == KEY_FREE || was == KEY_MOVING || !cas(&old->key, &was, KEY_MOVING))
		return NULL;
	old->tally = (struct trigger_tally){0};
	store_relaxed(&old->used_ns, now_ns);
	store_release(&old->key, key);
	fetch_add(&t->evicted, 1);
	return &old->tally;
}

/* The counter of a key; NULL: none to be had, then nothing is counted and nothing fires. */
static struct trigger_tally *counter(struct trigger_table *t, uint64_t key, uint64_t now_ns)
{
	struct trigger_count *oldest = NULL;

	if (key <= KEY_MOVING)
		key += 2;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct trigger_count *e = &t->count[(key + i) % SNAG_COUNTERS];
		uint64_t have = load_acquire(&e->key);
		if (have == KEY_FREE && cas(&e->key, &have, key))
			have = key;
		if (have == key) {
			store_relaxed(&e->used_ns, now_ns);
			return &e->tally;
		}
		if (have != KEY_MOVING && (!oldest || load_relaxed(&e->used_ns) < load_relaxed(&oldest->used_ns)))
			oldest = e;
	}
	return oldest ? take(t, oldest, key, now_ns) : NULL;
}

static uint64_t owner_key(uint32_t rule, uint8_t per, const struct snag_call *c)
{
	uint64_t h = hash_mix(hash_mix(SALT_OWNER, rule), per);

	switch (per) {
	case RULE_PER_PROCESS:
		return hash_mix(h, c->who.proc_serial);
	case RULE_PER_THREAD:
		return hash_mix(hash_mix(h, c->who.proc_serial), c->who.thread);
	default:	/* socket, and listener: the socket of an accept is the listener */
		return hash_mix(h, c->serial);
	}
}

/* ---- draws ---- */

bool trigger_draws(const struct rules *r, const struct rule *rule)
{
	if (rule->when.has_chance)
		return true;
	for (uint32_t i = 0; i < rule->n_steps; i++)
		if (rules_step(r, rule->first_step + i)->jitter_ns)
			return true;
	return false;
}

/* A call without a socket is told apart by its thread. */
static uint64_t draw_of(struct trigger_table *t, const struct rules *r, const struct rule *rule,
			const struct snag_call *c, uint64_t now_ns)
{
	uint64_t place = c->sock_key ? hash_mix(c->sock_key, 0) : hash_mix(c->who.thread, 1);
	uint64_t who = hash_mix(hash_mix(rule->name_hash, c->who.proc_key), place);
	struct trigger_tally *tally = counter(t, hash_mix(SALT_DRAW, who), now_ns);
	uint64_t ordinal = tally ? fetch_add(&tally->matched, 1) : 0;

	return hash_mix(hash_mix(r->seed, who), ordinal);
}

uint64_t trigger_jitter(uint64_t draw, uint64_t max)
{
	uint64_t n = hash_mix(draw, SALT_JITTER);

	return max == UINT64_MAX ? n : n % (max + 1);
}

/* ---- switches and events ---- */

bool trigger_on(const struct trigger_table *t, uint32_t rule)
{
	return rule >= SNAG_RULES_MAX || !load_relaxed(&t->off[rule]);
}

void trigger_switch(struct trigger_table *t, uint32_t rule, bool on)
{
	if (rule < SNAG_RULES_MAX)
		store_release(&t->off[rule], !on);
}

bool trigger_say(struct trigger_table *t, uint64_t event)
{
	for (uint32_t i = 0; i < TRIGGER_EVENTS; i++) {
		uint64_t none = 0;
		if (load_acquire(&t->event[i]) == event || cas(&t->event[i], &none, event) || none == event)
			return true;
	}
	return false;
}

bool trigger_said(const struct trigger_table *t, uint64_t event)
{
	for (uint32_t i = 0; i < TRIGGER_EVENTS && load_acquire(&t->event[i]); i++)
		if (load_acquire(&t->event[i]) == event)
			return true;
	return false;
}

/* ---- when ---- */

static bool count_fires(const struct rule_when *w, uint64_t n)
{
	if (w->nth_lo && (n < w->nth_lo || n > w->nth_hi || (w->nth_step > 1 && (n - w->nth_lo) % w->nth_step)))
		return false;
	return !w->every || n % w->every == 0;
}

static bool time_fires(const struct rule_when *w, uint64_t now_ns)
{
	uint64_t period = w->active_ns + w->idle_ns;

	if (now_ns < w->after_ns || (w->until_ns && now_ns >= w->until_ns))
		return false;
	return !period || (now_ns - w->after_ns) % period < w->active_ns;
}

static bool event_fires(const struct rule_when *w, const struct trigger_table *t)
{
	return !w->event || trigger_said(t, w->event);
}

static bool bytes_fire(const struct rule_when *w, const struct snag_call *c)
{
	return c->sent >= w->bytes_sent && c->received >= w->bytes_received;
}

static bool chance_fires(const struct rule_when *w, uint64_t draw)
{
	return !w->has_chance || hash_mix(draw, SALT_CHANCE) >> 32 < w->chance;
}

/* The step of the n-th fire, n from 0. */
static uint32_t step_of(const struct rules *r, const struct rule *rule, uint64_t n)
{
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		uint64_t times = rules_step(r, rule->first_step + i)->times;
		if (!times || n < times)
			return rule->first_step + i;
		n -= times;
	}
	return TRIGGER_NO_STEP;
}

/* The step that the next fire takes. */
static uint32_t next_step(const struct rules *r, const struct rule *rule, uint64_t fired)
{
	if (rule->when.limit && fired >= rule->when.limit)
		return TRIGGER_NO_STEP;
	return step_of(r, rule, fired);
}

/* One more fire, unless limit or steps are used up. */
static uint32_t fire(const struct rules *r, const struct rule *rule, struct trigger_tally *tally)
{
	uint64_t n = load_relaxed(&tally->fired);
	uint32_t step;

	do {
		step = next_step(r, rule, n);
		if (step == TRIGGER_NO_STEP)
			return step;
	} while (!cas(&tally->fired, &n, n + 1));
	return step;
}

uint32_t trigger_fire(struct trigger_table *t, const struct rules *r, uint32_t rule, const struct snag_call *c,
		      uint64_t now_ns, uint64_t *draw)
{
	const struct rule *R = rules_rule(r, rule);
	struct trigger_tally *total, *tally;
	uint64_t n;
	uint32_t step;

	*draw = 0;
	if (!R || rule >= SNAG_RULES_MAX)
		return TRIGGER_NO_STEP;
	total = tally = &t->rule[rule];
	n = fetch_add(&total->matched, 1) + 1;
	if (R->when.per != RULE_PER_RULE) {
		tally = counter(t, owner_key(rule, R->when.per, c), now_ns);
		if (!tally)
			return TRIGGER_NO_STEP;
		n = fetch_add(&tally->matched, 1) + 1;
	}
	if (trigger_draws(r, R))
		*draw = draw_of(t, r, R, c, now_ns);
	if (!count_fires(&R->when, n) || !time_fires(&R->when, now_ns) || !event_fires(&R->when, t) ||
	    !bytes_fire(&R->when, c) || !chance_fires(&R->when, *draw))
		return TRIGGER_NO_STEP;
	step = fire(r, R, tally);
	if (step != TRIGGER_NO_STEP && tally != total)
		fetch_add(&total->fired, 1);
	return step;
}

bool trigger_over(struct trigger_table *t, const struct rules *r, uint32_t rule, const struct snag_call *c,
		  uint64_t now_ns)
{
	const struct rule *R = rules_rule(r, rule);
	const struct trigger_tally *tally;

	if (!R || rule >= SNAG_RULES_MAX)
		return true;
	tally = R->when.per == RULE_PER_RULE ? &t->rule[rule] : counter(t, owner_key(rule, R->when.per, c), now_ns);
	return !tally || next_step(r, R, load_relaxed(&tally->fired)) == TRIGGER_NO_STEP;
}
