/* lines.h - a text as measured lines: what the chunkers cut.
 *
 * A line is a span up to "\n"; one with more tokens than a chunk may have becomes several pieces, cut at blanks, else at
 * code points. Blank lines are kept in the list, for their tokens and as borders.
 */
#ifndef PYTHIA_CHUNK_LINES_H
#define PYTHIA_CHUNK_LINES_H

#include "chunk/chunk.h"

typedef struct {
    size_t start, end; /* bytes of the text, "\n" not included */
    int32_t number;    /* 1-based line of the text; pieces of one line share it */
    int32_t indent;    /* columns of leading blanks (a tab is 4); -1: a blank line */
    uint32_t tokens;   /* with the "\n" */
    bool piece;        /* not the first piece of its line */
    bool heading;      /* starts a section */
    Str path;          /* of a heading: "Install > Linux" */
} Line;

/* Measures text; *n lines in the arena. Each line is counted once (a piece a few times). Errors: ERR_NOMEM, ERR_LIMIT. */
MUST_USE Err lines_measure(Arena *a, Str text, const ChunkOpts *opts, Line **out, size_t *n);

/* Marks headings and their paths. Fenced code and front matter hold none. Sources: CommonMark 0.31 (ATX and setext
 * headings, fenced code); docutils' reStructuredText specification (section titles). */
MUST_USE Err headings_mark_markdown(Arena *a, Str text, Line *lines, size_t n);
MUST_USE Err headings_mark_rst(Arena *a, Str text, Line *lines, size_t n);

static inline Str line_text(Str text, const Line *l) { return (Str){text.p + l->start, l->end - l->start}; }

#endif
