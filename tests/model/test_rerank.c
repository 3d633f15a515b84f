/* test_rerank.c - cross-encoders against Hugging Face transformers (tests/golden/arch/rank, a BERT with pooler and
 * classifier), pairs cut as its tokenizers cut them, and heads that must be refused. */
#include "arch.h"
#include "model/pair.h"

#define RANK ARCH("rank")

static const ModelOpts as_reranker = {.reranker = true};

/* The score of ids whose second text begins at `second`. */
static float score_ids(const Model *m, const int32_t *ids, size_t n, uint32_t second) {
    const uint32_t starts[] = {0, (uint32_t)n};
    const NetBatch batch = {
        .ids = ids, .starts = starts, .n_texts = 1, .n_tokens = n, .longest = n, .seconds = &second};
    float *hidden = arch_hidden(m, &batch, NULL), scratch[ARCH_DIM_MAX];
    CHECK(head_scratch(m->head) <= ARCH_DIM_MAX);
    CHECK_OK(head_run(m->head, hidden, scratch)); /* the first row: [CLS] */
    float score = hidden[0];
    free(hidden);
    return score;
}

static void every_level_gives_the_scores_of_transformers(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    for (size_t i = 0; i < n_levels; i++) {
        Arena a = {0};
        Buf bytes = {0};
        Str text, line;
        size_t cases = 0;
        Model *m = tiny_open(RANK, levels[i], &as_reranker, &bytes);
        CHECK_OK(file_read(&a, TESTS_DIR "/golden/arch/rank.txt", 1 << 20, &text));
        while (str_line(&text, &line)) {
            Str list, second, hex, field;
            int32_t ids[ARCH_IDS_MAX];
            int64_t v = 0;
            size_t n = 0;
            float want = 0;
            CHECK(str_cut(&line, '\t', &list) && str_cut(&line, '\t', &second) && str_cut(&line, '\t', &hex));
            while (str_cut(&list, ',', &field)) {
                CHECK(n < ARCH_IDS_MAX && str_to_i64(field, &v));
                ids[n++] = (int32_t)v;
            }
            CHECK(str_to_i64(second, &v) && hex_read(hex, (uint8_t *)&want, sizeof want));
            CHECK_NEAR(score_ids(m, ids, n, (uint32_t)v), want, 1e-5);
            cases++;
        }
        CHECK_INT(cases, 6);
        model_close(m);
        buf_free(&bytes);
        arena_free(&a);
    }
}

static const Str docs[] = {STR("read the file"), STR(""), STR("retry with back off on error"),
                           STR("vector search (open) the file, the file, the file, the file, the file, the file, the "
                               "file, the file, the file, the file, the file")};
enum { DOCS = sizeof docs / sizeof *docs };

/* [CLS] query [SEP] doc [SEP], put together by hand where nothing must be cut. */
static float score_by_hand(const Model *m, Str query, Str doc) {
    int32_t ids[ARCH_IDS_MAX];
    size_t n = 0, at = 1;
    ids[0] = tok_special(m->tok)->cls;
    CHECK_OK(model_tokenize(m, query, false, ids + 1, ARCH_IDS_MAX - 1, &n));
    ids[at += n] = tok_special(m->tok)->sep;
    uint32_t second = (uint32_t)++at;
    CHECK_OK(model_tokenize(m, doc, false, ids + at, ARCH_IDS_MAX - at, &n));
    ids[at += n] = tok_special(m->tok)->sep;
    return score_ids(m, ids, at + 1, second);
}

static void reranking_scores_each_document_by_itself(void **state) {
    (void)state;
    Buf bytes = {0};
    Pool *pool = NULL;
    Str query = STR("open the file");
    float scores[DOCS], shared[DOCS], one = 0;
    Model *m = tiny_open(RANK, kern_table(), &as_reranker, &bytes);
    CHECK_OK(pool_open(&pool, 3));
    CHECK_OK(model_rerank(m, NULL, query, docs, DOCS, NULL, scores, NULL));
    CHECK_OK(model_rerank(m, pool, query, docs, DOCS, NULL, shared, NULL));
    CHECK(memcmp(scores, shared, sizeof scores) == 0);
    for (size_t i = 0; i < DOCS; i++) {
        CHECK_OK(model_rerank(m, NULL, query, &docs[i], 1, NULL, &one, NULL));
        CHECK(memcmp(&one, &scores[i], sizeof one) == 0);
    }
    for (size_t i = 0; i < 3; i++) {
        one = score_by_hand(m, query, docs[i]);
        CHECK(memcmp(&one, &scores[i], sizeof one) == 0);
    }
    CHECK_OK(model_rerank(m, NULL, query, docs, 0, NULL, scores, NULL));
    pool_close(pool);
    model_close(m);
    buf_free(&bytes);
}

