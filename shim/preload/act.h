/* act.h - a plan carried out before the real call: its signal, its delay, its failure. */
#ifndef PRELOAD_ACT_H
#define PRELOAD_ACT_H

#include "hook.h"

/* Was the descriptor closed and opened again behind our back? Then nothing of the plan is meant for what it is now: it is
 * forgotten, and the call goes unrecorded. */
bool act_mistaken(struct hook *h);
/* True: make the real call. False: the hook has its answer. */
bool act(struct hook *h);
/* The plan's signal, with its record in the trace. */
void act_signal(struct hook *h);

/* The call is the kernel's; the event keeps the rule's name and says why. */
void act_leave_alone(struct hook *h, const char *note);

#endif
