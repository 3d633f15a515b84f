/* symbol.h - search by what things are called (mode symbol): definitions whose name or path resembles the query, best
 * first, as hits of the chunks in which they begin.
 */
#ifndef PYTHIA_SEARCH_SYMBOL_H
#define PYTHIA_SEARCH_SYMBOL_H

#include "search/search.h"

/* How well a definition fits a query, 0..1; 0: not at all. path: "Backoff.next", of which the last part is the name.
 * From high to low: the path or its end, the name, either in another case, the start of a name, its words ("next delay"
 * and "nd" for next_delay or nextDelay), a part of the name. */
float symbol_score(Str query, Str path);

/* Declarations that only announce, and what holds a value, come behind what has a body: 1 or a little less. */
float symbol_weight(Str kind);

/* search() with MODE_SYMBOL for what is called so. Cost: a look at every name, some 0.2 us each. */
MUST_USE Err search_symbols(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, Str name,
                            SearchReply *out);

/* What a chunk is a part of: the definition that it is named after, or all neighbours under its heading; the chunk
 * itself when it is of neither. Bytes [*start, *end) of the text as it was indexed. */
MUST_USE Err symbol_span(Store *s, Arena *a, const StoreChunk *c, int64_t *start, int64_t *end);

#endif
