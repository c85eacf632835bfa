/* record.c - the fields of a trace record: one table for the writer, the reader and the schema. */
#include "record.h"

#include <base/base.h>
#include <snag/state.h>

#define FIELD(parent, field, key, kind, text) \
	{ .name = key, .json = "\"" key "\":", .type = kind, .size = sizeof(key) - 1, .offset = offsetof(struct parent, field), .help = text }
#define OBJECT(parent, field, key, table, text) \
	{ .name = key, .json = "\"" key "\":", .type = RECORD_OBJECT, .size = sizeof(key) - 1, .offset = offsetof(struct parent, field), \
	  .fields = table, .help = text }

const struct record_field record_holder_fields[] = {
	FIELD(record_holder, pid, "pid", RECORD_INT, "its process"),
	FIELD(record_holder, comm, "comm", RECORD_TEXT, "its process's name"),
	FIELD(record_holder, exe, "exe", RECORD_TEXT, "its executable"),
	FIELD(record_holder, fd, "fd", RECORD_INT, "its descriptor there"),
	FIELD(record_holder, others, "others", RECORD_INT, "how many more processes share it"),
	FIELD(record_holder, sock, "sock", RECORD_INT, "its number in the trace"),
	FIELD(record_holder, local, "local", RECORD_TEXT, "its local address"),
	FIELD(record_holder, state, "state", RECORD_TEXT, "its state"),
	FIELD(record_holder, occupant, "occupant", RECORD_TEXT, "snag itself keeps it there: occupy[N], or rule NAME"),
	FIELD(record_holder, place, "place", RECORD_TEXT, "of such an entry: where it stands, FILE:LINE:COL"),
	FIELD(record_holder, session, "session", RECORD_TEXT, "snag why: the session whose keeper keeps it; since and until are its time"),
	FIELD(record_holder, options, "options", RECORD_LIST, "its options that bear on sharing an address"),
	FIELD(record_holder, since, "since", RECORD_TIME, "since when it has been in that state, session time"),
	FIELD(record_holder, until, "until", RECORD_TIME, "when snag lets go of it, or the virtual kernel's TIME_WAIT ends, session time"),
	FIELD(record_holder, uid, "uid", RECORD_INT, "where its process is hidden: the socket's user"),
	FIELD(record_holder, inode, "inode", RECORD_INT, "where its process is hidden: the socket's inode"),
	{ 0 },
};

const struct record_field record_why_fields[] = {
	FIELD(record_why, code, "code", RECORD_TEXT, "the reason, for programs"),
	FIELD(record_why, text, "text", RECORD_TEXT, "the reason, in words"),
	OBJECT(record_why, holder, "holder", record_holder_fields, "the socket in the way"),
	FIELD(record_why, fix, "fix", RECORD_TEXT, "what would make the call work"),
	{ 0 },
};

static const struct record_field queue_fields[] = {
	FIELD(record_queue, len, "len", RECORD_INT, "connections that wait"),
	FIELD(record_queue, max, "max", RECORD_INT, "its limit; one more than that is let in"),
	FIELD(record_queue, high, "high", RECORD_INT, "the most that was seen"),
	{ 0 },
};

