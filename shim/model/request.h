/* request.h - a request in a listener's SYN queue: half-open, a bare record in SYN_RECV. Its client is connected already.
 *
 * It becomes a connection in the accept queue when something comes for it that is more than an acknowledgement. All
 * under the session's lock. */
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include "model.h"

/* Data or a FIN has come for it. True: it is a connection now. */
bool request_hears(struct model *m, uint32_t bare, uint64_t now_ns);
/* It was accepted: it has become one, and the model has not seen why. */
void request_accepted(struct model *m, uint32_t bare, uint64_t now_ns);
/* The kernel says what state a bare record at a listener is in. */
void request_told(struct model *m, uint32_t bare, uint8_t tcp_state, uint64_t now_ns);

#endif
