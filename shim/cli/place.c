/* place.c - where snag's own things are, relative to its executable. */
#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* Where /proc is not mounted, the name that exec was given tells. */
static int own_folder(char folder[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);

	if (n > 0)
		folder[n] = 0;
	else if (!name || !realpath(name, folder))
		return -ENOENT;
	char *slash = strrchr(folder, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	return 0;
}

/* The first of the two that is there, as an absolute path without links. */
static int first_of(const char *a, const char *b, char *path, size_t size)
{
	const char *const tails[] = { a, b };
	char folder[PATH_MAX], real[PATH_MAX], *joined;

	if (own_folder(folder) < 0)
		return -ENOENT;
	for (int i = 0; i < 2; i++) {
		if (asprintf(&joined, "%s/%s", folder, tails[i]) < 0)
			return -ENOMEM;
		const char *found = realpath(joined, real);
		free(joined);
		if (found && strlen(real) < size) {
			strcpy(path, real);
			return 0;
		}
	}
	return -ENOENT;
}

int place_library(char *path, size_t size)
{
	return first_of("libsnag.so", "../lib/snag/libsnag.so", path, size);
}

int place_policies(char *path, size_t size)
{
	return first_of("../share/snag/policies", "../../policies", path, size);
}
