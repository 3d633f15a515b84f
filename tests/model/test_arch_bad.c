/* test_arch_bad.c - golden networks of newer architectures with one thing changed: metadata and tensors that cannot be,
 * and what would change the result and is not computed, each refused by name. */
#include "arch.h"

static Err try_changed(const char *model, const char *without, void (*add)(GgufWriter *)) {
    Buf bytes = {0};
    tiny_changed(model, without, add, &bytes);
    Err err = tiny_try(&bytes, NULL);
    buf_free(&bytes);
    return err;
}

/* Another value of the key whose copy is left out. */
#define SETTER(name, ...)                                                                                              \
    static void name(GgufWriter *w) { __VA_ARGS__; }

SETTER(kv_3, gguf_set_u32(w, "qwen3.attention.head_count_kv", 3))
SETTER(kv_0, gguf_set_u32(w, "qwen3.attention.head_count_kv", 0))
SETTER(kv_8, gguf_set_u32(w, "qwen3.attention.head_count_kv", 8))
SETTER(heads_0, gguf_set_u32(w, "qwen3.attention.head_count", 0))
SETTER(key_7, gguf_set_u32(w, "qwen3.attention.key_length", 7))
SETTER(key_0, gguf_set_u32(w, "qwen3.attention.key_length", 0))
SETTER(key_huge, gguf_set_u32(w, "qwen3.attention.key_length", 1u << 30))
SETTER(key_16, gguf_set_u32(w, "qwen3.attention.key_length", 16))
SETTER(value_6, gguf_set_u32(w, "qwen3.attention.value_length", 6))
SETTER(turned_4, gguf_set_u32(w, "qwen3.rope.dimension_count", 4))
SETTER(epsilon_nan, gguf_set_f32(w, "qwen3.attention.layer_norm_rms_epsilon", NAN))
SETTER(epsilon_low, gguf_set_f32(w, "qwen3.attention.layer_norm_rms_epsilon", -1e-6f))
SETTER(scale_0, gguf_set_f32(w, "qwen3.attention.scale", 0))
SETTER(cap_50, gguf_set_f32(w, "qwen3.attn_logit_softcapping", 50))

static void heads_that_cannot_be_are_refused(void **state) {
    (void)state;
    const char *q = ARCH("qwen3");
    CHECK_OK(try_changed(q, "", NULL)); /* the copy itself is fine */
    CHECK_ERR(try_changed(q, "qwen3.attention.head_count_kv", kv_3), ERR_CORRUPT,
              "3 heads of keys do not divide 4 heads of queries");
    CHECK_ERR(try_changed(q, "qwen3.attention.head_count_kv", kv_0), ERR_CORRUPT,
              "'qwen3.attention.head_count_kv' is 0, 1 to 4 is possible");
    CHECK_ERR(try_changed(q, "qwen3.attention.head_count_kv", kv_8), ERR_CORRUPT, "is 8, 1 to 4 is possible");
    CHECK_ERR(try_changed(q, "qwen3.attention.head_count_kv", NULL), ERR_CORRUPT,
              "tensor 'blk.0.attn_k.weight' is 16 x 24, the metadata say 32 x 24");
    CHECK_ERR(try_changed(q, "qwen3.attention.head_count", heads_0), ERR_CORRUPT, "head_count' is 0");
    CHECK_ERR(try_changed(q, "qwen3.attention.key_length", key_7), ERR_CORRUPT,
              "heads of 7 dimensions cannot be rotated in pairs");
    CHECK_ERR(try_changed(q, "qwen3.attention.key_length", key_0), ERR_CORRUPT, "key_length' is 0");
    CHECK_ERR(try_changed(q, "qwen3.attention.key_length", key_huge), ERR_CORRUPT, "1 to 4096 is possible");
    CHECK_ERR(try_changed(q, "qwen3.attention.key_length", key_16), ERR_UNSUPPORTED,
              "heads of 16 dimensions, values of 8 and rotates 16");
    CHECK_ERR(try_changed(q, "qwen3.attention.value_length", value_6), ERR_UNSUPPORTED, "values of 6");
    CHECK_ERR(try_changed(q, "qwen3.rope.dimension_count", turned_4), ERR_UNSUPPORTED, "rotates 4");
}

static void norms_and_scores_that_cannot_be_are_refused(void **state) {
    (void)state;
    const char *q = ARCH("qwen3"), *epsilon = "qwen3.attention.layer_norm_rms_epsilon";
    CHECK_ERR(try_changed(q, epsilon, NULL), ERR_CORRUPT, "has no key 'qwen3.attention.layer_norm_rms_epsilon'");
    CHECK_ERR(try_changed(q, epsilon, epsilon_nan), ERR_CORRUPT, "is nan, 0 to 1 is possible");
    CHECK_ERR(try_changed(q, epsilon, epsilon_low), ERR_CORRUPT, "is -1e-06");
    CHECK_ERR(try_changed(q, "", scale_0), ERR_CORRUPT, "'qwen3.attention.scale' is 0");
    CHECK_ERR(try_changed(q, "", cap_50), ERR_UNSUPPORTED, "caps attention's scores ('qwen3.attn_logit_softcapping')");
}

