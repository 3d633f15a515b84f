/* copies.h - hits whose texts are the same, or nearly: shown once, with their other places.
 *
 * A vendored library, a second checkout, a file that was copied and changed in one line: each would take a place in the
 * list and tell nothing new. What is compared is the live text, as its tokens (words; other characters one by one;
 * blanks mean nothing): the share of runs of four tokens that two texts have in common (Jaccard), estimated from the
 * 128 least hashes of each (Broder 1997; as a bottom-k sketch, Cohen and Kaplan 2007). Texts of up to 128 different
 * runs, some 130 tokens, are compared exactly; of longer ones the estimate is off by 0.035 (one sigma) at the bound.
 *
 * Only places in different documents are copies of each other: two switch statements in one file may be alike and both
 * are meant. A text that changed since it was indexed, or is gone, is no copy: that it is so must be seen.
 *
 * Threads: plain functions.
 */
#ifndef PYTHIA_SEARCH_COPIES_H
#define PYTHIA_SEARCH_COPIES_H

#include "search/search.h"

/* From here on two texts are one: of 200 tokens some 7 may differ, if each stands alone. */
#define COPIES_ALIKE 0.8f

enum { COPIES_SKETCH = 128 };

/* What is kept of a text. */
typedef struct {
    uint32_t n;                    /* hashes kept: all of them when less than COPIES_SKETCH */
    uint64_t least[COPIES_SKETCH]; /* [n] rising, each once */
} CopiesSketch;

void copies_sketch(Str text, CopiesSketch *out);
/* 0..1; 0 when it is certain to be under COPIES_ALIKE. Texts without tokens are like nothing. */
float copies_likeness(const CopiesSketch *a, const CopiesSketch *b);

/* Of hits [*n], the first `old` of which stand for themselves, those behind them that are a copy of one before go to
 * its copies (SEARCH_COPIES_MAX of them, then they are counted). sketches: [*n], the first `old` filled; moved along
 * with the hits, as are source_of. Cost: 1 ns a byte, and 20 ns for each pair that is not alike. */
MUST_USE Err copies_collapse(Arena *a, SearchHit *hits, uint32_t *source_of, CopiesSketch *sketches, size_t old,
                             size_t *n);

/* A hit that has its fill of copies and is of this text: one more need not even be read. NULL: none. */
SearchHit *copies_full(SearchHit *hits, size_t n, const StoreChunk *chunk);

#endif
