/* engine.h - decide what becomes of a call, and learn what became of it. The only reader of model and policy together.
 * Knows nothing of how a call was caught: a preload hook, a supervisor or a test hands it a value and gets a plan,
 * carries it out, and hands plan and outcome back. No lock is taken here: for a call with SNAG_TRAIT_PORT, and for bind
 * and listen always, the caller holds the session's lock over decide and again over commit, never in between.
 *
 *     call  --decide-->  plan  --effects / real call-->  outcome  --commit-->  event
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <model/model.h>
#include <policy/trigger.h>
#include <snag/call.h>
#include <snag/event.h>
#include <snag/occupant.h>
#include <snag/plan.h>
#include <stdbool.h>

struct engine_holder {		/* who holds a socket, for `why` */
	uint32_t pid;
	int32_t fd;
	uint8_t others;		/* processes that share it, at most 255 */
	char comm[16];
	char exe[48];
};

struct engine {
	struct model *model;
	const struct model_machine *machine;	/* what the machine has set; NULL: nobody asked */
	const struct rules *rules;
	struct trigger_table *triggers;
	uint8_t mode;			/* enum snag_mode */
	uint8_t dry;			/* --dry-run */
	uint8_t audit;			/* --audit: every prediction counts */
	bool (*holder)(void *arg, uint32_t sock, uint32_t serial, struct engine_holder *out);	/* NULL: nobody knows */
	void *arg;
};

/* The virtual kernel in force; NULL: none. */
const struct snag_kernel *engine_kernel(const struct engine *e);

/* Are both ends of each connection followed, and is the machine asked what that takes? Under --audit, and for a virtual
 * kernel whose own answers depend on who holds which port. Then the counted calls hold the lock. */
bool engine_exact(const struct engine *e);

/* Enum snag_fact bits that the front end must fill in before decide: those that rules on this call and the
 * virtual kernel ask for; where the engine is exact also those that bear on a prediction. */
unsigned engine_facts(const struct engine *e, unsigned call);

/* Does the virtual kernel keep the TIME_WAIT? Then calls that connect or close TCP sockets hold the lock too, and
 * outcome.local is filled in for connect and accept. */
bool engine_keeps_waits(const struct engine *e);
/* model_forget for a socket that ended without a call of its own: its process died, or dup2 replaced it. */
void engine_forget(struct engine *e, uint32_t sock, uint64_t now_ns);

/* The machine has refused the plan's port: the next one of the virtual kernel's range. False: there is none. Under the
 * lock. */
bool engine_next_port(const struct engine *e, const struct snag_call *c, struct snag_plan *p);

/* Is this one of the calls whose predictions --audit counts? */
bool engine_counts(unsigned call);

/* Can any rule in force, or the virtual kernel, concern this call? False: with no trace wanted and no port changed, decide need not be
 * called. */
bool engine_wants(const struct engine *e, unsigned call);
/* The same of this very call on a socket with these ports, as the model knows them (0: it does not). */
bool engine_concerns(const struct engine *e, const struct snag_call *c, uint16_t local, uint16_t peer);

/* Is the call's socket of another network namespace than the session? */
bool engine_elsewhere(const struct engine *e, const struct snag_call *c);

/* With `dry` the plan names the rules that would have fired and carries nothing out. */
void engine_decide(struct engine *e, const struct snag_call *c, struct snag_plan *p);

/* Connections arrive in a listener's queue before anybody accepts them: rules with `hold` speak of that, and not of the
 * accept call. c: the accept that would take the newcomer; p->action is SNAG_ACTION_hold where one fires. */
void engine_arrive(struct engine *e, const struct snag_call *c, struct snag_plan *p);
/* Is there such a rule that may concern this listener? */
bool engine_may_hold(const struct engine *e, const struct snag_call *c);

/* A socket loses its last descriptor without a call of its own (close_range, dup2): the rules that take its port away are
 * asked, and no others. c: a closing call on it, with all facts. Can there be any such rule on this call? */
void engine_leave(struct engine *e, const struct snag_call *c, struct snag_plan *p);
bool engine_leaves(const struct engine *e, unsigned call);
/* The same where nobody has a descriptor any more, as its process has ended; of c the caller fills in call, who, sock,
 * sock_key and start_ns. True: this is to stand on its port now. Under the lock, before the model forgets the socket. */
bool engine_ended(struct engine *e, struct snag_call *c, struct snag_occupant_order *o);
/* The options (enum snag_option) of what such an action leaves on a port, of those that the closing socket has. */
uint8_t engine_left_options(const struct engine *e, unsigned action, uint32_t sock, uint32_t serial, uint8_t options);
/* A duration of the policy, which is model time, as real time. */
uint64_t engine_real_ns(const struct engine *e, uint64_t model_ns);

/* Who is in the way of a bind or listen that the kernel refused, as predicted or asked anew: a socket's slot + 1, or a
 * foreign one's number (see model/foreign.h); 0: nobody known. For a front end that could ask the kernel then. */
uint32_t engine_in_the_way(const struct engine *e, const struct snag_call *c, const struct snag_plan *p);

/* Has the real kernel answered as the plan foretold? Of a plan that foretold something. */
bool engine_foretold(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o);

/* The model learns; the event is built in ev[SNAG_EVENT_MAX]. Returns its number of records. With ev NULL (no trace)
 * only the model learns. An outcome that is UNSEEN returns the plan's ticket and leaves the model as it was. */
unsigned engine_commit(struct engine *e, const struct snag_call *c, const struct snag_plan *p,
		       const struct snag_outcome *o, union snag_event *ev);

#endif
