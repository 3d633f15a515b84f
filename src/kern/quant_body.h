/* quant_body.h - what every level of quant.h shares, compiled with each quant_<level>.c for its instruction set: activations
 * into blocks, products of floats, and the walk over a matrix.
 *
 * The includer defines QUANT_NAME, QUANT_TABLE, QUANT_FLOAT_ROWS (rows of a tile of floats), and before the inclusion
 *
 *   quant_dots(w, from, to, rows, m, out, ldo)            weight rows as they stand, with m activation rows
 *   QUANT_HAS_PANELS                                      1 when there is, for more than QUANT_DOT_ROWS rows,
 *   quant_panel(w, j, n, rows, m, out, ldo, scratch)      n <= 32 weight rows from j on, by way of a panel
 *
 * Compiled without contraction of a * b + c (cmake/kernels.cmake): that every level gives the same bits rests on it.
 */
#include <math.h>
#include <string.h>

#include "kern/kern_levels.h"
#include "kern/quant_unpack.h"

enum { QUANT_FLOAT_OUTS = 4 };

/* ---- activations into blocks ---- */

/* x >= 0 rounded to half precision, to even; as it is where halves end. */
INLINE float quant_round_half(float x) {
    if (x < 0x1p-14f) return (x + 0.5f) - 0.5f; /* subnormal: multiples of 2^-24, which is a float's step from 1/2 on */
    if (!(x < 65504.0f)) return x;
    union {
        float value;
        uint32_t bits;
    } u = {.value = x};
    u.bits = (u.bits + 0xFFF + (u.bits >> 13 & 1)) & ~0x1FFFu;
    return u.value;
}

INLINE float quant_round_half_signed(float x) { return x < 0 ? -quant_round_half(-x) : quant_round_half(x); }

/* q = x * inverse to the nearest, ties to even, for |x * inverse| <= 127.01: the addition rounds. */
INLINE void quant_numbers(const float *x, float inverse, size_t n, int8_t *q) {
    for (size_t i = 0; i < n; i++) {
        union {
            float value;
            int32_t bits;
        } u = {.value = x[i] * inverse + 0x1.8p23f};
        q[i] = (int8_t)(u.bits - 0x4B400000);
    }
}

INLINE int32_t quant_sum(const int8_t *q, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    return sum;
}

/* The largest |x|, as bits: their order is that of the numbers, and integers may be compared in any order. */
INLINE float quant_top(const float *x, size_t n) {
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7FFFFFFF;
        top = bits > top ? bits : top;
    }
    float out;
    memcpy(&out, &top, sizeof out);
    return out;
}

/* Below it a block counts as zeros: 127 / top must stay finite. The scale's half is 0 long before. */
#define QUANT_LEAST 1e-30f

static void quant_row_to32(const float *x, size_t k, void *row) {
    QuantRow32 to = quant_row32(row, k);
    int8_t *q = (int8_t *)to.q;
    float *d = (float *)to.d, *s = (float *)to.s;
    int32_t *sums = (int32_t *)to.sum;
    QuantBlock32 *block = (QuantBlock32 *)to.blocks;
    size_t blocks = k / QUANT_BLOCK, room = quant_groups(k) * 8;
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK, q += QUANT_BLOCK, block++) {
        float top = quant_top(x, QUANT_BLOCK), scale = top / 127.0f;
        quant_numbers(x, top > QUANT_LEAST ? 127.0f / top : 0, QUANT_BLOCK, q);
        int32_t sum = quant_sum(q, QUANT_BLOCK);
        d[b] = quant_round_half(scale);
        s[b] = quant_round_half_signed(scale * (float)sum);
        sums[b] = sum;
        *block = (QuantBlock32){.d = d[b], .s = s[b], .start8 = -8 * sum, .start16 = -16 * sum, .start128 = -128 * sum};
        memcpy(block->q, q, QUANT_BLOCK);
    }
    memset(q, 0, (room - blocks) * QUANT_BLOCK);
    for (size_t b = blocks; b < room; b++, block++) {
        d[b] = s[b] = 0;
        sums[b] = 0;
        *block = (QuantBlock32){0};
    }
}

static void quant_row_to256(const float *x, size_t k, void *row) {
    QuantRow256 to = quant_row256(row, k);
    int8_t *q = (int8_t *)to.q;
    int16_t *sum16 = (int16_t *)to.sum16, *sum32 = (int16_t *)to.sum32;
    float *d = (float *)to.d;
    QuantBlock256 *block = (QuantBlock256 *)to.blocks;
    for (size_t g = 0; g < k / QUANT_GROUP; g++, x += QUANT_GROUP) {
        float top = quant_top(x, QUANT_GROUP), inverse = top > QUANT_LEAST ? 127.0f / top : 0;
        quant_numbers(x, inverse, QUANT_GROUP, q);
        d[g] = inverse > 0 ? 1.0f / inverse : 0;
        for (size_t j = 0; j < 8; j++, q += QUANT_BLOCK, block++) {
            int32_t first = quant_sum(q, 16), second = quant_sum(q + 16, 16);
            *sum16++ = (int16_t)first;
            *sum16++ = (int16_t)second;
            *sum32++ = (int16_t)(first + second);
            *block = (QuantBlock256){.start = {-32 * first, -32 * second}};
            memcpy(block->q, q, QUANT_BLOCK);
        }
    }
}

static void quant_row_to_floats(const float *x, size_t k, void *row) {
    float *to = row;
    memcpy(to, x, k * sizeof *to);
    memset(to + k, 0, (quant_kind_bytes(QUANT_FLOATS, k) - k * sizeof *to));
}

