/* format_pptx.c - PowerPoint's presentations (ECMA-376, PresentationML): a slide is a page, its title a heading; what
 * the speaker noted stands below the slide.
 */
#include "ingest/format.h"
#include "ingest/office.h"

enum { SLIDES_MAX = 10000 };

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Buf words; /* of the paragraph */
    OfficeTable table;
    bool in_table;
    Buf cell;
} Pptx;

/* The paragraphs of a shape that is a title, or of all that are none. */
typedef enum { TITLES, THE_REST } Shapes;

static bool is_title(Str type) { return str_is(type, "title") || str_is(type, "ctrTitle"); }

/* Placeholders that every slide repeats. */
static bool is_furniture(Str type) {
    return str_is(type, "sldNum") || str_is(type, "dt") || str_is(type, "ftr") || str_is(type, "hdr") ||
           str_is(type, "sldImg");
}

static void paragraph_end(Pptx *p, Buf *title) {
    const Str words = buf_str(&p->words);
    if (title) {
        if (title->n) buf_char(title, ' ');
        buf_add(title, words);
    } else if (p->in_table) {
        if (p->cell.n) buf_char(&p->cell, ' ');
        buf_add(&p->cell, words);
    } else if (str_trim(words).n) {
        flow_lines(p->f, words);
    }
    buf_clear(&p->words);
}

static void table_event(Pptx *p, const Xml *x, XmlEvent event) {
    if (str_is(x->name, "tbl")) {
        p->in_table = event == XML_OPEN;
        if (p->in_table)
            office_table_begin(&p->table, p->f);
        else
            flow_paragraph(p->f);
    }
    if (event != XML_CLOSE || !p->in_table) return;
    if (str_is(x->name, "tc")) {
        office_cell(&p->table, buf_str(&p->cell));
        buf_clear(&p->cell);
    }
    if (str_is(x->name, "tr")) office_row(&p->table, false, true);
}

/* which: TITLES fills title, THE_REST adds to the flow. */
static Err shapes_read(Pptx *p, Str bytes, const char *part, Shapes which, Buf *title) {
    Xml x;
    XmlEvent event;
    bool text = false, wanted = which == THE_REST;
    TRY(xml_open(p->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&p->words);
        if (event == XML_TEXT && text && wanted) xml_decode(&p->words, x.text, x.literal);
        text = event == XML_OPEN ? str_is(x.name, "t") : text && event == XML_TEXT;
        if (event == XML_TEXT) continue;
        if (str_is(x.name, "sp")) wanted = which == THE_REST;
        if (event == XML_OPEN && str_is(x.name, "ph")) {
            const Str type = xml_attr(&x, "type");
            wanted = !is_furniture(type) && is_title(type) == (which == TITLES);
        }
        if (event == XML_OPEN && str_is(x.name, "br")) buf_char(&p->words, '\n');
        if (event == XML_OPEN && str_is(x.name, "Fallback")) TRY(xml_skip(&x));
        if (which == THE_REST) table_event(p, &x, event);
        if (event == XML_CLOSE && str_is(x.name, "p") && wanted) paragraph_end(p, which == TITLES ? title : NULL);
        if (event == XML_CLOSE && str_is(x.name, "sp")) flow_paragraph(p->f);
    }
}

static Err slide_read(Pptx *p, Str path, int32_t number) {
    OfficeRelation *relations;
    size_t n;
    Str bytes, notes;
    Buf title = {0};
    const char *part = arena_cstr(p->a, path);
    if (!part) return arena_error();
    TRY(office_part(p->a, &p->zip, part, &bytes));
    flow_heading_end(p->f, 1);
    flow_page(p->f, number);
    Err err = shapes_read(p, bytes, part, TITLES, &title);
    if (!err) err = buf_ok(&title);
    if (!err) flow_heading(p->f, 1, buf_str(&title));
    buf_free(&title);
    if (!err) err = shapes_read(p, bytes, part, THE_REST, NULL);
    TRY(err);
    TRY(office_relations(p->a, &p->zip, path, &relations, &n));
    const Str notes_path = office_related_by_type(relations, n, "/notesSlide");
    TRY(zip_read_named(p->a, &p->zip, notes_path, &notes));
    if (!notes.p) return ERR_OK;
    flow_paragraph(p->f);
    return shapes_read(p, notes, "notes", THE_REST, NULL);
}

static Err slides_read(Pptx *p) {
    OfficeRelation *relations;
    size_t n;
    Str bytes;
    Xml x;
    XmlEvent event;
    int32_t number = 0;
    TRY(office_part(p->a, &p->zip, "ppt/presentation.xml", &bytes));
    TRY(office_relations(p->a, &p->zip, STR("ppt/presentation.xml"), &relations, &n));
    TRY(xml_open(p->a, bytes, "ppt/presentation.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END || number == SLIDES_MAX) return ERR_OK;
        if (event != XML_OPEN || !str_is(x.name, "sldId")) continue;
        /* Two attributes are called id: "r:id" names the relation. */
        for (size_t i = 0; i < n; i++) {
            const Str id = relations[i].id;
            const ptrdiff_t at = id.n ? str_find(x.attrs, id) : -1;
            const bool quoted =
                at > 0 && (size_t)at + id.n < x.attrs.n && x.attrs.p[at - 1] == x.attrs.p[(size_t)at + id.n];
            if (!quoted || !str_ends(relations[i].type, STR("/slide"))) continue;
            TRY(slide_read(p, relations[i].path, ++number));
            break;
        }
    }
}

Err format_pptx(Flow *f, Str bytes) {
    Pptx p = {.f = f, .a = f->arena};
    Err err = office_open(p.a, bytes, &p.zip);
    if (!err) office_about(f, &p.zip, "docProps/core.xml", office_about_core);
    if (!err) err = slides_read(&p);
    buf_free(&p.words);
    buf_free(&p.cell);
    return err;
}
