/* options.h - one table of options for each command: getopt_long reads it, and so does --help. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

struct option_row {
	int key;		/* the short option's letter, or a number from 256 on */
	const char *name;	/* long name; NULL ends the table */
	const char *arg;	/* what its argument is called; NULL: it takes none */
	const char *help;	/* one sentence; NULL: not shown */
};

struct usage {
	const char *line;	/* "run [options] -- CMD [ARG]..." */
	const char *what;	/* what the command does, one sentence */
	const struct option_row *options;
	const char *notes;	/* printed below the options; NULL: none */
};

#define OPTIONS_END (-1)	/* optind is the first operand */
#define OPTIONS_HELP (-2)	/* --help was asked for, and is printed */
#define OPTIONS_BAD '?'		/* getopt_long has said what is wrong */

/* The next option's key, with its argument in optarg; options end at the first operand. argv[0] stands in messages. */
int options_next(const struct usage *u, int argc, char **argv);

#endif
