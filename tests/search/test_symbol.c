/* Tests of how well names fit a query: the order of kinds of likeness, and what is no likeness. */
#include "check.h"

#include "search/symbol.h"

static float score(const char *query, const char *path) { return symbol_score(str_of(query), str_of(path)); }

static void likeness_falls_from_the_whole_path_to_a_part_of_it(void **state) {
    (void)state;
    static const char *const falling[] = {"Backoff.next", "net.Backoff.next", "backoff.Next", "Backoff.next_delay",
                                          "Xnext",        "Backoff_nextdelay"};
    float last = 2;
    static const char *const queries[] = {"Backoff.next", "Backoff.next", "Backoff.next", "next", "next", "nextdelay"};
    for (size_t i = 0; i < sizeof falling / sizeof falling[0]; i++) {
        const float s = score(queries[i], falling[i]);
        CHECK(s > 0 && s < last);
        last = s;
    }
}

static void words_of_a_name_are_found_however_it_parts_them(void **state) {
    (void)state;
    CHECK(score("next delay", "Backoff.next_delay") > 0.5f);
    CHECK(score("next delay", "nextDelay") > 0.5f);
    CHECK(score("http date", "parseHTTPDate") > 0.5f);
    CHECK(score("backoff next", "Backoff.next") > 0.5f);
    CHECK(score("phd", "parseHTTPDate") > 0.3f);
    CHECK(score("date http", "parseHTTPDate") == 0);
    CHECK(score("xyz", "parseHTTPDate") == 0);
    CHECK(score("", "a") == 0);
    CHECK(score("next", "Backoff.next") > score("next", "Backoff.next_delay"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likeness_falls_from_the_whole_path_to_a_part_of_it),
        cmocka_unit_test(words_of_a_name_are_found_however_it_parts_them),
    };
    return cmocka_run_group_tests_name("symbol", tests, NULL, NULL);
}
