/* import_trunk.c - networks after BERT: nomic-BERT, ModernBERT, Qwen2, Qwen3, Gemma 3 (the decoder, and embeddinggemma,
 * which reads in both directions).
 *
 * Positions are rotated in all of them. Config files tell how in one of two ways: as members of their own (rope_theta,
 * rope_scaling), or gathered as rope_parameters, there once more by kind of layer where layers are of two kinds.
 */
#include <math.h>
#include <stdio.h>

#include "model/import.h"

#define CONFIG "config.json"

/* ---- rotations ---- */

/* rope_parameters, or the part of it for a kind of layer: NULL when there is neither. */
static const json_t *rope_part(const Import *im, const char *kind) {
    const json_t *all = import_member(im->config, "rope_parameters"), *part = import_member(all, kind);
    return part ? part : all;
}

/* Only what the network computes: no scaling, or positions divided by a factor. *factor 1: none. */
static Err scaling_read(const json_t *rope, double *factor) {
    Str type = STR("default");
    TRY(import_str(CONFIG, rope, "rope_type|type", &type));
    if (str_is(type, "default")) return ERR_OK;
    if (!str_is(type, "linear"))
        return err_set(ERR_UNSUPPORTED, CONFIG ": rope_type '%.*s'; known: default, linear", STR_FMT(type));
    return import_f64(CONFIG, rope, "factor", 1e-3, 1e6, factor);
}

/* Writes base and scaling of layers that see everything; key: the base's own member in older files. */
static Err rope_write(const Import *im, const char *key, double base) {
    const json_t *rope = rope_part(im, "full_attention");
    double factor = 1, part = 1;
    TRY(import_f64(CONFIG, im->config, key, 1, 1e12, &base));
    TRY(import_f64(CONFIG, rope, "rope_theta", 1, 1e12, &base));
    TRY(import_f64(CONFIG, rope, "partial_rotary_factor", 0, 1, &part));
    TRY(import_f64(CONFIG, im->config, "partial_rotary_factor", 0, 1, &part));
    if (part != 1) return err_set(ERR_UNSUPPORTED, CONFIG ": partial_rotary_factor %g; known: 1", part);
    TRY(scaling_read(import_member(im->config, "rope_scaling"), &factor));
    TRY(scaling_read(rope, &factor));
    import_key_f32(im, "rope.freq_base", base);
    if (factor == 1) return ERR_OK;
    char name[128];
    (void)snprintf(name, sizeof name, "%s.rope.scaling.type", im->arch);
    gguf_set_str(im->out, name, STR("linear"));
    import_key_f32(im, "rope.scaling.factor", factor);
    return ERR_OK;
}

/* The same of layers with a window. */
static Err rope_near_write(const Import *im, const char *key, double base) {
    const json_t *rope = rope_part(im, "sliding_attention");
    double factor = 1;
    TRY(import_f64(CONFIG, im->config, key, 1, 1e12, &base));
    TRY(import_f64(CONFIG, rope, "rope_theta", 1, 1e12, &base));
    TRY(scaling_read(rope, &factor));
    if (factor != 1)
        return err_set(ERR_UNSUPPORTED, CONFIG ": layers with a window divide positions by %g; known: 1", factor);
    import_key_f32(im, "rope.freq_base_swa", base);
    return ERR_OK;
}

/* Which layers see everything: every period-th, counted from far_at. layer_types must say the same. */
static Err period_read(const Import *im, const char *key, int64_t far_at_end, int64_t layers, int64_t *period) {
    TRY(import_int(CONFIG, im->config, key, 1, 1 << 10, period));
    const json_t *kinds = import_member(im->config, "layer_types");
    if (!kinds) return ERR_OK;
    if (json_array_size(kinds) != (size_t)layers)
        return err_set(ERR_INPUT, CONFIG ": 'layer_types' has %zu members for %lld layers", json_array_size(kinds),
                       (long long)layers);
    for (int64_t i = 0; i < layers; i++) {
        const char *kind = json_string_value(json_array_get(kinds, (size_t)i));
        bool far = i % *period == (far_at_end ? *period - 1 : 0);
        if (kind && strcmp(kind, far ? "full_attention" : "sliding_attention") == 0) continue;
        return err_set(ERR_UNSUPPORTED, CONFIG ": layer %lld is '%s'; known: every %lld. sees everything", (long long)i,
                       kind ? kind : "?", (long long)*period);
    }
    return ERR_OK;
}

