/* test_decode.c - causal networks token by token: the same bits as whole texts, however they are cut; windows longer
 * than themselves; going back; scores of the vocabulary. */
#include "arch.h"
#include "model/decode.h"

static const char *const decoders[] = {ARCH("qwen2"), ARCH("qwen3"), ARCH("gemma3")};
enum { DECODERS = 3, LONG = 700 /* several times what a tiny Gemma's layers of a window have room for */ };

static int32_t ids[LONG];

static void make_ids(void) {
    uint32_t seed = 7;
    for (size_t i = 0; i < LONG; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = (int32_t)(5 + (seed >> 16) % 40);
    }
}

/* ids[from..to) in steps of `step` tokens; out: [to, dim] */
static void step_through(Decoder *d, Pool *pool, size_t from, size_t to, size_t step, size_t dim, float *out) {
    const float *hidden = NULL;
    for (size_t at = from; at < to; at += step) {
        size_t n = to - at < step ? to - at : step;
        CHECK_OK(decoder_step(d, pool, NULL, ids + at, n, &hidden));
        memcpy(out + at * dim, hidden, n * dim * sizeof *out);
    }
}

static void steps_give_the_bits_of_the_whole_text(void **state) {
    (void)state;
    static const size_t steps[] = {1, 3, 64, DECODER_STEP_MAX};
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    Pool *pool = NULL;
    CHECK_OK(pool_open(&pool, 3));
    for (size_t i = 0; i < n_levels; i++)
        for (size_t k = 0; k < DECODERS; k++) {
            Buf bytes = {0};
            Model *m = tiny_open(decoders[k], levels[i], NULL, &bytes);
            size_t dim = m->info.dim, n = i + 1 == n_levels && !getenv("PYTHIA_TEST_EMULATED") ? LONG : 90;
            float *want = arch_hidden_one(m, ids, n), *got = calloc(n * dim, sizeof *got);
            assert_non_null(got);
            CHECK(m->arch->decodes);
            for (size_t s = 0; s < 4; s++) {
                Decoder *d = NULL;
                CHECK_OK(decoder_open(&d, m->net, n));
                step_through(d, s % 2 ? pool : NULL, 0, n, steps[s], dim, got);
                CHECK_INT(decoder_tokens(d), n);
                CHECK(memcmp(got, want, n * dim * sizeof *got) == 0);
                decoder_close(d);
            }
            free(want);
            free(got);
            model_close(m);
            buf_free(&bytes);
        }
    pool_close(pool);
}

/* Memory of layers with a window does not grow with the text: of a tiny Gemma's seven layers one sees all. */
static void a_window_keeps_its_own_only(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = tiny_open(ARCH("gemma3"), kern_table(), NULL, &bytes);
    Decoder *d = NULL;
    const float *hidden = NULL;
    CHECK_OK(decoder_open(&d, m->net, 40000));
    /* Emulated, a token takes milliseconds; each length is some times what the windows have room for. */
    size_t after_some = 0, n = getenv("PYTHIA_TEST_EMULATED") ? 4096 : 16384,
           place = 2 * 2 * 2 * m->kern->panel * sizeof(float); /* at most, of all heads */
    for (size_t at = 0; at < n; at += DECODER_STEP_MAX) {
        CHECK_OK(decoder_step(d, NULL, NULL, ids, DECODER_STEP_MAX, &hidden));
        if (at == 1024) after_some = decoder_bytes(d);
    }
    /* One layer's keys and values, and the scratch's row of scores a query of a tile */
    CHECK(decoder_bytes(d) - after_some < n * (place + m->kern->tile * sizeof(float)));
    decoder_close(d);
    model_close(m);
    buf_free(&bytes);
}

