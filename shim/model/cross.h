/* cross.h - two sockets that connect to each other, without a listener: a simultaneous open.
 *
 * The loopback delivers at once, so SYNs never cross there: the first must have been lost, and its socket waits still
 * when the second comes. */
#ifndef MODEL_CROSS_H
#define MODEL_CROSS_H

#include "model.h"

/* Who waits in SYN_SENT for a SYN from `from` to `to`? 0: nobody. *sure: it is there, and answers at once. */
uint32_t cross_waits(const struct model *m, const struct snag_addr *from, const struct snag_addr *to, uint64_t now_ns,
		     bool *sure);
/* Both are connected, to each other; the SYN came from `sock`. Under the lock. */
void cross_open(struct model *m, uint32_t sock, uint32_t waiting, uint64_t now_ns);

#endif
