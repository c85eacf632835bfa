/* diag.h - what is wrong with a policy: collected while it is read, told in the order of the text. */
#ifndef COMPILE_DIAG_H
#define COMPILE_DIAG_H

#include "arena.h"
#include "node.h"

#include <stdio.h>

#define DIAG_MAX 200	/* told; more are counted */

struct diags {
	struct arena *arena;
	struct diag *first, **end;
	unsigned n;		/* kept */
	unsigned errors, warnings;
};

/* At a node, under its path. `what` is a whole message: "unknown errno 'X'; did you mean Y?" */
void diag_error(struct diags *d, const struct node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_warn(struct diags *d, const struct node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* At the key of a node in a map (the node itself where it has none). */
void diag_error_key(struct diags *d, const struct node *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* At a place without a node, under `path` ("": none). Line 0: of the source as a whole. */
void diag_error_at(struct diags *d, const struct source *s, uint32_t line, uint32_t col, const char *path,
		   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* "storm.yaml:14:17" */
const char *diag_place(struct arena *a, const struct node *at);

void diag_print(struct diags *d, FILE *out);

/* Text from outside, in quotes, cut where it is long; for messages. */
const char *diag_quote(struct arena *a, const char *text);

/* The nearest of the candidates (asked for by number until NULL), near enough to be what was meant; or NULL. */
typedef const char *suggest_fn(const void *arg, unsigned i);
const char *suggest(const char *text, suggest_fn *candidate, const void *arg);
/* "; did you mean X?" or "". */
const char *suggest_hint(struct arena *a, const char *text, suggest_fn *candidate, const void *arg);

#endif
