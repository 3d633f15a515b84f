/* quant_dots.h - few activation rows (generation) on x86: weight rows read as they stand, one after the other. The
 * includer has defined, for its instructions,
 *
 *   quant_blocks32(type, rows, p, block, fresh, a, sums)   eight blocks of 32 into the eight sums of each row
 *   quant_group256(type, rows, p, group, a, sums)          a block of 256 into the sum of each row
 *
 * for up to QUANT_DOT_ROWS activation rows, which share one reading and one unpacking.
 */
#include <immintrin.h>

#include "kern/quant_unpack.h"

/* Halves first, as quant_add_up. */
INLINE float y_sum(__m256 v) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

/* The first `n` < 8 blocks of a row, moved to the end of eight. */
typedef struct {
    int8_t q[QUANT_GROUP];
    float d[8], s[8];
    int32_t sum[8];
} FewBlocks;

static QuantRow32 few_blocks(FewBlocks *few, const QuantRow32 *a, size_t n) {
    memset(few, 0, sizeof *few);
    memcpy(few->q + (8 - n) * QUANT_BLOCK, a->q, n * QUANT_BLOCK);
    memcpy(few->d + 8 - n, a->d, n * sizeof *a->d);
    memcpy(few->s + 8 - n, a->s, n * sizeof *a->s);
    memcpy(few->sum + 8 - n, a->sum, n * sizeof *a->sum);
    return (QuantRow32){few->q, few->d, few->s, few->sum, NULL};
}

/* Blocks that do not fill eight are taken with those before them, which are then not counted again: no copy, no byte
 * read behind the row. */
INLINE void row_times32(uint32_t type, size_t rows, const uint8_t *p, size_t k, const QuantRow32 *a, float *out,
                        size_t ldo) {
    __m256 sums[QUANT_DOT_ROWS] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    size_t bytes = quant_block_bytes(type), blocks = k / QUANT_BLOCK, rest = blocks % 8, b = 0;
    for (; b + 8 <= blocks; b += 8) {
        quant_prefetch(p + b * bytes, 8 * bytes);
        quant_blocks32(type, rows, p + b * bytes, b, 8, a, sums);
    }
    if (rest && b) quant_blocks32(type, rows, p + (blocks - 8) * bytes, blocks - 8, rest, a, sums);
    if (rest && !b) {
        uint8_t few[8 * 34] = {0}; /* less than 8 blocks in all: moved to the end of eight */
        memcpy(few + (8 - rest) * bytes, p, rest * bytes);
        QuantRow32 moved[QUANT_DOT_ROWS];
        FewBlocks room[QUANT_DOT_ROWS];
        for (size_t r = 0; r < rows; r++) moved[r] = few_blocks(&room[r], &a[r], rest);
        quant_blocks32(type, rows, few, 0, rest, moved, sums);
    }
    UNROLL for (size_t r = 0; r < rows; r++) out[r * ldo] = y_sum(sums[r]);
}

INLINE void row_times256(uint32_t type, size_t rows, const uint8_t *p, size_t k, const QuantRow256 *a, float *out,
                         size_t ldo) {
    float sums[QUANT_DOT_ROWS] = {0};
    for (size_t g = 0; g < k / QUANT_GROUP; g++, p += quant_block_bytes(type)) {
        quant_prefetch(p, quant_block_bytes(type));
        quant_group256(type, rows, p, g, a, sums);
    }
    UNROLL for (size_t r = 0; r < rows; r++) out[r * ldo] = sums[r];
}

INLINE void quant_dots_rows(uint32_t type, size_t rows, const QuantMatrix *w, size_t from, size_t to, const char *acts,
                            size_t bytes, float *out, size_t ldo) {
    QuantRow32 a[QUANT_DOT_ROWS];
    QuantRow256 b[QUANT_DOT_ROWS];
    bool small = !quant_is_large(type);
    for (size_t r = 0; r < rows; r++) {
        a[r] = quant_row32(acts + r * bytes, w->k);
        b[r] = quant_row256(acts + r * bytes, w->k);
    }
    const uint8_t *p = (const uint8_t *)w->rows + from * w->row_bytes;
    for (size_t j = from; j < to; j++, p += w->row_bytes) {
        if (small)
            row_times32(type, rows, p, w->k, a, out + j, ldo);
        else
            row_times256(type, rows, p, w->k, b, out + j, ldo);
    }
}

#define DOTS_FUNCTION(type)                                                                                            \
    static void dots_##type(size_t rows, const QuantMatrix *w, size_t from, size_t to, const char *acts, size_t bytes, \
                            float *out, size_t ldo) {                                                                  \
        if (rows == 1)                                                                                                 \
            quant_dots_rows(BLOCK_##type, 1, w, from, to, acts, bytes, out, ldo);                                      \
        else if (rows == 2)                                                                                            \
            quant_dots_rows(BLOCK_##type, 2, w, from, to, acts, bytes, out, ldo);                                      \
        else                                                                                                           \
            quant_dots_rows(BLOCK_##type, 3, w, from, to, acts, bytes, out, ldo);                                      \
    }
DOTS_FUNCTION(Q4_0)
DOTS_FUNCTION(Q4_1)
DOTS_FUNCTION(Q5_0)
DOTS_FUNCTION(Q5_1)
DOTS_FUNCTION(Q8_0)
DOTS_FUNCTION(Q4_K)
DOTS_FUNCTION(Q5_K)
DOTS_FUNCTION(Q6_K)

typedef void (*QuantDots)(size_t rows, const QuantMatrix *w, size_t from, size_t to, const char *acts, size_t bytes,
                          float *out, size_t ldo);
static const QuantDots dots_of[] = {
    [BLOCK_Q4_0] = dots_Q4_0, [BLOCK_Q4_1] = dots_Q4_1, [BLOCK_Q5_0] = dots_Q5_0, [BLOCK_Q5_1] = dots_Q5_1,
    [BLOCK_Q8_0] = dots_Q8_0, [BLOCK_Q4_K] = dots_Q4_K, [BLOCK_Q5_K] = dots_Q5_K, [BLOCK_Q6_K] = dots_Q6_K};

static void quant_dots(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out,
                       size_t ldo) {
    size_t bytes = quant_kind_bytes(quant_kind(w->type), w->k);
    for (size_t r = 0; r < m; r += QUANT_DOT_ROWS) {
        size_t n = m - r < QUANT_DOT_ROWS ? m - r : QUANT_DOT_ROWS;
        dots_of[w->type](n, w, from, to, (const char *)rows + r * bytes, bytes, out + r * ldo, ldo);
    }
}
