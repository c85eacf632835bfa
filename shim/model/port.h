/* port.h - who stands on a port: the chains of the port table. Changes under the session's lock; reading without it
 * gives an answer that may be out of date but never leaves the tables or loops. */
#ifndef MODEL_PORT_H
#define MODEL_PORT_H

#include "bind.h"
#include "model.h"

#define PORT_NONE UINT32_MAX

/* The chain of an address; PORT_NONE: port 0, no path, or a protocol without ports. */
uint32_t port_chain(uint8_t proto, const struct snag_addr *a);

/* A bit for each of MODEL_PORTS: has its chain anybody? A hint, as a process may die between the two. NULL: a protocol
 * without ports. */
const uint64_t *port_used(const struct model *m, uint8_t proto);

/* Has it a place in a chain? Accepted sockets whose addresses nobody told have not: they share the address of their
 * listener without owning it. */
bool port_belongs(const struct model_sock *r);
/* Put the record into the chain of its local address (out of its old one first), or take it out. Connections that
 * claim the same as one that stands there already become its twins: a walk meets one of them for all. So whatever
 * changes a claim links anew. */
void port_link(struct model *m, uint32_t sock);
void port_unlink(struct model *m, uint32_t sock);

struct port_walk {
	const struct model *m;
	uint32_t chain, next, steps;
};
void port_walk_begin(struct port_walk *w, const struct model *m, uint32_t chain);
/* The next record that stands for itself and its twins, its number in *sock; NULL: the end. */
const struct model_sock *port_walk_next(struct port_walk *w, uint32_t *sock);

/* Is anybody on the port of new->addr in its way? `self` is left out. *holder: who is, 0: somebody whom the model does
 * not know. */
enum bind_answer port_ask(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			  uint64_t now_ns, uint32_t *holder);
/* Has the kernel a port to give to `self` for new->addr? BIND_FREE: yes. */
enum bind_answer port_ask_any(const struct model *m, uint8_t proto, uint32_t self, const struct bind_claim *new,
			      const struct model_machine *machine, uint64_t now_ns);
/* Does anybody but `self` hold the TCP port? BIND_FREE: nobody. *named: the same of those whose port connect() did not
 * choose, and who do not share it. */
enum bind_answer port_held(const struct model *m, uint16_t port, uint32_t self, uint64_t now_ns,
			   enum bind_answer *named);
/* Its port may have been released without the model's knowledge: connected, on a port that it did not name, and not
 * both ends are followed. */
bool port_may_be_free(const struct model_sock *r, uint64_t now_ns);
/* The same of one of which both ends are followed: something may have ended it, or its connect may have been refused. */
bool port_may_be_gone(const struct model_sock *r, uint64_t now_ns);
struct bind_claim port_claim(const struct model_sock *r, uint64_t now_ns);

/* The kernel let the socket have its TCP port, in bind, listen or connect: see bucket.h. */
void port_admitted(struct model *m, uint32_t sock, uint64_t now_ns);
/* connect() or accept has given it an address other than the one that was bound: who chooses a port may overlook it. */
void port_moved(struct model *m, uint32_t sock);

uint32_t port_version(const struct model *m, uint32_t chain);

#endif
