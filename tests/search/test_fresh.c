/* Freshness over files in a temporary folder and chunks made by hand. The store is a stand-in that keeps one text. */
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "search/fresh.h"
#include "search/no_symbols.h"

static Str kept_text;

Err store_text(Store *s, Arena *a, int64_t doc, Str *out) {
    (void)s;
    (void)doc;
    *out = arena_str(a, kept_text);
    return ERR_OK;
}

static Arena arena;
static const char *root;

static int setup(void **state) {
    (void)state;
    root = check_temp_dir();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return file_remove_tree(root) != ERR_OK;
}

static void put(const char *path, Str content) {
    CHECK_OK(file_write_atomic(path_join(&arena, root, path), content, 0644));
}

/* The chunk of lines [first, last] of this text, as the chunker makes it. */
static StoreChunk chunk_of(const char *path, Str text, int32_t first, int32_t last) {
    StoreChunk c = {.doc_id = 1, .path = str_of(path), .start_line = first, .end_line = last, .size = (int64_t)text.n};
    int32_t line = 1;
    for (size_t i = 0; i < text.n; i++) {
        if (line < first) c.start = (int64_t)i + 1;
        if (line <= last) c.end = (int64_t)i + 1;
        line += text.p[i] == '\n';
    }
    c.hash = chunk_hash_of(str_make(text.p + c.start, (size_t)(c.end - c.start)));
    return c;
}

static Freshness live(StoreChunk *c, Str *content) {
    Freshness f;
    CHECK_OK(chunk_live(&arena, NULL, str_of(root), c, &f, content));
    return f;
}

#define TEXT "one\ntwo\nthree\nfour\nfive\nsix\n"

static void an_untouched_file_is_fresh(void **state) {
    (void)state;
    Str content;
    put("a.txt", STR(TEXT));
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    CHECK_INT(live(&c, &content), FRESH);
    CHECK_STR(content, "three\nfour\n");
    CHECK_INT(c.start_line, 3);
    CHECK_STR(str_of(freshness_name(FRESH_MOVED)), "moved");
}

static void lines_above_move_it(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    put("a.txt", STR("zero\nand a half\n" TEXT));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_STR(content, "three\nfour\n");
    CHECK_INT(c.start_line, 5);
    CHECK_INT(c.end_line, 6);
    CHECK_INT(c.start, 16 + 8);
    CHECK_INT(c.end, 16 + 19);
}

static void it_is_found_when_the_file_changed_on_both_sides(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    put("a.txt", STR("zero\ntwo\nthree\nfour\nother things\n"));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_INT(c.start_line, 3);
    put("a.txt", STR("x\ny\nz\n1\n2\n3\n4\nthree\nfour\n"));
    c = chunk_of("a.txt", STR(TEXT), 3, 4);
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_INT(c.start_line, 8);
    put("a.txt", STR("three\nfour"));
    c = chunk_of("a.txt", STR(TEXT), 3, 4);
    CHECK_INT(live(&c, &content), FRESH_CHANGED); /* its last line end is missing: not the same bytes */
}

static void the_nearest_of_equal_texts_is_taken(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR("a\nb\nc\nsame\nd\n"), 4, 4);
    put("a.txt", STR("same\nb\nc\nx\nyyyy\nsame\nd\nsame\n"));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_INT(c.start_line, 6);
}

static void lines_renumbered_by_an_edit_of_equal_length_are_moved(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    put("a.txt", STR("one\n\n\no\nthree\nfour\nfive\nsix\n"));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_INT(c.start_line, 5);
    CHECK_INT(c.end_line, 6);
}

static void a_changed_chunk_shows_the_lines_that_stand_there_now(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    put("a.txt", STR("one\ntwo\nTHREE\nFOUR\nfive"));
    CHECK_INT(live(&c, &content), FRESH_CHANGED);
    CHECK_STR(content, "THREE\nFOUR\n");
    CHECK_INT(c.start_line, 3);
    put("a.txt", STR("one\ntwo\nlast"));
    CHECK_INT(live(&c, &content), FRESH_CHANGED);
    CHECK_STR(content, "last");
    put("a.txt", STR("one\n"));
    CHECK_INT(live(&c, &content), FRESH_CHANGED);
    CHECK_STR(content, "");
    put("a.txt", STR(""));
    CHECK_INT(live(&c, &content), FRESH_CHANGED);
    CHECK_STR(content, "");
}

