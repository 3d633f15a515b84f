/* What a writer says is shown when it stands in a source, and not otherwise, however it is put; and as it comes. */
#include "answer/fixture.h"
#include "answer/parrot.h"

static const char *const texts[] = {
    "Tomato soup\n\nFry an onion in olive oil. Add ripe tomatoes and basil. Simmer the soup for twenty minutes.",
    "The printer's paper tray takes 1,500 sheets. The cache is not flushed on exit. Plug the printer in first, said "
    "Ada Lovelace.",
    "int backoff_next(void) {\n    return wait;\n}\n",
    "Chronology\n\nThe Union began with the Treaty of Rome in 1957. Minor amendments were made later. Others were "
    "signed "
    "by most of the "
    "members. The Treaty of Amsterdam was agreed in 1997.",
};
enum { TEXTS = sizeof texts / sizeof *texts };

typedef struct {
    Fixture f;
    Citing citing;
} Kit;

static void kit_open(Kit *k) {
    fixture_open(&k->f, texts, TEXTS);
    CHECK_OK(citing_open(&k->citing, &k->f.arena, &k->f.source, 1, k->f.hits, TEXTS));
}

static Cited check(Kit *k, const char *sentence) {
    Cited cited;
    CHECK_OK(cite_check(&k->citing, str_of(sentence), &cited));
    return cited;
}

static void check_holds(Kit *k, const char *sentence, const char *shown) {
    const Cited cited = check(k, sentence);
    if (!cited.holds) fail_msg("'%s' does not hold: %s", sentence, cited.why);
    CHECK_STR(cited.text, shown);
    CHECK(cited.n > 0);
    const Answer answer = {.citations = (Citation *)(uintptr_t)cited.citations, .n = cited.n};
    CHECK(answer_check(&answer, k->f.hits, TEXTS));
}

static void check_refused(Kit *k, const char *sentence, const char *why) {
    const Cited cited = check(k, sentence);
    if (cited.holds) fail_msg("'%s' holds: %.*s", sentence, STR_FMT(cited.text));
    CHECK_STR(str_of(cited.why), why);
    CHECK(cited.n == 0 && cited.text.n == 0);
}

static void a_sentence_that_stands_in_its_source_keeps_its_number(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    check_holds(&k, "The soup simmers for twenty minutes [1].", "The soup simmers for twenty minutes. [1]");
    check_holds(&k, "The paper tray [2] takes 1500 sheets [2].", "The paper tray takes 1500 sheets. [2]");
    check_holds(&k, "- `backoff_next` returns wait. [3]", "- `backoff_next` returns wait. [3]");
    check_holds(&k, "Add tomatoes and basil [1, 1].", "Add tomatoes and basil. [1]");
    check_holds(&k, "\"Plug the  printer in first,\" said Ada Lovelace [2]",
                "\"Plug the  printer in first,\" said Ada Lovelace [2]");
    check_holds(&k, "It is 1,500.", "It is 1,500. [2]");
    const Cited cited = check(&k, "The soup simmers for twenty minutes [1].");
    CHECK_STR(cited.citations[0].quote, "Simmer the soup for twenty minutes.");
    CHECK_INT(cited.citations[0].start_line, 12);
    fixture_close(&k.f);
}

static void a_number_that_is_wrong_or_missing_becomes_the_right_one(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    check_holds(&k, "The soup simmers for twenty minutes [2].", "The soup simmers for twenty minutes. [1]");
    check_holds(&k, "The soup simmers for twenty minutes [9999].", "The soup simmers for twenty minutes. [1]");
    check_holds(&k, "The soup simmers for twenty minutes.", "The soup simmers for twenty minutes. [1]");
    check_holds(&k, "The soup simmers for twenty minutes [1][3].", "The soup simmers for twenty minutes. [1]");
    fixture_close(&k.f);
}

