/* base.h - small things every layer needs: bounds, atomics on shared words, time. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define fetch_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL)
#define cas(p, expected, v) \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull

/* memset to 0 of n bytes, a small constant and a multiple of 8, by plain stores: compilers make a string instruction of
 * the other, which costs as much as a whole hook. */
static inline __attribute__((always_inline)) void zero_words(void *p, size_t n)
{
	uint64_t __attribute__((may_alias)) *word = p;

#pragma GCC unroll 64
	for (size_t i = 0; i < n / sizeof(*word); i++) {
		word[i] = 0;
		__asm__("" : : "r"(word) : "memory");
	}
}

/* memcpy likewise. */
static inline __attribute__((always_inline)) void copy_words(void *to, const void *from, size_t n)
{
	uint64_t __attribute__((may_alias)) *word = to;
	const uint64_t __attribute__((may_alias)) *source = from;

#pragma GCC unroll 64
	for (size_t i = 0; i < n / sizeof(*word); i++) {
		word[i] = source[i];
		__asm__("" : : "r"(word) : "memory");
	}
}

#endif
