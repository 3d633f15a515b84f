/* quant_body.h - what every level of quant.h shares, compiled with each quant_<level>.c for its instruction set:
 * activations into blocks, products of floats, and the walk over a matrix.
 *
 * The includer defines QUANT_NAME, QUANT_TABLE, QUANT_LANES (floats a vector), QUANT_FLOAT_ROWS (rows of a tile
 * of floats), and before the inclusion
 *
 *   quant_dots(w, from, to, rows, m, out, ldo)            weight rows as they stand, with m activation rows
 *   QUANT_HAS_PANELS                                      1 when there is, for more than QUANT_DOT_ROWS rows,
 *   quant_panel(w, j, n, rows, m, out, ldo, scratch)      n <= 32 weight rows from j on, by way of a panel
 *
 *   QUANT_HAS_PACK                                        1 when there is a quant_pack_bf16 as KernQuant tells of it
 *   QUANT_PACK_GROUP                                      else inputs side by side in its panels, 2 unless told: those of the
 *                                                         level's KernLow
 *
 * Compiled without contraction of a * b + c (cmake/kernels.cmake): that every level gives the same bits rests on it.
 */
#include <math.h>
#include <string.h>

#include "kern/kern_levels.h"
#include "kern/quant_unpack.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif
#ifndef QUANT_PACK_GROUP
#define QUANT_PACK_GROUP 2
#endif

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

enum { FLOAT_VECTORS = QUANT_FLOAT_SUMS / QUANT_LANES };

typedef float QuantVec __attribute__((vector_size(QUANT_LANES * 4)));
typedef float QuantVecLoose __attribute__((vector_size(QUANT_LANES * 4), aligned(4), may_alias));

typedef uint16_t QuantHalf __attribute__((vector_size(QUANT_LANES * 2)));
typedef uint32_t QuantBits __attribute__((vector_size(QUANT_LANES * 4)));

