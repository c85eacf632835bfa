/* main.c - snag: a table of commands. */
#include "cmd.h"

#include <errno.h>
#include <snag/abi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;	/* as argv[0] of the command */
	int (*run)(int argc, char **argv);
	const char *help;	/* NULL: not for people */
} commands[] = {
	{ "snag run", cmd_run, "run a program in a session: watch its socket calls, inject faults" },
	{ "snag check", cmd_check, "validate policy files" },
	{ "snag why", cmd_why, "would this bind work now, and who is in the way?" },
	{ "snag trace", cmd_trace, "print a JSONL trace as text, with filters" },
	{ "snag ports", cmd_ports, "the sockets of a live session: bindings, queues, connections, TIME_WAIT" },
	{ "snag sessions", cmd_sessions, "list the live sessions" },
	{ "snag ctl", cmd_ctl, "switch the rules of a live session, fire events, let go of holds" },
	{ "snag schema", cmd_schema, "print the JSON Schema of policies or traces" },
	{ "snag keeper", cmd_keeper, NULL },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *short_name(size_t i)
{
	return commands[i].name + strlen("snag ");
}

static void print_usage(FILE *out)
{
	fprintf(out, "usage: snag COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].help)
			fprintf(out, "  %-10s %s\n", short_name(i), commands[i].help);
	fprintf(out, "\n`snag COMMAND --help` prints a command's options; `snag --version` the version.\n");
}

static int command(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return CMD_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("snag %s\n", SNAG_VERSION);
		return CMD_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], short_name(i)) == 0) {
			argv[1] = (char *)commands[i].name;
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "snag: no command '%s'; `snag --help` lists them\n", argv[1]);
	return CMD_USAGE;
}

/* Output that did not arrive, on a full disk say, is no success. */
static bool output_lost(void)
{
	bool before = ferror(stdout);

	if (fflush(stdout) == 0 && !before)
		return false;
	fprintf(stderr, "snag: the output could not be written%s%s\n", before ? "" : ": ", before ? "" : strerror(errno));
	return true;
}

int main(int argc, char **argv)
{
	int status = command(argc, argv);

	return output_lost() && status == CMD_OK ? CMD_LOST : status;
}
