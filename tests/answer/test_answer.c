/* Answers out of hits made by hand, judged by words alone, as in a collection without vectors. */
#include "answer/fixture.h"

static const char *const texts[] = {
    "Tomato soup\n\nFry an onion in olive oil. Add ripe tomatoes and basil. Simmer the soup for twenty minutes.",
    "The printer's paper tray takes fifty sheets. Plug the printer in first.",
    "int backoff_next(void) {\n    return wait;\n}\n\nint unrelated(void) {\n    return 0;\n}\n",
    "Simmer the soup for twenty minutes. It is served hot.",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static Answer ask(Fixture *f, const char *question, const SearchHit *hits, size_t n, float threshold) {
    Answer a;
    const AnswerRequest rq = {.question = str_of(question),
                              .sources = &f->source,
                              .n_sources = 1,
                              .hits = hits,
                              .n_hits = n,
                              .threshold = threshold};
    CHECK_OK(answer_extract(&f->arena, &rq, &a));
    CHECK(answer_check(&a, hits, n));
    return a;
}

static void the_sentence_that_holds_the_words_is_quoted_with_its_line(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, texts, TEXTS);
    Answer a = ask(&f, "how many sheets does the paper tray take", f.hits, 2, 0);
    CHECK(!a.abstained);
    CHECK_STR(a.citations[0].quote, "The printer's paper tray takes fifty sheets.");
    CHECK_INT(a.citations[0].hit, 1);
    CHECK_INT(a.citations[0].source, 1);
    CHECK_INT(a.citations[0].start_line, 10);
    CHECK(str_starts(a.text, STR("The printer's paper tray takes fifty sheets. [1]")));
    a = ask(&f, "how does backoff_next wait", f.hits, TEXTS, 0);
    CHECK_STR(a.citations[0].quote, "int backoff_next(void) {\n    return wait;\n}");
    CHECK_INT(a.citations[0].end_line, 12);
    fixture_close(&f);
}

static void hits_are_ordered_by_what_ranked_them_and_their_best_sentence(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, texts, TEXTS);
    const char *question = "how many sheets does the paper tray take";
    const float likely[] = {0.5f, 0.45f, 0.4f, 0.3f}, sure[] = {1.5f, 0.45f, 0.4f, 0.3f};
    for (size_t i = 0; i < TEXTS; i++) f.hits[i].fused = likely[i];
    Answer a = ask(&f, question, f.hits, TEXTS, 0);
    CHECK(a.order[0] == 1 && a.order[1] == 0 && a.order[2] == 2 && a.order[3] == 3);
    CHECK_INT(a.citations[0].hit, 1); /* told by the places that they had */
    for (size_t i = 0; i < TEXTS; i++) f.hits[i].fused = sure[i];
    a = ask(&f, question, f.hits, TEXTS, 0);
    CHECK(a.order[0] == 0 && a.order[1] == 1);
    enum { MANY = 12 }; /* those that are not read stay where they were */
    SearchHit many[MANY];
    for (size_t i = 0; i < MANY; i++) many[i] = f.hits[0], many[i].fused = 0.1f;
    many[MANY - 1] = f.hits[1];
    a = ask(&f, question, many, MANY, 0);
    for (size_t i = 0; i < MANY; i++) CHECK_INT(a.order[i], i);
    fixture_close(&f);
}

static void what_was_said_is_not_said_again(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, texts, TEXTS);
    const Answer a = ask(&f, "how long does the soup simmer", f.hits, TEXTS, 0);
    for (size_t i = 0; i < a.n; i++)
        for (size_t k = 0; k < i; k++) CHECK(!str_eq(a.citations[i].quote, a.citations[k].quote));
    CHECK_STR(a.citations[0].quote, "Simmer the soup for twenty minutes.");
    CHECK_INT(a.citations[0].start_line, 12);
    fixture_close(&f);
}

static void without_evidence_it_abstains_and_keeps_the_nearest(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, texts, TEXTS);
    const Answer none = ask(&f, "anything", NULL, 0, 0.5f);
    CHECK(none.abstained && none.n == 0 && none.text.n == 0);
    CHECK_NEAR(none.confidence, 0, 0);
    const Answer good = ask(&f, "paper tray sheets of the printer", f.hits, TEXTS, 0);
    const Answer bad = ask(&f, "zeppelin airspeed over Friedrichshafen", f.hits, TEXTS, 0.999f);
    CHECK(bad.abstained && bad.n > 0 && bad.text.n == 0);
    CHECK(bad.confidence < good.confidence);
    CHECK_NEAR(bad.evidence.share, 0, 0);
    fixture_close(&f);
}

static void a_citation_that_does_not_stand_there_is_found_out(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, texts, TEXTS);
    Answer a = ask(&f, "paper tray", f.hits, TEXTS, 0);
    Citation whole = a.citations[0];
    a.citations[0].quote = STR("The printer's paper tray takes sixty sheets.");
    CHECK(!answer_check(&a, f.hits, TEXTS));
    a.citations[0] = whole;
    a.citations[0].end = 100000;
    CHECK(!answer_check(&a, f.hits, TEXTS));
    a.citations[0] = whole;
    a.citations[0].hit = TEXTS;
    CHECK(!answer_check(&a, f.hits, TEXTS));
    fixture_close(&f);
}

static void what_tokens_say_counts_where_they_were_compared(void **state) {
    (void)state;
    AnswerEvidence e = {
        .share = 0.8f, .cosine = 0.6f, .span_share = 0.7f, .span_cosine = 0.6f, .expected = 1, .margin = 0.1f};
    const float by_vectors = answer_confidence(&e);
    e.held = 0.7f, e.numbers = 1;
    CHECK_NEAR(answer_confidence(&e), by_vectors, 0); /* means nothing without tokens */
    e.compared = true;
    const float lacking = answer_confidence(&e);
    e.numbers = 0;
    const float whole = answer_confidence(&e);
    CHECK(whole > lacking);
    e.held = 0.3f;
    CHECK(answer_confidence(&e) < whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sentence_that_holds_the_words_is_quoted_with_its_line),
        cmocka_unit_test(hits_are_ordered_by_what_ranked_them_and_their_best_sentence),
        cmocka_unit_test(what_was_said_is_not_said_again),
        cmocka_unit_test(without_evidence_it_abstains_and_keeps_the_nearest),
        cmocka_unit_test(a_citation_that_does_not_stand_there_is_found_out),
        cmocka_unit_test(what_tokens_say_counts_where_they_were_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