static void a_sequence_goes_back_and_takes_another_way(void **state) {
    (void)state;
    for (size_t k = 0; k < DECODERS; k++) {
        Buf bytes = {0};
        Model *m = tiny_open(decoders[k], kern_table(), NULL, &bytes);
        size_t dim = m->info.dim;
        float *want = arch_hidden_one(m, ids, 60), *got = calloc(60 * dim, sizeof *got);
        const float *hidden = NULL;
        Decoder *d = NULL;
        CHECK_OK(decoder_open(&d, m->net, 100));
        step_through(d, NULL, 0, 25, 7, dim, got);
        for (size_t i = 0; i < 30; i++) CHECK_OK(decoder_step(d, NULL, NULL, ids + 60, 1, &hidden));
        CHECK_INT(decoder_tokens(d), 55);
        CHECK_INT(decoder_cut(d, 70), 55);
        CHECK_INT(decoder_cut(d, 25), 25);
        step_through(d, NULL, 25, 60, 5, dim, got);
        CHECK(memcmp(got, want, 60 * dim * sizeof *got) == 0);
        decoder_close(d);
        free(want);
        free(got);
        model_close(m);
        buf_free(&bytes);
    }
}

/* A window that has slid past the place has forgotten what stood before it. */
static void a_sequence_that_cannot_go_back_starts_anew(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = tiny_open(ARCH("gemma3"), kern_table(), NULL, &bytes);
    size_t dim = m->info.dim;
    float *want = arch_hidden_one(m, ids, LONG), *got = calloc(LONG * dim, sizeof *got);
    Decoder *d = NULL;
    CHECK_OK(decoder_open(&d, m->net, 2000));
    step_through(d, NULL, 0, LONG, 64, dim, got);
    CHECK_INT(decoder_cut(d, LONG - 2), LONG - 2);
    CHECK_INT(decoder_cut(d, 20), 0);
    CHECK_INT(decoder_tokens(d), 0);
    memset(got, 0, LONG * dim * sizeof *got);
    step_through(d, NULL, 0, LONG, 100, dim, got);
    CHECK(memcmp(got, want, LONG * dim * sizeof *got) == 0);
    decoder_close(d);
    free(want);
    free(got);
    model_close(m);
    buf_free(&bytes);
}

/* ---- scores of the vocabulary ---- */

static void check_logits(const char *path, const char *tensor, void (*add)(GgufWriter *)) {
    Buf bytes = {0};
    Model *m = NULL;
    Pool *pool = NULL;
    Decoder *d = NULL;
    const float *hidden = NULL;
    tiny_changed(path, "", add, &bytes);
    CHECK_OK(pool_open(&pool, 2));
    CHECK_OK(model_open_bytes(&m, buf_str(&bytes), path, kern_table(), NULL));
    CHECK_OK(decoder_open(&d, m->net, 50));
    CHECK_OK(decoder_step(d, pool, NULL, ids, 9, &hidden));
    size_t vocab = decoder_vocab(d), dim = m->info.dim;
    CHECK_INT(vocab, m->info.n_vocab);
    float *logits = calloc(9 * vocab, sizeof *logits), *one = calloc(vocab, sizeof *one), row[ARCH_DIM_MAX];
    CHECK_OK(decoder_logits(d, pool, hidden, 9, logits));
    CHECK_OK(decoder_logits(d, NULL, hidden + 8 * dim, 1, one));
    CHECK(memcmp(one, logits + 8 * vocab, vocab * sizeof *one) == 0);
    for (size_t v = 0; v < vocab; v++) {
        double want = 0;
        net_row(m->kern, gguf_tensor(m->gguf, tensor), v, row);
        for (size_t i = 0; i < dim; i++) want += (double)row[i] * (double)hidden[3 * dim + i];
        CHECK_NEAR(logits[3 * vocab + v], want, 1e-5 * (1 + fabs(want)));
    }
    free(logits);
    free(one);
    decoder_close(d);
    model_close(m);
    pool_close(pool);
    buf_free(&bytes);
}

static void add_output(GgufWriter *w) {
    static float values[64 * 64];
    Gguf *g = NULL;
    CHECK_OK(gguf_open_path(&g, ARCH("qwen2")));
    const GgufTensor *t = gguf_tensor(g, "token_embd.weight");
    CHECK(t->items <= 64 * 64);
    for (size_t i = 0; i < t->items; i++) values[i] = (float)(i * 37 % 101) / 50 - 1;
    gguf_add_tensor(w, "output.weight", BLOCK_F32, t->shape, 2,
                    str_make((const char *)values, (size_t)t->items * sizeof *values));
    gguf_close(g);
}

