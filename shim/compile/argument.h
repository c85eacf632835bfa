/* argument.h - `--rule` and `--set` to the trees that a policy file would have given, so that all further checks are the
 * same. Columns count from 1 within the argument. */
#ifndef COMPILE_ARGUMENT_H
#define COMPILE_ARGUMENT_H

#include "diag.h"
#include "node.h"

/*   CALL[,CALL] [KEY=VALUE ...]: ACTION [PARAM=VALUE ...]
 * A tree such as an item of `rules`; NULL: what is wrong has been said. */
struct node *argument_rule(struct diags *d, const struct source *s, unsigned ordinal, const char *text);

/*   PATH=VALUE, PATH such as seed, kernel.somaxconn, endpoints.web.port, rules[0].when.first, rules.NAME.do.errno
 * Sets it in the document that has the rule or endpoint already, else in the last of the documents, which is made
 * for this. */
void argument_set(struct diags *d, const struct source *s, unsigned ordinal, const char *text, struct node **documents,
		  unsigned n);

#endif