/* n times a letter that is a token. */
static Str letters(char letter, size_t n, char out[256]) {
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = letter;
        out[2 * i + 1] = ' ';
    }
    return str_make(out, 2 * n);
}

static void a_pair_too_long_is_cut_longest_first(void **state) {
    (void)state;
    /* Tokens of query and document, and what is left of them of 21 (24 without the three marks), as transformers cuts
     * by truncation=True. */
    static const struct {
        size_t query, doc, query_left, doc_left;
    } cases[] = {{3, 5, 3, 5},     {10, 11, 10, 11}, {3, 40, 3, 18},   {40, 3, 18, 3},
                 {30, 40, 10, 11}, {40, 30, 11, 10}, {11, 11, 10, 11}, {0, 90, 0, 21}};
    Buf bytes = {0};
    Arena a = {0};
    Model *m = tiny_open(RANK, kern_table(), &as_reranker, &bytes);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char q[256], d[256];
        Pair pair;
        int32_t ids[24], letter[2];
        size_t n = 0, left = 0;
        uint32_t second = 0;
        CHECK_OK(model_tokenize(m, STR("a"), false, &letter[0], 1, &n));
        CHECK_OK(model_tokenize(m, STR("b"), false, &letter[1], 1, &n));
        CHECK_OK(pair_open(&pair, &a, m->gguf, m->tok, 24, letters('a', cases[i].query, q)));
        CHECK_OK(pair_encode(&pair, letters('b', cases[i].doc, d), ids, 24, &n, &second));
        CHECK_INT(n, cases[i].query + cases[i].doc + 3);
        CHECK_INT(second, cases[i].query_left + 2);
        left = cases[i].query_left + cases[i].doc_left + 3;
        for (size_t at = 0; at < left; at++) {
            bool mark = at == 0 || at + 1 == second || at + 1 == left;
            if (!mark) CHECK_INT(ids[at], at < second ? letter[0] : letter[1]);
            if (mark) CHECK_INT(ids[at], at == 0 ? tok_special(m->tok)->cls : tok_special(m->tok)->sep);
        }
    }
    model_close(m);
    arena_free(&a);
    buf_free(&bytes);
}

static void a_limit_of_tokens_holds_for_pairs(void **state) {
    (void)state;
    Buf bytes = {0};
    float score = 0;
    const ModelOpts four = {.reranker = true, .max_tokens = 4}, twelve = {.reranker = true, .max_tokens = 12};
    const EmbedOpts strict = {.truncate_error = true};
    Model *m = tiny_open(RANK, kern_table(), &four, &bytes);
    CHECK_ERR(model_rerank(m, NULL, STR("the file"), docs, 1, NULL, &score, NULL), ERR_LIMIT,
              "4 tokens leave no room for a pair of texts");
    model_close(m);
    m = tiny_open(RANK, kern_table(), &twelve, &bytes);
    CHECK_OK(model_rerank(m, NULL, STR("the file"), &docs[3], 1, NULL, &score, NULL));
    CHECK_ERR(model_rerank(m, NULL, STR("the file"), &docs[3], 1, &strict, &score, NULL), ERR_LIMIT, "takes 12");
    model_close(m);
    buf_free(&bytes);
}

static void rerankers_rank_and_embedders_embed(void **state) {
    (void)state;
    Buf bytes = {0}, other = {0};
    float out[ARCH_DIM_MAX];
    Model *m = tiny_open(RANK, kern_table(), &as_reranker, &bytes);
    CHECK_ERR(model_embed(m, NULL, docs, 1, NULL, out, NULL), ERR_UNSUPPORTED, "is a reranker, it cannot embed");
    CHECK_ERR(tiny_try(&bytes, NULL), ERR_UNSUPPORTED, "is a reranker, it cannot embed");
    model_close(m);
    m = tiny_open(TINY, kern_table(), NULL, &other);
    CHECK_ERR(model_rerank(m, NULL, docs[0], docs, 1, NULL, out, NULL), ERR_UNSUPPORTED, "is not a reranker");
    CHECK_ERR(tiny_try(&other, &as_reranker), ERR_UNSUPPORTED, "is not a reranker");
    model_close(m);
    buf_free(&bytes);
    buf_free(&other);
}

/* ---- heads that cannot be ---- */

static float weights[2 * 24];

