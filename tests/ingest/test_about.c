/* The heads of text files: what they say of their document, and what is no head. */
#include "base/meta.h"
#include "check.h"
#include "ingest/about.h"

static Arena arena;

static int drop(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static Doc headed(const char *lang, const char *text) {
    Doc d = {.lang = str_of(lang), .text = str_of(text), .title = STR(""), .meta = STR("")};
    CHECK_OK(about_read_head(&arena, &d));
    CHECK(meta_valid(d.meta));
    return d;
}

static void yaml_before_markdown_is_read(void **state) {
    (void)state;
    Doc d = headed("markdown", "---\n"
                               "title: \"Tides: a study\"   # of the north\n"
                               "authors:\n"
                               "  - name: Anna Berg\n"
                               "    affiliation: Bergen\n"
                               "  - Ola Lind\n"
                               "date: 2024-05-01 10:00:00 +0200\n"
                               "lastmod: '2024-06-02'\n"
                               "tags: [sea, \"moon, full\", 'ebb']\n"
                               "categories:\n"
                               "- physics\n"
                               "- waves\n"
                               "draft: true\n"
                               "abstract: |\n"
                               "  author: nobody\n"
                               "params:\n"
                               "  name: not me\n"
                               "empty:\n"
                               "---\n"
                               "author: of the text\n");
    CHECK_STR(d.title, "Tides: a study");
    CHECK_STR(d.meta, "author\tAnna Berg, Ola Lind\ncreated\t2024-05-01T08:00:00Z\nmodified\t2024-06-02\n"
                      "keywords\tsea, moon, full, ebb\ncategories\tphysics, waves\ndraft\ttrue\n");
    d = headed("markdown", "---\r\nauthor:\r\n  name: Anna\r\n...\r\ntext\r\n");
    CHECK_STR(d.meta, "author\tAnna\n");
    CHECK_STR(headed("markdown", "---\nauthor: {name: Anna}\ndate: soon\nbyline: Ida\n---\n").meta, "author\tIda\n");
}

static void toml_before_markdown_is_read(void **state) {
    (void)state;
    const Doc d = headed("markdown", "+++\ntitle = 'Ebb'\nauthor = \"Anna Berg\"\ndate = 2024-05-01T10:00:00Z\n"
                                     "tags = [\"sea\", \"moon\"]\n[params]\nauthor = \"nobody\"\n+++\n");
    CHECK_STR(d.title, "Ebb");
    CHECK_STR(d.meta, "author\tAnna Berg\ncreated\t2024-05-01T10:00:00Z\nkeywords\tsea, moon\n");
}

static void fields_of_other_markup_are_read(void **state) {
    (void)state;
    Doc d = headed("rst", "Tides\n=====\n\n:Author: Anna Berg\n:Date: 2024-05-01\n:param x: a number\n:title: no\n");
    CHECK_STR(d.meta, "author\tAnna Berg\ncreated\t2024-05-01\n");
    d = headed("org", "#+TITLE: Tides\n#+AUTHOR: Anna Berg\n#+OPTIONS: toc:nil\n");
    CHECK_STR(d.title, "Tides");
    CHECK_STR(d.meta, "author\tAnna Berg\n");
    CHECK_STR(headed("asciidoc", "= Tides\n:author: Anna Berg\n").meta, "author\tAnna Berg\n");
}

static void what_is_no_head_is_left_alone(void **state) {
    (void)state;
    static const char *const texts[] = {"# Tides\n\nauthor: Anna\n",
                                        "---\nauthor: Anna\n",
                                        "----\nauthor: Anna\n---\n",
                                        "\n---\nauthor: Anna\n---\n",
                                        "--- x\nauthor: Anna\n---\n",
                                        "---\n\n# Of\nthe sea\n---\n",
                                        "",
                                        "---",
                                        "---\nauthor: \xff\xfe\n---\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const Doc d = headed("markdown", texts[i]);
        if (d.meta.n || d.title.n) fail_msg("case %zu says '%.*s'", i, STR_FMT(d.meta));
    }
    CHECK_STR(headed("yaml", "---\nauthor: Anna\n---\n").meta, "");
    CHECK_STR(headed("c", ":author: Anna\n").meta, "");
}

static void names_are_known_by_what_people_call_them(void **state) {
    (void)state;
    CHECK_STR(str_of(about_name(STR("DC.Creator"))), "author");
    CHECK_STR(str_of(about_name(STR("article:modified_time"))), "modified");
    CHECK(about_name(STR("viewport")) == NULL && about_name(STR("")) == NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(yaml_before_markdown_is_read, drop),
        cmocka_unit_test_teardown(toml_before_markdown_is_read, drop),
        cmocka_unit_test_teardown(fields_of_other_markup_are_read, drop),
        cmocka_unit_test_teardown(what_is_no_head_is_left_alone, drop),
        cmocka_unit_test(names_are_known_by_what_people_call_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
