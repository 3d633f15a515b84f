/* glob_match against git's documentation, against git itself where there is one, and against hostile patterns. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/glob.h"
#include "check.h"

typedef struct {
    const char *pattern, *text;
    bool want;
} Case;

static void check_cases(const Case *cases, size_t n, bool (*match)(Str, Str)) {
    for (size_t i = 0; i < n; i++)
        if (match(str_of(cases[i].pattern), str_of(cases[i].text)) != cases[i].want)
            fail_msg("'%s' and '%s': not %s", cases[i].pattern, cases[i].text, cases[i].want ? "matched" : "refused");
}
#define CHECK_CASES(cases, match) check_cases((cases), sizeof(cases) / sizeof *(cases), (match))

static void a_star_stays_between_slashes(void **state) {
    (void)state;
    static const Case cases[] = {
        {"foo", "foo", true},
        {"foo", "foobar", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "foo", true},
        {"*", "a/b", false},
        {"*.c", "x.c", true},
        {"*.c", ".c", true},
        {"*.c", "a/x.c", false},
        {"a*b*c", "aXbbYc", true},
        {"a*b*c", "a/b/c", false},
        {"?", "x", true},
        {"?", "/", false},
        {"?", "", false},
        {"??", "a", false},
        {"a/*/b", "a/x/b", true},
        {"a/*/b", "a/b", false},
        {"a/*/b", "a/x/y/b", false},
        {"*/b", "a/b", true},
        {"*a*a*a", "aaa", true},
        {"*a*a*a", "aa", false},
        {"*ab", "aab", true},
        {"*/*", "a/b/c", false},
    };
    CHECK_CASES(cases, glob_match);
}

static void two_stars_cross_slashes_when_they_stand_alone(void **state) {
    (void)state;
    static const Case cases[] = {
        {"**", "a/b/c", true},
        {"**", "", true},
        {"**/foo", "foo", true},
        {"**/foo", "a/b/foo", true},
        {"**/foo", "a/xfoo", false},
        {"a/**", "a/b/c", true},
        {"a/**", "a", false},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b", "ab", false},
        {"a/**/b", "a/xb", false},
        {"a**b", "axxb", true},
        {"a**b", "a/b", false},
        {"a**/b", "ax/b", true},
        {"a**/b", "a/x/b", false},
        {"**a", "x/a", false},
        {"**/a/**/b", "x/a/y/a/b", true},
        {"**/*.c", "a/b/x.c", true},
        {"**/*a/b", "xa/ya/b", true},
        {"***/x", "a/b/x", true},
        {"**\\/x", "a/x", true},
        {"**\\/x", "x", false},
        {"a/**/**/b", "a/b", true},
        {"**/", "a/", true},
        {"**/a*b/c", "axb/aXc/ab/c", true},
        {"**/x/*y", "x/a/x/by", true},
    };
    CHECK_CASES(cases, glob_match);
}

static void sets_ranges_and_classes(void **state) {
    (void)state;
    static const Case cases[] = {
        {"[abc]", "b", true},         {"[abc]", "d", false},
        {"[!abc]", "d", true},        {"[^abc]", "a", false},
        {"[a-c]", "b", true},         {"[c-a]", "b", false},
        {"[]]", "]", true},           {"[!]]", "]", false},
        {"[]-a]", "^", true},         {"[a-]", "-", true},
        {"[-a]", "-", true},          {"[a", "a", false},
        {"[[:alpha:]]", "x", true},   {"[[:alpha:]]", "1", false},
        {"[[:bogus:]]", "x", false},  {"[[:digit:]x]", "x", true},
        {"[[:space:]]", "\f", false}, {"[[:space:]]", "\t", true},
        {"[[:a]", ":", true},         {"[[:a]", "[", true},
        {"[\\]]", "]", true},         {"[\\a-c]", "b", true},
        {"[a-\\c]", "b", true},       {"[/]", "/", false},
        {"a[!b]c", "a/c", false},     {"[[:upper:]][[:lower:]]*", "Abc", true},
        {"[[:punct:]]", "~", true},   {"[", "[", false},
        {"[\\", "\\", false},         {"[a-\\", "a", false},
    };
    CHECK_CASES(cases, glob_match);
}

