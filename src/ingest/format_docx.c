/* format_docx.c - Word's documents (ECMA-376, WordprocessingML).
 *
 * A paragraph's style says whether it is a heading: by its name ("heading 2") or outline level, through the styles it
 * is based on. Pages are where Word last broke them (lastRenderedPageBreak). Other programs do not tell, but how many
 * pages they made (docProps/app.xml): when each of these begins by a break that the author put, those are where pages
 * are; else there are none. Deleted text is no text; the text boxes of a paragraph are read with it. Notes and comments
 * stand at the end.
 */
#include "base/map.h"
#include "ingest/format.h"
#include "ingest/office_text.h"

enum { STYLES_MAX = 4096, BASED_MAX = 16 };

typedef struct {
    Str id, based_on;
    int level; /* 1 to 9; 0: no heading, -1: not said */
    bool list, page_before;
} Style;

typedef enum { BREAKS_NONE, BREAKS_RENDERED, BREAKS_PUT } Breaks;

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Style *styles;
    size_t n_styles;
    Map style_at; /* id -> index */
    OfficeText text;
    Breaks breaks; /* which of them pages are counted by */
    int64_t span;  /* of the cell, in columns */
    bool header, maybe_header;
} Docx;

/* ---- styles ---- */

static bool on_is_off(Str value) { return str_is(value, "0") || str_is(value, "false") || str_is(value, "none"); }

/* 1 to 9 for "heading 1" to "heading 9", else -1. */
static int level_of_name(Str name) {
    if (name.n == 9 && str_eq_nocase(str_upto(name, 8), STR("heading ")) && name.p[8] >= '1' && name.p[8] <= '9')
        return name.p[8] - '0';
    return -1;
}

