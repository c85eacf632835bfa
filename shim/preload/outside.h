/* outside.h - who else stands on the port of a call: sockets that the session never saw, asked of the kernel where an
 * answer depends on them. Asking opens a descriptor for a moment and maps memory; it happens outside the session's
 * lock. */
#ifndef PRELOAD_OUTSIDE_H
#define PRELOAD_OUTSIDE_H

#include "hook.h"

/* Before decide. Does a prediction of this call want to know (--audit), or does it build on what was found earlier and
 * may have gone since? */
bool outside_wanted(const struct hook *h, unsigned facts);
/* Asks the kernel who stands on the call's port; NULL: nobody tells, or the call has no port. */
struct outside_list *outside_ask(struct hook *h);
/* Under the lock: enters them into the model, for what was known of them. The call then carries SNAG_FACT_WHOLE, if
 * nobody of the session has changed the port since they were asked for and all have found room. */
void outside_enter(struct hook *h, const struct outside_list *list);
void outside_free(struct outside_list *list);

/* After a call whose answer was not the predicted one: has somebody else come to its port, or gone? */
bool outside_raced(struct hook *h);
/* After a bind or listen that found its address in use: whoever is in the way, and is not of the session, is entered into
 * the model. Its owner, where he is to be found, stands in *who, and until outside_done also for outside_owner, through
 * which the engine asks. */
void outside_explain(struct hook *h, struct engine_holder *who);
bool outside_owner(struct engine_holder *out);
void outside_done(void);

#endif
