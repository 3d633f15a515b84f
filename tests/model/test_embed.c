/* test_embed.c - texts to vectors: batches, threads, limits. What the vectors are is test_bert.c's matter; here one
 * text must give the same bits whatever stands beside it. */
#include <math.h>

#include "tiny.h"

enum { MANY = 1500 }; /* more than a window */

static Str texts[MANY];

static void make_texts(void) {
    static char letters[] = "the file read ing open retry back off error vector search abc def 0123 (x) = y_z ";
    uint32_t seed = 5;
    for (size_t i = 0; i < MANY; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t at = seed >> 8 & 31, n = i % 50 == 0 ? 0 : (seed >> 16) % 50;
        texts[i] = str_make(letters + at, n);
    }
}

static void check_same(const float *a, const float *b, size_t n) { CHECK(memcmp(a, b, n * sizeof *a) == 0); }

static void one_text_has_the_same_bits_in_any_batch_at_any_thread_count(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    static float all[MANY * 24], some[MANY * 24];
    for (size_t l = 0; l < n_levels; l++) {
        Buf bytes = {0};
        Model *m = tiny_open(TINY, levels[l], NULL, &bytes);
        size_t dim = model_info(m)->dim;
        CHECK_INT(dim, 24);
        CHECK_OK(model_embed(m, NULL, texts, MANY, NULL, all, NULL));
        for (size_t i = 0; i < MANY; i += 13) {
            CHECK_OK(model_embed(m, NULL, &texts[i], 1, NULL, some, NULL));
            check_same(some, all + i * dim, dim);
        }
        for (size_t threads = 2; threads <= 5; threads++) {
            Pool *pool = NULL;
            CHECK_OK(pool_open(&pool, threads));
            for (size_t n = 1; n <= MANY; n = n * 3 + 1) {
                memset(some, 0, sizeof some);
                CHECK_OK(model_embed(m, pool, texts + 1, n < MANY ? n : MANY - 1, NULL, some, NULL));
                check_same(some, all + dim, (n < MANY ? n : MANY - 1) * dim);
            }
            pool_close(pool);
        }
        model_close(m);
        buf_free(&bytes);
    }
}

static void vectors_are_of_length_one_and_differ(void **state) {
    (void)state;
    Buf bytes = {0};
    float out[3 * 24];
    const Str two[] = {STR("read the file"), STR("vector search"), STR("")};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_OK(model_embed(m, NULL, two, 3, NULL, out, NULL));
    for (size_t i = 0; i < 3; i++) CHECK_NEAR(kern_table()->dot(out + i * 24, out + i * 24, 24), 1, 1e-6);
    CHECK(fabsf(kern_table()->dot(out, out + 24, 24)) < 0.9999f);
    CHECK_OK(model_embed(m, NULL, two, 0, NULL, out, NULL)); /* no texts, nothing to do */
    model_close(m);
    buf_free(&bytes);
}

static void set_raw(GgufWriter *w) { gguf_set_bool(w, "pythia.normalize", false); }

static void a_model_may_ask_for_vectors_as_they_are(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = NULL;
    float out[24];
    tiny_changed(TINY, "", set_raw, &bytes);
    CHECK_OK(model_open_bytes(&m, buf_str(&bytes), "x.gguf", kern_table(), NULL));
    CHECK_OK(model_embed(m, NULL, &STR("read the file"), 1, NULL, out, NULL));
    CHECK(fabsf(kern_table()->dot(out, out, 24) - 1) > 1e-3f);
    CHECK(!model_info(m)->normalize);
    model_close(m);
    buf_free(&bytes);
}

static void long_texts_are_cut_at_the_limit_and_told(void **state) {
    (void)state;
    Buf bytes = {0}, text = {0};
    float whole[24], cut[24];
    EmbedInfo info[2];
    for (int i = 0; i < 31; i++) buf_add_z(&text, "the ");
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    /* 31 words and two special tokens are the limit of 33 */
    CHECK_OK(model_embed(m, NULL, &(Str){text.p, text.n}, 1, NULL, whole, info));
    CHECK_INT(info[0].tokens, 33);
    CHECK(!info[0].truncated);
    buf_add_z(&text, "error error error");
    CHECK_OK(model_embed(m, NULL, &(Str){text.p, text.n}, 1, NULL, cut, info));
    CHECK_INT(info[0].tokens, 33);
    CHECK(info[0].truncated);
    check_same(whole, cut, 24); /* what was cut does not matter, the end mark is there */
    const Str two[] = {STR("the"), {text.p, text.n}};
    EmbedOpts strict = {.truncate_error = true};
    float out[48];
    CHECK_ERR(model_embed(m, NULL, two, 2, &strict, out, info), ERR_LIMIT, "text 1 has 36 tokens, model");
    CHECK_ERR(model_embed(m, NULL, two, 2, &strict, out, NULL), ERR_LIMIT, "takes 33");
    CHECK_OK(model_embed(m, NULL, two, 1, &strict, out, NULL));
    model_close(m);
    buf_free(&bytes);
    buf_free(&text);
}

