/* test_distill.c - static tables: what is made of the tiny networks against numpy's (tools/make_goldens_distill.py),
 * that it does not depend on threads, what a vector of it is, and the eigenvectors that it rests on. */
#include <math.h>
#include <sys/stat.h>

#include "arch.h"
#include "model/distill.h"
#include "model/distill_pca.h"
#include "model/tok_vocab.h"

enum { DIM = 16, TABLE_MAX = 4096, VOCAB = 95 };

typedef struct {
    Arena arena;
    Model *parent, *made;
    const char *path;
    DistillReport report;
} Made;

/* A table of a golden network, and the model that it is. */
static Made make(const char *parent, const DistillOpts *opts, Pool *pool) {
    Made m = {0};
    CHECK_OK(model_open(&m.parent, parent, NULL));
    m.path = path_join(&m.arena, check_temp_dir(), "table.gguf");
    DistillOpts o = opts ? *opts : (DistillOpts){0};
    if (!o.name) o.name = "tiny-static";
    CHECK_OK(model_distill(m.parent, pool, &o, m.path, &m.report));
    CHECK_OK(model_open(&m.made, m.path, NULL));
    return m;
}

static void drop(Made *m) {
    model_close(m->parent);
    model_close(m->made);
    CHECK_OK(file_remove_tree(arena_cstr(&m->arena, path_dir(str_of(m->path)))));
    arena_free(&m->arena);
}

static Str file_of(Made *m) {
    Str bytes = {NULL, 0};
    CHECK_OK(file_read(&m->arena, m->path, 1 << 24, &bytes));
    return bytes;
}

/* The row of a token, from the file. */
static void row_of(const Made *m, size_t id, float *out) {
    net_row(m->made->kern, gguf_tensor(m->made->gguf, "token_embd.weight"), id, out);
}

/* ---- against the reference ---- */

static void check_golden(const char *parent, const char *golden) {
    Made m = make(parent, &(DistillOpts){.dim = DIM}, NULL);
    Str text, line, field;
    bool seen[VOCAB] = {false};
    CHECK_OK(file_read(&m.arena, golden, 1 << 20, &text));
    CHECK(str_line(&text, &line) && str_cut(&line, '\t', &field));
    CHECK_NEAR(m.report.explained, strtod(arena_cstr(&m.arena, line), NULL), 1e-5);
    size_t rows = 0;
    for (; str_line(&text, &line); rows++) {
        int64_t id = 0;
        float want[DIM], got[DIM];
        CHECK(str_cut(&line, '\t', &field) && str_to_i64(field, &id) && id < VOCAB);
        CHECK(hex_read(line, (uint8_t *)want, sizeof want));
        row_of(&m, (size_t)id, got);
        /* f32 through the network, covariance in f32 and double, then half precision (2^-11 of each number). */
        for (size_t k = 0; k < DIM; k++) CHECK_NEAR(got[k], want[k], 2e-4 + 5e-4 * fabs((double)want[k]));
        seen[id] = true;
    }
    CHECK_INT(rows, 90);
    CHECK_INT(m.report.tokens, rows);
    CHECK_INT(m.report.dim, DIM);
    for (size_t id = 0; id < VOCAB; id++) { /* the others: marks */
        float got[DIM];
        row_of(&m, id, got);
        for (size_t k = 0; !seen[id] && k < DIM; k++) CHECK(got[k] == 0);
    }
    drop(&m);
}

static void the_table_of_a_mean_pooled_network_is_the_references(void **state) {
    (void)state;
    check_golden(TINY, TESTS_DIR "/golden/distill_mean.txt");
}

static void the_table_of_a_cls_pooled_network_is_the_references(void **state) {
    (void)state;
    check_golden(TINY_MIXED, TESTS_DIR "/golden/distill_cls.txt");
}

/* ---- what comes out ---- */

