/* test_template.c - chat templates against the reference (tests/golden/template), their errors, and their bounds. */
#include "check.h"

#include "base/file.h"
#include "model/template.h"

static const int64_t NOW_MS = 1700000000000; /* of the goldens' strftime_now */

static Err render(const char *source, const char *globals, Buf *out) {
    Template *t = NULL;
    json_t *values = NULL;
    buf_clear(out);
    CHECK_OK(json_read(str_of(globals), "globals", &values));
    Err err = template_open(&t, str_of(source), "m.gguf");
    if (!err) err = template_render(t, values, NOW_MS, out);
    template_close(t);
    json_decref(values);
    return err;
}

static void check_case(const char *source, const json_t *line, size_t number) {
    Template *t = NULL;
    Buf out = {0};
    const json_t *want = json_object_get(line, "out");
    Err err = template_open(&t, str_of(source), "m.gguf");
    if (!err) err = template_render(t, json_object_get(line, "globals"), NOW_MS, &out);
    if (err && want) fail_msg("line %zu: %s\n%s", number, err_text(), source);
    if (!err && !want)
        fail_msg("line %zu gives \"%.*s\", the reference fails\n%s", number, STR_FMT(buf_str(&out)), source);
    if (!err && !str_is(buf_str(&out), json_string_value(want)))
        fail_msg("line %zu:\ngot  \"%.*s\"\nwant \"%s\"\n%s", number, STR_FMT(buf_str(&out)), json_string_value(want),
                 source);
    template_close(t);
    buf_free(&out);
}

static void templates_give_what_the_reference_gives(void **state) {
    (void)state;
    Arena a = {0};
    Str text, line;
    size_t number = 0;
    const char *source = NULL;
    CHECK_OK(file_read(&a, TESTS_DIR "/golden/template/cases.jsonl", 1 << 20, &text));
    while (str_line(&text, &line)) {
        json_t *object = NULL;
        CHECK_OK(json_read(line, "case", &object));
        const json_t *template = json_object_get(object, "template");
        if (template) source = arena_cstr(&a, str_of(json_string_value(template)));
        check_case(source, object, ++number);
        json_decref(object);
    }
    CHECK(number > 190);
    arena_free(&a);
}

static void errors_say_line_and_what(void **state) {
    (void)state;
    static const struct {
        const char *source;
        Err code;
        const char *text;
    } cases[] = {
        {"a\n\n{{ x.y }}", ERR_INPUT, "chat template of 'm.gguf', line 3: 'x' is undefined"},
        {"{% if a %}\n{{ none + 'b' }}{% else %}\n{{ none + 'b' }}{% endif %}", ERR_INPUT,
         "line 3: none and str cannot be added"},
        {"{{ raise_exception('roles must alternate') }}", ERR_INPUT, "line 1: roles must alternate"},
        {"\n{% if x %}", ERR_CORRUPT, "line 2: a block is not closed, 'endif' is missing"},
        {"{% for x in y %}{% endif %}", ERR_CORRUPT, "line 1: unknown statement 'endif'"},
        {"{{ 1 + }}", ERR_CORRUPT, "line 1: unexpected '}}', wanted a value"},
        {"{{ f(1 }}", ERR_CORRUPT, "unexpected '}'"},
        {"{{ f(1", ERR_CORRUPT, "a tag is not closed"},
        {"{# x", ERR_CORRUPT, "a comment is not closed"},
        {"{{ 'x }}", ERR_CORRUPT, "a string is not closed"},
        {"{{ '\\ud800' }}", ERR_CORRUPT, "an escape in a string is no character"},
        {"{% raw %}x", ERR_CORRUPT, "a raw block is not closed"},
        {"{{ 12a }}", ERR_CORRUPT, "'12a' is no number"},
        {"{{ 99999999999999999999 }}", ERR_CORRUPT, "is no number"},
        {"{{ 1 ? 2 }}", ERR_CORRUPT, "unexpected character '?'"},
        {"{% include 'x' %}", ERR_UNSUPPORTED, "'include' is not supported"},
        {"{% for x in y recursive %}{% endfor %}", ERR_UNSUPPORTED, "recursive loops are not supported"},
        {"{{ f(**x) }}", ERR_UNSUPPORTED, "'**' in a call is not supported"},
        {"{{ 1 | frob }}", ERR_UNSUPPORTED, "unknown filter 'frob'"},
        {"{{ 1 is frob }}", ERR_UNSUPPORTED, "unknown test 'frob'"},
        {"{{ frob() }}", ERR_UNSUPPORTED, "'frob' is no function that is known"},
        {"{{ [].append(1) }}", ERR_UNSUPPORTED, "'append' would change a list, which a template may not"},
        {"{{ strftime_now('%Q') }}", ERR_UNSUPPORTED, "'strftime_now' does not know '%Q'"},
        {"{{ 'a'.split(1, 2, 3) }}", ERR_INPUT, "'split' takes 2 arguments, not 3"},
        {"{{ 'a'.strip(1) }}", ERR_INPUT, "'strip' wants text, not int"},
        {"{{ 'a'.replace('a') }}", ERR_INPUT, "'replace' needs 'new'"},
        {"{{ 'a'.join(x=1) }}", ERR_INPUT, "'join' takes no argument 'x'"},
        {"{% set a, b = [1, 2, 3] %}", ERR_INPUT, "3 values cannot fill 2 names"},
        {"{% set x = 1 %}{% set x.y = 1 %}", ERR_INPUT, "'x' is no namespace, 'y' of it cannot be set"},
        {"{{ 9223372036854775807 + 1 }}", ERR_LIMIT, "a number has more than 64 bits"},
        {"{{ [1][::0] }}", ERR_INPUT, "a slice cannot have a step of 0"},
        {"{{ [3, 'a'] | sort }}", ERR_INPUT, "cannot be compared"},
        {"{{ x | tojson }}", ERR_INPUT, "'x' is undefined and cannot be JSON"},
    };
    Buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_ERR(render(cases[i].source, "{}", &out), cases[i].code, cases[i].text);
    buf_free(&out);
}

