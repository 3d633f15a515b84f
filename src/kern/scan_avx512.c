/* scan_avx512.c - the loops of scan.h in AVX-512 with VBMI (look-ups in 64 bytes) and VNNI. */
#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>

#include "kern/scan_levels.h"

static inline __m512 plus(__m512 sums, __mmask16 where, float number) {
    return _mm512_mask_add_ps(sums, where, sums, _mm512_set1_ps(number));
}

static inline void bytes_store(uint8_t *out, __m512 sums) {
    _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(sums)));
}

static void entries(const float *numbers, const float *lows, size_t tables, uint8_t *lut) {
    for (size_t t = 0; t < tables; t++, numbers += 6, lut += SCAN_ENTRIES) {
        __m512 s = plus(_mm512_set1_ps(lows[t]), 0xAAAA, numbers[0]);
        s = plus(plus(plus(s, 0xCCCC, numbers[1]), 0xF0F0, numbers[2]), 0xFF00, numbers[3]);
        __m512 s4 = plus(s, 0xFFFF, numbers[4]);
        bytes_store(lut, s);
        bytes_store(lut + 16, s4);
        bytes_store(lut + 32, plus(s, 0xFFFF, numbers[5]));
        bytes_store(lut + 48, plus(s4, 0xFFFF, numbers[5]));
    }
}

/* One look-up of 64 vectors is one instruction; two sums of 16 bits take it in, whole and its odd bytes: what the whole one
 * has in its upper halves is taken out at the end. */
static void lookup(const uint8_t *lut, const uint8_t *block, size_t tables, uint16_t *sums) {
    __m512i whole[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()}, odd[2] = {whole[0], whole[0]};
    size_t t = 0;
    for (; t + 2 <= tables; t += 2, lut += 2 * SCAN_ENTRIES, block += 2 * SCAN_BLOCK)
        for (int i = 0; i < 2; i++) {
            __m512i v = _mm512_permutexvar_epi8(_mm512_loadu_si512(block + 64 * i), _mm512_loadu_si512(lut + 64 * i));
            whole[i] = _mm512_add_epi16(whole[i], v);
            odd[i] = _mm512_add_epi16(odd[i], _mm512_srli_epi16(v, 8));
        }
    if (t < tables) {
        __m512i v = _mm512_permutexvar_epi8(_mm512_loadu_si512(block), _mm512_loadu_si512(lut));
        whole[0] = _mm512_add_epi16(whole[0], v);
        odd[0] = _mm512_add_epi16(odd[0], _mm512_srli_epi16(v, 8));
    }
    __m512i high = _mm512_add_epi16(odd[0], odd[1]);
    __m512i even = _mm512_sub_epi16(_mm512_add_epi16(whole[0], whole[1]), _mm512_slli_epi16(high, 8));
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6,
                                           37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    _mm512_storeu_si512(sums, _mm512_permutex2var_epi16(even, first, high));
    _mm512_storeu_si512(sums + 32, _mm512_permutex2var_epi16(even, second, high));
}

static uint64_t above(const uint16_t *sums, const uint16_t *factors, float base, float scale, float shift,
                      float floor) {
    uint64_t bits = 0;
    for (int v = 0; v < SCAN_BLOCK; v += 16) {
        __m256i s = _mm256_loadu_si256((const __m256i *)(const void *)(sums + v));
        __m256i f = _mm256_loadu_si256((const __m256i *)(const void *)(factors + v));
        __m512 sum = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(s));
        __m512 factor = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(f), 16));
        sum = _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(scale)), _mm512_set1_ps(shift));
        sum = _mm512_add_ps(_mm512_mul_ps(sum, factor), _mm512_set1_ps(base));
        bits |= (uint64_t)_mm512_cmp_ps_mask(sum, _mm512_set1_ps(floor), _CMP_GT_OQ) << v;
    }
    return bits;
}

static inline __m512i more(__m512i sum, const int16_t *query, const int8_t *row) {
    __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)row));
    return _mm512_dpwssd_epi32(sum, wide, _mm512_loadu_si512(query));
}

static inline int32_t rest(const int16_t *query, const int8_t *row, size_t i, size_t n) {
    int32_t sum = 0;
    for (; i < n; i++) sum += (int32_t)query[i] * row[i];
    return sum;
}