static void the_same_bytes_come_at_any_number_of_threads(void **state) {
    (void)state;
    Made one = make(TINY_MIXED, NULL, NULL);
    Str want = file_of(&one);
    for (size_t threads = 2; threads <= 5; threads++) {
        Pool *pool = NULL;
        CHECK_OK(pool_open(&pool, threads));
        Made many = make(TINY_MIXED, NULL, pool);
        CHECK(str_eq(file_of(&many), want));
        drop(&many);
        pool_close(pool);
    }
    drop(&one);
}

static void a_vector_is_the_normalised_sum_of_its_tokens_rows(void **state) {
    (void)state;
    Made m = make(TINY, &(DistillOpts){.dim = DIM}, NULL);
    const Str texts[] = {STR("the file"), STR("reading the open file, the error = 42"), STR("zzz@zzz the"), STR("q")};
    enum { TEXTS = sizeof texts / sizeof *texts };
    float got[TEXTS * DIM];
    EmbedInfo info[TEXTS];
    CHECK_OK(model_embed(m.made, NULL, texts, TEXTS, NULL, got, info));
    for (size_t i = 0; i < TEXTS; i++) {
        int32_t ids[64];
        double sum[DIM] = {0}, square = 0;
        size_t n = 0;
        CHECK_OK(model_tokenize(m.made, texts[i], true, ids, 64, &n));
        CHECK_INT(info[i].tokens, n); /* the parent's count: marks are counted, though they add nothing */
        for (size_t t = 0; t < n; t++) {
            float row[DIM];
            row_of(&m, (size_t)ids[t], row);
            for (size_t k = 0; k < DIM; k++) sum[k] += (double)row[k];
        }
        for (size_t k = 0; k < DIM; k++) square += sum[k] * sum[k];
        CHECK(square > 0);
        for (size_t k = 0; k < DIM; k++) CHECK_NEAR(got[i * DIM + k], sum[k] / sqrt(square), 1e-6);
    }
    drop(&m);
}

static void a_text_of_nothing_known_is_like_no_other(void **state) {
    (void)state;
    Made m = make(TINY, NULL, NULL);
    const Str texts[] = {STR(""), STR("\xE2\x98\x83"), STR("[MASK] [SEP]")};
    float got[3 * 24];
    CHECK_OK(model_embed(m.made, NULL, texts, 3, NULL, got, NULL));
    for (size_t i = 0; i < 3 * 24; i++) CHECK(got[i] == 0);
    drop(&m);
}

static void one_text_has_the_same_bits_in_any_batch(void **state) {
    (void)state;
    enum { MANY = 700 };
    Made m = make(TINY, NULL, NULL);
    static char letters[] = "the file read ing open retry back off error vector search abc def 0123 (x) = y_z ";
    static Str texts[MANY];
    static float all[MANY * 24], one[24];
    Pool *pool = NULL;
    CHECK_OK(pool_open(&pool, 3));
    for (size_t i = 0; i < MANY; i++) texts[i] = str_make(letters + i % 31, i * 7 % 50);
    CHECK_OK(model_embed(m.made, pool, texts, MANY, NULL, all, NULL));
    for (size_t i = 0; i < MANY; i += 11) {
        CHECK_OK(model_embed(m.made, NULL, &texts[i], 1, NULL, one, NULL));
        CHECK(memcmp(one, all + i * 24, sizeof one) == 0);
    }
    pool_close(pool);
    drop(&m);
}

