/* scan_avx2.c - the loops of scan.h in AVX2. */
#if defined(__AVX2__)
#include <immintrin.h>
#include <string.h>

#include "kern/scan_levels.h"

typedef __m256i Bytes;

static inline Bytes bytes_at(const void *p) { return _mm256_loadu_si256(p); }

/* One vector of 8 entries' sums from those with fewer bits; four vectors make 32 bytes. */
static inline __m128i bytes_of(__m256 a, __m256 b) {
    __m256i words = _mm256_packs_epi32(_mm256_cvttps_epi32(a), _mm256_cvttps_epi32(b));
    words = _mm256_permute4x64_epi64(words, 0xD8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

static void entries(const float *numbers, const float *lows, size_t tables, uint8_t *lut) {
    const __m256 bit0 = _mm256_castsi256_ps(_mm256_setr_epi32(0, -1, 0, -1, 0, -1, 0, -1)),
                 bit1 = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, -1, -1, 0, 0, -1, -1)),
                 bit2 = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, 0, 0, -1, -1, -1, -1));
    for (size_t t = 0; t < tables; t++, numbers += 6, lut += SCAN_ENTRIES) {
        __m256 s = _mm256_set1_ps(lows[t]);
        s = _mm256_blendv_ps(s, _mm256_add_ps(s, _mm256_set1_ps(numbers[0])), bit0);
        s = _mm256_blendv_ps(s, _mm256_add_ps(s, _mm256_set1_ps(numbers[1])), bit1);
        s = _mm256_blendv_ps(s, _mm256_add_ps(s, _mm256_set1_ps(numbers[2])), bit2);
        __m256 s3 = _mm256_add_ps(s, _mm256_set1_ps(numbers[3])), four = _mm256_set1_ps(numbers[4]),
               five = _mm256_set1_ps(numbers[5]), s4 = _mm256_add_ps(s, four), s34 = _mm256_add_ps(s3, four);
        __m128i *out = (__m128i *)(void *)lut;
        _mm_storeu_si128(out, bytes_of(s, s3));
        _mm_storeu_si128(out + 1, bytes_of(s4, s34));
        _mm_storeu_si128(out + 2, bytes_of(_mm256_add_ps(s, five), _mm256_add_ps(s3, five)));
        _mm_storeu_si128(out + 3, bytes_of(_mm256_add_ps(s4, five), _mm256_add_ps(s34, five)));
    }
}

/* 32 look-ups in 64 entries: four in 16 each, of which bits 4 and 5 choose; shifted to the top of their bytes, where
 * the blend looks. What a shift carries over from the neighbour lands in lower bits, where it does not. */
static inline Bytes look(const __m256i quarters[4], Bytes index) {
    Bytes low = _mm256_and_si256(index, _mm256_set1_epi8(15));
    Bytes bit4 = _mm256_slli_epi16(index, 3), bit5 = _mm256_slli_epi16(index, 2);
    Bytes first =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(quarters[0], low), _mm256_shuffle_epi8(quarters[1], low), bit4);
    Bytes second =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(quarters[2], low), _mm256_shuffle_epi8(quarters[3], low), bit4);
    return _mm256_blendv_epi8(first, second, bit5);
}

/* 16-bit sums of 64 vectors. Four look-ups add up in a byte; sums of even and odd bytes grow apart. */
static void sums_of(const uint8_t *lut, const uint8_t *block, size_t tables, uint16_t *sums) {
    Bytes even[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, odd[2] = {even[0], even[0]};
    const Bytes low = _mm256_set1_epi16(0xFF);
    for (size_t t = 0, to; t < tables; t = to) {
        Bytes four[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        to = t + 4 < tables ? t + 4 : tables;
        for (size_t i = t; i < to; i++, lut += SCAN_ENTRIES, block += SCAN_BLOCK) {
            __m256i quarters[4];
            for (int q = 0; q < 4; q++)
                quarters[q] =
                    _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(lut + 16 * q)));
            for (int half = 0; half < 2; half++)
                four[half] = _mm256_add_epi8(four[half], look(quarters, bytes_at(block + 32 * half)));
        }
        for (int half = 0; half < 2; half++) {
            even[half] = _mm256_add_epi16(even[half], _mm256_and_si256(four[half], low));
            odd[half] = _mm256_add_epi16(odd[half], _mm256_srli_epi16(four[half], 8));
        }
    }
    for (int half = 0; half < 2; half++) {
        Bytes a = _mm256_unpacklo_epi16(even[half], odd[half]), b = _mm256_unpackhi_epi16(even[half], odd[half]);
        _mm256_storeu_si256((__m256i *)(void *)(sums + 32 * half), _mm256_permute2x128_si256(a, b, 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(sums + 32 * half + 16), _mm256_permute2x128_si256(a, b, 0x31));
    }
}

static uint64_t above(const uint8_t *lut, const uint8_t *block, size_t tables, const uint16_t *factors, float shift,
                      float floor) {
    uint16_t sums[SCAN_BLOCK];
    uint64_t bits = 0;
    sums_of(lut, block, tables, sums);
    for (int v = 0; v < SCAN_BLOCK; v += 8) {
        __m128i s = _mm_loadu_si128((const __m128i *)(const void *)(sums + v));
        __m128i f = _mm_loadu_si128((const __m128i *)(const void *)(factors + v));
        __m256 shifted = _mm256_add_ps(_mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(s)), _mm256_set1_ps(shift));
        __m256 factor = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(f), 16));
        __m256 more = _mm256_cmp_ps(_mm256_mul_ps(factor, shifted), _mm256_set1_ps(floor), _CMP_GT_OQ);
        bits |= (uint64_t)(unsigned)_mm256_movemask_ps(more) << v;
    }
    return bits;
}

