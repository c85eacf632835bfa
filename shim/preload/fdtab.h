/* fdtab.h - what the descriptors of this process mean: a cache over the kernel's socket cookies.
 *
 * One 64-bit word for each descriptor (serial << 32 | sock; 0: no known socket), changed by atomic operations only, so
 * threads, signal handlers and a fork in the middle are harmless. Private memory: a fork child has its own copy, a
 * vfork child reads its parent's and writes nothing. */
#ifndef PRELOAD_FDTAB_H
#define PRELOAD_FDTAB_H

#include <base/base.h>
#include <session/sock.h>

#define FDTAB_MAX (1u << 20)	/* descriptors above are never known */

extern uint64_t *fdtab_word;
extern uint32_t fdtab_size;	/* 0 until fdtab_make: nothing is known */
extern uint32_t fdtab_high;	/* no known descriptor is at or above it */

/* Reserve the table; pages appear as they are used. 0 or -ENOMEM. */
int fdtab_make(void);

static inline uint64_t fdtab_peek(int fd)
{
	return likely((unsigned)fd < fdtab_size) ? load_acquire(&fdtab_word[fd]) : 0;
}
static inline struct sock_ref fdtab_ref(uint64_t word)
{
	return (struct sock_ref){ .sock = (uint32_t)word, .serial = (uint32_t)(word >> 32) };
}
static inline struct sock_ref fdtab_get(int fd)
{
	return fdtab_ref(fdtab_peek(fd));
}
static inline bool fdtab_knows(int fd)
{
	return fdtab_peek(fd) != 0;
}

/* Enter a socket; answers what stood there before (0,0: nothing): a descriptor that was closed unseen. */
struct sock_ref fdtab_put(int fd, struct sock_ref r);
/* Take it out; {0,0}: not known, or another thread was first. */
struct sock_ref fdtab_take(int fd);
/* The first known descriptor in [from, end); -1: none. */
int fdtab_next(int from, unsigned end);

#endif
