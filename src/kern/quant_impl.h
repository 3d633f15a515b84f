/* quant_impl.h - what the files of quant.h share: how a row of activations stands in memory. Private to the room.
 *
 * A row of activations is cut into groups of 256 numbers, the last one filled with zeros, so that loops over a group never
 * look at a border. Its arrays stand one after the other; only kern->quant->rows writes them.
 *
 *   QUANT_BLOCKS32   q int8 [groups][256], d float [groups][8], s float [groups][8], sum int32 [groups][8]
 *                    d is the scale, in half precision as the reference keeps it; s = d * sum likewise, d not yet rounded
 *   QUANT_BLOCKS256  q int8 [groups][256], start int32 [groups][16], sum16 int16 [groups][16], sum32 int16 [groups][8],
 *                    d float [groups]; start = -32 * sum16: where the sums of numbers biased by 32 begin (Q6_K)
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

/* One row's arrays, from group `group` on. */
typedef struct {
    const int8_t *q;
    const float *d, *s;
    const int32_t *sum;
} QuantRow32;

typedef struct {
    const int8_t *q;
    const int32_t *start;
    const int16_t *sum16, *sum32;
    const float *d;
} QuantRow256;

static inline size_t quant_groups(size_t k) { return (k + QUANT_GROUP - 1) / QUANT_GROUP; }

static inline QuantRow32 quant_row32(const void *row, size_t k) {
    size_t groups = quant_groups(k);
    const int8_t *q = row;
    const float *d = (const float *)(const void *)(q + groups * QUANT_GROUP);
    const float *s = d + groups * 8;
    return (QuantRow32){q, d, s, (const int32_t *)(const void *)(s + groups * 8)};
}

static inline QuantRow256 quant_row256(const void *row, size_t k) {
    size_t groups = quant_groups(k);
    const int8_t *q = row;
    const int32_t *start = (const int32_t *)(const void *)(q + groups * QUANT_GROUP);
    const int16_t *sum16 = (const int16_t *)(const void *)(start + groups * 16);
    const int16_t *sum32 = sum16 + groups * 16;
    return (QuantRow256){q, start, sum16, sum32, (const float *)(const void *)(sum32 + groups * 8)};
}

#endif
