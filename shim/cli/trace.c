/* trace.c - `snag trace FILE`: a JSONL trace as text, with filters. */
#include "cmd.h"
#include "find.h"
#include "jsonl.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_CALL = 256, KEY_PORT, KEY_FAILED, KEY_RULE, KEY_PID, KEY_FOLLOW };

static const struct option_row rows[] = {
	{ KEY_CALL, "call", "CALL[,CALL]", "only these calls (also session, process, lost, rule)" },
	{ KEY_PORT, "port", "N", "only calls that speak of this port" },
	{ KEY_FAILED, "failed", NULL, "only calls that failed" },
	{ KEY_RULE, "rule", "NAME", "only what this rule acted on" },
	{ KEY_PID, "pid", "N", "only this process" },
	{ KEY_FOLLOW, "follow", NULL, "go on as the trace grows, until its session ends" },
	{ 0 },
};

static const struct usage usage = {
	.line = "trace [options] FILE",
	.what = "Prints a JSONL trace as text; - is stdin. Filters add up",
	.options = rows,
};

struct filter {
	const char *call;	/* names, divided by commas; NULL: all */
	const char *rule;
	int64_t port, pid;	/* RECORD_NONE: all */
	bool failed, follow;
};

struct reading {
	const char *path;
	FILE *in;
	struct filter filter;
	struct buf out;
	char session[SNAG_SESSION_NAME_MAX];
	bool ended, colour;
	unsigned long bad;	/* lines that are no JSON object */
};

static bool in_list(const char *list, struct text t)
{
	for (const char *at = list; at;) {
		size_t n = strcspn(at, ",");
		if (t.p && n == t.n && memcmp(at, t.p, n) == 0)
			return true;
		at = at[n] ? at + n + 1 : NULL;
	}
	return false;
}

static bool has_port(struct text addr, int64_t port)
{
	char want[24];
	int n = snprintf(want, sizeof(want), ":%lld", (long long)port);

	return addr.p && addr.n >= (size_t)n && memcmp(addr.p + addr.n - n, want, (size_t)n) == 0;
}

static bool passes(const struct filter *f, const struct record *r)
{
	if (f->call && !in_list(f->call, r->call))
		return false;
	if (f->rule && !text_is(r->rule, f->rule))
		return false;
	if (f->pid != RECORD_NONE && r->pid != f->pid)
		return false;
	if (f->failed && !record_failed(r))
		return false;
	return f->port == RECORD_NONE || has_port(r->addr, f->port) || has_port(r->local, f->port) ||
	       has_port(r->peer, f->port);
}

static void flush(struct reading *g)
{
	fwrite(g->out.p, 1, g->out.n, stdout);
	fflush(stdout);
	g->out.n = 0;
}

static void one_line(struct reading *g, const char *line, size_t n)
{
	struct record r;
	json_t *json;

	if (jsonl_read(line, n, &r, &json) < 0) {
		g->bad++;
		return;
	}
	if (text_is(r.call, "session")) {
		g->ended = text_is(r.what, "end");
		if (r.name.p && r.name.n < sizeof(g->session)) {
			memcpy(g->session, r.name.p, r.name.n);
			g->session[r.name.n] = 0;
		}
	}
	if (r.call.p && passes(&g->filter, &r)) {
		text_write(&g->out, &r, g->colour);
		if (g->out.n > 65536)
			flush(g);
	}
	json_decref(json);
}

/* Does the session still run? Then its keeper may write more. */
static bool goes_on(const struct reading *g)
{
	struct session s;

	if (!session_name_ok(g->session) || find_session(&s, g->session) != 0)
		return false;
	session_detach(&s);
	return true;
}

/* Reads to the end of what is there; a last line without its newline waits for its rest. */
static void read_lines(struct reading *g, struct buf *line)
{
	char *chunk = NULL;
	size_t size = 0;
	ssize_t n;

	clearerr(g->in);
	while ((n = getline(&chunk, &size, g->in)) > 0) {
		buf_bytes(line, chunk, (size_t)n);
		if (chunk[n - 1] != '\n')
			break;
		one_line(g, line->p, line->n);
		line->n = 0;
	}
	free(chunk);
	flush(g);
}

static void read_trace(struct reading *g)
{
	struct buf line = { 0 };
	bool last = !g->filter.follow;

	read_lines(g, &line);
	while (!g->ended && !last) {
		last = !goes_on(g);	/* asked before the look: what was written until then is seen */
		if (!last)
			usleep(50000);
		read_lines(g, &line);
	}
	if (line.n)	/* cut short by a full disk or a kill */
		one_line(g, line.p, line.n);
	flush(g);
	buf_free(&line);
}

static bool parse_number(const char *s, int64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoll(s, &end, 10);
	return s[0] >= '0' && s[0] <= '9' && !*end && !errno;
}

static int take(struct filter *f, int key)
{
	bool good = true;

	switch (key) {
	case KEY_CALL:
		f->call = optarg;
		break;
	case KEY_RULE:
		f->rule = optarg;
		break;
	case KEY_PORT:
		good = parse_number(optarg, &f->port);
		break;
	case KEY_PID:
		good = parse_number(optarg, &f->pid);
		break;
	case KEY_FAILED:
		f->failed = true;
		break;
	case KEY_FOLLOW:
		f->follow = true;
		break;
	default:
		return CMD_USAGE;
	}
	if (!good)
		fprintf(stderr, "snag trace: '%s' is no number\n", optarg);
	return good ? CMD_OK : CMD_USAGE;
}

int cmd_trace(int argc, char **argv)
{
	struct reading g = { .filter = { .port = RECORD_NONE, .pid = RECORD_NONE } };
	const char *no_color = getenv("NO_COLOR");
	int key, status = CMD_OK;

	while (status == CMD_OK && (key = options_next(&usage, argc, argv)) != OPTIONS_END) {
		if (key == OPTIONS_HELP)
			return CMD_OK;
		status = take(&g.filter, key);
	}
	if (status != CMD_OK)
		return status;
	if (!argv[optind] || argv[optind + 1]) {
		fprintf(stderr, "usage: snag %s\n", usage.line);
		return CMD_USAGE;
	}
	g.path = argv[optind];
	g.in = strcmp(g.path, "-") == 0 ? stdin : fopen(g.path, "re");
	if (!g.in) {
		fprintf(stderr, "snag trace: %s: %s\n", g.path, strerror(errno));
		return CMD_USAGE;
	}
	g.colour = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
	read_trace(&g);
	buf_free(&g.out);
	if (g.in != stdin)
		fclose(g.in);
	if (g.bad)
		fprintf(stderr, "snag trace: %s: %lu lines are no JSON objects\n", g.path, g.bad);
	return g.bad ? CMD_USAGE : CMD_OK;
}
