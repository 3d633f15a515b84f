/* test_bert.c - the BERT network against Hugging Face transformers (tests/golden, made by tools/make_goldens.py), at
 * every level of kernels, and the models it must refuse. */
#include <math.h>

#include "tiny.h"

enum { IDS_MAX = 64, DIM_MAX = 64 };

/* Runs ids alone through the network; pooled and normalised as the model says. */
static void run_ids(const Model *m, const int32_t *ids, size_t n, float *out) {
    const uint32_t starts[] = {0, (uint32_t)n};
    const NetBatch batch = {.ids = ids, .starts = starts, .n_texts = 1, .n_tokens = n, .longest = n};
    float *scratch = aligned_alloc(64, (m->arch->scratch(m->net, n, n, 1) * sizeof(float) + 63) / 64 * 64);
    const NetRun run = {NULL, NULL, scratch};
    const float *hidden = NULL;
    CHECK_OK(m->arch->run(m->net, &batch, &run, &hidden));
    if (m->info.pooling == POOL_CLS)
        memcpy(out, hidden, m->info.dim * sizeof *out);
    else
        m->kern->mean_rows(hidden, n, m->info.dim, out);
    m->kern->normalize(out, m->info.dim);
    free(scratch);
}

static void check_goldens(const Kern *kern, const char *model, const char *golden, size_t expected) {
    Arena a = {0};
    Buf bytes = {0};
    Str text, line;
    size_t cases = 0;
    Model *m = tiny_open(model, kern, NULL, &bytes);
    CHECK_OK(file_read(&a, golden, 1 << 20, &text));
    while (str_line(&text, &line)) {
        Str list, hex, field;
        int32_t ids[IDS_MAX];
        float want[DIM_MAX], got[DIM_MAX];
        size_t n = 0;
        int64_t id = 0;
        CHECK(str_cut(&line, '\t', &list) && str_cut(&line, '\t', &hex));
        while (str_cut(&list, ',', &field)) {
            CHECK(n < IDS_MAX && str_to_i64(field, &id));
            ids[n++] = (int32_t)id;
        }
        CHECK(hex_read(hex, (uint8_t *)want, m->info.dim * sizeof *want));
        run_ids(m, ids, n, got);
        /* Elements of unit vectors; f32 against a reference in double: some 30 roundings deep */
        for (size_t d = 0; d < m->info.dim; d++) CHECK_NEAR(got[d], want[d], 3e-6);
        cases++;
    }
    CHECK_INT(cases, expected);
    model_close(m);
    buf_free(&bytes);
    arena_free(&a);
}

static void every_level_gives_the_vectors_of_transformers(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n = kern_levels(levels, 8);
    for (size_t i = 0; i < n; i++) {
        check_goldens(levels[i], TINY, TESTS_DIR "/golden/tiny_bert.txt", 8);
        check_goldens(levels[i], TINY_MIXED, TESTS_DIR "/golden/tiny_bert_mixed.txt", 8);
    }
}

static void the_metadata_are_told(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = tiny_open(TINY_MIXED, kern_table(), NULL, &bytes);
    const ModelInfo *info = model_info(m);
    CHECK_STR(info->name, "tiny");
    CHECK_STR(info->arch, "bert");
    CHECK_STR(info->path, TINY_MIXED);
    CHECK_INT(info->dim, 64);
    CHECK_INT(info->n_layers, 1);
    CHECK_INT(info->n_heads, 2);
    CHECK_INT(info->n_ff, 96);
    CHECK_INT(info->max_tokens, 20);
    CHECK_INT(info->pooling, POOL_CLS);
    CHECK(info->normalize);
    CHECK_INT(info->bytes, bytes.n);
    CHECK(str_find(info->tensor_types, STR("Q8_0")) >= 0 && str_find(info->tensor_types, STR("+F32")) >= 0);
    model_close(m);
    m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_STR(model_info(m)->tensor_types, "F32");
    CHECK_INT(model_info(m)->max_tokens, 33); /* pythia.max_tokens, below the 40 positions */
    model_close(m);
    buf_free(&bytes);
}

/* ---- metadata that cannot be ---- */

