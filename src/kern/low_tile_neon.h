/* low_tile_neon.h - tiles for 64-bit ARM: rows x 32 outputs as two halves of 16, whose sums stay in registers while all of K
 * runs. Three kinds of instruction, one after the other in the history of the architecture:
 *
 *   neon         no product of bytes into 32 bits: two products are summed in 16 bits (SMULL, SMLAL), pairs of those added
 *                to the sums in 32 (SADALP). A row's bytes less 128 are signed, so that two products are at most
 *                2 * 128 * 127 = 32,512 and never overflow: weights keep their 8 bits.
 *   neondotprod  SDOT, signed by signed: the same bytes less 128; a row's four bytes are a lane, without a broadcast.
 *   neonbf16     matrices of 2 x 8 bytes by 8 x 2 (USMMLA, unsigned by signed) or of bf16 (BFMMLA): twice SDOT, four times
 *                BFDOT's half. An output's 8 bytes stand side by side (LOW_GROUP); a register has those of two outputs, or of
 *                two rows.
 *
 * What the 128 took away, 128 times the sum of an output's weights, comes back in low_body.h's finish (LOW_SHIFT).
 * BFMMLA rounds its sums to odd and takes subnormals for zeros; it does so alike for every element, so a row's result still
 * does not depend on the row beside it.
 *
 * steps is even everywhere; for bytes it is a multiple of 8, because widths are multiples of 32.
 */
#include <arm_neon.h>

enum { LOW_HALF = 16, HALF_BYTES = LOW_GROUP * LOW_HALF };
#define LOW_ROWS 6

#if LOW_NEON_MATRIX

typedef enum { NEON_BYTES, NEON_BF16 } NeonMatrix;

INLINE uint32x4_t neon_matrix(NeonMatrix kind, uint32x4_t sum, uint8x16_t a, uint8x16_t b) {
    if (kind == NEON_BYTES)
        return vreinterpretq_u32_s32(vusmmlaq_s32(vreinterpretq_s32_u32(sum), a, vreinterpretq_s8_u8(b)));
    return vreinterpretq_u32_f32(
        vbfmmlaq_f32(vreinterpretq_f32_u32(sum), vreinterpretq_bf16_u8(a), vreinterpretq_bf16_u8(b)));
}

/* 8 bytes of each of two rows, side by side. */
INLINE uint8x16_t neon_pair(uint64x2_t a, uint64x2_t b, bool high) {
    return vreinterpretq_u8_u64(high ? vzip2q_u64(a, b) : vzip1q_u64(a, b));
}

/* Pairs of rows x 16 outputs; rows[2 * p], rows[2 * p + 1] are a pair, the same row twice where there is only one. pairs is
 * a compile-time constant. sums[p][o]: rows 2p (low half) and 2p + 1, outputs 2o and 2o + 1. */
INLINE void neon_half(NeonMatrix kind, size_t pairs, const uint8_t *const *rows, const uint8_t *panel, size_t steps,
                      uint32x4_t sums[LOW_ROWS / 2][LOW_HALF / 2]) {
    size_t at = 0, bytes = steps * LOW_STEP_BYTES;
    UNROLL for (size_t p = 0; p < pairs; p++) UNROLL for (size_t o = 0; o < LOW_HALF / 2; o++) sums[p][o] =
        vdupq_n_u32(0);
    for (; at + 16 <= bytes; at += 16) {
        uint64x2_t a[LOW_ROWS];
        UNROLL for (size_t r = 0; r < 2 * pairs; r++) a[r] = vreinterpretq_u64_u8(vld1q_u8(rows[r] + at));
        UNROLL for (int high = 0; high < 2; high++, panel += 2 * HALF_BYTES) {
            uint8x16_t two[LOW_ROWS / 2];
            UNROLL for (size_t p = 0; p < pairs; p++) two[p] = neon_pair(a[2 * p], a[2 * p + 1], high);
            UNROLL for (size_t o = 0; o < LOW_HALF / 2; o++) {
                uint8x16_t w = vld1q_u8(panel + 16 * o);
                UNROLL for (size_t p = 0; p < pairs; p++) sums[p][o] = neon_matrix(kind, sums[p][o], two[p], w);
            }
        }
    }
    if (at == bytes) return;
    UNROLL for (size_t p = 0; p < pairs; p++) {
        uint8x16_t two = vcombine_u8(vld1_u8(rows[2 * p] + at), vld1_u8(rows[2 * p + 1] + at));
        UNROLL for (size_t o = 0; o < LOW_HALF / 2; o++) sums[p][o] =
            neon_matrix(kind, sums[p][o], two, vld1q_u8(panel + 16 * o));
    }
}

