/* keeper.h - the keeper of a session: drains the event ring into the trace, notices the dead, and removes the session
 * when nobody is left. `snag run` is one in the foreground; `snag keeper` and what `snag run` leaves behind are
 * background ones. A keeper that is killed costs the rest of the trace and nothing else. */
#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

#include "audit.h"
#include "event.h"
#include "occupants.h"
#include "procs.h"
#include "sink.h"
#include "summary.h"

#include <compile/compile.h>
#include <session/session.h>
#include <stdbool.h>
#include <stdint.h>

struct keeper {
	struct session session;
	char name[SNAG_SESSION_NAME_MAX];
	const struct rules *rules;	/* the keeper's own copy, not the shared one; borrowed */
	struct sink sink;
	struct summary *summary;	/* NULL: none; borrowed */
	struct audit *audit;		/* NULL: none; borrowed */
	struct procs procs;
	struct event_reader reader;
	struct occupants occupants;
	int64_t seq;			/* of the next record */
	uint32_t lost_told;
	uint32_t woken;			/* keeper_wake before the last look at the ring */
	unsigned idle_ms;		/* how long the next wait is at most */
	uint64_t reaped_ns, scanned_ns;
	uint64_t alert_ns;		/* until then somebody is about to end: look often */
	unsigned left;			/* processes and tickets at the last reaping */
	bool ring_whole;
	bool stalls;			/* the policy has any */
};

/* The sink and the summary are in place; the rest of *k is filled in. `policy`: what stands in the session record.
 * `flags`: enum snag_session_flag. -EEXIST: there is such a session; or what session_create answers. */
int keeper_create(struct keeper *k, const char *name, const struct compiled *policy, const struct record_texts *sources,
		  unsigned flags);

/* Right after: takes the ports of `occupy:` that are wanted from the start. 0; -1: one could not be had, which has been
 * said; end the session. */
int keeper_occupy(struct keeper *k);

/* One look: writes what is in the ring, reaps the dead. True: there was something, look again soon. */
bool keeper_step(struct keeper *k);
/* Until somebody wants the keeper, a signal comes, or a while has passed. */
void keeper_wait(struct keeper *k);
/* Reaps now. Processes and tickets that are left. */
unsigned keeper_reap(struct keeper *k);
/* All that is in the ring now is written. */
void keeper_drain(struct keeper *k);

/* Nobody is left: closes the session to newcomers, writes the rest, removes it, frees *k. False: somebody joined at the
 * last moment; the session goes on. */
bool keeper_end(struct keeper *k);
/* Lets go of all of it in this process; another one goes on as its keeper. */
void keeper_free(struct keeper *k);

/* Becomes a background process's keeper: its own session, working directory /, no descriptor but what it needs. A trace
 * that cannot outlive the starter ends here. */
void keeper_detach(struct keeper *k);
/* The loop of a background keeper, until nobody is left. `starter`: a process that is about to join, 0: none. */
void keeper_run(struct keeper *k, uint32_t starter);

#endif
