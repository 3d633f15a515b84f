/* Tests of docstring.h: what comments say, and which bytes they are. */
#include "check.h"

#include "chunk/docstring.h"

/* Of the definition that is all of the text. */
static Str said(Arena *a, const char *lang, const char *name, const char *text, Str *rest) {
    const Symbol s = {.name = str_of(name), .start = 0, .end = (int64_t)strlen(text)};
    Docstring d;
    bool found = false;
    CHECK_OK(docstring_of(a, str_of(text), str_of(lang), &s, &found, &d));
    *rest = found ? arena_printf(a, "%.*s%s", (int)d.start, text, text + d.end) : str_of(text);
    return found ? d.said : (Str){NULL, 0};
}

static void comments_before_a_definition_say_their_first_paragraph(void **state) {
    (void)state;
    static const struct {
        const char *lang, *name, *text, *said, *rest;
    } cases[] = {
        {"c", "wait", "/* Waits twice as long\n * after each failure.\n *\n * Never fails. */\nint wait(void);\n",
         "Waits twice as long after each failure.", "int wait(void);\n"},
        {"c", "f", "// One line\n// and another\nint f;\n", "One line and another", "int f;\n"},
        {"rust", "f", "/// Adds.\n///\n/// More.\n#[inline]\nfn f() {}\n", "Adds.", "#[inline]\nfn f() {}\n"},
        {"java", "f", "/**\n * Opens the <b>door</b>.\n * @param x which\n */\nvoid f(int x) {}\n", "Opens the door.",
         "void f(int x) {}\n"},
        {"csharp", "f", "/// <summary>Closes it.</summary>\nvoid f() {}\n", "Closes it.", "void f() {}\n"},
        {"bash", "f", "# Says hello\nf() { :; }\n", "Says hello", "f() { :; }\n"},
        {"lua", "f", "-- Counts sheep\nfunction f() end\n", "Counts sheep", "function f() end\n"},
        {"c", "f", "/* a < b and c > d stay */\nint f;\n", "a < b and c > d stay", "int f;\n"},
        {"python", "f",
         "# Not the string\ndef f(a,\n      b):  # why: so\n    r\"\"\"Cuts a\n    line.\n\n    More.\"\"\"\n    "
         "return a\n",
         "Cuts a line.", "# Not the string\ndef f(a,\n      b):  # why: so\n    return a\n"},
        {"python", "f", "def f():\n    '''One.'''\n    pass\n", "One.", "def f():\n    pass\n"},
        {"python", "f", "# Only this\ndef f():\n    pass\n", "Only this", "def f():\n    pass\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        Str rest;
        const Str words = said(&a, cases[i].lang, cases[i].name, cases[i].text, &rest);
        CHECK_STR(words, cases[i].said);
        CHECK_STR(rest, cases[i].rest);
        arena_free(&a);
    }
}

static void what_has_no_comment_says_nothing(void **state) {
    (void)state;
    static const struct {
        const char *lang, *text;
    } cases[] = {
        {"c", "int f;\n"},           {"c", "#define f 1\n"}, {"python", "def f():\n    \"\"\"never closed\n    pass\n"},
        {"python", "def f(): pass"}, {"c", "/* */\nint f;"}, {"c", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        Str rest;
        assert_null(said(&a, cases[i].lang, "f", cases[i].text, &rest).p);
        arena_free(&a);
    }
}

static void spans_outside_of_the_text_have_none(void **state) {
    (void)state;
    static const int64_t spans[][2] = {{-1, 2}, {2, 1}, {0, 99}, {50, 60}};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        Arena a = {0};
        const Symbol s = {.name = STR("f"), .start = spans[i][0], .end = spans[i][1]};
        Docstring d;
        bool found = true;
        CHECK_OK(docstring_of(&a, STR("// a\nint f;\n"), STR("c"), &s, &found, &d));
        assert_false(found);
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_before_a_definition_say_their_first_paragraph),
        cmocka_unit_test(what_has_no_comment_says_nothing),
        cmocka_unit_test(spans_outside_of_the_text_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
