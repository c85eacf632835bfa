/* ruleline.h - a rule on one line, `--rule`:
 *
 *     CALL[,CALL] [KEY=VALUE ...]: ACTION [PARAM=VALUE ...]
 */
#ifndef COMPILE_RULELINE_H
#define COMPILE_RULELINE_H

#include "diag.h"
#include "node.h"

/* The tree that an item of `rules` in a file would have given, so that all further checks are the same; NULL: what is
 * wrong has been said. It is the ordinal-th such argument. */
struct node *ruleline_read(struct diags *d, const struct source *s, unsigned ordinal, const char *text);

#endif
