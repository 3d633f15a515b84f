/* One ignore file: lines, comments, blanks, negation, anchors. What whole trees do is test_parity's. */
#include "check.h"
#include "ingest/ignore.h"

static IgnoreFile parse(Arena *a, Str text, const char *base) {
    IgnoreFile f;
    CHECK_OK(ignore_parse(a, text, STR(".gitignore"), str_of(base), &f));
    return f;
}

/* 0: no rule speaks; else the line of the one that does, negative when it re-includes. */
static long line_for(const IgnoreFile *f, const char *path, bool is_folder) {
    const IgnoreRule *r = ignore_match(f, str_of(path), is_folder);
    return !r ? 0 : r->negated ? -(long)r->line : (long)r->line;
}

static void comments_blank_lines_and_escapes(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("# a note\n\n   \n\\#real\n\\!bang\nplain # no note\n"), "");
    CHECK_INT(f.n, 3);
    CHECK_INT(line_for(&f, "#real", false), 4);
    CHECK_INT(line_for(&f, "!bang", false), 5);
    CHECK_INT(line_for(&f, "plain # no note", false), 6);
    CHECK_INT(line_for(&f, "# a note", false), 0);
    arena_free(&a);
}

static void blanks_at_the_end_go_unless_escaped(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("one  \ntwo\\ \nthree\\  \nfour\t\nfi ve \nsix\\\\ \n"), "");
    CHECK_INT(line_for(&f, "one", false), 1);
    CHECK_INT(line_for(&f, "two ", false), 2);
    CHECK_INT(line_for(&f, "two", false), 0);
    CHECK_INT(line_for(&f, "three ", false), 3);
    CHECK_INT(line_for(&f, "four\t", false), 4); /* a tab is not a blank to git */
    CHECK_INT(line_for(&f, "fi ve", false), 5);
    CHECK_INT(line_for(&f, "six\\", false), 6);
    arena_free(&a);
}

static void line_ends_marks_and_nul(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("\xEF\xBB\xBFone\r\ntwo\r\r\nthr\0ee\nlast"), "");
    CHECK_INT(line_for(&f, "one", false), 1);
    CHECK_INT(line_for(&f, "two\r", false), 2);
    CHECK_INT(line_for(&f, "thr", false), 3); /* git's strings end there */
    CHECK_INT(line_for(&f, "last", false), 4);
    arena_free(&a);
}

static void the_last_rule_wins_and_negation_brings_back(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("*.log\n!keep.log\n/keep.log\n"), "");
    CHECK_INT(line_for(&f, "x.log", false), 1);
    CHECK_INT(line_for(&f, "a/keep.log", false), -2);
    CHECK_INT(line_for(&f, "keep.log", false), 3);
    arena_free(&a);
}

static void slashes_anchor_and_ask_for_folders(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("build/\n/top\nsub/x\n**/deep/y\nz/**\n"), "");
    CHECK_INT(line_for(&f, "a/build", true), 1);
    CHECK_INT(line_for(&f, "a/build", false), 0);
    CHECK_INT(line_for(&f, "top", false), 2);
    CHECK_INT(line_for(&f, "a/top", false), 0);
    CHECK_INT(line_for(&f, "sub/x", true), 3);
    CHECK_INT(line_for(&f, "a/sub/x", true), 0);
    CHECK_INT(line_for(&f, "a/b/deep/y", false), 4);
    CHECK_INT(line_for(&f, "deep/y", false), 4);
    CHECK_INT(line_for(&f, "z", true), 0);
    CHECK_INT(line_for(&f, "z/q/r", false), 5);
    arena_free(&a);
}

static void rules_of_a_folder_bind_only_what_is_below_it(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("/x\ny\n"), "src/lib/");
    CHECK_INT(line_for(&f, "src/lib/x", false), 1);
    CHECK_INT(line_for(&f, "src/lib/a/x", false), 0);
    CHECK_INT(line_for(&f, "src/lib/a/y", false), 2);
    CHECK_INT(line_for(&f, "src/y", false), 0);
    CHECK_INT(line_for(&f, "src/library/y", false), 0);
    arena_free(&a);
}

/* git cuts the literal head off before it matches, so that these stars stand "alone". */
static void stars_behind_a_literal_head_cross_folders_as_in_git(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("foo**/bar\n"), "");
    CHECK_INT(line_for(&f, "foo/a/b/bar", false), 1);
    CHECK_INT(line_for(&f, "foobar", false), 1);
    arena_free(&a);
}

static void nonsense_matches_nothing(void **state) {
    (void)state;
    Arena a = {0};
    const IgnoreFile f = parse(&a, STR("/\n!\n//\n!/\n[\n\\\n\r\nfoo\\\n"), "");
    static const char *const paths[] = {"a", "[", "\\", "foo", "foo\\", "\r", "!"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        CHECK_INT(line_for(&f, paths[i], false), 0);
        CHECK_INT(line_for(&f, paths[i], true), 0);
    }
    arena_free(&a);
}

static void a_file_too_large_is_refused(void **state) {
    (void)state;
    Arena a = {0};
    IgnoreFile f;
    CHECK_ERR(ignore_parse(&a, str_make("", (size_t)IGNORE_MAX_BYTES + 1), STR("big"), STR(""), &f), ERR_LIMIT,
              "ignore file 'big' has 4194305 bytes");
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_blank_lines_and_escapes),
        cmocka_unit_test(blanks_at_the_end_go_unless_escaped),
        cmocka_unit_test(line_ends_marks_and_nul),
        cmocka_unit_test(the_last_rule_wins_and_negation_brings_back),
        cmocka_unit_test(slashes_anchor_and_ask_for_folders),
        cmocka_unit_test(rules_of_a_folder_bind_only_what_is_below_it),
        cmocka_unit_test(stars_behind_a_literal_head_cross_folders_as_in_git),
        cmocka_unit_test(nonsense_matches_nothing),
        cmocka_unit_test(a_file_too_large_is_refused),
    };
    return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
