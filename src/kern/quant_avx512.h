/* quant_avx512.h - products of blocks with AVX-512 and VNNI: how 64 numbers of any format come out of a row into one
 * register, and one weight row with few activation rows (quant_dots.h). Panels: quant_panel_avx512.h.
 *
 * A row of 32-number blocks is taken eight blocks at a time: four registers of 64 numbers times the activations are
 * four registers of partial sums, which nine shuffles and additions turn into the eight blocks' integers side by side,
 * so that scales are applied to eight blocks at once. Scales stand 18 to 34 bytes apart: two registers' words are
 * picked by one instruction (AVX-512BW); loading them one by one costs as much as all the rest.
 */
#include <immintrin.h>

#include "kern/quant_unpack.h"

typedef __m512i Z;
INLINE Z z_load(const void *p) { return _mm512_loadu_si512(p); }
/* 16 bytes four times, 32 bytes twice. */
INLINE Z z_load16(const void *p) { return _mm512_broadcast_i32x4(_mm_loadu_si128(p)); }
INLINE Z z_load32(const void *p) { return _mm512_broadcast_i64x4(_mm256_loadu_si256(p)); }
/* The halves of a register: each 32-bit lane of the lower a, of the upper b. */
INLINE Z z_halves(int a, int b) { return _mm512_inserti64x4(_mm512_set1_epi32(a), _mm256_set1_epi32(b), 1); }
INLINE Z z_quarters(int a, int b, int c, int d) {
    return _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
}
/* x | (bits & mask) */
INLINE Z z_or_masked(Z x, Z bits, Z mask) { return _mm512_ternarylogic_epi32(x, bits, mask, 0xF8); }
INLINE Z z_low4(Z x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }

/* ---- 64 numbers ---- */

/* Numbers 64 i .. 64 i + 63 of the blocks of 32 at p: blocks 2 i and 2 i + 1. */
INLINE Z z_unpack32(uint32_t type, const uint8_t *p, size_t i) {
    size_t bytes = quant_block_bytes(type);
    const uint8_t *a = p + 2 * i * bytes + (quant_has_min(type) ? 4 : 2), *b = a + bytes;
    if (type == BLOCK_Q8_0) {
        Z q = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const void *)a)),
                                 _mm256_loadu_si256((const void *)b), 1);
        return _mm512_xor_si512(q, _mm512_set1_epi8((char)0x80));
    }
    bool fifths = type == BLOCK_Q5_0 || type == BLOCK_Q5_1;
    size_t skip = fifths ? 4 : 0;
    Z q = _mm512_mask_broadcast_i32x4(z_load16(a + skip), 0xFF00, _mm_loadu_si128((const void *)(b + skip)));
    q = z_low4(_mm512_srlv_epi32(q, z_quarters(0, 4, 0, 4)));
    if (!fifths) return q;
    uint32_t first, second;
    memcpy(&first, a, sizeof first);
    memcpy(&second, b, sizeof second);
    __mmask64 high = (uint64_t)second << 32 | first;
    return _mm512_mask_add_epi8(q, high, q, _mm512_set1_epi8(16));
}

/* Rotations to the left bring a bit of each byte to where it belongs, in the byte it is in. */
INLINE Z z_unpack256(uint32_t type, const uint8_t *p, size_t i) {
    int at = 2 * (int)i;
    if (type == BLOCK_Q6_K) {
        const uint8_t *low = p + i / 2 * 64, *high = p + 128 + i / 2 * 32;
        Z q = z_low4(i % 2 ? _mm512_srli_epi16(z_load(low), 4) : z_load(low));
        Z bits = _mm512_rolv_epi32(z_load32(high), i % 2 ? z_halves(0, 30) : z_halves(4, 2));
        return z_or_masked(q, bits, _mm512_set1_epi8(0x30));
    }
    const uint8_t *low = p + (type == BLOCK_Q5_K ? 48 : 16) + 32 * i;
    Z q = z_low4(_mm512_srlv_epi32(z_load32(low), z_halves(0, 4)));
    if (type == BLOCK_Q4_K) return q;
    Z bits = _mm512_rolv_epi32(z_load32(p + 16), z_halves((36 - at) % 32, (35 - at) % 32));
    return z_or_masked(q, bits, _mm512_set1_epi8(0x10));
}

