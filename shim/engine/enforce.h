/* enforce.h - the virtual kernel's part in decide and commit. */
#ifndef ENGINE_ENFORCE_H
#define ENGINE_ENFORCE_H

#include "engine.h"

/* After the rules: what they did not decide. */
void enforce_decide(const struct engine *e, const struct snag_kernel *k, const struct snag_call *c, struct snag_plan *p);
/* TIME_WAIT entries on the port of `local`, of whichever kernel is in force. */
unsigned enforce_time_waits(const struct engine *e, const struct snag_addr *local, uint64_t now_ns);

/* Did the program get the virtual kernel's refusal? */
bool enforce_refused(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o);
/* The machine refused it, because of this holder (0: none), where the virtual kernel would not have. */
bool enforce_stricter(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
		      const struct snag_outcome *o, uint32_t holder);
/* The socket that the call made has this option from its birth: the model learns it. */
void enforce_option(struct engine *e, const struct snag_call *c, const struct snag_outcome *o, int level, int name,
		    int value);
/* Right before and right after the model learns what became of a call. */
void enforce_before(struct engine *e, const struct snag_call *c, const struct snag_outcome *o);
void enforce_after(struct engine *e, const struct snag_call *c, const struct snag_outcome *o);

#endif
