/* scan_scalar.c - the loops of scan.h as they are defined. */
#include "kern/scan_levels.h"

static void entries(const float *numbers, const float *lows, size_t tables, uint8_t *lut) {
    for (size_t t = 0; t < tables; t++, numbers += 6, lut += SCAN_ENTRIES) {
        float sums[SCAN_ENTRIES];
        sums[0] = lows[t];
        for (size_t k = 0; k < 6; k++)
            for (size_t e = 0; e < (size_t)1 << k; e++) sums[e + ((size_t)1 << k)] = sums[e] + numbers[k];
        for (size_t e = 0; e < SCAN_ENTRIES; e++) lut[e] = (uint8_t)(int)sums[e];
    }
}

static uint64_t above(const uint8_t *lut, const uint8_t *block, size_t tables, const uint16_t *factors, float shift,
                      float floor) {
    uint64_t bits = 0;
    for (size_t v = 0; v < SCAN_BLOCK; v++) {
        union {
            uint32_t bits;
            float value;
        } factor = {.bits = (uint32_t)factors[v] << 16};
        uint32_t sum = 0;
        for (size_t t = 0; t < tables; t++) sum += lut[t * SCAN_ENTRIES + (block[t * SCAN_BLOCK + v] & 63)];
        float shifted = (float)sum + shift;
        bits |= (uint64_t)(factor.value * shifted > floor) << v;
    }
    return bits;
}

static int32_t dot8(const int16_t *query, const int8_t *row, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += (int32_t)query[i] * row[i];
    return sum;
}

static void dot8_each(const int16_t *query, const int8_t *const *rows, size_t m, size_t n, int32_t *out) {
    for (size_t i = 0; i < m; i++) out[i] = dot8(query, rows[i], n);
}

static void dots8(const int8_t *query, const int8_t *rows, size_t m, size_t n, int32_t *out) {
    for (size_t r = 0; r < m; r++, rows += n) {
        out[r] = 0;
        for (size_t i = 0; i < n; i++) out[r] += query[i] * rows[i];
    }
}

static void hadamard(float *x, size_t n) {
    for (size_t half = 1; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t k = i; k < i + half; k++) {
                float a = x[k], b = x[k + half];
                x[k] = a + b;
                x[k + half] = a - b;
            }
}

const KernScan scan_scalar = {"scalar", entries, above, dot8, dot8_each, dots8, hadamard, scan_ones};
