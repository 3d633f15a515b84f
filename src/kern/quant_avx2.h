/* quant_avx2.h - quant.h's products with AVX2, and with AVX-VNNI where the includer defines QUANT_AVXVNNI: 32 numbers
 * of any format out of a row into one register, one weight row with few activation rows (quant_dots.h), tiles over
 * panels (quant_panel.h).
 *
 * pmaddubsw sums two products of an unsigned and a signed byte in 16 bits and saturates. Numbers of up to six bits
 * never get there (2 * 63 * 127 = 16,002). Bytes of Q8_0 are multiplied as |w| * (a with w's sign): 2 * 128 * 127 =
 * 32,512 does not either, as activations are never -128. With AVX-VNNI they are biased by 128 like the others.
 */
#include <immintrin.h>

#include "kern/quant_unpack.h"

typedef __m256i Y;

INLINE Y y_load(const void *p) { return _mm256_loadu_si256(p); }
INLINE Y y_low4(Y x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }

/* Q8_0 without bias: signed bytes. */
INLINE bool y_signed(uint32_t type) { return type == BLOCK_Q8_0 && !QUANT_AVXVNNI; }
INLINE bool y_biased(uint32_t type) { return quant_zero(type) != 0 && !y_signed(type); }

/* Eight sums of four products each, added to `sums`. */
INLINE Y y_products(uint32_t type, Y sums, Y q, Y a) {
#if QUANT_AVXVNNI
    (void)type;
    return _mm256_dpbusd_avx_epi32(sums, q, a);
#else
    Y pairs =
        y_signed(type) ? _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(a, q)) : _mm256_maddubs_epi16(q, a);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

/* ---- 32 numbers ---- */

/* A block of 32. Bit i of the fifth bits belongs to byte i: byte i / 8 of the four is brought there and its bit
 * tested. */
INLINE Y y_unpack32(uint32_t type, const uint8_t *p) {
    p += quant_has_min(type) ? 4 : 2;
    if (type == BLOCK_Q8_0)
        return y_signed(type) ? y_load(p) : _mm256_xor_si256(y_load(p), _mm256_set1_epi8((char)0x80));
    bool fifths = type == BLOCK_Q5_0 || type == BLOCK_Q5_1;
    __m128i low = _mm_loadu_si128((const void *)(p + (fifths ? 4 : 0)));
    Y q = y_low4(_mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_srli_epi16(low, 4), 1));
    if (!fifths) return q;
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    const Y places = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const Y each = _mm256_set1_epi64x((long long)0x8040201008040201);
    Y set = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), places), each);
    return _mm256_or_si256(q, _mm256_and_si256(_mm256_cmpeq_epi8(set, each), _mm256_set1_epi8(16)));
}

/* Numbers 32 j .. 32 j + 31 of a block of 256. */
INLINE Y y_unpack256(uint32_t type, const uint8_t *p, int j) {
    if (type == BLOCK_Q6_K) {
        Y low = y_load(p + j / 4 * 64 + j % 2 * 32), high = y_load(p + 128 + j / 4 * 32);
        Y q = y_low4(j % 4 / 2 ? _mm256_srli_epi16(low, 4) : low);
        Y bits = j % 4 == 0   ? _mm256_slli_epi16(high, 4)
                 : j % 4 == 1 ? _mm256_slli_epi16(high, 2)
                 : j % 4 == 2 ? high
                              : _mm256_srli_epi16(high, 2);
        return _mm256_or_si256(q, _mm256_and_si256(bits, _mm256_set1_epi8(0x30)));
    }
    Y low = y_load(p + (type == BLOCK_Q5_K ? 48 : 16) + j / 2 * 32);
    Y q = y_low4(j % 2 ? _mm256_srli_epi16(low, 4) : low);
    if (type == BLOCK_Q4_K) return q;
    Y high = y_load(p + 16), bits = j <= 4 ? _mm256_slli_epi16(high, 4 - j) : _mm256_srli_epi16(high, j - 4);
    return _mm256_or_si256(q, _mm256_and_si256(bits, _mm256_set1_epi8(16)));
}

/* ---- one weight row, blocks of 32 ---- */

/* The halves at p, p + stride, … of eight blocks as floats. */
INLINE __m256 y_scales(const uint8_t *p, size_t stride) {
    _Alignas(16) uint16_t h[8];
    UNROLL for (size_t b = 0; b < 8; b++) memcpy(&h[b], p + b * stride, sizeof h[b]);
    return _mm256_cvtph_ps(_mm_setr_epi16((short)h[0], (short)h[1], (short)h[2], (short)h[3], (short)h[4], (short)h[5],
                                          (short)h[6], (short)h[7]));
}

/* The lanes of each of 8 registers added up: lane b is register b's sum. */
INLINE Y y_add_up(const Y s[8]) {
    Y pairs[4], fours[2];
    UNROLL for (int i = 0; i < 4; i++) pairs[i] = _mm256_hadd_epi32(s[2 * i], s[2 * i + 1]);
    UNROLL for (int i = 0; i < 2; i++) fours[i] = _mm256_hadd_epi32(pairs[2 * i], pairs[2 * i + 1]);
    return _mm256_add_epi32(_mm256_permute2x128_si256(fours[0], fours[1], 0x20),
                            _mm256_permute2x128_si256(fours[0], fours[1], 0x31));
}

