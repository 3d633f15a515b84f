/* Under pressure there are fewer workers and smaller caches; a repeated query is not embedded again. */
#include "base/file.h"
#include "check.h"
#include "engine/engine.h"

typedef struct {
    Config *config;
    Pythia *p;
    Arena arena;
    const char *dir;
} Fix;

static void fix_open(Fix *f, char **environ_) {
    *f = (Fix){.dir = check_temp_dir()};
    CHECK_OK(config_load(&f->config, &(ConfigSources){.environ = environ_}));
    PythiaOpts opts = {.config = f->config, .home = path_join(&f->arena, f->dir, "home"), .cwd = f->dir};
    CHECK_OK(pythia_open(&f->p, &opts));
}

static void fix_close(Fix *f) {
    pythia_close(f->p);
    config_free(f->config);
    arena_free(&f->arena);
    CHECK_OK(file_remove_tree(f->dir));
}

static void a_budget_that_is_used_up_leaves_one_worker_and_an_eighth_of_the_cache(void **state) {
    (void)state;
    Fix f;
    PythiaMemory m;
    Pool *pool = NULL;
    char *environ_[] = {"PYTHIA_MODEL_MEMORY=1K", "PYTHIA_MODEL_THREADS=4", "PYTHIA_MEMORY_CACHE_SIZE=8M", NULL};
    fix_open(&f, environ_);
    pythia_memory(f.p, &m);
    CHECK_INT(m.level, MEMORY_CRITICAL);
    CHECK_INT(m.budget, 1024);
    CHECK_INT(m.cache_max_bytes, 1 << 20);
    CHECK_OK(engine_pool_under(f.p, SCHED_BACKGROUND, MEMORY_CRITICAL, &pool));
    CHECK(pool == NULL);
    CHECK_OK(engine_pool_under(f.p, SCHED_BACKGROUND, MEMORY_RAISED, &pool));
    CHECK_INT(pool_size(pool), 2);
    CHECK_OK(engine_pool_under(f.p, SCHED_BACKGROUND, MEMORY_CALM, &pool));
    CHECK_INT(pool_size(pool), 4);
    fix_close(&f);
}

/* Fewer workers, smaller batches, the same index. */
static void indexing_under_the_highest_pressure_gives_the_same_vectors(void **state) {
    (void)state;
    enum { FILES = 30 };
    float scores[2][FILES] = {{0}};
    for (int tight = 0; tight < 2; tight++) {
        Fix f;
        IndexReport *reports = NULL;
        size_t n = 0;
        PythiaReply reply;
        char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", "PYTHIA_MODEL_THREADS=4",
                            tight ? "PYTHIA_MODEL_MEMORY=1K" : "PYTHIA_MODEL_MEMORY=100G", NULL};
        fix_open(&f, environ_);
        for (int i = 0; i < FILES; i++) {
            Str path = arena_printf(&f.arena, "%s/%d.txt", f.dir, i);
            CHECK_OK(
                file_write_atomic(path.p, arena_printf(&f.arena, "the file %d: read it %d times\n", i, i * i), 0644));
        }
        CHECK_OK(pythia_index(f.p, &f.arena, &(IndexRequest){0}, &reports, &n));
        CHECK_INT(reports[0].embedded, FILES);
        PythiaSearch rq = {
            .query = STR("read a file"), .limit = FILES, .mode = "semantic", .min_score = -1, .deadline_ms = -1};
        CHECK_OK(pythia_search(f.p, &f.arena, &rq, &reply));
        CHECK_INT(reply.n, FILES);
        for (int i = 0; i < FILES; i++) scores[tight][i] = reply.hits[i].cosine;
        fix_close(&f);
    }
    CHECK(memcmp(scores[0], scores[1], sizeof scores[0]) == 0);
}

static void a_repeated_query_comes_out_of_the_cache(void **state) {
    (void)state;
    Fix f;
    PythiaMemory m;
    IndexReport *reports = NULL;
    size_t n = 0;
    PythiaReply reply;
    char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", NULL};
    fix_open(&f, environ_);
    const char *file = path_join(&f.arena, f.dir, "soup.txt");
    CHECK_OK(file_write_atomic(file, STR("tomato soup with an onion\n"), 0644));
    CHECK_OK(pythia_index(f.p, &f.arena, &(IndexRequest){0}, &reports, &n));
    PythiaSearch rq = {.query = STR("soup"), .limit = 3, .mode = "semantic", .min_score = -1, .deadline_ms = -1};
    for (int i = 0; i < 3; i++) CHECK_OK(pythia_search(f.p, &f.arena, &rq, &reply));
    pythia_memory(f.p, &m);
    CHECK_INT(m.cache_hits, 2);
    CHECK_INT(m.cache_misses, 1);
    CHECK(m.cache_bytes > 0 && m.cache_bytes <= m.cache_max_bytes);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_that_is_used_up_leaves_one_worker_and_an_eighth_of_the_cache),
        cmocka_unit_test(indexing_under_the_highest_pressure_gives_the_same_vectors),
        cmocka_unit_test(a_repeated_query_comes_out_of_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