static void backslash_takes_the_next_byte_as_it_is(void **state) {
    (void)state;
    static const Case cases[] = {
        {"\\*", "*", true},   {"\\*", "x", false}, {"\\\\", "\\", true},
        {"a\\b", "ab", true}, {"a\\", "a", false}, {"a\\", "a\\", false},
    };
    CHECK_CASES(cases, glob_match);
}

static void a_users_glob_matches_names_paths_and_folders(void **state) {
    (void)state;
    static const Case cases[] = {
        {"*.c", "src/a/x.c", true},     {"*.c", "src/x.cc", false},     {"src", "src/x.c", false},
        {"src/", "src/x.c", true},      {"src/", "a/src/x.c", true},    {"src/", "src", false},
        {"a/src/", "a/src/x", true},    {"src/*.c", "src/x.c", true},   {"src/*.c", "a/src/x.c", false},
        {"/src", "src/a/b.c", true},    {"/x.c", "a/x.c", false},       {"**/test/*", "a/test/x", true},
        {"src/a", "src/a/b/c.h", true}, {"src/a", "src/ab/c.h", false},
    };
    CHECK_CASES(cases, glob_match_path);
}

/* |pattern| * |text| steps are 16 million here; the recursive matcher would outlive us all. */
static void hostile_patterns_take_bounded_time(void **state) {
    (void)state;
    Buf pattern = {0}, text = {0};
    const int64_t start = clock_mono_ns();
    for (int i = 0; i < 1000; i++) buf_add_z(&pattern, "*a");
    buf_char(&pattern, 'b');
    for (int i = 0; i < 4000; i++) buf_char(&text, 'a');
    CHECK(!glob_match(buf_str(&pattern), buf_str(&text)));
    buf_clear(&pattern);
    buf_clear(&text);
    for (int i = 0; i < 500; i++) buf_add_z(&pattern, "**/*a*a/");
    buf_char(&pattern, 'b');
    for (int i = 0; i < 1000; i++) buf_add_z(&text, "aaa/");
    CHECK(!glob_match(buf_str(&pattern), buf_str(&text)));
    buf_clear(&pattern);
    buf_add_z(&pattern, "**/");
    for (int i = 0; i < 900; i++) buf_add_z(&pattern, "*a*/");
    buf_char(&pattern, 'b');
    CHECK(!glob_match(buf_str(&pattern), buf_str(&text)));
    CHECK(clock_mono_ns() - start < 5000000000); /* 0.1 s; generous for sanitizers on a busy machine */
    buf_free(&pattern);
    buf_free(&text);
}

/* -- against git; PYTHIA_SEED=9 throws other dice ------------------------------------------------------------------ */

enum { PATTERNS = 150, TEXTS = 60, TEXT_MAX = 32 };

