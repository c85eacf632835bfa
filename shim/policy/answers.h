/* answers.h - errnos that only some sockets can answer: what one errno on one call asks of the socket. */
#ifndef POLICY_ANSWERS_H
#define POLICY_ANSWERS_H

#include <snag/call.h>
#include <stdbool.h>

struct answers {
	unsigned protos;	/* 1 << enum snag_proto: on these; ~0: on all */
	bool blocking;		/* on a blocking socket only */
};

/* The sockets on which a rule may fail this call with err (positive). Everything that is not listed fits all of them. */
struct answers answers_of(unsigned call, int err);
/* The errno that `deny` stands for on this call. */
int answers_denied(unsigned call);

#endif
