/* rerank.c - see rerank.h. */
#include "search/rerank.h"

#include <math.h>
#include <stdlib.h>

#include "search/fresh.h"

enum {
    SLICE = 8,        /* texts at a time: enough for all cores, few enough to stop soon and to let others go between */
    FIRST_TO_MEET = 2 /* of a search with a deadline, before it is known what one takes */
};

/* The candidates and their texts, each different one once. */
typedef struct {
    Arena arena; /* all that this call needs */
    const SearchRequest *rq;
    Str question;
    Candidate *all; /* [n] */
    size_t n;
    size_t *text_of;   /* [n] place among texts; SIZE_MAX: it has none */
    ChunkHash *hashes; /* [n_texts] */
    Str *texts;        /* likewise, as they came up: best first */
    float *logits;     /* likewise */
    size_t n_texts, n_scored;
} Work;

/* ---- texts ---- */

static Err text_read(Work *w, LiveDocs *docs, const SearchSource *s, size_t i) {
    StoreChunk chunk;
    Freshness fresh;
    Str text;
    int64_t collection;
    const Err err = store_chunk(s->store, &w->arena, w->all[i].chunk, &collection, &chunk);
    if (err == ERR_NO_DOCUMENT) return ERR_OK; /* another process took it away just now */
    TRY(err);
    const ChunkHash hash = chunk.hash;
    TRY(live_docs_place(docs, &chunk, &fresh, &text));
    if (fresh == FRESH_GONE || str_trim(text).n == 0) return ERR_OK;
    const bool as_indexed = fresh == FRESH || fresh == FRESH_MOVED;
    for (size_t k = 0; as_indexed && k < w->n_texts; k++)
        if (memcmp(w->hashes[k].bytes, hash.bytes, sizeof hash.bytes) == 0) return w->text_of[i] = k, ERR_OK;
    if (as_indexed) w->hashes[w->n_texts] = hash;
    w->texts[w->n_texts] = text;
    w->text_of[i] = w->n_texts++;
    return ERR_OK;
}

/* As many as can be read before the deadline. */
static Err texts_read(Work *w, const SearchSource *sources, size_t n_sources, bool *deadline_hit) {
    w->text_of = arena_array(&w->arena, size_t, w->n + 1);
    w->hashes = arena_array(&w->arena, ChunkHash, w->n + 1);
    w->texts = arena_array(&w->arena, Str, w->n + 1);
    w->logits = arena_array(&w->arena, float, w->n + 1);
    LiveDocs *docs = arena_array(&w->arena, LiveDocs, n_sources + 1);
    if (!w->text_of || !w->hashes || !w->texts || !w->logits || !docs) return arena_error();
    for (size_t i = 0; i < n_sources; i++)
        TRY(live_docs_begin(&docs[i], &w->arena, sources[i].store, sources[i].collection->root, w->n + 1));
    for (size_t i = 0; i < w->n; i++) {
        const Err err = deadline_check(w->rq->deadline);
        w->text_of[i] = SIZE_MAX;
        *deadline_hit |= err == ERR_DEADLINE;
        if (err == ERR_DEADLINE) continue;
        TRY(err);
        TRY(text_read(w, &docs[w->all[i].source], &sources[w->all[i].source], i));
    }
    return ERR_OK;
}

/* ---- scores ---- */

typedef struct {
    Work *w;
    size_t some;
} Slice;

static Err slice_score(void *ctx, const Deadline *stop) {
    const Slice *s = ctx;
    const Work *w = s->w;
    const SearchRerank *by = &w->rq->rerank;
    return model_rerank(by->model, by->pool, w->question, w->texts + w->n_scored, s->some,
                        &(EmbedOpts){.deadline = stop}, w->logits + w->n_scored, NULL);
}

