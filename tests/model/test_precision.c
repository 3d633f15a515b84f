/* test_precision.c - `exact` and `fast`: how near they come to f32, that a text's bits do not depend on its company,
 * and that kept weights are used, checked and made again. */
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tiny.h"

enum { MANY = 300, DIM_MAX = 384 };

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

typedef struct {
    double least, mean;
} Nearness;

static Nearness nearness(const float *a, const float *b, size_t n, size_t dim) {
    Nearness near = {1, 0};
    for (size_t i = 0; i < n; i++) {
        double cosine = 0, x = 0, y = 0;
        for (size_t d = 0; d < dim; d++) {
            cosine += (double)a[i * dim + d] * (double)b[i * dim + d];
            x += (double)a[i * dim + d] * (double)a[i * dim + d];
            y += (double)b[i * dim + d] * (double)b[i * dim + d];
        }
        cosine /= sqrt(x * y);
        near.mean += cosine / (double)n;
        if (cosine < near.least) near.least = cosine;
    }
    return near;
}

static Model *open_tiny(const char *path, const Kern *kern, ModelPrecision precision, Buf *bytes) {
    return tiny_open(path, kern, &(ModelOpts){.precision = precision}, bytes);
}

static void each_level_comes_near_f32_in_both_precisions(void **state) {
    (void)state;
    static const char *const paths[] = {TINY, TINY_MIXED};
    const Kern *levels[8];
    size_t n = kern_levels(levels, 8);
    for (size_t l = 0; l < n; l++)
        for (size_t p = 0; p < 2; p++) {
            static float want[MANY * 64], got[MANY * 64];
            Buf bytes = {0}, more = {0};
            Model *f32 = open_tiny(paths[p], levels[l], MODEL_F32, &bytes);
            size_t dim = model_info(f32)->dim;
            CHECK_OK(model_embed(f32, NULL, texts, MANY, NULL, want, NULL));
            for (int precision = MODEL_EXACT; precision <= MODEL_FAST; precision++) {
                bool fast = precision == MODEL_FAST;
                Model *m = open_tiny(paths[p], levels[l], (ModelPrecision)precision, &more);
                ModelPrecision used = model_info(m)->precision;
                CHECK_INT(used, fast ? MODEL_FAST : levels[l]->low->fast_bf16 ? MODEL_EXACT : MODEL_F32);
                CHECK_OK(model_embed(m, NULL, texts, MANY, NULL, got, NULL));
                Nearness near = nearness(want, got, MANY, dim);
                /* random weights of 24 dimensions round off worse than a trained model's 384 */
                double floor = fast ? 0.99 : 0.9998, mean = fast ? 0.998 : 0.99995;
                if (!(near.least >= floor && near.mean >= mean))
                    fail_msg("%s, precision %d: cosine %.6f / %.6f", levels[l]->name, precision, near.least, near.mean);
                model_close(m);
            }
            model_close(f32);
            buf_free(&bytes);
            buf_free(&more);
        }
}

static void one_text_has_the_same_bits_in_any_batch_at_any_thread_count(void **state) {
    (void)state;
    const Kern *levels[8];
    size_t n = kern_levels(levels, 8);
    static float all[MANY * 24], some[MANY * 24];
    for (size_t l = 0; l < n; l++)
        for (int precision = MODEL_EXACT; precision <= MODEL_FAST; precision++) {
            Buf bytes = {0};
            Model *m = open_tiny(TINY, levels[l], (ModelPrecision)precision, &bytes);
            CHECK_OK(model_embed(m, NULL, texts, MANY, NULL, all, NULL));
            for (size_t i = 0; i < MANY; i++) {
                CHECK_OK(model_embed(m, NULL, &texts[i], 1, NULL, some, NULL));
                CHECK(memcmp(some, all + i * 24, 24 * sizeof *some) == 0);
            }
            for (size_t threads = 2; threads <= 4; threads++) {
                Pool *pool = NULL;
                CHECK_OK(pool_open(&pool, threads));
                for (size_t count = 1; count < MANY; count = count * 4 + 1) {
                    CHECK_OK(model_embed(m, pool, texts + 1, count, NULL, some, NULL));
                    CHECK(memcmp(some, all + 24, count * 24 * sizeof *some) == 0);
                }
                pool_close(pool);
            }
            model_close(m);
            buf_free(&bytes);
        }
}

