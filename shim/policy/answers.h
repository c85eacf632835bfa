/* answers.h - what an action asks of the socket: errnos that only some sockets can answer, faults that only some
 * connections can meet. */
#ifndef POLICY_ANSWERS_H
#define POLICY_ANSWERS_H

#include <snag/call.h>
#include <stdbool.h>

enum answers_wait { ANSWERS_ANY, ANSWERS_BLOCKING, ANSWERS_NONBLOCKING };

struct answers {
	unsigned protos;	/* 1 << enum snag_proto: on these; ~0: on all */
	uint8_t wait;		/* enum answers_wait: on such a socket only */
	bool stream;		/* on a SOCK_STREAM socket only */
};

/* The sockets on which a rule may do `action` (enum snag_action; errno: with err, positive) to this call. What is not
 * listed fits all of them. For `deny` ask for errno with answers_denied. */
struct answers answers_of(unsigned call, unsigned action, int err);
/* The errno that `deny` stands for on this call. */
int answers_denied(unsigned call);

/* Does this very call's socket meet them? Unknown is no. */
bool answers_met(struct answers a, const struct snag_call *c);

#endif
