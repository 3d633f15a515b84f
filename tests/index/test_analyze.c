/* The exact terms of many inputs. In the expected strings a term stands behind ' ' at a new position and behind '|' at
 * the position of the term before it. */
#include "check.h"

#include "index/analyze.h"

typedef struct {
    Buf terms, spans;
    Str text;
    size_t count, stop_after;
    size_t last_start;
} Seen;

static int see(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    Seen *s = ctx;
    CHECK(term.n > 0 && term.n <= 128);
    CHECK(start < end && end <= s->text.n);
    CHECK(colocated || start >= s->last_start);
    s->last_start = start;
    if (s->count > 0) buf_char(&s->terms, colocated ? '|' : ' ');
    CHECK(s->count > 0 || !colocated);
    buf_add(&s->terms, term);
    buf_printf(&s->spans, "%zu-%zu ", start, end);
    s->count++;
    return s->stop_after && s->count == s->stop_after ? 7 : 0;
}

static int run_to(Seen *s, Str text) {
    Analyzer *a = NULL;
    CHECK_OK(analyzer_open(&a));
    s->text = text;
    const int stop = analyzer_run(a, text, see, s);
    analyzer_close(a);
    return stop;
}

static void seen_free(Seen *s) {
    buf_free(&s->terms);
    buf_free(&s->spans);
}

static void check_str_terms(Str text, const char *want) {
    Seen s = {0};
    CHECK_INT(run_to(&s, text), 0);
    CHECK_STR(buf_str(&s.terms), want);
    seen_free(&s);
}

static void check_terms(const char *text, const char *want) { check_str_terms(str_of(text), want); }

static void prose_is_lower_cased_and_stemmed(void **state) {
    (void)state;
    check_terms("", "");
    check_terms(" \t\n.,;", "");
    check_terms("Retries", "retri");
    check_terms("retry with exponential backoff", "retri with exponenti backoff");
    check_terms("The quick, brown foxes-jumped.", "the quick brown fox jump");
    check_terms("a I is", "a i is");
    check_terms("news skis dying", "news ski die"); /* exceptions of the English stemmer */
    check_terms("user's users' boss's it's don't", "user user boss it don t");
    check_terms("user\xE2\x80\x99s", "user");
    check_terms("f's 'single'", "f singl");
    check_terms("x='s'", "x s");
}

static void identifiers_give_their_parts_and_the_whole(void **state) {
    (void)state;
    check_terms("getUserNames", "get|getusernames user name");
    check_terms("GetUserNames", "get|getusernames user name");
    check_terms("max_retries", "max|max_retries retri");
    check_terms("MAX_RETRIES", "max|max_retries retri");
    check_terms("HTTPServer", "http|httpserver server");
    check_terms("parseHTTPRequest", "pars|parsehttprequest http request");
    check_terms("uv__fs_poll", "uv|uv__fs_poll fs poll");
    check_terms("__init__ _private trailing_", "init privat trail");
    check_terms("___", "");
    check_terms("XMLHttpRequest", "xml|xmlhttprequest http request");
    check_terms("iOS", "i|ios os");
    check_terms("URLs IDs fetchURLs_now", "url id fetch|fetchurls_now url now");
    check_terms("std::vector<int>", "std vector int");
    check_terms("foo.bar->baz", "foo bar baz");
    check_terms("kebab-case --flag", "kebab case flag");
}

static void digits_are_parts_of_names_but_not_of_hashes(void **state) {
    (void)state;
    check_terms("utf8", "utf|utf8 8");
    check_terms("int32_t", "int|int32_t 32 t");
    check_terms("x86_64", "x|x86_64 86 64");
    check_terms("3.14 42 64bit", "3 14 42 64|64bit bit");
    check_terms("a1b2c3d4e5", "a1b2c3d4e5");
    check_terms("0xDEADbeef 0x1F", "0xdeadbeef 0x1f");
    check_terms("sha256Sum", "sha|sha256sum 256 sum");
    check_terms("aGVsbG8gd29ybGQhIEhlbGxvIHdvcmxkIQaBcDeF", "agvsbg8gd29ybgqhiehlbgxvihdvcmxkiqabcdef");
}

