/* low_attention_avx512.h - what low_attention_bf16.h asks of AVX512-BF16: powers of two, keys and values as panels. */

/* 2^x for x <= 0, 7.5e-5 relative: a fifth of what rounding to bf16 takes away. x less its floor, a polynomial on [0,
 * 1] (tools/fit_polynomials.py), times 2^floor: five instructions. */
INLINE Vec low_exp2(Vec x) {
    enum { TO_FLOOR = 1 };
    Vec r = (Vec)_mm512_reduce_ps((__m512)x, TO_FLOOR);
    Vec p = r * 0x1.3f96a0p-4f + 0x1.cefc52p-3f;
    p = p * r + 0x1.64444ap-1f;
    p = p * r + 0x1.fff632p-1f;
    return (Vec)_mm512_scalef_ps((__m512)p, (__m512)x);
}

/* 16 x 16 32-bit numbers across the diagonal: four rounds of exchanging blocks of 1, 2, 4, 8. */
INLINE void low_transpose(__m512i r[16]) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    UNROLL for (int s = 1; s < 16; s *= 2) {
        __mmask16 odd = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(s));
        __m512i low = _mm512_mask_add_epi32(lane, odd, lane, _mm512_set1_epi32(16 - s));
        __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(s));
        UNROLL for (int i = 0; i < 16; i++) if (!(i & s)) {
            __m512i a = r[i], b = r[i + s];
            r[i] = _mm512_permutex2var_epi32(a, low, b);
            r[i + s] = _mm512_permutex2var_epi32(a, high, b);
        }
    }
}

/* Keys [tokens, head_dim] as panels of 32 tokens: [wide / 32][head_dim / 2][32][2]; zeros behind the last token. */
static void low_pack_keys(const LowAttention *a, Bf16 *out) {
    size_t pairs = a->head_dim / 2;
    for (size_t t = 0; t < low_wide(a->tokens); t += 16) {
        Bf16 *panel = out + t / LOW_WIDE * LOW_WIDE * a->head_dim + t % LOW_WIDE * 2;
        size_t n = t >= a->tokens ? 0 : a->tokens - t < 16 ? a->tokens - t : 16, p = 0;
        const Bf16 *from = a->k + t * a->stride;
        for (; p + 16 <= pairs; p += 16) {
            __m512i rows[16];
            UNROLL for (size_t r = 0; r < 16; r++) rows[r] =
                r < n ? _mm512_loadu_si512(from + r * a->stride + 2 * p) : _mm512_setzero_si512();
            low_transpose(rows);
            UNROLL for (size_t r = 0; r < 16; r++) _mm512_storeu_si512(panel + (p + r) * 2 * LOW_WIDE, rows[r]);
        }
        for (; p < pairs; p++)
            for (size_t r = 0; r < 16; r++)
                for (size_t i = 0; i < 2; i++)
                    panel[p * 2 * LOW_WIDE + r * 2 + i] = r < n ? from[r * a->stride + 2 * p + i] : 0;
    }
}

/* Values as panels of 32 dimensions, two tokens side by side: [wide(head_dim) / 32][tokens / 2, up][32][2]. */
static void low_pack_values(const LowAttention *a, Bf16 *out) {
    static const uint16_t zeros[LOW_WIDE];
    _Alignas(64) uint16_t order[2][LOW_WIDE];
    for (size_t i = 0; i < 2 * LOW_WIDE; i++) order[i / LOW_WIDE][i % LOW_WIDE] = (uint16_t)(i / 2 + i % 2 * LOW_WIDE);
    __m512i first = _mm512_load_si512(order[0]), second = _mm512_load_si512(order[1]);
    for (size_t d = 0; d < a->head_dim; d += LOW_WIDE) {
        size_t n = a->head_dim - d < LOW_WIDE ? a->head_dim - d : LOW_WIDE;
        __mmask32 inside = n == LOW_WIDE ? 0xFFFFFFFFu : ((__mmask32)1 << n) - 1;
        for (size_t t = 0; t < a->tokens; t += 2, out += 2 * LOW_WIDE) {
            const Bf16 *row = a->v + t * a->stride + d, *next = t + 1 < a->tokens ? row + a->stride : zeros;
            __m512i x = _mm512_maskz_loadu_epi16(inside, row), y = _mm512_maskz_loadu_epi16(inside, next);
            _mm512_storeu_si512(out, _mm512_permutex2var_epi16(x, first, y));
            _mm512_storeu_si512(out + LOW_WIDE, _mm512_permutex2var_epi16(x, second, y));
        }
    }
}
