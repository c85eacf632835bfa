/* image.h - a resolved policy to the rule image. */
#ifndef COMPILE_IMAGE_H
#define COMPILE_IMAGE_H

#include "policy.h"

#define IMAGE_BYTES_MAX (64u << 20)	/* of what rules match */

/* A malloc'ed image of *size bytes, as policy/rules.h describes it; NULL: too large, or no memory. In modes below
 * inject it has no rules. */
struct rules *image_make(const struct policy *p, uint64_t seed, size_t *size);

#endif
