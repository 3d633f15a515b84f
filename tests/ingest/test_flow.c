/* What readers of documents stand on: the flow of text with its marks, XML, zip archives, encodings, the wire. */
#include "base/utf8.h"
#include "check.h"
#include "fuzz/zip_parts.h"
#include "ingest/office.h"
#include "ingest/wire.h"

static Arena arena;

static int drop(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

/* ---- flow ---- */

static void words_lines_and_paragraphs(void **state) {
    (void)state;
    Flow f;
    Doc d = {0};
    flow_begin(&f, &arena);
    flow_paragraph(&f);
    flow_text(&f, STR("  two \t\n words"));
    flow_text(&f, STR("join"));
    flow_text(&f, STR(" \xc2\xa0 and\xc2\xad part "));
    flow_line(&f);
    flow_line(&f);
    flow_text(&f, STR("ill\xff"
                      "formed, \1control, z\xe2\x80\x8b"
                      "ero"));
    flow_paragraph(&f);
    flow_paragraph(&f);
    flow_verbatim(&f, STR("  kept\r\n   as\tis\r"));
    flow_paragraph(&f);
    CHECK_OK(flow_end(&f, &d));
    CHECK_STR(d.text, "two wordsjoin and part\nill\xef\xbf\xbd"
                      "formed, control, zero\n\n  kept\n   as\tis\n");
    CHECK_INT(d.n_marks, 1);
    flow_free(&f);
}

static void headings_make_paths_and_pages_marks(void **state) {
    (void)state;
    Flow f;
    Doc d = {0};
    static const char *const paths[] = {"A", "A > C", "A > C", "B", "B > Deep", ""};
    static const int pages[] = {0, 0, 2, 2, 2, 2};
    flow_begin(&f, &arena);
    flow_heading(&f, 1, STR(" A "));
    flow_text(&f, STR("a"));
    flow_heading(&f, 3, STR(""));
    flow_heading(&f, 3, STR("C"));
    flow_text(&f, STR("c"));
    flow_page(&f, 2);
    flow_text(&f, STR("c2"));
    flow_heading(&f, 1, STR("B"));
    flow_heading(&f, 99, STR("Deep"));
    flow_text(&f, STR("d"));
    flow_heading_end(&f, 1);
    flow_text(&f, STR("none"));
    flow_page(&f, 3); /* of nothing */
    CHECK_OK(flow_end(&f, &d));
    CHECK_INT(d.n_marks, 6);
    for (size_t i = 0; i < d.n_marks; i++) {
        CHECK_STR(d.marks[i].heading, paths[i]);
        CHECK_INT(d.marks[i].page, pages[i]);
        CHECK(d.marks[i].start == 0 || d.text.p[d.marks[i].start - 1] == '\n');
    }
    CHECK(d.marks[0].titled && !d.marks[2].titled);
    CHECK_STR(d.text, "A\n\na\n\nC\n\nc\n\nc2\n\nB\n\nDeep\n\nd\n\nnone\n");
    flow_free(&f);
}

static void rows_name_their_columns(void **state) {
    (void)state;
    Flow f;
    Doc d = {0};
    OfficeTable t;
    static const char *const rows[][3] = {{"Name", "Age", "Town"}, {"Anna", "", "Oslo"}, {"", "", ""}, {"Bo", "7", ""}};
    flow_begin(&f, &arena);
    office_table_begin(&t, &f);
    for (size_t r = 0; r < 4; r++) {
        for (size_t c = 0; c < 3; c++) office_cell(&t, str_of(rows[r][c]));
        office_row(&t, false, true);
    }
    office_table_begin(&t, &f); /* a first row with an empty cell names nothing */
    office_cell(&t, STR("x"));
    office_cell(&t, STR(""));
    office_cell(&t, STR("y"));
    office_row(&t, false, true);
    office_cell(&t, STR("z"));
    office_row(&t, false, true);
    CHECK_OK(flow_end(&f, &d));
    CHECK_STR(d.text, "Name | Age | Town\nName: Anna | Town: Oslo\nName: Bo | Age: 7\n\nx | y\nz\n");
    flow_free(&f);
}

static void too_much_text_is_a_limit(void **state) {
    (void)state;
    Flow f;
    Doc d = {0};
    static char page[1 << 20];
    memset(page, 'x', sizeof page);
    flow_begin(&f, &arena);
    for (int i = 0; i < 40; i++) flow_text(&f, str_make(page, sizeof page));
    CHECK_ERR(flow_end(&f, &d), ERR_LIMIT, "more than 32 MB of text");
    flow_free(&f);
}

/* ---- XML ---- */

static Err xml_run(Str bytes, Buf *out) {
    Xml x;
    XmlEvent event;
    TRY(xml_open(&arena, bytes, "a.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event == XML_OPEN) buf_printf(out, "<%.*s", STR_FMT(x.name));
        if (event == XML_OPEN && xml_attr(&x, "k").p) buf_printf(out, " k=%.*s", STR_FMT(xml_attr(&x, "k")));
        if (event == XML_CLOSE) buf_printf(out, ">");
        if (event == XML_TEXT) xml_decode(out, x.text, x.literal);
    }
}

static void xml_is_read_without_what_makes_it_dangerous(void **state) {
    (void)state;
    Buf out = {0};
    CHECK_OK(xml_run(STR("<?xml version='1.0'?><!DOCTYPE a><w:a x='>' w:k=\"v\"><!-- <b> -->&lt;&#65;&#x42;&nope;&#0;"
                         "<c/><![CDATA[<&amp;]]></w:a>"),
                     &out));
    CHECK_STR(buf_str(&out), "<a k=v<AB&nope;&#0;<c><&amp;>");
    CHECK_ERR(xml_run(STR("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"), &out), ERR_UNSUPPORTED, "declares entities");
    CHECK_ERR(xml_run(STR("<a><b></a>"), &out), ERR_CORRUPT, "it ends within an element at byte 10");
    CHECK_ERR(xml_run(STR("</a>"), &out), ERR_CORRUPT, "an end of what was not opened at byte 0");
    CHECK_ERR(xml_run(STR("<a x='"), &out), ERR_CORRUPT, "a tag without an end at byte 0");
    CHECK_ERR(xml_run(STR("<a><!-- "), &out), ERR_CORRUPT, "an open comment at byte 3");
    CHECK_ERR(xml_run(STR("< a>"), &out), ERR_CORRUPT, "a tag without a name");
    buf_free(&out);
}

/* ---- zip ---- */

static void paths_in_packages_stay_in_them(void **state) {
    (void)state;
    CHECK_STR(office_path(&arena, STR("ppt/slides"), STR("../media/a%20b.png#x")), "ppt/media/a b.png");
    CHECK_STR(office_path(&arena, STR("a"), STR("../../../../etc/passwd")), "etc/passwd");
    CHECK_STR(office_path(&arena, STR("a/b"), STR("/x/./y")), "x/y");
    CHECK_STR(office_path(&arena, STR("a"), STR("c%2g%")), "a/c%2g%");
}

static void zip_archives_that_lie_are_refused(void **state) {
    (void)state;
    Zip z;
    Str out;
    Buf b = {0};
    static const char *const names[] = {"one", "two"};
    const Str contents[] = {STR("first"), STR("second")};
    zip_parts(&b, names, contents, 2);
    CHECK_OK(zip_open(&arena, buf_str(&b), &z));
    CHECK_INT(z.n, 2);
    CHECK_OK(zip_read_named(&arena, &z, STR("two"), &out));
    CHECK_STR(out, "second");
    CHECK_OK(zip_read_named(&arena, &z, STR("three"), &out));
    CHECK(!out.p);
    ZipMember m = *zip_find(&z, STR("one"));
    m.packed = 1000000;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_CORRUPT, "'one' leaves the zip archive at byte 0");
    m.method = 8, m.size = 300u << 20;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_LIMIT, "zip bomb: 'one' would be 300 MB");
    m.size = 50u << 20, m.packed = 1000;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_LIMIT, "zip bomb: 'one' grows 52428-fold, at most 200");
    m.size = 5, m.packed = 5;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_CORRUPT, "'one' of the zip archive is damaged");
    m.method = 99;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_UNSUPPORTED, "packed by method 99");
    m.flags = 1;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_UNSUPPORTED, "encrypted: 'one' needs a password");
    m = *zip_find(&z, STR("one"));
    z.total = ZIP_TOTAL_MAX;
    CHECK_ERR(zip_read(&arena, &z, &m, &out), ERR_LIMIT, "zip bomb");
    for (size_t n = 0; n < b.n; n++) CHECK(zip_open(&arena, str_upto(buf_str(&b), n), &z) != ERR_OK);
    buf_free(&b);
}

