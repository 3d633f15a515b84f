/* arch_nomic.c - nomic-BERT (Nussbaum et al. 2024; nomic-embed-text): BERT's order of norms, but positions rotated into
 * queries and keys, a SiLU gate, and no biases outside the norms.
 *
 * Checked against Hugging Face transformers (tests/golden, tools/make_goldens_arch.py).
 */
#include "model/trunk.h"

static Err nomic_open(void **net, const NetOpen *o) {
    bool causal = false;
    TrunkShape s = {.post_norm = true, .norm_bias = true, .token_norm = true, .token_types = true};
    s.gate = KERN_GATE_SILU;
    TRY(trunk_shape_read(o->gguf, o->info, 10000, &s));
    TRY(trunk_causal_read(o->gguf, o->info, &causal));
    if (causal) return err_set(ERR_UNSUPPORTED, "model '%s' is a nomic-BERT with causal attention", gguf_name(o->gguf));
    return trunk_open(net, o, &s);
}

const NetArch arch_nomic_bert = {
    .name = "nomic-bert",
    .open = nomic_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_nomic_bert,
};
