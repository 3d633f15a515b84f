/* arch_modern.c - ModernBERT (Warner et al. 2024): norms first and without biases, GELU gates, every third layer sees
 * all tokens (rotated with base 160000), the others half a window to each side (base 10000). The first layer takes the
 * embedded tokens as their norm leaves them.
 *
 * The gate is the exact GELU, as in Hugging Face transformers; llama.cpp takes its tanh form, which differs by some
 * 1e-3.
 *
 * Checked against Hugging Face transformers (tests/golden, tools/make_goldens_arch.py).
 */
#include "model/trunk.h"

static Err modern_open(void **net, const NetOpen *o) {
    bool causal = false;
    size_t window = 0;
    TrunkShape s = {.token_norm = true, .wide_up = true, .bare_first = true, .gate = KERN_GATE_GELU};
    TRY(trunk_shape_read(o->gguf, o->info, 10000, &s));
    TRY(trunk_window_read(o->gguf, o->info, &window));
    TRY(trunk_period_read(o->gguf, o->info, 3, &s));
    s.before[TRUNK_NEAR] = s.after[TRUNK_NEAR] = window / 2;
    TRY(trunk_causal_read(o->gguf, o->info, &causal));
    if (causal) return err_set(ERR_UNSUPPORTED, "model '%s' is a ModernBERT with causal attention", gguf_name(o->gguf));
    return trunk_open(net, o, &s);
}

const NetArch arch_modern_bert = {
    .name = "modern-bert",
    .open = modern_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_modern_bert,
};