static void what_is_in_no_source_is_refused_with_the_reason(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    check_refused(&k, "The paper tray takes 1,501 sheets [2].", "a number that is in no source");
    check_refused(&k, "The paper tray takes 500 sheets [2].", "a number that is in no source");
    check_refused(&k, "The Treaty of Amsterdam was agreed in 1957.", "a number that stands nowhere near");
    check_refused(&k, "Chronology [4]", "words that stand nowhere together"); /* a heading */
    check_refused(&k, "The soup of Grandma simmers for twenty minutes [1].", "a name that is in no source");
    check_refused(&k, "The function backoff_reset() returns wait [3].", "an identifier that is in no source");
    check_refused(&k, "`backoff` returns wait and src/wait.c calls it [3].", "a quotation that is in no source");
    check_refused(&k, "The printer says \"plug the printer out\" [2].", "a quotation that is in no source");
    check_refused(&k, "Zeppelins cross the soup at dawn quietly [1].", "words that are in no source");
    check_refused(&k, "[1]", "nothing that a source could hold");
    check_refused(&k, "No, it is not.", "nothing that a source could hold");
    check_refused(&k, "It is so, and that is it.", "nothing that a source could hold");
    fixture_close(&k.f);
}

static void the_contrary_of_a_source_is_refused(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    check_refused(&k, "The cache is flushed on exit [2].", "the contrary of what the source says");
    check_refused(&k, "The soup does not simmer for twenty minutes [1].", "the contrary of what the source says");
    check_holds(&k, "The cache isn't flushed on exit [2].", "The cache isn't flushed on exit. [2]");
    fixture_close(&k.f);
}

static void code_holds_line_by_line(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    check_holds(&k, "```c\nint backoff_next(void) {\nreturn wait;\n```",
                "```c\nint backoff_next(void) {\nreturn wait;\n```\n[3]");
    check_refused(&k, "```c\nint backoff_next(void) {\nreturn 1;\n```", "code that is in no source");
    check_refused(&k, "```\n```", "code that is in no source");
    fixture_close(&k.f);
}

/* ---- as it is written ---- */

