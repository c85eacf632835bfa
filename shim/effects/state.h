/* state.h - what faults have left on a socket: one record for each socket slot, in the session's file, so that every
 * process which has the socket meets the same. Zeroed memory means: nothing. A record that carries another serial
 * than the socket speaks of a dead predecessor and means nothing either. */
#ifndef EFFECTS_STATE_H
#define EFFECTS_STATE_H

#include <snag/abi.h>
#include <stddef.h>
#include <stdint.h>

struct fault_state {
	uint32_t serial;	/* of the socket it speaks of */
	uint32_t flags;		/* what is in force */
	uint64_t sent, received;	/* bytes that the program really moved, where a rule counts them */
	uint64_t until_ns;	/* session time at which it ends; 0: not by itself */
	uint8_t spare[32];
};
_Static_assert(sizeof(struct fault_state) == 64, "fault_state stands in shared memory");

struct fault_table {
	uint64_t spare[8];
	struct fault_state sock[SNAG_SOCKS];	/* last: its file space is allocated as it grows */
};

#endif
