/* marks.c - the sections of a document whose reader told them: pages, and the headings above (DocMark). A chunk is of
 * one page: what is cited with a page must stand on it. */
#include "chunk/unit.h"

static Err section_add(Sections *out, Str path, int32_t page) {
    buf_add_bytes(&out->buf, &path, sizeof path);
    buf_add_bytes(&out->pages, &page, sizeof page);
    out->n++;
    TRY(buf_ok(&out->pages));
    return buf_ok(&out->buf);
}

Err sections_of_marks(const Doc *doc, Units *u, Sections *out) {
    size_t next = 0;
    uint32_t title_line = 0;
    TRY(section_add(out, STR(""), 0));
    for (size_t i = 0; i < u->n; i++) {
        Unit *unit = units_at(u, i);
        for (; next < doc->n_marks && doc->marks[next].start <= (int64_t)unit->start; next++) {
            const DocMark *m = &doc->marks[next];
            TRY(section_add(out, m->heading, m->page));
            title_line = m->titled && m->start == (int64_t)unit->start ? unit->line : 0;
        }
        unit->section = (uint32_t)(out->n - 1);
        if (unit->line == title_line) unit->flags |= UNIT_HEADING;
    }
    return ERR_OK;
}