const struct record_field record_fields[] = {
	FIELD(record, t, "t", RECORD_TIME, "seconds since the session began"),
	FIELD(record, dur, "dur", RECORD_TIME, "seconds spent in the call"),
	FIELD(record, seq, "seq", RECORD_INT, "order within the session; gaps are counted by a lost record"),
	FIELD(record, pid, "pid", RECORD_INT, "process"),
	FIELD(record, tid, "tid", RECORD_INT, "thread"),
	FIELD(record, comm, "comm", RECORD_TEXT, "the process's name"),
	FIELD(record, call, "call", RECORD_TEXT, "the libc name; else session, process, lost, rule, mark, occupy"),
	FIELD(record, what, "what", RECORD_TEXT,
	      "session: start, end; process: start, exec, end; lost: events, bookkeeping; occupy: begin, end, failed"),
	FIELD(record, entry, "entry", RECORD_INT, "occupy: the entry of that number in the policy, from 0"),
	FIELD(record, fd, "fd", RECORD_INT, "the descriptor; accept: the listening one"),
	FIELD(record, listener, "listener", RECORD_INT, "accept: the listening socket's number"),
	FIELD(record, sock, "sock", RECORD_INT, "the socket's number: the same after dup, fork, exec and passing"),
	FIELD(record, proto, "proto", RECORD_TEXT, "tcp, udp, unix, other"),
	FIELD(record, local, "local", RECORD_TEXT, "the socket's own address"),
	FIELD(record, peer, "peer", RECORD_TEXT, "the peer's address"),
	FIELD(record, addr, "addr", RECORD_TEXT, "the address argument"),
	FIELD(record, backlog, "backlog", RECORD_INT, "listen: its argument"),
	FIELD(record, bytes, "bytes", RECORD_INT, "calls that move bytes: how many the program asked for"),
	FIELD(record, domain, "domain", RECORD_TEXT, "socket: its arguments"),
	FIELD(record, type, "type", RECORD_TEXT, "socket: its arguments"),
	FIELD(record, protocol, "protocol", RECORD_TEXT, "socket: its arguments"),
	FIELD(record, how, "how", RECORD_TEXT, "shutdown: its argument"),
	FIELD(record, level, "level", RECORD_TEXT, "setsockopt: its arguments"),
	FIELD(record, option, "option", RECORD_TEXT, "setsockopt: its arguments"),
	FIELD(record, value, "value", RECORD_INT, "setsockopt: its arguments"),
	FIELD(record, newfd, "newfd", RECORD_INT, "dup2, dup3, fcntl: the wanted descriptor"),
	FIELD(record, first, "first", RECORD_UINT, "close_range, closefrom: the first descriptor"),
	FIELD(record, last, "last", RECORD_UINT, "close_range: the last descriptor"),
	FIELD(record, ret, "ret", RECORD_INT, "the result as the program saw it"),
	FIELD(record, err, "errno", RECORD_TEXT, "the error as the program saw it, by name"),
	FIELD(record, by, "by", RECORD_TEXT, "who decided it: kernel, model, rule"),
	FIELD(record, rule, "rule", RECORD_TEXT, "the rule that acted"),
	FIELD(record, rules, "rules", RECORD_LIST, "all rules that acted or logged, where there is more than one"),
	FIELD(record, dry, "dry", RECORD_BOOL, "--dry-run: the rule would have acted"),
	FIELD(record, note, "note", RECORD_TEXT, "why the rule was not carried out, and the call left alone"),
	FIELD(record, unseen, "unseen", RECORD_BOOL, "nobody saw the result"),
	FIELD(record, signal, "signal", RECORD_TEXT, "the signal that the rule sends"),
	FIELD(record, on, "on", RECORD_TEXT, "rule: the call that it acted on"),
	FIELD(record, model, "model", RECORD_TEXT, "what the model predicted: ok, an errno, waits, unknown"),
	FIELD(record, model_why, "model_why", RECORD_TEXT, "why it predicted nothing"),
	FIELD(record, model_when, "model_when", RECORD_TEXT,
	      "after: the model could only say so once the call had met a socket outside the session"),
	FIELD(record, diverged, "diverged", RECORD_BOOL, "the kernel contradicted the prediction"),
	FIELD(record, state, "state", RECORD_TEXT, "the socket's state after the call"),
	OBJECT(record, queue, "queue", queue_fields, "accept, listen: the listener's accept queue, where somebody looked"),
	FIELD(record, log, "log", RECORD_LIST, "texts of the rules that logged"),
	OBJECT(record, why, "why", record_why_fields, "why it was refused"),
	FIELD(record, count, "count", RECORD_INT, "lost: how many"),
	FIELD(record, ppid, "ppid", RECORD_INT, "process: its parent"),
	FIELD(record, exe, "exe", RECORD_TEXT, "process: its executable"),
	FIELD(record, text, "text", RECORD_TEXT, "mark: what the program wrote"),
	FIELD(record, version, "version", RECORD_TEXT, "session: snag's version"),
	FIELD(record, name, "name", RECORD_TEXT, "session: its name"),
	FIELD(record, mode, "mode", RECORD_TEXT, "session: log, enforce, inject, disabled"),
	FIELD(record, seed, "seed", RECORD_UINT, "session: the seed of all draws"),
	FIELD(record, policy, "policy", RECORD_LIST, "session: the policy files and rules"),
	FIELD(record, kernel, "kernel", RECORD_TEXT, "session: the kernel's release"),
	FIELD(record, clock, "clock", RECORD_INT, "session: how many times faster model time runs"),
	FIELD(record, start, "start", RECORD_TEXT, "session: when it began, RFC 3339"),
	{ 0 },
};

static void clear(const struct record_field *f, void *base)
{
	for (; f->name; f++) {
		char *at = (char *)base + f->offset;
		switch (f->type) {
		case RECORD_TIME:
		case RECORD_INT:
		case RECORD_UINT:
			*(int64_t *)(void *)at = RECORD_NONE;
			break;
		case RECORD_OBJECT:
			clear(f->fields, at);
			break;
		}
	}
}

void record_clear(struct record *r)
{
	static struct record blank;

	if (blank.t != RECORD_NONE)
		clear(record_fields, &blank);
	*r = blank;
}

void record_options(struct record_holder *h, unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *name;
	} options[] = {
		{ SNAG_OPTION_REUSEADDR, "SO_REUSEADDR" },
		{ SNAG_OPTION_REUSEPORT, "SO_REUSEPORT" },
		{ SNAG_OPTION_V6ONLY, "IPV6_V6ONLY" },
	};

	h->options.n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(options); i++)
		if (bits & options[i].bit)
			h->options.item[h->options.n++] = text_of(options[i].name);
}

const struct record_field *record_field(const char *name, size_t len)
{
	for (const struct record_field *f = record_fields; f->name; f++)
		if (f->size == len && memcmp(f->name, name, len) == 0)
			return f;
	return NULL;
}

bool record_has_any(const struct record_field *fields, const void *base)
{
	for (; fields->name; fields++)
		if (record_has(fields, base))
			return true;
	return false;
}

const char *const record_own[] = { "session", "process", "lost", "rule", "mark", "occupy", "expect", "oracle", NULL };

bool record_is_call(const struct record *r)
{
	for (size_t i = 0; record_own[i]; i++)
		if (text_is(r->call, record_own[i]))
			return false;
	return true;
}

bool record_failed(const struct record *r)
{
	return r->err.p != NULL;
}
