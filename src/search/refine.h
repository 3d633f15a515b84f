/* refine.h - cosines that are estimates become exact, as far as the hits depend on them.
 *
 * An index that keeps no vectors (compact) gives estimates and how far they may be off. What is asked for here are the
 * hits, by what they are fused to, not the nearest vectors: a chunk that leads by its words may need no vector at all.
 * So the bounds of the cosine are turned into bounds of the fused value, prior included, and the best by it are
 * computed, a batch at a time, as long as one that is an estimate could still be among the hits (the threshold
 * algorithm again, as in search.c).
 *
 * Reciprocal ranks do not depend on a cosine but on its rank; with them the hits of the vector arm alone are made
 * exact.
 *
 * Deadline. A batch is as large as will be ready by then, going by the ones before; the model stops within one that is
 * not.
 */
#ifndef PYTHIA_SEARCH_REFINE_H
#define PYTHIA_SEARCH_REFINE_H

#include "search/arms.h"

typedef struct {
    Arena *a;
    const VectorArm *arm;
    const SearchRequest *rq;
    const FuseRule *rule;
    Candidate *all; /* [n] of arm->sources, cosines known or not */
    size_t n;
} Refine;

/* Sets cosines, ranks of the vector arm, and *out. A deadline is no error: *deadline_hit. */
MUST_USE Err refine(const Refine *r, SearchRefined *out, bool *deadline_hit);

#endif
