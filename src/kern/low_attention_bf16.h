/* low_attention_bf16.h - attention with AVX512-BF16: both products by the tiles of low_tile_avx512.h.
 *
 * A tile of queries at a time: scores [14, tokens] in f32 and their powers in bf16 stay in the L1 cache (21 KB at 256
 * tokens). Powers are not divided by their sum until the values are mixed: 32 divisions a row instead of one a score.
 * The maximum is subtracted first: exponents of 107 were seen in real texts.
 */

/* 2^x for x <= 0, 7.5e-5 relative: a fifth of what rounding to bf16 takes away. x less its floor, a polynomial on [0, 1]
 * (tools/fit_polynomials.py), times 2^floor: five instructions. */
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

/* Scores [wide], of which `tokens` count, to powers in bf16 [wide], zeros behind; returns one over their sum. */
INLINE float low_softmax(float *scores, size_t tokens, Bf16 *powers) {
    size_t wide = low_wide(tokens);
    for (size_t i = tokens; i < wide; i++) scores[i] = -INFINITY;
    Vec high = vec_load(scores), sums[2] = {{0}};
    for (size_t i = LANES; i < wide; i += LANES) high = low_max(high, vec_load(scores + i));
    float top = low_highest(high);
    for (size_t i = 0; i < wide; i += 2 * LANES) UNROLL for (size_t s = 0; s < 2; s++) {
            size_t at = i + s * LANES;
            Vec e = low_exp2(vec_load(scores + at) - top); /* 0 of -infinity */
            sums[s] += e;
            low_store(powers + at, e);
        }
    return 1.0f / low_sum(sums[0] + sums[1]);
}

typedef struct {
    Bf16 *keys, *values, *powers;
    float *scores, *mixed;
} LowAttentionBuffers;

static size_t low_attention_scratch(size_t tokens, size_t head_dim) {
    size_t wide = low_wide(tokens);
    return (wide * head_dim + low_wide(head_dim) * wide) / 2 + LOW_ROWS * (wide + wide / 2 + LOW_WIDE);
}

/* Queries [from, from + rows). */
INLINE void low_attend(const LowAttention *a, const LowAttentionBuffers *b, size_t from, size_t rows) {
    size_t wide = low_wide(a->tokens), value_steps = (a->tokens + 1) / 2;
    float inverse[LOW_ROWS];
    for (size_t t = 0; t < wide; t += LOW_WIDE)
        low_tiles_bf16[rows](a->q + from * a->stride, a->stride * sizeof(Bf16), b->keys + t * a->head_dim,
                             a->head_dim / 2, b->scores + t, wide * sizeof(float));
    for (size_t r = 0; r < rows; r++) inverse[r] = low_softmax(b->scores + r * wide, a->tokens, b->powers + r * wide);
    for (size_t d = 0; d < a->head_dim; d += LOW_WIDE) {
        low_tiles_bf16[rows](b->powers, wide * sizeof(Bf16), b->values + d * value_steps * 2, value_steps, b->mixed,
                             LOW_WIDE * sizeof(float));
        for (size_t r = 0; r < rows; r++) {
            Bf16 *out = a->out + (from + r) * a->out_stride + d;
            size_t n = a->head_dim - d < LOW_WIDE ? a->head_dim - d : LOW_WIDE, i = 0;
            const float *mixed = b->mixed + r * LOW_WIDE;
            for (; i + LANES <= n; i += LANES) low_store(out + i, vec_load(mixed + i) * inverse[r]);
            for (; i < n; i++) out[i] = bf16_of(mixed[i] * inverse[r]);
        }
    }
}

static void low_attention(const LowAttention *a) {
    size_t wide = low_wide(a->tokens), n_tiles = (a->tokens + LOW_ROWS - 1) / LOW_ROWS;
    LowAttentionBuffers b = {.scores = a->scratch};
    b.mixed = b.scores + LOW_ROWS * wide;
    b.keys = (Bf16 *)(void *)(b.mixed + LOW_ROWS * LOW_WIDE);
    b.values = b.keys + wide * a->head_dim;
    b.powers = b.values + low_wide(a->head_dim) * wide;
    low_pack_keys(a, b.keys);
    low_pack_values(a, b.values);
    for (size_t i = 0; i < n_tiles; i++) {
        size_t from = a->tokens * i / n_tiles, to = a->tokens * (i + 1) / n_tiles;
        low_attend(a, &b, from, to - from);
    }
}
