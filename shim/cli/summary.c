/* summary.c - `snag run --summary`: a table by call. */
#include "summary.h"

#include <base/calls.h>

void summary_count(struct summary *s, const struct record *r)
{
	if (text_is(r->call, "lost")) {
		s->lost += (unsigned long long)r->count;
		return;
	}
	unsigned call = call_by_name(r->call.p, r->call.n);
	if (!call)
		return;
	s->row[call].calls++;
	s->row[call].failed += record_failed(r);
	s->row[call].by_rule += text_is(r->by, "rule");
}

void summary_print(const struct summary *s, FILE *out)
{
	fprintf(out, "%-14s %10s %10s %10s\n", "call", "calls", "failed", "by rule");
	for (unsigned i = 1; i < SNAG_CALLS; i++)
		if (s->row[i].calls)
			fprintf(out, "%-14s %10llu %10llu %10llu\n", call_row(i)->name, s->row[i].calls, s->row[i].failed,
				s->row[i].by_rule);
	if (s->lost)
		fprintf(out, "lost: %llu\n", s->lost);
}
