/* yaml.h - a policy file to a tree. The YAML of a policy is plain: maps, lists and scalars, one document; anchors,
 * aliases and tags are refused. */
#ifndef COMPILE_YAML_H
#define COMPILE_YAML_H

#include "diag.h"
#include "node.h"

/* The file's tree; NULL where it can't be read or is no such YAML: that is said. An empty file is an empty map. */
struct node *yaml_load(struct diags *d, const struct source *s, const char *path);
/* The same from memory. */
struct node *yaml_parse(struct diags *d, const struct source *s, const char *text, size_t len);

#endif
