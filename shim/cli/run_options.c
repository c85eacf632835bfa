/* run_options.c - what `snag run` was asked for. */
#include "run.h"

#include "cmd.h"
#include "environment.h"
#include "options.h"

#include <base/base.h>
#include <getopt.h>
#include <snag/abi.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_RULE = 256, KEY_SET, KEY_MODE, KEY_SEED, KEY_SESSION, KEY_FORMAT, KEY_SUMMARY, KEY_TIMEOUT, KEY_DRY_RUN,
       KEY_AUDIT, KEY_REPORT };

static const struct option_row rows[] = {
	{ 'p', "policy", "FILE", "a policy file, or the name of a shipped one; several are merged in order" },
	{ KEY_RULE, "rule", "RULE", "one rule, such as 'bind port=8080 first=3: EADDRINUSE'" },
	{ KEY_SET, "set", "KEY=VALUE", "a value of the policy, over what its files say" },
	{ KEY_MODE, "mode", "MODE", "log, enforce, inject or disabled; without it, what the policy needs" },
	{ KEY_SEED, "seed", "N", "the seed of all draws; without it, the policy's, or one drawn; printed where a rule draws" },
	{ KEY_SESSION, "session", "NAME", "join the live session NAME, or make it" },
	{ 'o', "output", "FILE", "the trace goes there instead of stderr; - is stderr" },
	{ KEY_FORMAT, "format", "FORMAT", "text or jsonl; without it, jsonl where FILE ends in .jsonl" },
	{ KEY_SUMMARY, "summary", NULL, "at the end, a table of calls and failures on stderr" },
	{ KEY_TIMEOUT, "timeout", "D", "end the command after D, such as 500ms, 10s or 2m, and what it started" },
	{ KEY_DRY_RUN, "dry-run", NULL, "change nothing; the trace says which rule would have acted" },
	{ 'q', "quiet", NULL, "no trace on stderr, no seed line, no summary" },
	{ KEY_AUDIT, "audit", NULL, "count how often the model foretold the kernel's answer; exit 121 when it was wrong" },
	{ KEY_REPORT, "report", "FILE", NULL },
	{ 0 },
};

static const struct usage usage = {
	.line = "run [options] [--] CMD [ARG]...",
	.what = "Runs CMD in a session: its socket calls are traced, and fail, wait or are signalled as the policy says",
	.options = rows,
	.notes = "Exit status: CMD's own, or 128+N when signal N ended it; 124 when --timeout passed (SIGTERM to the\n"
		 "session's processes, SIGKILL two seconds later; in a session that was joined, to what descends from\n"
		 "CMD); 125 when snag itself failed before the start; 126 when CMD is not executable, or no library can\n"
		 "be loaded into it; 127 when it was not found.\n"
		 "--audit prints \"audit: N right, N wrong, N unknown\" at the end, on stderr, with each wrong prediction and the\n"
		 "unknown by reason; with one wrong the exit status is 121. Where rules answer (mode inject) it is refused.\n"
		 "SNAG_POLICY (files, divided by colons), SNAG_SESSION and SNAG_TRACE stand for -p, --session and -o where\n"
		 "these are not given; inside a session they are that session's, and mean nothing to a new one.",
};

/* False: it is none. */
static bool parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		{ "us", 1000 },		     { "ms", NSEC_PER_MSEC },	     { "s", NSEC_PER_SEC },
		{ "m", 60 * NSEC_PER_SEC },  { "min", 60 * NSEC_PER_SEC },   { "h", 3600 * NSEC_PER_SEC },
	};
	char *end;
	double n = s[0] >= '0' && s[0] <= '9' ? strtod(s, &end) : -1;

	for (size_t i = 0; n >= 0 && i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].unit) != 0 || n * (double)units[i].ns >= 1e18)
			continue;
		*ns = (uint64_t)(n * (double)units[i].ns);
		return true;
	}
	return false;
}

