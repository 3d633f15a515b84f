/* flow.h - the text that a reader of a document makes: lines and paragraphs, with marks that say on which page and
 * under which headings they stand.
 *
 * A reader calls these in the order of the document: flow_text for words (runs of blanks become one), flow_line and
 * flow_paragraph between them, flow_heading and flow_page where one begins, flow_row for a row of a table. What it
 * calls too often does no harm: there are never two blank lines, and no blank at a line's end. Ill-formed UTF-8 is
 * repaired and control characters are left out on the way in, so that the text is clean whatever the document held.
 *
 * Limits: FLOW_TEXT_MAX bytes, FLOW_MARKS_MAX marks; what comes behind is dropped and flow_end says ERR_LIMIT. Memory:
 * the arena. Threads: one.
 */
#ifndef PYTHIA_INGEST_FLOW_H
#define PYTHIA_INGEST_FLOW_H

#include "base/arena.h"
#include "base/meta.h"
#include "base/types.h"
#include "ingest/charset.h"

#define FLOW_TEXT_MAX    ((size_t)32 * 1024 * 1024)
#define FLOW_MARKS_MAX   ((size_t)1000000)
#define FLOW_LEVELS      9   /* of headings */
#define FLOW_HEADING_MAX 200 /* bytes of one heading that go into the path */
#define FLOW_PARTS_MAX   64  /* documents within one that programs of their own read */
#define FLOW_PARTS_BYTES ((size_t)32 * 1024 * 1024)
#define FLOW_COLUMNS_MAX 256 /* of a table's row; what stands behind is left out */

typedef struct {
    Arena *arena;
    Charsets charsets; /* for the reader: what the document names */
    Buf text;
    Buf marks; /* DocMark[n_marks] */
    size_t n_marks;
    Buf parts; /* DocPart[n_parts] */
    size_t n_parts, parts_bytes;
    Str title; /* "" none; what the reader found */
    Buf meta;  /* lines of base/meta.h */
    Str headings[FLOW_LEVELS];
    Str path; /* of the headings: "Install > Linux" */
    int32_t page;
    int levels_above; /* headings of what is read count from here: of a document within another, as in a mail */
    bool blank_due;   /* a blank before the next word */
    bool over;        /* a limit was passed */
    Err failed;       /* memory */
} Flow;

void flow_begin(Flow *f, Arena *a);
void flow_free(Flow *f); /* what flow_end handed out lives in the arena */

/* Words: runs of blanks, tabs, line ends and no-break spaces become one blank. */
void flow_text(Flow *f, Str text);
/* The same with all its blanks and line ends: code, preformatted text. */
void flow_verbatim(Flow *f, Str text);
void flow_line(Flow *f);            /* what follows begins a line */
void flow_paragraph(Flow *f);       /* and a blank line stands before it */
void flow_lines(Flow *f, Str text); /* words in lines: its line ends are kept, blank ones are not */
/* A heading of level 1 to FLOW_LEVELS (clamped) as a line of its own; an empty title changes nothing. */
void flow_heading(Flow *f, int level, Str title);
/* The same of one that the text does not have, or has as words of its own. */
void flow_under(Flow *f, int level, Str title);
/* What follows stands under no heading of this level or below it. */
void flow_heading_end(Flow *f, int level);
void flow_page(Flow *f, int32_t page); /* what follows stands on this page */
/* One line: "Name: Anna | Age: 31" where headers are known, so that a row is understood without the one that names its
 * columns; else "Anna | 31". Empty cells are left out. */
void flow_row(Flow *f, const Str *headers, size_t n_headers, const Str *cells, size_t n);

/* What the document says of itself, as base/meta.h has it; value as it stands in the document. */
void flow_meta(Flow *f, const char *name, Str value);

/* A document that cannot be read here: its text will stand at this place. bytes: the caller's, to live as long as the
 * Flow. False: there are too many, or they are too large; nothing is kept of it. */
bool flow_part(Flow *f, Str bytes);

/* The text (ends with a line end; "" when there is none), title, marks and what it says of itself, in the arena.
 * ERR_LIMIT, ERR_NOMEM. */
MUST_USE Err flow_end(Flow *f, Doc *out);

/* text with its blanks as flow_text leaves them, in the arena. */
Str flow_collapse(Arena *a, Str text);

#endif