static void quant_rows(QuantKind kind, const float *x, size_t ldx, size_t m, size_t k, void *out) {
    size_t bytes = quant_kind_bytes(kind, k);
    for (size_t r = 0; r < m; r++, x += ldx) {
        void *row = (char *)out + r * bytes;
        if (kind == QUANT_FLOATS) quant_row_to_floats(x, k, row);
        if (kind == QUANT_BLOCKS32) quant_row_to32(x, k, row);
        if (kind == QUANT_BLOCKS256) quant_row_to256(x, k, row);
    }
}

/* ---- products of floats ---- */

typedef float QuantSixteen __attribute__((vector_size(64)));

/* Halves first; n a power of two. */
INLINE float quant_add_up(float *x, size_t n) {
    UNROLL for (size_t half = n / 2; half > 0; half /= 2) UNROLL for (size_t i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}

/* Weight rows, decoded: [outs][stride]; activation rows: [rows][stride]. Sixteen sums each. outs and rows are constants. */
INLINE void quant_float_tile(size_t outs, size_t rows, const float *w, const float *a, size_t stride, float *out,
                             size_t ldo) {
    QuantSixteen sums[QUANT_FLOAT_ROWS][QUANT_FLOAT_OUTS];
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t o = 0; o < outs; o++) sums[r][o] = (QuantSixteen){0};
    for (size_t i = 0; i < stride; i += QUANT_FLOAT_SUMS) UNROLL for (size_t o = 0; o < outs; o++) {
            QuantSixteen wo = *(const QuantSixteen *)(const void *)(w + o * stride + i);
            UNROLL for (size_t r = 0; r < rows; r++) sums[r][o] +=
                *(const QuantSixteen *)(const void *)(a + r * stride + i) * wo;
        }
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t o = 0; o < outs; o++) {
        float x[QUANT_FLOAT_SUMS];
        memcpy(x, &sums[r][o], sizeof x);
        out[r * ldo + o] = quant_add_up(x, QUANT_FLOAT_SUMS);
    }
}

static void quant_float_1x1(const float *w, const float *a, size_t stride, float *out, size_t ldo) {
    quant_float_tile(1, 1, w, a, stride, out, ldo);
}
static void quant_float_4x1(const float *w, const float *a, size_t stride, float *out, size_t ldo) {
    quant_float_tile(QUANT_FLOAT_OUTS, 1, w, a, stride, out, ldo);
}
static void quant_float_4xn(const float *w, const float *a, size_t stride, float *out, size_t ldo) {
    quant_float_tile(QUANT_FLOAT_OUTS, QUANT_FLOAT_ROWS, w, a, stride, out, ldo);
}

/* One weight row into [stride] floats, zeros behind k. */
static void quant_float_decode(uint32_t type, const uint8_t *p, size_t k, size_t stride, float *to) {
    if (type == BLOCK_F32) memcpy(to, p, k * sizeof *to);
    if (type == BLOCK_F16)
        for (size_t i = 0; i < k; i++) to[i] = quant_half(p + 2 * i);
    if (type == BLOCK_BF16)
        for (size_t i = 0; i < k; i++) {
            uint16_t h;
            memcpy(&h, p + 2 * i, sizeof h);
            uint32_t bits = (uint32_t)h << 16;
            memcpy(to + i, &bits, sizeof bits);
        }
    memset(to + k, 0, (stride - k) * sizeof *to);
}

static void quant_gemm_floats(const QuantMatrix *w, size_t from, size_t to, const float *a, size_t m, float *out,
                              size_t ldo, float *scratch) {
    size_t stride = quant_kind_bytes(QUANT_FLOATS, w->k) / sizeof(float);
    for (size_t j = from; j < to;) {
        size_t outs = to - j < QUANT_FLOAT_OUTS ? 1 : QUANT_FLOAT_OUTS, r = 0;
        for (size_t o = 0; o < outs; o++)
            quant_float_decode(w->type, (const uint8_t *)w->rows + (j + o) * w->row_bytes, w->k, stride,
                               scratch + o * stride);
        for (; outs > 1 && r + QUANT_FLOAT_ROWS <= m; r += QUANT_FLOAT_ROWS)
            quant_float_4xn(scratch, a + r * stride, stride, out + r * ldo + j, ldo);
        for (; r < m; r++)
            (outs > 1 ? quant_float_4x1 : quant_float_1x1)(scratch, a + r * stride, stride, out + r * ldo + j, ldo);
        j += outs;
    }
}

/* ---- products of blocks ---- */

static void quant_add_bias(const float *bias, size_t from, size_t to, size_t m, float *out, size_t ldo) {
    for (size_t r = 0; r < m; r++)
        for (size_t j = from; j < to; j++) out[r * ldo + j] += bias[j];
}

static void quant_gemm_blocks(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out,
                              size_t ldo, void *scratch) {
#if QUANT_HAS_PANELS
    if (m > QUANT_DOT_ROWS) {
        for (size_t j = from; j < to; j += QUANT_PANEL)
            quant_panel(w, j, to - j < QUANT_PANEL ? to - j : QUANT_PANEL, rows, m, out, ldo, scratch);
        return;
    }
#else
    (void)scratch;
#endif
    quant_dots(w, from, to, rows, m, out, ldo);
}

static void quant_gemm(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out, size_t ldo,
                       void *scratch) {
    if (quant_kind(w->type) == QUANT_FLOATS)
        quant_gemm_floats(w, from, to, rows, m, out, ldo, scratch);
    else
        quant_gemm_blocks(w, from, to, rows, m, out, ldo, scratch);
    if (w->bias) quant_add_bias(w->bias, from, to, m, out, ldo);
}

const KernQuant QUANT_TABLE = {.name = QUANT_NAME, .rows = quant_rows, .gemm = quant_gemm};