SETTER(base_0, gguf_set_f32(w, "qwen2.rope.freq_base", 0))
SETTER(base_minus, gguf_set_f32(w, "qwen2.rope.freq_base", -10000))
SETTER(base_inf, gguf_set_f32(w, "qwen2.rope.freq_base", INFINITY))
SETTER(base_nan, gguf_set_f32(w, "qwen2.rope.freq_base", NAN))
SETTER(yarn, gguf_set_str(w, "qwen2.rope.scaling.type", STR("yarn")))
SETTER(scaled_none, gguf_set_str(w, "qwen2.rope.scaling.type", STR("none")))
SETTER(factor_0, gguf_set_f32(w, "qwen2.rope.scaling.factor", 0))
static void frequencies(GgufWriter *w) {
    static const float f[4] = {1, 1, 1, 1};
    gguf_add_tensor(w, "rope_freqs.weight", BLOCK_F32, (uint64_t[]){4}, 1, str_make((const char *)f, sizeof f));
}

static void rotations_that_cannot_be_or_are_not_known_are_refused(void **state) {
    (void)state;
    const char *q = ARCH("qwen2"), *base = "qwen2.rope.freq_base";
    CHECK_ERR(try_changed(q, base, base_0), ERR_CORRUPT, "'qwen2.rope.freq_base' is 0, 1 to 1e+12 is possible");
    CHECK_ERR(try_changed(q, base, base_minus), ERR_CORRUPT, "is -10000");
    CHECK_ERR(try_changed(q, base, base_inf), ERR_CORRUPT, "is inf");
    CHECK_ERR(try_changed(q, base, base_nan), ERR_CORRUPT, "is nan");
    CHECK_ERR(try_changed(q, "", yarn), ERR_UNSUPPORTED,
              "'qwen2.rope.scaling.type' is 'yarn'; supported are 'none' and 'linear'");
    CHECK_OK(try_changed(q, "", scaled_none));
    CHECK_ERR(try_changed(q, "", factor_0), ERR_CORRUPT, "'qwen2.rope.scaling.factor' is 0");
    CHECK_ERR(try_changed(q, "", frequencies), ERR_UNSUPPORTED, "'rope_freqs.weight'");
}

SETTER(window_0, gguf_set_u32(w, "gemma3.attention.sliding_window", 0))
SETTER(window_huge, gguf_set_u32(w, "gemma3.attention.sliding_window", UINT32_MAX))
SETTER(period_0, gguf_set_u32(w, "gemma3.attention.sliding_window_pattern", 0))
SETTER(period_6, gguf_set_u32(w, "gemma3.attention.sliding_window_pattern", 6))
SETTER(flags_right, gguf_set_array(w, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, "\1\1\1\1\1\0\1", 7))
SETTER(flags_wrong, gguf_set_array(w, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, "\1\1\0\1\1\0\1", 7))
SETTER(flags_few, gguf_set_array(w, "gemma3.attention.sliding_window_pattern", GGUF_BOOL, "\1\1\1", 3))
SETTER(modern_window_0, gguf_set_u32(w, "modern-bert.attention.sliding_window", 0))

static void windows_that_cannot_be_are_refused(void **state) {
    (void)state;
    const char *g = ARCH("gemma3"), *window = "gemma3.attention.sliding_window";
    CHECK_ERR(try_changed(g, window, NULL), ERR_CORRUPT, "has no key 'gemma3.attention.sliding_window'");
    CHECK_ERR(try_changed(g, window, window_0), ERR_CORRUPT, "'gemma3.attention.sliding_window' is 0");
    CHECK_ERR(try_changed(g, window, window_huge), ERR_CORRUPT, "is 4294967295, 1 to 16777216 is possible");
    CHECK_ERR(try_changed(g, "", period_0), ERR_CORRUPT, "sliding_window_pattern' is 0");
    CHECK_OK(try_changed(g, "", period_6));
    CHECK_OK(try_changed(g, "", flags_right));
    CHECK_ERR(try_changed(g, "", flags_wrong), ERR_UNSUPPORTED, "says otherwise for layer 2 than every 6-th sees all");
    CHECK_ERR(try_changed(g, "", flags_few), ERR_CORRUPT, "has 3 flags for 7 layers");
    CHECK_ERR(try_changed(ARCH("modern"), "modern-bert.attention.sliding_window", modern_window_0), ERR_CORRUPT,
              "'modern-bert.attention.sliding_window' is 0");
}

