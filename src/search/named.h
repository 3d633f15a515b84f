/* named.h - definitions that are called exactly as the question writes it: they are found whatever the arms say.
 */
#ifndef PYTHIA_SEARCH_NAMED_H
#define PYTHIA_SEARCH_NAMED_H

#include "search/fuse.h"

/* The chunks in which definitions of the query's names begin, as candidates with `named` set; a name with a path
 * ("Backoff.next") must be the end of the definition's. At most NAMED_MAX of a name and source. Cost: 0.1 ms a name. */
enum { NAMED_MAX = 64 };
MUST_USE Err named_find(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq,
                        const Query *q, Candidate **list, size_t *n);

#endif