static Err styles_read(Docx *d) {
    Str bytes;
    Xml x;
    XmlEvent event;
    Style *s = NULL;
    TRY(zip_read_named(d->a, &d->zip, STR("word/styles.xml"), &bytes));
    if (!bytes.p) return ERR_OK;
    d->styles = arena_array(d->a, Style, STYLES_MAX);
    if (!d->styles) return arena_error();
    TRY(xml_open(d->a, bytes, "word/styles.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event == XML_CLOSE && str_is(x.name, "style")) s = NULL;
        if (event != XML_OPEN) continue;
        if (str_is(x.name, "style") && d->n_styles < STYLES_MAX) {
            s = &d->styles[d->n_styles++];
            *s = (Style){.id = xml_attr(&x, "styleId"), .level = -1};
            if (s->id.p) TRY(map_put(&d->style_at, s->id, d->n_styles - 1));
        }
        if (!s) continue;
        if (str_is(x.name, "name") && s->level < 0) s->level = level_of_name(xml_attr(&x, "val"));
        if (str_is(x.name, "basedOn")) s->based_on = xml_attr(&x, "val");
        if (str_is(x.name, "outlineLvl")) s->level = (int)xml_attr_int(&x, "val", 9) % 10 + 1;
        if (str_is(x.name, "numPr")) s->list = true;
        if (str_is(x.name, "pageBreakBefore")) s->page_before = !on_is_off(xml_attr(&x, "val"));
    }
}

static const Style *style_find(const Docx *d, Str id) {
    const uint64_t *at = id.p ? map_get(&d->style_at, id) : NULL;
    return at ? &d->styles[*at] : NULL;
}

static void style_apply(Docx *d, Str id) {
    const Style *s = style_find(d, id);
    for (int i = 0; i < BASED_MAX && s; i++, s = style_find(d, s->based_on)) {
        d->text.item |= s->list;
        if (s->level <= 0) continue;
        d->text.level = s->level > 9 ? 0 : s->level;
        return;
    }
}

static bool style_breaks(const Docx *d, Str id) {
    const Style *s = style_find(d, id);
    for (int i = 0; i < BASED_MAX && s; i++, s = style_find(d, s->based_on))
        if (s->page_before) return true;
    return false;
}

/* ---- pages ---- */

/* The element begins a page. What stands before all text does not. */
static bool breaks_page(const Docx *d, const Xml *x, Breaks which, bool at_start) {
    if (which == BREAKS_RENDERED) return str_is(x->name, "lastRenderedPageBreak");
    if (which == BREAKS_NONE || at_start) return false;
    if (str_is(x->name, "br")) return str_is(xml_attr(x, "type"), "page");
    if (str_is(x->name, "pageBreakBefore")) return !on_is_off(xml_attr(x, "val"));
    return str_is(x->name, "pStyle") && style_breaks(d, xml_attr(x, "val"));
}

/* 0: it does not say. */
static Err pages_told(Docx *d, int64_t *pages) {
    Str bytes;
    Xml x;
    XmlEvent event = XML_TEXT;
    bool within = false;
    *pages = 0;
    TRY(zip_read_named(d->a, &d->zip, STR("docProps/app.xml"), &bytes));
    if (!bytes.p || xml_open(d->a, bytes, "docProps/app.xml", &x)) return ERR_OK;
    while (event != XML_END && !xml_next(&x, &event)) {
        if (event == XML_TEXT && within && !str_to_i64(str_trim(x.text), pages)) *pages = 0;
        within = event == XML_OPEN && str_is(x.name, "Pages");
    }
    return ERR_OK;
}

/* Which breaks are where pages begin. */
static Err breaks_choose(Docx *d, Str bytes, const char *part) {
    int64_t pages, put = 0;
    Xml x;
    XmlEvent event;
    bool at_start = true;
    if (str_find(bytes, STR("lastRenderedPageBreak")) >= 0) return d->breaks = BREAKS_RENDERED, ERR_OK;
    TRY(pages_told(d, &pages));
    if (pages < 2) return ERR_OK; /* 1 is what many templates say, whatever is made of them */
    TRY(xml_open(d->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) break;
        if (event == XML_CLOSE && str_is(x.name, "p")) at_start = false;
        put += event == XML_OPEN && breaks_page(d, &x, BREAKS_PUT, at_start);
    }
    if (put + 1 == pages) d->breaks = BREAKS_PUT;
    return ERR_OK;
}

/* ---- tables ---- */

static void row_end(Docx *d) {
    OfficeTable *t = &d->text.table;
    /* One cell in a row is a frame around text, no table. */
    if (t->n == 1) {
        flow_paragraph(d->f);
        flow_text(d->f, t->cells[0]);
        flow_paragraph(d->f);
        t->n = 0;
    } else {
        office_row(t, d->header, d->maybe_header);
    }
    d->header = false;
}

/* ---- the body ---- */

/* Elements whose content is no text of the document. */
static bool is_unseen(Str name) {
    static const char *const names[] = {"del", "moveFrom", "Fallback", "instrText", "delText"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static void open_property(Docx *d, const Xml *x) {
    if (str_is(x->name, "pStyle")) style_apply(d, xml_attr(x, "val"));
    if (str_is(x->name, "outlineLvl")) {
        const int64_t level = xml_attr_int(x, "val", 9);
        if (level >= 0 && level < 9) d->text.level = (int)level + 1;
    }
    if (str_is(x->name, "numPr")) d->text.item = true;
    if (str_is(x->name, "tblHeader") && !on_is_off(xml_attr(x, "val"))) d->header = true;
    if (str_is(x->name, "tblLook")) d->maybe_header = str_is(xml_attr(x, "firstRow"), "1");
    if (str_is(x->name, "gridSpan") && d->text.tables == 1) d->span = xml_attr_int(x, "val", 1);
}

static void open_element(Docx *d, const Xml *x) {
    if (breaks_page(d, x, d->breaks, d->text.ended == 0)) office_page_break(&d->text);
    if (str_is(x->name, "p")) {
        (void)office_paragraph_begin(&d->text);
    } else if (str_is(x->name, "tbl")) {
        if (office_text_table_begin(&d->text)) d->header = false;
    } else if (str_is(x->name, "tc") && d->text.tables == 1) {
        d->span = 1;
    } else if (str_is(x->name, "tab")) {
        buf_char(&d->text.words, ' ');
    } else if (str_is(x->name, "br") || str_is(x->name, "cr")) {
        buf_char(&d->text.words, '\n');
    } else if (str_is(x->name, "noBreakHyphen")) {
        buf_char(&d->text.words, '-');
    } else {
        open_property(d, x);
    }
}

static void close_element(Docx *d, Str name) {
    if (str_is(name, "p")) return office_paragraph_end(&d->text);
    if (str_is(name, "tbl")) return office_text_table_end(&d->text);
    if (d->text.tables != 1) return;
    if (str_is(name, "tc")) office_cell_end(&d->text, d->span > 1 ? d->span : 1, CELL_SPANS);
    if (str_is(name, "tr")) row_end(d);
}

/* A part of paragraphs and tables. heading: what it is put under; NULL: as it is. */
static Err part_read(Docx *d, const char *part, const char *heading, bool must) {
    Str bytes;
    Xml x;
    XmlEvent event;
    bool text = false;
    TRY(zip_read_named(d->a, &d->zip, str_of(part), &bytes));
    if (!bytes.p) return must ? err_set(ERR_CORRUPT, "it has no '%s'", part) : ERR_OK;
    if (heading && str_find(bytes, STR("<w:t")) < 0) return ERR_OK;
    if (heading) flow_heading(d->f, 1, str_of(heading));
    d->breaks = BREAKS_NONE;
    if (must) TRY(breaks_choose(d, bytes, part));
    d->text.paged = d->breaks != BREAKS_NONE;
    if (d->text.paged) flow_page(d->f, 1);
    TRY(xml_open(d->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&d->text.words);
        if (event == XML_TEXT && text) xml_decode(&d->text.words, x.text, x.literal);
        if (event == XML_CLOSE) close_element(d, x.name);
        text = event == XML_OPEN ? str_is(x.name, "t") : text && event == XML_TEXT;
        if (event != XML_OPEN) continue;
        if (is_unseen(x.name))
            TRY(xml_skip(&x));
        else
            open_element(d, &x);
    }
}

static Err docx_read(Docx *d, Str bytes) {
    TRY(office_open(d->a, bytes, &d->zip));
    TRY(styles_read(d));
    office_about(d->f, &d->zip, "docProps/core.xml", office_about_core);
    TRY(part_read(d, "word/document.xml", NULL, true));
    TRY(part_read(d, "word/footnotes.xml", "Footnotes", false));
    TRY(part_read(d, "word/endnotes.xml", "Endnotes", false));
    return part_read(d, "word/comments.xml", "Comments", false);
}

Err format_docx(Flow *f, Str bytes) {
    Docx d = {.f = f, .a = f->arena};
    office_text_begin(&d.text, f);
    const Err err = docx_read(&d, bytes);
    map_free(&d.style_at);
    office_text_free(&d.text);
    return err;
}