static void the_file_tells_where_it_comes_from(void **state) {
    (void)state;
    Made m = make(TINY, &(DistillOpts){.dim = 8, .sif = 0.01}, NULL);
    const ModelInfo *made = model_info(m.made), *parent = model_info(m.parent);
    char hex[65];
    Str s = {NULL, 0};
    float f = 0;
    uint32_t u = 0;
    const Gguf *g = m.made->gguf;
    CHECK_STR(made->arch, "pythia-static");
    CHECK_STR(made->name, "tiny-static");
    CHECK_STR(made->parent, "tiny");
    CHECK_STR(parent->parent, "");
    CHECK_STR(made->tensor_types, "F16");
    CHECK_INT(made->dim, 8);
    CHECK_INT(made->max_tokens, parent->max_tokens);
    CHECK_INT(made->n_layers, 0);
    CHECK_OK(gguf_get_str(g, "pythia.distill.parent.sha256", &s));
    hex_write(parent->id.bytes, sizeof parent->id.bytes, hex);
    CHECK_STR(s, hex);
    CHECK_OK(gguf_get_str(g, "pythia.distill.parent.architecture", &s));
    CHECK_STR(s, "bert");
    CHECK_OK(gguf_get_f32(g, "pythia.distill.sif", &f));
    CHECK_NEAR(f, 0.01, 1e-9);
    CHECK_OK(gguf_get_f32(g, "pythia.distill.explained", &f));
    CHECK_NEAR(f, m.report.explained, 1e-6);
    CHECK_OK(gguf_get_u32(g, "pythia.distill.version", &u));
    CHECK_INT(u, DISTILL_VERSION);
    CHECK(!gguf_key(g, "pythia.distill.corpus.passages"));
    Buf report = {0};
    CHECK_OK(model_verify(m.path, &report));
    CHECK_INT(report.n, 0);
    buf_free(&report);
    drop(&m);
}

static void the_parents_tokenizer_is_kept_key_by_key(void **state) {
    (void)state;
    Made m = make(TINY, NULL, NULL);
    size_t keys = 0;
    for (size_t i = 0; i < gguf_keys(m.parent->gguf); i++) {
        const GgufKey *k = gguf_key_at(m.parent->gguf, i);
        if (!str_starts(k->key, STR("tokenizer."))) continue;
        const GgufKey *copy = gguf_key(m.made->gguf, arena_cstr(&m.arena, k->key));
        assert_non_null(copy);
        CHECK(copy->type == k->type && copy->item_type == k->item_type && copy->count == k->count);
        CHECK(str_eq(copy->bytes, k->bytes));
        keys++;
    }
    CHECK(keys >= 8);
    drop(&m);
}

static void every_architecture_that_embeds_can_be_distilled(void **state) {
    (void)state;
    const char *const parents[] = {ARCH("gemma_embedding"), ARCH("modern"), ARCH("nomic"),
                                   ARCH("qwen2"),           ARCH("qwen3"),  ARCH("roberta")};
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
        Made m = make(parents[i], NULL, NULL);
        float got[2 * ARCH_DIM_MAX];
        const Str texts[] = {STR("the file"), STR("read an error of the file")};
        size_t dim = model_info(m.made)->dim;
        CHECK_INT(dim, model_info(m.parent)->dim); /* fewer than 256 */
        CHECK_STR(model_info(m.made)->prefix[EMBED_DOCUMENT], "");
        CHECK_STR(model_info(m.made)->prefix[EMBED_QUERY], "");
        CHECK_OK(model_embed(m.made, NULL, texts, 2, NULL, got, NULL));
        for (size_t t = 0; t < 2; t++) CHECK_NEAR(m.made->kern->dot(got + t * dim, got + t * dim, dim), 1, 1e-5);
        drop(&m);
    }
}

/* ---- weights ---- */

static double length_of(const Made *m, size_t id) {
    float row[24];
    row_of(m, id, row);
    return sqrt((double)m->made->kern->dot(row, row, 24));
}

static int32_t id_of(const Model *m, const char *word) {
    int32_t id = 0;
    size_t n = 0;
    CHECK_OK(model_tokenize(m, str_of(word), false, &id, 1, &n));
    CHECK_INT(n, 1);
    return id;
}

