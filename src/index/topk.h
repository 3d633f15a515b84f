/* topk.h - the k best hits of a scan: a bounded heap whose root is the worst hit kept, in memory of the caller.
 *
 * Order: falling score, ties by rising slot: a total order, so the result does not depend on the order of offering (and
 * later not on threads). NaN is never kept.
 *
 * Cost: a hit that is not good enough is one comparison, which is what nearly all of a scan's hits are.
 */
#ifndef PYTHIA_INDEX_TOPK_H
#define PYTHIA_INDEX_TOPK_H

#include "index/vec.h"

typedef struct {
    VecHit *hits; /* [k] a heap while scanning, sorted after topk_finish */
    size_t k, n;
} TopK;

static inline bool hit_before(VecHit a, VecHit b) {
    return a.score > b.score || (a.score == b.score && a.slot < b.slot);
}

/* Offers a hit that passed the test of topk_offer. */
void topk_insert(TopK *t, VecHit hit);

static inline void topk_offer(TopK *t, uint32_t slot, float score) {
    if (t->n == t->k && !(t->k && hit_before((VecHit){slot, score}, t->hits[0]))) return;
    topk_insert(t, (VecHit){slot, score});
}

/* Sorts best first. */
void topk_finish(TopK *t);

#endif
