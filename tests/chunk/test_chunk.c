/* Tests of the chunkers: the contract of chunk.h on made-up and random texts, and the borders they choose. */
#include "check.h"

#include "base/file.h"
#include "base/utf8.h"
#include "chunk/chunk.h"

/* A model of a tokenizer: words of letters and digits, and each other visible byte, are one token. */
static size_t count_words(const void *ctx, Str text) {
    size_t n = 0;
    bool in_word = false;
    (void)ctx;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
        if (word && !in_word)
            n++;
        else if (!word && c > ' ')
            n++;
        in_word = word;
    }
    return n;
}

/* One whose counts do not add up: every line break costs a token, and joins cost more. */
static size_t count_awkward(const void *ctx, Str text) {
    size_t n = count_words(ctx, text);
    for (size_t i = 0; i + 1 < text.n; i++) n += text.p[i] == '\n' ? 2 : 0;
    return n;
}

typedef size_t (*Counter)(const void *ctx, Str text);

static Chunk *cut(Arena *a, Str text, const char *lang, size_t max, Counter counter, size_t *n) {
    Doc doc = {.text = text, .lang = str_of(lang), .path = STR("x")};
    ChunkOpts opts = {.max_tokens = max, .count_tokens = counter};
    DocChunks out;
    CHECK_OK(chunk_doc(a, &doc, &opts, &out));
    *n = out.n;
    return out.chunks;
}

static bool is_blank(Str s) { return str_find(s, STR("\v")) < 0 && str_trim(s).n == 0; }

/* Line breaks in text[from, to). */
static int32_t breaks(Str text, int64_t from, int64_t to) {
    int32_t n = 0;
    for (int64_t i = from; i < to; i++) n += text.p[i] == '\n';
    return n;
}

/* Everything that chunk.h promises. */
static void check_contract(Str text, const char *lang, size_t max, Counter counter) {
    Arena a = {0};
    size_t n = 0, again = 0;
    Chunk *c = cut(&a, text, lang, max, counter, &n), *second = cut(&a, text, lang, max, counter, &again);
    int64_t end = 0;
    int32_t line = 1; /* at end */
    CHECK_INT(n, again);
    for (size_t i = 0; i < n; i++) {
        CHECK(c[i].start >= end && c[i].end > c[i].start && (uint64_t)c[i].end <= text.n);
        Str between = str_make(text.p + end, (size_t)(c[i].start - end)),
            span = str_make(text.p + c[i].start, (size_t)(c[i].end - c[i].start));
        for (size_t k = 0; k < between.n; k++) CHECK(strchr(" \t\r\n\f\v", between.p[k]));
        CHECK(counter(NULL, span) <= max || span.n <= 4);
        CHECK_INT(c[i].tokens, counter(NULL, span));
        line += breaks(text, end, c[i].start);
        CHECK_INT(c[i].start_line, line);
        line += breaks(text, c[i].start, c[i].end);
        CHECK_INT(c[i].end_line, line);
        ChunkHash h = chunk_hash_of(span);
        CHECK(memcmp(&h, &c[i].hash, sizeof h) == 0);
        CHECK(second[i].start == c[i].start && second[i].end == c[i].end);
        end = c[i].end;
    }
    for (size_t k = (size_t)end; k < text.n; k++) CHECK(strchr(" \t\r\n\f\v", text.p[k]));
    arena_free(&a);
}

static uint32_t next_random(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u, *seed >> 8; }

static void the_contract_holds_on_random_texts(void **state) {
    (void)state;
    static const char *const words[] = {"\n",
                                        "\n\n",
                                        " ",
                                        "    ",
                                        "\t",
                                        "alpha",
                                        "b",
                                        "{",
                                        "}",
                                        "# Title",
                                        "=====",
                                        "-----",
                                        "```",
                                        "\r\n",
                                        "def f(x):",
                                        "na\xC3\xAFve",
                                        "\xE6\x97\xA5\xE6\x9C\xAC",
                                        "\xFF",
                                        "return 1;",
                                        "long_identifier_name"};
    const char *langs[] = {"", "markdown", "rst", "python"};
    uint32_t seed = 42;
    for (int round = 0; round < 1500; round++) {
        Buf b = {0};
        uint32_t pieces = next_random(&seed) % 300;
        for (uint32_t i = 0; i < pieces; i++) buf_add_z(&b, words[next_random(&seed) % (sizeof words / sizeof *words)]);
        size_t max = 8 + next_random(&seed) % 60;
        check_contract(buf_str(&b), langs[round % 4], max, round % 2 ? count_words : count_awkward);
        buf_free(&b);
    }
}

