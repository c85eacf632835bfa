/* filter.h - which records `snag trace` shows: --call, --rule, --port, --pid, --failed. Records pass that satisfy all of
 * them; of one option given twice, either value will do. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "record.h"

#include <snag/call.h>
#include <stdbool.h>
#include <stdint.h>

#define FILTER_VALUES 16	/* of --rule, --port and --pid each */

struct filter_numbers {
	int64_t value[FILTER_VALUES];
	size_t n;		/* 0: all pass */
};

struct filter {
	bool by_call, failed;
	uint64_t calls[SNAG_CALL_WORDS];	/* a bit for each snag_call_id */
	unsigned own;				/* a bit for each of record_own */
	const char *rule[FILTER_VALUES];	/* borrowed */
	size_t n_rules;
	struct filter_numbers port, pid;
	int64_t *sock;				/* those that were seen bound to one of the ports */
	size_t n_socks, sock_room;
};

/* One option's argument. -1 after one line on stderr. */
int filter_add_calls(struct filter *f, const char *list);
int filter_add_rule(struct filter *f, const char *name);
int filter_add_port(struct filter *f, const char *text);
int filter_add_pid(struct filter *f, const char *text);

/* Records come in the trace's order: a listener's port is known from its bind or listen. */
bool filter_passes(struct filter *f, const struct record *r);

void filter_free(struct filter *f);

#endif
