/* format_docx.c - Word's documents (ECMA-376, WordprocessingML).
 *
 * A paragraph's style says whether it is a heading: by its name ("heading 2") or outline level, through the styles it is
 * based on. Pages are where Word last broke them (lastRenderedPageBreak); documents of programs that do not tell have none.
 * Deleted text is no text; the text boxes of a paragraph are read with it. Notes and comments stand at the end.
 */
#include "base/map.h"
#include "ingest/office.h"

#include "ingest/format.h"

enum { STYLES_MAX = 4096, BASED_MAX = 16 };

typedef struct {
    Str id, based_on;
    int level; /* 1 to 9; 0: no heading, -1: not said */
    bool list;
} Style;

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Style *styles;
    size_t n_styles;
    Map style_at; /* id -> index */
    /* the paragraph that is read */
    Buf words;
    unsigned within; /* paragraphs within paragraphs */
    int level;
    bool list;
    /* the table that is read */
    unsigned tables;
    Buf cell;
    int64_t span;
    bool header, maybe_header;
    OfficeTable table;
    int32_t pages_due; /* breaks within the paragraph */
    bool paged;
} Docx;

/* ---- styles ---- */

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
    }
}

static void style_apply(Docx *d, Str id) {
    for (int i = 0; i < BASED_MAX && id.p; i++) {
        const uint64_t *at = map_get(&d->style_at, id);
        if (!at) return;
        const Style *s = &d->styles[*at];
        d->list |= s->list;
        if (s->level > 0) {
            d->level = s->level > 9 ? 0 : s->level;
            return;
        }
        id = s->based_on;
    }
}

/* ---- paragraphs ---- */

static void pages_turn(Docx *d) {
    for (; d->pages_due > 0; d->pages_due--) flow_page(d->f, d->f->page + 1);
}

static void paragraph_end(Docx *d) {
    const Str words = buf_str(&d->words);
    if (d->tables) {
        if (d->cell.n) buf_char(&d->cell, '\n');
        buf_add(&d->cell, words);
    } else if (d->level) {
        flow_heading(d->f, d->level, words);
    } else if (str_trim(words).n) {
        if (d->list)
            flow_line(d->f), flow_text(d->f, STR("- "));
        else
            flow_paragraph(d->f);
        flow_lines(d->f, words);
        d->list ? flow_line(d->f) : flow_paragraph(d->f);
    }
    buf_clear(&d->words);
    d->level = 0;
    d->list = false;
    if (!d->tables) pages_turn(d);
}

static void page_break(Docx *d) {
    if (!d->paged) return;
    d->pages_due++;
    if (!d->tables && str_trim(buf_str(&d->words)).n == 0) pages_turn(d);
}

/* ---- tables ---- */

static void cell_end(Docx *d) {
    office_cell(&d->table, buf_str(&d->cell));
    for (int64_t i = 1; i < d->span && i < FLOW_COLUMNS_MAX; i++) office_cell(&d->table, STR(""));
    buf_clear(&d->cell);
}

static void row_end(Docx *d) {
    /* One cell in a row is a frame around text, no table. */
    if (d->table.n == 1) {
        flow_paragraph(d->f);
        flow_text(d->f, d->table.cells[0]);
        flow_paragraph(d->f);
        d->table.n = 0;
    } else {
        office_row(&d->table, d->header, d->maybe_header);
    }
    d->header = false;
}

/* ---- the body ---- */

static bool on_is_off(Str value) { return str_is(value, "0") || str_is(value, "false") || str_is(value, "none"); }

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
        if (level >= 0 && level < 9) d->level = (int)level + 1;
    }
    if (str_is(x->name, "numPr")) d->list = true;
    if (str_is(x->name, "tblHeader") && !on_is_off(xml_attr(x, "val"))) d->header = true;
    if (str_is(x->name, "tblLook")) d->maybe_header = str_is(xml_attr(x, "firstRow"), "1");
    if (str_is(x->name, "gridSpan") && d->tables == 1) d->span = xml_attr_int(x, "val", 1);
    if (str_is(x->name, "lastRenderedPageBreak")) page_break(d);
}

static void open_element(Docx *d, const Xml *x) {
    if (str_is(x->name, "p")) {
        if (d->within++) buf_char(&d->words, ' ');
    } else if (str_is(x->name, "tbl")) {
        if (d->tables++ == 0) office_table_begin(&d->table, d->f), d->header = false;
    } else if (str_is(x->name, "tc") && d->tables == 1) {
        d->span = 1;
    } else if (str_is(x->name, "tab")) {
        buf_char(&d->words, ' ');
    } else if (str_is(x->name, "br") || str_is(x->name, "cr")) {
        buf_char(&d->words, '\n');
    } else if (str_is(x->name, "noBreakHyphen")) {
        buf_char(&d->words, '-');
    } else {
        open_property(d, x);
    }
}

static void close_element(Docx *d, Str name) {
    if (str_is(name, "p") && d->within) {
        if (--d->within == 0) paragraph_end(d);
    } else if (str_is(name, "tbl") && d->tables) {
        if (--d->tables == 0) flow_paragraph(d->f), pages_turn(d);
    } else if (str_is(name, "tc") && d->tables == 1) {
        cell_end(d);
    } else if (str_is(name, "tr") && d->tables == 1) {
        row_end(d);
    }
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
    d->paged = !heading && str_find(bytes, STR("lastRenderedPageBreak")) >= 0;
    if (d->paged) flow_page(d->f, 1);
    TRY(xml_open(d->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&d->words);
        if (event == XML_TEXT && text) xml_decode(&d->words, x.text, x.literal);
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
    const Err err = docx_read(&d, bytes);
    map_free(&d.style_at);
    buf_free(&d.words);
    buf_free(&d.cell);
    return err;
}