/* Halves first; n a power of two. */
INLINE float quant_add_up(float *x, size_t n) {
    UNROLL for (size_t half = n / 2; half > 0; half /= 2) UNROLL for (size_t i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}

/* Weight rows [outs][stride], not aligned; activation rows [rows][stride]. Sixteen sums each. outs and rows are
 * constants. */
INLINE void quant_float_tile(size_t outs, size_t rows, const float *w, const float *a, size_t stride, float *out,
                             size_t ldo) {
    QuantVec sums[QUANT_FLOAT_ROWS][QUANT_FLOAT_OUTS][FLOAT_VECTORS];
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t o = 0; o < outs; o++)
        UNROLL for (size_t v = 0; v < FLOAT_VECTORS; v++) sums[r][o][v] = (QuantVec){0};
    for (size_t i = 0; i < stride; i += QUANT_FLOAT_SUMS)
        UNROLL for (size_t o = 0; o < outs; o++) UNROLL for (size_t v = 0; v < FLOAT_VECTORS; v++) {
            QuantVec wo = *(const QuantVecLoose *)(w + o * stride + i + v * QUANT_LANES);
            UNROLL for (size_t r = 0; r < rows; r++) sums[r][o][v] +=
                *(const QuantVecLoose *)(a + r * stride + i + v * QUANT_LANES) * wo;
        }
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t o = 0; o < outs; o++) {
        float x[QUANT_FLOAT_SUMS];
        memcpy(x, sums[r][o], sizeof x);
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

#if QUANT_LANES == 16 && defined(__AVX512F__)
INLINE QuantVec quant_load_f16(const uint8_t *p) {
    return (QuantVec)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}
#elif QUANT_LANES == 8 && defined(__F16C__)
INLINE QuantVec quant_load_f16(const uint8_t *p) { return (QuantVec)_mm256_cvtph_ps(_mm_loadu_si128((const void *)p)); }
#else
INLINE QuantVec quant_load_f16(const uint8_t *p) { /* as quant_half */
    QuantHalf h;
    memcpy(&h, p, sizeof h);
    QuantBits bits = __builtin_convertvector(h, QuantBits);
    QuantVec magnitude = (QuantVec)((bits & 0x7FFF) << 13) * 0x1p112f;
    return (QuantVec)((QuantBits)magnitude | (bits & 0x8000) << 16);
}
#endif

/* QUANT_LANES numbers of a weight row. */
INLINE QuantVec quant_load(uint32_t type, const uint8_t *p) {
    if (type == BLOCK_F16) return quant_load_f16(p);
    QuantVec x;
    if (type == BLOCK_F32) {
        memcpy(&x, p, sizeof x);
        return x;
    }
    QuantHalf h;
    memcpy(&h, p, sizeof h);
    return (QuantVec)(__builtin_convertvector(h, QuantBits) << 16);
}

/* The sums go on with the 16 numbers of a weight row at p. */
INLINE void quant_float_step(uint32_t type, const uint8_t *p, const float *a, QuantVec *sums) {
    size_t each = type == BLOCK_F32 ? 4 : 2;
    UNROLL for (size_t v = 0; v < FLOAT_VECTORS; v++) sums[v] +=
        *(const QuantVecLoose *)(a + v * QUANT_LANES) * quant_load(type, p + v * QUANT_LANES * each);
}

INLINE float quant_float_dot(uint32_t type, const uint8_t *p, size_t k, const float *a) {
    size_t each = type == BLOCK_F32 ? 4 : 2, whole = k / QUANT_FLOAT_SUMS * QUANT_FLOAT_SUMS;
    QuantVec sums[FLOAT_VECTORS] = {{0}};
    for (size_t i = 0; i < whole; i += QUANT_FLOAT_SUMS) {
        quant_prefetch(p + i * each, QUANT_FLOAT_SUMS * each);
        quant_float_step(type, p + i * each, a + i, sums);
    }
    if (whole < k) {
        uint8_t last[QUANT_FLOAT_SUMS * 4] = {0};
        memcpy(last, p + whole * each, (k - whole) * each);
        quant_float_step(type, last, a + whole, sums);
    }
    float x[QUANT_FLOAT_SUMS];
    memcpy(x, sums, sizeof x);
    return quant_add_up(x, QUANT_FLOAT_SUMS);
}

/* Few activation rows: one weight row after the other, as they lie. */
INLINE void quant_dot_floats(uint32_t type, const QuantMatrix *w, size_t from, size_t to, const float *a, size_t m,
                             float *out, size_t ldo) {
    size_t stride = quant_kind_bytes(QUANT_FLOATS, w->k) / sizeof(float);
    for (size_t j = from; j < to; j++)
        for (size_t r = 0; r < m; r++)
            out[r * ldo + j] = quant_float_dot(type, (const uint8_t *)w->rows + j * w->row_bytes, w->k, a + r * stride);
}

/* k numbers of a weight row into [stride] floats, zeros behind k; stride is k or a multiple of QUANT_LANES. */
INLINE void quant_float_decode(uint32_t type, const uint8_t *p, size_t k, size_t stride, float *to) {
    size_t each = type == BLOCK_F32 ? 4 : 2, i = 0;
    for (; i + QUANT_LANES <= k; i += QUANT_LANES) *(QuantVecLoose *)(to + i) = quant_load(type, p + i * each);
    if (i == stride) return;
    uint8_t last[QUANT_LANES * 4] = {0};
    memcpy(last, p + i * each, (k - i) * each);
    QuantVec x = quant_load(type, last);
    memcpy(to + i, &x, (stride - i < QUANT_LANES ? stride - i : QUANT_LANES) * sizeof *to);
    if (stride > i + QUANT_LANES) memset(to + i + QUANT_LANES, 0, (stride - i - QUANT_LANES) * sizeof *to);
}

static void quant_float_row(const QuantMatrix *w, size_t j, size_t stride, float *to) {
    const uint8_t *p = (const uint8_t *)w->rows + j * w->row_bytes;
    if (w->type == BLOCK_F32) quant_float_decode(BLOCK_F32, p, w->k, stride, to);
    if (w->type == BLOCK_F16) quant_float_decode(BLOCK_F16, p, w->k, stride, to);
    if (w->type == BLOCK_BF16) quant_float_decode(BLOCK_BF16, p, w->k, stride, to);
}

static void quant_gemm_floats(const QuantMatrix *w, size_t from, size_t to, const float *a, size_t m, float *out,
                              size_t ldo, float *scratch) {
    size_t stride = quant_kind_bytes(QUANT_FLOATS, w->k) / sizeof(float);
    if (m <= QUANT_DOT_ROWS) {
        if (w->type == BLOCK_F32) quant_dot_floats(BLOCK_F32, w, from, to, a, m, out, ldo);
        if (w->type == BLOCK_F16) quant_dot_floats(BLOCK_F16, w, from, to, a, m, out, ldo);
        if (w->type == BLOCK_BF16) quant_dot_floats(BLOCK_BF16, w, from, to, a, m, out, ldo);
        return;
    }
    for (size_t j = from; j < to;) {
        size_t outs = to - j < QUANT_FLOAT_OUTS ? 1 : QUANT_FLOAT_OUTS, r = 0;
        for (size_t o = 0; o < outs; o++) quant_float_row(w, j + o, stride, scratch + o * stride);
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

/* ---- weights as floats ---- */

/* d * scale * (q - zero) - m * min for 32 numbers, in block.c's order of roundings. */
INLINE void quant_floats32(const uint8_t *q, int zero, float scale, float min, size_t n, float *to) {
    for (size_t i = 0; i < n; i++) to[i] = scale * (float)((int)q[i] - zero) - min;
}

INLINE void quant_decode_group(uint32_t type, const uint8_t *p, size_t blocks, float *to) {
    QuantGroup g;
    quant_unpack(type, p, blocks, &g);
    if (type == BLOCK_Q6_K) {
        for (size_t j = 0; j < 16; j++)
            quant_floats32(g.q + 16 * j, 32, g.d[0] * (float)(int8_t)g.scales[j], 0, 16, to + 16 * j);
    } else if (quant_is_large(type)) {
        for (size_t j = 0; j < 8; j++)
            quant_floats32(g.q + 32 * j, 0, g.d[0] * (float)g.scales[j], g.m[0] * (float)g.mins[j], 32, to + 32 * j);
    } else {
        for (size_t b = 0; b < blocks; b++)
            quant_floats32(g.q + 32 * b, quant_zero(type), g.d[b], -g.m[b], 32, to + 32 * b);
    }
}

INLINE void quant_decode_type(uint32_t type, const uint8_t *p, size_t n, float *to) {
    bool small = !quant_is_large(type);
    for (; n >= QUANT_GROUP; n -= QUANT_GROUP, to += QUANT_GROUP) {
        quant_decode_group(type, p, 8, to);
        p += (small ? 8 : 1) * quant_block_bytes(type);
    }
    if (small && n) quant_decode_group(type, p, n / QUANT_BLOCK, to);
}

static void quant_decode(uint32_t type, const void *src, size_t n, float *dst) {
    switch (type) {
    case BLOCK_F32:
        memcpy(dst, src, n * sizeof *dst);
        break;
    case BLOCK_F16:
        quant_float_decode(BLOCK_F16, src, n, n, dst);
        break;
    case BLOCK_BF16:
        quant_float_decode(BLOCK_BF16, src, n, n, dst);
        break;
    case BLOCK_Q4_0:
        quant_decode_type(BLOCK_Q4_0, src, n, dst);
        break;
    case BLOCK_Q4_1:
        quant_decode_type(BLOCK_Q4_1, src, n, dst);
        break;
    case BLOCK_Q5_0:
        quant_decode_type(BLOCK_Q5_0, src, n, dst);
        break;
    case BLOCK_Q5_1:
        quant_decode_type(BLOCK_Q5_1, src, n, dst);
        break;
    case BLOCK_Q8_0:
        quant_decode_type(BLOCK_Q8_0, src, n, dst);
        break;
    case BLOCK_Q4_K:
        quant_decode_type(BLOCK_Q4_K, src, n, dst);
        break;
    case BLOCK_Q5_K:
        quant_decode_type(BLOCK_Q5_K, src, n, dst);
        break;
    case BLOCK_Q6_K:
        quant_decode_type(BLOCK_Q6_K, src, n, dst);
        break;
    default:
        break;
    }
}

#if !QUANT_HAS_PACK
static void quant_pack_bf16(const float *rows, size_t k, uint16_t *panel) {
    enum { GROUP = QUANT_PACK_GROUP };
    for (size_t r = 0; r < QUANT_PANEL; r++)
        for (size_t i = 0; i < k; i++)
            panel[i / GROUP * GROUP * QUANT_PANEL + r * GROUP + i % GROUP] = bf16_of(rows[r * QUANT_STEP + i]);
}
#endif

const KernQuant QUANT_TABLE = {
    .name = QUANT_NAME,
    .rows = quant_rows,
    .gemm = quant_gemm,
    .decode = quant_decode,
    .pack_bf16 = quant_pack_bf16,
};
