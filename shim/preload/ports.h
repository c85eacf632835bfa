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

#endif
