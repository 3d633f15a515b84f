/* unit.h - private to the room: what chunks are put together from. A unit is a line that is not blank, or a piece of
 * one that is longer than the budget. Sections are runs of units under one heading. */
#ifndef PYTHIA_CHUNK_UNIT_H
#define PYTHIA_CHUNK_UNIT_H

#include "chunk/chunk.h"

typedef enum {
    UNIT_AFTER_BLANK = 1, /* a blank line, or nothing, stands before it */
    UNIT_PIECE = 2,       /* goes on in the line of the unit before */
    UNIT_FENCED = 4,      /* in a fenced block of Markdown, fences included */
    UNIT_FENCE = 8,       /* opens one */
    UNIT_HEADING = 16,    /* first unit of a heading */
} UnitFlags;

typedef struct {
    uint32_t start, end; /* bytes of the text: from the line's first to behind its last that is not blank */
    uint32_t line;       /* 1-based */
    uint32_t weight;     /* what it takes of the budget: tokens, or more where it has very long words; at least 1 */
    uint32_t section;    /* index into Sections.paths */
    uint16_t indent;     /* columns, a tab going to the next multiple of 4 */
    uint16_t border;     /* cost of ending a chunk before it, see borders.c */
    uint32_t flags;
} Unit;

typedef struct {
    Buf buf; /* Unit[n] */
    size_t n;
} Units;

/* NULL where there are none: nothing may be added to it, not even 0. */
static inline Unit *units_at(const Units *u, size_t i) {
    Unit *all = (Unit *)(void *)u->buf.p;
    return all ? all + i : NULL;
}

typedef struct {
    Buf buf;   /* Str[n]: heading paths, "" the first: the text before any heading */
    Buf pages; /* int32_t[n]; empty: there are none */
    size_t n;
} Sections;

static inline Str section_path(const Sections *s, size_t i) { return ((const Str *)(const void *)s->buf.p)[i]; }
static inline int32_t section_page(const Sections *s, size_t i) {
    return s->pages.n ? ((const int32_t *)(const void *)s->pages.p)[i] : 0;
}

static inline bool is_blank_byte(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); /* \t \n \v \f \r */ }

static inline Str unit_text(Str text, const Unit *u) { return str_make(text.p + u->start, u->end - u->start); }

/* Lines, cut where they are longer than the budget. */
MUST_USE Err units_read(Units *u, Str text, const ChunkOpts *opts);

/* Finds the headings of Markdown or reStructuredText: sets section and heading flags, fills the paths (in the
 * arena). */
MUST_USE Err headings_markdown(Arena *a, Str text, Units *u, Sections *out);
MUST_USE Err headings_rst(Arena *a, Str text, Units *u, Sections *out);

/* The sections of an extracted document: a mark begins one. */
MUST_USE Err sections_of_marks(const Doc *doc, Units *u, Sections *out);

/* Sets the border of each unit. */
typedef enum { BORDERS_CODE, BORDERS_PROSE } BorderStyle;
void borders_mark(Str text, Str lang, BorderStyle style, Units *u);

#endif
