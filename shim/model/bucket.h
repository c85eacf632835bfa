/* bucket.h - what a TCP port remembers of the last SO_REUSEPORT socket that it let in.
 *
 * inet_csk_get_port() and sk_reuseport_match() (net/ipv4/inet_connection_sock.c): a SO_REUSEPORT socket of the same
 * user, at the same address or one that the remembered one covers, is admitted without a look at who else is there. One
 * without the option ends it. (FASTREUSEPORT_ANY, which would cover all addresses, has not been seen: the bucket of the
 * address is in the port's list before that asks whether the list is empty.) Few ports have such a memory: they share a
 * small table, and one that was pushed out of it is not sure any more. */
#ifndef MODEL_BUCKET_H
#define MODEL_BUCKET_H

#include "bind.h"
#include "model.h"

enum bucket_kind { BUCKET_NONE, BUCKET_KEPT, BUCKET_UNSURE };

/* A socket was let in, by bind, listen or connect; `others`: BIND_CONFLICT, somebody else holds the port, BIND_FREE,
 * nobody, BIND_UNSURE. */
void bucket_admitted(struct model *m, const struct bind_claim *new, enum bind_answer others);
/* Is the new one admitted without a look? BIND_FREE: yes; BIND_CONFLICT: no. */
enum bind_answer bucket_asked(const struct model *m, const struct bind_claim *new);
/* Somebody whom the model does not know is on the port, and may have been let in there. */
void bucket_doubt(struct model *m, uint16_t port);
/* connect() has chosen a port that nobody had. */
void bucket_forget(struct model *m, uint16_t port);

#endif