static inline int32_t sum_of(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
    return _mm_cvtsi128_si32(s);
}

static inline __m256i product(const int16_t *query, const int8_t *row) {
    __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)row));
    return _mm256_madd_epi16(wide, _mm256_loadu_si256((const __m256i *)(const void *)query));
}

static int32_t dot8(const int16_t *query, const int8_t *row, size_t n) {
    __m256i a = _mm256_setzero_si256(), b = a;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = _mm256_add_epi32(a, product(query + i, row + i));
        b = _mm256_add_epi32(b, product(query + i + 16, row + i + 16));
    }
    int32_t sum = sum_of(_mm256_add_epi32(a, b));
    for (; i < n; i++) sum += (int32_t)query[i] * row[i];
    return sum;
}

static void dot8_each(const int16_t *query, const int8_t *const *rows, size_t m, size_t n, int32_t *out) {
    for (size_t i = 0; i < m; i++) out[i] = dot8(query, rows[i], n);
}

/* |row| times what of the query has the row's sign: a pair's sum is at most 2 * 128 * 127, which 16 bits hold. */
static inline __m256i small_product(const int8_t *query, const int8_t *row) {
    __m256i r = bytes_at(row), q = _mm256_sign_epi8(bytes_at(query), r);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(r), q), _mm256_set1_epi16(1));
}

static void dots8(const int8_t *query, const int8_t *rows, size_t m, size_t n, int32_t *out) {
    for (size_t r = 0; r < m; r++, rows += n) {
        __m256i a = _mm256_setzero_si256(), b = a;
        size_t i = 0;
        for (; i + 64 <= n; i += 64) {
            a = _mm256_add_epi32(a, small_product(query + i, rows + i));
            b = _mm256_add_epi32(b, small_product(query + i + 32, rows + i + 32));
        }
        for (; i + 32 <= n; i += 32) a = _mm256_add_epi32(a, small_product(query + i, rows + i));
        out[r] = sum_of(_mm256_add_epi32(a, b));
        for (; i < n; i++) out[r] += query[i] * rows[i];
    }
}

static void hadamard(float *x, size_t n) {
    for (size_t i = 0; i < n; i += 8) { /* distances 1, 2 and 4 within a vector */
        __m256 v = _mm256_loadu_ps(x + i);
        __m256 sign1 = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), sign2 = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1),
               sign4 = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);
        v = _mm256_add_ps(_mm256_mul_ps(v, sign1), _mm256_permute_ps(v, 0xB1));
        v = _mm256_add_ps(_mm256_mul_ps(v, sign2), _mm256_permute_ps(v, 0x4E));
        v = _mm256_add_ps(_mm256_mul_ps(v, sign4), _mm256_permute2f128_ps(v, v, 1));
        _mm256_storeu_ps(x + i, v);
    }
    for (size_t half = 8; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t k = i; k < i + half; k += 8) {
                __m256 a = _mm256_loadu_ps(x + k), b = _mm256_loadu_ps(x + k + half);
                _mm256_storeu_ps(x + k, _mm256_add_ps(a, b));
                _mm256_storeu_ps(x + k + half, _mm256_sub_ps(a, b));
            }
}

const KernScan scan_avx2 = {"avx2", entries, above, dot8, dot8_each, dots8, hadamard, scan_ones};
#endif
