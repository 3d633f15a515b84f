/* Tests of the engine's own small parts; its large ones are driven through the binary (tests/cli). */
#include "check.h"

#include "engine/engine.h"

static void every_chunk_id_reads_back_and_neighbours_differ(void **state) {
    (void)state;
    char last[24] = "", id[24];
    int64_t back;
    for (int64_t v = 1; v < 200000; v++) {
        chunk_id_write(v, id);
        CHECK_INT(strlen(id), 6);
        CHECK(chunk_id_read(str_of(id), &back) && back == v);
        CHECK(strcmp(id, last) != 0);
        memcpy(last, id, sizeof id);
    }
    for (unsigned bit = 0; bit < 60; bit++) {
        for (int64_t near = -1; near <= 1; near++) {
            int64_t v = ((int64_t)1 << bit) + near;
            chunk_id_write(v, id);
            CHECK(chunk_id_read(str_of(id), &back) && back == v);
        }
    }
}

static void what_is_no_chunk_id_is_refused(void **state) {
    (void)state;
    int64_t v;
    char id[24];
    const char *bad[] = {"", "k", "kabc", "xabcde", "kabcdu", "k-----", "kindle.c", "kkkkkkkkkkkkkkkkkkkk"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!chunk_id_read(str_of(bad[i]), &v));
    chunk_id_write(77, id);
    char with_hash[32];
    (void)snprintf(with_hash, sizeof with_hash, "#%s", id);
    CHECK(chunk_id_read(str_of(with_hash), &v) && v == 77);
}

static void settings_read_back_as_written(void **state) {
    (void)state;
    Arena a = {0};
    Str globs[] = {STR("*.c"), STR("!x \"y\".c")}, json;
    IndexSettings in = {.hidden = true, .max_file_size = 5 << 20, .max_tokens = 254, .globs = globs, .n_globs = 2}, out;
    CHECK_OK(settings_write(&a, &in, &json));
    CHECK_OK(settings_read(&a, json, &out));
    CHECK(out.hidden && !out.no_ignore);
    CHECK_INT(out.max_file_size, 5 << 20);
    CHECK_INT(out.max_tokens, 254);
    CHECK_INT(out.n_globs, 2);
    CHECK_STR(out.globs[1], "!x \"y\".c");
    CHECK_OK(settings_read(&a, STR(""), &out));
    CHECK_INT(out.n_globs, 0);
    CHECK_ERR(settings_read(&a, STR("{\"hidden\":3}"), &out), ERR_INPUT, "'hidden' must be true or false");
    arena_free(&a);
}

static void globs_of_a_collection_include_and_exclude_in_order(void **state) {
    (void)state;
    Str some[] = {STR("*.c"), STR("!gen/*")}, not_these[] = {STR("!*.md")};
    IndexSettings s = {.globs = some, .n_globs = 2};
    CHECK(!settings_exclude(&s, STR("a/b.c")));
    CHECK(settings_exclude(&s, STR("a/b.h")));
    CHECK(settings_exclude(&s, STR("gen/b.c")));
    s = (IndexSettings){.globs = not_these, .n_globs = 1};
    CHECK(settings_exclude(&s, STR("README.md")));
    CHECK(!settings_exclude(&s, STR("x.c")));
    CHECK(!settings_exclude(&(IndexSettings){0}, STR("x.c")));
}

static void the_home_follows_the_environment(void **state) {
    (void)state;
    Arena a = {0};
    const char *home = NULL;
    char *all[] = {"HOME=/u", "XDG_DATA_HOME=/d", "PYTHIA_HOME=/p/", NULL};
    CHECK_OK(pythia_home(&a, all, &home));
    CHECK_STR(str_of(home), "/p");
    all[2] = NULL;
    CHECK_OK(pythia_home(&a, all, &home));
    CHECK_STR(str_of(home), "/d/pythia");
    all[1] = "XDG_DATA_HOME=relative"; /* the specification: to be ignored */
    CHECK_OK(pythia_home(&a, all, &home));
    CHECK_STR(str_of(home), "/u/.local/share/pythia");
    char *none[] = {NULL};
    CHECK_ERR(pythia_home(&a, none, &home), ERR_USAGE, "no data folder");
    arena_free(&a);
}

static void relative_paths_begin_behind_the_root(void **state) {
    (void)state;
    CHECK_STR(engine_relative(STR("/a/b/c"), STR("/a")), "b/c");
    CHECK_STR(engine_relative(STR("/a"), STR("/a")), "");
    CHECK_STR(engine_relative(STR("/a"), STR("/")), "a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_id_reads_back_and_neighbours_differ),
        cmocka_unit_test(what_is_no_chunk_id_is_refused),
        cmocka_unit_test(settings_read_back_as_written),
        cmocka_unit_test(globs_of_a_collection_include_and_exclude_in_order),
        cmocka_unit_test(the_home_follows_the_environment),
        cmocka_unit_test(relative_paths_begin_behind_the_root),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
