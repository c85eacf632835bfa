/* check.c - snag check: validate policies, or print their canonical form. */
#include "cmd.h"
#include "options.h"
#include "place.h"

#include <base/names.h>
#include <compile/compile.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_PRINT = 256, OPT_RULE, OPT_SET, OPT_MODE, OPT_SEED };

static const struct option_row options[] = {
	{'m', "merge", NULL, "take the files as one policy, as `snag run -p A -p B` does"},
	{OPT_PRINT, "print", NULL, "print the policy in its canonical form"},
	{OPT_RULE, "rule", "RULE", "add a rule, as in `snag run`"},
	{OPT_SET, "set", "PATH=VALUE", "change a value, as in `snag run`"},
	{OPT_MODE, "mode", "MODE", "log, enforce, inject or disabled, whatever the files say"},
	{OPT_SEED, "seed", "N", "seed of all draws, whatever the files say"},
	{0, NULL, NULL, NULL},
};

static const struct usage usage = {
	.line = "check [options] FILE...",
	.what = "Validate policies: all errors at once, as FILE:LINE:COL: error: PATH: what; hint",
	.options = options,
	.notes = "FILE without a slash or suffix names a shipped policy. Exit status: 0 without errors, 2 with.",
};

struct check {
	struct compile_input in; /* without files */
	const char **files, **rules, **sets;
	size_t n_files;
	bool merge, print;
};

static int check_policy(const struct check *c, const char *const *files, size_t n)
{
	struct compile_input in = c->in;
	struct compiled out;

	in.files = files;
	in.n_files = n;
	if (c->print)
		return compile_print(&in, stdout, stderr) ? CMD_USAGE : CMD_OK;
	int err = compile_policy(&in, &out, stderr);
	for (size_t i = 0; !err && i < (n ? n : 1); i++)
		printf("%s: ok: %u rule%s, mode %s\n", n ? files[i] : "arguments", out.n_rules,
		       out.n_rules == 1 ? "" : "s", mode_name(out.mode));
	compile_free(&out);
	return err ? CMD_USAGE : CMD_OK;
}

static int check_all(const struct check *c)
{
	int status = CMD_OK;

	if (c->merge || c->n_files <= 1)
		return check_policy(c, c->files, c->n_files);
	for (size_t i = 0; i < c->n_files; i++)
		if (check_policy(c, &c->files[i], 1) != CMD_OK)
			status = CMD_USAGE;
	return status;
}

static void take_option(struct check *c, int key)
{
	switch (key) {
	case 'm':
		c->merge = true;
		break;
	case OPT_PRINT:
		c->print = true;
		break;
	case OPT_RULE:
		c->rules[c->in.n_rules++] = optarg;
		break;
	case OPT_SET:
		c->sets[c->in.n_sets++] = optarg;
		break;
	case OPT_MODE:
		c->in.mode = optarg;
		break;
	case OPT_SEED:
		c->in.seed = optarg;
		break;
	}
}

/* Options may stand behind files, too; `--` ends them. -1: go on; else the exit status. */
static int read_arguments(struct check *c, int argc, char **argv)
{
	bool ended = false;

	while (optind < argc) {
		int key = ended ? OPTIONS_END : options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key == OPTIONS_BAD)
			return CMD_USAGE;
		if (key != OPTIONS_END) {
			take_option(c, key);
			continue;
		}
		ended = ended || strcmp(argv[optind - 1], "--") == 0;
		if (optind < argc)
			c->files[c->n_files++] = argv[optind++];
	}
	if (!c->n_files && !c->in.n_rules && !c->in.n_sets) {
		fprintf(stderr, "snag check: no policy to check; name a file, or give --rule\n");
		return CMD_USAGE;
	}
	if (c->print && c->n_files > 1 && !c->merge) {
		fprintf(stderr, "snag check: --print of several files needs --merge: they become one policy\n");
		return CMD_USAGE;
	}
	return -1;
}

int cmd_check(int argc, char **argv)
{
	struct check c = {.files = calloc((size_t)argc, sizeof(char *)),
			  .rules = calloc((size_t)argc, sizeof(char *)),
			  .sets = calloc((size_t)argc, sizeof(char *))};
	int status = CMD_USAGE;

	if (c.files && c.rules && c.sets) {
		c.in.rules = c.rules;
		c.in.sets = c.sets;
		status = read_arguments(&c, argc, argv);
		if (status < 0) {
			char dir[PATH_MAX];
			c.in.policy_dir = place_policies(dir, sizeof(dir)) == 0 ? dir : NULL;
			status = check_all(&c);
		}
	}
	free(c.files);
	free(c.rules);
	free(c.sets);
	return status;
}