/* The contract, but for the count of tokens. */
static void check_skim(Str text) {
    Arena a = {0};
    Doc doc = {.text = text, .path = STR("x")};
    DocChunks out, again;
    int64_t end = 0;
    int32_t line = 1;
    CHECK_OK(chunk_skim(&a, &doc, &out));
    CHECK_OK(chunk_skim(&a, &doc, &again));
    CHECK_INT(out.n, again.n);
    for (size_t i = 0; i < out.n; i++) {
        const Chunk *c = &out.chunks[i];
        CHECK(c->start >= end && c->end > c->start && (uint64_t)c->end <= text.n &&
              c->end - c->start <= CHUNK_SKIM_BYTES);
        CHECK_INT(c->tokens, CHUNK_COARSE);
        for (int64_t k = end; k < c->start; k++) CHECK(strchr(" \t\r\n\f\v", text.p[k]));
        line += breaks(text, end, c->start);
        CHECK_INT(c->start_line, line);
        line += breaks(text, c->start, c->end);
        CHECK_INT(c->end_line, line);
        const ChunkHash h = chunk_hash_of(str_make(text.p + c->start, (size_t)(c->end - c->start)));
        CHECK(memcmp(&h, &c->hash, sizeof h) == 0);
        CHECK(c->start == again.chunks[i].start && c->end == again.chunks[i].end);
        end = c->end;
    }
    for (size_t k = (size_t)end; k < text.n; k++) CHECK(strchr(" \t\r\n\f\v", text.p[k]));
    arena_free(&a);
}

static void skimmed_chunks_keep_the_contract(void **state) {
    (void)state;
    static const char *const words[] = {"\n",        "\n\n",         " ",    "\t",    "alpha", "}", "\r\n",
                                        "def f(x):", "na\xC3\xAFve", "\xFF", "\n\n\n"};
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        Buf b = {0};
        const uint32_t pieces = next_random(&seed) % 6000,
                       kinds = 1 + next_random(&seed) % (sizeof words / sizeof *words);
        for (uint32_t i = 0; i < pieces; i++) buf_add_z(&b, words[(next_random(&seed) % kinds + (uint32_t)round) % 11]);
        check_skim(buf_str(&b));
        buf_free(&b);
    }
    check_skim(STR(""));
    check_skim(STR(" \n\t\n"));
}

static void skimming_ends_chunks_between_definitions(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    DocChunks out;
    for (int i = 0; i < 90; i++)
        buf_printf(&b, "static int f%d(void) {\n    int x = %d;\n\n    return x * %d;\n}\n\n", i, i, i * 77);
    Doc doc = {.text = buf_str(&b), .path = STR("x.c"), .lang = STR("c")};
    CHECK_OK(chunk_skim(&a, &doc, &out));
    CHECK_INT(out.n, 2);
    for (size_t i = 0; i < out.n; i++)
        CHECK(str_starts(str_from(doc.text, (size_t)out.chunks[i].start), STR("static int")));
    buf_free(&b);
    arena_free(&a);
}

static void blank_texts_give_nothing(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 7;
    cut(&a, STR(""), "", 20, count_words, &n);
    CHECK_INT(n, 0);
    cut(&a, STR("\n \t\n\r\n\n"), "", 20, count_words, &n);
    CHECK_INT(n, 0);
    CHECK(is_blank(STR(" \n")));
    arena_free(&a);
}

static void functions_stay_whole_and_keep_their_comments(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    Str text =
        STR("import os\n\n"
            "# adds two numbers and tells\n@decorated\ndef add(a, b):\n    total = a + b\n\n    print(total)\n    "
            "return total\n\n"
            "# takes one from another\ndef sub(a, b):\n    total = a - b\n\n    print(total)\n    return total\n");
    Chunk *c = cut(&a, text, "python", 40, count_words, &n);
    CHECK_INT(n, 2);
    CHECK_INT(c[0].start_line, 1);
    CHECK_INT(c[0].end_line, 9);
    CHECK_INT(c[1].start_line, 11); /* with its comment */
    CHECK_INT(c[1].end_line, 16);
    arena_free(&a);
}