/* ---- scales ---- */

/* The halves at p, p + stride, … of eight blocks as floats. Words are picked out of two times 128 bytes. */
INLINE __m256 z_scales(const uint8_t *p, size_t stride, size_t offset) {
    _Alignas(64) uint16_t low[32] = {0}, high[32] = {0};
    size_t end = 8 * stride < 256 ? 8 * stride - 128 : 128; /* where the second pair of registers begins */
    __mmask32 late = 0;
    UNROLL for (size_t b = 0; b < 8; b++) {
        size_t at = b * stride + offset;
        low[b] = (uint16_t)(at / 2 % 64);
        high[b] = (uint16_t)((at - end) / 2 % 64);
        if (at >= 128) late |= 1u << b;
    }
    Z words = _mm512_permutex2var_epi16(z_load(p), z_load(low), z_load(p + 64));
    if (late)
        words = _mm512_mask_mov_epi16(words, late,
                                      _mm512_permutex2var_epi16(z_load(p + end), z_load(high), z_load(p + end + 64)));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(words));
}

/* ---- one weight row, blocks of 32 ---- */

/* The sums of the 8 blocks whose halves of 64 numbers' products are in s: [0] holds blocks 0 and 1, and so on. */
INLINE __m256i z_block_sums(const Z s[4]) {
    Z a = _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
    Z b = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
    Z c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    c = _mm512_add_epi32(c, _mm512_shuffle_i32x4(c, c, 0xB1)); /* quarters 0 and 1 are one block, 2 and 3 another */
    return _mm512_castsi512_si256(
        _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0), c));
}

/* Eight blocks of a weight row, at p, the first of them the row's block `block`, into the eight sums of each of `rows`
 * activation rows. The last `fresh` of them count; block + 8 - fresh is a multiple of 8. */
INLINE void quant_blocks32(uint32_t type, size_t rows, const uint8_t *p, size_t block, size_t fresh,
                           const QuantRow32 *a, __m256 *sums) {
    size_t bytes = quant_block_bytes(type);
    __m256 d = z_scales(p, bytes, 0), m = quant_has_min(type) ? z_scales(p, bytes, 2) : _mm256_setzero_ps();
    __mmask8 mask = (__mmask8)((1u << fresh) - 1);
    __m256i turn = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 - (int)fresh));
    Z q[4], s[4];
    UNROLL for (size_t i = 0; i < 4; i++) q[i] = z_unpack32(type, p, i);
    UNROLL for (size_t r = 0; r < rows; r++) {
        UNROLL for (size_t i = 0; i < 4; i++) s[i] =
            _mm512_dpbusd_epi32(_mm512_setzero_si512(), q[i], z_load(a[r].q + block * QUANT_BLOCK + 64 * i));
        __m256i x = z_block_sums(s);
        if (quant_zero(type))
            x = _mm256_sub_epi32(
                x, _mm256_slli_epi32(_mm256_loadu_si256((const void *)(a[r].sum + block)), quant_zero_shift(type)));
        __m256 scale = _mm256_mul_ps(d, _mm256_loadu_ps(a[r].d + block));
        __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(x), scale);
        if (fresh < 8) y = _mm256_permutevar8x32_ps(y, turn);
        sums[r] = _mm256_mask_add_ps(sums[r], mask, sums[r], y);
        if (quant_has_min(type)) {
            y = _mm256_mul_ps(m, _mm256_loadu_ps(a[r].s + block));
            if (fresh < 8) y = _mm256_permutevar8x32_ps(y, turn);
            sums[r] = _mm256_mask_add_ps(sums[r], mask, sums[r], y);
        }
    }
}

/* ---- one weight row, blocks of 256 ---- */

/* What belongs to a block of 256 but its numbers. */
typedef struct {
    Z scales[4];   /* 16-bit words, for numbers 64 i .. 64 i + 63 */
    __m128i mins;  /* int16 [8] */
    __m256i all;   /* Q6_K: scales int16 [16] */
    __m128 halves; /* d, d, dmin, dmin */
} Z256;

