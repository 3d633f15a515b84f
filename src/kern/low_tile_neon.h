/* low_tile_neon.h - tiles for 64-bit ARM: rows x 32 outputs as two halves of 16, whose sums stay in registers while all
 * of K runs. Three kinds of instruction, one after the other in the history of the architecture:
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
 * BFMMLA rounds its sums to odd and takes subnormals for zeros; it does so alike for every element, so a row's result
 * still does not depend on the row beside it.
 *
 * steps is even everywhere; for bytes it is a multiple of 8, because widths are multiples of 32.
 */
#include <arm_neon.h>

enum { LOW_HALF = 16, HALF_BYTES = LOW_GROUP * LOW_HALF };
#define LOW_ROWS 6

#if LOW_NEON_MATRIX

typedef int32x4_t NeonInts;
typedef float32x4_t NeonFloats;

/* b: 8 bytes of each of two outputs. */
INLINE NeonInts neon_times_int8(NeonInts sum, uint8x16_t a, uint8x16_t b) {
    return vusmmlaq_s32(sum, a, vreinterpretq_s8_u8(b));
}
INLINE NeonFloats neon_times_bf16(NeonFloats sum, uint8x16_t a, uint8x16_t b) {
    return vbfmmlaq_f32(sum, vreinterpretq_bf16_u8(a), vreinterpretq_bf16_u8(b));
}

/* 8 bytes of each of two rows, side by side. */
INLINE uint8x16_t neon_pair(const uint8_t *a, const uint8_t *b) { return vcombine_u8(vld1_u8(a), vld1_u8(b)); }

/* Pairs of rows x 16 outputs, 8 bytes at a time; rows[2 * p], rows[2 * p + 1] are a pair, the same row twice where
 * there is only one. pairs is a compile-time constant. sums[p][o]: rows 2p (low half) and 2p + 1, outputs 2o and 2o +
 * 1. A function for each type of sum: gcc 12 moves them about when one type is taken for the other. */
#define NEON_HALF(type, Sums)                                                                                          \
    INLINE void neon_half_##type(size_t pairs, const uint8_t *const *rows, const uint8_t *panel, size_t bytes,         \
                                 Sums sums[LOW_ROWS / 2][LOW_HALF / 2]) {                                              \
        UNROLL for (size_t p = 0; p < pairs; p++) UNROLL for (size_t o = 0; o < LOW_HALF / 2; o++) sums[p][o] =        \
            (Sums){0};                                                                                                 \
        for (size_t at = 0; at < bytes; at += LOW_GROUP, panel += 2 * HALF_BYTES) {                                    \
            uint8x16_t two[LOW_ROWS / 2];                                                                              \
            UNROLL for (size_t p = 0; p < pairs; p++) two[p] = neon_pair(rows[2 * p] + at, rows[2 * p + 1] + at);      \
            UNROLL for (size_t o = 0; o < LOW_HALF / 2; o++) {                                                         \
                uint8x16_t w = vld1q_u8(panel + 16 * o);                                                               \
                UNROLL for (size_t p = 0; p < pairs; p++) sums[p][o] = neon_times_##type(sums[p][o], two[p], w);       \
            }                                                                                                          \
        }                                                                                                              \
    }
NEON_HALF(int8, NeonInts)
NEON_HALF(bf16, NeonFloats)

/* Rows of a tile; the last twice when their number is odd. */
INLINE void neon_rows(size_t n, const void *a, size_t lda, const uint8_t *rows[LOW_ROWS]) {
    UNROLL for (size_t r = 0; r < (n + 1) / 2 * 2; r++) rows[r] = (const uint8_t *)a + (r < n ? r : n - 1) * lda;
}

#define NEON_TILE(type, Sums, n)                                                                                       \
    static void low_##type##_##n(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {      \
        const uint8_t *rows[LOW_ROWS];                                                                                 \
        neon_rows(n, a, lda, rows);                                                                                    \
        for (size_t half = 0; half < 2; half++, out = (char *)out + LOW_HALF * sizeof(float)) {                        \
            Sums sums[LOW_ROWS / 2][LOW_HALF / 2];                                                                     \
            neon_half_##type((n + 1) / 2, rows, (const uint8_t *)b + half * HALF_BYTES, steps * LOW_STEP_BYTES, sums); \
            UNROLL for (size_t r = 0; r < n; r++) UNROLL for (size_t o = 0; o < LOW_HALF / 2; o += 2) {                \
                uint64x2_t x = (uint64x2_t)sums[r / 2][o], y = (uint64x2_t)sums[r / 2][o + 1];                         \
                x = r % 2 ? vzip2q_u64(x, y) : vzip1q_u64(x, y);                                                       \
                memcpy((char *)out + r * ldo + 2 * o * sizeof(float), &x, sizeof x);                                   \
            }                                                                                                          \
        }                                                                                                              \
    }
#define NEON_TILES(type, Sums)                                                                                         \
    NEON_TILE(type, Sums, 1)                                                                                           \
    NEON_TILE(type, Sums, 2)                                                                                           \
    NEON_TILE(type, Sums, 3)                                                                                           \
    NEON_TILE(type, Sums, 4)                                                                                           \
    NEON_TILE(type, Sums, 5)                                                                                           \
    NEON_TILE(type, Sums, 6)
NEON_TILES(int8, NeonInts)
NEON_TILES(bf16, NeonFloats)
static const LowTile low_tiles_bf16[LOW_ROWS + 1] = {NULL,       low_bf16_1, low_bf16_2, low_bf16_3,
                                                     low_bf16_4, low_bf16_5, low_bf16_6};

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

/* clang-format off */
NEON_INT8(1)
NEON_INT8(2)
NEON_INT8(3) NEON_INT8(4) NEON_INT8(5) NEON_INT8(6)
/* clang-format on */

#endif

static const LowTile low_tiles_int8[LOW_ROWS + 1] = {NULL,       low_int8_1, low_int8_2, low_int8_3,
                                                     low_int8_4, low_int8_5, low_int8_6};