/* Each would run (almost) for ever, or take all memory, were it let. */
static void hostile_templates_meet_a_limit(void **state) {
    (void)state;
    static const char *const cases[] = {
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
        "ns.x|tojson }}",
        "{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{{ 'a' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ ('a' * 9999999).replace('', 'b' * 9999999) }}",
        "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 999 }}{% endfor %}",
        "{% for i in range(99999) %}{% set x = 'a' * 999 %}{% set y = x|list %}{% endfor %}",
        "{{ range(999999999999) }}",
        "{{ 'x' | indent(999999999) }}",
    };
    Buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (render(cases[i], "{}", &out) != ERR_LIMIT) fail_msg("%s: \"%s\"", cases[i], err_text());
    buf_free(&out);
}

static void sources_that_are_too_deep_or_too_long_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *open, *close;
    } nests[] = {{"(", ")"}, {"[", "]"}, {"not ", ""}, {"-", ""}, {"1 if 1 else ", ""}};
    Buf source = {0}, out = {0};
    for (size_t k = 0; k < sizeof nests / sizeof *nests; k++) {
        buf_clear(&source);
        buf_add_z(&source, "{{ ");
        for (int i = 0; i < 5000; i++) buf_add_z(&source, nests[k].open);
        buf_add_z(&source, "1");
        for (int i = 0; i < 5000; i++) buf_add_z(&source, nests[k].close);
        buf_add_z(&source, " }}");
        if (render(source.p, "{}", &out) != ERR_LIMIT) fail_msg("%s: \"%s\"", nests[k].open, err_text());
    }
    buf_clear(&source);
    for (int i = 0; i < 5000; i++) buf_add_z(&source, "{% if 1 %}");
    CHECK_ERR(render(source.p, "{}", &out), ERR_LIMIT, "levels within each other");
    buf_clear(&source);
    buf_add_z(&source, "{{ 1");
    for (int i = 0; i < 5000; i++) buf_add_z(&source, " + 1");
    buf_add_z(&source, " }}");
    CHECK_ERR(render(source.p, "{}", &out), ERR_LIMIT, "levels within each other");
    buf_clear(&source);
    for (int i = 0; i <= TEMPLATE_SOURCE_MAX; i++) buf_char(&source, 'a');
    CHECK_ERR(render(source.p, "{}", &out), ERR_LIMIT, "bytes; the limit is");
    buf_clear(&source);
    for (int i = 0; i < 500; i++) buf_char(&source, '[');
    for (int i = 0; i < 500; i++) buf_char(&source, ']');
    buf_clear(&out);
    Buf globals = {0};
    buf_printf(&globals, "{\"x\": %s}", source.p);
    CHECK_ERR(render("{{ x }}", globals.p, &out), ERR_LIMIT, "nested more than");
    buf_free(&globals);
    buf_free(&source);
    buf_free(&out);
}

static void ill_formed_bytes_are_replaced(void **state) {
    (void)state;
    Buf out = {0};
    CHECK_OK(render("a\xFF{{ 'b\xC3' }}", "{}", &out));
    CHECK_STR(buf_str(&out), "a\xEF\xBF\xBD"
                             "b\xEF\xBF\xBD");
    buf_free(&out);
}

static void a_template_renders_the_same_again(void **state) {
    (void)state;
    Template *t = NULL;
    Buf first = {0}, again = {0};
    json_t *values = NULL;
    CHECK_OK(json_read(STR("{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}"), "globals", &values));
    CHECK_OK(template_open(&t,
                           STR("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
                               "{{ m.role ~ ns.n }}{% endfor %}"),
                           "m.gguf"));
    CHECK_OK(template_render(t, values, 0, &first));
    CHECK_OK(template_render(t, values, 0, &again));
    CHECK_STR(buf_str(&first), "user1");
    CHECK(str_eq(buf_str(&first), buf_str(&again)));
    template_close(t);
    template_close(NULL);
    json_decref(values);
    buf_free(&first);
    buf_free(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_give_what_the_reference_gives),
        cmocka_unit_test(errors_say_line_and_what),
        cmocka_unit_test(hostile_templates_meet_a_limit),
        cmocka_unit_test(sources_that_are_too_deep_or_too_long_are_refused),
        cmocka_unit_test(ill_formed_bytes_are_replaced),
        cmocka_unit_test(a_template_renders_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
