/* environment.c - what SNAG_POLICY, SNAG_SESSION and SNAG_TRACE ask of a new session. */
#include "environment.h"

#include <limits.h>
#include <snag/abi.h>
#include <stdlib.h>
#include <string.h>

const char *environment_get(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* An entry may be a link that launch.c made. */
static bool is_library(const char *entry)
{
	char real[PATH_MAX];
	const char *path = realpath(entry, real) ? real : entry, *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "libsnag.so") == 0;
}

bool environment_inside(void)
{
	const char *value = environment_get("LD_PRELOAD");
	char *list = value ? strdup(value) : NULL, *rest = list, *entry;
	bool inside = false;

	while (!inside && (entry = strsep(&rest, ": ")))	/* ld.so(8) */
		inside = entry[0] && is_library(entry);
	free(list);
	return inside;
}

int environment_policies(struct compile_input *p, char **texts)
{
	const char *value = environment_get(SNAG_ENV_POLICY), **files;
	char *rest, *file;

	*texts = NULL;
	if (!value)
		return 0;
	*texts = rest = strdup(value);
	p->files = files = calloc(strlen(value) + 1, sizeof(*files));
	if (!rest || !files)
		return -1;
	while ((file = strsep(&rest, ":")))
		if (file[0])
			files[p->n_files++] = file;
	return 0;
}