/* Pieces of this project's own tests: code and prose, some longer than the limit. */
static size_t source_texts(Arena *a, Str *out, size_t max) {
    Str file;
    CHECK_OK(file_read(a, TESTS_DIR "/model/test_embed.c", 1 << 20, &file));
    size_t n = 0;
    for (size_t at = 0; n < max && at < file.n; at += out[n - 1].n) {
        size_t length = 20 + n * 97 % 1300;
        out[n++] = str_make(file.p + at, length < file.n - at ? length : file.n - at);
    }
    return n;
}

static void the_real_model_is_as_near_as_promised(void **state) {
    (void)state;
    const char *path = getenv("PYTHIA_TEST_MODEL");
    const Kern *levels[8];
    Arena a = {0};
    Str some[24];
    static float want[24 * DIM_MAX], got[24 * DIM_MAX];
    Model *m = NULL;
    if (!path || access(path, R_OK) != 0) fail_msg("no model '%s'; run: tools/setup.sh", path ? path : "");
    /* an emulated CPU computes 24 texts in minutes */
    size_t n = source_texts(&a, some, getenv("PYTHIA_TEST_EMULATED") ? 2 : 24), n_levels = kern_levels(levels, 8);
    CHECK_OK(model_open_kern(&m, path, kern_table(), NULL));
    CHECK_OK(model_embed(m, NULL, some, n, NULL, want, NULL));
    model_close(m);
    for (size_t l = 0; l < n_levels; l++) {
        const KernLow *low = levels[l]->low;
        if (!low->fast_int8 && !low->fast_bf16) continue; /* plain code: minutes */
        for (int p = low->fast_bf16 ? MODEL_EXACT : MODEL_FAST; p <= MODEL_FAST; p++) {
            const ModelOpts opts = {.precision = (ModelPrecision)p, .no_cache = true};
            CHECK_OK(model_open_kern(&m, path, levels[l], &opts));
            CHECK_OK(model_embed(m, NULL, some, n, NULL, got, NULL));
            Nearness near = nearness(want, got, n, model_info(m)->dim);
            double least = p == MODEL_EXACT ? 0.9999 : 0.997, mean = p == MODEL_EXACT ? 0.99998 : 0.999;
            if (!(near.least >= least && near.mean >= mean))
                fail_msg("%s, precision %d: cosine %.6f / %.6f", levels[l]->name, p, near.least, near.mean);
            model_close(m);
        }
    }
    arena_free(&a);
}

/* ---- kept weights ---- */

typedef struct {
    char dir[256], model[300], kept[400];
} Place;

/* A copy of the tiny model in a folder of its own. */
static Place make_place(void) {
    Place p;
    Arena a = {0};
    Str file;
    (void)snprintf(p.dir, sizeof p.dir, "%s", check_temp_dir());
    (void)snprintf(p.model, sizeof p.model, "%s/m.gguf", p.dir);
    (void)snprintf(p.kept, sizeof p.kept, "%s.%s-int8.packed", p.model, kern_table()->name);
    CHECK_OK(file_read(&a, TINY, 1 << 20, &file));
    CHECK_OK(file_write_atomic(p.model, file, 0644));
    arena_free(&a);
    return p;
}

static void embed_fast(const Place *p, bool no_cache, float out[24]) {
    Model *m = NULL;
    const ModelOpts opts = {.precision = MODEL_FAST, .no_cache = no_cache};
    CHECK_OK(model_open_kern(&m, p->model, kern_table(), &opts));
    CHECK_OK(model_embed(m, NULL, &STR("read the file"), 1, NULL, out, NULL));
    model_close(m);
}

static FileInfo info_of(const char *path) {
    FileInfo info;
    CHECK_OK(file_info(path, true, &info));
    return info;
}

static void fast_vectors_are_those_of_another_model(void **state) {
    (void)state;
    Place p = make_place();
    Sha256 file, seen[3];
    CHECK_OK(model_file_id(p.model, &file));
    for (int precision = MODEL_F32; precision <= MODEL_FAST; precision++) {
        Model *m = NULL;
        CHECK_OK(model_open_kern(&m, p.model, kern_table(), &(ModelOpts){.precision = (ModelPrecision)precision}));
        seen[precision] = model_info(m)->id;
        model_close(m);
    }
    CHECK(memcmp(&seen[MODEL_F32], &file, sizeof file) == 0);
    CHECK(memcmp(&seen[MODEL_EXACT], &file, sizeof file) == 0);
    CHECK(memcmp(&seen[MODEL_FAST], &file, sizeof file) != 0);
    CHECK_OK(file_remove_tree(p.dir));
}

