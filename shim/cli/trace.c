/* trace.c - `snag trace FILE`: a JSONL trace as text, with filters. */
#include "cmd.h"
#include "filter.h"
#include "find.h"
#include "jsonl.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_CALL = 256, KEY_PORT, KEY_FAILED, KEY_RULE, KEY_PID, KEY_FOLLOW };

static const struct option_row rows[] = {
	{ KEY_CALL, "call", "CALL[,CALL]", "only these, as in a rule: accept covers accept4, =accept does not; also session, "
				       "process, lost, rule" },
	{ KEY_PORT, "port", "N", "only calls that speak of this port, or of a listener there" },
	{ KEY_FAILED, "failed", NULL, "only calls that failed" },
	{ KEY_RULE, "rule", "NAME", "only what this rule acted on or logged" },
	{ KEY_PID, "pid", "N", "only this process" },
	{ KEY_FOLLOW, "follow", NULL, "go on as the trace grows, until its session ends" },
	{ 0 },
};

static const struct usage usage = {
	.line = "trace [options] FILE",
	.what = "Prints a JSONL trace as text; - is stdin",
	.options = rows,
	.notes = "What is shown passes every kind of filter. One given several times takes any of its values.\n"
		 "Exit status: 0; 1 when FILE cannot be read; 2 when a line of it is no JSON object.",
};

struct reading {
	const char *path;
	FILE *in;
	struct filter filter;
	bool follow;
	struct buf out;
	char session[SNAG_SESSION_NAME_MAX];
	bool ended, colour;
	bool begun;		/* a first line has been read */
	int error;		/* errno, where `in` could not be read on */
	unsigned long bad;	/* lines that are no JSON object */
};

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

	g->begun = true;
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
	if (r.call.p && filter_passes(&g->filter, &r)) {
		text_write(&g->out, &r, g->colour);
		if (g->out.n > 65536)
			flush(g);
	}
	json_decref(json);
}

/* Does the session still run? Then its keeper may write more. An empty file is one whose session has yet to begin. */
static bool goes_on(const struct reading *g)
{
	struct session s;
	struct stat st;

	if (!g->begun)
		return fstat(fileno(g->in), &st) == 0 && S_ISREG(st.st_mode);
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

	clearerr(g->in);	/* of the end of the file, which may grow */
	while ((n = getline(&chunk, &size, g->in)) > 0) {
		buf_bytes(line, chunk, (size_t)n);
		if (chunk[n - 1] != '\n')
			break;
		one_line(g, line->p, line->n);
		line->n = 0;
	}
	if (ferror(g->in))
		g->error = errno;
	free(chunk);
	flush(g);
}

static void read_trace(struct reading *g)
{
	struct buf line = { 0 };
	bool last = !g->follow;

	read_lines(g, &line);
	while (!g->ended && !last && !ferror(g->in) && !ferror(stdout)) {
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

static int take(struct reading *g, int key)
{
	int err = -1;

	switch (key) {
	case KEY_CALL:
		err = filter_add_calls(&g->filter, optarg);
		break;
	case KEY_RULE:
		err = filter_add_rule(&g->filter, optarg);
		break;
	case KEY_PORT:
		err = filter_add_port(&g->filter, optarg);
		break;
	case KEY_PID:
		err = filter_add_pid(&g->filter, optarg);
		break;
	case KEY_FAILED:
		g->filter.failed = true;
		return CMD_OK;
	case KEY_FOLLOW:
		g->follow = true;
		return CMD_OK;
	}
	return err ? CMD_USAGE : CMD_OK;
}

static int wrong_files(const char *what)
{
	fprintf(stderr, "snag trace: %s; usage: snag %s\n", what, usage.line);
	return CMD_USAGE;
}

/* Options may stand behind FILE, too; `--` ends them. -1: go on; else the exit status. */
static int read_arguments(struct reading *g, int argc, char **argv)
{
	bool ended = false;

	while (optind < argc) {
		int key = ended ? OPTIONS_END : options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key != OPTIONS_END) {
			if (take(g, key) != CMD_OK)
				return CMD_USAGE;
			continue;
		}
		ended = ended || strcmp(argv[optind - 1], "--") == 0;
		if (optind == argc)
			break;
		if (g->path)
			return wrong_files("one FILE at a time");
		g->path = argv[optind++];
	}
	return g->path ? -1 : wrong_files("no FILE to print");
}

static int print_trace(struct reading *g)
{
	const char *no_color = getenv("NO_COLOR");

	g->in = strcmp(g->path, "-") == 0 ? stdin : fopen(g->path, "re");
	if (g->in) {
		g->colour = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
		read_trace(g);
	}
	if (!g->in || ferror(g->in)) {
		fprintf(stderr, "snag trace: %s: %s\n", g->path, strerror(g->in ? g->error : errno));
		return CMD_LOST;
	}
	if (g->bad)
		fprintf(stderr, "snag trace: %s: %lu %s; `snag run` writes a trace as JSON lines with -o "
				"NAME.jsonl or --format jsonl\n", g->path, g->bad,
			g->bad == 1 ? "line is no JSON object" : "lines are no JSON objects");
	return g->bad ? CMD_USAGE : CMD_OK;
}

int cmd_trace(int argc, char **argv)
{
	struct reading g = { .path = NULL };
	int status = read_arguments(&g, argc, argv);

	if (status < 0)
		status = print_trace(&g);
	if (g.in && g.in != stdin)
		fclose(g.in);
	buf_free(&g.out);
	filter_free(&g.filter);
	return status;
}
