/* arch_gemma.c - Gemma 3 (a decoder) and Gemma-embedding (the same read in both directions; embeddinggemma): RMS norms
 * before and behind both halves of a layer, norms of each head's queries and keys, GELU gates in the tanh form, tokens
 * scaled by the root of their width. Every sixth layer sees all, the others a window: the last `window` tokens in the
 * decoder, half of it to each side in the encoder.
 *
 * Norm weights in the file have the 1 in them that Gemma adds to its own.
 *
 * Checked against Hugging Face transformers (tests/golden, tools/make_goldens_arch.py).
 */
#include <math.h>

#include "model/trunk.h"

enum { GEMMA_27B_LAYERS = 62 }; /* whose scores are scaled by the width of a head as if heads made up the whole width */

static Err gemma_read(const Gguf *g, const ModelInfo *info, TrunkShape *s, size_t *window) {
    char key[128];
    *s = (TrunkShape){.rms = true, .after_norm = true, .head_norm = true, .gate = KERN_GATE_GELU_TANH};
    TRY(trunk_shape_read(g, info, 10000, s));
    TRY(trunk_window_read(g, info, window));
    s->far_at = 5;
    TRY(trunk_period_read(g, info, 6, s));
    s->far_at = s->period - 1;
    s->token_scale = sqrtf((float)s->dim);
    if (s->n_layers == GEMMA_27B_LAYERS && !gguf_key(g, model_key(info->arch, "attention.scale", key)))
        s->scale = 1.0f / sqrtf((float)s->dim / (float)s->n_heads);
    return ERR_OK;
}

static Err gemma3_open(void **net, const NetOpen *o) {
    TrunkShape s;
    size_t window = 0;
    TRY(gemma_read(o->gguf, o->info, &s, &window));
    s.after[TRUNK_FAR] = s.after[TRUNK_NEAR] = 0;
    s.before[TRUNK_NEAR] = window - 1; /* itself is one of them */
    return trunk_open(net, o, &s);
}

static Err embedding_open(void **net, const NetOpen *o) {
    TrunkShape s;
    size_t window = 0;
    TRY(gemma_read(o->gguf, o->info, &s, &window));
    s.before[TRUNK_NEAR] = s.after[TRUNK_NEAR] = window / 2;
    return trunk_open(net, o, &s);
}

const NetArch arch_gemma3 = {
    .name = "gemma3",
    .open = gemma3_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_gemma3,
    .decodes = true,
};

const NetArch arch_gemma_embedding = {
    .name = "gemma-embedding",
    .open = embedding_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_gemma_embedding,
};
