/* Passages in sentences and blocks, and what a question asks for. */
#include "answer/expect.h"
#include "answer/spans.h"
#include "check.h"

static Arena arena;

/* The spans of a text, "|" between them, headings in "<>". */
static Str cut(const char *text, bool prose) {
    Span *spans = NULL;
    size_t n = 0;
    Buf b = {0};
    CHECK_OK(spans_of(&arena, str_of(text), prose, &spans, &n));
    for (size_t i = 0; i < n; i++) {
        const Str s = str_make(text + spans[i].start, spans[i].end - spans[i].start);
        buf_printf(&b, spans[i].heading ? "%s<%.*s>" : "%s%.*s", i ? "|" : "", STR_FMT(s));
    }
    const Str out = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return out;
}

static void prose_is_cut_at_sentences(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"One. Two! Three? Four", "One.|Two!|Three?|Four"},
        {"It costs 3.14 dollars, see a.c. Then \"it ends.\" Next",
         "It costs 3.14 dollars, see a.c.|Then \"it ends.\"|Next"},
        {"Dr. Smith of the U.S. Army met J. Doe, e.g. in May. He left.",
         "Dr. Smith of the U.S. Army met J. Doe, e.g. in May.|He left."},
        {"A line\nthat goes on. And\nmore", "A line\nthat goes on.|And\nmore"},
        {"The title\n\nA paragraph.\n\nAnother one.", "<The title>|A paragraph.|Another one."},
        {"# Head\ntext. More\n## Sub\n- item one\n- item two\n1. first",
         "<# Head>|text.|More|<## Sub>|- item one|- item two|1. first"},
        {"", ""},
        {" \n\n \n", ""},
        {"...", "..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) CHECK_STR(cut(cases[i].text, true), cases[i].want);
    arena_free(&arena);
}

static void code_is_cut_at_blank_lines(void **state) {
    (void)state;
    CHECK_STR(cut("int a;\nint b;\n\n\nint f(void) {\n}\n", false), "int a;\nint b;|int f(void) {\n}");
    char many[4 * (SPAN_LINES_MAX + 2) + 1] = "";
    for (size_t i = 0; i < SPAN_LINES_MAX + 2; i++) memcpy(many + 4 * i, "x=1\n", 4);
    Span *spans = NULL;
    size_t n = 0;
    CHECK_OK(spans_of(&arena, str_of(many), false, &spans, &n));
    CHECK_INT(n, 2);
    CHECK_INT(spans[0].end, 4 * SPAN_LINES_MAX - 1);
    arena_free(&arena);
}

/* Whatever the bytes: in order, apart, without blanks around, nothing but blanks left out, none too long. */
static void every_byte_is_in_one_span(void **state) {
    (void)state;
    static const char letters[] = "ab.C !?\"\n\n#-1\xC3\xA9 ";
    uint32_t noise = 1;
    for (int round = 0; round < 400; round++) {
        char text[3000];
        const size_t size = (size_t)(round * 7 % 3000);
        for (size_t i = 0; i < size; i++) {
            noise = noise * 1664525u + 1013904223u;
            text[i] = round % 5 == 4 ? 'x' : letters[(noise >> 16) % (sizeof letters - 1)];
        }
        for (int prose = 0; prose < 2; prose++) {
            Span *spans = NULL;
            size_t n = 0, at = 0;
            CHECK_OK(spans_of(&arena, str_make(text, size), prose, &spans, &n));
            for (size_t i = 0; i < n; i++) {
                CHECK(spans[i].start >= at && spans[i].end > spans[i].start && spans[i].end <= size);
                CHECK(spans[i].end - spans[i].start <= SPAN_BYTES_MAX);
                for (; at < spans[i].start; at++) CHECK(strchr(" \n", text[at]));
                CHECK(!strchr(" \n", text[spans[i].start]) && !strchr(" \n", text[spans[i].end - 1]));
                at = spans[i].end;
            }
            for (; at < size; at++) CHECK(strchr(" \n", text[at]));
        }
        arena_free(&arena);
    }
}

static void questions_expect_numbers_or_names(void **state) {
    (void)state;
    static const struct {
        const char *question;
        Expected want;
    } cases[] = {
        {"When did it begin?", EXPECT_NUMBER},
        {"how many sheets fit", EXPECT_NUMBER},
        {"In what year was it?", EXPECT_NUMBER},
        {"Who wrote the parser?", EXPECT_NAME},
        {"To whom was it sold?", EXPECT_NAME},
        {"which city is it in", EXPECT_NAME},
        {"what is a recipe", EXPECT_ANYTHING},
        {"how does retry work", EXPECT_ANYTHING},
        {"", EXPECT_ANYTHING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_INT(expect_of(str_of(cases[i].question)), cases[i].want);
    const Str year = STR("When did the crisis of 1973 begin?");
    CHECK_NEAR(expect_met(EXPECT_NUMBER, year, STR("The crisis of 1973 began.")), 0, 0); /* it is the question's own */
    CHECK_NEAR(expect_met(EXPECT_NUMBER, year, STR("It began on 17 October.")), 1, 0);
    CHECK_NEAR(expect_met(EXPECT_NUMBER, year, STR("It lasted twelve months.")), 1, 0);
    const Str who = STR("Who led the Huguenots?");
    CHECK_NEAR(expect_met(EXPECT_NAME, who, STR("The Huguenots were led by some.")), 0, 0);
    CHECK_NEAR(expect_met(EXPECT_NAME, who, STR("The Huguenots followed Calvin.")), 1, 0);
    CHECK_NEAR(expect_met(EXPECT_ANYTHING, who, STR("")), 0.5, 0);
}

static void numbers_and_names_that_a_text_lacks_are_counted(void **state) {
    (void)state;
    const Str question = STR("Did Napoleon leave Elba in 1815 or 1816?");
    const Str text = STR("In 1815 napoleon left the island.");
    CHECK_NEAR(expect_lacks(NAMING_NUMBERS, question, text), 1, 0);
    CHECK_NEAR(expect_lacks(NAMING_ALL, question, text), 2, 0);
    CHECK_NEAR(expect_lacks(NAMING_ALL, STR("Elba is where?"), text), 0, 0); /* a sentence begins with a capital */
    CHECK_NEAR(expect_lacks(NAMING_ALL, STR("what of The Who?"), text), 0, 0);
    CHECK_NEAR(expect_lacks(NAMING_NUMBERS, STR("1 22 333 4444 55555"), text), 3, 0); /* and no more */
    CHECK_NEAR(expect_lacks(NAMING_ALL, STR("as of [1], and [1]"), text), 1, 0);
    CHECK_NEAR(expect_lacks(NAMING_ALL, STR(""), STR("")), 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prose_is_cut_at_sentences),
        cmocka_unit_test(code_is_cut_at_blank_lines),
        cmocka_unit_test(every_byte_is_in_one_span),
        cmocka_unit_test(questions_expect_numbers_or_names),
        cmocka_unit_test(numbers_and_names_that_a_text_lacks_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
