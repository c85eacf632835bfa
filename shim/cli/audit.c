/* audit.c - `snag run --audit`: how often the model foretold what the kernel then answered. */
#include "audit.h"

#include "text.h"

#include <base/names.h>

#define LINES_MAX 1000	/* of wrong predictions; more are counted only */

static bool is_counted(const struct snag_event_call *c)
{
	return (c->flags & SNAG_EVENT_COUNTED) && c->by == SNAG_BY_KERNEL && !(c->flags & SNAG_EVENT_UNSEEN);
}

static void add_line(struct audit *a, const struct record *r)
{
	if (a->shown == LINES_MAX)
		return;
	a->shown++;
	buf_str(&a->lines, "audit: wrong: ");
	text_call(&a->lines, r);
	buf_str(&a->lines, ", the model expected ");
	buf_plain(&a->lines, text_expected(r));
	buf_char(&a->lines, '\n');
}

void audit_count(struct audit *a, const struct snag_event_call *c, const struct record *r)
{
	if (!is_counted(c))
		return;
	if (c->flags & SNAG_EVENT_DIVERGED) {
		a->wrong++;
		add_line(a, r);
	} else if (c->sure != SNAG_WITHHELD && !(c->flags & SNAG_EVENT_AFTER)) {
		a->right++;
	} else {
		a->unknown++;
		a->by_reason[c->model_why < SNAG_UNSURES && c->model_why ? c->model_why : SNAG_UNSURE_UNMODELLED]++;
	}
}

void audit_print(const struct audit *a, FILE *out)
{
	fprintf(out, "audit: %llu right, %llu wrong, %llu unknown\n", a->right, a->wrong, a->unknown);
	fwrite(a->lines.p, 1, a->lines.n, out);
	if (a->wrong > a->shown)
		fprintf(out, "audit: and %llu more wrong\n", a->wrong - a->shown);
	for (unsigned i = 1; i < SNAG_UNSURES; i++)
		if (a->by_reason[i])
			fprintf(out, "audit: unknown: %s %llu\n", unsure_name(i), a->by_reason[i]);
	if (a->lost)
		fprintf(out, "audit: %llu events were lost and are not counted\n", a->lost);
}

void audit_free(struct audit *a)
{
	buf_free(&a->lines);
}
