/* test_weights.c - products with weights in every form: against double precision, form against form, alone and over a
 * pool; how forms are chosen, kept and refused. */
#include <math.h>

#include "base/file.h"
#include "check.h"
#include "model/weights.h"
#include "quant_fill.h"

enum { K = 512, N0 = 64, N1 = 32, N = N0 + N1, M = 33, TYPES = QUANT_TYPES + 3 };

static const Kern *levels[8];
static size_t n_levels;

static BlockType type_at(size_t i) {
    static const BlockType floats[] = {BLOCK_F32, BLOCK_F16, BLOCK_BF16};
    return i < 3 ? floats[i] : quant_scales[i - 3].type;
}

/* "a.weight" [N0, K] and "b.weight" [N1, K], with biases in F32. damage: a scale or number of b's third row is NaN. */
static void make_file(BlockType a, BlockType b, bool damage, Buf *out) {
    static char bytes[2][N0 * K * 4];
    static float bias[N0];
    const BlockType types[] = {a, b};
    GgufWriter *w = NULL;
    uint32_t seed = 3;
    CHECK_OK(gguf_writer_open(&w));
    for (size_t i = 0; i < N0; i++) bias[i] = (float)i / 8 - 2;
    for (size_t t = 0; t < 2; t++) {
        const BlockFormat *f = block_format((uint32_t)types[t]);
        size_t rows = t ? N1 : N0, row_bytes = K / f->items * f->bytes, at = 2 * row_bytes;
        quant_fill(types[t], rows * K, &seed, bytes[t]);
        for (size_t i = 0; i < QUANT_TYPES; i++)
            if (quant_scales[i].type == types[t]) at += (size_t)quant_scales[i].at[0];
        if (damage && t == 1) memset(bytes[t] + at, 0xFF, f->bytes < 4 ? f->bytes : types[t] == BLOCK_F32 ? 4 : 2);
        gguf_add_tensor(w, t ? "b.weight" : "a.weight", types[t], (const uint64_t[]){K, rows}, 2,
                        str_make(bytes[t], rows * row_bytes));
        gguf_add_tensor(w, t ? "b.bias" : "a.bias", BLOCK_F32, (const uint64_t[]){rows}, 1,
                        str_make((const char *)bias, rows * sizeof *bias));
    }
    CHECK_OK(gguf_writer_bytes(w, out));
    gguf_writer_close(w);
}

typedef struct {
    Buf bytes;
    Gguf *g;
    Arena arena;
    ModelInfo info;
    NetOpen open;
    WeightsLoader loader;
    WeightsBlock block;
    Weights w;
} Loaded;

static Err load(Loaded *l, BlockType a, BlockType b, bool damage, const Kern *kern, ModelPrecision precision,
                const LowCacheKey *cache) {
    static const NetPart parts[] = {{"a", N0}, {"b", N1}};
    *l = (Loaded){.info = {.precision = precision}};
    make_file(a, b, damage, &l->bytes);
    CHECK_OK(gguf_open_bytes(&l->g, buf_str(&l->bytes), "x.gguf"));
    l->open = (NetOpen){.gguf = l->g, .kern = kern, .info = &l->info, .cache = cache};
    l->open.low = precision == MODEL_FAST ? LOW_INT8 : LOW_BF16;
    l->loader.net = (NetLoader){.gguf = l->g, .kern = kern, .arena = &l->arena};
    l->loader.int8 = true;
    CHECK_OK(weights_want(&l->loader, &l->w, parts, 2, K, NET_BIASED));
    return weights_load(&l->loader, &l->open, &l->block);
}

static void unload(Loaded *l) {
    weights_block_close(&l->block);
    gguf_close(l->g);
    arena_free(&l->arena);
    buf_free(&l->bytes);
}

static float a[M * K];

static void times(const Loaded *l, const Weights *w, Pool *pool, size_t from, size_t m, float *out) {
    size_t floats = weights_scratch(l->open.kern, w, m, pool_size(pool));
    float *scratch = aligned_alloc(64, (floats + 16) / 16 * 16 * sizeof *scratch);
    assert_non_null(scratch);
    const WeightsRun run = {l->g, l->open.kern, pool, scratch};
    CHECK_OK(weights_times(&run, w, a + from * K, m, out));
    free(scratch);
}