static Err try_head(const char *path, const char *without, void (*add)(GgufWriter *), const ModelOpts *opts) {
    Buf bytes = {0};
    tiny_changed(path, without, add, &bytes);
    Err err = tiny_try(&bytes, opts);
    buf_free(&bytes);
    return err;
}

static void add_two_labels(GgufWriter *w) {
    gguf_add_tensor(w, "cls.output.weight", BLOCK_F32, (uint64_t[]){24, 2}, 2,
                    str_make((const char *)weights, sizeof weights));
}
static void add_narrow(GgufWriter *w) {
    gguf_add_tensor(w, "cls.output.weight", BLOCK_F32, (uint64_t[]){23, 1}, 2,
                    str_make((const char *)weights, 23 * sizeof *weights));
}
static void add_norm(GgufWriter *w) {
    gguf_add_tensor(w, "cls.norm.weight", BLOCK_F32, (uint64_t[]){23}, 1,
                    str_make((const char *)weights, 23 * sizeof *weights));
}
static void add_activation(GgufWriter *w) { gguf_set_str(w, "pythia.rank.activation", STR("swish")); }
static void add_pooling(GgufWriter *w) { gguf_set_str(w, "pythia.rank.pooling", STR("max")); }
static void add_separators(GgufWriter *w) { gguf_set_u32(w, "pythia.pair.separators", 3); }
static void add_dense(GgufWriter *w) {
    gguf_add_tensor(w, "dense_2.weight", BLOCK_F32, (uint64_t[]){24, 2}, 2,
                    str_make((const char *)weights, sizeof weights));
}

static void heads_that_cannot_be_are_refused(void **state) {
    (void)state;
    CHECK_OK(try_head(RANK, "", NULL, &as_reranker));
    CHECK_OK(try_head(RANK, "cls.weight", NULL, &as_reranker)); /* a classifier alone */
    CHECK_ERR(try_head(RANK, "cls.output.weight", NULL, &as_reranker), ERR_UNSUPPORTED,
              "classifies into 24 labels; a reranker has 1");
    CHECK_ERR(try_head(RANK, "cls.output.weight", add_narrow, &as_reranker), ERR_CORRUPT,
              "tensor 'cls.output.weight' is 1 x 23, the metadata say 1 x 24");
    CHECK_ERR(try_head(RANK, "", add_norm, &as_reranker), ERR_CORRUPT, "'cls.norm.weight' is 1 x 23");
    CHECK_ERR(try_head(RANK, "", add_activation, &as_reranker), ERR_UNSUPPORTED,
              "'pythia.rank.activation' is 'swish', which is not known");
    CHECK_ERR(try_head(RANK, "", add_pooling, &as_reranker), ERR_UNSUPPORTED, "'pythia.rank.pooling' is 'max'");
    CHECK_ERR(try_head(TINY, "", add_dense, NULL), ERR_UNSUPPORTED, "turns 24 dimensions into 2 by dense layers");
    CHECK_ERR(try_head(RANK, "cls.output.weight", add_two_labels, &as_reranker), ERR_CORRUPT,
              "'cls.output.bias' is 1 x 1");
}

static void marks_that_cannot_be_are_refused(void **state) {
    (void)state;
    Buf bytes = {0};
    Model *m = NULL;
    float score = 0;
    tiny_changed(RANK, "", add_separators, &bytes);
    CHECK_OK(model_open_bytes(&m, buf_str(&bytes), "x.gguf", kern_table(), &as_reranker));
    CHECK_ERR(model_rerank(m, NULL, docs[0], docs, 1, NULL, &score, NULL), ERR_CORRUPT,
              "'pythia.pair.separators' is 3, 1 or 2 is possible");
    model_close(m);
    buf_free(&bytes);
}

static void add_rank(GgufWriter *w) { gguf_set_u32(w, "bert.pooling_type", POOL_RANK); }

static void a_reranker_without_a_classifier_is_refused(void **state) {
    (void)state;
    CHECK_ERR(try_head(TINY, "bert.pooling_type", add_rank, &as_reranker), ERR_UNSUPPORTED,
              "is a reranker without a classifier");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_the_scores_of_transformers),
        cmocka_unit_test(reranking_scores_each_document_by_itself),
        cmocka_unit_test(a_pair_too_long_is_cut_longest_first),
        cmocka_unit_test(a_limit_of_tokens_holds_for_pairs),
        cmocka_unit_test(rerankers_rank_and_embedders_embed),
        cmocka_unit_test(heads_that_cannot_be_are_refused),
        cmocka_unit_test(marks_that_cannot_be_are_refused),
        cmocka_unit_test(a_reranker_without_a_classifier_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
