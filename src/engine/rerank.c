/* rerank.c - texts scored against a query by a cross-encoder, and searches that are to be.
 *
 * A reranker has one label, and what it gives is that label's logit. The logistic function makes 0..1 of it, as
 * sentence-transformers does: the order is the same, and a score reads like those of a search.
 */
#include "search/rerank.h"
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

static Err texts_score(void *ctx, const Deadline *stop) {
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
    const bool service = str_is(model_info(m)->arch, "remote"); /* uses none of our cores: it takes no turn */
    TRY(service ? texts_score(&r, &stop) : sched_run(core_sched(p->core), SCHED_INTERACTIVE, &stop, texts_score, &r));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (PythiaRanked){.score = rerank_relevance(logits[i]),
                                   .logit = logits[i],
                                   .tokens = info[i].tokens,
                                   .truncated = info[i].truncated};
    return ERR_OK;
}

Err engine_search_rerank(Pythia *p, int wish, SearchRerank *out) {
    const Config *c = p->opts.config;
    Model *m = NULL;
    *out = (SearchRerank){0};
    if (wish < 0 || (wish == 0 && !config_bool(c, CONF_SEARCH_RERANK))) return ERR_OK;
    const int64_t depth = config_int(c, CONF_SEARCH_RERANK_DEPTH);
    TRY(engine_reranker(p, STR(""), &m));
    TRY(engine_pool_under(p, SCHED_INTERACTIVE, engine_pressure(p), &out->pool));
    out->model = m;
    out->sched = core_sched(p->core);
    out->depth = depth > 0 ? (size_t)depth : 0; /* which search() refuses */
    out->weight = (float)config_float(c, CONF_SEARCH_RERANK_WEIGHT);
    return ERR_OK;
}
