/* hash.h - mixing for keyed draws and table places: the same numbers on every machine and in every run. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* One step of a chain: h' = mix(h, v). splitmix64's finaliser, which passes through every 64-bit value once. */
static inline uint64_t hash_mix(uint64_t h, uint64_t v)
{
	uint64_t z = h + 0x9e3779b97f4a7c15ull + v * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t h = 0xcbf29ce484222325ull;	/* FNV-1a, then one mix for the high bits */
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return hash_mix(h, n);
}

#endif