static void headings_start_chunks_and_name_them(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    Str text = STR("---\ntitle: x\n# no heading\n---\nIntro text.\n\n# Install #\n\n## Linux\nRun make.\n```sh\n# a "
                   "comment\nmake\n```\n"
                   "## Mac OS\nRun brew.\n\nUse\n===\nCall it.\n\n- a list\n---\nrule above\n");
    Chunk *c = cut(&a, text, "markdown", 60, count_words, &n);
    CHECK_INT(n, 4);
    CHECK_STR(c[0].heading, "");
    CHECK_STR(c[0].kind, "lines");
    CHECK_STR(c[1].heading, "Install > Linux"); /* the bare heading goes with the next */
    CHECK_INT(c[1].start_line, 7);
    CHECK_INT(c[1].end_line, 14);
    CHECK_STR(c[1].kind, "section");
    CHECK_STR(c[2].heading, "Install > Mac OS");
    CHECK_STR(c[3].heading, "Use");
    CHECK_INT(c[3].start_line, 18);
    arena_free(&a);
}

static void rst_titles_get_levels_in_order_of_appearance(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    Str text = STR("=====\nGuide\n=====\n\nWords.\n\nFirst\n-----\n\nMore "
                   "words.\n\nInner\n~~~~~\n\nDeep.\n\nSecond\n------\n\nEnd.\n");
    Chunk *c = cut(&a, text, "rst", 60, count_words, &n);
    CHECK_INT(n, 4);
    CHECK_STR(c[0].heading, "Guide");
    CHECK_STR(c[1].heading, "Guide > First");
    CHECK_STR(c[2].heading, "Guide > First > Inner");
    CHECK_STR(c[3].heading, "Guide > Second");
    arena_free(&a);
}

static void a_line_over_the_budget_is_cut_at_blanks(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    for (int i = 0; i < 1000; i++) buf_printf(&b, "word%d ", i);
    Chunk *c = cut(&a, buf_str(&b), "", 50, count_words, &n);
    CHECK(n >= 20 && n <= 30);
    for (size_t i = 0; i + 1 < n; i++) CHECK(b.p[c[i].end] == ' ');
    check_contract(buf_str(&b), "", 50, count_words);
    buf_clear(&b);
    for (int i = 0; i < 400000; i++) buf_add_z(&b, i % 3 ? "+" : "\xE2\x82\xAC");
    check_contract(buf_str(&b), "", 50, count_words);
    buf_free(&b);
    arena_free(&a);
}

/* Two even pieces, not a full one and a rest; behind a sentence where there is one. */
static void pieces_of_a_long_line_are_even(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    for (int i = 0; i < 60; i++) buf_printf(&b, "word%d%s ", i, i == 28 ? "." : "");
    Chunk *c = cut(&a, buf_str(&b), "text", 50, count_words, &n);
    CHECK_INT(n, 2);
    CHECK_INT(c[0].tokens, 30); /* 29 words and the full stop */
    CHECK_INT(c[1].tokens, 31);
    buf_free(&b);
    arena_free(&a);
}

/* To this counter it is one word; a chunk of a megabyte would be of no use all the same. */
static void a_megabyte_without_a_blank_is_still_cut(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    for (int i = 0; i < 1 << 20; i++) buf_char(&b, 'x');
    Chunk *c = cut(&a, buf_str(&b), "", 254, count_words, &n);
    CHECK(n > 100);
    for (size_t i = 0; i < n; i++) CHECK(c[i].end - c[i].start <= 254 * CHUNK_BYTES_PER_TOKEN);
    check_contract(buf_str(&b), "", 254, count_words);
    buf_clear(&b);
    buf_add_z(&b, "a\n");
    for (int i = 0; i < 1 << 20; i++) buf_char(&b, ' '); /* one blank line of a megabyte, and such an indentation */
    buf_add_z(&b, "\nb\n");
    for (int i = 0; i < 1 << 20; i++) buf_char(&b, ' ');
    buf_add_z(&b, "c\n");
    c = cut(&a, buf_str(&b), "", 254, count_words, &n);
    CHECK_INT(n, 3);
    for (size_t i = 0; i < n; i++) CHECK_INT(c[i].end - c[i].start, 1);
    buf_free(&b);
    arena_free(&a);
}

static void comments_without_a_blank_line_stay_with_what_follows(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    const Str text =
        STR("int one(int a) {\n    int b = a + 1;\n    return b;\n}\n"
            "/* Two of them,\n * told at length. */\nstatic\nint two(int a) {\n    int c = a + 2;\n    return c;\n}\n"
            "// And three.\n// Also.\nint three(int a) {\n    int d = a + 3;\n    return d;\n}\n");
    Chunk *c = cut(&a, text, "c", 40, count_words, &n);
    CHECK_INT(n, 3);
    CHECK_INT(c[0].end_line, 4);
    CHECK_INT(c[1].start_line, 5);
    CHECK_INT(c[1].end_line, 11);
    CHECK_INT(c[2].start_line, 12);
    arena_free(&a);
}

