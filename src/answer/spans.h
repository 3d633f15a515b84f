/* spans.h - a passage in pieces that can be quoted: sentences of prose, blocks of code.
 *
 * Pieces are bytes of the passage, so a quote is verbatim by construction. They are in order, do not overlap, begin and
 * end with a byte that is no blank, and leave out blanks alone.
 *
 * Prose: a sentence ends at . ! ? (and what closes behind it: quotes, brackets) before a blank, unless the point is one
 * of an abbreviation, an initial or a number; a heading, a list's item and a paragraph begin a new one. Code: blocks
 * between blank lines, long ones at SPAN_LINES_MAX lines.
 */
#ifndef PYTHIA_ANSWER_SPANS_H
#define PYTHIA_ANSWER_SPANS_H

#include "base/arena.h"
#include "base/err.h"

enum { SPAN_BYTES_MAX = 800, SPAN_LINES_MAX = 12 }; /* a longer sentence is cut at a blank, else at a code point */

typedef struct {
    size_t start, end;
    bool heading; /* names what follows: says nothing by itself */
} Span;

bool spans_is_prose(Str lang); /* of a document */

/* Behind the sentence of text[from, end) that the mark at `at` ends, with what closes it; 0: none ends there. What
 * follows decides: where nothing does yet, the point of "3.14" counts as an end. */
size_t span_sentence_end(Str text, size_t from, size_t at, size_t end);

/* Cost: linear. Whatever the bytes. ERR_NOMEM. */
MUST_USE Err spans_of(Arena *a, Str text, bool prose, Span **out, size_t *n);

#endif
