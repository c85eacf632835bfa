/* ephemeral.h - which port of ip_local_port_range the virtual kernel gives to a socket without one. Pure; under the
 * session's lock. Asked where the machine's own choice will not do: its TIME_WAIT is not the virtual one, or its range
 * does not hold the wanted one. */
#ifndef MODEL_EPHEMERAL_H
#define MODEL_EPHEMERAL_H

#include "model.h"

#include <snag/kernel.h>

/* The next port for the socket of this bind, listen or connect, as far as the session's sockets and its TIME_WAIT go; 0:
 * none is left. *at: 0 at first, then where the last answer left it. */
uint16_t ephemeral_port(const struct model *m, const struct snag_kernel *k, const struct snag_call *c, uint32_t *at);

/* May the machine itself still have a TIME_WAIT on the 4-tuple of this connect, which the virtual kernel has no more? */
bool ephemeral_lifts(const struct model *m, const struct snag_call *c, uint16_t port);

#endif