static void a_corpus_weighs_tokens_by_how_few_passages_have_them(void **state) {
    (void)state;
    Made plain = make(TINY, NULL, NULL);
    DistillCorpus *c = NULL;
    CHECK_OK(distill_corpus_open(&c, plain.parent));
    for (size_t i = 0; i < 200; i++) /* "the" in all, twice; "file" in a fifth; "error" in none */
        CHECK_OK(distill_corpus_add(c, i % 5 ? STR("the open the") : STR("the file the")));
    CHECK_INT(distill_corpus_passages(c), 200);
    Made own = make(TINY, &(DistillOpts){.corpus = c}, NULL);
    const struct {
        const char *word;
        double idf, rank;
    } words[] = {{"the", log(201 / 200.5), 1}, {"file", log(201 / 40.5), 2}, {"error", log(201 / 0.5), 10}};
    double harmonic = 0, scale = 0;
    for (int r = 1; r <= 12; r++) harmonic += 1.0 / r;
    for (size_t i = 0; i < 3; i++) {
        size_t id = (size_t)id_of(plain.parent, words[i].word);
        double by_rank = 1e-3 / (1e-3 + 1 / (words[i].rank * harmonic));
        double ratio = length_of(&own, id) / words[i].idf / (length_of(&plain, id) / by_rank);
        if (i == 0) scale = ratio;
        CHECK_NEAR(ratio / scale, 1, 4e-3); /* "the" is small in half precision */
    }
    uint64_t passages = 0;
    Str hash = {NULL, 0};
    CHECK_OK(gguf_get_u64(own.made->gguf, "pythia.distill.corpus.passages", &passages));
    CHECK_INT(passages, 200);
    CHECK_OK(gguf_get_str(own.made->gguf, "pythia.distill.corpus.sha256", &hash));
    CHECK_INT(hash.n, 64);
    distill_corpus_close(c);
    drop(&plain);
    drop(&own);
}

static void a_long_document_is_many_passages(void **state) {
    (void)state;
    Model *m = NULL;
    DistillCorpus *c = NULL;
    Buf text = {0};
    CHECK_OK(model_open(&m, TINY, NULL));
    CHECK_OK(distill_corpus_open(&c, m));
    for (size_t i = 0; i < 311; i++) buf_add_z(&text, "the ");
    CHECK_OK(distill_corpus_add(c, buf_str(&text))); /* 33 tokens less two marks: 10 passages and a token */
    CHECK_INT(distill_corpus_passages(c), 11);
    CHECK_OK(distill_corpus_add(c, STR("")));
    CHECK_INT(distill_corpus_passages(c), 11);
    CHECK_OK(distill_corpus_add(c, STR("a")));
    CHECK_INT(distill_corpus_passages(c), 12);
    DistillReport report;
    CHECK_ERR(model_distill(m, NULL, &(DistillOpts){.name = "x", .corpus = c}, "/nowhere/x.gguf", &report), ERR_INPUT,
              "the corpus has 12 passages; 100 are needed");
    distill_corpus_close(c);
    buf_free(&text);
    model_close(m);
}

/* ---- what cannot be ---- */

static Err try_distill(const char *parent, const ModelOpts *open, size_t dim) {
    Model *m = NULL;
    DistillReport report;
    CHECK_OK(model_open(&m, parent, open));
    Err err = model_distill(m, NULL, &(DistillOpts){.name = "x", .dim = dim}, "/nowhere/x.gguf", &report);
    model_close(m);
    return err;
}

static void bad_parents_and_options_are_told(void **state) {
    (void)state;
    CHECK_ERR(try_distill(TINY, NULL, 25), ERR_LIMIT, "25 dimensions are not possible: model 'tiny' has 24");
    CHECK_ERR(try_distill(ARCH("rank"), &(ModelOpts){.reranker = true}, 0), ERR_UNSUPPORTED, "is a reranker");
    CHECK_ERR(try_distill(TINY, NULL, 0), ERR_IO, "/nowhere/x.gguf");
    Made m = make(TINY, NULL, NULL);
    CHECK_ERR(try_distill(m.path, NULL, 0), ERR_UNSUPPORTED, "'tiny-static' is a distilled table already");
    drop(&m);
    Model *remote = NULL;
    DistillReport report;
    const ModelRemoteOpts service = {.url = "http://127.0.0.1:9", .model = "there", .dim = 8};
    CHECK_OK(model_open_remote(&remote, &service));
    CHECK_ERR(model_distill(remote, NULL, &(DistillOpts){.name = "x"}, "/nowhere/x.gguf", &report), ERR_UNSUPPORTED,
              "is a service's model");
    model_close(remote);
}

