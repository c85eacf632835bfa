/* address.h - which address does a step name? */
#ifndef TESTS_LIVE_ADDRESS_H
#define TESTS_LIVE_ADDRESS_H

#include "live.h"

/* One of the socket's family, now and then of the other one or cut short; its length. The call is told of it. */
socklen_t address_choose(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss);

#endif
