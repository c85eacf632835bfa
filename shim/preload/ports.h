/* ports.h - rules that take ports away: time_wait, steal, self_connect. What cannot be carried out leaves the call
 * alone and says why in its event. */
#ifndef PRELOAD_PORTS_H
#define PRELOAD_PORTS_H

#include "hook.h"

/* In front of the real call: bind finds its port taken, connect gets the port that it connects to; a closing call's
 * port is claimed, and ports_settle must follow the real call. */
void ports_act(struct hook *h);
/* After the real close: what was claimed goes to the keeper. */
void ports_settle(struct hook *h);
static inline void ports_closed(struct hook *h)
{
	if (unlikely(h->claimed))
		ports_settle(h);
}

/* In front of a call that closes fd, which means r, by the way (close_range, dup2): does a rule on `call` take its port?
 * True: it is claimed, and ports_settle must follow. h is made for this. */
bool ports_leaving(struct hook *h, unsigned call, int fd, struct sock_ref r);

/* What rules leave on the ports of processes that have ended: ports_ended (a proc_closed_fn; arg: struct ports_left)
 * collects under the lock and lets the model forget; then, without the lock, ports_leave does it. */
#define PORTS_LEFT_MAX 8
struct ports_left {
	unsigned n;
	struct snag_occupant_order order[PORTS_LEFT_MAX];
};
void ports_ended(void *arg, uint32_t proc, uint32_t sock);
void ports_leave(struct ports_left *l);
/* All of that for every process that is found dead. */
void ports_reap(void);

#endif
