/* text.c - a record as people read it. */
#include "text.h"

#include "args.h"

#include <ctype.h>
#include <stdio.h>

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct writer {
	struct buf *b;
	bool colour;
};

static void coloured(const struct writer *w, const char *colour, struct text t)
{
	if (w->colour)
		buf_str(w->b, colour);
	buf_plain(w->b, t);
	if (w->colour)
		buf_str(w->b, PLAIN);
}

static void field_value(struct buf *b, const struct record_field *f, const void *at)
{
	switch (f->type) {
	case RECORD_TEXT:
		buf_plain(b, *(const struct text *)at);
		break;
	case RECORD_INT:
	case RECORD_UINT:
		buf_int(b, *(const int64_t *)at);
		break;
	}
}

/* The arguments that are there, in their order. */
static void arguments(struct buf *b, const struct record *r, struct text call)
{
	const char *name = args_order(call);
	bool first = true;

	while (*name) {
		size_t n = strcspn(name, " ");
		const struct record_field *f = record_field(name, n);
		if (f && record_has(f, r)) {
			if (!first)
				buf_str(b, ", ");
			field_value(b, f, (const char *)r + f->offset);
			first = false;
		}
		name += n + (name[n] == ' ');
	}
}

static void head(struct buf *b, const struct record *r)
{
	buf_seconds(b, r->t == RECORD_NONE ? 0 : r->t, 6);
	buf_char(b, ' ');
	if (r->comm.p)
		buf_plain(b, r->comm);
	if (r->pid != RECORD_NONE) {
		buf_char(b, '[');
		buf_int(b, r->pid);
		buf_str(b, "] ");
	}
}

static void below(struct buf *b, const char *words, struct text t)
{
	buf_str(b, "         ");
	buf_str(b, words);
	buf_plain(b, t);
	buf_char(b, '\n');
}

static void rule_lines(const struct writer *w, const struct record *r)
{
	if (!r->rule.p)
		return;
	buf_str(w->b, "         ");
	buf_str(w->b, r->dry ? "would be changed by rule " : text_is(r->by, "rule") ? "by rule " : "matched rule ");
	coloured(w, YELLOW, r->rule);
	for (size_t i = 1; i < r->rules.n; i++) {
		buf_str(w->b, i == 1 ? ", with " : ", ");
		coloured(w, YELLOW, r->rules.item[i]);
	}
	buf_char(w->b, '\n');
}

/* "bind(6, 127.0.0.1:80) = -1 EADDRINUSE" */
static void call_line(const struct writer *w, const struct record *r)
{
	struct buf *b = w->b;

	buf_plain(b, r->call);
	buf_char(b, '(');
	arguments(b, r, r->call);
	buf_char(b, ')');
	if (r->unseen)
		buf_str(b, " = ?");
	if (r->ret != RECORD_NONE) {
		buf_str(b, " = ");
		buf_int(b, r->ret);
	}
	if (r->err.p) {
		buf_char(b, ' ');
		coloured(w, RED, r->err);
	}
}

struct text text_expected(const struct record *r)
{
	return text_is(r->model, "waits") ? text_of("it to wait") : r->model.p ? r->model : text_of("something else");
}

/* What the call has come to, where its arguments do not say it: the port that the kernel chose; a shortened queue. */
static void made_of(struct buf *b, const struct record *r)
{
	bool cut = text_is(r->call, "listen") && r->queue.max != RECORD_NONE && r->queue.max != r->backlog;

	if (r->err.p || (!r->local.p && !cut))
		return;
	buf_str(b, " (");
	buf_plain(b, r->local);
	if (cut) {
		buf_str(b, r->local.p ? ", queue of " : "queue of ");
		buf_int(b, r->queue.max);
	}
	buf_char(b, ')');
}

static void call_lines(const struct writer *w, const struct record *r)
{
	struct buf *b = w->b;

	call_line(w, r);
	made_of(b, r);
	if (r->dur != RECORD_NONE && r->dur >= 10000000) {	/* worth a look from 10 ms on */
		buf_str(b, " <");
		buf_seconds(b, r->dur, 3);
		buf_str(b, " s>");
	}
	buf_char(b, '\n');
	rule_lines(w, r);
	for (size_t i = 0; i < r->log.n; i++)
		below(b, "log: ", r->log.item[i]);
	if (r->note.p)
		below(b, "not carried out: ", r->note);
	if (r->diverged)
		below(b, "the model expected ", text_expected(r));
	if (r->why.text.p)
		below(b, text_is(r->by, "model") ? "by the virtual kernel: " : "", r->why.text);
	if (r->why.fix.p)
		below(b, "would work with: ", r->why.fix);
}

