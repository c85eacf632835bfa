/* ring.h - the event ring: many writers in hooks, signal handlers and dying processes, one reader, the keeper.
 *
 * A writer takes places at the head, claims each slot by compare-and-swap on its stamp (free for this lap -> claimed by
 * pid), fills it, and stamps it done. No lock, no system call. A full ring loses the event and counts it. What a writer
 * left undone that died, or that has been stopped for a second, is skipped by the reader and counted.
 *
 * A writer that is late may go on at any time, so the slot that it claimed is not given to anybody else until it has
 * returned it or is dead: a newer record is never overwritten by an older one. Such a slot costs the ring one event a
 * lap.
 *
 * stamp: lap << 28 | pid << 6 | records - 1 << 3 | state. Only the reader makes a slot free for another lap. */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <snag/abi.h>
#include <snag/event.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
	uint64_t head __attribute__((aligned(64)));	/* next place to give out */
	uint64_t tail __attribute__((aligned(64)));	/* places below it are free again: follows `read` in strides, so
							 * that reading does not take the line from the writers */
	uint64_t lost;		/* events not recorded for want of room */
	/* of the reader: */
	uint64_t read __attribute__((aligned(64)));	/* next place to read */
	uint64_t seen;		/* the head as it last looked */
	uint64_t wait_ns;	/* since when it waits for a writer; 0: it does not */
	uint64_t wait_head;	/* the head at that time */
	union snag_event slot[SNAG_RING_SLOTS] __attribute__((aligned(64)));
};

/* Write ev[0..n), 1 <= n <= SNAG_EVENT_MAX; ev[0].head.extra is set to n - 1. Returns the place after it, 0: lost.
 * `ready`: slots whose file space is allocated (the header's ring_ready); the first lap stops there. `pid`: whose death
 * tells the reader that this record will not be finished. */
uint64_t ring_put(struct ring *r, uint32_t ready, union snag_event *ev, unsigned n, uint32_t pid);

enum ring_got { RING_EMPTY, RING_EVENT, RING_LOST, RING_WAIT };

/* The next event into ev[SNAG_EVENT_MAX], its records into *n. RING_LOST: *n events went unrecorded here (dead or late
 * writers, or no room); a writer that died before it claimed anything cannot say how many places were one event, so
 * each counts. RING_WAIT: the next slot is being written; ask again soon. `alive` tells whether a pid still runs.
 * now_ns: any clock that does not stop; bounds how long a writer that lives is waited for (1 s). What is read is
 * believed in nothing but its length: a scribbled ring gives rubbish or losses, never a hang. */
enum ring_got ring_get(struct ring *r, union snag_event *ev, unsigned *n, bool (*alive)(uint32_t pid), uint64_t now_ns);

#endif