/* ---- nomic-BERT ---- */

/* As the hub's own code spells it, and as transformers does. */
static const ImportTensor nomic_hub_embeddings[] = {
    {"embeddings.word_embeddings", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"embeddings.token_type_embeddings", "token_types", SIZE_TYPES, SIZE_HIDDEN, TENSOR_F32},
    {"emb_ln", "token_embd_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};
static const ImportTensor nomic_hub_layer[] = {
    {"attn.Wqkv", "attn_qkv", SIZE_QKV, SIZE_HIDDEN, 0},
    {"attn.out_proj", "attn_output", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"norm1", "attn_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
    {"mlp.fc11", "ffn_up", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.fc12", "ffn_gate", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.fc2", "ffn_down", SIZE_HIDDEN, SIZE_FF, 0},
    {"norm2", "layer_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};
static const ImportTensor nomic_embeddings[] = {
    {"embeddings.word_embeddings", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"embeddings.token_type_embeddings", "token_types", SIZE_TYPES, SIZE_HIDDEN, TENSOR_F32},
    {"embeddings.LayerNorm", "token_embd_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};
static const ImportTensor nomic_layer[] = {
    {"self_attn.q_proj", "attn_q", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"self_attn.k_proj", "attn_k", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"self_attn.v_proj", "attn_v", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"self_attn.o_proj", "attn_output", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"post_attention_layernorm", "attn_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
    {"mlp.up_proj", "ffn_up", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.gate_proj", "ffn_gate", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.down_proj", "ffn_down", SIZE_HIDDEN, SIZE_FF, 0},
    {"post_mlp_layernorm", "layer_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};

static Err nomic_check(const Import *im) {
    static const struct {
        const char *key;
        bool want;
    } flags[] = {{"prenorm", false},      {"parallel_block", false}, {"causal|is_causal", false},
                 {"use_rms_norm", false}, {"qkv_proj_bias", false},  {"rotary_emb_interleaved", false},
                 {"mlp_fc1_bias", false}, {"mlp_fc2_bias", false}};
    double part = 1;
    for (size_t i = 0; i < IMPORT_COUNT(flags); i++)
        TRY(import_want_bool(CONFIG, im->config, flags[i].key, flags[i].want));
    TRY(import_want_str(CONFIG, im->config, "activation_function|hidden_act", "swiglu|silu"));
    TRY(import_f64(CONFIG, im->config, "rotary_emb_fraction", 0, 1, &part));
    if (part != 1) return err_set(ERR_UNSUPPORTED, CONFIG ": rotary_emb_fraction %g; known: 1", part);
    if (im->reranker) return err_set(ERR_UNSUPPORTED, "'%s' is a nomic-BERT with a classifier", im->dir);
    return ERR_OK;
}

static Err nomic_write(Import *im, int64_t *context) {
    ImportShape s = {.epsilon = 1e-12};
    int64_t types = 2;
    im->arch = "nomic-bert";
    TRY(nomic_check(im));
    TRY(import_shape_read(im, &s));
    TRY(import_int(CONFIG, im->config, "type_vocab_size", 1, 1 << 10, &types));
    im->sizes[SIZE_TYPES] = (uint64_t)types;
    import_prefix_find(im, "|bert.|model.", "embeddings.word_embeddings.weight");
    if (import_has(im, im->hf_prefix, "emb_ln.weight")) {
        TRY(import_tensors(im, nomic_hub_embeddings, IMPORT_COUNT(nomic_hub_embeddings), "", ""));
        TRY(import_layers(im, nomic_hub_layer, IMPORT_COUNT(nomic_hub_layer), "encoder.layers.", s.layers));
    } else {
        TRY(import_tensors(im, nomic_embeddings, IMPORT_COUNT(nomic_embeddings), "", ""));
        TRY(import_layers(im, nomic_layer, IMPORT_COUNT(nomic_layer), "layers.", s.layers));
    }
    TRY(import_leftovers(im, "pooler.|cls.", "a nomic-BERT"));
    import_shape_write(im, &s, false);
    import_key_bool(im, "attention.causal", false);
    import_key_u32(im, "pooling_type", im->pooling);
    gguf_set_u32(im->out, "tokenizer.ggml.token_type_count", (uint32_t)types);
    *context = s.positions;
    return rope_write(im, "rotary_emb_base|rope_theta", 10000);
}

/* ---- ModernBERT ---- */

static const ImportTensor modern_embeddings[] = {
    {"embeddings.tok_embeddings", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"embeddings.norm", "token_embd_norm", SIZE_HIDDEN, SIZE_NONE, 0},
    {"final_norm", "output_norm", SIZE_HIDDEN, SIZE_NONE, 0},
};
static const ImportTensor modern_layer[] = {
    {"attn_norm", "attn_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_MAYBE}, /* the first layer has none */
    {"attn.Wqkv", "attn_qkv", SIZE_QKV, SIZE_HIDDEN, 0},
    {"attn.Wo", "attn_output", SIZE_HIDDEN, SIZE_HIDDEN, 0},
    {"mlp_norm", "ffn_norm", SIZE_HIDDEN, SIZE_NONE, 0},
    {"mlp.Wi", "ffn_up", SIZE_FF_TWICE, SIZE_HIDDEN, 0},
    {"mlp.Wo", "ffn_down", SIZE_HIDDEN, SIZE_FF, 0},
};
static const ImportTensor modern_head[] = {
    {"head.dense", "cls", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS_MAYBE},
    {"head.norm", "cls.norm", SIZE_HIDDEN, SIZE_NONE, 0},
    {"classifier", "cls.output", SIZE_LABELS, SIZE_HIDDEN, TENSOR_BIAS_MAYBE},
};

static Err modern_check(const Import *im) {
    TRY(import_want_str(CONFIG, im->config, "hidden_activation", "gelu"));
    TRY(import_want_str(CONFIG, im->config, "classifier_activation", "gelu"));
    TRY(import_want_bool(CONFIG, im->config, "norm_bias", false));
    TRY(import_want_bool(CONFIG, im->config, "attention_bias", false));
    return import_want_bool(CONFIG, im->config, "mlp_bias", false);
}

/* How its classifier pools: the first token, or the mean, which llama.cpp takes for granted. */
static Err modern_rank(Import *im) {
    TRY(import_want_str(CONFIG, im->config, "classifier_pooling", "cls|mean"));
    TRY(import_classifier(im, modern_head, IMPORT_COUNT(modern_head)));
    Str pooling = STR("cls");
    TRY(import_str(CONFIG, im->config, "classifier_pooling", &pooling));
    if (im->reranker) gguf_set_str(im->out, "pythia.rank.pooling", pooling);
    return ERR_OK;
}

static Err modern_write(Import *im, int64_t *context) {
    ImportShape s = {.epsilon = 1e-5};
    int64_t window = 128, period = 3;
    im->arch = "modern-bert";
    TRY(modern_check(im));
    TRY(import_shape_read(im, &s));
    TRY(import_int(CONFIG, im->config, "local_attention", 1, IMPORT_POSITIONS_MAX, &window));
    TRY(period_read(im, "global_attn_every_n_layers", false, s.layers, &period));
    import_prefix_find(im, "|model.", "embeddings.tok_embeddings.weight");
    TRY(import_tensors(im, modern_embeddings, IMPORT_COUNT(modern_embeddings), "", ""));
    TRY(import_layers(im, modern_layer, IMPORT_COUNT(modern_layer), "layers.", s.layers));
    TRY(modern_rank(im));
    TRY(import_leftovers(im, im->reranker ? "" : "head.|decoder.", "a ModernBERT"));
    import_shape_write(im, &s, false);
    import_key_bool(im, "attention.causal", false);
    import_key_u32(im, "pooling_type", im->reranker ? POOL_RANK : im->pooling);
    import_key_u32(im, "attention.sliding_window", window);
    import_key_u32(im, "attention.sliding_window_pattern", period);
    *context = s.positions;
    TRY(rope_write(im, "global_rope_theta", 160000));
    return rope_near_write(im, "local_rope_theta", 10000);
}

/* ---- Qwen2 and Qwen3 ---- */

static const ImportTensor decoder_embeddings[] = {
    {"embed_tokens", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"norm", "output_norm", SIZE_HIDDEN, SIZE_NONE, 0},
};
static const ImportTensor qwen_layer[] = {
    {"input_layernorm", "attn_norm", SIZE_HIDDEN, SIZE_NONE, 0},
    {"self_attn.q_proj", "attn_q", SIZE_QUERY, SIZE_HIDDEN, TENSOR_BIAS_MAYBE},
    {"self_attn.k_proj", "attn_k", SIZE_KEY, SIZE_HIDDEN, TENSOR_BIAS_MAYBE},
    {"self_attn.v_proj", "attn_v", SIZE_KEY, SIZE_HIDDEN, TENSOR_BIAS_MAYBE},
    {"self_attn.q_norm", "attn_q_norm", SIZE_HEAD, SIZE_NONE, TENSOR_MAYBE},
    {"self_attn.k_norm", "attn_k_norm", SIZE_HEAD, SIZE_NONE, TENSOR_MAYBE},
    {"self_attn.o_proj", "attn_output", SIZE_HIDDEN, SIZE_QUERY, 0},
    {"post_attention_layernorm", "ffn_norm", SIZE_HIDDEN, SIZE_NONE, 0},
    {"mlp.gate_proj", "ffn_gate", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.up_proj", "ffn_up", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.down_proj", "ffn_down", SIZE_HIDDEN, SIZE_FF, 0},
};
static const ImportTensor lm_head[] = {{"lm_head", "output", SIZE_VOCAB, SIZE_HIDDEN, TENSOR_MAYBE}};

/* The head over the vocabulary: only generating needs it, and not where it is the token embedding again. */
static Err lm_head_write(Import *im) {
    const char *prefix = im->hf_prefix;
    bool tied = false;
    TRY(import_bool(CONFIG, im->config, "tie_word_embeddings", &tied));
    if (tied || im->sentences) return ERR_OK;
    im->hf_prefix = "";
    Err err = import_tensors(im, lm_head, 1, "", "");
    im->hf_prefix = prefix;
    return err;
}

/* A sentence model pools; another decoder generates, and then nothing is said. */
static void decoder_pooling_write(const Import *im) {
    if (im->sentences) import_key_u32(im, "pooling_type", im->pooling);
}

static Err decoder_check(const Import *im, const char *activations) {
    TRY(import_want_str(CONFIG, im->config, "hidden_activation|hidden_act", activations));
    if (im->reranker)
        return err_set(ERR_UNSUPPORTED, "'%s' is a decoder with a classifier; rerankers are encoders", im->dir);
    return ERR_OK;
}

static Err qwen_write(Import *im, const char *arch, int64_t *context) {
    ImportShape s = {.epsilon = 1e-6, .rms = true};
    bool causal = true;
    int64_t period = 1; /* every layer sees everything */
    im->arch = arch;
    TRY(decoder_check(im, "silu"));
    TRY(import_want_bool(CONFIG, im->config, "use_sliding_window", false));
    TRY(import_bool(CONFIG, im->config, "is_causal", &causal));
    TRY(import_shape_read(im, &s));
    TRY(period_read(im, "", false, s.layers, &period));
    import_prefix_find(im, "|model.", "embed_tokens.weight");
    TRY(import_tensors(im, decoder_embeddings, IMPORT_COUNT(decoder_embeddings), "", ""));
    TRY(import_layers(im, qwen_layer, IMPORT_COUNT(qwen_layer), "layers.", s.layers));
    TRY(lm_head_write(im));
    TRY(import_leftovers(im, "lm_head.", "a Qwen"));
    import_shape_write(im, &s, true);
    if (!causal) import_key_bool(im, "attention.causal", false);
    decoder_pooling_write(im);
    *context = s.positions;
    return rope_write(im, "rope_theta", 10000);
}

static Err qwen2_write(Import *im, int64_t *context) { return qwen_write(im, "qwen2", context); }
static Err qwen3_write(Import *im, int64_t *context) { return qwen_write(im, "qwen3", context); }

/* ---- Gemma 3 ---- */

/* Gemma's norms add 1 to their weights; in the file it is in them. */
static const ImportTensor gemma_embeddings[] = {
    {"embed_tokens", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"norm", "output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_PLUS_ONE},
};
static const ImportTensor gemma_layer[] = {
    {"input_layernorm", "attn_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_PLUS_ONE},
    {"self_attn.q_proj", "attn_q", SIZE_QUERY, SIZE_HIDDEN, 0},
    {"self_attn.k_proj", "attn_k", SIZE_KEY, SIZE_HIDDEN, 0},
    {"self_attn.v_proj", "attn_v", SIZE_KEY, SIZE_HIDDEN, 0},
    {"self_attn.q_norm", "attn_q_norm", SIZE_HEAD, SIZE_NONE, TENSOR_PLUS_ONE},
    {"self_attn.k_norm", "attn_k_norm", SIZE_HEAD, SIZE_NONE, TENSOR_PLUS_ONE},
    {"self_attn.o_proj", "attn_output", SIZE_HIDDEN, SIZE_QUERY, 0},
    {"post_attention_layernorm", "post_attention_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_PLUS_ONE},
    {"pre_feedforward_layernorm", "ffn_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_PLUS_ONE},
    {"mlp.gate_proj", "ffn_gate", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.up_proj", "ffn_up", SIZE_FF, SIZE_HIDDEN, 0},
    {"mlp.down_proj", "ffn_down", SIZE_HIDDEN, SIZE_FF, 0},
    {"post_feedforward_layernorm", "post_ffw_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_PLUS_ONE},
};

/* What of a Gemma 3 would change the result and is not computed. */
static Err gemma_check(const Import *im) {
    static const char *const caps[] = {"attn_logit_softcapping", "final_logit_softcapping"};
    double cap = 0;
    TRY(decoder_check(im, "gelu_pytorch_tanh"));
    TRY(import_want_bool(CONFIG, im->config, "attention_bias", false));
    for (size_t i = 0; i < IMPORT_COUNT(caps); i++) {
        TRY(import_f64(CONFIG, im->config, caps[i], 0, 1e6, &cap));
        if (cap != 0) return err_set(ERR_UNSUPPORTED, CONFIG ": '%s' is %g; known: none", caps[i], cap);
    }
    return ERR_OK;
}

/* Scores are scaled by one over the root of this, mostly a head's width. */
static Err gemma_scale_write(const Import *im, const ImportShape *s) {
    double scalar = 256;
    TRY(import_f64(CONFIG, im->config, "query_pre_attn_scalar", 1e-6, 1e9, &scalar));
    if (scalar != (double)s->head_dim) import_key_f32(im, "attention.scale", 1.0 / sqrt(scalar));
    return ERR_OK;
}

static Err gemma_write(Import *im, int64_t *context) {
    ImportShape s = {.epsilon = 1e-6, .rms = true, .head_dim = 256};
    bool both_ways = false;
    int64_t window = 4096, period = 6;
    TRY(gemma_check(im));
    TRY(import_bool(CONFIG, im->config, "use_bidirectional_attention", &both_ways));
    im->arch = both_ways ? "gemma-embedding" : "gemma3";
    TRY(import_shape_read(im, &s));
    TRY(import_int(CONFIG, im->config, "sliding_window", 1, IMPORT_POSITIONS_MAX, &window));
    TRY(period_read(im, "sliding_window_pattern|_sliding_window_pattern", true, s.layers, &period));
    import_prefix_find(im, "|model.|language_model.model.|model.language_model.", "embed_tokens.weight");
    TRY(import_tensors(im, gemma_embeddings, IMPORT_COUNT(gemma_embeddings), "", ""));
    TRY(import_layers(im, gemma_layer, IMPORT_COUNT(gemma_layer), "layers.", s.layers));
    TRY(import_leftovers(im,
                         "lm_head.|language_model.lm_head.|vision_tower.|multi_modal_projector.|model.vision_tower.|"
                         "model.multi_modal_projector.",
                         "a Gemma 3"));
    import_shape_write(im, &s, true);
    import_key_u32(im, "attention.sliding_window", window);
    if (period != 6) import_key_u32(im, "attention.sliding_window_pattern", period);
    decoder_pooling_write(im);
    *context = s.positions;
    TRY(gemma_scale_write(im, &s));
    TRY(rope_write(im, "rope_theta", 1000000));
    return rope_near_write(im, "rope_local_base_freq", 10000);
}

/* With pictures: the text's network is a part, and its configuration too. */
static Err gemma_whole_write(Import *im, int64_t *context) {
    const json_t *text = import_member(im->config, "text_config");
    if (!json_is_object(text)) return err_set(ERR_INPUT, CONFIG " has no 'text_config'");
    json_t *part = json_incref(json_object_get(im->config, "text_config"));
    json_decref(im->config);
    im->config = part;
    return gemma_write(im, context);
}

const ImportArch import_nomic = {"nomic_bert", nomic_write};
const ImportArch import_modern = {"modernbert", modern_write};
const ImportArch import_qwen2 = {"qwen2", qwen2_write};
const ImportArch import_qwen3 = {"qwen3", qwen3_write};
const ImportArch import_gemma3 = {"gemma3_text", gemma_write};
const ImportArch import_gemma3_whole = {"gemma3", gemma_whole_write};
