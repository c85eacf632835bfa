/* calls.c - calls.def as a table. The trait words of calls.def get their meaning here and nowhere else. */
#include "calls.h"
#include "base.h"

#include <string.h>

enum {
	FD = SNAG_TRAIT_FD,
	NEW = SNAG_TRAIT_NEW,
	ADDR = SNAG_TRAIT_ADDR,
	PORT = SNAG_TRAIT_PORT,
	PROC = SNAG_TRAIT_PROC,
	DUP = SNAG_TRAIT_DUP,
	BLOCK = SNAG_TRAIT_BLOCK,
	STREAM = SNAG_TRAIT_STREAM,
	WAIT = SNAG_TRAIT_WAIT,
	SENDS = SNAG_TRAIT_SENDS,
};

static const struct call_row rows[SNAG_CALLS] = {
	[SNAG_CALL_NONE] = {"", "", 0, ""},
#define SNAG_CALL(name, group, traits, errnos) [SNAG_CALL_##name] = {#name, #group, traits, errnos},
#include <snag/calls.def>
};

const struct call_row *call_row(unsigned call)
{
	return &rows[call < SNAG_CALLS ? call : SNAG_CALL_NONE];
}

unsigned call_by_name(const char *name, size_t len)
{
	for (unsigned i = SNAG_CALL_NONE + 1; i < SNAG_CALLS; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return i;
	return SNAG_CALL_NONE;
}
