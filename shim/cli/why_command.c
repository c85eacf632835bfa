/* why_command.c - `snag why`: would this bind work on this machine now? If not: who is in the way, which rule refuses
 * it, and which change would make it work. */
#include "bindable.h"
#include "cmd.h"
#include "endpoint.h"
#include "jsonl.h"
#include "options.h"
#include "standing.h"
#include "why.h"

#include <base/base.h>
#include <base/names.h>
#include <errno.h>
#include <getopt.h>
#include <snag/call.h>
#include <snag/kernel.h>
#include <snag/plan.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { KEY_REUSEADDR = 256, KEY_REUSEPORT, KEY_V6ONLY, KEY_RULES, KEY_JSON };

static const struct option_row rows[] = {
	{ KEY_REUSEADDR, "reuseaddr", NULL, "as a socket with SO_REUSEADDR" },
	{ KEY_REUSEPORT, "reuseport", NULL, "as a socket with SO_REUSEPORT" },
	{ KEY_V6ONLY, "v6only", NULL, "as an IPv6 socket with IPV6_V6ONLY" },
	{ KEY_RULES, "rules", "PROFILE", "by whose rules: linux, freebsd, macos or textbook" },
	{ KEY_JSON, "json", NULL, "as JSON" },
	{ 0 },
};

static const struct usage usage = {
	.line = "why [tcp|udp] ADDR:PORT [--reuseaddr] [--reuseport] [--v6only] [--rules PROFILE] [--json]",
	.what = "Says whether this bind would work on this machine now; if not, who holds it, which rule refuses it, and\n"
		"which change would make it work",
	.options = rows,
	.notes = "ADDR is 127.0.0.1, [::1], localhost, or * for 0.0.0.0; a port alone means 0.0.0.0 too; 53/udp is udp.\n"
		 "No program is run. The answer speaks of the calling user and of this network namespace. A socket is bound\n"
		 "there for a moment, with these options; it never listens.\n"
		 "Exit status: 0 it would work; 1 it would not; 2 wrong usage.",
};

static const char *const profiles[SNAG_PROFILES] = {
	[SNAG_PROFILE_LINUX] = "linux",
	[SNAG_PROFILE_FREEBSD] = "freebsd",
	[SNAG_PROFILE_MACOS] = "macos",
	[SNAG_PROFILE_TEXTBOOK] = "textbook",
};

struct ask {
	struct bindable_ask bind;
	bool json;
	char text[ADDR_TEXT_MAX];
};

/* Who is in the way, or beside, as the trace would tell it. */
struct in_way {
	struct record_holder holder;
	char space[ADDR_TEXT_MAX];
	bool kept;			/* by a session of snag */
	struct standing by;
};

struct answer {
	struct bindable v;
	struct in_way way[BINDABLE_SHOWN];
	struct buf rule, fix;
};

/* ---- the answer ---- */

static unsigned code_of(const struct bindable *v)
{
	switch (v->err) {
	case EADDRINUSE:
		return v->n_way ? SNAG_WHY_HELD : SNAG_WHY_UNKNOWN_HOLDER;
	case EACCES:
		return SNAG_WHY_PRIVILEGED;
	case EADDRNOTAVAIL:
		return SNAG_WHY_NOT_LOCAL;
	default:
		return SNAG_WHY_NONE;
	}
}

static void holder_text(struct buf *b, const struct in_way *w)
{
	if (w->kept)
		why_occupied(b, &w->holder, (int64_t)w->by.now_ns);
	else
		why_holder(b, &w->holder, 0);
}

static void reason_text(struct buf *b, const struct bindable *v, const struct in_way *w)
{
	struct record r;

	record_clear(&r);
	if (v->err && code_of(v) == SNAG_WHY_UNKNOWN_HOLDER) {
		buf_str(b, "held by a socket that the kernel does not list");
	} else if (v->n_way) {
		buf_str(b, v->err ? "held by " : "beside ");
		holder_text(b, w);
	} else {
		why_text(b, code_of(v), &r);
	}
}

