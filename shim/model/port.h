/* port.h - who stands on a port: the chains of the port table. Changes under the session's lock; reading without it
 * gives an answer that may be out of date but never leaves the tables or loops. */
#ifndef MODEL_PORT_H
#define MODEL_PORT_H

#include "bind.h"
#include "model.h"

#define PORT_NONE UINT32_MAX

/* The chain of an address; PORT_NONE: port 0, no path, or a protocol without ports. */
uint32_t port_chain(uint8_t proto, const struct snag_addr *a);

/* Has it a place in a chain? Accepted sockets have not: they share the address of their listener without owning it. */
bool port_belongs(const struct model_sock *r);
/* Put the record of slot + 1 into the chain of its local address (out of its old one first), or take it out. */
void port_link(struct model *m, uint32_t sock);
void port_unlink(struct model *m, uint32_t sock);

struct port_walk {
	const struct model *m;
	uint32_t chain, next, steps;
};
void port_walk_begin(struct port_walk *w, const struct model *m, uint32_t chain);
/* The next record, its slot + 1 in *sock; NULL: the end. */
const struct model_sock *port_walk_next(struct port_walk *w, uint32_t *sock);

/* Is anybody on the port of new->addr in its way? `self` (slot + 1) is left out. *holder: slot + 1 of who is. */
enum bind_answer port_ask(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			  uint32_t *holder);
/* Connected, on a port that it did not name: a reset by its peer, which the model does not see, releases the port. */
bool port_may_be_free(const struct model_sock *r);
struct bind_claim port_claim(const struct model_sock *r);

/* The kernel let the socket have its port, in bind or listen. It remembers the last SO_REUSEPORT socket that it let in
 * and admits others like it without looking further, until one without that option comes: one bit of that is kept. */
void port_admitted(struct model *m, const struct model_sock *r);

uint32_t port_version(const struct model *m, uint32_t chain);

#endif
