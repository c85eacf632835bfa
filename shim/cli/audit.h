/* audit.h - `snag run --audit`: how often the model foretold what the kernel then answered. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "record.h"

#include <snag/event.h>
#include <snag/plan.h>
#include <stdio.h>

struct audit {
	unsigned long long right, wrong, unknown;
	unsigned long long by_reason[SNAG_UNSURES];	/* of the unknown */
	unsigned long long lost;	/* events that nobody could count */
	struct buf lines;		/* what was wrong, one line each */
	unsigned shown;			/* lines in it */
};

/* One call's event; r is the same as a record. Calls that are not counted are passed over: those that the model has no
 * view of, that no kernel answered, or whose result nobody saw. */
void audit_count(struct audit *a, const struct snag_event_call *c, const struct record *r);
/* "audit: N right, N wrong, N unknown", the wrong ones, and the unknown by reason. */
void audit_print(const struct audit *a, FILE *out);
void audit_free(struct audit *a);

#endif
