/* reason.h - why a call was refused, and who is in the way. */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include "engine.h"

struct reason {
	uint8_t why;		/* enum snag_why */
	uint32_t holder;	/* slot + 1 */
	bool remains;		/* what is left of a closed connection */
	uint8_t options;	/* of that */
	struct snag_addr local;
	uint64_t since_ns;	/* the virtual kernel's: when it began; else 0 */
};

/* Does anybody living hold the socket (slot + 1, or a foreign one's number)? A process that was killed a moment ago may
 * still stand in the tables. */
bool reason_is_held(const struct engine *e, uint32_t sock);

/* Of a refusal of the kernel's; holder: engine_in_the_way. Right before the model learns of the call. */
struct reason reason_of(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
			const struct snag_outcome *o, uint32_t holder);
/* Of a refusal of the virtual kernel's. */
struct reason reason_enforced(const struct engine *e, const struct snag_plan *p);
/* As a record of the event, with the holder's process. */
void reason_write(const struct engine *e, const struct reason *reason, struct snag_event_why *w);

#endif
