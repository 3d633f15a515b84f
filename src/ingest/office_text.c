/* office_text.c - see office_text.h. */
#include "ingest/office_text.h"

void office_text_begin(OfficeText *t, Flow *f) { *t = (OfficeText){.f = f}; }

void office_text_free(OfficeText *t) {
    buf_free(&t->words);
    buf_free(&t->cell);
}

/* ---- pages ---- */

static void pages_turn(OfficeText *t) {
    for (; t->pages_due > 0; t->pages_due--) flow_page(t->f, t->f->page + 1);
}

void office_page_break(OfficeText *t) {
    if (!t->paged) return;
    t->pages_due++;
    if (!t->tables && str_trim(buf_str(&t->words)).n == 0) pages_turn(t);
}

/* ---- paragraphs ---- */

bool office_paragraph_begin(OfficeText *t) {
    if (t->within++ == 0) return true;
    buf_char(&t->words, ' ');
    return false;
}

void office_paragraph_end(OfficeText *t) {
    if (t->within == 0 || --t->within) return;
    const Str words = buf_str(&t->words);
    if (t->tables) {
        if (t->cell.n) buf_char(&t->cell, ' ');
        buf_add(&t->cell, words);
    } else if (t->level) {
        flow_heading(t->f, t->level, words);
    } else if (str_trim(words).n) {
        if (t->item)
            flow_line(t->f), flow_text(t->f, STR("- "));
        else
            flow_paragraph(t->f);
        flow_lines(t->f, words);
        t->item ? flow_line(t->f) : flow_paragraph(t->f);
    }
    if (t->words.failed || t->cell.failed) t->f->failed = ERR_NOMEM;
    buf_clear(&t->words);
    t->level = 0;
    t->item = false;
    t->ended++;
    if (!t->tables) pages_turn(t);
}

/* ---- tables ---- */

bool office_text_table_begin(OfficeText *t) {
    if (t->tables++) return false;
    office_table_begin(&t->table, t->f);
    return true;
}

void office_text_table_end(OfficeText *t) {
    if (t->tables == 0 || --t->tables) return;
    flow_paragraph(t->f);
    pages_turn(t);
}

void office_cell_end(OfficeText *t, int64_t columns, CellColumns how) {
    for (int64_t i = 0; i < columns && i < FLOW_COLUMNS_MAX; i++)
        office_cell(&t->table, i == 0 || how == CELL_REPEATS ? buf_str(&t->cell) : STR(""));
    buf_clear(&t->cell);
}