static void token_ids_give_the_bits_of_their_text(void **state) {
    (void)state;
    enum { SOME = 40 };
    static int32_t ids[SOME][64];
    static float want[SOME * 24], got[SOME * 24];
    EmbedInfo info[SOME], told[SOME];
    TokenIds lists[SOME];
    Buf bytes = {0};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    const int32_t known = 1 << 20;
    for (size_t i = 0; i < SOME; i++) {
        size_t n = 0;
        CHECK_OK(model_tokenize(m, texts[i], true, ids[i], 64, &n));
        CHECK(n <= 64);
        lists[i] = (TokenIds){ids[i], n};
    }
    CHECK_OK(model_embed(m, NULL, texts, SOME, NULL, want, info));
    CHECK_OK(model_embed_ids(m, NULL, lists, SOME, NULL, got, told));
    check_same(got, want, (size_t)SOME * 24);
    for (size_t i = 0; i < SOME; i++) {
        CHECK_INT(told[i].tokens, info[i].tokens);
        CHECK_INT(told[i].truncated, info[i].truncated);
    }
    lists[1] = (TokenIds){&known, 1};
    CHECK_ERR(model_embed_ids(m, NULL, lists, 2, NULL, got, NULL), ERR_INPUT,
              "text 1: token 0 cannot be 1048576; model");
    lists[1] = (TokenIds){ids[1], 0};
    CHECK_ERR(model_embed_ids(m, NULL, lists, 2, NULL, got, NULL), ERR_INPUT, "text 1 has no tokens");
    model_close(m);
    buf_free(&bytes);
}

static void the_opener_may_lower_the_limit(void **state) {
    (void)state;
    Buf bytes = {0};
    EmbedInfo info;
    float out[24];
    Model *m = tiny_open(TINY, kern_table(), &(ModelOpts){.max_tokens = 5}, &bytes);
    CHECK_OK(model_embed(m, NULL, &STR("the file read the file"), 1, NULL, out, &info));
    CHECK_INT(info.tokens, 5);
    CHECK(info.truncated);
    model_close(m);
    CHECK_ERR(tiny_try(&bytes, &(ModelOpts){.max_tokens = 34}), ERR_LIMIT,
              "max_tokens 34 is not possible: model 'x.gguf' takes 3 to 33");
    CHECK_ERR(tiny_try(&bytes, &(ModelOpts){.max_tokens = 2}), ERR_LIMIT, "max_tokens 2");
    CHECK_OK(tiny_try(&bytes, &(ModelOpts){.max_tokens = 33}));
    buf_free(&bytes);
}

static void a_deadline_or_a_cancel_ends_the_work(void **state) {
    (void)state;
    Buf bytes = {0};
    Pool *pool = NULL;
    static float out[MANY * 24];
    const volatile int cancelled = 1;
    const Deadline past = {.at_ns = 1}, stop = {.cancel = &cancelled};
    const EmbedOpts late = {.deadline = &past}, stopped = {.deadline = &stop};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_OK(pool_open(&pool, 2));
    CHECK_INT(model_embed(m, NULL, texts, 3, &late, out, NULL), ERR_DEADLINE);
    CHECK_INT(model_embed(m, pool, texts, MANY, &late, out, NULL), ERR_DEADLINE);
    CHECK_INT(model_embed(m, pool, texts, MANY, &stopped, out, NULL), ERR_INTERRUPT);
    CHECK_OK(model_embed(m, pool, texts, 3, NULL, out, NULL)); /* and the model works on */
    pool_close(pool);
    model_close(m);
    buf_free(&bytes);
}

static void add_nan_token(GgufWriter *w) {
    static float rows[95 * 24];
    for (size_t i = 0; i < 95 * 24; i++) rows[i] = i % 7 ? 0.5f : -1;
    rows[2 * 24] = NAN; /* [CLS]: in every text */
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F32, (uint64_t[]){24, 95}, 2,
                    str_make((const char *)rows, sizeof rows));
}

static void a_vector_that_is_not_finite_is_an_error(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = NULL;
    float out[24];
    tiny_changed(TINY, "token_embd.weight", add_nan_token, &bytes);
    CHECK_OK(model_open_bytes(&m, buf_str(&bytes), "x.gguf", kern_table(), NULL)); /* words are read when used */
    CHECK_ERR(model_embed(m, NULL, &STR("a"), 1, NULL, out, NULL), ERR_CORRUPT,
              "model 'x.gguf' gives text 0 a vector that is not finite");
    model_close(m);
    buf_free(&bytes);
}

static void opening_a_path_gives_the_files_hash(void **state) {
    (void)state;
    Model *m = NULL;
    Sha256 want;
    Buf path = {0}, side = {0};
    Arena a = {0};
    Str file;
    buf_printf(&path, "%s/tiny.gguf", check_temp_dir());
    buf_printf(&side, "%s.sha256", path.p);
    CHECK_OK(file_read(&a, TINY, 1 << 20, &file));
    CHECK_OK(file_write_atomic(path.p, file, 0644));
    want = sha256_of(file);
    for (int again = 0; again < 2; again++) { /* computed, then from the side file */
        CHECK_OK(model_open(&m, path.p, NULL));
        CHECK(memcmp(&model_info(m)->id, &want, sizeof want) == 0);
        CHECK_STR(model_info(m)->path, path.p);
        model_close(m);
    }
    CHECK_OK(file_remove(side.p));
    CHECK_OK(file_remove(path.p));
    CHECK_ERR(model_open(&m, path.p, NULL), ERR_NO_MODEL, "tiny.gguf");
    CHECK(m == NULL);
    model_close(NULL);
    buf_free(&path);
    buf_free(&side);
    arena_free(&a);
}

int main(void) {
    make_texts();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_text_has_the_same_bits_in_any_batch_at_any_thread_count),
        cmocka_unit_test(vectors_are_of_length_one_and_differ),
        cmocka_unit_test(a_model_may_ask_for_vectors_as_they_are),
        cmocka_unit_test(long_texts_are_cut_at_the_limit_and_told),
        cmocka_unit_test(token_ids_give_the_bits_of_their_text),
        cmocka_unit_test(the_opener_may_lower_the_limit),
        cmocka_unit_test(a_deadline_or_a_cancel_ends_the_work),
        cmocka_unit_test(a_vector_that_is_not_finite_is_an_error),
        cmocka_unit_test(opening_a_path_gives_the_files_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
