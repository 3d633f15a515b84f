/* format_odf.c - OpenDocument texts, sheets and presentations (ISO/IEC 26300): one reader, for all of them keep what they
 * say in content.xml. A sheet is a heading, a slide a page and a heading; texts have pages where the program that wrote them
 * noted its breaks (text:soft-page-break).
 */
#include "ingest/format.h"
#include "ingest/office.h"

enum { BLANKS_MAX = 100 };

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Buf words;       /* of the paragraph or heading */
    unsigned within; /* paragraphs within paragraphs: notes, frames */
    int level;       /* of the heading that is read; 0: a paragraph */
    unsigned items;  /* lists that are open */
    unsigned tables; /* that are open */
    Buf cell;
    int64_t repeat; /* of the cell */
    bool header;    /* rows of table:table-header-rows */
    OfficeTable table;
    bool sheets;    /* tables are sheets with names */
    int32_t slides; /* so far */
    int32_t pages_due;
    bool paged;
} Odf;

/* ---- paragraphs ---- */

static void pages_turn(Odf *o) {
    for (; o->pages_due > 0; o->pages_due--) flow_page(o->f, o->f->page + 1);
}

static void paragraph_end(Odf *o) {
    const Str words = buf_str(&o->words);
    if (o->tables) {
        if (o->cell.n) buf_char(&o->cell, ' ');
        buf_add(&o->cell, words);
    } else if (o->level) {
        flow_heading(o->f, o->level, words);
    } else if (str_trim(words).n) {
        if (o->items)
            flow_line(o->f), flow_text(o->f, STR("- "));
        else
            flow_paragraph(o->f);
        flow_lines(o->f, words);
        o->items ? flow_line(o->f) : flow_paragraph(o->f);
    }
    buf_clear(&o->words);
    o->level = 0;
    if (!o->tables) pages_turn(o);
}

static void paragraph_begin(Odf *o, const Xml *x) {
    if (o->within++) {
        buf_char(&o->words, ' ');
        return;
    }
    const int64_t level = str_is(x->name, "h") ? xml_attr_int(x, "outline-level", 1) : 0;
    o->level = level < 0 || level > FLOW_LEVELS ? FLOW_LEVELS : (int)level;
}

/* ---- tables ---- */

static void cell_end(Odf *o) {
    for (int64_t i = 0; i < o->repeat && i < FLOW_COLUMNS_MAX; i++) office_cell(&o->table, buf_str(&o->cell));
    buf_clear(&o->cell);
}

static void table_begin(Odf *o, const Xml *x) {
    if (o->tables++) return;
    const Str name = o->sheets ? xml_decoded(o->a, xml_attr(x, "name")) : STR("");
    flow_heading(o->f, 1, name.p ? name : STR(""));
    office_table_begin(&o->table, o->f);
}

static void open_table_part(Odf *o, const Xml *x) {
    if (str_is(x->name, "table")) table_begin(o, x);
    if (str_is(x->name, "table-header-rows")) o->header = true;
    if ((str_is(x->name, "table-cell") || str_is(x->name, "covered-table-cell")) && o->tables == 1)
        o->repeat = xml_attr_int(x, "number-columns-repeated", 1);
}

static void close_table_part(Odf *o, Str name) {
    if (str_is(name, "table-header-rows")) o->header = false;
    if (str_is(name, "table") && o->tables && --o->tables == 0) {
        flow_paragraph(o->f);
        pages_turn(o);
    }
    if (o->tables != 1) return;
    if (str_is(name, "table-cell") || str_is(name, "covered-table-cell")) cell_end(o);
    if (str_is(name, "table-row")) office_row(&o->table, o->header, true);
}

/* ---- the body ---- */

/* What is no text of the document: what was deleted, remarks of its readers, what every slide repeats. */
static bool is_unseen(Str name) {
    static const char *const names[] = {"tracked-changes", "annotation",  "forms",       "sequence-decls",
                                        "settings",        "master-page", "page-number", "note-citation"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static void page_break(Odf *o) {
    if (!o->paged) return;
    o->pages_due++;
    if (!o->tables && !o->within) pages_turn(o);
}

static void slide_begin(Odf *o, const Xml *x) {
    const Str name = xml_decoded(o->a, xml_attr(x, "name"));
    flow_heading_end(o->f, 1);
    flow_page(o->f, ++o->slides);
    /* "page3" is what a program calls a slide that nobody named. */
    if (name.n && !str_starts(name, STR("page")) && !str_starts(name, STR("Slide"))) flow_heading(o->f, 1, name);
}

static void open_element(Odf *o, const Xml *x) {
    if (str_is(x->name, "p") || str_is(x->name, "h")) return paragraph_begin(o, x);
    if (str_is(x->name, "s")) {
        const int64_t n = xml_attr_int(x, "c", 1);
        for (int64_t i = 0; i < n && i < BLANKS_MAX; i++) buf_char(&o->words, ' ');
    }
    if (str_is(x->name, "tab")) buf_char(&o->words, ' ');
    if (str_is(x->name, "line-break")) buf_char(&o->words, '\n');
    if (str_is(x->name, "list")) o->items++;
    if (str_is(x->name, "soft-page-break")) page_break(o);
    if (str_is(x->name, "page")) slide_begin(o, x);
    if (str_is(x->name, "spreadsheet")) o->sheets = true;
    open_table_part(o, x);
}

static void close_element(Odf *o, Str name) {
    if ((str_is(name, "p") || str_is(name, "h")) && o->within && --o->within == 0) paragraph_end(o);
    if (str_is(name, "list") && o->items) o->items--;
    close_table_part(o, name);
}

static Err body_read(Odf *o, Str bytes) {
    Xml x;
    XmlEvent event;
    bool body = false;
    o->paged = str_find(bytes, STR("soft-page-break")) >= 0;
    if (o->paged) flow_page(o->f, 1);
    TRY(xml_open(o->a, bytes, "content.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&o->words);
        if (event == XML_TEXT && o->within) xml_decode(&o->words, x.text, x.literal);
        if (event == XML_TEXT) continue;
        if (str_is(x.name, "body")) body = event == XML_OPEN;
        if (!body) continue;
        if (event == XML_CLOSE)
            close_element(o, x.name);
        else if (is_unseen(x.name))
            TRY(xml_skip(&x));
        else
            open_element(o, &x);
    }
}

/* Who began it and who changed it last are both its authors. */
static const OfficeAbout about[] = {
    {"title", NULL},      {"initial-creator", "author"}, {"creator", "author"},   {"creation-date", "created"},
    {"date", "modified"}, {"subject", "subject"},        {"keyword", "keywords"}, {NULL, NULL}};

static Err odf_read(Odf *o, Str bytes) {
    Str manifest, content;
    TRY(office_open(o->a, bytes, &o->zip));
    TRY(zip_read_named(o->a, &o->zip, STR("META-INF/manifest.xml"), &manifest));
    if (manifest.p && str_find(manifest, STR("encryption-data")) >= 0)
        return err_set(ERR_UNSUPPORTED, "encrypted: it needs a password");
    TRY(office_part(o->a, &o->zip, "content.xml", &content));
    office_about(o->f, &o->zip, "meta.xml", about);
    return body_read(o, content);
}

Err format_odf(Flow *f, Str bytes) {
    Odf o = {.f = f, .a = f->arena};
    const Err err = odf_read(&o, bytes);
    buf_free(&o.words);
    buf_free(&o.cell);
    return err;
}
