/* recompute.h - vectors of an index that keeps none (compact), made anew from what they were made of: slot -> chunk
 * (store) -> its live text -> the collection's model.
 *
 * A text counts when its hash is the one that was embedded, wherever it stands by now (search/fresh.h); of a text that
 * stands in several places any will do. When none is left (the file changed or went) the row is lost: the search goes
 * on with what its code says of it, and the hit is shown as `changed` or `gone`, as it is with any other index. The
 * next `index` sees to it.
 *
 * What was computed goes into the cache of the core, which queries' vectors share (model/cache.h): bounded, smaller
 * under memory pressure, and as long-lived as the process. Nothing goes to disk; the attic (attic.h) is not asked
 * either, as it has vectors of texts that no chunk holds.
 *
 * Threads: one search's.
 */
#ifndef PYTHIA_ENGINE_RECOMPUTE_H
#define PYTHIA_ENGINE_RECOMPUTE_H

#include "model/cache.h"
#include "store/store.h"

typedef struct {
    Store *store;
    const StoreCollection *collection;
    const Model *model; /* of the collection */
    EmbedCache *cache;  /* NULL: none */
    Pool *pool;         /* NULL: this thread */
    Sched *sched;       /* whose turn it is, as of a query; NULL: nobody else is there */
    int64_t computed, cached, lost;
} Recompute;

/* VecFetch; ctx: Recompute. Errors: the store's, the model's, those of sched_embed. */
MUST_USE Err recompute_rows(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out,
                            bool *had);

#endif