static void a_missing_file_is_gone(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("no.txt", STR(TEXT), 3, 4);
    CHECK_INT(live(&c, &content), FRESH_GONE);
    CHECK_STR(content, "");
    c.path = STR("no/folder/x.txt");
    CHECK_INT(live(&c, &content), FRESH_GONE);
    CHECK_INT(mkdir(path_join(&arena, root, "no.txt"), 0755), 0);
    c.path = STR("no.txt");
    CHECK_INT(live(&c, &content), FRESH_GONE);
}

static void a_link_out_of_the_root_is_gone(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("link.txt", STR(TEXT), 3, 4);
    put("inside.txt", STR(TEXT));
    CHECK_INT(symlink("inside.txt", path_join(&arena, root, "link.txt")), 0);
    CHECK_INT(live(&c, &content), FRESH);
    CHECK_OK(file_remove(path_join(&arena, root, "link.txt")));
    CHECK_INT(symlink("/etc/passwd", path_join(&arena, root, "link.txt")), 0);
    CHECK_INT(live(&c, &content), FRESH_GONE);
    c.path = STR("../../../etc/passwd");
    CHECK_INT(live(&c, &content), FRESH_GONE);
}

static void marks_and_wide_encodings_are_read_as_indexed(void **state) {
    (void)state;
    Str content;
    StoreChunk c = chunk_of("a.txt", STR(TEXT), 3, 4);
    c.size += 3;
    put("a.txt", STR("\xEF\xBB\xBF" TEXT));
    CHECK_INT(live(&c, &content), FRESH);
    CHECK_STR(content, "three\nfour\n");
    static const char le[] = "\xFF\xFE\x61\x00\x0A\x00\x3D\xD8\x00\xDE\x0A\x00\x00\xD8";
    put("a.txt", str_make(le, sizeof le - 1));
    c = chunk_of("a.txt", STR("a\n\xF0\x9F\x98\x80\n\xEF\xBF\xBD"), 2, 3);
    CHECK_INT(live(&c, &content), FRESH);
    static const char be[] = "\xFE\xFF\x00\x61\x00\x0A\xD8\x3D\xDE\x00\x00\x0A\x00";
    put("a.txt", str_make(be, sizeof be - 1));
    c = chunk_of("a.txt", STR("a\n\xF0\x9F\x98\x80\n\xEF\xBF\xBD"), 2, 3);
    CHECK_INT(live(&c, &content), FRESH);
    static const char wide[] = "\xFF\xFE\0\0a\0\0\0\n\0\0\0\x00\xF6\x01\0\n\0\0\0\x00\xD8\0\0";
    put("a.txt", str_make(wide, sizeof wide - 1));
    c = chunk_of("a.txt", STR("a\n\xF0\x9F\x98\x80\n\xEF\xBF\xBD"), 2, 3);
    CHECK_INT(live(&c, &content), FRESH);
}

static void a_kept_text_is_always_fresh(void **state) {
    (void)state;
    Str content;
    kept_text = STR(TEXT);
    StoreChunk c = chunk_of("upload", STR(TEXT), 2, 5);
    c.has_text = true;
    CHECK_INT(live(&c, &content), FRESH);
    CHECK_STR(content, "two\nthree\nfour\nfive\n");
    kept_text = STR("other");
    Freshness f;
    CHECK_ERR(chunk_live(&arena, NULL, STR(""), &c, &f, &content), ERR_CORRUPT, "does not hold chunk 0");
    c.has_text = false;
    CHECK_OK(chunk_live(&arena, NULL, STR(""), &c, &f, &content)); /* managed, but nothing kept */
    CHECK_INT(f, FRESH_GONE);
}