/* Largest difference to double precision, as a share of the product's size. */
static double error_of(const Loaded *l, const float *got) {
    float row[K];
    double worst = 0, squares = 0;
    for (size_t j = 0; j < N; j++) {
        net_row(l->open.kern, gguf_tensor(l->g, j < N0 ? "a.weight" : "b.weight"), j < N0 ? j : j - N0, row);
        double bias = (double)(j < N0 ? j : j - N0) / 8 - 2;
        for (size_t i = 0; i < M; i++) {
            double want = bias;
            for (size_t k = 0; k < K; k++) want += (double)row[k] * (double)a[i * K + k];
            worst = fmax(worst, fabs(want - (double)got[i * N + j]));
            squares += want * want;
        }
    }
    return worst / sqrt(squares / (M * N));
}

/* The form alone, and in another shape of the work: over a pool, a row by itself. */
static void check_shapes(const Loaded *l, const Weights *w, Pool *pool, const float *want) {
    float got[M * N] = {0};
    times(l, w, pool, 0, M, got);
    CHECK(memcmp(got, want, sizeof got) == 0);
    for (size_t i = 0; i < M; i += 16) {
        times(l, w, NULL, i, 1, got);
        CHECK(memcmp(got, want + i * N, N * sizeof *got) == 0);
    }
}

static void check_form(BlockType x, BlockType y, const Kern *kern, ModelPrecision precision, WeightsForm form,
                       double tolerance, Pool *pool) {
    Loaded l;
    float got[M * N], other[M * N];
    CHECK_OK(load(&l, x, y, false, kern, precision, NULL));
    CHECK_INT(l.w.form, form);
    times(&l, &l.w, NULL, 0, M, got);
    CHECK(error_of(&l, got) < tolerance);
    check_shapes(&l, &l.w, pool, got);
    Weights strips = l.w;
    strips.form = form == WEIGHTS_PANELS ? WEIGHTS_STRIPS : WEIGHTS_LOW_STRIPS;
    if (form == WEIGHTS_PANELS || precision == MODEL_EXACT) {
        times(&l, &strips, NULL, 0, M, other);
        CHECK(memcmp(got, other, sizeof got) == 0);
        check_shapes(&l, &strips, pool, got);
    }
    unload(&l);
}

static void every_form_of_every_type_multiplies(void **state) {
    (void)state;
    Pool *pool = NULL;
    CHECK_OK(pool_open(&pool, 3));
    for (size_t i = 0; i < n_levels; i++)
        for (size_t t = 0; t < TYPES; t++) {
            BlockType x = type_at(t), y = type_at(t + 1 < TYPES ? t + 1 : 3);
            /* Shares of the products' size, the largest of 3,168 differences: rounding of f32; of bf16; of int8 */
            check_form(x, y, levels[i], MODEL_F32, WEIGHTS_PANELS, 5e-6, pool);
            check_form(x, y, levels[i], MODEL_EXACT, WEIGHTS_LOW, 0.015, pool);
            check_form(x, y, levels[i], MODEL_FAST, t < 3 ? WEIGHTS_LOW : WEIGHTS_BLOCKS, 0.06, pool);
        }
    pool_close(pool);
}

/* Found without decoding where weights are used as they lie, at packing else. */
static void what_is_not_a_number_is_found_in_every_form(void **state) {
    (void)state;
    static const ModelPrecision precisions[] = {MODEL_F32, MODEL_EXACT, MODEL_FAST};
    for (size_t t = 0; t < TYPES; t++)
        for (size_t p = 0; p < 3; p++) {
            Loaded l;
            CHECK_ERR(load(&l, BLOCK_Q8_0, type_at(t), true, kern_table(), precisions[p], NULL), ERR_CORRUPT,
                      "model 'x.gguf': tensor 'b.weight' has a weight that is not finite in row 2");
            unload(&l);
        }
}

