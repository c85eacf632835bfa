/* occupy.h - `occupy:` of a policy to the image's table of ports. */
#ifndef COMPILE_OCCUPY_H
#define COMPILE_OCCUPY_H

#include "policy.h"

/* What no table sees: an address that is none, TIME_WAIT of a protocol without, too many ports. Says what is wrong. */
void occupy_check(const struct policy *p);
/* How many ports all entries name together. */
uint32_t occupy_count(const struct policy *p);
uint32_t occupy_entries(const struct policy *p);
/* Where the i-th entry was written, as in diagnostics. */
const char *occupy_place(const struct policy *p, uint32_t i);
/* One row for each port, in the order of the policy. */
void occupy_make(const struct policy *p, struct rules_occupy *rows);

#endif
