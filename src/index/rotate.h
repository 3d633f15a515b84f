/* rotate.h - a random rotation that costs d log d: signs and Walsh-Hadamard transforms, so that what a vector has of
 * length is spread evenly over its coordinates (which is what 1-bit codes live on).
 *
 * d is rarely a power of two: a round turns the first p coordinates (p the largest power of two that fits) or, in the
 * next round, the last p; four rounds mix all of them (Ailon and Chazelle 2009; Gao et al., arXiv 2409.09913, do so for
 * RaBitQ).
 *
 * Threads: immutable once made.
 */
#ifndef PYTHIA_INDEX_ROTATE_H
#define PYTHIA_INDEX_ROTATE_H

#include "base/arena.h"
#include "base/err.h"

typedef struct {
    size_t dim;   /* numbers that come in */
    size_t wide;  /* that go out: dim rounded up to 16 */
    size_t power; /* the largest power of two up to wide */
    float *signs; /* [rounds][wide] 1 or -1 over the square root of power */
} Rotation;

MUST_USE Err rotation_make(Arena *a, size_t dim, uint64_t seed, Rotation *out);

/* Lengths and inner products stay as they are. 384: 0.5 us. in: [dim], out: [wide]. */
void rotate(const Rotation *r, const float *in, float *out);

#endif
