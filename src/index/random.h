/* random.h - numbers from a seed, the same on every machine: SplitMix64 (Steele, Lea and Flood 2014). */
#ifndef PYTHIA_INDEX_RANDOM_H
#define PYTHIA_INDEX_RANDOM_H

#include <stdint.h>

typedef struct {
    uint64_t state; /* the seed, any */
} Random;

static inline uint64_t random_next(Random *r) {
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* In [0, n), n > 0, even but for n / 2^32. */
static inline uint32_t random_below(Random *r, uint32_t n) { return (uint32_t)((random_next(r) >> 32) * n >> 32); }

/* In (0, 1). */
static inline double random_unit(Random *r) { return ((double)(random_next(r) >> 12) + 0.5) * 0x1p-52; }

#endif
