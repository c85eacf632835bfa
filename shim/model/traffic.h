/* traffic.h - TCP connections on a local port that stand in no chain, and what closed ones leave behind. All of it by
 * atomic operations, without the lock; the order of steps errs on the side of too many after a kill. */
#ifndef MODEL_TRAFFIC_H
#define MODEL_TRAFFIC_H

#include "model.h"

/* An accepted connection enters its local port's count, and leaves it for the port's trail. */
void traffic_enter(struct model *m, struct model_sock *r);
void traffic_leave(struct model *m, struct model_sock *r, uint64_t now_ns);

/* A connection has ended; what is left of it may refuse a bind to its local port for a while. */
void traffic_trail(struct model *m, const struct model_sock *r, uint64_t now_ns);
/* May something be left on the port? *options: those that all of it has. */
bool traffic_lingers(const struct model *m, uint16_t port, uint64_t now_ns, uint8_t *options);

/* An entry in the ring of those that certainly go to TIME_WAIT. */
void traffic_time_wait(struct model *m, const struct model_sock *r, uint64_t now_ns);

#endif
