/* run.h - what `snag run` was asked for. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "sink.h"

#include <compile/compile.h>
#include <stdbool.h>
#include <stdint.h>

struct run {
	struct compile_input policy;	/* its texts are arguments; its lists are freed by run_free */
	char *policy_texts;		/* what SNAG_POLICY's names stand in; NULL */
	const char *session;		/* NULL: none given */
	const char *output;		/* NULL: no trace */
	enum sink_format format;
	uint64_t timeout_ns;		/* 0: none */
	bool summary, dry, quiet, audit;
	const char *only_new;		/* an option given that only a new session can have; NULL: none */
	char **argv;			/* CMD and its arguments */
};

/* Reads the options. 0; else an exit status, *done: there is nothing more to do. */
int run_options(struct run *r, int argc, char **argv, bool *done);
void run_free(struct run *r);

#endif
