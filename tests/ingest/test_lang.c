/* Languages by name, extension, "#!" line and text; what users type. */
#include "base/file.h"
#include "check.h"
#include "ingest/read.h"

static void names_and_extensions(void **state) {
    (void)state;
    static const struct {
        const char *path, *lang;
    } cases[] = {
        {"a/b.c", "c"},
        {"x.PY", "python"},
        {"x.tar.gz", ""},
        {"Makefile", "make"},
        {"sub/CMakeLists.txt", "cmake"},
        {"Dockerfile", "dockerfile"},
        {"Dockerfile.dev", "dockerfile"},
        {"x.d.ts", "typescript"},
        {"x.tsx", "tsx"},
        {"README", "text"},
        {"README.md", "markdown"},
        {"README.old", "text"},
        {".bashrc", "bash"},
        {"x", ""},
        {"", ""},
        {"x.", ""},
        {"Cargo.lock", "toml"},
        {"x.h", "c"},
        {"x.hpp", "cpp"},
        {"x.rst", "rst"},
        {"x.S", "asm"},
        {"x.yml", "yaml"},
        {"a.very-long-extension-that-no-table-has-at-all", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(lang_of(str_of(cases[i].path), STR("")), cases[i].lang);
}

static void the_interpreter_line(void **state) {
    (void)state;
    CHECK_STR(lang_of(STR("x"), STR("#!/bin/sh\n")), "bash");
    CHECK_STR(lang_of(STR("x"), STR("#! /usr/bin/python3.11 -u\n")), "python");
    CHECK_STR(lang_of(STR("x"), STR("#!/usr/bin/env -S A=b node --flag\n")), "javascript");
    CHECK_STR(lang_of(STR("x"), STR("#!/usr/bin/env\n")), "");
    CHECK_STR(lang_of(STR("x"), STR("#!")), "");
    CHECK_STR(lang_of(STR("x"), STR("#!/opt/unknown\n")), "");
    CHECK_STR(lang_of(STR("x.rb"), STR("#!/bin/sh\n")), "ruby"); /* the name is stronger */
    CHECK_STR(lang_of(STR("x"), STR("@cached\n\ndef next(self):\n    return 1\n")), "python");
    CHECK_STR(lang_of(STR(""), STR("def grow(wind,\n         fetch=3):\n    pass\n")), "python");
    CHECK_STR(lang_of(STR(""), STR("async def f() -> int:\n    pass\n")), "python");
    CHECK_STR(lang_of(STR(""), STR("def f(x): return x")), "python");
    CHECK_STR(lang_of(STR(""), STR("def grow(wind)\n  wind * 2\nend\n")), ""); /* Ruby */
    CHECK_STR(lang_of(STR(""), STR("class of 1999 (a reunion)\nWe met again:\n")), "");
    CHECK_STR(lang_of(STR(""), STR("define the terms (all of them):\n")), "");
    CHECK_STR(lang_of(STR("README"), STR("def f(x):\n")), "text");
    CHECK_STR(lang_of(STR("x"), STR("<?xml version='1.0'?>")), "xml");
    CHECK_STR(lang_of(STR("x"), STR("<!DOCTYPE html>")), "html");
}

static void the_text_decides_between_languages_of_one_extension(void **state) {
    (void)state;
    CHECK_STR(lang_of(STR("x.h"), STR("#pragma once\nnamespace a {\n")), "cpp");
    CHECK_STR(lang_of(STR("x.h"), STR("/* namespace */\nint x;\n")), "c");
    CHECK_STR(lang_of(STR("x.h"), STR("#import <X/Y.h>\n")), "objc");
    CHECK_STR(lang_of(STR("x.m"), STR("% squares\nfunction y = sq(x)\n")), "matlab");
    CHECK_STR(lang_of(STR("x.m"), STR("@interface A\n")), "objc");
    CHECK_STR(lang_of(STR("x.ts"), STR("<?xml version=\"1.0\"?>\n<!DOCTYPE TS>")), "xml");
    CHECK_STR(lang_of(STR("x.v"), STR("module top(input a);\n")), "verilog");
    CHECK_STR(lang_of(STR("x.pl"), STR(":- module(x, []).\n")), "prolog");
    CHECK_STR(lang_of(STR("x.pl"), STR("use strict;\n")), "perl");
}

static void names_are_sorted_and_every_key_is_found(void **state) {
    (void)state;
    const char *const *names;
    const size_t n = lang_names(&names);
    CHECK(n >= 60);
    for (size_t i = 0; i < n; i++) {
        Str lang;
        CHECK(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        CHECK_OK(lang_canonical(str_of(names[i]), &lang));
        CHECK_STR(lang, names[i]);
        CHECK(lang_class(lang) != LANG_UNKNOWN);
    }
    CHECK_INT(lang_class(STR("")), LANG_UNKNOWN);
    CHECK_INT(lang_class(STR("markdown")), LANG_PROSE);
    CHECK_INT(lang_class(STR("json")), LANG_DATA);
    CHECK_INT(lang_class(STR("c")), LANG_CODE);
}

/* The tables are searched by halves: a key out of its place would never be found. They are private, so the source is
 * read. */
static void the_tables_are_sorted(void **state) {
    (void)state;
    Arena a = {0};
    Str rest, line;
    CHECK_OK(file_read(&a, TESTS_DIR "/../src/ingest/lang.c", 1 << 20, &rest));
    Str last = STR("");
    size_t tables = 0, keys = 0;
    while (str_line(&rest, &line)) {
        if (str_starts(line, STR("static const LangKey "))) last = STR(""), tables++;
        if (!tables || !str_starts(line, STR("    {\""))) continue;
        for (ptrdiff_t at; (at = str_find(line, STR("{\""))) >= 0; keys++) {
            line = str_from(line, (size_t)at + 2);
            const Str key = str_upto(line, (size_t)str_find_char(line, '"'));
            if (str_cmp(last, key) >= 0) fail_msg("'%.*s' stands behind '%.*s'", STR_FMT(key), STR_FMT(last));
            last = key;
        }
    }
    CHECK(tables >= 4 && keys > 300);
    arena_free(&a);
}

static void what_users_type(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"py", "python"},         {"C++", "cpp"},          {"JS", "javascript"}, {"ts", "typescript"}, {"sh", "bash"},
        {"c#", "csharp"},         {"golang", "go"},        {"md", "markdown"},   {"yml", "yaml"},      {"Rust", "rust"},
        {"docker", "dockerfile"}, {"objective-c", "objc"}, {"protobuf", "proto"}};
    Str lang;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CHECK_OK(lang_canonical(str_of(pairs[i][0]), &lang));
        CHECK_STR(lang, pairs[i][1]);
    }
    CHECK_ERR(lang_canonical(STR("pyton"), &lang), ERR_USAGE, "unknown language 'pyton'; near it: cython, python");
    CHECK_ERR(lang_canonical(STR("type"), &lang), ERR_USAGE, "near it: typescript");
    CHECK_ERR(lang_canonical(STR("klingon!"), &lang), ERR_USAGE, "unknown language 'klingon!'; known: ada, asciidoc,");
    CHECK_ERR(lang_canonical(STR(""), &lang), ERR_USAGE, "unknown language ''");
    CHECK(strstr(err_text(), "zig") != NULL); /* the whole list fits the message */
    CHECK_ERR(lang_canonical(STR("a name that is much longer than any language has ever had"), &lang), ERR_USAGE,
              "known:");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_extensions),
        cmocka_unit_test(the_interpreter_line),
        cmocka_unit_test(the_text_decides_between_languages_of_one_extension),
        cmocka_unit_test(names_are_sorted_and_every_key_is_found),
        cmocka_unit_test(the_tables_are_sorted),
        cmocka_unit_test(what_users_type),
    };
    return cmocka_run_group_tests_name("lang", tests, NULL, NULL);
}