static void single_tensors_are_taken_as_they_lie(void **state) {
    (void)state;
    for (size_t t = 0; t < TYPES; t++) {
        Loaded l;
        float got[M * N0], want[M * N];
        CHECK_OK(load(&l, type_at(t), BLOCK_F32, false, kern_table(), MODEL_F32, NULL));
        times(&l, &l.w, NULL, 0, M, want);
        const GgufTensor *tensor = gguf_tensor(l.g, "a.weight");
        Weights exact = weights_of(tensor, MODEL_F32), fast = weights_of(tensor, MODEL_FAST);
        CHECK_INT(exact.form, t < 3 ? WEIGHTS_BLOCKS : WEIGHTS_STRIPS);
        CHECK_INT(fast.form, WEIGHTS_BLOCKS);
        CHECK_OK(weights_check(l.g, NULL, &exact));
        times(&l, &exact, NULL, 0, M, got);
        for (size_t i = 0; i < M * N0; i++)
            CHECK_NEAR(got[i], want[i / N0 * N + i % N0] - ((float)(i % N0) / 8 - 2), 1e-4); /* sums of some 100 */
        unload(&l);
        CHECK_OK(load(&l, BLOCK_F32, type_at(t), true, kern_table(), MODEL_F32, NULL) == ERR_CORRUPT ? ERR_OK : ERR_IO);
        Weights bad = weights_of(gguf_tensor(l.g, "b.weight"), MODEL_F32);
        CHECK_ERR(weights_check(l.g, NULL, &bad), ERR_CORRUPT, "not finite in row 2");
        unload(&l);
    }
}

static void packed_weights_are_kept_and_found(void **state) {
    (void)state;
    char path[300];
    Arena arena = {0};
    Str file;
    (void)snprintf(path, sizeof path, "%s/x.packed", check_temp_dir());
    for (int precision = MODEL_EXACT; precision <= MODEL_FAST; precision++) {
        const LowCacheKey key = {path, precision == MODEL_FAST ? LOW_INT8 : LOW_BF16, kern_table()->name, {{1}}};
        Loaded l;
        float first[M * N], second[M * N];
        CHECK_OK(load(&l, BLOCK_F16, BLOCK_Q4_0, false, kern_table(), (ModelPrecision)precision, &key));
        assert_non_null(l.block.own);
        times(&l, &l.w, NULL, 0, M, first);
        unload(&l);
        CHECK_OK(file_read(&arena, path, 1 << 20, &file));
        CHECK_OK(load(&l, BLOCK_F16, BLOCK_Q4_0, false, kern_table(), (ModelPrecision)precision, &key));
        assert_null(l.block.own);
        times(&l, &l.w, NULL, 0, M, second);
        CHECK(memcmp(first, second, sizeof first) == 0);
        unload(&l);
    }
    arena_free(&arena);
}

static void a_model_that_does_not_fit_is_refused_with_the_numbers(void **state) {
    (void)state;
    Loaded l;
    const size_t gb = 1000000000;
    MemoryNow now = {.total = 8000000000, .available = 3100000000};
    CHECK_OK(load(&l, BLOCK_F32, BLOCK_F32, false, kern_table(), MODEL_F32, NULL));
    CHECK_OK(weights_memory(l.g, 0, 3 * gb, MODEL_EXACT, &now));
    CHECK_ERR(weights_memory(l.g, gb / 5, 4 * gb + gb / 2, MODEL_EXACT, &now), ERR_NOMEM,
              "model 'x.gguf' needs 4.7 GB of memory (0.2 packed, 4.5 of the file), but 3.1 of 8.0 GB are free");
    CHECK(strstr(err_fix_text(), "model.embed") != NULL);
    CHECK_INT(weights_memory(l.g, 4 * gb, 0, MODEL_EXACT, &now), ERR_NOMEM);
    CHECK_STR(str_of(err_fix_text()), "pythia config set model.precision fast");
    now.group_limit = 2 * (int64_t)gb; /* a container's wall */
    now.group_used = (int64_t)gb / 2;
    CHECK_OK(weights_memory(l.g, gb, 0, MODEL_EXACT, &now));
    CHECK_ERR(weights_memory(l.g, 2 * gb, 0, MODEL_FAST, &now), ERR_NOMEM, "but 1.5 of 8.0 GB are free");
    CHECK_OK(weights_memory(l.g, 2 * gb, 0, MODEL_FAST, &(MemoryNow){0})); /* a system that does not tell */
    unload(&l);
}

int main(void) {
    n_levels = kern_levels(levels, 8);
    uint32_t seed = 9;
    for (size_t i = 0; i < M * K; i++) a[i] = ((float)(quant_next(&seed) % 4096) - 2048) / 2048;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_every_type_multiplies),
        cmocka_unit_test(what_is_not_a_number_is_found_in_every_form),
        cmocka_unit_test(single_tensors_are_taken_as_they_lie),
        cmocka_unit_test(packed_weights_are_kept_and_found),
        cmocka_unit_test(a_model_that_does_not_fit_is_refused_with_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
