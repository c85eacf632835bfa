/* trigger.h - does this match fire? Counts are of matches and live in the session, so they run on over processes.
 * Draws are keyed, not streamed: (seed, rule name, process, socket, match ordinal) -> number. Lock-free. */
#ifndef POLICY_TRIGGER_H
#define POLICY_TRIGGER_H

#include <policy/rules.h>
#include <snag/abi.h>

struct trigger_count {		/* one counter of a rule and an owner */
	uint64_t key;		/* (rule, owner); 0: free */
	uint32_t matched, fired;
	uint32_t owner, owner_serial;	/* lets a dead owner's entry be taken over */
};

struct trigger_table {
	struct { uint32_t matched, fired; } rule[SNAG_RULES_MAX];	/* totals, for people */
	uint32_t evicted;	/* counters that were given up for want of room */
	struct trigger_count count[SNAG_COUNTERS];
};

/* Counts the match; does it fire, and if so which step (index into the image's steps)? UINT32_MAX: it does not. */
uint32_t trigger_fire(struct trigger_table *t, const struct rules *r, uint32_t rule, const struct snag_call *c,
		      uint64_t now_ns, uint64_t *draw);

#endif
