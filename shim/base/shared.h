/* shared.h - stores to memory that other processes see.
 *
 * A process may be killed before or after each of these, and what stands there then must be something that another
 * process can mend. So every such store in session and ring goes through one of them; a test defines SNAG_STEP to die
 * at the N-th, for every N. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <base/base.h>

#ifndef SNAG_STEP
#define SNAG_STEP() ((void)0)
#endif

#define shared_store(p, v) (SNAG_STEP(), store_release(p, v))
#define shared_cas(p, expected, v) (SNAG_STEP(), cas(p, expected, v))
#define shared_add(p, v) (SNAG_STEP(), fetch_add(p, v))
#define shared_swap(p, v) (SNAG_STEP(), __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL))
#define shared_and(p, v) (SNAG_STEP(), __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL))
#define shared_or(p, v) (SNAG_STEP(), __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL))

#endif
