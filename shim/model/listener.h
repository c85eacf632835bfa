/* listener.h - who gets a SYN that is sent to an address of this machine? */
#ifndef MODEL_LISTENER_H
#define MODEL_LISTENER_H

#include "model.h"

enum listener_answer {
	LISTENER_NONE,		/* nobody listens: refused */
	LISTENER_ROOM,		/* one that has room in its queue */
	LISTENER_FULL,		/* one whose queue is full: the SYN is dropped */
	LISTENER_UNSURE,	/* one that may have room or not */
};

/* `to`: the address and port, never a wildcard. *listener: who it is; 0: none, or one of several that the kernel
 * chooses from by a hash. *silent: where nobody listens, a socket that is bound there and does not. */
enum listener_answer listener_for(const struct model *m, const struct model_machine *machine,
				  const struct snag_addr *to, uint32_t *listener, uint32_t *silent);

#endif
