/* low_attention_bf16.h - attention by products of bf16: both by the level's tiles (low_tiles_bf16).
 *
 * A tile of queries at a time: scores [14, tokens] in f32 and their powers in bf16 stay in the L1 cache (21 KB at 256
 * tokens). Powers are not divided by their sum until the values are mixed: 32 divisions a row instead of one a score.
 * The maximum is subtracted first: exponents of 107 were seen in real texts.
 */
#if LOW_NEON_MATRIX
#include "kern/low_attention_neon.h"
#else
#include "kern/low_attention_avx512.h"
#endif

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
    enum { GROUP = LOW_GROUP / sizeof(Bf16), GROUP_STEPS = LOW_GROUP / LOW_STEP_BYTES };
    size_t wide = low_wide(a->tokens), value_steps = (a->tokens + GROUP - 1) / GROUP * GROUP_STEPS;
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
