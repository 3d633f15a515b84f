/* arch_qwen.c - Qwen2 and Qwen3 (nomic-embed-code; Qwen3-Embedding): decoders with RMS norms first, SiLU gates, heads
 * of queries in groups that share keys and values. Qwen2 has biases in queries, keys and values; Qwen3 norms each head
 * of queries and keys instead. A token sees those before it, so a text's vector is its last token's.
 *
 * Embedding models made bidirectional say so in attention.causal.
 *
 * Checked against Hugging Face transformers (tests/golden, tools/make_goldens_arch.py).
 */
#include "model/trunk.h"

static Err qwen_open(void **net, const NetOpen *o, TrunkShape s) {
    bool causal = true;
    s.rms = true;
    s.gate = KERN_GATE_SILU;
    TRY(trunk_shape_read(o->gguf, o->info, 10000, &s));
    TRY(trunk_causal_read(o->gguf, o->info, &causal));
    if (causal) s.after[TRUNK_FAR] = 0;
    return trunk_open(net, o, &s);
}

static Err qwen2_open(void **net, const NetOpen *o) { return qwen_open(net, o, (TrunkShape){.qkv_bias = true}); }

static Err qwen3_open(void **net, const NetOpen *o) { return qwen_open(net, o, (TrunkShape){.head_norm = true}); }

const NetArch arch_qwen2 = {
    .name = "qwen2",
    .open = qwen2_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_qwen2,
    .decodes = true,
};

const NetArch arch_qwen3 = {
    .name = "qwen3",
    .open = qwen3_open,
    .close = trunk_close,
    .n_tokens = trunk_tokens,
    .scratch = trunk_scratch,
    .run = trunk_run,
    .low = &arch_qwen3,
    .decodes = true,
};