static uint64_t state_of_dice = 7;
static size_t roll(size_t n) {
    uint64_t z = (state_of_dice += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (size_t)((z ^ z >> 31) % n);
}

static void random_text(char out[TEXT_MAX]) {
    static const char letters[] = "aaabbbcx-]A1.";
    size_t n = 0;
    for (size_t parts = 1 + roll(4); parts > 0; parts--) {
        for (size_t k = 1 + roll(3); k > 0; k--) out[n++] = letters[roll(sizeof letters - 1)];
        if (out[n - 1] == '.') out[n - 1] = 'a'; /* "." and ".." are no names */
        if (parts > 1) out[n++] = '/';
    }
    out[n] = 0;
}

/* Begins with a special character, lest git cut a literal head off, and holds a slash, lest it be matched by name. */
static void random_pattern(Buf *out) {
    static const char *const heads[] = {"*", "?", "[a-c]", "\\a", "**/", "[!x]", "**"};
    static const char *const parts[] = {
        "*",     "?",    "**",           "/**/", "/",    "/",           "a",     "b",   "c",  "x",
        "[ab]",  "[!a]", "[a-]",         "[]x]", "\\b",  "[[:alpha:]]", "[^-c]", "/**", "*a", "a*",
        "[c-a]", "\\/",  "[[:upper:]1]", "***",  "[x/]", "[-a]"};
    buf_clear(out);
    buf_add_z(out, heads[roll(sizeof heads / sizeof *heads)]);
    for (size_t n = 1 + roll(5); n > 0; n--) buf_add_z(out, parts[roll(sizeof parts / sizeof *parts)]);
    if (str_find_char(buf_str(out), '/') < 0) buf_add_z(out, "/b");
    if (str_ends(buf_str(out), STR("/"))) buf_char(out, 'a');
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(fprintf(f, "%s\n", text) > 0);
    CHECK_INT(fclose(f), 0);
}

/* A text is ignored when the pattern matches it or a folder above it. */
static bool want_ignored(Str pattern, const char *text) {
    const size_t n = strlen(text);
    for (size_t end = 1; end <= n; end++)
        if ((end == n || text[end] == '/') && glob_match(pattern, str_make(text, end))) return true;
    return false;
}

/* One git for all: folder i holds a .gitignore with pattern i; check-ignore is asked for each pattern and text. */
static void the_same_as_git_check_ignore(void **state) {
    (void)state;
    static char texts[TEXTS][TEXT_MAX];
    static Buf patterns[PATTERNS];
    char root[600], path[1400], command[2048];
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    (void)snprintf(command, sizeof command, "git init -q '%s'", root);
    if (system(command) != 0) fail_msg("the test compares with git; run: tools/setup.sh packages");
    const char *seed = getenv("PYTHIA_SEED");
    if (seed) state_of_dice = strtoull(seed, NULL, 10);
    for (int i = 0; i < TEXTS; i++) random_text(texts[i]);
    (void)snprintf(path, sizeof path, "%s/questions", root);
    FILE *questions = fopen(path, "w");
    CHECK(questions != NULL);
    for (int i = 0; i < PATTERNS; i++) {
        random_pattern(&patterns[i]);
        (void)snprintf(path, sizeof path, "%s/d%d", root, i);
        CHECK_INT(mkdir(path, 0755), 0);
        (void)snprintf(path, sizeof path, "%s/d%d/.gitignore", root, i);
        write_file(path, patterns[i].p);
        for (int k = 0; k < TEXTS; k++) CHECK(fprintf(questions, "d%d/%s%c", i, texts[k], 0) > 0);
    }
    CHECK_INT(fclose(questions), 0);
    (void)snprintf(command, sizeof command, "cd '%s' && git check-ignore --no-index -v -n -z --stdin < questions",
                   root);
    FILE *answers = popen(command, "r");
    CHECK(answers != NULL);
    size_t matched = 0, cap = 0;
    char *field = NULL;
    for (int i = 0; i < PATTERNS; i++)
        for (int k = 0; k < TEXTS; k++) {
            bool ignored = false;
            for (int f = 0; f < 4; f++) { /* source, line, pattern, path */
                CHECK(getdelim(&field, &cap, 0, answers) > 0);
                if (f == 2) ignored = field[0] != 0;
            }
            matched += ignored;
            if (ignored != want_ignored(buf_str(&patterns[i]), texts[k]))
                fail_msg("'%s' and '%s': git says %s", patterns[i].p, texts[k], ignored ? "match" : "no match");
        }
    free(field);
    (void)pclose(answers);
    CHECK(matched > PATTERNS * TEXTS / 200); /* the dice are not idle */
    for (int i = 0; i < PATTERNS; i++) buf_free(&patterns[i]);
    CHECK_OK(file_remove_tree(root));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_stays_between_slashes),
        cmocka_unit_test(two_stars_cross_slashes_when_they_stand_alone),
        cmocka_unit_test(sets_ranges_and_classes),
        cmocka_unit_test(backslash_takes_the_next_byte_as_it_is),
        cmocka_unit_test(a_users_glob_matches_names_paths_and_folders),
        cmocka_unit_test(hostile_patterns_take_bounded_time),
        cmocka_unit_test(the_same_as_git_check_ignore),
    };
    return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