/* ---- encodings ---- */

static void declared_encodings_are_honoured(void **state) {
    (void)state;
    Charsets c = {0};
    Str out;
    CHECK_OK(charset_decode(&c, &arena, STR("\xcc\xee\xf1\xea\xe2\xe0"), STR("Windows-1251"), &out));
    CHECK_STR(out, "Москва");
    CHECK_OK(charset_decode(&c, &arena, STR("\x93quoted\x94"), STR("iso-8859-1"), &out));
    CHECK_STR(out, "“quoted”"); /* as browsers have it */
    CHECK_OK(charset_decode(&c, &arena, STR("\x1b$B$3$l\x1b(B"), STR("iso-2022-jp"), &out));
    CHECK_STR(out, "これ");
    CHECK_OK(charset_decode(&c, &arena, STR("größer"), STR("iso-8859-1"), &out));
    CHECK_STR(out, "größer"); /* declared wrongly */
    CHECK_OK(charset_decode(&c, &arena, STR("na\xefve"), STR("no-such-charset"), &out));
    CHECK_STR(out, "naïve");
    CHECK_OK(charset_decode(&c, &arena, STR("\xff\xfeh\0i\0"), STR("utf-8"), &out));
    CHECK_STR(out, "hi");
    CHECK_OK(charset_decode(&c, &arena, STR("\xef\xbb\xbfna\xefve"), STR(""), &out));
    CHECK_STR(out, "na\xef\xbf\xbdve"); /* what it was cannot be told: its mark says that it is UTF-8 */
    CHECK_OK(charset_decode(&c, &arena, STR("+2AD+/w /+AOQ-"), STR("utf-7"), &out));
    CHECK(utf8_valid(out));
    CHECK_OK(charset_decode(&c, &arena, STR("\0\x1f\xff\xff\0\0\0a"), STR("ucs-4"), &out));
    CHECK(utf8_valid(out) && str_ends(out, STR("a"))); /* a code point that there is not */
    charsets_close(&c);
}

