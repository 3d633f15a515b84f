/* office.c - see office.h. */
#include "ingest/office.h"

enum { HEADER_BYTES = 80 }; /* a cell that names a column is no longer */

Err office_open(Arena *a, Str bytes, Zip *out) {
    if (str_starts(bytes, STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")))
        return err_set(ERR_UNSUPPORTED, "encrypted, or of Office 97");
    return zip_open(a, bytes, out);
}

Err office_part(Arena *a, Zip *z, const char *part, Str *out) {
    TRY(zip_read_named(a, z, str_of(part), out));
    return out->p ? ERR_OK : err_set(ERR_CORRUPT, "it has no '%s'", part);
}

static Err title_read(Arena *a, Zip *z, const char *part, Str *out) {
    Str bytes;
    Xml x;
    XmlEvent event;
    bool inside = false;
    TRY(zip_read_named(a, z, str_of(part), &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(xml_open(a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event != XML_TEXT) inside = event == XML_OPEN && str_is(x.name, "title");
        if (event != XML_TEXT || !inside) continue;
        *out = flow_collapse(a, xml_decoded(a, x.text));
        return out->p ? ERR_OK : arena_error();
    }
}

Str office_title(Arena *a, Zip *z, const char *part) {
    Str title = STR("");
    if (title_read(a, z, part, &title)) return STR("");
    return title;
}

void office_table_begin(OfficeTable *t, Flow *f) {
    t->f = f;
    t->n = t->n_headers = t->rows = 0;
    flow_paragraph(f);
}

void office_cell(OfficeTable *t, Str text) {
    if (t->n == FLOW_COLUMNS_MAX) return;
    const Str copy = text.n ? flow_collapse(t->f->arena, text) : STR("");
    if (!copy.p) t->f->failed = ERR_NOMEM;
    t->cells[t->n++] = copy.p ? copy : STR("");
}

static bool names_columns(const OfficeTable *t) {
    for (size_t i = 0; i < t->n; i++)
        if (t->cells[i].n == 0 || t->cells[i].n > HEADER_BYTES) return false;
    return t->n > 1;
}

void office_row(OfficeTable *t, bool header, bool maybe) {
    while (t->n && t->cells[t->n - 1].n == 0) t->n--;
    if (t->n == 0) return;
    flow_row(t->f, t->headers, t->n_headers, t->cells, t->n);
    if (t->rows++ == 0 && (header || (maybe && names_columns(t)))) {
        t->headers = arena_array(t->f->arena, Str, t->n);
        if (!t->headers) t->f->failed = ERR_NOMEM;
        if (t->headers) memcpy(t->headers, t->cells, t->n * sizeof *t->cells);
        t->n_headers = t->headers ? t->n : 0;
    }
    t->n = 0;
}
