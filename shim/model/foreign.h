/* foreign.h - sockets on a port that the session never saw, as the kernel lists them: who asks it enters them here, for
 * one port at a time, right before a prediction or after a refusal. Changes under the session's lock. As the number of
 * a holder, the i-th is FOREIGN_FIRST + i: far from the numbers of all records. */
#ifndef MODEL_FOREIGN_H
#define MODEL_FOREIGN_H

#include "bind.h"
#include "model.h"

#define FOREIGN_FIRST (1u << 30)

/* Is this the number of a foreign socket? */
static inline bool foreign_is(uint32_t sock)
{
	return sock - FOREIGN_FIRST < MODEL_FOREIGNS;
}

struct bind_claim foreign_claim(const struct model_foreign *f);

/* Does one listen that may get a SYN sent to this address and port? */
bool foreign_listens(const struct model *m, const struct snag_addr *to);

/* The one that certainly gets it, where no other may; NULL: none. Two that claim the same count as one. */
const struct model_foreign *foreign_listener(const struct model *m, const struct snag_addr *to);

/* Is a foreign socket in the way of new->addr? *holder: which. The first that certainly is, else one that may be. */
enum bind_answer foreign_ask(const struct model *m, uint8_t proto, const struct bind_claim *new, uint32_t *holder);

#endif
