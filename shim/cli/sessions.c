/* sessions.c - `snag sessions`: the live ones; dead ones are removed on the way. */
#include "cmd.h"
#include "find.h"
#include "options.h"
#include "procs.h"

#include <base/names.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_JSON = 256 };

static const struct option_row rows[] = {
	{ KEY_JSON, "json", NULL, "as JSON" },
	{ 0 },
};

static const struct usage usage = {
	.line = "sessions [--json]",
	.what = "Lists this user's live sessions, and removes what dead ones left behind",
	.options = rows,
};

struct row {
	char name[SNAG_SESSION_NAME_MAX];
	uint32_t pid;		/* of the keeper */
	unsigned processes;
	char since[32];		/* RFC 3339, UTC */
	const char *mode;
};

struct list {
	struct row *row;
	size_t n, size;
};

static void fill(struct row *r, const char *name, const struct session *s)
{
	time_t since = (time_t)s->header->start_real_s;
	struct tm tm;

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->pid = s->header->keeper_pid;
	r->processes = procs_count(s, NULL, NULL);
	r->mode = mode_name(s->header->mode);
	if (!gmtime_r(&since, &tm) || !strftime(r->since, sizeof(r->since), "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(r->since, "?");
}

/* A file of another version or user is passed over: it is not ours to judge. */
static void add(const char *name, void *arg)
{
	struct list *l = arg;
	struct session s;

	if (find_session(&s, name) != 0)
		return;
	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 16;
		struct row *more = reallocarray(l->row, size, sizeof(*more));
		if (more) {
			l->row = more;
			l->size = size;
		}
	}
	if (l->n < l->size)
		fill(&l->row[l->n++], name, &s);
	session_detach(&s);
}

static int by_session_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static void print_text(const struct list *l)
{
	if (l->n)
		printf("%-24s %8s %10s  %-20s  %s\n", "NAME", "KEEPER", "PROCESSES", "SINCE", "MODE");
	for (size_t i = 0; i < l->n; i++)
		printf("%-24s %8u %10u  %-20s  %s\n", l->row[i].name, l->row[i].pid, l->row[i].processes, l->row[i].since,
		       l->row[i].mode);
}

static int print_json(const struct list *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct row *r = &l->row[i];
		json_array_append_new(all, json_pack("{s:s, s:i, s:i, s:s, s:s}", "name", r->name, "pid", (int)r->pid,
						     "processes", (int)r->processes, "since", r->since, "mode", r->mode));
	}
	int err = json_dumpf(all, stdout, JSON_INDENT(2));
	json_decref(all);
	putchar('\n');
	return err;
}

int cmd_sessions(int argc, char **argv)
{
	struct list l = { 0 };
	bool json = false;
	int key;

	while ((key = options_next(&usage, argc, argv)) != OPTIONS_END) {
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key != KEY_JSON)
			return CMD_USAGE;
		json = true;
	}
	if (argv[optind]) {
		fprintf(stderr, "snag sessions: takes no argument\n");
		return CMD_USAGE;
	}
	session_each(add, &l);	/* no folder: no session */
	if (l.n)
		qsort(l.row, l.n, sizeof(*l.row), by_session_name);
	if (json)
		print_json(&l);
	else
		print_text(&l);
	free(l.row);
	return CMD_OK;
}
