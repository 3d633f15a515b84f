/* strict.h - words that decide what may be a hit: a "phrase", +word and -word hold for what the vectors found, too.
 */
#ifndef PYTHIA_SEARCH_STRICT_H
#define PYTHIA_SEARCH_STRICT_H

#include "search/fuse.h"

/* Keeps of the candidates [*n] those that the words of a strict query allow, in their order. What the lexical arm found
 * fits already; the others are looked up in their source's lexical index, and go where it has none. Cost: that of one
 * query over the candidates alone. */
MUST_USE Err strict_keep(Arena *a, const SearchSource *sources, size_t n_sources, Str words, Candidate *all, size_t *n);

#endif
