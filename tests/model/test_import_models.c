/* test_import_models.c - whole Hugging Face folders of every architecture, imported and run: ids, vectors and scores
 * are those of sentence-transformers (tests/golden/import, made by tools/make_goldens_import.py). */
#include "arch.h"

#include "model/pair.h"
#include "model/prefix.h"

#define FOLDER(name) TESTS_DIR "/golden/import/" name

enum { IDS_MAX = 256, DIM_MAX = 64 };

typedef struct {
    Arena arena;
    const char *dir, *gguf; /* where the import went */
    Model *m;
} Imported;

static Imported import_open(const char *folder, bool reranker) {
    Imported j = {0};
    j.dir = arena_cstr(&j.arena, str_of(check_temp_dir()));
    j.gguf = path_join(&j.arena, j.dir, "out.gguf");
    CHECK_OK(model_import(folder, j.gguf, "tiny"));
    const ModelOpts opts = {.precision = MODEL_F32, .reranker = reranker, .no_cache = true};
    CHECK_OK(model_open(&j.m, j.gguf, &opts));
    return j;
}

static void import_close(Imported *j) {
    model_close(j->m);
    CHECK_OK(file_remove_tree(j->dir));
    arena_free(&j->arena);
}

typedef struct {
    Str kind, text;
    int32_t ids[IDS_MAX];
    size_t n;
    float want[DIM_MAX];
    size_t dim;
} Row;