static void packed_weights_are_kept_and_used(void **state) {
    (void)state;
    Place p = make_place();
    float plain[24], first[24], second[24];
    embed_fast(&p, true, plain);
    CHECK_INT(info_of(p.kept).type, FILE_NONE);
    embed_fast(&p, false, first);
    FileInfo kept = info_of(p.kept);
    CHECK_INT(kept.type, FILE_REGULAR);
    embed_fast(&p, false, second);
    CHECK(info_of(p.kept).inode == kept.inode); /* not written again */
    CHECK(memcmp(plain, first, sizeof plain) == 0 && memcmp(plain, second, sizeof plain) == 0);
    CHECK_OK(file_remove_tree(p.dir));
}

static void damaged_or_foreign_kept_weights_are_made_again(void **state) {
    (void)state;
    Place p = make_place();
    Arena a = {0};
    Str whole, now;
    float want[24], got[24];
    embed_fast(&p, false, want);
    CHECK_OK(file_read(&a, p.kept, 1 << 24, &whole));
    for (size_t at = 0; at < whole.n + 3; at += at < 140 ? 7 : whole.n / 9) {
        char *copy = arena_alloc(&a, whole.n);
        memcpy(copy, whole.p, whole.n);
        if (at < whole.n) copy[at] = (char)(copy[at] ^ 0x10);
        bool unused = at >= 88 && at < 128; /* between head and block */
        CHECK_OK(file_write_atomic(p.kept, str_make(copy, at < whole.n ? whole.n : whole.n / 2), 0644));
        embed_fast(&p, false, got);
        CHECK(memcmp(want, got, sizeof want) == 0);
        CHECK_OK(file_read(&a, p.kept, 1 << 24, &now));
        CHECK(unused || str_eq(now, whole));
    }
    arena_free(&a);
    CHECK_OK(file_remove_tree(p.dir));
}

static void processes_may_race_for_the_kept_weights(void **state) {
    (void)state;
    enum { CHILDREN = 4 };
    Place p = make_place();
    float want[24];
    pid_t children[CHILDREN];
    embed_fast(&p, true, want);
    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i]) continue;
        float got[24];
        Model *m = NULL;
        const ModelOpts opts = {.precision = MODEL_FAST};
        bool good = true;
        for (int round = 0; good && round < 5; round++) {
            (void)unlink(p.kept);
            good = model_open_kern(&m, p.model, kern_table(), &opts) == ERR_OK &&
                   model_embed(m, NULL, &STR("read the file"), 1, NULL, got, NULL) == ERR_OK &&
                   memcmp(got, want, sizeof got) == 0;
            model_close(m);
            m = NULL;
        }
        _exit(good ? 0 : 1);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    CHECK_OK(file_remove_tree(p.dir));
}

static void a_failing_disk_costs_only_the_keeping(void **state) {
    (void)state;
    Place p = make_place();
    Sha256 id;
    float want[24], got[24];
    CHECK_OK(model_file_id(p.model, &id)); /* its side file is there: only the cache is written below */
    embed_fast(&p, true, want);
    CHECK_OK(file_make_dirs(p.kept, 0755)); /* a folder where the file should be */
    embed_fast(&p, false, got);
    CHECK(memcmp(want, got, sizeof want) == 0);
    CHECK_OK(file_remove_tree(p.dir));
}

int main(void) {
    make_texts();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_comes_near_f32_in_both_precisions),
        cmocka_unit_test(one_text_has_the_same_bits_in_any_batch_at_any_thread_count),
        cmocka_unit_test(the_real_model_is_as_near_as_promised),
        cmocka_unit_test(fast_vectors_are_those_of_another_model),
        cmocka_unit_test(packed_weights_are_kept_and_used),
        cmocka_unit_test(damaged_or_foreign_kept_weights_are_made_again),
        cmocka_unit_test(processes_may_race_for_the_kept_weights),
        cmocka_unit_test(a_failing_disk_costs_only_the_keeping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