/* The 12 bytes of Q4_K's scales and minimums (quant_unpack_scales) as 8 and 8 words. */
INLINE __m256i z_six_bits(__m128i head /* d, dmin, the 12 bytes */) {
    const __m128i low = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i high = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
    const __m256i shift = _mm256_setr_epi64x(0, 0, 0, 0x4000400040004);
    const __m256i mask = _mm256_setr_epi64x(0x3F003F003F003F, 0xF000F000F000F, 0x3F003F003F003F, 0xF000F000F000F);
    __m256i x = _mm256_srlv_epi16(_mm256_cvtepu8_epi16(_mm_shuffle_epi8(head, low)), shift);
    __m256i y = _mm256_srli_epi16(_mm256_cvtepu8_epi16(_mm_shuffle_epi8(head, high)), 2);
    return _mm256_or_si256(_mm256_and_si256(x, mask), _mm256_and_si256(y, _mm256_set1_epi16(0x30)));
}

INLINE Z256 z_scales256(uint32_t type, const uint8_t *p) {
    Z256 s = {.mins = _mm_setzero_si128()};
    if (type == BLOCK_Q6_K) {
        uint16_t half;
        memcpy(&half, p + 208, sizeof half);
        s.halves = _mm_cvtph_ps(_mm_cvtsi32_si128(half));
        s.all = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(p + 192)));
        UNROLL for (int i = 0; i < 4; i++) {
            int at = 4 * i * 0x10001;
            s.scales[i] = _mm512_permutexvar_epi16(z_quarters(at, at + 0x10001, at + 2 * 0x10001, at + 3 * 0x10001),
                                                   _mm512_castsi256_si512(s.all));
        }
        return s;
    }
    __m128i head = _mm_loadu_si128((const void *)p);
    s.halves = _mm_cvtph_ps(head);
    s.halves = _mm_unpacklo_ps(s.halves, s.halves);
    s.all = z_six_bits(head);
    s.mins = _mm256_extracti128_si256(s.all, 1);
    UNROLL for (int i = 0; i < 4; i++) s.scales[i] =
        _mm512_permutexvar_epi16(z_halves(2 * i * 0x10001, (2 * i + 1) * 0x10001), _mm512_castsi256_si512(s.all));
    return s;
}

/* Products of pairs fit 16 bits (2 * 63 * 127), and are scaled and added in one instruction. */
INLINE void quant_group256(uint32_t type, size_t rows, const uint8_t *p, size_t group, const QuantRow256 *a,
                           float *sums) {
    Z256 w = z_scales256(type, p);
    Z q[4];
    UNROLL for (size_t i = 0; i < 4; i++) q[i] = z_unpack256(type, p, i);
    UNROLL for (size_t r = 0; r < rows; r++) {
        Z x[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        UNROLL for (size_t i = 0; i < 4; i++) x[i % 2] = _mm512_dpwssd_epi32(
            x[i % 2], _mm512_maddubs_epi16(q[i], z_load(a[r].q + group * QUANT_GROUP + 64 * i)), w.scales[i]);
        Z both = _mm512_add_epi32(x[0], x[1]);
        __m256i y = _mm256_add_epi32(_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64(both, 1));
        if (type == BLOCK_Q6_K) {
            __m256i biased = _mm256_madd_epi16(w.all, _mm256_loadu_si256((const void *)(a[r].sum16 + 16 * group)));
            y = _mm256_sub_epi32(y, _mm256_slli_epi32(biased, 5));
        }
        __m128i v = _mm_add_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1)), least = v;
        if (quant_has_min(type))
            least = _mm_madd_epi16(w.mins, _mm_loadu_si128((const void *)(a[r].sum32 + 8 * group)));
        v = _mm_add_epi32(_mm_unpacklo_epi64(v, least), _mm_unpackhi_epi64(v, least));
        v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xB1)); /* [0]: the numbers' sum, [2]: the minimums' */
        __m128 f = _mm_mul_ps(_mm_cvtepi32_ps(v), _mm_mul_ps(w.halves, _mm_set1_ps(a[r].d[group])));
        sums[r] += _mm_cvtss_f32(f);
        if (quant_has_min(type)) sums[r] -= _mm_cvtss_f32(_mm_movehl_ps(f, f));
    }
}
