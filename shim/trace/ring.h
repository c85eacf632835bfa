/* ring.h - the event ring: many writers in hooks, signal handlers and dying processes, one reader, the keeper.
 *
 * A writer takes places by one fetch-and-add, claims each slot by compare-and-swap on its stamp (free for this lap ->
 * claimed by pid), fills it, and stamps it done. No lock, no system call. A full ring loses the event and counts it. A
 * slot whose writer died between claim and done, or between place and claim, is skipped by the reader and counted. */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <snag/abi.h>
#include <snag/event.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
	uint64_t head __attribute__((aligned(64)));	/* next place to give out */
	uint64_t tail __attribute__((aligned(64)));	/* next place to read */
	uint64_t lost;		/* events not recorded for want of room */
	union snag_event slot[SNAG_RING_SLOTS] __attribute__((aligned(64)));
};

/* Write ev[0..n), 1 <= n <= SNAG_EVENT_MAX; ev[0].head.extra is set to n - 1. Returns the place after it, 0: lost. */
/* `ready`: slots whose file space is allocated (the header's ring_ready); the first lap stops there. */
uint64_t ring_put(struct ring *r, uint32_t ready, union snag_event *ev, unsigned n, uint32_t pid);

enum ring_got { RING_EMPTY, RING_EVENT, RING_LOST, RING_WAIT };

/* The next event into ev[SNAG_EVENT_MAX], its records into *n. RING_LOST: *n events went unrecorded here (dead writer,
 * or counted by writers). RING_WAIT: the next slot is being written; ask again soon. `alive` tells whether a pid
 * still runs. now_ns bounds how long a writer that lives is waited for (1 s). */
enum ring_got ring_get(struct ring *r, union snag_event *ev, unsigned *n, bool (*alive)(uint32_t pid), uint64_t now_ns);

#endif
