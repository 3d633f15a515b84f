/* rerank.c - texts scored against a query by a cross-encoder.
 *
 * A reranker has one label, and what it gives is that label's logit. The logistic function makes 0..1 of it, as
 * sentence-transformers does: the order is the same, and a score reads like those of a search.
 */
#include <math.h>

#include "engine/engine.h"

typedef struct {
    const Model *m;
    Pool *pool;
    Str query;
    const Str *texts; /* [n] */
    size_t n;
    float *logits;   /* [n] */
    EmbedInfo *info; /* [n] */
} Rerank;

static Err rerank(void *ctx, const Deadline *stop) {
    const Rerank *r = ctx;
    return model_rerank(r->m, r->pool, r->query, r->texts, r->n, &(EmbedOpts){.deadline = stop}, r->logits, r->info);
}

Err pythia_rerank(Pythia *p, Arena *a, const PythiaRerank *rq, const Str *texts, size_t n, PythiaRanked **out) {
    Model *m = NULL;
    Pool *pool = NULL;
    TRY(engine_reranker(p, rq->model, &m));
    TRY(engine_pool_under(p, SCHED_INTERACTIVE, engine_pressure(p), &pool));
    *out = arena_array(a, PythiaRanked, n);
    float *logits = arena_array(a, float, n);
    EmbedInfo *info = arena_array(a, EmbedInfo, n);
    if (!*out || !logits || !info) return arena_error();
    Deadline stop = engine_deadline(p, 0);
    Rerank r = {m, pool, rq->query, texts, n, logits, info};
    TRY(sched_run(core_sched(p->core), SCHED_INTERACTIVE, &stop, rerank, &r));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (PythiaRanked){.score = 1.0 / (1.0 + exp(-(double)logits[i])),
                                   .logit = logits[i],
                                   .tokens = info[i].tokens,
                                   .truncated = info[i].truncated};
    return ERR_OK;
}