/* ---- the wire ---- */

static void an_answer_that_lies_is_refused(void **state) {
    (void)state;
    Doc d = {0}, back = {0};
    Buf b = {0};
    Err refused;
    Str reason;
    const DocMark marks[] = {{.start = 0, .page = 1, .heading = STR("A")},
                             {.start = 2, .page = 2, .heading = STR("B")}};
    d = (Doc){.text = STR("a\nb\n"), .title = STR("T"), .marks = marks, .n_marks = 2};
    wire_put_text(&b, &d);
    CHECK_OK(wire_read(&arena, buf_str(&b), &back, &refused, &reason));
    CHECK_STR(back.marks[1].heading, "B");
    for (size_t n = 0; n < b.n; n++)
        CHECK_ERR(wire_read(&arena, str_upto(buf_str(&b), n), &back, &refused, &reason), ERR_CORRUPT,
                  "damaged at byte");
    buf_char(&b, 'x');
    CHECK_ERR(wire_read(&arena, buf_str(&b), &back, &refused, &reason), ERR_CORRUPT, "damaged at byte");
    const struct {
        Str text;
        int64_t start;
        int32_t page;
    } lies[] = {{STR("a\nb\n"), 1, 1},
                {STR("a\nb\n"), 4, 1},
                {STR("a\nb\n"), 2, -1},
                {STR("a\0b\n"), 0, 1},
                {STR("\xff\n"), 0, 1}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const DocMark m = {.start = lies[i].start, .page = lies[i].page, .heading = STR("")};
        d = (Doc){.text = lies[i].text, .title = STR(""), .marks = &m, .n_marks = 1};
        buf_clear(&b);
        wire_put_text(&b, &d);
        CHECK_ERR(wire_read(&arena, buf_str(&b), &back, &refused, &reason), ERR_CORRUPT, "damaged at byte");
    }
    buf_clear(&b);
    wire_put_refused(&b, ERR_LIMIT, STR("too much"));
    CHECK_OK(wire_read(&arena, buf_str(&b), &back, &refused, &reason));
    CHECK_INT(refused, ERR_LIMIT);
    CHECK_STR(reason, "too much");
    buf_free(&b);
}

int main(void) {
#define FLOW_TEST(f) cmocka_unit_test_teardown(f, drop)
    const struct CMUnitTest tests[] = {
        FLOW_TEST(words_lines_and_paragraphs),
        FLOW_TEST(headings_make_paths_and_pages_marks),
        FLOW_TEST(rows_name_their_columns),
        FLOW_TEST(too_much_text_is_a_limit),
        FLOW_TEST(xml_is_read_without_what_makes_it_dangerous),
        FLOW_TEST(paths_in_packages_stay_in_them),
        FLOW_TEST(zip_archives_that_lie_are_refused),
        FLOW_TEST(declared_encodings_are_honoured),
        FLOW_TEST(an_answer_that_lies_is_refused),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
