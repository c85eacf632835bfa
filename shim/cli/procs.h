/* procs.h - the processes of a session as its keeper sees them: their names for the trace, and who died unsaid. */
#ifndef CLI_PROCS_H
#define CLI_PROCS_H

#include <session/session.h>
#include <snag/event.h>
#include <stdbool.h>
#include <stdint.h>

struct procs_row {
	uint32_t pid;		/* 0: nobody */
	bool ended;		/* its end stands in the trace */
	int pidfd;		/* -1: none */
	char comm[16], exe[112];	/* NUL terminated */
};

struct procs {
	struct procs_row *row;	/* SNAG_PROCS + 1, by process slot + 1 */
	uint32_t high;		/* no row from here on is in use */
	int epoll;		/* all pidfds; -1: none, then only looking helps */
};

int procs_open(struct procs *p);
void procs_close(struct procs *p);
/* After a fork: watches anew with descriptors of its own. */
void procs_reopen(struct procs *p);
/* Is any process known of, as of the last scan? */
bool procs_any(const struct procs *p);

/* A process record passed by. *replaced: who stood in its place and never said its end, pid 0: nobody. */
void procs_note(struct procs *p, const struct snag_event_process *e, struct procs_row *replaced);

/* The process that wrote an event: slot + 1 and pid as the event has them, or NULL. */
const struct procs_row *procs_find(struct procs *p, const struct session *s, uint32_t proc, uint32_t pid);

/* Looks through the session's slots: watches who is new, and tells of each that is gone without a word. */
void procs_scan(struct procs *p, const struct session *s, void (*gone)(void *arg, uint32_t proc, struct procs_row *row),
		void *arg);

/* Has one of those that are watched died? */
bool procs_died(const struct procs *p);

/* Live processes of a session, tickets left out. `each` may be NULL. */
unsigned procs_count(const struct session *s, void (*each)(void *arg, uint32_t pid), void *arg);

/* Does this pid run, for all that can be seen from here? */
bool procs_pid_runs(uint32_t pid);

#endif