/* Room for as many entries as there can be arguments. */
static void append(const char *const **list, size_t *n, int argc, const char *value)
{
	const char **p = (const char **)*list;

	if (!p)
		p = calloc((size_t)argc, sizeof(*p));
	if (!p) {
		fprintf(stderr, "snag: out of memory\n");
		exit(CMD_FAILED);
	}
	p[(*n)++] = value;
	*list = p;
}

static int bad(const char *before, const char *what, const char *after)
{
	fprintf(stderr, "snag run: %s%s%s\n", before, what, after);
	return CMD_FAILED;
}

static int parse_format(struct run *r, const char *s)
{
	if (strcmp(s, "text") == 0)
		r->format = SINK_TEXT;
	else if (strcmp(s, "jsonl") == 0)
		r->format = SINK_JSONL;
	else
		return bad("--format: '", s, "' is neither text nor jsonl");
	return 0;
}

static int parse_timeout(struct run *r, const char *s)
{
	if (!parse_duration(s, &r->timeout_ns))
		return bad("--timeout: '", s, "' is no duration; write 500ms, 10s or 2m");
	return r->timeout_ns ? 0 : bad("--timeout: '", s, "' is no time to run in; leave it out for no limit");
}

static int take(struct run *r, int key, int argc)
{
	struct compile_input *p = &r->policy;

	switch (key) {
	case 'p':
		append(&p->files, &p->n_files, argc, optarg);
		return 0;
	case KEY_RULE:
		append(&p->rules, &p->n_rules, argc, optarg);
		return 0;
	case KEY_SET:
		append(&p->sets, &p->n_sets, argc, optarg);
		return 0;
	case KEY_MODE:
		p->mode = optarg;
		return 0;
	case KEY_SEED:
		p->seed = optarg;
		return 0;
	case KEY_SESSION:
		r->session = optarg;
		return 0;
	case 'o':
		r->output = optarg;
		return optarg[0] ? 0 : bad("-o", "", ": an empty name; - is stderr, /dev/null nowhere");
	case KEY_FORMAT:
		return parse_format(r, optarg);
	case KEY_SUMMARY:
		r->summary = true;
		return 0;
	case KEY_TIMEOUT:
		return parse_timeout(r, optarg);
	case KEY_DRY_RUN:
		r->dry = true;
		return 0;
	case 'q':
		r->quiet = true;
		return 0;
	case KEY_AUDIT:
		r->audit = true;
		return 0;
	case KEY_REPORT:
		return bad("--report", "", " is not built yet");
	default:
		return CMD_FAILED;
	}
}

/* What belongs to the session as a whole is decided by whoever makes it. */
static void note_only_new(struct run *r, int key)
{
	if (key == KEY_SESSION || key == KEY_TIMEOUT || key == 'q')
		return;
	for (const struct option_row *o = rows; o->name; o++)
		if (o->key == key)
			r->only_new = o->name;
}

/* What the options leave open. A policy counts as a whole: from the options, or from here. */
static int take_environment(struct run *r)
{
	if (!r->session)
		r->session = environment_get(SNAG_ENV_SESSION);
	if (!r->output)
		r->output = environment_get(SNAG_ENV_TRACE);
	if (r->policy.n_files || r->policy.n_rules)
		return 0;
	return environment_policies(&r->policy, &r->policy_texts);
}

int run_options(struct run *r, int argc, char **argv, bool *done)
{
	int key, status = 0;

	*r = (struct run){ 0 };
	*done = true;
	while (status == 0 && (key = options_next(&usage, argc, argv)) != OPTIONS_END) {
		if (key == OPTIONS_HELP)
			return CMD_OK;
		status = take(r, key, argc);
		note_only_new(r, key);
	}
	if (status)
		return status;
	if (!argv[optind])
		return bad("no command; usage: snag ", usage.line, "");
	r->argv = argv + optind;
	if (!environment_inside() && take_environment(r) < 0)
		return bad("out of memory", "", "");
	if (!r->output && !r->quiet)
		r->output = "-";
	*done = false;
	return 0;
}

void run_free(struct run *r)
{
	free((void *)r->policy.files);
	free(r->policy_texts);
	free((void *)r->policy.rules);
	free((void *)r->policy.sets);
}