static void accents_and_case_fold_in_every_script(void **state) {
    (void)state;
    check_terms("na\xC3\xAFve caf\xC3\xA9", "naiv cafe");
    check_terms("nai\xCC\x88ve cafe\xCC\x81", "naiv cafe"); /* decomposed */
    check_terms("\xC3\x89"
                "COLE",
                "ecol"); /* ÉCOLE */
    check_terms("Stra\xC3\x9F"
                "e STRASSE",
                "strass strass");
    check_terms("\xC4\xB0stanbul", "istanbul");                                                          /* İ */
    check_terms("\xCE\xA3\xCE\xBF\xCF\x86\xCF\x8C\xCF\x82", "\xCF\x83\xCE\xBF\xCF\x86\xCE\xBF\xCF\x83"); /* Σοφός */
    check_terms("\xD0\x9C\xD0\x9E\xD0\xA1\xD0\x9A\xD0\x92\xD0\x90", "\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0");
    check_terms("\xEF\xBC\xA1\xEF\xBC\xA2\xEF\xBC\xA3", "abc"); /* full-width */
    check_terms("\xEF\xAC\x81le", "file");                      /* ligature fi */
    check_terms("pr\xC3\xA9nomUtilisateur", "prenom|prenomutilisateur utilisateur");
    check_terms("soft\xC2\xADhyphen", "softhyphen");
    check_terms("x\xC2\xB2", "x|x2 2");
    check_terms("\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\x82\xE0\xA4\xA6\xE0\xA5\x80",
                "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\x82\xE0\xA4\xA6\xE0\xA5\x80"); /* Hindi keeps its vowels */
    check_terms("\xE2\x80\x9Cquoted\xE2\x80\x9D \xE2\x80\x94 dash\xE2\x80\xA6", "quot dash");
    check_terms("a\xE2\x82\xAC"
                "b \xF0\x9F\x98\x80",
                "a b"); /* symbols separate */
}

static void cjk_runs_give_bigrams(void **state) {
    (void)state;
    check_terms("\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD", "\xE6\x9D\xB1\xE4\xBA\xAC \xE4\xBA\xAC\xE9\x83\xBD");
    check_terms("\xE6\x9D\xB1", "\xE6\x9D\xB1");
    check_terms("abc\xE6\x9D\xB1\xE4\xBA\xACxyz", "abc \xE6\x9D\xB1\xE4\xBA\xAC xyz");
    check_terms("\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4", "\xED\x95\x9C\xEA\xB5\xAD \xEA\xB5\xAD\xEC\x96\xB4");
    check_terms("\xE3\x82\xB3\xE3\x83\xBC\xE3\x83\x89", "\xE3\x82\xB3\xE3\x83\xBC \xE3\x83\xBC\xE3\x83\x89");
    check_terms("\xEF\xBD\xBA\xEF\xBD\xB0", "\xE3\x82\xB3\xE3\x83\xBC"); /* half-width kana */
    check_terms("\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82\xE5\xAD\x97", "\xE4\xB8\xAD\xE6\x96\x87 \xE5\xAD\x97");
}

static void ill_formed_bytes_separate_and_are_skipped(void **state) {
    (void)state;
    check_terms("ab\xFFyz", "ab yz");
    check_terms("\xC3", "");
    check_terms("a\xC3", "a");
    check_terms("\xE6\x9D", "");
    check_terms("\xED\xA0\x80x", "x");     /* a surrogate */
    check_terms("\xF4\x90\x80\x80x", "x"); /* above U+10FFFF */
    check_terms("\xC0\xAFx", "x");         /* overlong */
    check_terms("\xEF\xBF\xBDx", "x");     /* U+FFFD itself */
    check_str_terms(STR("nul\0byte"), "nul byte");
}

static void long_words_become_one_cut_term(void **state) {
    (void)state;
    char text[4000];
    memset(text, 'q', sizeof text);
    char want[129];
    memset(want, 'q', 128);
    want[128] = 0;
    check_str_terms(str_make(text, 129), want);
    check_str_terms(str_make(text, sizeof text), want);
    /* 3-byte letters: 128 is no border, 126 is. */
    for (size_t i = 0; i + 3 <= sizeof text; i += 3) memcpy(text + i, "\xE0\xA4\xB9", 3);
    char cut[127];
    memcpy(cut, text, 126);
    cut[126] = 0;
    check_str_terms(str_make(text, 3 * 60), cut);
    check_str_terms(str_make(text, 3 * 1000), cut);
    /* More parts than are kept: the whole only. */
    for (size_t i = 0; i + 5 <= 500; i += 5) memcpy(text + i, "part_", 5);
    memcpy(want, text, 128);
    check_str_terms(str_make(text, 499), want);
}

