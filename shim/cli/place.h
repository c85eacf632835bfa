/* place.h - where snag's own things are, relative to its executable: in a build tree and installed. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include <stddef.h>

/* libsnag.so: beside the executable, or in ../lib/snag. 0, -ENOENT. */
int place_library(char *path, size_t size);
/* The shipped policies: ../../policies (build tree), or ../share/snag/policies. 0, -ENOENT. */
int place_policies(char *path, size_t size);

#endif