static void a_span_inside_a_long_line_moves_with_the_file(void **state) {
    (void)state;
    Str content;
    Str text = STR("head\naaaa bbbb cccc dddd\ntail\n");
    StoreChunk c = {
        .path = STR("a.txt"), .start = 10, .end = 20, .start_line = 2, .end_line = 2, .size = (int64_t)text.n};
    c.hash = chunk_hash_of(str_make(text.p + 10, 10));
    put("a.txt", STR("new\nhead\naaaa bbbb cccc dddd\ntail\n"));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_STR(content, "bbbb cccc ");
    CHECK_INT(c.start_line, 3);
    /* the first piece of a long line ends inside it: the second pass */
    c = (StoreChunk){.path = STR("a.txt"), .start = 5, .end = 15, .start_line = 2, .end_line = 2, .size = 1};
    c.hash = chunk_hash_of(str_make(text.p + 5, 10));
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_STR(content, "aaaa bbbb ");
}

static void a_large_file_is_searched_within_a_budget(void **state) {
    (void)state;
    Buf b = {0};
    for (int i = 0; i < 30000; i++) buf_printf(&b, "line %d of a file that has a megabyte\n", 100000 + i);
    StoreChunk c = chunk_of("big.txt", buf_str(&b), 20001, 20040);
    Buf moved = {0};
    buf_add_z(&moved, "an edit at the top\n");
    buf_add(&moved, buf_str(&b));
    buf_add_z(&moved, "and one at the end\n");
    put("big.txt", buf_str(&moved));
    Str content;
    int64_t start = clock_mono_ns();
    CHECK_INT(live(&c, &content), FRESH_MOVED);
    CHECK_INT(c.start_line, 20002);
    c.hash.bytes[0] ^= 1; /* nowhere: every line has the same length, the worst case */
    CHECK_INT(live(&c, &content), FRESH_CHANGED);
    print_message("two looks into 1.2 MB: %.1f ms\n", (double)(clock_mono_ns() - start) * 1e-6);
    buf_free(&b);
    buf_free(&moved);
}

static void hits_of_one_file_share_one_reading(void **state) {
    (void)state;
    put("a.txt", STR(TEXT));
    put("b.txt", STR("x\ny\n"));
    StoreCollection collection = {.root = str_of(root)};
    SearchSource source = {.collection = &collection};
    SearchHit hits[4] = {{.chunk = chunk_of("a.txt", STR(TEXT), 1, 2)},
                         {.chunk = chunk_of("b.txt", STR("x\ny\n"), 2, 2)},
                         {.chunk = chunk_of("a.txt", STR(TEXT), 5, 6)},
                         {.chunk = chunk_of("gone.txt", STR(TEXT), 5, 6)}};
    hits[1].chunk.doc_id = 2;
    hits[3].chunk.doc_id = 3;
    uint32_t source_of[4] = {0};
    fault_arm(1000, 5);
    CHECK_OK(fresh_fill(&arena, &source, source_of, hits, 4, FILL_CHUNK));
    CHECK_INT(fault_count(), 2); /* opens */
    fault_arm(0, 0);
    CHECK_STR(hits[0].content, "one\ntwo\n");
    CHECK_STR(hits[1].content, "y\n");
    CHECK_STR(hits[2].content, "five\nsix\n");
    CHECK_INT(hits[2].freshness, FRESH);
    CHECK_INT(hits[3].freshness, FRESH_GONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_untouched_file_is_fresh),
        T(lines_above_move_it),
        T(it_is_found_when_the_file_changed_on_both_sides),
        T(the_nearest_of_equal_texts_is_taken),
        T(lines_renumbered_by_an_edit_of_equal_length_are_moved),
        T(a_changed_chunk_shows_the_lines_that_stand_there_now),
        T(a_missing_file_is_gone),
        T(a_link_out_of_the_root_is_gone),
        T(marks_and_wide_encodings_are_read_as_indexed),
        T(a_kept_text_is_always_fresh),
        T(a_span_inside_a_long_line_moves_with_the_file),
        T(a_large_file_is_searched_within_a_budget),
        T(hits_of_one_file_share_one_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