static void print_line(const char *before, const struct buf *b)
{
	if (b->n)
		printf("         %s%.*s\n", before, (int)b->n, b->p);
}

static void print_text(const struct ask *a, const struct answer *answer)
{
	const struct bindable *v = &answer->v;
	const char *name = errno_name(v->err);
	struct buf b = { 0 };
	const char *whose = a->bind.profile ? profiles[a->bind.profile] : "", *says = a->bind.profile ? " says " : "";

	printf("%s%s%s: bind to %s %s %s%s\n", whose, says, v->err ? "no" : "yes", proto_name(a->bind.proto), a->text,
	       v->err ? "fails with " : "works", v->err ? (name ? name : strerror(v->err)) : "");
	for (size_t i = 0; i < v->n_way || (i == 0 && v->err); i++) {
		b.n = 0;
		reason_text(&b, v, &answer->way[i]);
		print_line("", &b);
	}
	if (v->more)
		printf("         and %zu more\n", v->more);
	print_line("rule: ", &answer->rule);
	print_line("would work with: ", &answer->fix);
	if (v->unsure)
		printf("         unless the other socket has options that are not visible to us\n");
	if (a->bind.profile && v->real_err != v->err)
		printf("         this machine's own kernel says %s\n", v->real_err ? errno_name(v->real_err) : "yes");
	if (!v->by_model)
		printf("         settled by a probe bind: %s\n", v->n_way ? "options of other sockets are not visible to us" :
									 "the kernel's list of sockets leaves it open");
	buf_free(&b);
}

static void json_field(struct buf *b, const char *name, struct text t)
{
	if (!t.n)
		return;
	buf_str(b, ",\"");
	buf_str(b, name);
	buf_str(b, "\":");
	buf_json(b, t);
}

static void print_json(const struct ask *a, const struct answer *answer)
{
	const struct bindable *v = &answer->v;
	const struct buf *rule = &answer->rule, *fix = &answer->fix;
	const char *name = errno_name(v->err);
	struct record r;
	struct buf b = { 0 }, reason = { 0 };

	record_clear(&r);
	buf_str(&b, v->err ? "{\"ok\":false" : "{\"ok\":true");
	json_field(&b, "errno", v->err && name ? text_of(name) : (struct text){ 0 });
	json_field(&b, "proto", text_of(proto_name(a->bind.proto)));
	json_field(&b, "addr", text_of(a->text));
	if (a->bind.profile) {
		json_field(&b, "rules", text_of(profiles[a->bind.profile]));
		json_field(&b, "real", text_of(v->real_err && errno_name(v->real_err) ? errno_name(v->real_err) : "ok"));
	}
	json_field(&b, "settled", text_of(v->by_model ? "model" : "probe"));
	if (v->err) {
		if (v->n_way)
			r.why.holder = answer->way[0].holder;
		reason_text(&reason, v, &answer->way[0]);
		r.why.code = text_of(code_of(v) ? why_name(code_of(v)) : "other");
		r.why.text = reason.n ? (struct text){ reason.p, reason.n } : text_of(strerror(v->err));
		r.why.fix = (struct text){ fix->n ? fix->p : NULL, fix->n };
		buf_str(&b, ",\"why\":");
		jsonl_object(&b, record_why_fields, &r.why);
		json_field(&b, "rule", (struct text){ rule->p, rule->n });
	}
	buf_str(&b, v->err ? ",\"holders\":[" : ",\"beside\":[");
	for (size_t i = 0; i < v->n_way; i++) {
		buf_str(&b, i ? "," : "");
		jsonl_object(&b, record_holder_fields, &answer->way[i].holder);
	}
	buf_str(&b, "]}\n");
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&reason);
	buf_free(&b);
}

/* ---- finding it ---- */