static void row_read(Arena *a, Str line, Row *r) {
    Str hex, list, vector, field;
    int64_t id = 0;
    CHECK(str_cut(&line, '\t', &r->kind) && str_cut(&line, '\t', &hex) && str_cut(&line, '\t', &list) &&
          str_cut(&line, '\t', &vector));
    char *text = arena_alloc(a, hex.n / 2 + 1);
    CHECK(hex_read(hex, (uint8_t *)text, hex.n / 2));
    r->text = str_make(text, hex.n / 2);
    for (r->n = 0; str_cut(&list, ',', &field);) {
        CHECK(r->n < IDS_MAX && str_to_i64(field, &id));
        r->ids[r->n++] = (int32_t)id;
    }
    r->dim = vector.n / 8;
    CHECK(r->dim <= DIM_MAX && hex_read(vector, (uint8_t *)r->want, r->dim * sizeof *r->want));
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void check_ids(const Model *m, const Row *r, Str text) {
    int32_t ids[IDS_MAX];
    size_t n = 0;
    CHECK_OK(model_tokenize(m, text, true, ids, IDS_MAX, &n));
    size_t max = model_info(m)->max_tokens;
    int32_t end = tok_special(m->tok)->sep;
    if (n > max) ids[max - 1] = end >= 0 ? end : ids[max - 1];
    CHECK_INT(n > max ? max : n, r->n);
    for (size_t i = 0; i < r->n; i++)
        if (ids[i] != r->ids[i])
            fail_msg("'%.*s': token %zu is %d, the reference has %d", STR_FMT(text), i, ids[i], r->ids[i]);
}

/* The weights' type does not matter: the reference reads the same ones, in double precision. */
static void check_sentences(const char *folder, size_t n_rows) {
    Imported j = import_open(folder, false);
    Str text, line;
    size_t rows = 0;
    CHECK_OK(file_read(&j.arena, path_join(&j.arena, folder, "expected.txt"), 1 << 20, &text));
    for (; str_line(&text, &line); rows++) {
        Row r;
        row_read(&j.arena, line, &r);
        const ModelInfo *info = model_info(j.m);
        bool query = str_is(r.kind, "query");
        EmbedOpts opts = {.kind = query ? EMBED_QUERY : EMBED_DOCUMENT};
        float got[DIM_MAX];
        CHECK_INT(info->dim, r.dim);
        check_ids(j.m, &r, arena_printf(&j.arena, "%.*s%.*s", STR_FMT(info->prefix[opts.kind]), STR_FMT(r.text)));
        CHECK_OK(model_embed(j.m, NULL, &r.text, 1, &opts, got, NULL));
        if (cosine(got, r.want, r.dim) < 0.999999)
            fail_msg("%s: '%.*s': cosine %.8f", folder, STR_FMT(r.text), cosine(got, r.want, r.dim));
        for (size_t d = 0; d < r.dim; d++) CHECK_NEAR(got[d], r.want[d], 2e-5 * (info->normalize ? 1 : 10));
    }
    CHECK_INT(rows, n_rows);
    import_close(&j);
}

static void check_pairs(const char *folder) {
    Imported j = import_open(folder, true);
    Str text, line, hex;
    size_t rows = 0;
    CHECK_OK(file_read(&j.arena, path_join(&j.arena, folder, "expected.txt"), 1 << 20, &text));
    CHECK(str_line(&text, &hex));
    char *bytes = arena_alloc(&j.arena, hex.n / 2 + 1);
    CHECK(hex_read(hex, (uint8_t *)bytes, hex.n / 2));
    Str query = str_make(bytes, hex.n / 2);
    for (; str_line(&text, &line); rows++) {
        Row r;
        Pair pair;
        int32_t ids[IDS_MAX];
        uint32_t second = 0;
        size_t n = 0, max = model_info(j.m)->max_tokens;
        float score = 0;
        row_read(&j.arena, line, &r);
        CHECK_OK(pair_open(&pair, &j.arena, j.m->gguf, j.m->tok, max, query));
        CHECK_OK(pair_encode(&pair, r.text, ids, IDS_MAX, &n, &second));
        CHECK_INT(n > max ? max : n, r.n);
        for (size_t i = 0; i < r.n; i++) CHECK_INT(ids[i], r.ids[i]);
        CHECK_OK(model_rerank(j.m, NULL, query, &r.text, 1, NULL, &score, NULL));
        CHECK_NEAR(score, r.want[0], 2e-5 * (1 + fabs((double)r.want[0])));
    }
    CHECK_INT(rows, 8);
    import_close(&j);
}

#define SENTENCES(name, rows)                                                                                          \
    static void name##_embeds_as_sentence_transformers_does(void **state) {                                            \
        (void)state;                                                                                                   \
        check_sentences(FOLDER(#name), rows);                                                                          \
    }
#define RERANKER(name)                                                                                                 \
    static void name##_scores_as_a_cross_encoder_does(void **state) {                                                  \
        (void)state;                                                                                                   \
        check_pairs(FOLDER(#name));                                                                                    \
    }

SENTENCES(bert, 18)            /* weights in f16 */
SENTENCES(distilbert, 18)      /* first token, not normalised */
SENTENCES(roberta, 18)         /* byte-level BPE, positions behind the padding's */
SENTENCES(xlmr, 18)            /* Unigram */
SENTENCES(nomic, 18)           /* prompts */
SENTENCES(modern, 18)          /* layers with windows, composed text */
SENTENCES(qwen2, 17)           /* in three parts; no marks: the empty document has no tokens */
SENTENCES(qwen3, 18)           /* weights in bf16, a mark behind each text */
SENTENCES(gemma_embedding, 18) /* SentencePiece BPE, two dense layers */
RERANKER(bert_rank)
RERANKER(distilbert_rank)
RERANKER(roberta_rank)
RERANKER(xlmr_rank) /* words by Metaspace alone */
RERANKER(modern_rank_mean)
RERANKER(modern_rank_cls)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_embeds_as_sentence_transformers_does),
        cmocka_unit_test(distilbert_embeds_as_sentence_transformers_does),
        cmocka_unit_test(roberta_embeds_as_sentence_transformers_does),
        cmocka_unit_test(xlmr_embeds_as_sentence_transformers_does),
        cmocka_unit_test(nomic_embeds_as_sentence_transformers_does),
        cmocka_unit_test(modern_embeds_as_sentence_transformers_does),
        cmocka_unit_test(qwen2_embeds_as_sentence_transformers_does),
        cmocka_unit_test(qwen3_embeds_as_sentence_transformers_does),
        cmocka_unit_test(gemma_embedding_embeds_as_sentence_transformers_does),
        cmocka_unit_test(bert_rank_scores_as_a_cross_encoder_does),
        cmocka_unit_test(distilbert_rank_scores_as_a_cross_encoder_does),
        cmocka_unit_test(roberta_rank_scores_as_a_cross_encoder_does),
        cmocka_unit_test(xlmr_rank_scores_as_a_cross_encoder_does),
        cmocka_unit_test(modern_rank_mean_scores_as_a_cross_encoder_does),
        cmocka_unit_test(modern_rank_cls_scores_as_a_cross_encoder_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
