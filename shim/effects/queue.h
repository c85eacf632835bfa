/* queue.h - connections that are held in a listener's queue: when each was first seen, and until when. Stands in the
 * session's file, so that all processes that share a listener agree. Pure: no clock, no I/O. The caller holds the
 * session's lock; what is read was perhaps scribbled on, and is bounded. */
#ifndef EFFECTS_QUEUE_H
#define EFFECTS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_LISTENERS 64		/* listeners with connections in their queue that a rule has looked at, at once */
#define QUEUE_RUNS 24
#define QUEUE_TAKERS 16
#define QUEUE_FOREVER UINT64_MAX

struct queue_run {		/* `n` connections that were first seen together */
	uint64_t seen_ns;
	uint64_t until_ns;	/* may be taken from then on; QUEUE_FOREVER */
	uint32_t n;
	uint32_t rule;		/* index + 1 of the one that holds them; 0: none does */
};

struct queue_held {
	uint32_t sock, serial;	/* the listener; 0: free */
	uint32_t runs;
	uint32_t taker[QUEUE_TAKERS];	/* threads whose accept was let through and is under way; 0: a free place */
	struct queue_run run[QUEUE_RUNS];	/* in the order of the queue */
};

struct queue_table {
	uint64_t released_ns;	/* all that were seen before may be taken: snag ctl release */
	struct queue_held queue[QUEUE_LISTENERS];
};

/* The listener's record. With `make` one is made where there is none: of a free place, or of one whose socket is gone.
 * NULL: there is none, or no room. */
struct queue_held *queue_find(struct queue_table *t, uint32_t sock, uint32_t serial, bool make,
			     bool (*gone)(uint32_t sock, uint32_t serial));

/* The kernel's queue is `len` long now: forgets connections that somebody took unseen. Answers how many are new. */
uint32_t queue_news(struct queue_held *q, uint32_t len);
/* One more at the end. */
void queue_add(struct queue_held *q, uint64_t now, uint64_t until, uint32_t rule);

/* Lets go of what a rule holds, of which `off` says that it is switched off. */
void queue_let_go(struct queue_held *q, bool (*off)(uint32_t rule));

/* How many from the head on may be taken now; *until: when the first of the others may, QUEUE_FOREVER also where there is
 * none. *rule: who holds it. */
uint32_t queue_free(const struct queue_table *t, const struct queue_held *q, uint64_t now, uint64_t *until,
		   uint32_t *rule);

/* Without the lock: is the queue still as long as when it was last looked at, and its head held, by *rule until *until? */
bool queue_unchanged(const struct queue_table *t, const struct queue_held *q, uint32_t len, uint64_t now, uint64_t *until,
		     uint32_t *rule);

/* A thread's accept is let through: one less that others may take. More at once than there are places are not counted. */
void queue_take(struct queue_held *q, uint32_t tid);
/* It is over; `took`: it has the head. */
void queue_took(struct queue_held *q, uint32_t tid, bool took);
/* Of how many accepts under way is the end still to come? */
uint32_t queue_taking(const struct queue_held *q);
/* Forgets those whose thread is `gone`: it was killed, cancelled, or jumped out of accept. */
void queue_forget(struct queue_held *q, bool (*thread_gone)(uint32_t tid));

#endif
