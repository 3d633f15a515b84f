/* Kinds of index through the whole product: when --force leaves the vectors that there are, and when it makes them
 * anew. */
#include "base/file.h"
#include "check.h"
#include "engine/engine.h"

static char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", "PYTHIA_MODEL_THREADS=2", NULL};

typedef struct {
    Config *config;
    Pythia *p;
    Arena arena;
    const char *dir;
} Fix;

static void fix_open(Fix *f, ConfigKey key, const char *value) {
    *f = (Fix){0};
    f->dir = check_temp_dir();
    CHECK_OK(config_load(&f->config, &(ConfigSources){.environ = environ_}));
    CHECK_OK(config_set(f->config, key, str_of(value), "test"));
    PythiaOpts opts = {
        .config = f->config, .home = arena_printf(&f->arena, "%s-home", f->dir).p, .cwd = f->dir, .environ = environ_};
    CHECK_OK(pythia_open(&f->p, &opts));
}

static void fix_close(Fix *f) {
    pythia_close(f->p);
    CHECK_OK(file_remove_tree(f->dir));
    CHECK_OK(file_remove_tree(arena_printf(&f->arena, "%s-home", f->dir).p));
    config_free(f->config);
    arena_free(&f->arena);
}

static void put(Fix *f, int from, int to) {
    for (int i = from; i < to; i++) {
        FILE *file = fopen(arena_printf(&f->arena, "%s/%d.txt", f->dir, i).p, "w");
        CHECK(file && fprintf(file, "read the file z%dx and how do I retry it z%dx\n", i, i * 7) > 0);
        CHECK_INT(fclose(file), 0);
    }
}

static IndexReport index_now(Fix *f, bool force) {
    IndexReport *reports = NULL;
    size_t n = 0;
    CHECK_OK(pythia_index(f->p, &f->arena, &(IndexRequest){.force = force}, &reports, &n));
    CHECK_INT(n, 1);
    return reports[0];
}

static PythiaCollection collection_of(Fix *f) {
    PythiaCollection *all = NULL;
    size_t n = 0;
    CHECK_OK(pythia_collections(f->p, &f->arena, &all, &n));
    CHECK_INT(n, 1);
    return all[0];
}

static void a_compact_collection_that_outgrew_its_codes_says_so_and_force_makes_them_anew(void **state) {
    (void)state;
    enum { FEW = 520, MANY = 8 * FEW };
    Fix f;
    fix_open(&f, CONF_INDEX_KIND, "compact");
    put(&f, 0, FEW);
    (void)index_now(&f, false);
    CHECK_STR(collection_of(&f).index_hint, "");
    put(&f, FEW, MANY - 1);
    (void)index_now(&f, false);
    CHECK_STR(collection_of(&f).index_hint, "");
    CHECK_INT(index_now(&f, true).embedded, 0); /* they stay */
    put(&f, MANY - 1, MANY);
    (void)index_now(&f, false);
    const Str hint = collection_of(&f).index_hint;
    if (!strstr(arena_cstr(&f.arena, hint), "index --force")) fail_msg("no hint but '%.*s'", STR_FMT(hint));
    CHECK_INT(index_now(&f, true).embedded, MANY);
    CHECK_STR(collection_of(&f).index_hint, "");
    fix_close(&f);
}

static void floats_are_kept_where_the_configuration_says_so_and_force_adds_them(void **state) {
    (void)state;
    enum { FILES = 20 };
    Fix f;
    fix_open(&f, CONF_INDEX_KEEP_F32, "false");
    put(&f, 0, FILES);
    (void)index_now(&f, false);
    const int64_t bytes = collection_of(&f).index_bytes, dim = collection_of(&f).dim;
    CHECK_INT(index_now(&f, true).embedded, 0);
    CHECK_OK(config_set(f.config, CONF_INDEX_KEEP_F32, STR("true"), "test"));
    CHECK_INT(index_now(&f, false).embedded, 0);
    CHECK_INT(collection_of(&f).index_bytes, bytes);
    CHECK_INT(index_now(&f, true).embedded, FILES);
    CHECK(collection_of(&f).index_bytes >= bytes + FILES * dim * (int64_t)sizeof(float));
    CHECK_INT(index_now(&f, true).embedded, 0);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compact_collection_that_outgrew_its_codes_says_so_and_force_makes_them_anew),
        cmocka_unit_test(floats_are_kept_where_the_configuration_says_so_and_force_adds_them),
    };
    return cmocka_run_group_tests_name("kind", tests, NULL, NULL);
}