/* How many are next; 0: none would be ready before the deadline. */
static size_t slice_size(const Work *w, bool service, double ms_a_text) {
    const Deadline *stop = w->rq->deadline;
    const size_t left = w->n_texts - w->n_scored;
    if (service) return left;
    const size_t most = left < SLICE ? left : SLICE;
    if (!stop || stop->at_ns == 0) return most;
    const double left_ms = (double)(stop->at_ns - clock_mono_ns()) * 1e-6;
    if (ms_a_text <= 0) return left_ms <= 0 ? 0 : most < FIRST_TO_MEET ? most : FIRST_TO_MEET;
    const double ready = left_ms / ms_a_text;
    return ready < (double)most ? (size_t)(ready > 0 ? ready : 0) : most;
}

/* A service uses none of our cores: it takes no turn. */
static Err texts_score(Work *w, bool *deadline_hit) {
    const SearchRerank *by = &w->rq->rerank;
    const bool service = str_is(model_info(by->model)->arch, "remote");
    double ms_a_text = 0;
    while (w->n_scored < w->n_texts) {
        Slice slice = {w, slice_size(w, service, ms_a_text)};
        const int64_t start = clock_mono_ns();
        Err err = slice.some ? ERR_OK : ERR_DEADLINE;
        if (!err)
            err = service || !by->sched ? slice_score(&slice, w->rq->deadline)
                                        : sched_run(by->sched, SCHED_INTERACTIVE, w->rq->deadline, slice_score, &slice);
        if (err == ERR_DEADLINE) return *deadline_hit = true, ERR_OK;
        TRY(err);
        w->n_scored += slice.some;
        const double ms = clock_ms_since(start) / (double)slice.some;
        ms_a_text = ms_a_text > 0 ? (ms_a_text + ms) / 2 : ms;
    }
    return ERR_OK;
}

/* ---- order ---- */

double rerank_relevance(float logit) { return 1.0 / (1.0 + exp(-(double)logit)); }

/* Exact names before all, then by score, in the old order where that is the same. */
static int by_score(const void *pa, const void *pb) {
    const Candidate *a = pa, *b = pb;
    if (a->named != b->named) return a->named > b->named ? -1 : 1;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->first_rank < b->first_rank ? -1 : a->first_rank > b->first_rank;
}

static void score_set(const Work *w, Candidate *c, float logit) {
    const float weight = w->rq->rerank.weight, prior = c->prior > 0 ? c->prior : 1.0f, before = c->score;
    c->logit = logit;
    c->first_score = before;
    c->score = weight * prior * (float)rerank_relevance(logit) + (1.0f - weight) * before;
    if (c->named > 0 && c->score < before) c->score = before;
}

/* The scored ones move to the front and are sorted; the others keep their order behind them. */
static Err order_renew(Work *w, size_t *scored) {
    Candidate *rest = arena_array(&w->arena, Candidate, w->n + 1);
    size_t n_rest = 0;
    if (!rest) return arena_error();
    *scored = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->text_of[i] >= w->n_scored) {
            rest[n_rest++] = w->all[i];
            continue;
        }
        Candidate c = w->all[i];
        c.first_rank = (int32_t)(i + 1);
        score_set(w, &c, w->logits[w->text_of[i]]);
        w->all[(*scored)++] = c;
    }
    if (*scored) qsort(w->all, *scored, sizeof *w->all, by_score);
    if (n_rest) memcpy(w->all + *scored, rest, n_rest * sizeof *rest);
    return ERR_OK;
}

Err rerank_candidates(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, Str question,
                      Candidate *all, size_t n, SearchReranked *out, bool *deadline_hit) {
    const int64_t start = clock_mono_ns();
    *out = (SearchReranked){.any = true, .wanted = n < rq->rerank.depth ? n : rq->rerank.depth};
    Work w = {.rq = rq, .question = question, .all = all, .n = out->wanted};
    Err err = texts_read(&w, sources, n_sources, deadline_hit);
    if (!err) err = texts_score(&w, deadline_hit);
    if (!err) err = order_renew(&w, &out->scored);
    arena_free(&w.arena);
    if (!err) err = scores_make_fall(a, all, n);
    out->ms = clock_ms_since(start);
    return err;
}
