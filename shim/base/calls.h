/* calls.h - calls.def as a table: names, groups, traits, and the errnos a rule may inject. */
#ifndef BASE_CALLS_H
#define BASE_CALLS_H

#include <snag/call.h>
#include <stdbool.h>
#include <stddef.h>

struct call_row {
	const char *name, *group;
	unsigned traits;	/* enum snag_trait bits */
	const char *errnos;	/* names, separated by blanks */
};

/* Row of a call id; ids out of range get the row of SNAG_CALL_NONE, whose strings are empty. */
const struct call_row *call_row(unsigned call);
static inline bool call_has(unsigned call, unsigned traits) { return (call_row(call)->traits & traits) != 0; }
/* "bind" -> id; SNAG_CALL_NONE. */
unsigned call_by_name(const char *name, size_t len);

#endif
