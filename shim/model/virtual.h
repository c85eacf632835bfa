/* virtual.h - the virtual kernel: what it refuses although the real one would let it pass. Pure, over the same tables as
 * the rest of the model. */
#ifndef MODEL_VIRTUAL_H
#define MODEL_VIRTUAL_H

#include "model.h"

#include <snag/kernel.h>

struct virtual_verdict {
	int err;		/* 0: it does not refuse; or a positive errno */
	uint8_t why;		/* enum snag_why, where err is not 0, or where the bind must be proven */
	uint8_t bind;		/* enum snag_bind */
	uint32_t wait;		/* as in struct snag_plan */
	uint8_t changes;	/* enum snag_change bits: RANGE, PORT */
	uint16_t port;		/* the first one to try, and where to go on */
	uint32_t port_at;
	uint32_t holder;	/* the socket in the way, slot + 1; 0: the one of the prediction, or none */
};

/* Can this virtual kernel have a word in such a call, and which facts (enum snag_fact) does it then need? */
bool virtual_concerns(const struct snag_kernel *k, unsigned call);
unsigned virtual_facts(const struct snag_kernel *k, unsigned call);

/* Does it refuse the call? `p` has the prediction of the real kernel. Under the lock for bind and listen. */
void virtual_decide(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
		    const struct snag_plan *p, struct virtual_verdict *v);

/* Is this what the call answers where no ephemeral port is left? */
bool virtual_exhausted(const struct snag_call *c, int err);

/* listen: the argument of the real one, capped by somaxconn. */
void virtual_backlog(const struct snag_kernel *k, const struct snag_call *c, struct snag_plan *p);

/* The record at *sock (slot + 1) or the next one in use, which *sock then names; false: there is none. */
bool virtual_next_sock(const struct model *m, uint32_t *sock, struct model_sock *out);

#endif
