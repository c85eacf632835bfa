/* tuple.h - TCP connections by their two addresses. Changes under the session's lock. */
#ifndef MODEL_TUPLE_H
#define MODEL_TUPLE_H

#include "model.h"

void tuple_link(struct model *m, uint32_t sock);
void tuple_unlink(struct model *m, uint32_t sock);

struct tuple_walk {
	const struct model *m;
	const struct snag_addr *local, *peer;
	uint32_t next, steps;
};
void tuple_walk_begin(struct tuple_walk *w, const struct model *m, const struct snag_addr *local,
		      const struct snag_addr *peer);
/* The next one from `local` to `peer`, its number in *sock; NULL: the end. IPv4 equals itself mapped into IPv6. */
const struct model_sock *tuple_walk_next(struct tuple_walk *w, uint32_t *sock);

#endif