static Err cancelled(void *ctx, size_t done, size_t total) {
    (void)ctx;
    CHECK(done > 0 && done <= total);
    return err_set(ERR_INTERRUPT, "run 7 was cancelled");
}

static void an_interrupt_leaves_what_was_there(void **state) {
    (void)state;
    Made m = make(TINY, NULL, NULL);
    const volatile int cancel = 1;
    const Deadline stop = {.cancel = &cancel};
    DistillReport report;
    Str before = file_of(&m);
    CHECK_INT(model_distill(m.parent, NULL, &(DistillOpts){.name = "x", .deadline = &stop}, m.path, &report),
              ERR_INTERRUPT);
    CHECK_ERR(model_distill(m.parent, NULL, &(DistillOpts){.name = "x", .progress = cancelled}, m.path, &report),
              ERR_INTERRUPT, "run 7 was cancelled");
    CHECK(str_eq(file_of(&m), before));
    drop(&m);
}

/* ---- damaged tables ---- */

static void set_pooling(GgufWriter *w) { gguf_set_u32(w, "pythia-static.pooling_type", POOL_CLS); }
static void add_narrow(GgufWriter *w) {
    static uint16_t rows[VOCAB * 8];
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F16, (const uint64_t[]){8, VOCAB}, 2,
                    str_make((const char *)rows, sizeof rows));
}
static void add_short(GgufWriter *w) {
    static uint16_t rows[24 * 50];
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F16, (const uint64_t[]){24, 50}, 2,
                    str_make((const char *)rows, sizeof rows));
}

static void check_damaged(const char *path, const char *without, void (*add)(GgufWriter *), Err code,
                          const char *part) {
    Buf bytes = {0};
    tiny_changed(path, without, add, &bytes);
    CHECK_ERR(tiny_try(&bytes, NULL), code, part);
    buf_free(&bytes);
}

static void damaged_tables_are_told(void **state) {
    (void)state;
    Made m = make(TINY, NULL, NULL);
    check_damaged(m.path, "token_embd.weight", NULL, ERR_CORRUPT, "no tensor 'token_embd.weight'");
    check_damaged(m.path, "token_embd.weight", add_narrow, ERR_CORRUPT, "is 95 x 8, the metadata say 95 x 24");
    check_damaged(m.path, "token_embd.weight", add_short, ERR_CORRUPT,
                  "95 tokens in its vocabulary, but vectors for 50");
    check_damaged(m.path, "pythia-static.pooling_type", set_pooling, ERR_UNSUPPORTED, "another pooling");
    check_damaged(m.path, "pythia-static.pooling_type", NULL, ERR_UNSUPPORTED, "how token vectors are pooled");
    check_damaged(m.path, "pythia-static.embedding_length", NULL, ERR_CORRUPT, "'pythia-static.embedding_length'");
    check_damaged(m.path, "pythia-static.context_length", NULL, ERR_CORRUPT, "'pythia-static.context_length'");
    drop(&m);
}

static void a_table_with_numbers_that_are_none_is_told(void **state) {
    (void)state;
    Made m = make(TINY, NULL, NULL);
    Str bytes = file_of(&m);
    const GgufTensor *rows = gguf_tensor(m.made->gguf, "token_embd.weight");
    size_t at = (size_t)(rows->data.p - gguf_bytes(m.made->gguf).p) + (size_t)id_of(m.made, "error") * 24 * 2;
    char *copy = malloc(bytes.n);
    assert_non_null(copy);
    memcpy(copy, bytes.p, bytes.n);
    memcpy(copy + at, "\x00\x7E", 2); /* NaN */
    Model *broken = NULL;
    Err err = model_open_bytes(&broken, str_make(copy, bytes.n), "x.gguf", kern_table(), NULL);
    CHECK_OK(err);
    float out[24];
    const Str text = STR("an error");
    CHECK_ERR(model_embed(broken, NULL, &text, 1, NULL, out, NULL), ERR_CORRUPT, "not finite");
    model_close(broken);
    free(copy);
    drop(&m);
}