static void set_arch(GgufWriter *w) { gguf_set_str(w, "general.architecture", STR("frobnicator")); }
static void set_7_heads(GgufWriter *w) { gguf_set_u32(w, "bert.attention.head_count", 7); }
static void set_0_heads(GgufWriter *w) { gguf_set_u32(w, "bert.attention.head_count", 0); }
static void set_many_layers(GgufWriter *w) { gguf_set_u32(w, "bert.block_count", 4000000000u); }
static void set_3_layers(GgufWriter *w) { gguf_set_u32(w, "bert.block_count", 3); }
static void set_dim_48(GgufWriter *w) { gguf_set_u32(w, "bert.embedding_length", 48); }
static void set_ff_57(GgufWriter *w) { gguf_set_u32(w, "bert.feed_forward_length", 57); }
static void set_41_positions(GgufWriter *w) { gguf_set_u32(w, "bert.context_length", 41); }
static void set_2_tokens(GgufWriter *w) { gguf_set_u32(w, "pythia.max_tokens", 2); }
static void set_causal(GgufWriter *w) { gguf_set_bool(w, "bert.attention.causal", true); }
static void set_epsilon_nan(GgufWriter *w) { gguf_set_f32(w, "bert.attention.layer_norm_epsilon", NAN); }
static void set_pooling_none(GgufWriter *w) { gguf_set_u32(w, "bert.pooling_type", POOL_NONE); }
static void set_pooling_rank(GgufWriter *w) { gguf_set_u32(w, "bert.pooling_type", POOL_RANK); }
static void set_pooling_9(GgufWriter *w) { gguf_set_u32(w, "bert.pooling_type", 9); }

static void metadata_that_cannot_be_are_refused(void **state) {
    (void)state;
    CHECK_OK(tiny_try_changed("", NULL)); /* the copy itself is fine */
    CHECK_ERR(tiny_try_changed("general.architecture", set_arch), ERR_CORRUPT, "frobnicator.embedding_length");
    CHECK_ERR(tiny_try_changed("general.architecture", NULL), ERR_CORRUPT, "has no key 'general.architecture'");
    CHECK_ERR(tiny_try_changed("bert.block_count", NULL), ERR_CORRUPT, "has no key 'bert.block_count'");
    CHECK_ERR(tiny_try_changed("bert.attention.layer_norm_epsilon", NULL), ERR_CORRUPT, "layer_norm_epsilon'");
    CHECK_ERR(tiny_try_changed("bert.attention.layer_norm_epsilon", set_epsilon_nan), ERR_CORRUPT, "is nan");
    CHECK_ERR(tiny_try_changed("bert.attention.head_count", set_7_heads), ERR_CORRUPT,
              "7 attention heads do not divide 24 dimensions");
    CHECK_ERR(tiny_try_changed("bert.attention.head_count", set_0_heads), ERR_CORRUPT,
              "'bert.attention.head_count' is 0");
    CHECK_ERR(tiny_try_changed("bert.block_count", set_many_layers), ERR_CORRUPT,
              "is 4000000000, 1 to 1024 is possible");
    CHECK_ERR(tiny_try_changed("bert.block_count", set_3_layers), ERR_CORRUPT, "has no tensor 'blk.2.attn_q.weight'");
    CHECK_ERR(tiny_try_changed("bert.embedding_length", set_dim_48), ERR_CORRUPT,
              "tensor 'token_embd.weight' is 95 x 24, the metadata say 95 x 48");
    CHECK_ERR(tiny_try_changed("bert.feed_forward_length", set_ff_57), ERR_CORRUPT,
              "tensor 'blk.0.ffn_up.weight' is 56 x 24, the metadata say 57 x 24");
    CHECK_ERR(tiny_try_changed("bert.context_length", set_41_positions), ERR_CORRUPT,
              "'position_embd.weight' is 40 x 24");
    CHECK_ERR(tiny_try_changed("pythia.max_tokens", set_2_tokens), ERR_CORRUPT, "takes 2 tokens, which leaves no room");
    CHECK_ERR(tiny_try_changed("bert.attention.causal", set_causal), ERR_UNSUPPORTED, "causal");
    CHECK_ERR(tiny_try_changed("bert.pooling_type", NULL), ERR_UNSUPPORTED, "('bert.pooling_type')");
    CHECK_ERR(tiny_try_changed("bert.pooling_type", set_pooling_none), ERR_UNSUPPORTED, "how token vectors are pooled");
    CHECK_ERR(tiny_try_changed("bert.pooling_type", set_pooling_rank), ERR_UNSUPPORTED, "reranker");
    CHECK_ERR(tiny_try_changed("bert.pooling_type", set_pooling_9), ERR_UNSUPPORTED, "'bert.pooling_type' is 9");
}

