/* occupants.h - the ports that a session's keeper keeps taken: the entries of `occupy:`, and what rules leave behind.
 * They begin and end on time, and end with the session. */
#ifndef CLI_OCCUPANTS_H
#define CLI_OCCUPANTS_H

#include "buf.h"
#include "record.h"

#include <effects/posted.h>
#include <policy/rules.h>
#include <snag/occupant.h>
#include <stdbool.h>
#include <stdint.h>

struct occupant {
	int fd;				/* -1: not yet, no more, or in vain */
	uint8_t as, proto, options;	/* enum snag_occupant_as, enum snag_proto, enum snag_option bits */
	bool waits;			/* its time has not come */
	uint16_t rule;			/* index + 1; 0: of an entry */
	uint32_t entry;			/* index in `occupy:`; OCCUPANT_NO_ENTRY: a rule's */
	int err;			/* why it could not begin, positive errno */
	uint64_t begin_ns, until_ns;	/* session time; until: as planned, then as it was */
	struct snag_addr addr;
};

/* It began, ended, or (o->err) could not begin. */
typedef void occupants_tell_fn(void *arg, const struct occupant *o, const char *what, uint64_t now_ns);

struct occupants {
	struct occupant *row;		/* NULL: the policy takes none */
	unsigned high;
	int orders;			/* where programs under test ask for more; -1: no rule does */
};

#define OCCUPANTS_NONE ((struct occupants){ .orders = -1 })

/* What the policy wants: takes each port that is wanted from the start, and opens the place for orders where a rule
 * gives any. 0; -1: something could not be had, which has been said on stderr. */
int occupants_open(struct occupants *l, const struct rules *rules, const char *session);
/* What a rule leaves on the port of a process that was found dead: it stands from the next step on. */
void occupants_order(struct occupants *l, const struct snag_occupant_order *o);
/* Takes orders, begins and ends what is due. */
void occupants_step(struct occupants *l, uint64_t now_ns, occupants_tell_fn *tell, void *arg);
/* Tells of all that stand now; of their end, where `ends`. */
void occupants_each(struct occupants *l, uint64_t now_ns, bool ends, occupants_tell_fn *tell, void *arg);
/* When something is due; UINT64_MAX: never. */
uint64_t occupants_due(const struct occupants *l);
/* Who stood in the way of `addr` at any time from t_ns to end_ns? NULL: none of these. */
const struct occupant *occupants_find(const struct occupants *l, uint8_t proto, const struct snag_addr *addr,
				      uint64_t t_ns, uint64_t end_ns);
/* The descriptors that a keeper in the background goes on with: at most OCCUPANTS + 1 into fds; how many. */
unsigned occupants_fds(const struct occupants *l, int *fds);
void occupants_close(struct occupants *l);

/* "occupy[0]" or "rule NAME". */
void occupant_name(struct buf *b, const struct occupant *o, const struct rules *rules);
/* Where the entry was written, FILE:LINE:COL; appends nothing for a rule. */
void occupant_place(struct buf *b, const struct occupant *o, const struct rules *rules);
/* As the holder of a port: what, on whose behalf, since when and until when. */
void occupant_holder(const struct occupant *o, struct text name, struct text place, struct record_holder *h);
/* As whoever looks from outside finds it in the session's file; false: it stands no more. */
bool occupant_post(const struct occupant *o, struct occupant_post *p);
/* enum snag_state, as it shows. */
unsigned occupant_state(const struct occupant *o);

#endif