/* ---- eigenvectors ---- */

static double noise(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (1 << 23) - 1;
}

/* A v = value v, vectors of length 1 at right angles, values falling, the sign as told. */
static void check_eigen(const double *a, size_t n) {
    double *copy = calloc(n * n + 1, sizeof *copy), *v = calloc(n * n + 1, sizeof *v),
           *values = calloc(n + 1, sizeof *v);
    double norm = 0;
    assert_non_null(copy);
    assert_non_null(v);
    assert_non_null(values);
    memcpy(copy, a, n * n * sizeof *a);
    for (size_t i = 0; i < n * n; i++) norm = fmax(norm, fabs(a[i]));
    CHECK_OK(eigen_symmetric(copy, n, NULL, v, values));
    for (size_t r = 0; r < n; r++) {
        const double *x = v + r * n;
        double top = 0;
        CHECK(r == 0 || values[r] <= values[r - 1]);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++) sum += a[i * n + j] * x[j];
            CHECK_NEAR(sum, values[r] * x[i], 1e-13 * (double)n * norm);
            if (fabs(x[i]) > fabs(top)) top = x[i];
        }
        CHECK(top > 0);
        for (size_t s = 0; s <= r; s++) {
            double dot = 0;
            for (size_t i = 0; i < n; i++) dot += x[i] * v[s * n + i];
            CHECK_NEAR(dot, r == s, 1e-13 * (double)n);
        }
    }
    free(copy);
    free(v);
    free(values);
}

static void eigenvectors_solve_any_symmetric_matrix(void **state) {
    (void)state;
    enum { MOST = 64 };
    static double a[MOST * MOST];
    uint32_t seed = 3;
    for (size_t n = 1; n <= MOST; n = n < 9 ? n + 1 : n * 2 - 3) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = noise(&seed);
        check_eigen(a, n);
        for (size_t i = 0; i < n; i++) /* of rank 1 */
            for (size_t j = 0; j < n; j++) a[i * n + j] = (double)(i + 1) * (double)(j + 1);
        check_eigen(a, n);
        for (size_t i = 0; i < n * n; i++) a[i] = i % (n + 1) ? 0 : 7; /* all values alike */
        check_eigen(a, n);
        for (size_t i = 0; i < n * n; i++) a[i] = i % (n + 1) ? 0 : (double)(i % 3) - 1; /* diagonal, twins, negative */
        check_eigen(a, n);
        memset(a, 0, sizeof a);
        check_eigen(a, n);
        for (size_t i = 0; i + 1 < n; i++) a[i * n + i + 1] = a[(i + 1) * n + i] = 1e-300; /* tiny, tridiagonal */
        check_eigen(a, n);
    }
}

static void eigenvalues_of_a_known_matrix_are_exact(void **state) {
    (void)state;
    enum { N = 24 }; /* -1, 2, -1: values 2 - 2 cos(pi k / (n + 1)) */
    double a[N * N] = {0}, v[N * N], values[N];
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i) a[i * N + i - 1] = a[(i - 1) * N + i] = -1;
    }
    CHECK_OK(eigen_symmetric(a, N, NULL, v, values));
    for (size_t k = 0; k < N; k++) CHECK_NEAR(values[k], 2 + 2 * cos(M_PI * (double)(k + 1) / (N + 1)), 1e-13);
}

static void a_matrix_that_is_not_finite_is_told(void **state) {
    (void)state;
    double a[] = {1, 2, 2, NAN}, v[4], values[2];
    CHECK_ERR(eigen_symmetric(a, 2, NULL, v, values), ERR_INPUT, "row 1 of a matrix is not finite");
    const volatile int cancel = 1;
    const Deadline stop = {.cancel = &cancel};
    double b[] = {1, 2, 2, 1};
    CHECK_INT(eigen_symmetric(b, 2, &stop, v, values), ERR_INTERRUPT);
}

