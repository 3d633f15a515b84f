/* Tests of history.h: what git prints, in records that are whole and in others. test_eval_init.py asks git itself. */
#include "check.h"

#include "ingest/history.h"

static HistoryCommit *parse(Arena *a, Str printed, size_t *n) {
    HistoryCommit *commits = NULL;
    CHECK_OK(history_parse(a, printed, &commits, n));
    return commits;
}

static void commits_come_with_the_files_they_changed(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    const HistoryCommit *c =
        parse(&a, STR("\1net: wait longer\0\nsrc/a.c\0src/b c.h\0\1docs: \303\274ber\0\nREADME.md\0"), &n);
    CHECK_INT(n, 2);
    CHECK_STR(c[0].subject, "net: wait longer");
    CHECK_INT(c[0].n, 2);
    CHECK_STR(c[0].paths[0], "src/a.c");
    CHECK_STR(c[0].paths[1], "src/b c.h");
    CHECK_STR(c[1].subject, "docs: \303\274ber");
    CHECK_INT(c[1].n, 1);
    CHECK_STR(c[1].paths[0], "README.md");
    arena_free(&a);
}

static void commits_without_files_or_words_are_left_out(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 9;
    (void)parse(&a, STR(""), &n);
    CHECK_INT(n, 0);
    (void)parse(&a, STR("no record\0at all\0"), &n);
    CHECK_INT(n, 0);
    const HistoryCommit *c = parse(&a, STR("x\1\0\na\0\1empty\0\1cut of"), &n);
    CHECK_INT(n, 0);
    c = parse(&a, STR("\1last\0\nfile"), &n);
    CHECK_INT(n, 1);
    CHECK_STR(c[0].paths[0], "file");
    arena_free(&a);
}

static void a_commit_of_too_many_files_is_left_out(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    buf_add(&b, STR("\1moved everything\0\n"));
    for (int i = 0; i <= HISTORY_FILES_MAX; i++) buf_add(&b, STR("f\0"));
    buf_add(&b, STR("\1small\0\ng\0"));
    const HistoryCommit *c = parse(&a, buf_str(&b), &n);
    CHECK_INT(n, 1);
    CHECK_STR(c[0].subject, "small");
    buf_free(&b);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_come_with_the_files_they_changed),
        cmocka_unit_test(commits_without_files_or_words_are_left_out),
        cmocka_unit_test(a_commit_of_too_many_files_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