static void session_line(struct buf *b, const struct record *r)
{
	buf_str(b, "session ");
	if (r->name.p)
		buf_plain(b, r->name);
	buf_char(b, ' ');
	buf_plain(b, r->what.p ? r->what : text_of("start"));
	if (r->mode.p) {
		buf_str(b, ": mode ");
		buf_plain(b, r->mode);
	}
	if (r->seed != RECORD_NONE) {
		char seed[32];
		snprintf(seed, sizeof(seed), ", seed %llu", (unsigned long long)r->seed);
		buf_str(b, seed);
	}
	for (size_t i = 0; i < r->policy.n; i++) {
		buf_str(b, i ? ", " : ", policy ");
		buf_plain(b, r->policy.item[i]);
	}
	if (r->kernel.p) {
		buf_str(b, ", Linux ");
		buf_plain(b, r->kernel);
	}
	if (r->version.p) {
		buf_str(b, ", snag ");
		buf_plain(b, r->version);
	}
	buf_char(b, '\n');
}

static void process_line(struct buf *b, const struct record *r)
{
	buf_str(b, "process ");
	buf_plain(b, r->what);
	if (r->exe.p) {
		buf_char(b, ' ');
		buf_plain(b, r->exe);
	}
	if (r->ppid != RECORD_NONE) {
		buf_str(b, " (parent ");
		buf_int(b, r->ppid);
		buf_char(b, ')');
	}
	buf_char(b, '\n');
}

static void rule_record_lines(const struct writer *w, const struct record *r)
{
	buf_str(w->b, "rule ");
	coloured(w, YELLOW, r->rule);
	buf_str(w->b, r->dry ? " would act on " : " acts on ");
	buf_plain(w->b, r->on);
	buf_char(w->b, '(');
	arguments(w->b, r, r->on);
	buf_char(w->b, ')');
	if (r->signal.p) {
		buf_str(w->b, ": ");
		buf_plain(w->b, r->signal);
	}
	buf_char(w->b, '\n');
	for (size_t i = 0; i < r->log.n; i++)
		below(w->b, "log: ", r->log.item[i]);
}

static void lost_line(struct buf *b, const struct record *r)
{
	buf_str(b, "lost ");
	buf_int(b, r->count == RECORD_NONE ? 0 : r->count);
	buf_char(b, ' ');
	buf_plain(b, r->what);
	buf_char(b, '\n');
}

/* "occupy[0] begin: LISTEN on 127.0.0.1:8080" */
static void occupy_line(struct buf *b, const struct record *r)
{
	if (r->rule.p) {
		buf_str(b, "rule ");
		buf_plain(b, r->rule);
	} else {
		buf_str(b, "occupy[");
		buf_int(b, r->entry == RECORD_NONE ? 0 : r->entry);
		buf_char(b, ']');
	}
	buf_char(b, ' ');
	buf_plain(b, r->what);
	buf_str(b, ": ");
	for (size_t i = 0; i < r->state.n; i++)
		buf_char(b, (char)toupper((unsigned char)r->state.p[i]));
	buf_str(b, " on ");
	buf_plain(b, r->addr);
	if (r->err.p) {
		buf_str(b, ": ");
		buf_plain(b, r->err);
	}
	buf_char(b, '\n');
}

static void mark_line(struct buf *b, const struct record *r)
{
	buf_str(b, "mark: ");
	buf_plain(b, r->text);
	buf_char(b, '\n');
}

void text_write(struct buf *b, const struct record *r, bool colour)
{
	struct writer w = { b, colour };

	head(b, r);
	if (text_is(r->call, "session"))
		session_line(b, r);
	else if (text_is(r->call, "process"))
		process_line(b, r);
	else if (text_is(r->call, "lost"))
		lost_line(b, r);
	else if (text_is(r->call, "occupy"))
		occupy_line(b, r);
	else if (text_is(r->call, "mark"))
		mark_line(b, r);
	else if (text_is(r->call, "rule"))
		rule_record_lines(&w, r);
	else
		call_lines(&w, r);
}

void text_call(struct buf *b, const struct record *r)
{
	struct writer w = { b, false };

	head(b, r);
	call_line(&w, r);
}
