/* Several Pythias of one process: they share models, and one may search while another indexes. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/file.h"
#include "check.h"
#include "engine/engine.h"

enum { FILES = 60, SEARCHERS = 3 };

static char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", "PYTHIA_MODEL_THREADS=2",
                           "PYTHIA_MEMORY_CACHE_SIZE=1K", NULL};

typedef struct {
    Config *config; /* one a Pythia: a search may set it */
    Pythia *p;
    Arena arena;
} One;

static void one_open(One *o, const char *dir, Pythia *beside) {
    *o = (One){0};
    CHECK_OK(config_load(&o->config, &(ConfigSources){.environ = environ_}));
    PythiaOpts opts = {.config = o->config,
                       .home = path_join(&o->arena, dir, "home"),
                       .cwd = dir,
                       .environ = environ_,
                       .beside = beside};
    CHECK_OK(pythia_open(&o->p, &opts));
}

static void one_close(One *o) {
    pythia_close(o->p);
    config_free(o->config);
    arena_free(&o->arena);
}

static void files_write(const char *dir, int from, int to) {
    Arena a = {0};
    for (int i = from; i < to; i++) {
        Str path = arena_printf(&a, "%s/%d.txt", dir, i);
        Str text = arena_printf(&a, "read the file %d and how do I retry it %d\n", i, i * 7);
        CHECK_OK(file_write_atomic(path.p, text, 0644));
    }
    arena_free(&a);
}

typedef struct {
    One one;
    pthread_t thread;
    atomic_bool *end;
    int searches;
    ErrInfo error;
} Searcher;

static void *searcher_thread(void *arg) {
    Searcher *s = arg;
    while (!atomic_load(s->end) || s->searches == 0) {
        Arena a = {0};
        PythiaReply reply;
        /* every query another one, so that none comes out of the cache */
        Str query = arena_printf(&a, "read file %d %p", s->searches, (void *)s);
        PythiaSearch rq = {.query = query, .limit = 3, .mode = "semantic", .min_score = -1, .deadline_ms = -1};
        Err err = pythia_search(s->one.p, &a, &rq, &reply);
        if (!err && reply.n == 0) err = err_set(ERR_INTERNAL, "nothing was found");
        arena_free(&a);
        err_save(&s->error, err);
        if (err) break;
        s->searches++;
    }
    return NULL;
}

static void searching_goes_on_beside_indexing(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    One first;
    Searcher searchers[SEARCHERS];
    atomic_bool end = false;
    IndexReport *reports = NULL;
    size_t n = 0;
    PythiaWork work;
    files_write(dir, 0, 5);
    one_open(&first, dir, NULL);
    CHECK_OK(pythia_index(first.p, &first.arena, &(IndexRequest){0}, &reports, &n));
    files_write(dir, 5, FILES);
    for (int i = 0; i < SEARCHERS; i++) {
        searchers[i] = (Searcher){.end = &end};
        one_open(&searchers[i].one, dir, first.p);
        CHECK_INT(pthread_create(&searchers[i].thread, NULL, searcher_thread, &searchers[i]), 0);
    }
    CHECK_OK(pythia_index(first.p, &first.arena, &(IndexRequest){0}, &reports, &n));
    CHECK_INT(reports[0].embedded, FILES - 5);
    atomic_store(&end, true);
    long searches = 0;
    for (int i = 0; i < SEARCHERS; i++) {
        CHECK_INT(pthread_join(searchers[i].thread, NULL), 0);
        CHECK_OK(err_restore(&searchers[i].error));
        searches += searchers[i].searches;
    }
    pythia_work(first.p, &work);
    CHECK_INT(work.lines[PYTHIA_INTERACTIVE].done, searches);
    CHECK_INT(work.lines[PYTHIA_BACKGROUND].done, 2);
    CHECK_INT(work.lines[PYTHIA_INTERACTIVE].depth + work.lines[PYTHIA_BACKGROUND].depth, 0);
    CHECK_INT(work.lines[PYTHIA_INTERACTIVE].refused + work.lines[PYTHIA_INTERACTIVE].left_early, 0);
    CHECK_INT(work.chunk_misses, FILES);
    for (int i = 0; i < SEARCHERS; i++) one_close(&searchers[i].one);
    one_close(&first);
    CHECK_OK(file_remove_tree(dir));
}

static void the_first_may_be_closed_before_those_beside_it(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    One first, second;
    Model *a = NULL, *b = NULL;
    float *out = NULL;
    size_t dim = 0;
    int32_t *tokens = NULL;
    bool *cut = NULL;
    Str text = STR("read it");
    one_open(&first, dir, NULL);
    one_open(&second, dir, first.p);
    CHECK_OK(engine_model(first.p, STR(""), &a));
    CHECK_OK(engine_model(second.p, STR(""), &b));
    CHECK(a == b);
    one_close(&first);
    CHECK_OK(pythia_embed(second.p, &second.arena, &(PythiaEmbed){0}, &text, 1, &out, &dim, &tokens, &cut));
    CHECK(tokens[0] >= 3 && !cut[0]);
    one_close(&second);
    CHECK_OK(file_remove_tree(dir));
}

static void a_searchs_mode_is_not_the_next_ones(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    One one;
    IndexReport *reports = NULL;
    size_t n = 0;
    PythiaReply reply;
    files_write(dir, 0, 3);
    one_open(&one, dir, NULL);
    CHECK_OK(pythia_index(one.p, &one.arena, &(IndexRequest){0}, &reports, &n));
    PythiaSearch rq = {.query = STR("read"), .mode = "lexical", .min_score = -1, .deadline_ms = -1};
    CHECK_OK(pythia_search(one.p, &one.arena, &rq, &reply));
    CHECK(str_is(str_of(reply.mode), "lexical"));
    rq.mode = NULL;
    CHECK_OK(pythia_search(one.p, &one.arena, &rq, &reply));
    CHECK(str_is(str_of(reply.mode), "hybrid"));
    rq.mode = "guess";
    CHECK_ERR(pythia_search(one.p, &one.arena, &rq, &reply), ERR_USAGE, "hybrid|semantic|lexical");
    one_close(&one);
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searching_goes_on_beside_indexing),
        cmocka_unit_test(a_searchs_mode_is_not_the_next_ones),
        cmocka_unit_test(the_first_may_be_closed_before_those_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
