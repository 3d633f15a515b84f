/* Tests of phrases.h: phrases are found word for word, in any case, with any signs between. */
#include "check.h"

#include "engine/phrases.h"

static Buf told;

static void tell(void *ctx, size_t phrase, size_t start, size_t end) {
    const Str text = *(const Str *)ctx;
    buf_printf(&told, "%zu %.*s;", phrase, (int)(end - start), text.p + start);
}

static void check_found(const Phrases *p, const char *text, const char *want) {
    Str t = str_of(text);
    buf_clear(&told);
    CHECK_OK(phrases_find(p, t, tell, &t));
    CHECK_STR(buf_str(&told), want);
}

static void phrases_are_found_where_they_stand(void **state) {
    (void)state;
    Arena a = {0};
    Phrases p = {.a = &a};
    CHECK_OK(phrases_add(&p, STR("Waits twice as long")));
    CHECK_OK(phrases_add(&p, STR("waits twice as")));
    CHECK_OK(phrases_add(&p, STR("two words")));
    CHECK_OK(phrases_add(&p, STR("f\303\274r alle F\303\244lle")));
    check_found(&p, "It WAITS,\n * twice (as) long.", "1 WAITS,\n * twice (as;0 WAITS,\n * twice (as) long;");
    check_found(&p, "waits twice as longer", "1 waits twice as;");
    check_found(&p, "two words and two words", "");
    check_found(&p, "f\303\274r alle f\303\244lle", "3 f\303\274r alle f\303\244lle;");
    check_found(&p, "waits twice", "");
    check_found(&p, "", "");
    phrases_free(&p);
    buf_free(&told);
    arena_free(&a);
}

static void words_are_counted(void **state) {
    (void)state;
    CHECK_INT(phrase_words(STR("")), 0);
    CHECK_INT(phrase_words(STR(" -- ")), 0);
    CHECK_INT(phrase_words(STR("a-b c_d")), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phrases_are_found_where_they_stand),
        cmocka_unit_test(words_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
