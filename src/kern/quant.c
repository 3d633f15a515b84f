/* quant.c - what of quant.h is the same on every CPU: sizes, and the search for scales that are not numbers. */
#include "kern/quant.h"

#include <string.h>

#include "kern/quant_impl.h"

/* Where a block's half-precision numbers stand, -1: no second one. A block of 1 number is such a number itself. */
typedef struct {
    uint32_t type;
    QuantKind kind;
    int first, second;
} Type;

static const Type types[] = {
    {BLOCK_F32, QUANT_FLOATS, 0, -1},    {BLOCK_F16, QUANT_FLOATS, 0, -1},       {BLOCK_BF16, QUANT_FLOATS, 0, -1},
    {BLOCK_Q4_0, QUANT_BLOCKS32, 0, -1}, {BLOCK_Q4_1, QUANT_BLOCKS32, 0, 2},     {BLOCK_Q5_0, QUANT_BLOCKS32, 0, -1},
    {BLOCK_Q5_1, QUANT_BLOCKS32, 0, 2},  {BLOCK_Q8_0, QUANT_BLOCKS32, 0, -1},    {BLOCK_Q4_K, QUANT_BLOCKS256, 0, 2},
    {BLOCK_Q5_K, QUANT_BLOCKS256, 0, 2}, {BLOCK_Q6_K, QUANT_BLOCKS256, 208, -1},
};

static const Type *type_find(uint32_t type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type) return &types[i];
    return NULL;
}

bool quant_fits(uint32_t type, size_t k) { return k > 0 && type_find(type) && k % block_format(type)->items == 0; }

QuantKind quant_kind(uint32_t type) { return type_find(type)->kind; }

size_t quant_row_bytes(uint32_t type, size_t k) {
    const BlockFormat *f = block_format(type);
    return k / f->items * f->bytes;
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t quant_kind_bytes(QuantKind kind, size_t k) {
    size_t groups = quant_groups(k);
    switch (kind) {
    case QUANT_FLOATS:
        return whole_lines(k * sizeof(float));
    case QUANT_BLOCKS32:
        return quant_row32_head(k) + groups * 8 * sizeof(QuantBlock32);
    case QUANT_BLOCKS256:
        break;
    }
    return quant_row256_head(k) + groups * 8 * sizeof(QuantBlock256);
}

size_t quant_scratch_bytes(size_t k) {
    /* A panel of 32 rows: their bytes; of K formats up to 16 scales as int32 and 8 minimums as int16 a group, one scale
     * and one minimum as floats; of the others 8 scales and 8 minimums as floats. The floats' four rows are less. */
    size_t group = QUANT_GROUP + 16 * sizeof(int32_t) + 8 * sizeof(int16_t) + 2 * sizeof(float);
    return whole_lines(quant_groups(k) * 32 * group);
}

/* ---- the search for what is not a number ---- */

enum { HALF_EXPONENT = 0x7C00, BF16_EXPONENT = 0x7F80 };

static bool halves_bad(const unsigned char *p, size_t n, uint32_t exponent) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        bad |= (h & exponent) == exponent;
    }
    return bad;
}

static bool floats_bad(const unsigned char *p, size_t n) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, p + 4 * i, sizeof bits);
        bad |= (bits & 0x7F800000) == 0x7F800000;
    }
    return bad;
}

/* The half at `at` of each of n blocks. */
static bool scales_bad(const unsigned char *p, size_t n, size_t bytes, int at) {
    uint32_t bad = 0;
    for (p += at; n > 0; n--, p += bytes) {
        uint16_t h;
        memcpy(&h, p, sizeof h);
        bad |= (h & HALF_EXPONENT) == HALF_EXPONENT;
    }
    return bad;
}

static bool row_bad(const Type *t, const unsigned char *p, size_t k) {
    if (t->type == BLOCK_F32) return floats_bad(p, k);
    if (t->type == BLOCK_F16) return halves_bad(p, k, HALF_EXPONENT);
    if (t->type == BLOCK_BF16) return halves_bad(p, k, BF16_EXPONENT);
    const BlockFormat *f = block_format(t->type);
    size_t n = k / f->items;
    return scales_bad(p, n, f->bytes, t->first) || (t->second >= 0 && scales_bad(p, n, f->bytes, t->second));
}

size_t quant_check(uint32_t type, const void *rows, size_t row_bytes, size_t n, size_t k) {
    const Type *t = type_find(type);
    const unsigned char *p = rows;
    for (size_t i = 0; i < n; i++, p += row_bytes)
        if (row_bad(t, p, k)) return i;
    return n;
}
