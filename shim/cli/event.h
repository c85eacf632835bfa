/* event.h - from the ring's events to records: names of rules, processes and calls put in. */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include "args.h"
#include "occupants.h"
#include "procs.h"
#include "record.h"

#include <base/addr.h>
#include <policy/rules.h>
#include <session/session.h>
#include <snag/event.h>

struct event_space {		/* where a record's texts stand until the next one is made */
	struct args_space args;
	char addr[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], holder[ADDR_TEXT_MAX];
	char path[SNAG_PATH_MAX + 2];
	char err[16], signal[16];
	struct buf why, fix, occupant, place;
};

struct event_reader {
	const struct session *session;
	const struct rules *rules;	/* NULL: rules have no names */
	struct procs *procs;
	const struct occupants *occupants;	/* ports that the keeper holds; NULL: none */
	struct event_space space;
};

/* ev[0..n) as a record; its texts are valid until the next call. False: no event that can be shown. */
bool event_record(struct event_reader *e, const union snag_event *ev, unsigned n, struct record *r);

/* The record of a port that the keeper takes, or lets go of. Its texts are valid until the next record. */
void event_occupy_record(struct event_reader *e, const struct occupant *o, const char *what, uint64_t now_ns,
			 struct record *r);

/* The record of a process that was found dead. */
void event_end_record(const struct procs_row *row, uint64_t now_ns, struct record *r);

void event_reader_free(struct event_reader *e);

#endif
