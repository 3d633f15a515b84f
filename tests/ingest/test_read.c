/* Reading: reasons why a file is not indexed, encodings, links, files that change; and file URIs. */
#include "base/clock.h"
#include "ingest/read.h"
#include "tree.h"

static char root[600];
static Arena arena;

static int new_root(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    return 0;
}

static int drop_root(void **state) {
    (void)state;
    arena_free(&arena);
    return file_remove_tree(root) ? -1 : 0;
}

static Str skip_of(const char *path, Doc *doc) {
    static const ReadOpts opts = {.max_size = 1024 * 1024};
    Str skip;
    CHECK_OK(doc_read(&arena, root, str_of(path), &opts, doc, &skip));
    return skip;
}

static Str skip_of_text(const char *path, Str content) {
    Doc doc;
    tree_file_bytes(root, path, content);
    return skip_of(path, &doc);
}

static void a_doc_has_all_that_is_known_of_the_file(void **state) {
    (void)state;
    Doc doc;
    char uri[800];
    struct stat st;
    tree_file(root, "src/my file.py", "print('x')\n");
    (void)snprintf(uri, sizeof uri, "%s/src/my file.py", root);
    CHECK_INT(stat(uri, &st), 0);
    CHECK_STR(skip_of("src/my file.py", &doc), "");
    CHECK_STR(doc.path, "src/my file.py");
    CHECK_STR(doc.text, "print('x')\n");
    CHECK_STR(doc.lang, "python");
    CHECK_STR(doc.title, "");
    (void)snprintf(uri, sizeof uri, "file://%s/src/my%%20file.py", root);
    CHECK_STR(doc.uri, uri);
    CHECK_INT(doc.size, 11);
    CHECK_INT(doc.mtime_ns, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    const Sha256 sum = sha256_of(STR("print('x')\n"));
    CHECK(memcmp(&sum, &doc.sha256, sizeof sum) == 0);
}

static void nothing_to_read_and_too_much(void **state) {
    (void)state;
    Buf big = {0};
    CHECK_STR(skip_of_text("a", STR("")), "empty");
    CHECK_STR(skip_of_text("b", STR(" \n\t\r\n")), "blank");
    for (int i = 0; i < 1024 * 1024 + 512 * 1024; i++) buf_char(&big, i % 64 ? 'x' : '\n');
    CHECK_STR(skip_of_text("c.c", buf_str(&big)), "larger than 1 MB (1.5 MB)");
    CHECK_STR(skip_of_text("c.c", str_upto(buf_str(&big), 1024 * 1024)), "");
    buf_free(&big);
}

static void binary_files_are_told_by_bytes(void **state) {
    (void)state;
    CHECK_STR(skip_of_text("a", STR("hello there\0x")), "binary (NUL at byte 11)");
    CHECK_STR(skip_of_text("b", STR("ab\1\2\3\4\5\6cdefghijklm")), "binary (31 % control characters)");
    CHECK_STR(skip_of_text("c", STR("%PDF-1.7\n1 0 obj")), "binary (PDF)");
    CHECK_STR(skip_of_text("d.docx", STR("PK\3\4....")), "binary (zip archive or office document)");
    CHECK_STR(skip_of_text("e.doc", STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0")),
              "binary (office document of before 2007, or another compound file)");
    CHECK_STR(skip_of_text("e.log", STR("\x1b[31mred\x1b[0m \f\n")), ""); /* a terminal's log is text */
    Buf late = {0};
    for (int i = 0; i < 9000; i++) buf_char(&late, i % 80 ? 'x' : '\n');
    buf_char(&late, 0);
    CHECK_STR(skip_of_text("f", buf_str(&late)), ""); /* only the first 8 KB decide */
    buf_free(&late);
}

static void minified_code_is_told_from_long_prose(void **state) {
    (void)state;
    Buf line = {0}, many = {0};
    for (int i = 0; i < 48211; i++) buf_char(&line, 'x');
    CHECK_STR(skip_of_text("a.js", buf_str(&line)), "minified (line 1 has 48,211 bytes)");
    CHECK_STR(skip_of_text("a.md", buf_str(&line)), "");
    CHECK_STR(skip_of_text("a.unknown", buf_str(&line)), "minified (line 1 has 48,211 bytes)");
    for (int i = 0; i < 20; i++) {
        buf_add(&many, str_upto(buf_str(&line), 600));
        buf_char(&many, '\n');
    }
    CHECK_STR(skip_of_text("b.css", buf_str(&many)), "minified (601 bytes a line)");
    CHECK_STR(skip_of_text("b.jsonl", buf_str(&many)), "");
    CHECK_STR(skip_of_text("c.json", STR("{\"small\": \"and on one line\"}")), "");
    CHECK_STR(skip_of_text("d.json", str_upto(buf_str(&line), 2000)), "");
    buf_free(&line);
    buf_free(&many);
}

static void marks_of_encodings_are_honoured(void **state) {
    (void)state;
    Doc doc;
    const struct {
        Str bytes;
        const char *text;
    } cases[] = {
        {STR("\xEF\xBB\xBFh\xC3\xA9"), "h\xC3\xA9"},
        {STR("\xFF\xFEh\0\xE9\0=\xD8\0\xDE"), "h\xC3\xA9\xF0\x9F\x98\x80"},
        {STR("\xFE\xFF\0h\0\xE9\xD8=\xDE\0"), "h\xC3\xA9\xF0\x9F\x98\x80"},
        {STR("\xFF\xFE\0\0h\0\0\0\0\xF6\1\0"), "h\xF0\x9F\x98\x80"},
        {STR("\0\0\xFE\xFF\0\0\0h\0\1\xF6\0"), "h\xF0\x9F\x98\x80"},
        {STR("\xFF\xFEh\0\0\xD8x\0z"), "h\xEF\xBF\xBDx\xEF\xBF\xBD"}, /* a lone surrogate, half a unit */
        {STR("\xFF\xFE\0\0h\0\0\0\xFF\xFF\xFF\xFF"), "h\xEF\xBF\xBD"},
        {STR("h\xE9 latin"), "h\xC3\xA9 latin"}, /* no mark: guessed */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tree_file_bytes(root, "x.txt", cases[i].bytes);
        CHECK_STR(skip_of("x.txt", &doc), "");
        CHECK_STR(doc.text, cases[i].text);
        CHECK_INT(doc.size, cases[i].bytes.n);
    }
    CHECK_STR(skip_of_text("y.txt", STR("\xFF\xFEh\0\0\0i\0")), "binary (NUL at byte 1)");
}

static void text_of_other_encodings_is_converted_and_kept(void **state) {
    (void)state;
    Doc doc;
    const struct {
        Str bytes;
        const char *text;
    } cases[] = {
        /* "The weather was fine, and the ships went out to sea." in Russian, windows-1251 */
        {STR("\xcf\xee\xe3\xee\xe4\xe0 \xe1\xfb\xeb\xe0 \xf5\xee\xf0\xee\xf8\xe0\xff, \xe8 "
             "\xea\xee\xf0\xe0\xe1\xeb\xe8 \xe2\xfb\xf8\xeb\xe8 \xe2 \xec\xee\xf0\xe5.\n"),
         "Погода была хорошая, и корабли вышли в море.\n"},
        /* German, windows-1252 */
        {STR("Die M\xfchle am rauschenden Bach geh\xf6rte fr\xfcher einem \xe4lteren M\xfcller, der gro\xdf"
             "e "
             "S\xe4"
             "cke trug.\n"),
         "Die Mühle am rauschenden Bach gehörte früher einem älteren Müller, der große Säcke trug.\n"},
        /* Japanese, Shift_JIS: "This is a pen. The weather is fine." */
        {STR("\x82\xb1\x82\xea\x82\xcd\x83y\x83\x93\x82\xc5\x82\xb7\x81"
             "B\x93V\x8b"
             "C\x82\xaa\x97\xc7\x82\xa2\x82\xc5\x82\xb7\x81"
             "B\n"),
         "これはペンです。天気が良いです。\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tree_file_bytes(root, "x.txt", cases[i].bytes);
        CHECK_STR(skip_of("x.txt", &doc), "");
        CHECK_STR(doc.text, cases[i].text);
        CHECK_INT(doc.size, cases[i].bytes.n);
        CHECK(doc.extracted);
    }
    /* UTF-8 with a broken byte stays what it is, and where it is. */
    tree_file(root, "x.txt", "Müller, Mühle, größer, übel, schön, kühl \xff\n");
    CHECK_STR(skip_of("x.txt", &doc), "");
    CHECK_STR(doc.text, "Müller, Mühle, größer, übel, schön, kühl \xff\n");
    CHECK(!doc.extracted);
}

static void links_and_special_files(void **state) {
    (void)state;
    Doc doc;
    Str skip;
    char inner[700], path[800];
    static const ReadOpts opts = {.max_size = 1000};
    (void)snprintf(inner, sizeof inner, "%s/in", root);
    tree_file(root, "secret.txt", "secret");
    tree_file(root, "in/d/a.txt", "text");
    tree_link(root, "in/link", "d/a.txt");
    tree_link(root, "in/out", "../secret.txt");
    tree_link(root, "in/dir", "..");
    (void)snprintf(path, sizeof path, "%s/pipe", inner);
    CHECK_INT(mkfifo(path, 0644), 0);
    CHECK_OK(doc_read(&arena, inner, STR("link"), &opts, &doc, &skip));
    CHECK_STR(skip, "");
    CHECK_STR(doc.text, "text");
    CHECK_STR(doc.path, "link");
    CHECK_OK(doc_read(&arena, inner, STR("out"), &opts, &doc, &skip));
    CHECK_STR(skip, "link out of the root");
    CHECK_OK(doc_read(&arena, inner, STR("pipe"), &opts, &doc, &skip));
    CHECK_STR(skip, "not a regular file");
    CHECK_OK(doc_read(&arena, inner, STR("d"), &opts, &doc, &skip));
    CHECK_STR(skip, "not a regular file");
    /* through a folder that is a link, and up: never */
    CHECK_ERR(doc_read(&arena, inner, STR("dir/secret.txt"), &opts, &doc, &skip), ERR_IO,
              "cannot read 'dir/secret.txt'");
    CHECK_ERR(doc_read(&arena, inner, STR("../secret.txt"), &opts, &doc, &skip), ERR_IO, "cannot read '../secret.txt'");
    CHECK_ERR(doc_read(&arena, inner, STR("none"), &opts, &doc, &skip), ERR_IO,
              "cannot read 'none': No such file or directory");
}

static void uris_go_both_ways(void **state) {
    (void)state;
    static const char *const paths[] = {"/",          "/a/b.c", "/a b/\xC3\xA9#?%.c", "/tilde~(1)+2;x=1@y:z",
                                        "/new\nline", "/\xff"};
    static const char *const uris[] = {
        "file:///",           "file:///a/b.c", "file:///a%20b/%C3%A9%23%3F%25.c", "file:///tilde~(1)+2;x=1@y:z",
        "file:///new%0Aline", "file:///%FF"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *back;
        CHECK_STR(uri_of_path(&arena, paths[i]), uris[i]);
        CHECK_OK(path_of_uri(&arena, str_of(uris[i]), &back));
        CHECK_STR(str_of(back), paths[i]);
    }
    const char *path;
    CHECK_OK(path_of_uri(&arena, STR("FILE://localhost/x%2fy"), &path));
    CHECK_STR(str_of(path), "/x/y");
    CHECK_ERR(path_of_uri(&arena, STR("http://x/y"), &path), ERR_INPUT, "is not a file URI of this machine");
    CHECK_ERR(path_of_uri(&arena, STR("file://host/y"), &path), ERR_INPUT, "is not a file URI of this machine");
    CHECK_ERR(path_of_uri(&arena, STR("file:///a%4"), &path), ERR_INPUT, "bad escape at byte 9");
    CHECK_ERR(path_of_uri(&arena, STR("file:///a%zz"), &path), ERR_INPUT, "bad escape at byte 9");
    CHECK_ERR(path_of_uri(&arena, STR("file:///%00"), &path), ERR_INPUT, "bad escape at byte 8");
    CHECK_ERR(path_of_uri(&arena, STR("file:///a?b"), &path), ERR_INPUT, "byte 0x3f at 9");
}

int main(void) {
#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, new_root, drop_root)
    const struct CMUnitTest tests[] = {
        READ_TEST(a_doc_has_all_that_is_known_of_the_file),
        READ_TEST(nothing_to_read_and_too_much),
        READ_TEST(binary_files_are_told_by_bytes),
        READ_TEST(minified_code_is_told_from_long_prose),
        READ_TEST(marks_of_encodings_are_honoured),
        READ_TEST(text_of_other_encodings_is_converted_and_kept),
        READ_TEST(links_and_special_files),
        READ_TEST(uris_go_both_ways),
    };
    return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
