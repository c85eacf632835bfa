/* kernel.h - `kernel:` of a policy to the virtual kernel of the image. */
#ifndef COMPILE_KERNEL_H
#define COMPILE_KERNEL_H

#include "policy.h"

#include <snag/kernel.h>

/* What no table sees: values that the effects cannot carry out. Says what is wrong. */
void kernel_check(const struct policy *p);
/* All of it; what the policy leaves out is the machine's, read now, in this network namespace. Without `kernel:` it is
 * left alone. */
void kernel_make(const struct policy *p, struct snag_kernel *k);

#endif
