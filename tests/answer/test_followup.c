/* A question that follows on others is put so that it can be searched for: with its topic, or as a writer puts it
 * anew. */
#include "answer/followup.h"
#include "answer/parrot.h"

static const Turn turns[] = {{STR("where is the kettle?"), STR("On the shelf. [1]")},
                             {STR("how many sheets does the paper tray take? path:docs"), STR("Fifty. [1]")}};

static Str follow(Arena *a, const char *question, Writer *w) {
    Str out;
    CHECK_OK(followup_question(a, turns, 2, str_of(question), w, NULL, &out));
    return out;
}

static void what_points_back_or_says_little_takes_the_topic_along(void **state) {
    static const char *const cases[][2] = {
        {"where do I plug it in?", "where do I plug it in? sheets paper tray take path:docs"},
        {"why?", "why? sheets paper tray take path:docs"},
        {"and of envelopes?", "and of envelopes? sheets paper tray take path:docs"},
        {"is the paper in it?", "is the paper in it? sheets tray take path:docs"},
        {"how long does tomato soup simmer?", "how long does tomato soup simmer?"},
        {"what does backoff_next wait for?", "what does backoff_next wait for?"}};
    (void)state;
    Arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) CHECK_STR(follow(&a, cases[i][0], NULL), cases[i][1]);
    Str out;
    CHECK_OK(followup_question(&a, NULL, 0, STR("why?"), NULL, NULL, &out));
    CHECK_STR(out, "why?");
    arena_free(&a);
}

static void a_writer_puts_it_anew_and_is_not_followed_into_nonsense(void **state) {
    static const struct {
        const char *written, *want;
    } cases[] = {{"Where is the paper tray plugged in?", "Where is the paper tray plugged in?"},
                 {"<think>Hm.\n</think>\n \"Where is the tray?\"\nIt is there.", "Where is the tray?"},
                 {"", "where is it? sheets paper tray take path:docs"},
                 {" \n ", "where is it? sheets paper tray take path:docs"}};
    (void)state;
    Arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Parrot parrot = {{.kind = &parrot_kind}, str_of(cases[i].written), 3, ERR_OK};
        CHECK_STR(follow(&a, "where is it?", &parrot.base), cases[i].want);
    }
    Str out;
    Parrot fails = {{.kind = &parrot_kind}, STR("x"), 1, ERR_NETWORK};
    CHECK_ERR(followup_question(&a, turns, 2, STR("why?"), &fails.base, NULL, &out), ERR_NETWORK, "as told");
    char *endless = arena_alloc(&a, FOLLOWUP_BYTES_MAX + 2);
    CHECK(endless != NULL);
    memset(endless, 'x', FOLLOWUP_BYTES_MAX + 1);
    Parrot talks = {{.kind = &parrot_kind}, str_of(endless), 64, ERR_OK};
    CHECK_STR(follow(&a, "why?", &talks.base), "why? sheets paper tray take path:docs");
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_points_back_or_says_little_takes_the_topic_along),
        cmocka_unit_test(a_writer_puts_it_anew_and_is_not_followed_into_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
