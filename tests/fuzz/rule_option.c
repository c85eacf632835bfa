/* rule_option.c - any text as --rule and, behind a newline, as --set. What is accepted prints, and its print is
 * accepted. */
#include <compile/compile.h>
#include <policy/rules.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical form, read again, compiles to the same image. */
static void check_print(const struct compile_input *in, const struct compiled *given)
{
	struct compiled again;
	char path[32];
	const char *file = path;
	struct compile_input printed = {.files = &file, .n_files = 1, .seed = "1"};
	int fd = memfd_create("canonical", 0);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f || compile_print(in, f, NULL) || fflush(f))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (compile_policy(&printed, &again, stderr) || again.size != given->size ||
	    memcmp(again.image, given->image, again.size))
		abort();
	compile_free(&again);
	fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct compiled out;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	char *newline = strchr(text, '\n');
	const char *rule = text, *set = newline ? newline + 1 : NULL;
	if (newline)
		*newline = 0;
	struct compile_input in = {.rules = &rule, .n_rules = 1, .sets = &set, .n_sets = set != NULL, .seed = "1"};
	if (compile_policy(&in, &out, NULL) == 0) {
		if (rules_check(out.image, out.size))
			abort();
		check_print(&in, &out);
	}
	compile_free(&out);
	free(text);
	return 0;
}
