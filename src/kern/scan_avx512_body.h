/* scan_avx512_body.h - the loops of scan.h in AVX-512, compiled twice: as every such CPU can (scan_avx512.c), and with
 * VBMI, which looks up 64 bytes in 64, and VNNI, which multiplies and adds in one (scan_avx512vbmi.c). SCAN_NAME and
 * SCAN_TABLE name the result.
 */
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

#ifdef __AVX512VBMI__
static inline __m512i look(const uint8_t *lut, const uint8_t *block) {
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(block), _mm512_loadu_si512(lut));
}
#else
static inline __m512i quarter(const uint8_t *lut, int at) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(lut + 16 * at)));
}

/* Four look-ups in 16 bytes each, of which bits 4 and 5 of the index choose. */
static inline __m512i look(const uint8_t *lut, const uint8_t *block) {
    const __m512i index = _mm512_loadu_si512(block), low = _mm512_and_si512(index, _mm512_set1_epi8(15));
    const __mmask64 odd = _mm512_test_epi8_mask(index, _mm512_set1_epi8(16)),
                    upper = _mm512_test_epi8_mask(index, _mm512_set1_epi8(32));
    __m512i first = _mm512_shuffle_epi8(quarter(lut, 0), low), second = _mm512_shuffle_epi8(quarter(lut, 2), low);
    first = _mm512_mask_shuffle_epi8(first, odd, quarter(lut, 1), low);
    second = _mm512_mask_shuffle_epi8(second, odd, quarter(lut, 3), low);
    return _mm512_mask_mov_epi8(first, upper, second);
}
#endif

/* Sums of 16 bits grow in two: of pairs of bytes as they are, and of their odd bytes. */
typedef struct {
    __m512i whole, odd;
} Sums;

static inline Sums sums_more(Sums s, __m512i bytes) {
    return (Sums){_mm512_add_epi16(s.whole, bytes), _mm512_add_epi16(s.odd, _mm512_srli_epi16(bytes, 8))};
}

/* With VBMI one look-up of 64 vectors is one instruction. Four of them add up in a byte. */
static inline Sums sums_of(const uint8_t *lut, const uint8_t *block, size_t tables) {
    Sums a = {_mm512_setzero_si512(), _mm512_setzero_si512()}, b = a;
    size_t t = 0;
    for (; t + 8 <= tables; t += 8, lut += 8 * SCAN_ENTRIES, block += 8 * SCAN_BLOCK) {
        __m512i v[8];
        for (size_t i = 0; i < 8; i++) v[i] = look(lut + i * SCAN_ENTRIES, block + i * SCAN_BLOCK);
        a = sums_more(a, _mm512_add_epi8(_mm512_add_epi8(v[0], v[1]), _mm512_add_epi8(v[2], v[3])));
        b = sums_more(b, _mm512_add_epi8(_mm512_add_epi8(v[4], v[5]), _mm512_add_epi8(v[6], v[7])));
    }
    for (; t < tables; t++, lut += SCAN_ENTRIES, block += SCAN_BLOCK) a = sums_more(a, look(lut, block));
    return (Sums){_mm512_add_epi16(a.whole, b.whole), _mm512_add_epi16(a.odd, b.odd)};
}

/* The words 4 i + at of 64 as the upper halves of 16 floats. */
static inline __m512 every_fourth(__m512i low, __m512i high, int at) {
    const __m512i places =
        _mm512_slli_epi32(_mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60), 16);
    __m512i from = _mm512_add_epi32(places, _mm512_set1_epi32(at << 16));
    return _mm512_castsi512_ps(_mm512_maskz_permutex2var_epi16(0xAAAAAAAA, low, from, high));
}

static inline uint64_t sixteen_above(__m512i sums, __m512 factors, float shift, float floor) {
    __m512 shifted = _mm512_add_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(shift));
    return _mm512_cmp_ps_mask(_mm512_mul_ps(factors, shifted), _mm512_set1_ps(floor), _CMP_GT_OQ);
}

static uint64_t above(const uint8_t *lut, const uint8_t *block, size_t tables, const uint16_t *factors, float shift,
                      float floor) {
    const Sums s = sums_of(lut, block, tables);
    const __m512i low = _mm512_loadu_si512(factors), high = _mm512_loadu_si512(factors + 32);
    const __m512i half = _mm512_set1_epi32(0xFFFF), even = _mm512_sub_epi16(s.whole, _mm512_slli_epi16(s.odd, 8));
    uint64_t a = sixteen_above(_mm512_and_si512(even, half), every_fourth(low, high, 0), shift, floor);
    uint64_t b = sixteen_above(_mm512_and_si512(s.odd, half), every_fourth(low, high, 1), shift, floor);
    uint64_t c = sixteen_above(_mm512_srli_epi32(even, 16), every_fourth(low, high, 2), shift, floor);
    uint64_t d = sixteen_above(_mm512_srli_epi32(s.odd, 16), every_fourth(low, high, 3), shift, floor);
    if ((a | b | c | d) == 0) return 0; /* as in most blocks */
    const uint64_t fourth = UINT64_C(0x1111111111111111);
    return _pdep_u64(a, fourth) | _pdep_u64(b, fourth << 1) | _pdep_u64(c, fourth << 2) | _pdep_u64(d, fourth << 3);
}

static inline __m512i widened(const int8_t *row) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)row));
}

static inline __m512i more(__m512i sum, const int16_t *query, const int8_t *row) {
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(sum, widened(row), _mm512_loadu_si512(query));
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(widened(row), _mm512_loadu_si512(query)));
#endif
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

#ifdef __AVX512VNNI__
/* Rows as bytes from 0 on, since VNNI multiplies unsigned bytes by signed ones; what that adds is taken out at the
 * end. */
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
#else
static void dots8(const int8_t *query, const int8_t *rows, size_t m, size_t n, int32_t *out) {
    for (size_t r = 0; r < m; r++, rows += n) {
        __m512i sum = _mm512_setzero_si512();
        size_t i = 0;
        for (; i + 32 <= n; i += 32)
            sum = _mm512_add_epi32(sum, _mm512_madd_epi16(widened(rows + i), widened(query + i)));
        out[r] = _mm512_reduce_add_epi32(sum);
        for (; i < n; i++) out[r] += query[i] * rows[i];
    }
}
#endif

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

const KernScan SCAN_TABLE = {SCAN_NAME, entries, above, dot8, dot8_each, dots8, hadamard, scan_ones};
