/* unix.h - paths and abstract names, and what a front end knows of them. */
#ifndef TESTS_LIVE_UNIX_H
#define TESTS_LIVE_UNIX_H

#include "live.h"

/* A folder of the world's own, and the current one. */
void unix_begin(struct world *w);
void unix_end(struct world *w);
/* One of a few paths and names, now and then something else; its length. The call is told of it. */
socklen_t unix_choose(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss);
/* The accept queue of a listener. */
void unix_queue(struct snag_call *c, int fd);

#endif
