/* standing.h - the ports that the keepers of this user's live sessions keep taken, read from outside: for `snag why`, which
 * meets one on a port, and `snag ports`. */
#ifndef CLI_STANDING_H
#define CLI_STANDING_H

#include "holders.h"
#include "occupants.h"

#include <session/session.h>
#include <stdbool.h>

struct standing {
	struct occupant occupant;	/* its fd is the keeper's */
	uint32_t keeper;		/* pid */
	uint64_t now_ns;		/* session time at which it was read */
	char session[SNAG_SESSION_NAME_MAX];
	struct buf name, place;		/* "occupy[0]" or "rule NAME"; FILE:LINE:COL, empty for a rule */
};

/* Each that stands now. The callback may keep name and place by clearing them there. False: enough. */
typedef bool standing_fn(void *arg, struct standing *st);
void standing_each(const struct session *s, standing_fn *each, void *arg);

/* Is this socket one of them? Then free it with standing_free. */
bool standing_find(uint8_t proto, const struct holder *h, struct standing *st);
void standing_free(struct standing *st);

/* What the trace tells of such a holder, added to what the kernel says. Texts stand in st. */
void standing_record(const struct standing *st, struct record_holder *r);

#endif
