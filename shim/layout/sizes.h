/* sizes.h - which tables stand in a session's file, and how large they are: the same for whoever makes it and for whoever
 * joins. */
#ifndef LAYOUT_SIZES_H
#define LAYOUT_SIZES_H

#include <effects/state.h>
#include <model/model.h>
#include <policy/trigger.h>
#include <session/session.h>
#include <snag/event.h>
#include <trace/ring.h>

/* `rules`: bytes of the rule image; who joins need not know. */
static inline struct session_sizes layout_sizes(size_t rules)
{
	return (struct session_sizes){
		.model_fixed = offsetof(struct model, sock),
		.model_per_sock = sizeof(struct model_sock),
		.triggers = sizeof(struct trigger_table),
		.faults_fixed = offsetof(struct fault_table, sock),
		.faults_per_sock = sizeof(struct fault_state),
		.ring_fixed = offsetof(struct ring, slot),
		.ring_per_slot = sizeof(union snag_event),
		.rules = rules,
	};
}

#endif
