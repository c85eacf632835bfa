/* record.h - the model's socket records, by slot: access that checks bounds and staleness. */
#ifndef MODEL_RECORD_H
#define MODEL_RECORD_H

#include "model.h"

/* Slots in use, never more than there are. */
uint32_t record_high(const struct model *m);

/* Slot + 1 -> its record; NULL: out of range. `serial` 0 takes any record in use, else only that socket's. */
struct model_sock *record_at(struct model *m, uint32_t sock, uint32_t serial);
static inline const struct model_sock *record_of(const struct model *m, uint32_t sock, uint32_t serial)
{
	return record_at((struct model *)m, sock, serial);
}

/* A record for a socket that begins; NULL: out of range. What a dead predecessor left linked stays linked, without
 * effect, until the port table is next changed for it. */
struct model_sock *record_begin(struct model *m, uint32_t sock, uint32_t serial, uint64_t now_ns);

void record_state(struct model_sock *r, uint8_t state, uint64_t now_ns);

/* Does it hold its local port? A port that the program did not name is released in CLOSED. */
static inline bool record_holds(const struct model_sock *r)
{
	return r->local.port && r->state != SNAG_STATE_NONE &&
	       (r->state != SNAG_STATE_CLOSED || (r->flags & MODEL_EXPLICIT));
}

#endif
