/* Tests of the configuration: layers, types, errors, writing. */
#include "check.h"

#include "base/config.h"
#include "base/file.h"

static const char *write_file(Arena *a, const char *name, const char *text) {
    const char *path = path_join(a, check_temp_dir(), name);
    CHECK_OK(file_write_atomic(path, str_of(text), 0644));
    return path;
}

static void the_stronger_layer_wins(void **state) {
    (void)state;
    Arena a = {0};
    Config *c = NULL;
    ConfigSources s = {0};
    s.user_file = write_file(
        &a, "user.ini", "[search]\nlimit = 20\nalpha = 0.5\nmode = lexical ; words\n[index]\nmax_file_size = 2M\n");
    s.project_file = write_file(&a, "project.ini", "[search]\nlimit=30\nmode=semantic\n");
    char *env[] = {"PYTHIA_SEARCH_LIMIT=40", "PYTHIA_HOME=/x", "OTHER=1", NULL};
    s.environ = env;
    CHECK_OK(config_load(&c, &s));
    CHECK_INT(config_int(c, CONF_SEARCH_LIMIT), 40);
    CHECK_STR(str_of(config_origin(c, CONF_SEARCH_LIMIT)), "environment PYTHIA_SEARCH_LIMIT");
    CHECK_STR(config_text(c, CONF_SEARCH_MODE), "semantic");
    CHECK(strstr(config_origin(c, CONF_SEARCH_MODE), "project.ini:3"));
    CHECK_NEAR(config_float(c, CONF_SEARCH_ALPHA), 0.5, 1e-12);
    CHECK_INT(config_int(c, CONF_INDEX_MAX_FILE_SIZE), 2 << 20);
    CHECK_STR(str_of(config_origin(c, CONF_MODEL_EMBED)), "default");
    CHECK_OK(config_set(c, CONF_SEARCH_LIMIT, STR("5"), "flag --limit"));
    CHECK_INT(config_int(c, CONF_SEARCH_LIMIT), 5);
    CHECK_ERR(config_set(c, CONF_SEARCH_LIMIT, STR("-1"), "flag --limit"), ERR_USAGE,
              "flag --limit: '-1' is no value for search.limit");
    CHECK_INT(config_int(c, CONF_SEARCH_LIMIT), 5);
    config_free(c);
    arena_free(&a);
}

static void check_load_error(const char *text, bool project, const char *part) {
    Arena a = {0};
    Config *c = NULL;
    ConfigSources s = {0};
    const char *path = write_file(&a, "bad.ini", text);
    if (project)
        s.project_file = path;
    else
        s.user_file = path;
    CHECK_ERR(config_load(&c, &s), ERR_USAGE, part);
    CHECK(c == NULL);
    arena_free(&a);
}

static void mistakes_are_told_with_file_line_and_what_is_valid(void **state) {
    (void)state;
    check_load_error("[search]\n\nlimmit = 3\n", false,
                     "bad.ini:3: unknown key 'search.limmit'; did you mean 'search.limit'?");
    check_load_error("[search]\nmode = fuzzy\n", false,
                     "bad.ini:2: 'fuzzy' is no value for search.mode; valid: hybrid|semantic|lexical");
    check_load_error("[nowhere]\nx = 1\n", false, "valid are model.embed");
    check_load_error("[search]\nnonsense\n", false, "bad.ini:2: neither");
    check_load_error("[model]\nembed = x\n", true, "a project's own file may not set model.embed");
    CHECK(strstr(err_fix_text(), "pythia config trust"));
    check_load_error("[collection docs]\npath = /etc\n", true, "may not set collections");
    check_load_error("[collection docs]\npaht = /x\n", false, "unknown key 'paht' of a collection");
}

static void long_lines_are_refused_not_torn(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    Config *c = NULL;
    buf_add_z(&b, "[model]\nembed = ");
    for (int i = 0; i < 500; i++) buf_char(&b, 'x');
    ConfigSources s = {.user_file = write_file(&a, "long.ini", b.p)};
    CHECK_ERR(config_load(&c, &s), ERR_LIMIT, "long.ini:2: a line of more than");
    buf_free(&b);
    arena_free(&a);
}

static void collections_of_the_file_are_listed(void **state) {
    (void)state;
    Arena a = {0};
    Config *c = NULL;
    const ConfigCollection *all;
    ConfigSources s = {
        .user_file = write_file(
            &a, "c.ini", "[collection docs]\npath = /srv/docs\ndescribe = papers\n[collection code]\npath=/src\n")};
    CHECK_OK(config_load(&c, &s));
    CHECK_INT(config_collections(c, &all), 2);
    CHECK_STR(all[0].name, "docs");
    CHECK_STR(all[0].describe, "papers");
    CHECK_STR(all[1].path, "/src");
    config_free(c);
    arena_free(&a);
}

static void writing_keeps_what_else_is_there(void **state) {
    (void)state;
    Arena a = {0};
    Str got;
    const char *path = write_file(&a, "w.ini", "# mine\n[search]\nlimit = 5 ; five\n\n[index]\njobs = 2\n");
    CHECK_OK(config_write(path, CONF_SEARCH_LIMIT, STR("7")));
    CHECK_OK(config_write(path, CONF_SEARCH_MODE, STR("lexical")));
    CHECK_OK(config_write(path, CONF_LOG_LEVEL, STR("info")));
    CHECK_OK(file_read(&a, path, 10000, &got));
    CHECK_STR(got, "# mine\n[search]\nlimit = 7\nmode = lexical\n\n[index]\njobs = 2\n\n[log]\nlevel = info\n");
    CHECK_OK(config_write(path, CONF_SEARCH_LIMIT, STR("")));
    CHECK_OK(file_read(&a, path, 10000, &got));
    CHECK_STR(got, "# mine\n[search]\nmode = lexical\n\n[index]\njobs = 2\n\n[log]\nlevel = info\n");
    CHECK_ERR(config_write(path, CONF_SEARCH_MODE, STR("x")), ERR_USAGE, "valid: hybrid|semantic|lexical");
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stronger_layer_wins),
        cmocka_unit_test(mistakes_are_told_with_file_line_and_what_is_valid),
        cmocka_unit_test(long_lines_are_refused_not_torn),
        cmocka_unit_test(collections_of_the_file_are_listed),
        cmocka_unit_test(writing_keeps_what_else_is_there),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
