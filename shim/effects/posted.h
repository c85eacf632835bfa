/* posted.h - the occupants that stand now, as the keeper posts them in the session's file for whoever looks at the
 * session from outside. One writer, the keeper; readers take a whole copy or none, and bound what they read. */
#ifndef EFFECTS_POSTED_H
#define EFFECTS_POSTED_H

#include <snag/addr.h>
#include <snag/occupant.h>
#include <stdbool.h>
#include <stdint.h>

#define OCCUPANTS 512			/* at once, and those over that still can be named */
#define OCCUPANT_NO_ENTRY UINT32_MAX

struct occupant_post {
	uint32_t version;	/* 0: nothing stands, or it is being written */
	int32_t fd;		/* the keeper's descriptor */
	uint32_t entry;		/* index in `occupy:`; OCCUPANT_NO_ENTRY: a rule's */
	uint16_t rule;		/* index + 1; 0: of an entry */
	uint8_t as, proto;	/* enum snag_occupant_as, enum snag_proto */
	uint8_t options;	/* enum snag_option bits */
	uint8_t spare[7];
	uint64_t begin_ns, until_ns;	/* session time */
	struct snag_addr addr;
};
_Static_assert(sizeof(struct occupant_post) == 64, "occupant_post stands in shared memory");

struct posted {
	uint32_t made;		/* versions given so far */
	uint32_t spare;
	struct occupant_post at[OCCUPANTS];
};

/* Row i says this from now on; its version is filled in. NULL: nothing stands there any more. */
void posted_set(struct posted *t, unsigned i, const struct occupant_post *p);
/* A copy of row i. False: nothing stands there, or what the row says cannot be. */
bool posted_get(const struct posted *t, unsigned i, struct occupant_post *p);

#endif
