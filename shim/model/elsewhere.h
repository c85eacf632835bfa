/* elsewhere.h - sockets of another network namespace than the session. Their ports and abstract names are others than the
 * session's, so no table hears of them, and nothing is foretold; what rules ask of a socket is kept: its state, its role,
 * its addresses. A path of a unix socket is the same from everywhere: unix_find_bsd() (net/unix/af_unix.c). */
#ifndef MODEL_ELSEWHERE_H
#define MODEL_ELSEWHERE_H

#include "learn.h"

/* Does this call on such a socket speak of ports, or of a name, that are not the session's? */
bool elsewhere_speaks(const struct model_sock *r, const struct snag_call *c);

learn_fn elsewhere_bind, elsewhere_listen, elsewhere_accept, elsewhere_connect, elsewhere_shutdown, elsewhere_close;

#endif
