/* trigger.h - does this match fire? Counts are of matches and live in the session, so they run on over processes.
 * Draws are keyed, not streamed: (seed, rule name, process, socket, match ordinal) -> number. Lock-free. */
#ifndef POLICY_TRIGGER_H
#define POLICY_TRIGGER_H

#include <policy/rules.h>
#include <snag/abi.h>

struct trigger_tally {
	uint64_t matched, fired;
};

struct trigger_count {		/* the counts of a rule for one owner: a process, thread, socket */
	uint64_t key;		/* hash of (rule, owner); 0: free, 1: changing hands */
	uint64_t used_ns;	/* session time of its last use: the longest unused is given up first */
	struct trigger_tally tally;
};

#define TRIGGER_EVENTS 256	/* different events that were said */

struct trigger_table {
	struct trigger_tally rule[SNAG_RULES_MAX];	/* totals: what count_per rule counts by, and for people */
	uint8_t off[SNAG_RULES_MAX];	/* 1: switched off, as if it were not there */
	uint64_t event[TRIGGER_EVENTS];	/* hashes of those that were said; 0: free */
	uint64_t evicted;	/* counters that were given up for want of room */
	struct trigger_count count[SNAG_COUNTERS];
};

/* Switches: every rule is on at the start. */
bool trigger_on(const struct trigger_table *t, uint32_t rule);
void trigger_switch(struct trigger_table *t, uint32_t rule, bool on);
/* Events, by hash_bytes of their names: said once, said for good. False: too many different ones. */
bool trigger_say(struct trigger_table *t, uint64_t event);
bool trigger_said(const struct trigger_table *t, uint64_t event);

#define TRIGGER_NO_STEP UINT32_MAX

/* Counts the match; does it fire, and if so which step (index into the image's steps)? TRIGGER_NO_STEP: it does
 * not. The order: nth, every, after, until, pulse, event, bytes, chance, then limit and the steps' times, which count fires. A
 * pulse begins active at session time 0, or at `after`. *draw: the match's number, for jitter; drawn where the rule
 * needs one. */
uint32_t trigger_fire(struct trigger_table *t, const struct rules *r, uint32_t rule, const struct snag_call *c,
		      uint64_t now_ns, uint64_t *draw);

/* Has the rule used up its limit or its steps, for this call's owner? Then it will never fire again. */
bool trigger_over(struct trigger_table *t, const struct rules *r, uint32_t rule, const struct snag_call *c,
		  uint64_t now_ns);

/* Does it hang on the seed whether the rule fires, or how? */
bool trigger_draws(const struct rules *r, const struct rule *rule);
/* Another number from 0 to `max` out of the same draw. */
uint64_t trigger_jitter(uint64_t draw, uint64_t max);

#endif
