/* scan_neon.c - the loops of scan.h for 64-bit ARM: TBL looks up 16 bytes in 64 at once, what AVX512-VBMI does with
 * 64. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "kern/scan_levels.h"

static inline float32x4_t plus(float32x4_t sums, uint32x4_t where, float number) {
    return vbslq_f32(where, vaddq_f32(sums, vdupq_n_f32(number)), sums);
}

/* Sums of 16 entries as bytes. */
static inline uint8x16_t bytes_of(const float32x4_t s[4]) {
    uint16x8_t low = vcombine_u16(vmovn_u32(vcvtq_u32_f32(s[0])), vmovn_u32(vcvtq_u32_f32(s[1])));
    uint16x8_t high = vcombine_u16(vmovn_u32(vcvtq_u32_f32(s[2])), vmovn_u32(vcvtq_u32_f32(s[3])));
    return vcombine_u8(vmovn_u16(low), vmovn_u16(high));
}

static inline void all_plus(const float32x4_t s[4], float number, float32x4_t out[4]) {
    for (int i = 0; i < 4; i++) out[i] = vaddq_f32(s[i], vdupq_n_f32(number));
}

static void entries(const float *numbers, const float *lows, size_t tables, uint8_t *lut) {
    const uint32x4_t bit0 = {0, ~0u, 0, ~0u}, bit1 = {0, 0, ~0u, ~0u};
    for (size_t t = 0; t < tables; t++, numbers += 6, lut += SCAN_ENTRIES) {
        float32x4_t s[4], s4[4], top[4]; /* bits 0 and 1 lie within a vector, 2 and 3 among four, 4 and 5 beyond */
        s[0] = plus(plus(vdupq_n_f32(lows[t]), bit0, numbers[0]), bit1, numbers[1]);
        s[1] = vaddq_f32(s[0], vdupq_n_f32(numbers[2]));
        s[2] = vaddq_f32(s[0], vdupq_n_f32(numbers[3]));
        s[3] = vaddq_f32(s[1], vdupq_n_f32(numbers[3]));
        all_plus(s, numbers[4], s4);
        vst1q_u8(lut, bytes_of(s));
        vst1q_u8(lut + 16, bytes_of(s4));
        all_plus(s, numbers[5], top);
        vst1q_u8(lut + 32, bytes_of(top));
        all_plus(s4, numbers[5], top);
        vst1q_u8(lut + 48, bytes_of(top));
    }
}

/* 16-bit sums of 64 vectors; four look-ups add up in a byte. */
static inline void sums_of(const uint8_t *lut, const uint8_t *block, size_t tables, uint16x8_t sums[8]) {
    for (int i = 0; i < 8; i++) sums[i] = vdupq_n_u16(0);
    for (size_t t = 0, to; t < tables; t = to) {
        uint8x16_t four[4] = {vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)};
        to = t + 4 < tables ? t + 4 : tables;
        for (size_t k = t; k < to; k++, lut += SCAN_ENTRIES, block += SCAN_BLOCK) {
            uint8x16x4_t table = vld1q_u8_x4(lut);
            for (int i = 0; i < 4; i++)
                four[i] = vaddq_u8(four[i], vqtbl4q_u8(table, vandq_u8(vld1q_u8(block + 16 * i), vdupq_n_u8(63))));
        }
        for (int i = 0; i < 4; i++) {
            sums[2 * i] = vaddw_u8(sums[2 * i], vget_low_u8(four[i]));
            sums[2 * i + 1] = vaddw_high_u8(sums[2 * i + 1], four[i]);
        }
    }
}

/* Four numbers of `above`, each a bit of `weights` where it is. */
static inline uint32x4_t four_above(uint16x4_t sums, uint16x4_t factors, float shift, float floor, uint32x4_t weights) {
    float32x4_t factor = vreinterpretq_f32_u32(vshll_n_u16(factors, 16));
    float32x4_t shifted = vaddq_f32(vcvtq_f32_u32(vmovl_u16(sums)), vdupq_n_f32(shift));
    return vandq_u32(vcgtq_f32(vmulq_f32(factor, shifted), vdupq_n_f32(floor)), weights);
}

