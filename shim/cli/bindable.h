/* bindable.h - would a bind work on this machine now? The sockets on the port come from the kernel (sock_diag), the
 * verdict from the model's bind rule. A bind for real, with the caller's options and given back at once, confirms
 * it, and settles it where the options of others are hidden. */
#ifndef CLI_BINDABLE_H
#define CLI_BINDABLE_H

#include "buf.h"
#include "holders.h"

#define BINDABLE_SHOWN 8	/* holders that are named */

struct bindable_ask {
	uint8_t proto;		/* enum snag_proto: TCP or UDP */
	uint8_t options;	/* enum snag_option bits */
	uint8_t profile;	/* enum snag_profile: by whose rules */
	struct snag_addr addr;
};

struct bindable {
	int err;		/* 0: it would work; or a positive errno */
	int real_err;		/* what this machine's own kernel answers, whatever the profile */
	bool unsure;		/* another profile's answer hangs on options that nobody tells */
	bool by_model;		/* the model was certain, and the kernel agrees */
	struct holders all;
	const struct holder *way[BINDABLE_SHOWN];	/* in the way; where it would work, beside it */
	size_t n_way, more;
};

void bindable_find(const struct bindable_ask *a, struct bindable *v);
void bindable_free(struct bindable *v);
/* The rule that refuses it, in words; appends nothing where none does. */
void bindable_rule(struct buf *b, const struct bindable_ask *a, const struct bindable *v);
/* What would make it work: each way was tried, by the model or for real. */
void bindable_fix(struct buf *b, const struct bindable_ask *a, struct bindable *v);
/* Another way: the end of whoever is in the way. */
void bindable_end(struct buf *b, const struct bindable *v);

#endif
