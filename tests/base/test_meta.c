/* What documents say of themselves: lines, dates in the ways that programs write them, and looking for one of them. */
#include "check.h"

#include "base/meta.h"
#include "base/utf8.h"

static void dates_are_read_in_the_ways_that_programs_write_them(void **state) {
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: none */
    } cases[] = {
        {"2024", "2024"},
        {"2024-05", "2024-05"},
        {"2024-05-01", "2024-05-01"},
        {"2024/5/1", "2024-05-01"},
        {"2024.05.01", "2024-05-01"},
        {"20240501", "2024-05-01"},
        {"2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"},
        {"2024-05-01T10:00:00.123456789", "2024-05-01T10:00:00Z"},
        {"2024-05-01T10:00+02:00", "2024-05-01T08:00:00Z"},
        {"2024-05-01 10:00:00 -0530", "2024-05-01T15:30:00Z"},
        {"2024-05-01T10:00:00+02", "2024-05-01T08:00:00Z"},
        {"2023-12-31T23:30:00-01:00", "2024-01-01T00:30:00Z"},
        {"D:20240501100000+02'00'", "2024-05-01T08:00:00Z"},
        {"D:20240501100000Z", "2024-05-01T10:00:00Z"},
        {"D:202405", "2024-05"},
        {"20240501T100000Z", "2024-05-01T10:00:00Z"},
        {"Wed, 1 May 2024 10:00:00 +0200", "2024-05-01T08:00:00Z"},
        {"Wed, 01 May 2024 10:00:00 +0200 (CEST)", "2024-05-01T08:00:00Z"},
        {"1 May 24 10:00 GMT", "2024-05-01T10:00:00Z"},
        {"Thu, 4 Jul 96 08:00:00 EST", "1996-07-04T13:00:00Z"},
        {"Wed May  1 10:00:00 2024", "2024-05-01T10:00:00Z"},
        {"May 1, 2024", "2024-05-01"},
        {"1 September 2024", "2024-09-01"},
        {" 2024-02-29 ", "2024-02-29"},
        {"1901-05-01", "1901-05-01"},
        {"", NULL},
        {"7d", NULL},
        {"yesterday", NULL},
        {"2023-02-29", NULL},
        {"2024-13-01", NULL},
        {"2024-05-01T25:00:00Z", NULL},
        {"2024-05-01T10:00:00+99:00", NULL},
        {"2024-05-01 or so", NULL},
        {"0001-01-01T00:00:00", NULL}, /* .NET's "none" */
        {"9999-12-31T23:00:00-02:00", NULL},
        {"Wed, 1 May", NULL},
        {"1 May 2024 10:00:00 somewhere", NULL},
        {"12345", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32] = "?";
        const bool is = meta_date(str_of(cases[i].text), out);
        if (is != (cases[i].want != NULL)) fail_msg("'%s' gives %s", cases[i].text, is ? out : "nothing");
        if (is) CHECK_STR(str_of(out), cases[i].want);
    }
}

static Str added(Buf *b, const char *name, const char *value) {
    CHECK(meta_add(b, str_of(name), str_of(value)));
    return buf_str(b);
}

static void lines_are_clean_and_said_once(void **state) {
    (void)state;
    Buf b = {0};
    (void)added(&b, " Author ", "  Anna \t\n Berg\x01 ");
    (void)added(&b, "author", "Ola Lind");
    (void)added(&b, "author", "Anna Berg");
    (void)added(&b, "Key Words!", "tides");
    (void)added(&b, "created", "Wed, 1 May 2024 10:00:00 +0200");
    (void)added(&b, "created", "2025");
    (void)added(&b, "blank", " \n ");
    CHECK_STR(added(&b, "", "nameless"),
              "author\tAnna Berg\nauthor\tOla Lind\nkey_words_\ttides\ncreated\t2024-05-01T08:00:00Z\n");
    CHECK(!meta_add(&b, STR("modified"), STR("soon")));
    CHECK(meta_valid(buf_str(&b)));
    CHECK_STR(meta_get(buf_str(&b), "author"), "Anna Berg");
    CHECK_STR(meta_get(buf_str(&b), "title"), "");
    buf_free(&b);
}

