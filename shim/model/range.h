/* range.h - the ports among which the kernel chooses for a socket without one. */
#ifndef MODEL_RANGE_H
#define MODEL_RANGE_H

#include "bind.h"
#include "model.h"

struct port_range {
	uint16_t low, high;
	bool own;			/* IP_LOCAL_PORT_RANGE of the socket */
	const uint8_t *reserved;	/* as in struct model_machine */
	const uint64_t *used;		/* a bit for each of MODEL_PORTS: the others are asked first; NULL: none */
};
/* For the socket of this record. */
struct port_range range_of(const struct model *m, const struct model_machine *machine, const struct model_sock *r);

/* Is this port free for the one that asks? With a port that nobody uses it costs the same however many are used; where
 * each is, all are asked, as the kernel itself does. */
typedef enum bind_answer range_fn(void *arg, uint16_t port);
/* Is one of the range found to be free? bind, listen: in steps of two; connect: too, but for a range of the socket's own;
 * UDP looks at all. */
enum bind_answer range_all(const struct port_range *range, range_fn *ask, void *arg);
enum bind_answer range_in_twos(const struct port_range *range, range_fn *ask, void *arg);
/* bind, listen with SO_REUSEADDR: first the lower half, then the upper one. */
enum bind_answer range_in_halves(const struct port_range *range, range_fn *ask, void *arg);

#endif
