/* analyze.h - how text becomes the terms of the lexical index, for documents and queries alike.
 *
 * A term is a run of letters and digits (Unicode; '_' joins an identifier), lower-cased (full case folding), accents
 * removed. Code-aware: an identifier with inner structure (camelCase, snake_case, HTTPServer2) gives its parts and the
 * whole. A purely alphabetic part is stemmed (Snowball English) so that "retries" meets "retry". CJK runs give bigrams.
 * The whole stands at the position of its first part, so phrases of parts stay adjacent.
 *
 * Threads: an Analyzer is for one thread (the stemmer has state).
 */
#ifndef PYTHIA_INDEX_ANALYZE_H
#define PYTHIA_INDEX_ANALYZE_H

#include "base/err.h"
#include "base/str.h"

typedef struct Analyzer Analyzer;

MUST_USE Err analyzer_open(Analyzer **out);
void analyzer_close(Analyzer *a);

/* One term: UTF-8, valid only during the call. colocated: stands at the same position as the term before it.
 * start, end: its bytes in the text. Return nonzero to stop. */
typedef int (*TermSink)(void *ctx, Str term, bool colocated, size_t start, size_t end);

/* Returns what the sink returned, 0 at the end. Terms are at most 128 bytes (longer ones are cut at a code point). */
int analyzer_run(Analyzer *a, Str text, TermSink sink, void *ctx);

#endif