INLINE void neon_tile(NeonMatrix kind, size_t n, const void *a, size_t lda, const void *b, size_t steps, void *out,
                      size_t ldo) {
    const uint8_t *rows[LOW_ROWS];
    size_t pairs = (n + 1) / 2;
    UNROLL for (size_t r = 0; r < 2 * pairs; r++) rows[r] = (const uint8_t *)a + (r < n ? r : n - 1) * lda;
    for (size_t half = 0; half < 2; half++) {
        uint32x4_t sums[LOW_ROWS / 2][LOW_HALF / 2];
        neon_half(kind, pairs, rows, (const uint8_t *)b + half * HALF_BYTES, steps, sums);
        UNROLL for (size_t r = 0; r < n; r++) UNROLL for (size_t o = 0; o < LOW_HALF / 2; o += 2) {
            uint64x2_t x = vreinterpretq_u64_u32(sums[r / 2][o]), y = vreinterpretq_u64_u32(sums[r / 2][o + 1]);
            vst1q_u32((uint32_t *)(void *)((char *)out + r * ldo) + half * LOW_HALF + 2 * o,
                      vreinterpretq_u32_u64(r % 2 ? vzip2q_u64(x, y) : vzip1q_u64(x, y)));
        }
    }
}

#define NEON_INT8(n)                                                                                                   \
    static void low_int8_##n(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {          \
        neon_tile(NEON_BYTES, n, a, lda, b, steps, out, ldo);                                                          \
    }
#define NEON_FLOAT(n)                                                                                                  \
    static void low_bf16_##n(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {          \
        neon_tile(NEON_BF16, n, a, lda, b, steps, out, ldo);                                                           \
    }
NEON_FLOAT(1)
NEON_FLOAT(2)
NEON_FLOAT(3) NEON_FLOAT(4) NEON_FLOAT(5) NEON_FLOAT(6) static const LowTile low_tiles_bf16[LOW_ROWS + 1] = {
    NULL, low_bf16_1, low_bf16_2, low_bf16_3, low_bf16_4, low_bf16_5, low_bf16_6};

#else /* without products of matrices */

/* 16 bytes of a row, signed. */
INLINE int8x16_t neon_row(const uint8_t *p) { return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128))); }

#if LOW_NEON_DOT

/* 4 steps at a time. rows is a compile-time constant. */
INLINE void neon_half(size_t rows, const uint8_t *a, size_t lda, const int8_t *panel, size_t steps, int32_t *out,
                      size_t ldo) {
    enum { VECTORS = LOW_HALF / 4 };
    int32x4_t sums[LOW_ROWS][VECTORS];
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t v = 0; v < VECTORS; v++) sums[r][v] = vdupq_n_s32(0);
    for (; steps > 0; steps -= 4, a += 16) {
        int8x16_t in[LOW_ROWS];
        UNROLL for (size_t r = 0; r < rows; r++) in[r] = neon_row(a + r * lda);
#define NEON_STEP(lane)                                                                                                \
    UNROLL for (size_t v = 0; v < VECTORS; v++) {                                                                      \
        int8x16_t w = vld1q_s8(panel + 16 * v);                                                                        \
        UNROLL for (size_t r = 0; r < rows; r++) sums[r][v] = vdotq_laneq_s32(sums[r][v], w, in[r], lane);             \
    }                                                                                                                  \
    panel += 2 * HALF_BYTES;
        NEON_STEP(0) NEON_STEP(1) NEON_STEP(2) NEON_STEP(3)
#undef NEON_STEP
    }
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t v = 0; v < VECTORS; v++)
        vst1q_s32(out + r * ldo + 4 * v, sums[r][v]);
}

