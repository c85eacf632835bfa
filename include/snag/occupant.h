/* occupant.h - a socket that stands on a port for nothing but being in the way, kept by the session's keeper: an entry of
 * `occupy:`, or what a rule leaves behind. */
#ifndef SNAG_OCCUPANT_H
#define SNAG_OCCUPANT_H

#include <snag/addr.h>
#include <stdint.h>

enum snag_occupant_as {
	SNAG_OCCUPANT_BOUND,		/* bound, neither listening nor connected */
	SNAG_OCCUPANT_LISTENING,
	SNAG_OCCUPANT_TIME_WAIT,	/* what is left of a connection that this side closed first */
	SNAG_OCCUPANTS
};

#define SNAG_OCCUPANT_FOREVER UINT64_MAX

/* What a program under test asks of the keeper: one datagram on the socket SESSION.occupy in the folder of sessions, with
 * one descriptor, the one whose end lets go of the port. The keeper believes nothing of it. */
#define SNAG_OCCUPANT_MAGIC 0x7570636fu	/* "ocpu" */
struct snag_occupant_order {
	uint32_t magic;
	uint8_t as;		/* enum snag_occupant_as */
	uint8_t proto;		/* enum snag_proto: TCP or UDP */
	uint8_t options;	/* enum snag_option bits that the socket has */
	uint8_t spare;
	uint16_t rule;		/* index + 1 of the rule that wants it */
	uint16_t spare2;
	uint32_t spare3;
	uint64_t begin_ns, until_ns;	/* session time since which, and until which */
	struct snag_addr addr;
};
_Static_assert(sizeof(struct snag_occupant_order) == 56, "snag_occupant_order passes between two programs");

#endif
