/* quant_impl.h - what the files of quant.h share: how a row of activations stands in memory. Private to the room.
 *
 * A row of activations is cut into groups of 256 numbers, the last one filled with zeros, so that loops over a group
 * never look at a border. Its arrays stand one after the other; only kern->quant->rows writes them.
 *
 *   QUANT_BLOCKS32   q int8 [groups][256], d float [groups][8], s float [groups][8], sum int32 [groups][8],
 *                    blocks QuantBlock32 [groups][8]
 *                    d is the scale, in half precision as the reference keeps it; s = d * sum likewise, d not yet rounded
 *   QUANT_BLOCKS256  q int8 [groups][256], sum16 int16 [groups][16], sum32 int16 [groups][8], d float [groups],
 *                    blocks QuantBlock256 [groups][8]
 *
 * The blocks hold the same once more, for tiles that walk down many rows: what belongs to 32 numbers within one line of
 * the cache, at fixed distances, so that a row costs a tile one address.
 *
 *   QUANT_FLOATS     float [k rounded up to 16], zeros behind k
 */
#ifndef PYTHIA_KERN_QUANT_IMPL_H
#define PYTHIA_KERN_QUANT_IMPL_H

#include "kern/quant.h"

enum {
    QUANT_GROUP = 256,
    QUANT_BLOCK = 32,
    QUANT_SUMS = 8,       /* of products of blocks of 32: block b goes to sum b % 8 */
    QUANT_FLOAT_SUMS = 16 /* of products of floats */
};

typedef struct {
    int8_t q[32];
    float d, s;
    int32_t start8, start16, start128; /* -sum * 8, 16, 128: where sums of numbers so biased begin */
    int32_t zero[3];
} QuantBlock32;

typedef struct {
    int8_t q[32];
    int32_t start[2]; /* -32 * sum of each 16 (Q6_K) */
    int32_t zero[6];
} QuantBlock256;

_Static_assert(sizeof(QuantBlock32) == 64 && sizeof(QuantBlock256) == 64, "one line of the cache");

/* One row's arrays. */
typedef struct {
    const int8_t *q;
    const float *d, *s;
    const int32_t *sum;
    const QuantBlock32 *blocks;
} QuantRow32;

typedef struct {
    const int8_t *q;
    const int16_t *sum16, *sum32;
    const float *d;
    const QuantBlock256 *blocks;
} QuantRow256;

static inline size_t quant_groups(size_t k) { return (k + QUANT_GROUP - 1) / QUANT_GROUP; }

/* Bytes before the blocks. */
static inline size_t quant_row32_head(size_t k) { return quant_groups(k) * (QUANT_GROUP + 24 * sizeof(float)); }
static inline size_t quant_row256_head(size_t k) {
    size_t bytes = quant_groups(k) * (QUANT_GROUP + 24 * sizeof(int16_t) + sizeof(float));
    return (bytes + 63) / 64 * 64;
}

static inline QuantRow32 quant_row32(const void *row, size_t k) {
    size_t groups = quant_groups(k);
    const char *p = row;
    const float *d = (const void *)(p + groups * QUANT_GROUP);
    return (QuantRow32){row, d, d + groups * 8, (const void *)(d + groups * 16),
                        (const void *)(p + quant_row32_head(k))};
}

static inline QuantRow256 quant_row256(const void *row, size_t k) {
    size_t groups = quant_groups(k);
    const char *p = row;
    const int16_t *sum16 = (const void *)(p + groups * QUANT_GROUP), *sum32 = sum16 + groups * 16;
    return (QuantRow256){row, sum16, sum32, (const void *)(sum32 + groups * 8),
                         (const void *)(p + quant_row256_head(k))};
}

#endif
