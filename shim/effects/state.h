/* state.h - what faults have left on a socket: one record for each socket slot, in the session's file, so that every
 * process which has the socket meets the same. Zeroed memory means: nothing. A record that carries another serial
 * than the socket speaks of a dead predecessor and means nothing either. */
#ifndef EFFECTS_STATE_H
#define EFFECTS_STATE_H

#include <effects/posted.h>
#include <effects/queue.h>
#include <snag/abi.h>
#include <snag/addr.h>
#include <stddef.h>
#include <stdint.h>

/* A connection attempt that ends late. */
struct fault_late {
	uint64_t due;		/* session time */
	uint32_t count;		/* SYNs to lose; or the program's own TCP_USER_TIMEOUT */
	uint32_t ours;		/* the TCP_USER_TIMEOUT that it has meanwhile */
	struct snag_addr to;
	uint8_t kind;		/* what is to become of it: preload/pending.c */
	uint8_t shield;		/* enum shield */
	uint8_t spare[6];
};

struct fault_state {
	uint32_t serial;	/* of the socket it speaks of */
	uint32_t spent;		/* enum snag_spent bits: done to it for good */
	uint64_t sent, received;	/* bytes that the program really moved, where a rule counts them */
	uint64_t recv_until_ns, send_until_ns;	/* session time until which nothing moves; 0: no stall */
	uint32_t pending;	/* enum snag_action | enum snag_end << 8: to be done at the first recv or send; 0: nothing */
	uint32_t busy;		/* thread id of who resets the connection at this moment; 0: nobody. A futex */
	uint32_t spurious;	/* recv: so many more calls find nothing */
	uint32_t rule;		/* index + 1 of the rule that said so */
	uint32_t lowat;		/* what SO_RCVLOWAT was before a stall hid what arrives; 0: nothing is hidden */
	uint32_t strayed;	/* 1: a call has got an error that belonged to the middle of a reset; it makes itself again */
	uint32_t overflow;	/* listener: who resets clients that find its queue full: a rule's index + 1; 0: nobody */
	uint32_t least;		/* blackhole, self: what silence_deafen answered */
	uint32_t late;		/* serial, while a process is to end its connection attempt, as `attempt` says; 0: none is */
	struct fault_late attempt;
	struct snag_addr local, peer;	/* reset: what it was connected as; family 0: nothing to say */
};
_Static_assert(sizeof(struct fault_state) == 176, "fault_state stands in shared memory");

struct fault_table {
	struct queue_table queues;
	struct posted posted;
	struct fault_state sock[SNAG_SOCKS];	/* last: its file space is allocated as it grows */
};

/* The record of a socket, made its own if it was a predecessor's. `ready`: how many have file space. NULL: there is
 * none, or it is changing hands at this moment. Lock-free. */
struct fault_state *fault_claim(struct fault_table *t, uint32_t ready, uint32_t sock, uint32_t serial);
/* The same, NULL where nothing was left on the socket yet. */
struct fault_state *fault_find(struct fault_table *t, uint32_t ready, uint32_t sock, uint32_t serial);

#endif
