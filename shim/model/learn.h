/* learn.h - what each call teaches, once its real answer is known. */
#ifndef MODEL_LEARN_H
#define MODEL_LEARN_H

#include "model.h"

/* r: the record of c->sock; NULL where the model does not know it. */
typedef void learn_fn(struct model *m, struct model_sock *r, const struct snag_call *c, const struct snag_outcome *o,
		      uint64_t now_ns);

learn_fn learn_accept, learn_connect, learn_shutdown, learn_close;

/* The connection is reset; a listener ends. now_at: what getsockname() says afterwards, the port apart, no family: nobody
 * asked; NULL: without the session's lock, so the port table stays as it is, and what stands in it is without effect. */
void learn_disconnected(struct model *m, struct model_sock *r, uint32_t sock, const struct snag_addr *now_at,
			uint64_t now_ns);

#endif