static void axes_of_rows_are_those_of_their_covariance_at_every_level(void **state) {
    (void)state;
    enum { ROWS = 700, WIDE = 37, KEPT = 5 };
    static float rows[ROWS * WIDE], centred[ROWS * WIDE], out[ROWS * KEPT];
    static double covariance[WIDE * WIDE], v[WIDE * WIDE], values[WIDE];
    const Kern *levels[8];
    size_t n_levels = kern_levels(levels, 8);
    uint32_t seed = 9;
    double mean[WIDE] = {0};
    for (size_t i = 0; i < ROWS; i++)
        for (size_t d = 0; d < WIDE; d++) {
            rows[i * WIDE + d] = (float)(noise(&seed) * (double)(WIDE - d) + (double)d);
            mean[d] += (double)rows[i * WIDE + d] / ROWS;
        }
    for (size_t i = 0; i < ROWS; i++)
        for (size_t d = 0; d < WIDE; d++)
            for (size_t e = 0; e < WIDE; e++)
                covariance[d * WIDE + e] +=
                    ((double)rows[i * WIDE + d] - mean[d]) * ((double)rows[i * WIDE + e] - mean[e]) / ROWS;
    CHECK_OK(eigen_symmetric(covariance, WIDE, NULL, v, values));
    for (size_t l = 0; l < n_levels; l++) {
        Arena a = {0};
        Pool *pool = NULL;
        Pca pca;
        CHECK_OK(pool_open(&pool, 3));
        memcpy(centred, rows, sizeof rows);
        CHECK_OK(pca_fit(levels[l], pool, &a, centred, ROWS, WIDE, NULL, &pca));
        for (size_t k = 0; k < WIDE; k++) {
            CHECK_NEAR(pca.variances[k], values[k], 1e-5 * values[0]);
            CHECK_NEAR(pca.mean[k], mean[k], 1e-9);
        }
        CHECK_OK(pca_project(levels[l], pool, &pca, centred, ROWS, WIDE, KEPT, 1, out));
        for (size_t k = 0; k < KEPT; k++) { /* spread 1: each axis has variance 1 */
            double sum = 0;
            for (size_t i = 0; i < ROWS; i++) sum += (double)out[i * KEPT + k] * (double)out[i * KEPT + k] / ROWS;
            CHECK_NEAR(sum, 1, 1e-4);
        }
        pool_close(pool);
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_a_mean_pooled_network_is_the_references),
        cmocka_unit_test(the_table_of_a_cls_pooled_network_is_the_references),
        cmocka_unit_test(the_same_bytes_come_at_any_number_of_threads),
        cmocka_unit_test(a_vector_is_the_normalised_sum_of_its_tokens_rows),
        cmocka_unit_test(a_text_of_nothing_known_is_like_no_other),
        cmocka_unit_test(one_text_has_the_same_bits_in_any_batch),
        cmocka_unit_test(the_file_tells_where_it_comes_from),
        cmocka_unit_test(the_parents_tokenizer_is_kept_key_by_key),
        cmocka_unit_test(every_architecture_that_embeds_can_be_distilled),
        cmocka_unit_test(a_corpus_weighs_tokens_by_how_few_passages_have_them),
        cmocka_unit_test(a_long_document_is_many_passages),
        cmocka_unit_test(bad_parents_and_options_are_told),
        cmocka_unit_test(an_interrupt_leaves_what_was_there),
        cmocka_unit_test(damaged_tables_are_told),
        cmocka_unit_test(a_table_with_numbers_that_are_none_is_told),
        cmocka_unit_test(eigenvectors_solve_any_symmetric_matrix),
        cmocka_unit_test(eigenvalues_of_a_known_matrix_are_exact),
        cmocka_unit_test(a_matrix_that_is_not_finite_is_told),
        cmocka_unit_test(axes_of_rows_are_those_of_their_covariance_at_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
