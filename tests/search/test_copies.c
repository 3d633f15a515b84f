/* How alike two texts are, against the exact share of their runs of tokens. */
#include "search/copies.h"

#include "check.h"

static float likeness(Str a, Str b) {
    static CopiesSketch x, y;
    copies_sketch(a, &x);
    copies_sketch(b, &y);
    const float there = copies_likeness(&x, &y), back = copies_likeness(&y, &x);
    CHECK_NEAR(there, back, 0);
    return there;
}

/* n words "w17 w4 …" of a fixed generator; every `change`-th is another one (0: none). */
static Str words(Buf *b, size_t n, size_t change) {
    uint64_t x = 88172645463325252u;
    buf_clear(b);
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        const bool other = change && i % change == change / 2;
        buf_printf(b, "%s%llu ", other ? "changed" : "w", (unsigned long long)(x % 5000));
    }
    return buf_str(b);
}

static void the_same_tokens_are_the_same_text(void **state) {
    (void)state;
    CHECK_NEAR(likeness(STR("int f(int a) { return a + 1; }"), STR("int f(int a)\n{\n\treturn a + 1;\n}\n")), 1, 0);
    CHECK_NEAR(likeness(STR("one"), STR(" one\n")), 1, 0);
    CHECK_NEAR(likeness(STR("\xE6\x9D\xB1\xE4\xBA\xAC a b c"), STR("\xE6\x9D\xB1\xE4\xBA\xAC  a b c")), 1, 0);
}

static void other_tokens_are_another_text(void **state) {
    (void)state;
    CHECK_NEAR(likeness(STR("one"), STR("two")), 0, 0);
    CHECK(likeness(STR("case FOO: return \"foo\";"), STR("case BAR: return \"bar\";")) < COPIES_ALIKE);
    CHECK(likeness(STR("a b c d"), STR("d c b a")) < COPIES_ALIKE);
    CHECK(likeness(STR("int f(int a) { return a + 1; }"), STR("int f(int a) { return a + 2; }")) < COPIES_ALIKE);
}

static void what_has_no_tokens_is_like_nothing(void **state) {
    (void)state;
    CHECK_NEAR(likeness(STR(""), STR("")), 0, 0);
    CHECK_NEAR(likeness(STR(" \n\t"), STR(" \n\t")), 0, 0);
    CHECK_NEAR(likeness(STR(""), STR("a")), 0, 0);
}

static void a_few_changes_in_a_long_text_leave_it_alike(void **state) {
    (void)state;
    Buf a = {0}, b = {0};
    CHECK(likeness(words(&a, 100, 0), words(&b, 100, 100)) > 0.9f); /* 1 of 100: 4 of 97 runs */
    CHECK(likeness(words(&a, 2000, 0), words(&b, 2000, 100)) > 0.85f);
    CHECK(likeness(words(&a, 100, 0), words(&b, 100, 10)) < COPIES_ALIKE); /* 10 of 100 */
    CHECK(likeness(words(&a, 2000, 0), words(&b, 2000, 10)) < COPIES_ALIKE);
    /* A part is not the whole: half of it. */
    const Str whole = words(&a, 2000, 0);
    CHECK(likeness(whole, str_upto(whole, whole.n / 2)) < COPIES_ALIKE);
    CHECK(likeness(whole, str_upto(whole, whole.n * 9 / 10)) >= COPIES_ALIKE);
    buf_free(&a);
    buf_free(&b);
}

/* One changed word in k gives 4 changed runs of k: Jaccard (1 - 4/k) / (1 + 4/k). */
static void the_estimate_is_near_the_share_of_common_runs(void **state) {
    (void)state;
    Buf a = {0}, b = {0};
    for (size_t n = 50; n <= 50000; n *= 10)
        for (size_t k = 50; k <= 400 && k <= n; k *= 2) {
            const double exact = (1 - 4.0 / (double)k) / (1 + 4.0 / (double)k);
            CHECK_NEAR(likeness(words(&a, n, 0), words(&b, n, k)), exact, 0.12); /* three sigma and the ends */
        }
    buf_free(&a);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_tokens_are_the_same_text),
        cmocka_unit_test(other_tokens_are_another_text),
        cmocka_unit_test(what_has_no_tokens_is_like_nothing),
        cmocka_unit_test(a_few_changes_in_a_long_text_leave_it_alike),
        cmocka_unit_test(the_estimate_is_near_the_share_of_common_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