#else

/* The four bytes of step i of a row, four times beside each other. */
INLINE int8x16_t neon_four(int8x16_t row, int i) {
    return vreinterpretq_s8_s32(vdupq_n_s32(vreinterpretq_s32_s8(row)[i]));
}

/* Sums of pairs: sums[r][v] has those of outputs 2v and 2v + 1, two each. Two steps at a time. */
INLINE void neon_rows(size_t rows, const uint8_t *a, size_t lda, const int8_t *panel, size_t steps, int32_t *out,
                      size_t ldo) {
    enum { VECTORS = LOW_HALF / 4, ROWS = 2 };
    int32x4_t sums[ROWS][2 * VECTORS];
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t v = 0; v < 2 * VECTORS; v++) sums[r][v] =
        vdupq_n_s32(0);
    for (; steps > 0; steps -= 4, a += 16) {
        int8x16_t in[ROWS];
        UNROLL for (size_t r = 0; r < rows; r++) in[r] = neon_row(a + r * lda);
        UNROLL for (int s = 0; s < 4; s += 2, panel += 4 * HALF_BYTES) {
            int8x16_t x[ROWS], y[ROWS];
            UNROLL for (size_t r = 0; r < rows; r++) x[r] = neon_four(in[r], s), y[r] = neon_four(in[r], s + 1);
            UNROLL for (size_t v = 0; v < VECTORS; v++) {
                int8x16_t w0 = vld1q_s8(panel + 16 * v), w1 = vld1q_s8(panel + 2 * HALF_BYTES + 16 * v);
                UNROLL for (size_t r = 0; r < rows; r++) {
                    int16x8_t low =
                        vmlal_s8(vmull_s8(vget_low_s8(w0), vget_low_s8(x[r])), vget_low_s8(w1), vget_low_s8(y[r]));
                    int16x8_t high = vmlal_high_s8(vmull_high_s8(w0, x[r]), w1, y[r]);
                    sums[r][2 * v] = vpadalq_s16(sums[r][2 * v], low);
                    sums[r][2 * v + 1] = vpadalq_s16(sums[r][2 * v + 1], high);
                }
            }
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t v = 0; v < VECTORS; v++)
        vst1q_s32(out + r * ldo + 4 * v, vpaddq_s32(sums[r][2 * v], sums[r][2 * v + 1]));
}

/* Sums of pairs take twice the registers: two rows at a time. */
INLINE void neon_half(size_t rows, const uint8_t *a, size_t lda, const int8_t *panel, size_t steps, int32_t *out,
                      size_t ldo) {
    size_t r = 0;
    for (; r + 2 <= rows; r += 2) neon_rows(2, a + r * lda, lda, panel, steps, out + r * ldo, ldo);
    if (r < rows) neon_rows(1, a + r * lda, lda, panel, steps, out + r * ldo, ldo);
}

#endif

INLINE void neon_tile(size_t rows, const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    for (size_t half = 0; half < 2; half++)
        neon_half(rows, a, lda, (const int8_t *)b + half * HALF_BYTES, steps, (int32_t *)out + half * LOW_HALF,
                  ldo / sizeof(int32_t));
}

#define NEON_INT8(n)                                                                                                   \
    static void low_int8_##n(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {          \
        neon_tile(n, a, lda, b, steps, out, ldo);                                                                      \
    }

#endif

NEON_INT8(1)
NEON_INT8(2)
NEON_INT8(3) NEON_INT8(4) NEON_INT8(5) NEON_INT8(6) static const LowTile low_tiles_int8[LOW_ROWS + 1] = {
    NULL, low_int8_1, low_int8_2, low_int8_3, low_int8_4, low_int8_5, low_int8_6};