static void a_sentence_is_whole_when_what_follows_says_so(void **state) {
    static const struct {
        const char *text;
        bool ended;
        size_t cut;
    } cases[] = {{"It is so.", false, 0},
                 {"It is so.", true, 9},
                 {"It is so. ", false, 0}, /* a mark may come */
                 {"It is so. [1", false, 0},
                 {"It is so. [1] And", false, 14},
                 {"It is so. [1][2]\nAnd", false, 17},
                 {"It is so [1]. And", false, 14},
                 {"Pi is 3.", false, 0},
                 {"Pi is 3.14. And", false, 12},
                 {"See a [link", true, 11},
                 {"One line\nAnother", false, 9},
                 {"``", false, 0},
                 {"```c\nx. Y\n", false, 0},
                 {"```c\nx. Y\n```\nNext", false, 14},
                 {"", true, 0},
                 {"\n\n", true, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t cut = cite_cut(str_of(cases[i].text), cases[i].ended);
        if (cut != cases[i].cut) fail_msg("'%s': cut at %zu, not %zu", cases[i].text, cut, cases[i].cut);
    }
}

typedef struct {
    Buf text;
    size_t parts, citations, most;
} Ear;

static bool hear(void *ctx, Str text, const Citation *citations, size_t n) {
    Ear *ear = ctx;
    (void)citations;
    buf_add(&ear->text, text);
    ear->citations += n;
    return ++ear->parts != ear->most;
}

static Err compose(Kit *k, Parrot *parrot, Ear *ear, Composed *out) {
    const ComposeRequest rq = {.searched = &k->f.source,
                               .n_searched = 1,
                               .hits = k->f.hits,
                               .n = TEXTS,
                               .writer = &parrot->base,
                               .tell = hear,
                               .ctx = ear};
    parrot->base.kind = &parrot_kind;
    return answer_compose(&k->f.arena, &rq, out);
}

static void an_answer_is_the_same_however_it_comes(void **state) {
    static const char said[] =
        "<think>1,500? Yes.</think>Sure!\n> The paper tray takes 1,500 sheets [1]. It was built in 1999 [2].\n\n"
        "- Simmer the soup for twenty minutes.\n- Add basil.\n- Add basil.\n```\nreturn wait;\n```\nNO ANSWER";
    static const char shown[] =
        "The paper tray takes 1,500 sheets. [2]\n\n- Simmer the soup for twenty minutes. [1]\n- Add basil. [1]\n"
        "```\nreturn wait;\n```\n[3]";
    (void)state;
    Kit k;
    kit_open(&k);
    for (size_t step = 1; step < sizeof said; step++) {
        Parrot parrot = {.text = STR(said), .step = step};
        Ear ear = {0};
        Composed composed;
        CHECK_OK(compose(&k, &parrot, &ear, &composed));
        CHECK_STR(composed.text, shown);
        CHECK_STR(buf_str(&ear.text), shown);
        CHECK_INT(ear.citations, composed.n);
        CHECK_INT(composed.n_refused, 4);
        CHECK_STR(composed.refused[1].sentence, "It was built in 1999 [2].");
        buf_free(&ear.text);
    }
    fixture_close(&k.f);
}

static void it_ends_when_the_writer_only_repeats_itself(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    Parrot parrot = {.text = STR("Add basil. So says Mr Nobody. So says Mr Nobody. Add basil. Add basil. Simmer the "
                                 "soup for twenty minutes. "),
                     .step = 4};
    Ear ear = {0};
    Composed composed;
    CHECK_OK(compose(&k, &parrot, &ear, &composed));
    CHECK_STR(composed.text, "Add basil. [1]");
    CHECK_INT(composed.n_refused, 4);
    CHECK_STR(str_of(composed.refused[0].why), "a name that is in no source");
    CHECK_STR(str_of(composed.refused[3].why), "it was said already");
    buf_free(&ear.text);
    fixture_close(&k.f);
}

static void it_ends_when_nobody_listens_or_the_writer_fails(void **state) {
    (void)state;
    Kit k;
    kit_open(&k);
    Parrot parrot = {.text = STR("Add basil. Simmer the soup for twenty minutes. "), .step = 1};
    Ear ear = {.most = 1};
    Composed composed;
    CHECK_OK(compose(&k, &parrot, &ear, &composed));
    CHECK(composed.stopped);
    CHECK_STR(composed.text, "Add basil. [1]");
    buf_free(&ear.text);
    ear = (Ear){0};
    parrot.end = ERR_NETWORK;
    CHECK_ERR(compose(&k, &parrot, &ear, &composed), ERR_NETWORK, "as told");
    CHECK_STR(buf_str(&ear.text), "Add basil. [1]"); /* the second one may not be whole */
    parrot.end = ERR_DEADLINE;
    CHECK_OK(compose(&k, &parrot, &ear, &composed));
    CHECK(composed.deadline_hit);
    parrot.text = STR("Add");
    CHECK_ERR(compose(&k, &parrot, &ear, &composed), ERR_DEADLINE, "as told");
    buf_free(&ear.text);
    fixture_close(&k.f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_that_stands_in_its_source_keeps_its_number),
        cmocka_unit_test(a_number_that_is_wrong_or_missing_becomes_the_right_one),
        cmocka_unit_test(what_is_in_no_source_is_refused_with_the_reason),
        cmocka_unit_test(the_contrary_of_a_source_is_refused),
        cmocka_unit_test(code_holds_line_by_line),
        cmocka_unit_test(a_sentence_is_whole_when_what_follows_says_so),
        cmocka_unit_test(an_answer_is_the_same_however_it_comes),
        cmocka_unit_test(it_ends_when_the_writer_only_repeats_itself),
        cmocka_unit_test(it_ends_when_nobody_listens_or_the_writer_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
