/* args.h - the arguments of calls in the words of a C program: AF_INET, SOCK_STREAM|SOCK_CLOEXEC, SHUT_WR. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "record.h"

#include <snag/event.h>

#define ARGS_TEXT 48

struct args_space {		/* where texts stand that are no constants */
	char text[3][ARGS_TEXT];
};

/* Fills in the fields of r that this call's arguments have. */
void args_fill(struct record *r, const struct snag_event_call *e, struct args_space *space);

/* The fields that stand between a call's parentheses, in order: names of record_fields, separated by blanks. */
const char *args_order(struct text call);

#endif
