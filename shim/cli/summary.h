/* summary.h - `snag run --summary`: a table by call. */
#ifndef CLI_SUMMARY_H
#define CLI_SUMMARY_H

#include "record.h"

#include <snag/call.h>
#include <stdio.h>

struct summary {
	struct {
		unsigned long long calls, failed, by_rule;
	} row[SNAG_CALLS];
	unsigned long long lost;
};

void summary_count(struct summary *s, const struct record *r);
void summary_print(const struct summary *s, FILE *out);

#endif