static void answer_find(const struct bindable_ask *a, struct answer *to)
{
	struct bindable *v = &to->v;
	struct in_way *first = &to->way[0];

	bindable_find(a, v);
	bindable_rule(&to->rule, a, v);
	bindable_fix(&to->fix, a, v);
	for (size_t i = 0; i < v->n_way; i++) {
		struct in_way *w = &to->way[i];
		holder_record(v->way[i], &w->holder, w->space);
		w->kept = standing_find(a->proto, v->way[i], &w->by);
		if (w->kept)
			standing_record(&w->by, &w->holder);
	}
	if (v->err == EADDRINUSE && v->n_way == 1 && first->kept)
		why_occupied_end(&to->fix, &first->holder, (int64_t)first->by.now_ns);
	else
		bindable_end(&to->fix, v);
}

static void answer_free(struct answer *a)
{
	for (size_t i = 0; i < BINDABLE_SHOWN; i++)
		if (a->way[i].kept)
			standing_free(&a->way[i].by);
	bindable_free(&a->v);
	buf_free(&a->rule);
	buf_free(&a->fix);
}

/* ---- the command line ---- */

static int complain(const char *what, const char *about)
{
	fprintf(stderr, "snag why: %s%s%s; usage: snag %s\n", about ? about : "", about ? ": " : "", what, usage.line);
	return CMD_USAGE;
}

static int take_option(struct ask *a, int key)
{
	switch (key) {
	case KEY_REUSEADDR:
		a->bind.options |= SNAG_OPTION_REUSEADDR;
		return CMD_OK;
	case KEY_REUSEPORT:
		a->bind.options |= SNAG_OPTION_REUSEPORT;
		return CMD_OK;
	case KEY_V6ONLY:
		a->bind.options |= SNAG_OPTION_V6ONLY;
		return CMD_OK;
	case KEY_JSON:
		a->json = true;
		return CMD_OK;
	case KEY_RULES:
		for (a->bind.profile = 0; a->bind.profile < SNAG_PROFILES; a->bind.profile++)
			if (strcmp(optarg, profiles[a->bind.profile]) == 0)
				return CMD_OK;
		return complain("not a profile; linux, freebsd, macos or textbook", optarg);
	default:
		return CMD_USAGE;
	}
}

static int take_operand(struct ask *a, const char *text)
{
	struct endpoint e;
	const char *wrong;

	if (!a->bind.proto && (strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0)) {
		a->bind.proto = text[0] == 't' ? SNAG_PROTO_TCP : SNAG_PROTO_UDP;
		return CMD_OK;
	}
	if (a->bind.addr.family)
		return complain("one address at a time", NULL);
	wrong = endpoint_parse(&e, text);
	if (wrong)
		return complain(wrong, text);
	if (a->bind.proto && e.proto && a->bind.proto != e.proto)
		return complain("it is said twice, and differently, which protocol", text);
	if (e.proto)
		a->bind.proto = e.proto;
	a->bind.addr = e.addr;
	return CMD_OK;
}

/* -1: go on; else the exit status. Options may stand anywhere. */
static int read_arguments(struct ask *a, int argc, char **argv)
{
	int status = CMD_OK;

	while (status == CMD_OK && optind < argc) {
		int key = options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key != OPTIONS_END)
			status = take_option(a, key);
		else if (optind < argc)
			status = take_operand(a, argv[optind++]);
	}
	if (status != CMD_OK)
		return status;
	if (!a->bind.addr.family)
		return complain("no ADDR:PORT", NULL);
	if ((a->bind.options & SNAG_OPTION_V6ONLY) && a->bind.addr.family != AF_INET6)
		return complain("--v6only is for IPv6 addresses", NULL);
	if (!a->bind.proto)
		a->bind.proto = SNAG_PROTO_TCP;
	addr_text(&a->bind.addr, a->text);
	return -1;
}

int cmd_why(int argc, char **argv)
{
	struct ask a = { .json = false };
	struct answer answer = { 0 };
	int status = read_arguments(&a, argc, argv);

	if (status >= 0)
		return status;
	answer_find(&a.bind, &answer);
	if (a.json)
		print_json(&a, &answer);
	else
		print_text(&a, &answer);
	status = answer.v.err ? CMD_NO : CMD_OK;
	answer_free(&answer);
	return status;
}