/* 30 statements in a block that does not fit: wherever it is cut, not before the brace. */
static void no_chunk_starts_with_a_closing_brace(void **state) {
    (void)state;
    Arena a = {0};
    for (size_t max = 12; max < 80; max++) {
        Buf b = {0};
        size_t n = 0;
        buf_add_z(&b, "void f(void) {\n");
        for (int i = 0; i < 30; i++) buf_printf(&b, "    call%d();\n", i);
        buf_add_z(&b, "}\n");
        Chunk *c = cut(&a, buf_str(&b), "c", max, count_words, &n);
        CHECK(n > 1);
        for (size_t i = 0; i < n; i++) CHECK(b.p[c[i].start] != '}');
        buf_free(&b);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* The headings of a text, " | " between. */
static void check_headings(Str text, const char *lang, const char *want) {
    Arena a = {0};
    Buf got = {0};
    size_t n = 0;
    Chunk *c = cut(&a, text, lang, 100, count_words, &n);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_z(&got, " | ");
        buf_add(&got, c[i].heading);
    }
    CHECK_STR(buf_str(&got), want);
    buf_free(&got);
    arena_free(&a);
}

/* Source: CommonMark 0.31; the headings of 477 real files were compared with a reference parser's. */
static void what_looks_like_a_markdown_heading_and_is_none(void **state) {
    (void)state;
    check_headings(
        STR("x\n\n    # code\n\n<!--\n# comment\n-->\n<pre>\n# pre\n</pre>\n~~~\n# fence\n```\n~~~\n#hash\n####### "
            "seven\n> # quote\n- a\n---\n| t |\n|---|\n\n***\n"),
        "markdown", "");
    check_headings(STR("# A # \nx\n### C {#id}\nx\n## B\\#\nx\n"), "markdown", "A | A > C | A > B\\#");
    check_headings(STR("Two\nlines\n===\nx\n\n1.0 / today\n---\nx\n"), "markdown",
                   "Two lines | Two lines > 1.0 / today");
    check_headings(STR("+++\n# no = 1\n+++\n# Yes\nx"), "markdown", " | Yes");
    check_headings(STR("1. item\n   ```\n   # in it\n   ```\n\n# Yes\nx"), "markdown", " | Yes");
    check_headings(STR("# A\n\n## B\n\n## C\nx\n"), "markdown", "A > C"); /* bare headings go with the next */
}

static void what_looks_like_an_rst_title_and_is_none(void **state) {
    (void)state;
    check_headings(STR("x\n\n-----\n\ny\n\n    Code\n    ----\n\nA paragraph\nof two lines\n-----\n"), "rst", "");
    check_headings(STR("Title\n---\nx\n\nShort\n==\ny\n"), "rst", ""); /* underlines shorter than their titles */
    check_headings(STR("Caf\xC3\xA9\n====\nx\n"), "rst", "Caf\xC3\xA9");
}

static void a_long_title_is_cut_between_code_points(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    buf_add_z(&b, "# x");
    for (int i = 0; i < 200; i++) buf_add_z(&b, "\xC3\xA9");
    buf_add_z(&b, "\ntext\n");
    Chunk *c = cut(&a, buf_str(&b), "markdown", 200, count_words, &n);
    CHECK_INT(c[0].heading.n, 199);
    CHECK(utf8_valid(c[0].heading));
    buf_free(&b);
    arena_free(&a);
}

static void carriage_returns_do_not_move_lines(void **state) {
    (void)state;
    Arena a = {0};
    size_t n = 0;
    const Str text = STR("one two three\r\n\r\nfour five\rsix seven\r\n");
    Chunk *c = cut(&a, text, "text", 8, count_words, &n);
    CHECK_INT(n, 1);
    CHECK_INT(c[0].end_line, 3);
    CHECK_INT(c[0].end, text.n - 2);
    check_contract(text, "text", 8, count_words);
    arena_free(&a);
}

/* Every file of the project itself. */
static void the_contract_holds_on_real_files(void **state) {
    (void)state;
    static const char *const files[] = {
        "/../src/chunk/chunk.c", "/../src/chunk/headings.c", "/../src/base/file.h", "/../CMakeLists.txt", "/check.h",
        "/chunk/test_chunk.c"};
    Arena a = {0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        Str text;
        const char *path = arena_printf(&a, "%s%s", TESTS_DIR, files[i]).p;
        CHECK_OK(file_read(&a, path, 1 << 20, &text));
        static const char *const langs[] = {"c", "markdown", "rst", "text"};
        for (size_t k = 0; k < 4; k++) {
            check_contract(text, langs[k], 60, count_words);
            check_contract(text, langs[k], 254, count_awkward);
        }
    }
    arena_free(&a);
}

static void many_blank_lines_do_not_tear_what_stands_around(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    size_t n = 0;
    buf_add_z(&b, "first line\nsecond line\n");
    for (int i = 0; i < 2000; i++) buf_char(&b, '\n');
    buf_add_z(&b, "third line\nfourth line\n");
    Chunk *c = cut(&a, buf_str(&b), "", 20, count_words, &n);
    CHECK_INT(n, 2);
    CHECK_INT(c[0].end_line, 2);
    CHECK_INT(c[1].start_line, 2003);
    buf_free(&b);
    arena_free(&a);
}

static void a_large_text_takes_linear_time(void **state) {
    (void)state;
    Buf b = {0};
    for (int i = 0; b.n < 5000000; i++)
        buf_printf(&b, "%s    value_%d = compute(%d, other) + 1;\n", i % 17 ? "" : "\n", i, i);
    check_contract(buf_str(&b), "c", 254, count_words);
    buf_free(&b);
}

static DocChunks cut_whole(Arena *a, Str text, const char *lang, size_t max) {
    const Doc doc = {.text = text, .lang = str_of(lang), .path = STR("x")};
    DocChunks out;
    CHECK_OK(chunk_doc(a, &doc, &(ChunkOpts){.max_tokens = max, .count_tokens = count_words}, &out));
    return out;
}

static void chunks_of_code_are_named_after_what_they_are_of(void **state) {
    (void)state;
    Arena a = {0};
    const Str text = STR("import os, sys, json, re, time, math, random, itertools, functools\n"
                         "import collections, dataclasses, typing\n"
                         "\n"
                         "\n"
                         "class Stack:\n"
                         "    def push(self, item):\n"
                         "        self.items.append(item)\n"
                         "        self.count += len(self.items) * 3 - self.count\n"
                         "\n"
                         "    # The last one.\n"
                         "    @cached\n"
                         "    def pop(self):\n"
                         "        item = self.items.pop()\n"
                         "        self.count -= len(self.items) * 3 - self.count\n"
                         "        return item\n"
                         "\n"
                         "\n"
                         "def a(): return 1\n"
                         "def b(): return 2\n");
    const DocChunks d = cut_whole(&a, text, "python", 52);
    static const struct {
        int32_t line;
        const char *kind, *symbol, *names;
    } want[] = {{1, "code", "", ""},
                {5, "method", "Stack.push", "Stack.push Stack"},
                {10, "method", "Stack.pop", "Stack.pop"},
                {18, "function", "b", "b a"}};
    CHECK_STR(str_of(d.by), "tree");
    CHECK_INT(d.n, 4);
    for (size_t i = 0; i < d.n; i++) {
        CHECK_INT(d.chunks[i].start_line, want[i].line);
        CHECK_STR(d.chunks[i].kind, want[i].kind);
        CHECK_STR(d.chunks[i].symbol, want[i].symbol);
        CHECK_STR(d.chunks[i].names, want[i].names);
    }
    arena_free(&a);
}

static void a_large_function_is_cut_between_statements_and_keeps_its_name(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    buf_add_z(&b, "int sum(void)\n{\n    int s = 0;\n");
    for (int i = 0; i < 30; i++)
        buf_printf(&b, "    s += call(one_%d,\n              two,\n              three);\n", i);
    buf_add_z(&b, "    return s;\n}\n");
    const DocChunks d = cut_whole(&a, buf_str(&b), "c", 60);
    CHECK(d.n > 5);
    for (size_t i = 0; i < d.n; i++) {
        const Str first = str_trim(str_from(buf_str(&b), (size_t)d.chunks[i].start));
        CHECK_STR(d.chunks[i].symbol, "sum");
        CHECK_STR(d.chunks[i].kind, "function");
        CHECK(i == 0 || str_starts(first, STR("s +="))); /* never within a call */
    }
    arena_free(&a);
    buf_free(&b);
}

static void text_in_a_string_is_no_border(void **state) {
    (void)state;
    Arena a = {0};
    size_t n;
    const Str text = STR("def usage():\n"
                         "    print(\"\"\"\n"
                         "usage: x [a] [b] [c] [d] [e] [f] [g]\n"
                         "\n"
                         "class of options: a b c d e f g h i j\n"
                         "\"\"\")\n"
                         "    return 1\n"
                         "\n"
                         "def next(): return usage() + usage() + usage() + usage()\n");
    const Chunk *c = cut(&a, text, "python", 60, count_words, &n);
    CHECK_INT(n, 2);
    CHECK_INT(c[1].start_line, 9);
    arena_free(&a);
}

static void headings_are_symbols_of_their_sections(void **state) {
    (void)state;
    Arena a = {0};
    const DocChunks d = cut_whole(&a, STR("intro\n\n# Install\n\ntext\n\n## Linux\n\nmore\n"), "markdown", 60);
    CHECK_STR(str_of(d.by), "headings");
    CHECK_INT(d.n_symbols, 2);
    CHECK_STR(d.symbols[0].path, "Install");
    CHECK_INT(d.symbols[0].line, 3);
    CHECK_INT(d.symbols[0].end_line, 5);
    CHECK_STR(d.symbols[1].path, "Install > Linux");
    CHECK_STR(d.symbols[1].name, "Linux");
    CHECK_STR(d.symbols[1].kind, "section");
    arena_free(&a);
}

static void what_no_grammar_takes_is_cut_by_lines_and_says_so(void **state) {
    (void)state;
    Arena a = {0};
    DocChunks d = cut_whole(&a, STR("program x\nend program\n"), "fortran", 60);
    CHECK_STR(str_of(d.by), "lines");
    CHECK(d.why == NULL);
    CHECK_STR(d.chunks[0].kind, "lines");
    CHECK_INT(d.n_symbols, 0);
    Buf b = {0};
    while (b.n <= 9 << 20)
        buf_add_z(&b, "int x_______________________________________________________________________;\n");
    d = cut_whole(&a, buf_str(&b), "c", 250);
    CHECK_STR(str_of(d.by), "lines");
    CHECK_STR(str_of(d.why), "it is too large to be parsed");
    CHECK_STR(d.chunks[0].kind, "lines");
    buf_free(&b);
    arena_free(&a);
}

static void a_budget_too_small_is_an_error(void **state) {
    (void)state;
    Arena a = {0};
    DocChunks out;
    Doc doc = {.text = STR("x"), .lang = STR("")};
    CHECK_ERR(chunk_doc(&a, &doc, &(ChunkOpts){.max_tokens = 7, .count_tokens = count_words}, &out), ERR_LIMIT,
              "at most 7 tokens");
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contract_holds_on_random_texts),
        cmocka_unit_test(skimmed_chunks_keep_the_contract),
        cmocka_unit_test(skimming_ends_chunks_between_definitions),
        cmocka_unit_test(blank_texts_give_nothing),
        cmocka_unit_test(functions_stay_whole_and_keep_their_comments),
        cmocka_unit_test(headings_start_chunks_and_name_them),
        cmocka_unit_test(rst_titles_get_levels_in_order_of_appearance),
        cmocka_unit_test(a_line_over_the_budget_is_cut_at_blanks),
        cmocka_unit_test(pieces_of_a_long_line_are_even),
        cmocka_unit_test(a_megabyte_without_a_blank_is_still_cut),
        cmocka_unit_test(comments_without_a_blank_line_stay_with_what_follows),
        cmocka_unit_test(no_chunk_starts_with_a_closing_brace),
        cmocka_unit_test(what_looks_like_a_markdown_heading_and_is_none),
        cmocka_unit_test(what_looks_like_an_rst_title_and_is_none),
        cmocka_unit_test(a_long_title_is_cut_between_code_points),
        cmocka_unit_test(carriage_returns_do_not_move_lines),
        cmocka_unit_test(the_contract_holds_on_real_files),
        cmocka_unit_test(many_blank_lines_do_not_tear_what_stands_around),
        cmocka_unit_test(a_large_text_takes_linear_time),
        cmocka_unit_test(chunks_of_code_are_named_after_what_they_are_of),
        cmocka_unit_test(a_large_function_is_cut_between_statements_and_keeps_its_name),
        cmocka_unit_test(text_in_a_string_is_no_border),
        cmocka_unit_test(headings_are_symbols_of_their_sections),
        cmocka_unit_test(what_no_grammar_takes_is_cut_by_lines_and_says_so),
        cmocka_unit_test(a_budget_too_small_is_an_error),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