static int32_t dot8(const int16_t *query, const int8_t *row, size_t n) {
    __m512i a = _mm512_setzero_si512(), b = a;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        a = more(a, query + i, row + i);
        b = more(b, query + i + 32, row + i + 32);
    }
    for (; i + 32 <= n; i += 32) a = more(a, query + i, row + i);
    return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b)) + rest(query, row, i, n);
}

/* The sums of four vectors, side by side. */
static inline __m128i four_sums(const __m512i v[4]) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Four rows at a time: their cache misses overlap. */
static void dot8_each(const int16_t *query, const int8_t *const *rows, size_t m, size_t n, int32_t *out) {
    size_t r = 0;
    for (; r + 4 <= m; r += 4) {
        __m512i s[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
        size_t i = 0;
        for (; i + 32 <= n; i += 32)
            for (size_t k = 0; k < 4; k++) s[k] = more(s[k], query + i, rows[r + k] + i);
        _mm_storeu_si128((__m128i *)(void *)(out + r), four_sums(s));
        for (size_t k = 0; i < n && k < 4; k++) out[r + k] += rest(query, rows[r + k], i, n);
    }
    for (; r < m; r++) out[r] = dot8(query, rows[r], n);
}

/* Rows as bytes from 0 on, since VNNI multiplies unsigned bytes by signed ones; what that adds is taken out at the end. */
enum { LIFT = 128 };

static inline __m512i lifted(__m512i row) { return _mm512_xor_si512(row, _mm512_set1_epi8((char)LIFT)); }

static void dots8(const int8_t *query, const int8_t *rows, size_t m, size_t n, int32_t *out) {
    const size_t whole = n / 64 * 64;
    const __mmask64 tail = (UINT64_C(1) << n % 64) - 1;
    const __m512i last = _mm512_maskz_loadu_epi8(tail, query + whole);
    __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), last);
    for (size_t i = 0; i < whole; i += 64)
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(query + i));
    const int32_t lift = LIFT * _mm512_reduce_add_epi32(sum);
    for (size_t r = 0; r < m; r += 4) {
        const int8_t *row[4];
        __m512i s[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
        int32_t dots[4];
        for (size_t k = 0; k < 4; k++) row[k] = rows + (r + k < m ? r + k : m - 1) * n;
        for (size_t i = 0; i < whole; i += 64)
            for (size_t k = 0; k < 4; k++)
                s[k] = _mm512_dpbusd_epi32(s[k], lifted(_mm512_loadu_si512(row[k] + i)), _mm512_loadu_si512(query + i));
        for (size_t k = 0; whole < n && k < 4; k++)
            s[k] = _mm512_dpbusd_epi32(s[k], lifted(_mm512_maskz_loadu_epi8(tail, row[k] + whole)), last);
        _mm_storeu_si128((__m128i *)(void *)dots, _mm_sub_epi32(four_sums(s), _mm_set1_epi32(lift)));
        for (size_t k = 0; k < 4 && r + k < m; k++) out[r + k] = dots[k];
    }
}

static inline __m512 flipped(__m512 v, __mmask16 minus) { return _mm512_mask_sub_ps(v, minus, _mm512_setzero_ps(), v); }

static void hadamard(float *x, size_t n) {
    for (size_t i = 0; i < n; i += 16) { /* distances 1 to 8 within a vector */
        __m512 v = _mm512_loadu_ps(x + i);
        v = _mm512_add_ps(flipped(v, 0xAAAA), _mm512_permute_ps(v, 0xB1));
        v = _mm512_add_ps(flipped(v, 0xCCCC), _mm512_permute_ps(v, 0x4E));
        v = _mm512_add_ps(flipped(v, 0xF0F0), _mm512_shuffle_f32x4(v, v, 0xB1));
        v = _mm512_add_ps(flipped(v, 0xFF00), _mm512_shuffle_f32x4(v, v, 0x4E));
        _mm512_storeu_ps(x + i, v);
    }
    for (size_t half = 16; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t k = i; k < i + half; k += 16) {
                __m512 a = _mm512_loadu_ps(x + k), b = _mm512_loadu_ps(x + k + half);
                _mm512_storeu_ps(x + k, _mm512_add_ps(a, b));
                _mm512_storeu_ps(x + k + half, _mm512_sub_ps(a, b));
            }
}

const KernScan scan_avx512 = {"avx512", entries, lookup, above, dot8, dot8_each, dots8, hadamard};
#endif
