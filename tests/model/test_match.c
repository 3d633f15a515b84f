/* test_match.c - texts compared with a question token by token: what model_match tells against the same sum written
 * plainly. */
#include <math.h>

#include "tiny.h"

enum { TEXTS = 4, DIM = 24, TOKENS_MAX = 64 };

static const Str question = STR("(open) the vector search");
static const Str texts[TEXTS] = {STR("the file read the file"), STR("retry, open (x) = vector"), STR(""),
                                 STR("(open) the vector search")};

/* The tokens of a text that are no special ones, as the network leaves them. */
typedef struct {
    const Model *m;
    double rows[TEXTS][TOKENS_MAX][DIM];
    int32_t ids[TEXTS][TOKENS_MAX];
    size_t n[TEXTS];
} Kept;

static Err keep(void *ctx, size_t text, const int32_t *ids, const float *hidden, size_t n) {
    Kept *k = ctx;
    CHECK(text < TEXTS && n <= TOKENS_MAX);
    for (size_t i = 1; i + 1 < n; i++) { /* between [CLS] and [SEP] */
        k->ids[text][k->n[text]] = ids[i];
        for (size_t d = 0; d < DIM; d++) k->rows[text][k->n[text]][d] = (double)hidden[i * DIM + d];
        k->n[text]++;
    }
    return ERR_OK;
}

static double cosine(const double *a, const double *b, const double *mean) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t d = 0; d < DIM; d++) {
        const double x = a[d] - mean[d], y = b[d] - mean[d];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static void mean_of(const Kept *k, double *mean) {
    size_t n = 0;
    for (size_t i = 0; i < TEXTS; i++) n += k->n[i];
    for (size_t d = 0; d < DIM; d++) {
        mean[d] = 0;
        for (size_t i = 0; i < TEXTS; i++)
            for (size_t t = 0; t < k->n[i]; t++) mean[d] += k->rows[i][t][d] / (double)n;
    }
}

static void held_plainly(const Model *m, double *held) {
    static Kept of, asked;
    float out[TEXTS * DIM];
    double mean[DIM], weights = 0;
    of = asked = (Kept){.m = m};
    CHECK_OK(model_embed_tokens(m, NULL, texts, TEXTS, NULL, out, keep, &of));
    CHECK_OK(model_embed_tokens(m, NULL, &question, 1, NULL, out, keep, &asked));
    mean_of(&of, mean);
    for (size_t i = 0; i < TEXTS; i++) held[i] = 0;
    for (size_t q = 0; q < asked.n[0]; q++) {
        double near[TEXTS], sum = 0;
        const Str token = tok_text(m->tok, asked.ids[0][q]);
        if (strchr("()=", token.p[token.n - 1])) continue;
        for (size_t i = 0; i < TEXTS; i++) {
            near[i] = -1;
            for (size_t t = 0; t < of.n[i]; t++) near[i] = fmax(near[i], cosine(asked.rows[0][q], of.rows[i][t], mean));
            if (of.n[i]) sum += near[i];
        }
        const double weight = fmin(fmax(1 - sum / (TEXTS - 1), 0.1), 1); /* one text is empty */
        for (size_t i = 0; i < TEXTS; i++) held[i] += of.n[i] ? weight * near[i] : 0;
        weights += weight;
    }
    for (size_t i = 0; i < TEXTS; i++) held[i] /= weights;
}

static void held_is_the_weighted_mean_of_each_tokens_nearest(void **state) {
    (void)state;
    const Kern *levels[8];
    const size_t n_levels = kern_levels(levels, 8);
    for (size_t l = 0; l < n_levels; l++) {
        Buf bytes = {0};
        float out[TEXTS * DIM], plain[TEXTS * DIM], held[TEXTS];
        double want[TEXTS];
        Model *m = tiny_open(TINY, levels[l], NULL, &bytes);
        CHECK_INT(model_info(m)->dim, DIM);
        CHECK(model_matches(m));
        held_plainly(m, want);
        CHECK_OK(model_match(m, NULL, question, texts, TEXTS, NULL, out, held));
        for (size_t i = 0; i < TEXTS; i++) CHECK_NEAR(held[i], want[i], 1e-5); /* sums of 24 floats */
        CHECK(held[0] != held[1] && held[0] < 0.9f);
        CHECK_NEAR(held[3], 1, 1e-5); /* the question itself */
        CHECK_OK(model_embed(m, NULL, texts, TEXTS, NULL, plain, NULL));
        CHECK(memcmp(out, plain, sizeof out) == 0);
        model_close(m);
        buf_free(&bytes);
    }
}

static void threads_change_nothing(void **state) {
    (void)state;
    Buf bytes = {0};
    Pool *pool = NULL;
    float out[TEXTS * DIM], alone[TEXTS], shared[TEXTS];
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_OK(pool_open(&pool, 3));
    CHECK_OK(model_match(m, NULL, question, texts, TEXTS, NULL, out, alone));
    CHECK_OK(model_match(m, pool, question, texts, TEXTS, NULL, out, shared));
    CHECK(memcmp(alone, shared, sizeof alone) == 0);
    pool_close(pool);
    model_close(m);
    buf_free(&bytes);
}

static void what_has_no_tokens_is_held_by_nothing(void **state) {
    (void)state;
    Buf bytes = {0};
    float out[TEXTS * DIM], held[TEXTS] = {9, 9, 9, 9};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_OK(model_match(m, NULL, question, texts, TEXTS, NULL, out, held));
    CHECK(held[2] == 0 && held[3] != 0);
    CHECK_OK(model_match(m, NULL, STR("(=)"), texts, TEXTS, NULL, out, held)); /* marks alone */
    for (size_t i = 0; i < TEXTS; i++) CHECK(held[i] == 0);
    CHECK_OK(model_match(m, NULL, question, &texts[2], 1, NULL, out, held));
    CHECK(held[0] == 0);
    CHECK_OK(model_match(m, NULL, question, texts, 0, NULL, out, held));
    model_close(m);
    buf_free(&bytes);
}

static void a_deadline_and_a_reranker_are_told(void **state) {
    (void)state;
    Buf bytes = {0}, ranks = {0};
    float out[TEXTS * DIM], held[TEXTS];
    const Deadline over = {.at_ns = 1};
    const EmbedOpts late = {.deadline = &over};
    Model *m = tiny_open(TINY, kern_table(), NULL, &bytes);
    CHECK_INT(model_match(m, NULL, question, texts, TEXTS, &late, out, held), ERR_DEADLINE);
    model_close(m);
    m = tiny_open(TESTS_DIR "/golden/arch/rank.gguf", kern_table(), &(ModelOpts){.reranker = true}, &ranks);
    CHECK(!model_matches(m));
    CHECK_ERR(model_match(m, NULL, question, texts, TEXTS, NULL, out, held), ERR_UNSUPPORTED, "is a reranker");
    model_close(m);
    buf_free(&bytes);
    buf_free(&ranks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_is_the_weighted_mean_of_each_tokens_nearest),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(what_has_no_tokens_is_held_by_nothing),
        cmocka_unit_test(a_deadline_and_a_reranker_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