INLINE void quant_blocks32(uint32_t type, size_t rows, const uint8_t *p, size_t block, size_t fresh,
                           const QuantRow32 *a, __m256 *sums) {
    size_t bytes = quant_block_bytes(type);
    const Y lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256 d = y_scales(p, bytes), m = quant_has_min(type) ? y_scales(p + 2, bytes) : _mm256_setzero_ps();
    __m256 mask = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)fresh), lanes));
    Y turn = _mm256_add_epi32(lanes, _mm256_set1_epi32(8 - (int)fresh));
    UNROLL for (size_t r = 0; r < rows; r++) {
        Y s[8];
        UNROLL for (size_t b = 0; b < 8; b++) s[b] = y_products(
            type, _mm256_setzero_si256(), y_unpack32(type, p + b * bytes), y_load(a[r].q + (block + b) * QUANT_BLOCK));
        Y x = y_add_up(s);
        if (y_biased(type))
            x = _mm256_sub_epi32(x, _mm256_slli_epi32(y_load(a[r].sum + block), quant_zero_shift(type)));
        __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(x), _mm256_mul_ps(d, _mm256_loadu_ps(a[r].d + block)));
        if (fresh < 8) y = _mm256_permutevar8x32_ps(y, turn);
        y = _mm256_add_ps(sums[r], y);
        sums[r] = fresh < 8 ? _mm256_blendv_ps(sums[r], y, mask) : y;
        if (!quant_has_min(type)) continue;
        y = _mm256_mul_ps(m, _mm256_loadu_ps(a[r].s + block));
        if (fresh < 8) y = _mm256_permutevar8x32_ps(y, turn);
        y = _mm256_add_ps(sums[r], y);
        sums[r] = fresh < 8 ? _mm256_blendv_ps(sums[r], y, mask) : y;
    }
}

/* ---- one weight row, blocks of 256 ---- */

/* Word `low` of x in the lower half, word `high` in the upper one; x holds the same 8 words in both. */
INLINE Y y_words(Y x, int low, int high) {
    int a = (2 * low + 1) << 8 | 2 * low, b = (2 * high + 1) << 8 | 2 * high;
    return _mm256_shuffle_epi8(x, _mm256_inserti128_si256(_mm256_set1_epi16((short)a), _mm_set1_epi16((short)b), 1));
}

INLINE void quant_group256(uint32_t type, size_t rows, const uint8_t *p, size_t group, const QuantRow256 *a,
                           float *sums) {
    uint64_t scales, mins;
    Y words, later;
    if (type == BLOCK_Q6_K) {
        Y all = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(p + 192)));
        words = _mm256_permute4x64_epi64(all, 0x44); /* the first eight scales twice, then the others */
        later = _mm256_permute4x64_epi64(all, 0xEE);
    } else {
        quant_unpack_scales(p + 4, &scales, &mins);
        words = later = _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)scales)));
    }
    float d = quant_half(p + (type == BLOCK_Q6_K ? 208 : 0)), m = quant_has_min(type) ? quant_half(p + 2) : 0;
    UNROLL for (size_t r = 0; r < rows; r++) {
        Y x[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        UNROLL for (int j = 0; j < 8; j++) {
            Y pairs =
                _mm256_maddubs_epi16(y_unpack256(type, p, j), y_load(a[r].q + group * QUANT_GROUP + 32 * (size_t)j));
            Y scale = type == BLOCK_Q6_K ? y_words(j < 4 ? words : later, 2 * (j % 4), 2 * (j % 4) + 1)
                                         : y_words(words, j, j);
            x[j % 2] = _mm256_add_epi32(x[j % 2], _mm256_madd_epi16(pairs, scale));
        }
        Y y = _mm256_add_epi32(x[0], x[1]);
        if (type == BLOCK_Q6_K) {
            Y all = _mm256_blend_epi32(words, later, 0xF0);
            y = _mm256_sub_epi32(y, _mm256_slli_epi32(_mm256_madd_epi16(all, y_load(a[r].sum16 + 16 * group)), 5));
        }
        __m128i v = _mm_add_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1)), least = v;
        if (quant_has_min(type))
            least = _mm_madd_epi16(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)mins)),
                                   _mm_loadu_si128((const void *)(a[r].sum32 + 8 * group)));
        v = _mm_add_epi32(_mm_unpacklo_epi64(v, least), _mm_unpackhi_epi64(v, least));
        v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1)); /* [0]: the numbers' sum, [2]: the minimums' */
        float da = a[r].d[group];
        sums[r] += (float)_mm_cvtsi128_si32(v) * (d * da);
        if (quant_has_min(type)) sums[r] -= (float)_mm_extract_epi32(v, 2) * (m * da);
    }
}
