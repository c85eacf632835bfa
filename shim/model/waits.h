/* waits.h - TIME_WAIT as the virtual kernel keeps it: what is left of the session's closed TCP connections, for as long
 * as that kernel says, whatever the machine's own does meanwhile. Outlives the process that closed.
 *
 * An entry whose time is over stays for a while as one that is past: the machine may still have its own. Times are
 * session time; the durations of the virtual kernel are divided by its clock. All under the session's lock. */
#ifndef MODEL_WAITS_H
#define MODEL_WAITS_H

#include "bind.h"

#include <snag/call.h>
#include <snag/kernel.h>

#define MODEL_WAITS 16384		/* the oldest gives way */
#define MODEL_WAIT_CHAINS 4096

/* Each of these means that the virtual kernel keeps a TIME_WAIT of its own. (Ports that the machine would not choose have
 * to be bound; connections that share one then need what goes with it.) */
#define WAITS_KEYS (SNAG_KERNEL_RULES | SNAG_KERNEL_CLOCK | SNAG_KERNEL_TIME_WAIT | SNAG_KERNEL_TW_REUSE | \
		    SNAG_KERNEL_TW_BUCKETS | SNAG_KERNEL_OUTSIDE)

enum wait_flag {
	WAIT_USED = 1 << 0,
	WAIT_DOUBT = 1 << 1,		/* nobody saw how it ended: by a FIN, or by a RST that leaves nothing */
};

struct model_wait {
	struct snag_addr local, peer;
	uint64_t since_ns, until_ns;
	uint32_t next;			/* index + 1: the next in the chain of its local port */
	uint32_t uid, device;
	uint16_t domain;
	uint8_t options;		/* enum snag_option bits, as the program had set them */
	uint8_t flags;			/* enum wait_flag bits */
};
_Static_assert(sizeof(struct model_wait) == 80, "model_wait stands in shared memory");

struct model_waits {
	uint32_t chain[MODEL_WAIT_CHAINS];	/* by local port: index + 1 of the newest */
	uint32_t made;				/* entries made so far: the next place, modulo their number */
	uint32_t spare;
	struct model_wait wait[MODEL_WAITS];
};

struct model;
struct model_sock;

/* Is any of them given? */
bool waits_in_force(const struct snag_kernel *k);

/* The connection is being closed, or its sending side shut. `c`: the call, with the facts TCP_STATE, UNREAD, LINGER and
 * LOCAL; NULL: its process is gone, and nobody knows more than the record. Makes an entry where this side closes first;
 * where the other one did, the time of its entry begins now. */
void waits_closed(struct model *m, const struct snag_kernel *k, uint32_t sock, const struct snag_call *c,
		  uint64_t now_ns);
/* A new connection has taken over the 4-tuple: nothing is left of the old one. */
void waits_resumed(struct model *m, const struct snag_addr *local, const struct snag_addr *peer);

/* The first entry whose time is not over and that is in the way of a bind or listen: index + 1; 0: none. One without
 * doubt comes first. */
uint32_t waits_refuse(const struct model *m, const struct snag_kernel *k, const struct bind_claim *new,
		      uint64_t now_ns);
bool waits_doubtful(const struct model *m, uint32_t wait);
/* Is one that is past still in the way where the machine looks? */
bool waits_past(const struct model *m, const struct bind_claim *new, uint64_t now_ns);
/* The entry of a 4-tuple whose time is not over, where `local` may be a wildcard: index + 1; 0: none. */
uint32_t waits_tuple(const struct model *m, const struct snag_addr *local, const struct snag_addr *peer,
		     uint64_t now_ns);
/* How many are in their time: on a port; and all of them. */
unsigned waits_all(const struct model *m, uint64_t now_ns);
unsigned waits_count(const struct model *m, uint16_t port, uint64_t now_ns);
/* A checked copy. */
bool waits_get(const struct model *m, uint32_t wait, struct model_wait *out);

/* The chains anew, after an owner died inside the lock. */
void waits_check(struct model *m);

#endif
