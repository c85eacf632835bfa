/* options.c - one table of options for each command: getopt_long reads it, and so does --help. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ROWS_MAX 32
#define KEY_HELP 1024	/* no command has so many of its own */

static void print_option(const struct option_row *o)
{
	char left[64];

	snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->key < 256 ? '-' : ' ', o->key < 256 ? o->key : ' ',
		 o->key < 256 ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	if (strlen(left) > 26)
		printf("%s\n%-27s %s\n", left, "", o->help);
	else
		printf("%-27s %s\n", left, o->help);
}

static void print_help(const struct usage *u)
{
	printf("usage: snag %s\n%s.\n\n", u->line, u->what);
	for (const struct option_row *o = u->options; o->name; o++)
		if (o->help)
			print_option(o);
	print_option(&(struct option_row){ KEY_HELP, "help", NULL, "print this" });
	if (u->notes)
		printf("\n%s\n", u->notes);
}

int options_next(const struct usage *u, int argc, char **argv)
{
	struct option longs[ROWS_MAX + 2];
	char shorts[2 * ROWS_MAX + 2] = "+";	/* + : what follows CMD is CMD's */
	size_t n = 0, at = 1;

	for (const struct option_row *o = u->options; o->name && n < ROWS_MAX; o++, n++) {
		longs[n] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL, o->key };
		if (o->key < 256) {
			shorts[at++] = (char)o->key;
			if (o->arg)
				shorts[at++] = ':';
		}
	}
	shorts[at] = 0;
	longs[n++] = (struct option){ "help", no_argument, NULL, KEY_HELP };
	longs[n] = (struct option){ NULL, 0, NULL, 0 };

	int key = getopt_long(argc, argv, shorts, longs, NULL);
	if (key == '?')
		fprintf(stderr, "%s: `%s --help` lists the options\n", argv[0], argv[0]);
	if (key == KEY_HELP) {
		print_help(u);
		return OPTIONS_HELP;
	}
	return key;
}
