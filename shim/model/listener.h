/* listener.h - who gets a SYN that is sent to an address of this machine, and what becomes of it?
 *
 * A listener has two queues with one limit. A request stands in the SYN queue while it is half-open: on the loopback
 * for a moment only, with TCP_DEFER_ACCEPT until the client sends something. Then it is a connection, in the accept
 * queue. What tcp_abort_on_overflow decides, what becomes of one that finds no room at that moment, its client learns
 * when it has long been connected. */
#ifndef MODEL_LISTENER_H
#define MODEL_LISTENER_H

#include "model.h"

enum listener_answer {
	LISTENER_NONE,		/* nobody listens: refused */
	LISTENER_ROOM,		/* one that has room in its queues: it connects */
	LISTENER_FULL,		/* one whose accept queue is full: the SYN is dropped */
	LISTENER_SYN_FULL,	/* one whose SYN queue is, and there are no cookies: dropped too */
	LISTENER_UNSURE,	/* one that may have room or not */
};

/* By the model's own count. `to`: the address and port, never a wildcard. *listener: who it is; 0: none, or one of several that the kernel
 * chooses from by a hash. *silent: where nobody listens, a socket that is bound there and does not. */
enum listener_answer listener_for(const struct model *m, const struct model_machine *machine,
				  const struct snag_addr *to, uint32_t *listener, uint32_t *silent);
/* Of queues that are as the call's fact QUEUE says, whoever's they are. */
enum listener_answer listener_admits(const struct model_machine *machine, const struct snag_call *c);
/* The same of this one, whose queues are as the call's fact QUEUE says. */
enum listener_answer listener_told(const struct model_sock *listener, const struct model_machine *machine,
				   const struct snag_call *c);

#endif
