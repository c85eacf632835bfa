/* ports.h - the sockets of a live session, as the model and, at the moment of asking, the kernel know them. */
#ifndef CLI_PORTS_H
#define CLI_PORTS_H

#include <base/addr.h>
#include <session/session.h>
#include <snag/addr.h>
#include <stdbool.h>

#define PORTS_NONE (-1)	/* of a number: not known */

struct ports_holder {
	uint32_t pid;
	int fd;
	char comm[16];
};

struct ports_row {
	uint32_t sock;			/* its number in the trace; 0: no socket any more, only what is left of one */
	uint8_t proto, state;		/* enum snag_proto, enum snag_state */
	struct snag_addr local, peer;
	bool elsewhere;			/* in another network namespace than the session */
	char path[SNAG_PATH_MAX + 1];	/* unix: its name, an abstract one begins with @ */
	int64_t queue_len, queue_max, queue_high;	/* listeners; PORTS_NONE */
	int64_t left_ms;		/* TIME_WAIT and occupants: until it ends; PORTS_NONE */
	char *occupant, *place;		/* snag itself keeps it there: "occupy[0]" or "rule NAME"; FILE:LINE:COL. NULL */
	int64_t since_ns, until_ns;	/* of an occupant, session time; PORTS_NONE: until the session ends */
	struct ports_holder *holder;
	size_t n_holders;
};

struct ports {
	struct ports_row *row;
	size_t n;
};

/* Sockets with a name or a peer, listeners first, then by state and port. 0, or -ENOMEM. */
int ports_read(struct ports *p, const struct session *s);
void ports_free(struct ports *p);

#endif