static void one_code_point_may_fold_to_many(void **state) {
    (void)state;
    char text[3 * 400];
    for (size_t i = 0; i < sizeof text; i += 3) memcpy(text + i, "\xEF\xB7\xBA", 3); /* U+FDFA: 18 code points */
    Seen s = {0};
    CHECK_INT(run_to(&s, str_make(text, sizeof text)), 0);
    CHECK_INT(s.count, 1);
    CHECK(s.terms.n <= 128);
    seen_free(&s);
}

static void spans_name_the_bytes_of_the_text(void **state) {
    (void)state;
    Seen s = {0};
    CHECK_INT(run_to(&s, str_of("a getName caf\xC3\xA9s \xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD")), 0);
    CHECK_STR(buf_str(&s.terms), "a get|getname name cafe \xE6\x9D\xB1\xE4\xBA\xAC \xE4\xBA\xAC\xE9\x83\xBD");
    CHECK_STR(buf_str(&s.spans), "0-1 2-5 2-9 5-9 10-16 17-23 20-26 ");
    seen_free(&s);
}

static void the_sink_stops_the_run(void **state) {
    (void)state;
    Seen s = {.stop_after = 2};
    CHECK_INT(run_to(&s, STR("one two three")), 7);
    CHECK_STR(buf_str(&s.terms), "one two");
    seen_free(&s);
    Seen whole = {.stop_after = 2};
    CHECK_INT(run_to(&whole, STR("oneTwo three")), 7);
    CHECK_STR(buf_str(&whole.terms), "one|onetwo");
    seen_free(&whole);
}

static void a_cached_stem_equals_a_fresh_one(void **state) {
    (void)state;
    /* 30,000 words fill every slot of `old`'s cache many times over; `fresh` never holds more than 500 of them. */
    Analyzer *old = NULL, *fresh = NULL;
    CHECK_OK(analyzer_open(&old));
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 30000; i++) {
            if (i % 500 == 0) {
                analyzer_close(fresh);
                CHECK_OK(analyzer_open(&fresh));
            }
            char word[32];
            (void)snprintf(word, sizeof word, "%c%c%c%clessnesses", 'a' + (int)(i % 26), 'a' + (int)(i / 26 % 26),
                           'a' + (int)(i / 676 % 26), 'a' + (int)(i / 17576 % 26));
            Seen first = {.text = str_of(word)}, again = {.text = str_of(word)}, other = {.text = str_of(word)};
            CHECK_INT(analyzer_run(old, str_of(word), see, &first), 0);
            CHECK_INT(analyzer_run(old, str_of(word), see, &again), 0);
            CHECK_INT(analyzer_run(fresh, str_of(word), see, &other), 0);
            CHECK(str_eq(buf_str(&first.terms), buf_str(&again.terms)));
            CHECK(str_eq(buf_str(&first.terms), buf_str(&other.terms)));
            seen_free(&first);
            seen_free(&again);
            seen_free(&other);
        }
    }
    analyzer_close(fresh);
    analyzer_close(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prose_is_lower_cased_and_stemmed),
        cmocka_unit_test(identifiers_give_their_parts_and_the_whole),
        cmocka_unit_test(digits_are_parts_of_names_but_not_of_hashes),
        cmocka_unit_test(accents_and_case_fold_in_every_script),
        cmocka_unit_test(cjk_runs_give_bigrams),
        cmocka_unit_test(ill_formed_bytes_separate_and_are_skipped),
        cmocka_unit_test(long_words_become_one_cut_term),
        cmocka_unit_test(one_code_point_may_fold_to_many),
        cmocka_unit_test(spans_name_the_bytes_of_the_text),
        cmocka_unit_test(the_sink_stops_the_run),
        cmocka_unit_test(a_cached_stem_equals_a_fresh_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
