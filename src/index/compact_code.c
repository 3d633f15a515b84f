/* compact_code.c - codes of the compact kind: who gets how many bits, a row's code, and a query's tables. See
 * compact.h. */
#include <float.h>

#include "index/compact.h"
#include "kern/kern.h"

enum { FACTOR_ONE = 128, FACTOR_STEPS = 32 /* an octave */ };

/* Quantisers of 1 to 5 bits for normal numbers of variance 1 (Max 1960, table I): the upper half of their levels, and
 * what is left of the variance. Borders lie half way between levels. */
static const float levels_1[] = {0.7980f}, levels_2[] = {0.4528f, 1.510f},
                   levels_3[] = {0.2451f, 0.7560f, 1.344f, 2.152f},
                   levels_4[] = {0.1284f, 0.3881f, 0.6568f, 0.9424f, 1.256f, 1.618f, 2.069f, 2.733f},
                   levels_5[] = {0.0659f, 0.1981f, 0.3314f, 0.4668f, 0.6050f, 0.7473f, 0.8949f, 1.049f,
                                 1.212f,  1.387f,  1.577f,  1.788f,  2.029f,  2.319f,  2.692f,  3.263f};
static const float *const halves[COMPACT_BITS + 1] = {NULL, levels_1, levels_2, levels_3, levels_4, levels_5};
static const float left_of[COMPACT_BITS + 1] = {1, 0.3634f, 0.1175f, 0.03454f, 0.009497f, 0.002499f};

static float level_of(unsigned bits, unsigned code) {
    unsigned half = 1u << (bits - 1);
    return code < half ? -halves[bits][half - 1 - code] : halves[bits][code - half];
}

static unsigned code_of(unsigned bits, float number) {
    unsigned half = 1u << (bits - 1), i = 0;
    float size = fabsf(number);
    while (i + 1 < half && size > 0.5f * (halves[bits][i] + halves[bits][i + 1])) i++;
    return number < 0 ? half - 1 - i : half + i;
}

/* What one more bit takes away of a component's error; 0 when it has all it may. */
static float gain_of(float variance, unsigned bits) {
    return bits < COMPACT_BITS ? (variance + FLT_MIN) * (left_of[bits] - left_of[bits + 1]) : 0;
}

/* The first byte with room for so many bits, else the one with most room. */
static size_t byte_for(const uint8_t *full, size_t bytes, unsigned bits) {
    size_t roomiest = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (full[i] + bits <= 8) return i;
        if (full[i] < full[roomiest]) roomiest = i;
    }
    return roomiest;
}

/* Bits that no component's whole number fitted go one by one to those that they help most: one without bits, or one
 * whose bits are the last of their byte. */
static void holes_fill(const float *variances, size_t n, size_t bytes, uint8_t *full, CompactPlace *places) {
    for (;;) {
        size_t best = n, hole = byte_for(full, bytes, 1);
        float most = 0;
        if (full[hole] == 8) return;
        for (size_t i = 0; i < n; i++) {
            const CompactPlace *p = &places[i];
            float gain = gain_of(variances[i], p->bits);
            bool fits = p->bits == 0 || (full[p->byte] < 8 && p->shift + p->bits == full[p->byte]);
            if (!fits || gain <= most) continue;
            most = gain;
            best = i;
        }
        if (best == n) return;
        CompactPlace *p = &places[best];
        if (p->bits == 0) *p = (CompactPlace){(uint8_t)hole, full[hole], 0};
        p->bits++;
        full[p->byte]++;
    }
}

void compact_share(const float *variances, size_t n, size_t bytes, CompactPlace *places) {
    uint8_t full[COMPACT_BYTES] = {0};
    memset(places, 0, n * sizeof *places);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (gain_of(variances[i], places[i].bits) > gain_of(variances[best], places[best].bits)) best = i;
        if (gain_of(variances[best], places[best].bits) > 0) places[best].bits++;
    }
    for (size_t i = 0; i < n; i++) { /* many bits first, so that the ones fill what these leave */
        CompactPlace *p = &places[i];
        p->byte = (uint8_t)byte_for(full, bytes, p->bits);
        p->shift = full[p->byte];
        if (p->shift + p->bits > 8) p->bits = (uint8_t)(8 - p->shift);
        full[p->byte] = (uint8_t)(p->shift + p->bits);
    }
    holes_fill(variances, n, bytes, full, places);
}

void compact_turn(const CompactBasis *b, const float *v, size_t dim, float *numbers) {
    const KernScan *scan = scan_table();
    int16_t whole[VEC_DIM_MAX];
    float scale = row8_query(v, dim, whole);
    for (size_t i = 0; i < b->components; i++) {
        const uint8_t *row = b->basis + i * row8_bytes(dim);
        numbers[i] = (float)scan->dot8(whole, (const int8_t *)row, dim) * (scale * row8_scale(row, dim));
    }
}

/* The row is coded as if it were of the usual length: its factor says how long it is. */
float compact_levels(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item) {
    float offset[VEC_DIM_MAX];
    double squares = 0, usual = 0, along = 0; /* a float would not hold the square of a number near ROW8_MOST */
    for (size_t d = 0; d < dim; d++) offset[d] = row[d] - b->mean[d];
    compact_turn(b, offset, dim, numbers);
    for (size_t i = 0; i < b->components; i++) {
        squares += (double)numbers[i] * (double)numbers[i];
        usual += (double)b->spread[i] * (double)b->spread[i];
    }
    memset(item, 0, b->bytes);
    if (!(squares > 0)) return 0;
    double shrink = sqrt(usual / squares);
    for (size_t i = 0; i < b->components; i++) {
        CompactPlace p = b->places[i];
        unsigned code = code_of(p.bits, (float)(shrink * (double)numbers[i] / (double)b->spread[i]));
        item[p.byte] = (uint8_t)(item[p.byte] | code << p.shift);
        along += (double)numbers[i] * (double)b->spread[i] * (double)level_of(p.bits, code);
    }
    return along > 0 ? (float)(squares / along) : 0;
}

static uint8_t factor_pack(float factor, float unit) {
    if (!(factor > 0)) return 0;
    float steps = FACTOR_ONE + FACTOR_STEPS * log2f(factor / unit);
    return steps <= 1 ? 1 : steps >= 255 ? 255 : (uint8_t)lrintf(steps);
}

void compact_encode(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item) {
    item[b->bytes] = factor_pack(compact_levels(b, row, dim, numbers, item), b->unit);
}

void compact_tables(const CompactBasis *b, const float *query, size_t dim, float *numbers, CompactTables *t) {
    compact_turn(b, query, dim, numbers);
    memset(t->sums, 0, compact_tables_bytes(dim));
    for (size_t i = 0; i < b->components; i++) {
        CompactPlace p = b->places[i];
        float *sums = t->sums + (size_t)p.byte * 256, shares[1 << COMPACT_BITS];
        for (unsigned code = 0; code < 1u << p.bits; code++)
            shares[code] = numbers[i] * b->spread[i] * level_of(p.bits, code);
        for (unsigned byte = 0; byte < 256; byte++) sums[byte] += shares[byte >> p.shift & ((1u << p.bits) - 1)];
    }
    t->bytes = b->bytes;
    t->factors[0] = 0;
    for (int byte = 1; byte < 256; byte++)
        t->factors[byte] = b->unit * exp2f((float)(byte - FACTOR_ONE) / FACTOR_STEPS);
    t->base = kern_table()->dot(query, b->mean, dim);
}
