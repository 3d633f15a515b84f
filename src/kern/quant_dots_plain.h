/* quant_dots_plain.h - rows of weights times up to 16 rows of activations, for the levels without instructions for
 * more: a weight row is unpacked 256 numbers at a time, and products are sums of 16 or 32 at a time. The includer has
 * defined
 *
 *   quant_product(type, q, a, n, sum)   the inner product of n (16 or 32) weights, less their type's zero, and activations,
 *                                       which sum up to `sum`
 *
 * and what quant_body.h asks for, which is included here.
 */
#include "kern/quant_unpack.h"

enum { ROWS = 16 };

typedef struct {
    float sums[ROWS][QUANT_SUMS];
} Sums;

INLINE void group32(uint32_t type, const QuantGroup *g, size_t group, size_t blocks, QuantRow32 a, float *sums) {
    for (size_t b = 0; b < blocks; b++) {
        size_t at = 8 * group + b;
        int32_t x = quant_product(type, g->q + 32 * b, a.q + 32 * at, 32, a.sum[at]);
        sums[b] += (float)x * (g->d[b] * a.d[at]);
        if (quant_has_min(type)) sums[b] += g->m[b] * a.s[at];
    }
}

INLINE void group256(uint32_t type, const QuantGroup *g, size_t group, QuantRow256 a, float *sums) {
    int32_t x = 0, least = 0;
    const int8_t *q = a.q + QUANT_GROUP * group;
    if (type == BLOCK_Q6_K) {
        for (size_t j = 0; j < 16; j++)
            x += (int8_t)g->scales[j] * quant_product(type, g->q + 16 * j, q + 16 * j, 16, a.sum16[16 * group + j]);
    } else {
        for (size_t j = 0; j < 8; j++) {
            x += g->scales[j] * quant_product(type, g->q + 32 * j, q + 32 * j, 32, 0);
            least += g->mins[j] * a.sum32[8 * group + j];
        }
    }
    sums[0] += (float)x * (g->d[0] * a.d[group]);
    if (quant_has_min(type)) sums[0] -= (float)least * (g->m[0] * a.d[group]);
}

INLINE void row_times(uint32_t type, const uint8_t *p, size_t k, const char *rows, size_t bytes, size_t m, Sums *sums) {
    QuantGroup g = {0};
    bool small = !quant_is_large(type);
    size_t step = (small ? 8 : 1) * quant_block_bytes(type);
    for (size_t group = 0; group < quant_groups(k); group++, p += step) {
        size_t left = (k - group * QUANT_GROUP) / QUANT_BLOCK, blocks = left < 8 ? left : 8;
        quant_unpack(type, p, blocks, &g);
        for (size_t r = 0; r < m; r++) {
            if (small)
                group32(type, &g, group, blocks, quant_row32(rows + r * bytes, k), sums->sums[r]);
            else
                group256(type, &g, group, quant_row256(rows + r * bytes, k), sums->sums[r]);
        }
    }
}

/* One copy of row_times a type, so that the compiler knows the layout. */
static void row_times_any(uint32_t type, const uint8_t *p, size_t k, const char *rows, size_t bytes, size_t m,
                          Sums *sums) {
    switch (type) {
    case BLOCK_Q4_0:
        row_times(BLOCK_Q4_0, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q4_1:
        row_times(BLOCK_Q4_1, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q5_0:
        row_times(BLOCK_Q5_0, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q5_1:
        row_times(BLOCK_Q5_1, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q8_0:
        row_times(BLOCK_Q8_0, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q4_K:
        row_times(BLOCK_Q4_K, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q5_K:
        row_times(BLOCK_Q5_K, p, k, rows, bytes, m, sums);
        break;
    case BLOCK_Q6_K:
        row_times(BLOCK_Q6_K, p, k, rows, bytes, m, sums);
        break;
    default:
        break;
    }
}

static void quant_dots(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out,
                       size_t ldo);

#include "kern/quant_body.h"

static void quant_dots(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out,
                       size_t ldo) {
    size_t bytes = quant_kind_bytes(quant_kind(w->type), w->k);
    for (size_t j = from; j < to; j++)
        for (size_t row = 0; row < m; row += ROWS) {
            Sums sums = {0};
            size_t n = m - row < ROWS ? m - row : ROWS;
            row_times_any(w->type, (const uint8_t *)w->rows + j * w->row_bytes, w->k, (const char *)rows + row * bytes,
                          bytes, n, &sums);
            for (size_t r = 0; r < n; r++) out[(row + r) * ldo + j] = quant_add_up(sums.sums[r], QUANT_SUMS);
        }
}