SETTER(nomic_causal, gguf_set_bool(w, "nomic-bert.attention.causal", true))
SETTER(modern_causal, gguf_set_bool(w, "modern-bert.attention.causal", true))
SETTER(both_ways, gguf_set_bool(w, "qwen2.attention.causal", false))

static void encoders_that_do_not_look_ahead_are_refused(void **state) {
    (void)state;
    CHECK_ERR(try_changed(ARCH("nomic"), "nomic-bert.attention.causal", nomic_causal), ERR_UNSUPPORTED, "causal");
    CHECK_ERR(try_changed(ARCH("modern"), "modern-bert.attention.causal", modern_causal), ERR_UNSUPPORTED, "causal");
    CHECK_OK(try_changed(ARCH("qwen2"), "", both_ways)); /* decoders made bidirectional are fine */
}

static float weights[40 * 24];
static Str floats(size_t n) { return str_make((const char *)weights, n * sizeof *weights); }
SETTER(bias_25, gguf_add_tensor(w, "blk.1.attn_k.bias", BLOCK_F32, (uint64_t[]){25}, 1, floats(25)))
SETTER(bias_up, gguf_add_tensor(w, "blk.1.ffn_up.bias", BLOCK_F32, (uint64_t[]){40}, 1, floats(40)))
SETTER(bias_norm, gguf_add_tensor(w, "blk.0.attn_norm.bias", BLOCK_F32, (uint64_t[]){16}, 1, floats(16)))
SETTER(gate, gguf_add_tensor(w, "blk.1.ffn_gate.weight", BLOCK_F32, (uint64_t[]){24, 40}, 2, floats(40 * 24)))

static void missing_tensors_are_named(void **state) {
    (void)state;
    static const struct {
        const char *model, *tensor;
    } needed[] = {{ARCH("nomic"), "token_embd_norm.bias"},
                  {ARCH("nomic"), "blk.1.ffn_gate.weight"},
                  {ARCH("nomic"), "blk.1.layer_output_norm.bias"},
                  {ARCH("modern"), "output_norm.weight"},
                  {ARCH("modern"), "blk.1.attn_norm.weight"},
                  {ARCH("qwen2"), "blk.0.attn_v.bias"},
                  {ARCH("qwen2"), "token_embd.weight"},
                  {ARCH("qwen3"), "blk.1.attn_q_norm.weight"},
                  {ARCH("qwen3"), "blk.0.attn_norm.weight"},
                  {ARCH("gemma3"), "blk.6.post_ffw_norm.weight"},
                  {ARCH("gemma3"), "blk.3.post_attention_norm.weight"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        char part[128];
        (void)snprintf(part, sizeof part, "model 'x.gguf' has no tensor '%s'", needed[i].tensor);
        CHECK_ERR(try_changed(needed[i].model, needed[i].tensor, NULL), ERR_CORRUPT, part);
    }
}

static void tensors_that_cannot_be_or_would_be_ignored_are_refused(void **state) {
    (void)state;
    CHECK_ERR(try_changed(ARCH("qwen2"), "blk.1.attn_k.bias", bias_25), ERR_CORRUPT,
              "tensor 'blk.1.attn_k.bias' is 1 x 25, the metadata say 1 x 16");
    CHECK_ERR(try_changed(ARCH("qwen2"), "", bias_up), ERR_UNSUPPORTED,
              "has a tensor 'blk.1.ffn_up.bias', which its architecture does not have");
    CHECK_ERR(try_changed(ARCH("gemma3"), "", bias_norm), ERR_UNSUPPORTED, "'blk.0.attn_norm.bias', which its");
    weights[7 * 24 + 3] = NAN;
    CHECK_ERR(try_changed(ARCH("qwen3"), "blk.1.ffn_gate.weight", gate), ERR_CORRUPT,
              "tensor 'blk.1.ffn_gate.weight' has a weight that is not finite in row 7");
    weights[7 * 24 + 3] = 0;
    CHECK_OK(try_changed(ARCH("qwen3"), "blk.1.ffn_gate.weight", gate));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_that_cannot_be_are_refused),
        cmocka_unit_test(norms_and_scores_that_cannot_be_are_refused),
        cmocka_unit_test(rotations_that_cannot_be_or_are_not_known_are_refused),
        cmocka_unit_test(windows_that_cannot_be_are_refused),
        cmocka_unit_test(encoders_that_do_not_look_ahead_are_refused),
        cmocka_unit_test(missing_tensors_are_named),
        cmocka_unit_test(tensors_that_cannot_be_or_would_be_ignored_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
