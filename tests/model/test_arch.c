/* test_arch.c - nomic-BERT, ModernBERT, Qwen2, Qwen3, Gemma 3, Gemma-embedding and XLM-RoBERTa against Hugging Face
 * transformers (tests/golden/arch, made by tools/make_goldens_arch.py), at every level of kernels: alone, in batches,
 * over a pool. */
#include "arch.h"

static const char *const models[] = {ARCH("nomic"),  ARCH("modern"),          ARCH("qwen2"),  ARCH("qwen3"),
                                     ARCH("gemma3"), ARCH("gemma_embedding"), ARCH("roberta")};
enum { MODELS = sizeof models / sizeof *models };

/* As embed.c does it: pooled, through the head, normalised. */
static void finish(const Model *m, const float *hidden, size_t n, float *out) {
    size_t dim = m->info.dim;
    float *scratch = malloc((head_scratch(m->head) + 1) * sizeof *scratch);
    if (m->info.pooling == POOL_MEAN)
        m->kern->mean_rows(hidden, n, dim, out);
    else
        memcpy(out, m->info.pooling == POOL_CLS ? hidden : hidden + (n - 1) * dim, dim * sizeof *out);
    CHECK_OK(head_run(m->head, out, scratch));
    m->kern->normalize(out, dim);
    free(scratch);
}

static void every_level_gives_the_vectors_of_transformers(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    for (size_t i = 0; i < n_levels; i++)
        for (size_t k = 0; k < MODELS; k++) {
            Buf bytes = {0};
            ArchCase cases[ARCH_CASES_MAX];
            Model *m = tiny_open(models[k], levels[i], NULL, &bytes);
            size_t n = arch_cases(models[k], m->info.dim, cases);
            CHECK_INT(n, 8);
            for (size_t c = 0; c < n; c++) {
                float got[ARCH_DIM_MAX], *hidden = arch_hidden_one(m, cases[c].ids, cases[c].n);
                finish(m, hidden, cases[c].n, got);
                /* Elements of unit vectors; f32 against a reference in double, some 100 roundings deep */
                for (size_t d = 0; d < m->info.dim; d++) CHECK_NEAR(got[d], cases[c].want[d], 1e-5);
                free(hidden);
            }
            model_close(m);
            buf_free(&bytes);
        }
}

/* Each model's cases many times over: enough work that a pool shares heads and rows too. */
enum { REPEATS = 36 };

static void a_batch_gives_the_bits_of_single_texts(void **state) {
    (void)state;
    static int32_t ids[REPEATS * ARCH_CASES_MAX * ARCH_IDS_MAX];
    static uint32_t starts[REPEATS * ARCH_CASES_MAX + 1];
    Pool *pool = NULL;
    CHECK_OK(pool_open(&pool, 3));
    for (size_t k = 0; k < MODELS; k++) {
        Buf bytes = {0};
        ArchCase cases[ARCH_CASES_MAX];
        NetBatch batch = {.ids = ids, .starts = starts};
        Model *m = tiny_open(models[k], kern_table(), NULL, &bytes);
        size_t n = arch_cases(models[k], m->info.dim, cases), dim = m->info.dim;
        for (size_t c = 0; c < REPEATS * n; c++) {
            const ArchCase *one = &cases[c % n];
            memcpy(ids + batch.n_tokens, one->ids, one->n * sizeof *ids);
            starts[++batch.n_texts] = (uint32_t)(batch.n_tokens += one->n);
            if (one->n > batch.longest) batch.longest = one->n;
        }
        float *all = arch_hidden(m, &batch, NULL), *shared = arch_hidden(m, &batch, pool);
        CHECK(memcmp(all, shared, batch.n_tokens * dim * sizeof *all) == 0);
        for (size_t c = 0; c < n; c++) {
            float *one = arch_hidden_one(m, cases[c].ids, cases[c].n);
            CHECK(memcmp(one, all + starts[c] * dim, cases[c].n * dim * sizeof *one) == 0);
            CHECK(memcmp(one, all + starts[n + c] * dim, cases[c].n * dim * sizeof *one) == 0);
            free(one);
        }
        free(all);
        free(shared);
        model_close(m);
        buf_free(&bytes);
    }
    pool_close(pool);
}

static double cosine(const float *a, const float *b, size_t n) {
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

/* Lowest and mean cosine of a golden file's cases in a precision. */
static void check_precision(const char *path, const Kern *kern, ModelPrecision precision, double lowest, double mean) {
    Buf bytes = {0};
    ArchCase cases[ARCH_CASES_MAX];
    const ModelOpts opts = {.precision = precision};
    Model *m = tiny_open(path, kern, &opts, &bytes);
    size_t n = arch_cases(path, m->info.dim, cases);
    double low = 1, sum = 0;
    for (size_t c = 0; c < n; c++) {
        float got[ARCH_DIM_MAX], *hidden = arch_hidden_one(m, cases[c].ids, cases[c].n);
        finish(m, hidden, cases[c].n, got);
        double one = cosine(got, cases[c].want, m->info.dim);
        low = one < low ? one : low;
        sum += one / (double)n;
        free(hidden);
    }
    if (low < lowest || sum < mean)
        fail_msg("%s, %s, precision %d: cosine %.6f, mean %.6f", path, kern->name, (int)precision, low, sum);
    model_close(m);
    buf_free(&bytes);
}

/* Networks some 20 wide err more in int8 than those that are used, 400 to 4,000 wide: less evens out. */
static void low_precisions_stay_near(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    for (size_t i = 0; i < n_levels; i++)
        for (size_t k = 0; k < MODELS; k++) {
            check_precision(models[k], levels[i], MODEL_EXACT, 0.999, 0.9998);
            check_precision(models[k], levels[i], MODEL_FAST, 0.95, 0.99);
        }
}

/* A token of a decoder does not see what follows: a longer text has the same first rows. */
static void decoders_do_not_look_ahead(void **state) {
    (void)state;
    static const char *const decoders[] = {ARCH("qwen2"), ARCH("qwen3"), ARCH("gemma3")};
    int32_t ids[30];
    for (size_t i = 0; i < 30; i++) ids[i] = (int32_t)(5 + i);
    for (size_t k = 0; k < 3; k++) {
        Buf bytes = {0};
        Model *m = tiny_open(decoders[k], kern_table(), NULL, &bytes);
        float *longer = arch_hidden_one(m, ids, 30), *shorter = arch_hidden_one(m, ids, 11);
        CHECK(memcmp(longer, shorter, 11 * m->info.dim * sizeof *longer) == 0);
        free(longer);
        free(shorter);
        model_close(m);
        buf_free(&bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_the_vectors_of_transformers),
        cmocka_unit_test(a_batch_gives_the_bits_of_single_texts),
        cmocka_unit_test(low_precisions_stay_near),
        cmocka_unit_test(decoders_do_not_look_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