static uint64_t above(const uint8_t *lut, const uint8_t *block, size_t tables, const uint16_t *factors, float shift,
                      float floor) {
    const uint32x4_t low = {1, 2, 4, 8}, high = {16, 32, 64, 128};
    uint16x8_t sums[8];
    uint64_t bits = 0;
    sums_of(lut, block, tables, sums);
    for (int i = 0; i < 8; i++) {
        uint16x8_t f = vld1q_u16(factors + 8 * i);
        uint32x4_t a = four_above(vget_low_u16(sums[i]), vget_low_u16(f), shift, floor, low);
        uint32x4_t b = four_above(vget_high_u16(sums[i]), vget_high_u16(f), shift, floor, high);
        bits |= (uint64_t)vaddvq_u32(vorrq_u32(a, b)) << 8 * i;
    }
    return bits;
}

typedef struct {
    int16x8_t low, high;
} Query16;

static inline Query16 query_at(const int16_t *q) { return (Query16){vld1q_s16(q), vld1q_s16(q + 8)}; }

/* 16 products onto four sums. */
static inline int32x4_t more(int32x4_t sum, Query16 q, const int8_t *row) {
    int8x16_t bytes = vld1q_s8(row);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    sum = vmlal_high_s16(vmlal_s16(sum, vget_low_s16(q.low), vget_low_s16(low)), q.low, low);
    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(q.high), vget_low_s16(high)), q.high, high);
}

static inline int32_t rest(const int16_t *query, const int8_t *row, size_t i, size_t n) {
    int32_t sum = 0;
    for (; i < n; i++) sum += (int32_t)query[i] * row[i];
    return sum;
}

static int32_t dot8(const int16_t *query, const int8_t *row, size_t n) {
    int32x4_t a = vdupq_n_s32(0), b = a;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = more(a, query_at(query + i), row + i);
        b = more(b, query_at(query + i + 16), row + i + 16);
    }
    for (; i + 16 <= n; i += 16) a = more(a, query_at(query + i), row + i);
    return vaddvq_s32(vaddq_s32(a, b)) + rest(query, row, i, n);
}

/* Four rows at a time: their cache misses overlap. */
static void dot8_each(const int16_t *query, const int8_t *const *rows, size_t m, size_t n, int32_t *out) {
    size_t r = 0;
    for (; r + 4 <= m; r += 4) {
        int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            Query16 q = query_at(query + i);
            s0 = more(s0, q, rows[r] + i);
            s1 = more(s1, q, rows[r + 1] + i);
            s2 = more(s2, q, rows[r + 2] + i);
            s3 = more(s3, q, rows[r + 3] + i);
        }
        out[r] = vaddvq_s32(s0) + rest(query, rows[r], i, n);
        out[r + 1] = vaddvq_s32(s1) + rest(query, rows[r + 1], i, n);
        out[r + 2] = vaddvq_s32(s2) + rest(query, rows[r + 2], i, n);
        out[r + 3] = vaddvq_s32(s3) + rest(query, rows[r + 3], i, n);
    }
    for (; r < m; r++) out[r] = dot8(query, rows[r], n);
}

static void dots8(const int8_t *query, const int8_t *rows, size_t m, size_t n, int32_t *out) {
    for (size_t r = 0; r < m; r++, rows += n) {
        int32x4_t a = vdupq_n_s32(0), b = a;
        size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            int8x16_t q = vld1q_s8(query + i), row = vld1q_s8(rows + i);
            a = vpadalq_s16(a, vmull_s8(vget_low_s8(q), vget_low_s8(row)));
            b = vpadalq_s16(b, vmull_high_s8(q, row));
        }
        out[r] = vaddvq_s32(vaddq_s32(a, b));
        for (; i < n; i++) out[r] += query[i] * rows[i];
    }
}

static void hadamard(float *x, size_t n) {
    const float32x4_t sign1 = {1, -1, 1, -1}, sign2 = {1, 1, -1, -1};
    for (size_t i = 0; i < n; i += 4) { /* distances 1 and 2 within a vector */
        float32x4_t v = vld1q_f32(x + i);
        v = vaddq_f32(vmulq_f32(v, sign1), vrev64q_f32(v));
        v = vaddq_f32(vmulq_f32(v, sign2), vextq_f32(v, v, 2));
        vst1q_f32(x + i, v);
    }
    for (size_t half = 4; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t k = i; k < i + half; k += 4) {
                float32x4_t a = vld1q_f32(x + k), b = vld1q_f32(x + k + half);
                vst1q_f32(x + k, vaddq_f32(a, b));
                vst1q_f32(x + k + half, vsubq_f32(a, b));
            }
}

const KernScan scan_neon = {"neon", entries, above, dot8, dot8_each, dots8, hadamard, scan_ones};
#endif