static void add_frobnicator(GgufWriter *w) {
    gguf_set_str(w, "general.architecture", STR("frob"));
    gguf_set_u32(w, "frob.embedding_length", 24);
    gguf_set_u32(w, "frob.block_count", 2);
    gguf_set_u32(w, "frob.attention.head_count", 3);
    gguf_set_u32(w, "frob.feed_forward_length", 56);
    gguf_set_u32(w, "frob.context_length", 40);
}

static void an_unknown_architecture_is_named_beside_those_known(void **state) {
    (void)state;
    CHECK_ERR(tiny_try_changed("general.architecture", add_frobnicator), ERR_UNSUPPORTED,
              "has the architecture 'frob'; known: 'bert'");
}

/* ---- tensors that cannot be ---- */

static float weights[24 * 24];
static void add_bias_25(GgufWriter *w) {
    gguf_add_tensor(w, "blk.1.attn_k.bias", BLOCK_F32, (uint64_t[]){25}, 1, str_make((const char *)weights, 100));
}
static void add_matrix(GgufWriter *w) {
    gguf_add_tensor(w, "blk.1.attn_k.weight", BLOCK_F32, (uint64_t[]){24, 24}, 2,
                    str_make((const char *)weights, sizeof weights));
}
static void add_norm(GgufWriter *w) {
    gguf_add_tensor(w, "blk.0.layer_output_norm.bias", BLOCK_F32, (uint64_t[]){24}, 1,
                    str_make((const char *)weights, 96));
}
static void add_position(GgufWriter *w) {
    static float rows[40 * 24];
    rows[3 * 24] = INFINITY;
    gguf_add_tensor(w, "position_embd.weight", BLOCK_F32, (uint64_t[]){24, 40}, 2,
                    str_make((const char *)rows, sizeof rows));
}
static void add_unreadable(GgufWriter *w) {
    gguf_add_tensor(w, "blk.1.attn_k.weight", BLOCK_I32, (uint64_t[]){24, 24}, 2,
                    str_make((const char *)weights, sizeof weights));
}
static void add_small_vocabulary(GgufWriter *w) {
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F32, (uint64_t[]){24, 24}, 2,
                    str_make((const char *)weights, sizeof weights));
}

static void tensors_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const char *const needed[] = {"token_embd.weight",     "position_embd.weight",         "token_types.weight",
                                         "token_embd_norm.bias",  "blk.1.attn_v.weight",          "blk.0.attn_q.bias",
                                         "blk.1.ffn_down.weight", "blk.0.attn_output_norm.weight"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        char part[128];
        (void)snprintf(part, sizeof part, "model 'x.gguf' has no tensor '%s'", needed[i]);
        CHECK_ERR(tiny_try_changed(needed[i], NULL), ERR_CORRUPT, part);
    }
    CHECK_ERR(tiny_try_changed("blk.1.attn_k.bias", add_bias_25), ERR_CORRUPT,
              "tensor 'blk.1.attn_k.bias' is 1 x 25, the metadata say 1 x 24");
    CHECK_ERR(tiny_try_changed("blk.1.attn_k.weight", add_unreadable), ERR_UNSUPPORTED,
              "tensor 'blk.1.attn_k.weight' has the type I32; readable are F32");
    CHECK_ERR(tiny_try_changed("token_embd.weight", add_small_vocabulary), ERR_CORRUPT,
              "has 95 tokens in its vocabulary, but vectors for 24");
}

static void weights_that_are_not_finite_are_refused(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    CHECK_OK(tiny_try_changed("blk.1.attn_k.weight", add_matrix));
    for (size_t i = 0; i < 3; i++) {
        weights[5 * 24 + 7] = bad[i];
        CHECK_ERR(tiny_try_changed("blk.1.attn_k.weight", add_matrix), ERR_CORRUPT,
                  "tensor 'blk.1.attn_k.weight' has a weight that is not finite in row 5");
        weights[5 * 24 + 7] = 0;
        weights[23] = bad[i];
        CHECK_ERR(tiny_try_changed("blk.0.layer_output_norm.bias", add_norm), ERR_CORRUPT,
                  "'blk.0.layer_output_norm.bias' has a weight that is not finite in row 0");
        weights[23] = 0;
    }
    CHECK_ERR(tiny_try_changed("position_embd.weight", add_position), ERR_CORRUPT,
              "'position_embd.weight' has a weight that is not finite in row 3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_the_vectors_of_transformers),
        cmocka_unit_test(the_metadata_are_told),
        cmocka_unit_test(metadata_that_cannot_be_are_refused),
        cmocka_unit_test(an_unknown_architecture_is_named_beside_those_known),
        cmocka_unit_test(tensors_that_cannot_be_are_refused),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
