/* bare.h - sockets of the kernel that no descriptor has: connections queued at a listener, and closed ones that are not
 * gone yet (FIN_WAIT, TIME_WAIT). They stand in the chains of the port table like any other and outlive their process.
 * All under the session's lock. */
#ifndef MODEL_BARE_H
#define MODEL_BARE_H

#include "model.h"

/* A new one; 0: no room. Where all are in use the oldest closed one gives way, and the port says that something may be
 * left on it. */
uint32_t bare_new(struct model *m, uint64_t now_ns);
/* It is gone: out of all chains, and no end of anything. */
void bare_free(struct model *m, uint32_t bare);

/* A closed one will be gone at until_ns. */
void bare_ages(struct model *m, uint32_t bare, uint64_t until_ns);
/* Those whose time is certainly over go. */
void bare_purge(struct model *m, uint64_t now_ns);

/* A listener's queues: in at the end; out wherever it stands. In the SYN queue while it is half-open, so both around a
 * change of that. */
void bare_enqueue(struct model *m, uint32_t bare, uint32_t listener);
void bare_dequeue(struct model *m, uint32_t bare);

#endif