static void scores_come_from_the_output_or_the_tokens(void **state) {
    (void)state;
    check_logits(ARCH("gemma3"), "token_embd.weight", NULL);
    check_logits(ARCH("qwen2"), "output.weight", add_output);
}

/* ---- errors ---- */

static void add_cap(GgufWriter *w) { gguf_set_f32(w, "gemma3.final_logit_softcapping", 30); }
static void add_small_output(GgufWriter *w) {
    static const float values[32];
    gguf_add_tensor(w, "output.weight", BLOCK_F32, (const uint64_t[]){16, 2}, 2,
                    str_make((const char *)values, sizeof values));
}

static void check_refused(void (*add)(GgufWriter *), Err code, const char *text) {
    Buf bytes = {0};
    Model *m = NULL;
    Decoder *d = NULL;
    tiny_changed(ARCH("gemma3"), "", add, &bytes);
    CHECK_OK(model_open_bytes(&m, buf_str(&bytes), "tiny.gguf", kern_table(), NULL));
    CHECK_ERR(decoder_open(&d, m->net, 10), code, text);
    assert_null(d);
    model_close(m);
    buf_free(&bytes);
}

static void what_cannot_be_decoded_is_told(void **state) {
    (void)state;
    check_refused(add_cap, ERR_UNSUPPORTED, "model 'tiny.gguf' caps its logits ('gemma3.final_logit_softcapping')");
    check_refused(add_small_output, ERR_CORRUPT,
                  "model 'tiny.gguf': tensor 'output.weight' is 2 x 16, the metadata say 95 x 16");
    Buf bytes = {0};
    Model *m = tiny_open(ARCH("gemma_embedding"), kern_table(), NULL, &bytes);
    Decoder *d = NULL;
    CHECK(!m->arch->decodes);
    CHECK_INT(decoder_open(&d, m->net, 10), ERR_UNSUPPORTED);
    model_close(m);
    buf_free(&bytes);
}

static void bad_steps_append_nothing(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = tiny_open(ARCH("qwen3"), kern_table(), NULL, &bytes);
    Decoder *d = NULL;
    const float *hidden = NULL;
    const int32_t wrong[] = {5, 6, 1000}, negative = -1;
    CHECK_OK(decoder_open(&d, m->net, 5));
    CHECK_OK(decoder_step(d, NULL, NULL, ids, 3, &hidden));
    CHECK_ERR(decoder_step(d, NULL, NULL, ids, 3, &hidden), ERR_LIMIT, "3 tokens and 3 more do not fit into 5 places");
    CHECK_ERR(decoder_step(d, NULL, NULL, ids, 0, &hidden), ERR_USAGE,
              "a step of 0 tokens is not possible, 1 to 256 are");
    CHECK_INT(decoder_step(d, NULL, NULL, ids, DECODER_STEP_MAX + 1, &hidden), ERR_USAGE);
    CHECK_INT(decoder_step(d, NULL, NULL, wrong + 1, 2, &hidden), ERR_CORRUPT);
    CHECK_INT(decoder_step(d, NULL, NULL, &negative, 1, &hidden), ERR_CORRUPT);
    const Deadline passed = {.at_ns = 1};
    CHECK_INT(decoder_step(d, NULL, &passed, ids, 1, &hidden), ERR_DEADLINE);
    CHECK_INT(decoder_tokens(d), 3);
    CHECK_OK(decoder_step(d, NULL, NULL, ids, 2, &hidden));
    decoder_close(d);
    decoder_close(NULL);
    model_close(m);
    buf_free(&bytes);
}

int main(void) {
    make_ids();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_give_the_bits_of_the_whole_text),
        cmocka_unit_test(a_window_keeps_its_own_only),
        cmocka_unit_test(a_sequence_goes_back_and_takes_another_way),
        cmocka_unit_test(a_sequence_that_cannot_go_back_starts_anew),
        cmocka_unit_test(scores_come_from_the_output_or_the_tokens),
        cmocka_unit_test(what_cannot_be_decoded_is_told),
        cmocka_unit_test(bad_steps_append_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
