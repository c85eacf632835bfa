/* record.h - one record of a trace as a value: what both renderers print, and what `snag trace` reads back. Made from
 * the ring's events (event.c) or from a JSONL line (jsonl.c). One table says which field stands where. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_NONE INT64_MIN	/* of a number: absent */
#define RECORD_TEXTS 16		/* entries of a list; more are cut */

struct record_texts {
	struct text item[RECORD_TEXTS];
	size_t n;		/* 0: absent */
};

struct record_holder {		/* who is in the way */
	int64_t pid;
	struct text comm, exe;
	int64_t fd, sock, others;
	struct text local, state, occupant, place, session;
	struct record_texts options;
	int64_t since, until;	/* ns, session time; until: of an occupant, or a TIME_WAIT of the virtual kernel */
	int64_t uid, inode;	/* of a socket whose process is hidden from us */
	bool options_known;	/* in no trace: also an empty list of options is the truth */
};

struct record_queue {		/* a listener's accept queue */
	int64_t len, max, high;
};

struct record_why {
	struct text code, text;
	struct record_holder holder;
	struct text fix;
};

/* Times are nanoseconds of session time. A text whose p is NULL, a number RECORD_NONE, an empty list and a false bool
 * are absent. The texts belong to whoever made the record. */
struct record {
	int64_t t, dur, seq, pid, tid;
	struct text comm, call;
	int64_t fd, listener, sock;
	struct text proto, local, peer, addr;
	int64_t backlog;
	int64_t bytes;
	struct text domain, type, protocol, how, level, option;
	int64_t value, newfd, first, last;
	int64_t ret;
	struct text err, by, rule;
	struct record_texts rules;	/* more than one: all, `rule` first */
	bool dry, unseen;
	struct text note;
	struct text signal, on;
	struct text model, model_why, model_when;
	bool diverged;
	struct text state;
	struct record_texts log;
	struct record_why why;
	struct record_queue queue;
	/* records that are no call */
	struct text what;	/* session: start, end; process: start, exec, end; lost: events, bookkeeping;
				 * occupy: begin, end, failed */
	int64_t entry;		/* occupy: of the policy's list */
	int64_t count;		/* lost */
	int64_t ppid;		/* process */
	struct text exe;
	struct text text;	/* mark */
	struct text version, name, mode, kernel, start;	/* session */
	int64_t seed, clock;	/* the seed's 64 bits */
	struct record_texts policy;
};

enum record_type {
	RECORD_TIME,		/* int64_t ns; a number of seconds in JSON */
	RECORD_INT,
	RECORD_UINT,		/* an int64_t whose bits are an unsigned number */
	RECORD_TEXT,
	RECORD_BOOL,
	RECORD_LIST,		/* struct record_texts */
	RECORD_OBJECT,
};

struct record_field {
	const char *name;	/* NULL ends the table */
	const char *json;	/* as it stands in a line: "name":, size + 3 bytes */
	uint8_t type;		/* enum record_type */
	uint8_t size;		/* of the name */
	uint16_t offset;	/* in the struct that its table speaks of */
	const struct record_field *fields;	/* of an object */
	const char *help;
};

/* Of struct record, record_why and record_holder, in the order in which they are written. */
extern const struct record_field record_fields[], record_why_fields[], record_holder_fields[];

/* All absent. */
void record_clear(struct record *r);
/* Enum snag_option bits by name. */
void record_options(struct record_holder *h, unsigned bits);
/* The field of this name, NULL: none. */
const struct record_field *record_field(const char *name, size_t len);

bool record_has_any(const struct record_field *fields, const void *base);
static inline bool record_has(const struct record_field *f, const void *base)
{
	const void *at = (const char *)base + f->offset;

	switch (f->type) {
	case RECORD_TEXT:
		return ((const struct text *)at)->p != NULL;
	case RECORD_BOOL:
		return *(const bool *)at;
	case RECORD_LIST:
		return ((const struct record_texts *)at)->n > 0;
	case RECORD_OBJECT:
		return record_has_any(f->fields, at);
	default:
		return *(const int64_t *)at != RECORD_NONE;
	}
}

static inline bool text_is(struct text t, const char *s)
{
	return t.p && t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

/* What stands in `call` of records that are no call; NULL ends them. */
extern const char *const record_own[];
/* Is it a call, not one of the session's own records? */
bool record_is_call(const struct record *r);
/* A call that failed. */
bool record_failed(const struct record *r);

#endif
