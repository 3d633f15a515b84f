/* office_text.h - paragraphs, headings, lists, tables and page breaks of an office text on their way into a flow: what
 * Word's documents and OpenDocument have in common. The reader adds a paragraph's words and says what begins and ends.
 */
#ifndef PYTHIA_INGEST_OFFICE_TEXT_H
#define PYTHIA_INGEST_OFFICE_TEXT_H

#include "ingest/office.h"

typedef struct {
    Flow *f;
    /* the paragraph that is read: set by the reader, forgotten at its end */
    Buf words;
    int level;       /* of the heading that it is; 0: it is none */
    bool item;       /* of a list */
    unsigned within; /* paragraphs within paragraphs: text boxes, notes, frames */
    size_t ended;    /* paragraphs so far */
    /* the table that is read */
    unsigned tables; /* within one another; only the outer one has rows */
    Buf cell;
    OfficeTable table;
    bool paged;        /* page breaks count */
    int32_t pages_due; /* breaks within a paragraph or a table, which count behind it */
} OfficeText;

void office_text_begin(OfficeText *t, Flow *f);
void office_text_free(OfficeText *t);

/* False: it is within another one, whose words go on. */
bool office_paragraph_begin(OfficeText *t);
void office_paragraph_end(OfficeText *t);
void office_page_break(OfficeText *t);
/* True: it is the outer one. */
bool office_text_table_begin(OfficeText *t);
void office_text_table_end(OfficeText *t);
/* What was read since the last one is a cell of so many columns; the first of them has the text, or all of them. */
typedef enum { CELL_SPANS, CELL_REPEATS } CellColumns;
void office_cell_end(OfficeText *t, int64_t columns, CellColumns how);

#endif
