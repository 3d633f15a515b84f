/* format_odf.c - OpenDocument texts, sheets and presentations (ISO/IEC 26300): one reader, for all of them keep what
 * they say in content.xml. A sheet is a heading, a slide a page and a heading. Texts have pages where the program that
 * wrote them noted its breaks (text:use-soft-page-breaks): those it made are elements, those that the author put are
 * properties of styles.
 */
#include "base/map.h"
#include "ingest/format.h"
#include "ingest/office_text.h"

enum { BLANKS_MAX = 100, STYLES_MAX = 4096, PARENTS_MAX = 16 };

typedef struct {
    Str parent;
    bool before, after; /* a page ends there */
} Style;

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Style *styles; /* [STYLES_MAX] of paragraphs */
    size_t n_styles;
    Map style_at; /* name -> index */
    OfficeText text;
    bool break_after; /* the paragraph that is read */
    unsigned items;   /* lists that are open */
    int64_t repeat;   /* of the cell */
    bool header;      /* rows of table:table-header-rows */
    bool sheets;      /* tables are sheets with names */
    int32_t slides;   /* so far */
} Odf;

/* ---- styles of paragraphs ---- */

static Err style_begin(Odf *o, const Xml *x) {
    const Str name = xml_attr(x, "name"), page = xml_attr(x, "master-page-name");
    if (!name.p || o->n_styles == STYLES_MAX) return ERR_OK;
    o->styles[o->n_styles] = (Style){.parent = xml_attr(x, "parent-style-name"), .before = page.n > 0};
    return map_put(&o->style_at, name, o->n_styles++);
}

/* Those of a part, up to its text. A break is asked for by itself, or by another kind of page. */
static Err styles_read(Odf *o, Str bytes, const char *part) {
    Xml x;
    XmlEvent event;
    bool within = false;
    TRY(xml_open(o->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END || (event == XML_OPEN && str_is(x.name, "body"))) return ERR_OK;
        if (event == XML_CLOSE && str_is(x.name, "style")) within = false;
        if (event != XML_OPEN) continue;
        if (str_is(x.name, "style")) {
            const size_t before = o->n_styles;
            if (str_is(xml_attr(&x, "family"), "paragraph")) TRY(style_begin(o, &x));
            within = o->n_styles > before;
        } else if (within && str_is(x.name, "paragraph-properties")) {
            Style *s = &o->styles[o->n_styles - 1];
            s->before |= str_is(xml_attr(&x, "break-before"), "page");
            s->after = str_is(xml_attr(&x, "break-after"), "page");
        }
    }
}

static bool style_breaks(const Odf *o, Str name, bool after) {
    for (int i = 0; i < PARENTS_MAX && name.p; i++) {
        const uint64_t *at = map_get(&o->style_at, name);
        if (!at) return false;
        const Style *s = &o->styles[*at];
        if (after ? s->after : s->before) return true;
        name = s->parent;
    }
    return false;
}

/* ---- paragraphs ---- */

static void paragraph_begin(Odf *o, const Xml *x) {
    if (!office_paragraph_begin(&o->text)) return;
    const int64_t level = str_is(x->name, "h") ? xml_attr_int(x, "outline-level", 1) : 0;
    const Str style = xml_attr(x, "style-name");
    o->text.level = level < 0 || level > FLOW_LEVELS ? FLOW_LEVELS : (int)level;
    o->text.item = o->items > 0;
    o->break_after = o->text.paged && style_breaks(o, style, true);
    /* What stands before all text begins no page. */
    if (o->text.paged && o->text.ended && style_breaks(o, style, false)) office_page_break(&o->text);
}

static void paragraph_end(Odf *o) {
    office_paragraph_end(&o->text);
    if (o->text.within == 0 && o->break_after) office_page_break(&o->text);
    if (o->text.within == 0) o->break_after = false;
}

/* ---- tables ---- */

static void table_begin(Odf *o, const Xml *x) {
    if (!office_text_table_begin(&o->text)) return;
    const Str name = o->sheets ? xml_decoded(o->a, xml_attr(x, "name")) : STR("");
    flow_heading(o->f, 1, name.p ? name : STR(""));
}

static void open_table_part(Odf *o, const Xml *x) {
    if (str_is(x->name, "table")) table_begin(o, x);
    if (str_is(x->name, "table-header-rows")) o->header = true;
    if ((str_is(x->name, "table-cell") || str_is(x->name, "covered-table-cell")) && o->text.tables == 1)
        o->repeat = xml_attr_int(x, "number-columns-repeated", 1);
}

static void close_table_part(Odf *o, Str name) {
    if (str_is(name, "table-header-rows")) o->header = false;
    if (str_is(name, "table")) office_text_table_end(&o->text);
    if (o->text.tables != 1) return;
    if (str_is(name, "table-cell") || str_is(name, "covered-table-cell"))
        office_cell_end(&o->text, o->repeat, CELL_REPEATS);
    if (str_is(name, "table-row")) office_row(&o->text.table, o->header, true);
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
        for (int64_t i = 0; i < n && i < BLANKS_MAX; i++) buf_char(&o->text.words, ' ');
    }
    if (str_is(x->name, "tab")) buf_char(&o->text.words, ' ');
    if (str_is(x->name, "line-break")) buf_char(&o->text.words, '\n');
    if (str_is(x->name, "list")) o->items++;
    if (str_is(x->name, "soft-page-break")) office_page_break(&o->text);
    if (str_is(x->name, "page")) slide_begin(o, x);
    if (str_is(x->name, "spreadsheet")) o->sheets = true;
    open_table_part(o, x);
}

static void close_element(Odf *o, Str name) {
    if (str_is(name, "p") || str_is(name, "h")) paragraph_end(o);
    if (str_is(name, "list") && o->items) o->items--;
    close_table_part(o, name);
}

static Err body_read(Odf *o, Str bytes) {
    Xml x;
    XmlEvent event;
    bool body = false;
    o->text.paged =
        str_find(bytes, STR("soft-page-break")) >= 0; /* the elements, or the attribute that promises them */
    if (o->text.paged) flow_page(o->f, 1);
    TRY(xml_open(o->a, bytes, "content.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&o->text.words);
        if (event == XML_TEXT && o->text.within) xml_decode(&o->text.words, x.text, x.literal);
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
    Str manifest, content, styles;
    TRY(office_open(o->a, bytes, &o->zip));
    TRY(zip_read_named(o->a, &o->zip, STR("META-INF/manifest.xml"), &manifest));
    if (manifest.p && str_find(manifest, STR("encryption-data")) >= 0)
        return err_set(ERR_UNSUPPORTED, "encrypted: it needs a password");
    TRY(office_part(o->a, &o->zip, "content.xml", &content));
    office_about(o->f, &o->zip, "meta.xml", about);
    o->styles = arena_array(o->a, Style, STYLES_MAX);
    if (!o->styles) return arena_error();
    TRY(zip_read_named(o->a, &o->zip, STR("styles.xml"), &styles));
    if (styles.p) TRY(styles_read(o, styles, "styles.xml"));
    TRY(styles_read(o, content, "content.xml"));
    return body_read(o, content);
}

Err format_odf(Flow *f, Str bytes) {
    Odf o = {.f = f, .a = f->arena};
    office_text_begin(&o.text, f);
    const Err err = odf_read(&o, bytes);
    map_free(&o.style_at);
    office_text_free(&o.text);
    return err;
}
