/* compile.h - a policy, from text to rule image.
 *
 * Text is YAML files, `--rule` and `--set` arguments. All that is wrong is said at once, each as
 * `FILE:LINE:COL: error: PATH: what; hint`. No global state, nothing ends the process: fit for a keeper. */
#ifndef COMPILE_COMPILE_H
#define COMPILE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct compile_input {
	const char *const *files;	/* paths, merged in order; without `/` and suffix: a shipped policy's name */
	size_t n_files;
	const char *const *rules;	/* --rule arguments: after the rules of the files */
	size_t n_rules;
	const char *const *sets;	/* --set arguments, PATH=VALUE: over what the files say */
	size_t n_sets;
	const char *mode;		/* --mode; NULL: not given */
	const char *seed;		/* --seed; NULL: not given */
	const char *policy_dir;		/* where the shipped policies are; NULL: there are none */
};

struct compiled {
	void *image;		/* struct rules, checked; malloc'ed; NULL after errors */
	size_t size;
	uint64_t seed;		/* also in the image; drawn at random where none is given */
	uint32_t mode;		/* enum snag_mode; also in the image */
	unsigned n_rules;	/* of the policy; modes below inject have none of them in the image */
	bool draws;		/* a rule draws by chance or jitter: the seed matters */
	unsigned errors, warnings;
};

/* Read, check and compile. Diagnostics, warnings too, go to `diagnostics` (NULL: counted only). 0; -1 after errors: no
 * image. No files and no rules give an empty image in mode log. The result is freed by compile_free, also after -1. */
int compile_policy(const struct compile_input *in, struct compiled *out, FILE *diagnostics);
void compile_free(struct compiled *c);

/* The policy in its canonical form: one policy whatever it was put together from, which compile_policy accepts and
 * compiles to the same image (a seed that was not given is left open). 0; -1 after errors, nothing is then written to
 * `out`. */
int compile_print(const struct compile_input *in, FILE *out, FILE *diagnostics);

/* Made from the tables that the validator walks. Each writes one whole text and ends it with a newline. */
void compile_schema(FILE *out);		/* JSON Schema, draft 2020-12 */
void compile_reference(FILE *out);	/* Markdown tables of every section, key and action */

#endif
