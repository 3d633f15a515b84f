/* What a question's operators mean, and what is text although it resembles one. */
#include "check.h"
#include "search/query.h"

#define NOW INT64_C(1764504000000) /* 2025-11-30T12:00Z */

static Arena arena;

static int empty(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static Query parsed(const char *text) {
    Query q;
    CHECK_OK(query_parse(&arena, str_of(text), NOW, &q));
    return q;
}

/* "c py !go" */
static Str list(const Str *values, size_t n) {
    Buf b = {0};
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%.*s", i ? " " : "", STR_FMT(values[i]));
    const Str s = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void quotes_stand_for_the_words_and_vanish_for_the_meaning(void **state) {
    (void)state;
    Query q = parsed("  retry \"exponential backoff\" now ");
    CHECK_STR(q.words, "retry \"exponential backoff\" now");
    CHECK_STR(q.meaning, "retry exponential backoff now");
    CHECK(q.strict);
    q = parsed("a 5\" pipe");
    CHECK_STR(q.meaning, "a 5\" pipe");
    CHECK(!q.strict);
    CHECK(!parsed("x \"\" y").strict);
    CHECK_OK(query_plain(&arena, STR("lang:c -x \"a b\""), &q));
    CHECK_STR(q.meaning, "lang:c -x a b");
    CHECK(q.strict && filter_is_empty(&q.narrow));
}

static void signs_say_what_must_and_must_not_stand(void **state) {
    (void)state;
    Query q = parsed("retry -test +delay -\"unit test\" +\"wait for\"");
    CHECK_STR(q.words, "retry -test +delay -\"unit test\" +\"wait for\"");
    CHECK_STR(q.meaning, "retry delay wait for");
    CHECK(q.strict);
}

static void what_only_resembles_an_operator_is_text(void **state) {
    (void)state;
    static const char *const texts[] = {
        "std::sort of C: drive", "a - b", "--force", "returns -1", "kind: of", "langs:c", "x-y", "void*", "e-mail",
        "http://host/path"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const Query q = parsed(texts[i]);
        CHECK_STR(q.meaning, texts[i]);
        CHECK(!q.strict && filter_is_empty(&q.narrow) && q.n_in == 0);
    }
    CHECK_STR(parsed("use --force void*").words, "use force void"); /* no sign is left that the index would obey */
}

static void fields_narrow_and_leave_the_question(void **state) {
    (void)state;
    const Query q = parsed("retry lang:c lang:py -lang:go kind:function path:src/net path:/top/ -path:\"my notes\" "
                           "file:*.h sym:Backoff.next in:docs in:repo loop");
    CHECK_STR(q.words, "retry loop");
    CHECK_STR(q.meaning, "retry loop");
    CHECK_STR(list(q.narrow.langs, q.narrow.n_langs), "c py !go");
    CHECK_STR(list(q.narrow.kinds, q.narrow.n_kinds), "function");
    CHECK_STR(list(q.narrow.globs, q.narrow.n_globs), "**/src/net top !**/my notes");
    CHECK_STR(list(q.narrow.symbols, q.narrow.n_symbols), "Backoff.next");
    CHECK_STR(list(q.in, q.n_in), "docs repo");
    CHECK(q.narrow.also && !q.strict);
    CHECK_STR(list(q.narrow.also->globs, q.narrow.also->n_globs), "*.h");
}

static void what_documents_say_of_themselves_narrows(void **state) {
    (void)state;
    Query q = parsed("tides author:berg -author:\"Ola Lind\" meta:keywords=sea meta:subject=\"the north sea\" "
                     "meta:\"created=2024\" ebb");
    CHECK_STR(q.meaning, "tides ebb");
    CHECK_STR(list(q.narrow.metas, q.narrow.n_metas),
              "author=berg !author=Ola Lind keywords=sea subject=the north sea created=2024");
    q = parsed("<meta:charset> author: nobody meta:charset meta:x= meta:=y");
    CHECK_STR(q.meaning, "<meta:charset> author: nobody meta:charset meta:x= meta:=y");
    CHECK(filter_is_empty(&q.narrow));
}

static void dates_are_a_span(void **state) {
    (void)state;
    const int64_t day = 86400000;
    Query q = parsed("x date:2025-11-21");
    CHECK_INT(q.narrow.until_ms - q.narrow.since_ms, day - 1);
    const int64_t begin = q.narrow.since_ms;
    q = parsed("x date>2025-11-21 date<2025-11-23");
    CHECK_INT(q.narrow.since_ms, begin + day);
    CHECK_INT(q.narrow.until_ms, begin + 2 * day - 1);
    q = parsed("x date>=2025-11-21 date<=2025-11-21 date>=2025");
    CHECK_INT(q.narrow.since_ms, begin);
    CHECK_INT(q.narrow.until_ms, begin + day - 1);
    CHECK_INT(parsed("x date>=2w").narrow.since_ms, NOW - 14 * day);
    CHECK_ERR(query_parse(&arena, STR("x date>=soon"), NOW, &q), ERR_USAGE, "'soon' is no date");
}

static void identifiers_are_names_and_prose_is_not(void **state) {
    (void)state;
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"backoff_next", "backoff_next"},
        {"retry", "retry"},
        {"how does `backoff_next()` wait?", "backoff_next"},
        {"net::Backoff.next and p->delay", "net.Backoff.next p.delay"},
        {"why parseDate fails", "parseDate"},
        {"HTTP retry logic", ""},
        {"3rd_party", ""},
        {"a_b c_d e_f g_h i_j", "a_b c_d e_f g_h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Query q = parsed(cases[i].text);
        CHECK_STR(list(q.names, q.n_names), cases[i].names);
    }
    const Query q = parsed("sym:Backoff.next");
    CHECK_STR(q.words, "Backoff.next");
    CHECK_STR(list(q.names, q.n_names), "Backoff.next");
}

static void questions_without_a_question_are_refused(void **state) {
    (void)state;
    Query q;
    CHECK_ERR(query_parse(&arena, STR(" \n"), NOW, &q), ERR_USAGE, "the query is empty");
    CHECK_ERR(query_parse(&arena, STR("\"\""), NOW, &q), ERR_USAGE, "nothing but quotes");
    CHECK_ERR(query_parse(&arena, STR("lang:c kind:function"), NOW, &q), ERR_USAGE, "add words to look for");
    CHECK_ERR(query_parse(&arena, STR("-test"), NOW, &q), ERR_USAGE, "add words to look for");
    CHECK_ERR(query_parse(&arena, STR("date>=2025"), NOW, &q), ERR_USAGE, "add words to look for");
    CHECK_ERR(query_parse(&arena, STR("x -in:docs"), NOW, &q), ERR_USAGE,
              "'-in:docs': a collection cannot be left out");
    static char large[QUERY_MAX + 1], many[8 * (QUERY_NARROWING + 1) + 2];
    memset(large, 'x', sizeof large);
    CHECK_ERR(query_parse(&arena, str_make(large, sizeof large), NOW, &q), ERR_LIMIT,
              "the query has 16385 bytes, at most 16384");
    for (size_t i = 0; i <= QUERY_NARROWING; i++) memcpy(many + 8 * i, "lang:go ", 8);
    CHECK_ERR(query_parse(&arena, str_make(many, sizeof many - 2), NOW, &q), ERR_USAGE, "more than 64 of lang:");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(quotes_stand_for_the_words_and_vanish_for_the_meaning, empty),
        cmocka_unit_test_teardown(signs_say_what_must_and_must_not_stand, empty),
        cmocka_unit_test_teardown(what_only_resembles_an_operator_is_text, empty),
        cmocka_unit_test_teardown(fields_narrow_and_leave_the_question, empty),
        cmocka_unit_test_teardown(what_documents_say_of_themselves_narrows, empty),
        cmocka_unit_test_teardown(dates_are_a_span, empty),
        cmocka_unit_test_teardown(identifiers_are_names_and_prose_is_not, empty),
        cmocka_unit_test_teardown(questions_without_a_question_are_refused, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
