/* setting.h - one value changed, `--set`:
 *
 *     PATH=VALUE
 *
 * PATH such as seed, kernel.somaxconn, endpoints.web.port, rules[0].when.first, rules.NAME.do.errno. */
#ifndef COMPILE_SETTING_H
#define COMPILE_SETTING_H

#include "diag.h"
#include "node.h"

/* Sets it in the document that has the rule or endpoint already, else in the last of the n documents, which is made for
 * this. Rules are numbered through all of them. What is wrong is said. */
void setting_apply(struct diags *d, const struct source *s, unsigned ordinal, const char *text, struct node **documents,
		   unsigned n);

#endif