static void limits_cut_between_characters_and_drop_what_is_too_much(void **state) {
    (void)state;
    Buf b = {0}, value = {0};
    for (int i = 0; i < META_VALUE_MAX; i++) buf_add_z(&value, i % 7 ? "\xc3\xa9" : "  ");
    for (int i = 0; i < META_LINES_MAX + 5; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "n%d_23456789012345678901234567890123456789012345678", i);
        (void)added(&b, name, value.p);
    }
    size_t n = 0;
    for (Str rest = buf_str(&b), name, text; meta_next(&rest, &name, &text); n++)
        CHECK(name.n == META_NAME_MAX && text.n <= META_VALUE_MAX && text.n > META_VALUE_MAX - 3 && utf8_valid(text));
    CHECK_INT(n, META_LINES_MAX);
    CHECK(b.n <= META_BYTES_MAX && meta_valid(buf_str(&b)));
    buf_free(&b);
    buf_free(&value);
}

static void what_is_no_metadata_is_told(void **state) {
    (void)state;
    static const char *const bad[] = {
        "author",    "author\tx", "\tx\n",     "author\t\n",   "Author\tx\n", "a b\tx\n",           "\n",
        "a\tx\ty\n", "a\tx\r\n",  "a\t\xff\n", "created\tx\n", "a\tx\n\n",    "created\t2024-5-1\n"};
    CHECK(meta_valid(STR("")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (meta_valid(str_of(bad[i]))) fail_msg("case %zu is taken: %s", i, bad[i]);
    Buf many = {0};
    for (int i = 0; i <= META_LINES_MAX; i++) buf_printf(&many, "n%d\tx\n", i);
    CHECK(!meta_valid(buf_str(&many)));
    buf_free(&many);
}

static void a_document_changed_when_it_says_so(void **state) {
    (void)state;
    CHECK_INT(meta_changed_ms(STR("")), 0);
    CHECK_INT(meta_changed_ms(STR("author\tx\n")), 0);
    CHECK_INT(meta_changed_ms(STR("created\t2024-05-01\n")), INT64_C(1714521600000));
    CHECK_INT(meta_changed_ms(STR("created\t2024-05-01\nmodified\t2024-05-01T00:00:01Z\n")), INT64_C(1714521601000));
    CHECK_INT(meta_changed_ms(STR("created\t1969-12-31T23:59:59Z\n")), -1000);
}

static void words_of_a_value_are_found_whatever_their_case(void **state) {
    (void)state;
    const Str meta = STR("author\tAnna Berg\nauthor\tJ\xc3\xb6rg M\xc3\xbcller\nkeywords\tcore-infra, tides\n");
    static const char *const fits[] = {"author=berg",   "AUTHOR=anna berg",      "author=M\xc3\xbcller",
                                       "keywords=core", "keywords=infra, tides", "author= Berg "};
    static const char *const not [] = {"author=ber", "author=nna", "author=rg", "author=ller",   "keywords=cor",
                                       "author",     "author=",    "=berg",     "keywords=berg", "author=Anna Berg M"};
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++)
        if (!meta_fits(str_of(fits[i]), meta)) fail_msg("'%s' does not fit", fits[i]);
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (meta_fits(str_of(not [i]), meta)) fail_msg("'%s' fits", not [i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read_in_the_ways_that_programs_write_them),
        cmocka_unit_test(lines_are_clean_and_said_once),
        cmocka_unit_test(limits_cut_between_characters_and_drop_what_is_too_much),
        cmocka_unit_test(what_is_no_metadata_is_told),
        cmocka_unit_test(a_document_changed_when_it_says_so),
        cmocka_unit_test(words_of_a_value_are_found_whatever_their_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
