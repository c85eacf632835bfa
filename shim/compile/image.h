/* image.h - a resolved policy to the rule image. */
#ifndef COMPILE_IMAGE_H
#define COMPILE_IMAGE_H

#include "policy.h"

/* A malloc'ed image of *size bytes, as policy/rules.h describes it; NULL: no memory. In modes below inject it has no
 * rules. */
struct rules *image_make(const struct policy *p, uint64_t seed, size_t *size);

#endif
