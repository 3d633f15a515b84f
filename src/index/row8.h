/* row8.h - a row as int8 numbers with one scale: a quarter of f32, and a score's error of some 0.0005 on unit vectors.
 *
 * An item is [dim] int8, then the scale, then the row's floats where the kind keeps them. The scale is 16 bits of a
 * float's 32: 7 of exponent, 9 of mantissa, rounded up before the numbers are rounded, so that its rounding costs
 * nothing. Nine because the largest number is then always 127, and so a row that is read and encoded again gives the
 * same bytes.
 *
 * A query is turned into int16 once and multiplied with bytes exactly (kern/scan.h).
 */
#ifndef PYTHIA_INDEX_ROW8_H
#define PYTHIA_INDEX_ROW8_H

#include <math.h>
#include <string.h>

#include "kern/scan.h"

#define ROW8_LEAST 1e-16f /* a row of smaller numbers is zeros */
#define ROW8_MOST  1e20f  /* larger numbers do not fit */

enum { ROW8_SHIFT = 14, ROW8_BIAS = 64 << 9 };

static inline size_t row8_bytes(size_t dim) { return dim + sizeof(uint16_t); }

/* Has an item come from memory before it is compared. */
static inline void row8_ahead(const void *item, size_t dim) {
    for (size_t at = 0; at < row8_bytes(dim); at += 64) __builtin_prefetch((const char *)item + at);
}

static inline float row8_unpack(uint16_t packed) {
    union {
        uint32_t bits;
        float value;
    } u = {.bits = packed ? ((uint32_t)packed + ROW8_BIAS) << ROW8_SHIFT : 0};
    return u.value;
}

/* Rounds up; x is 0 or of a row between ROW8_LEAST and ROW8_MOST. */
static inline uint16_t row8_pack(float x) {
    union {
        float value;
        uint32_t bits;
    } u = {.value = x};
    return x > 0 ? (uint16_t)(((u.bits + (1u << ROW8_SHIFT) - 1) >> ROW8_SHIFT) - ROW8_BIAS) : 0;
}

static inline float row8_scale(const void *item, size_t dim) {
    uint16_t packed;
    memcpy(&packed, (const int8_t *)item + dim, sizeof packed);
    return row8_unpack(packed);
}

static inline float row8_largest(const float *row, size_t dim) {
    float most = 0, other = 0;
    size_t d = 0;
    for (; d + 2 <= dim; d += 2) {
        most = fabsf(row[d]) > most ? fabsf(row[d]) : most;
        other = fabsf(row[d + 1]) > other ? fabsf(row[d + 1]) : other;
    }
    if (d < dim && fabsf(row[d]) > most) most = fabsf(row[d]);
    if (other > most) most = other;
    return most;
}

/* The row's largest number is at most ROW8_MOST. */
static inline void row8_encode(const float *row, size_t dim, void *item) {
    float most = row8_largest(row, dim);
    uint16_t packed = row8_pack(most < ROW8_LEAST ? 0 : most / 127);
    float inverse = packed ? 1 / row8_unpack(packed) : 0;
    int8_t *out = item;
    for (size_t d = 0; d < dim; d++) out[d] = (int8_t)lrintf(row[d] * inverse);
    memcpy(out + dim, &packed, sizeof packed);
}

static inline void row8_decode(const void *item, size_t dim, float *out) {
    const int8_t *in = item;
    float scale = row8_scale(item, dim);
    for (size_t d = 0; d < dim; d++) out[d] = (float)in[d] * scale;
}

/* Sums over a query, four at a time: one behind the other they were 1 us of a search's 20. */
static inline float row8_sum(const float *x, size_t dim, float (*of)(float)) {
    float sums[4] = {0};
    size_t d = 0;
    for (; d + 4 <= dim; d += 4)
        for (size_t i = 0; i < 4; i++) sums[i] += of(x[d + i]);
    for (; d < dim; d++) sums[0] += of(x[d]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static inline float row8_square(float x) { return x * x; }

/* The query for dot8: numbers [dim] as large as int16 and the sum's 31 bits allow; returns the scale of them. */
static inline float row8_query(const float *query, size_t dim, int16_t *out) {
    float most = row8_largest(query, dim), sum = row8_sum(query, dim, fabsf);
    if (most < ROW8_LEAST) {
        memset(out, 0, dim * sizeof *out);
        return 0;
    }
    float inverse = 32000 / most, room = 2.1e9f / 128 / (sum + most * 0.01f); /* |sum of 128 * numbers| < 2^31 */
    if (room < inverse) inverse = room;
    for (size_t d = 0; d < dim; d++) out[d] = (int16_t)lrintf(query[d] * inverse);
    return 1 / inverse;
}

/* The query in int8 alone, for what it need not be finer: numbers [dim] in [-127, 127]; returns their scale. */
static inline float row8_query_small(const float *query, size_t dim, int8_t *out) {
    float most = row8_largest(query, dim);
    if (most < ROW8_LEAST) {
        memset(out, 0, dim);
        return 0;
    }
    float inverse = 127 / most;
    for (size_t d = 0; d < dim; d++) out[d] = (int8_t)lrintf(query[d] * inverse);
    return most / 127;
}

#endif
