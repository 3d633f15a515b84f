/* search.c - one search from question to hits: both arms, fusion, the hits' rows, their live text.
 *
 * Depth. Each arm gives far more candidates than are shown, because fusion is only as good as the worst candidate that
 * one arm has and the other lacks. A chunk that only the lexical arm found gets its exact cosine, if that could bring
 * it among the hits: its cosine is at most that of the vector arm's last candidate, so an upper bound of its rank is
 * known beforehand (the threshold algorithm of Fagin, Lotem, Naor 2001). A chunk that only the vector arm found is not
 * among the best 1,000 by words; its BM25 counts as 0.
 *
 * Threads. In hybrid mode the question is embedded and the index scanned on a second thread while this one asks the
 * store for words: 4.2 ms for both arms instead of 5.7 (40,000 chunks, MiniLM in f32, an idle second core; without one
 * it makes no difference).
 *
 * An index that keeps no vectors gives estimates; those that the hits depend on are computed last (refine.h). Chunks
 * that have no vector yet are judged by their words, and by a static table where there is one (standin.h).
 *
 * Deadline. It cuts both arms, that computing and reranking (rerank.h); fusion and reading the hits' files go on: they
 * take a few milliseconds, and there would be no answer without them.
 */
#include "search/search.h"

#include <math.h>
#include <stdlib.h>

#include "search/arms.h"
#include "search/copies.h"
#include "search/fresh.h"
#include "search/named.h"
#include "search/refine.h"
#include "search/regex.h"
#include "search/rerank.h"
#include "search/standin.h"
#include "search/strict.h"
#include "search/symbol.h"

enum {
    VECTOR_DEPTH = 100,   /* candidates of the vector arm at least */
    STRICT_DEPTH = 1000,  /* ... where words decide what is a hit */
    VECTOR_PER_HIT = 4,   /* and so many for each hit wanted */
    LEXICAL_DEPTH = 1000, /* candidates of the lexical arm at least: they cost 16 bytes each */
    LEXICAL_PER_HIT = 10,
    LOOK_UP_BATCH = 64, /* chunks whose vectors are looked up at a time */
    COPIES_READ = 256,  /* hits read beyond the limit because others turned out to be copies */
    SPARE_HITS = 16, /* ranked exactly beyond the limit: some may turn out to be the same text of the same document */
};

typedef struct {
    Arena *a;
    const SearchSource *sources;
    size_t n_sources;
    const SearchRequest *rq;
    Query query;
    VectorArm arm;
    FuseRule rule;
    Candidate *all; /* [n_all] */
    size_t n_all;
    SearchReply *out;
} Search;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* So many candidates are ranked exactly: who may be shown, and who a reranker is to look at. */
static size_t exact_depth(const Search *s) {
    return larger(s->rq->limit, s->rq->rerank.model ? s->rq->rerank.depth : 0) + SPARE_HITS;
}

/* ---- before ---- */

static Err rerank_check(const SearchRerank *r) {
    if (!r->model) return ERR_OK;
    if (r->depth == 0 || r->depth > SEARCH_LIMIT_MAX)
        return err_set(ERR_USAGE, "search.rerank_depth %zu: it must be 1 to %d", r->depth, SEARCH_LIMIT_MAX);
    if (!(r->weight >= 0.0f && r->weight <= 1.0f))
        return err_set(ERR_USAGE, "search.rerank_weight %g: it must be 0 to 1", (double)r->weight);
    return ERR_OK;
}

static Err request_check(const Search *s) {
    const SearchRequest *rq = s->rq;
    if (rq->limit == 0 || rq->limit > SEARCH_LIMIT_MAX)
        return err_set(ERR_USAGE, "limit %zu: it must be 1 to %d", rq->limit, SEARCH_LIMIT_MAX);
    if (!(rq->alpha >= 0.0f && rq->alpha <= 1.0f))
        return err_set(ERR_USAGE, "alpha %g: it must be 0 to 1", (double)rq->alpha);
    if (!(rq->min_score >= 0.0f && rq->min_score <= 1.0f))
        return err_set(ERR_USAGE, "min-score %g: it must be 0 to 1", (double)rq->min_score);
    TRY(rerank_check(&rq->rerank));
    if (rq->mode != MODE_SEMANTIC) return ERR_OK;
    for (size_t i = 0; i < s->n_sources; i++)
        if (s->sources[i].index && s->sources[i].model) return ERR_OK;
    if (s->n_sources == 0) return ERR_OK;
    const StoreCollection *c = s->sources[0].collection;
    return err_fix(err_set(ERR_NO_INDEX, "collection '%.*s' has no vectors yet", STR_FMT(c->name)),
                   "pythia index --collection '%.*s'", STR_FMT(c->name));
}

/* ---- both arms ---- */

static Err words_run(Search *s, Candidate **list, size_t *n) {
    if (s->rq->mode == MODE_SEMANTIC) return ERR_OK;
    int64_t start = clock_mono_ns();
    size_t depth = larger(LEXICAL_DEPTH, s->rq->limit * LEXICAL_PER_HIT);
    TRY(lexical_arm(s->a, s->sources, s->n_sources, s->rq, s->query.words, depth, list, n, &s->out->deadline_hit));
    candidates_rank_lexical(*list, *n);
    s->out->lexical_ms = clock_ms_since(start);
    return ERR_OK;
}

/* Where words decide what is a hit, many of the nearest may be none. */
static size_t vector_depth(const Search *s) {
    return larger(s->query.strict ? STRICT_DEPTH : VECTOR_DEPTH, s->rq->limit * VECTOR_PER_HIT);
}

static Err vectors_collect(Search *s, Candidate **list, size_t *n) {
    TRY(arm_collect(s->a, &s->arm, vector_depth(s), list, n));
    candidates_rank_vector(*list, *n);
    s->out->embed_ms = s->arm.embed_ms;
    s->out->vector_ms = s->arm.scan_ms;
    s->out->deadline_hit |= s->arm.deadline_hit;
    return ERR_OK;
}

static bool has_vectors(const Search *s) {
    for (size_t i = 0; i < s->arm.n; i++)
        if (s->arm.sources[i].query) return true;
    return false;
}

/* In hybrid mode alone: without vectors there is nothing to weigh words against. */
static float full_least(const Search *s) {
    double chunks = 0;
    if (s->rq->mode != MODE_HYBRID) return 0;
    for (size_t i = 0; i < s->n_sources; i++) chunks += (double)s->sources[i].collection->chunks;
    return fuse_full_least(chunks, s->rq->lex ? s->rq->lex->k1 : lex_settings_default.k1);
}

static Err arms_run(Search *s) {
    Candidate *lex = NULL, *vec = NULL, *named = NULL;
    size_t n_lex = 0, n_vec = 0, n_named = 0;
    Thread *beside = NULL;
    const size_t k = vector_depth(s);
    s->arm.text = s->query.meaning;
    if (s->rq->mode != MODE_LEXICAL) TRY(arm_prepare(s->a, &s->arm, s->sources, s->n_sources, s->rq, k));
    bool both = s->rq->mode == MODE_HYBRID && has_vectors(s);
    if (both) TRY(thread_start(&beside, arm_run, &s->arm));
    Err words = words_run(s, &lex, &n_lex), vectors;
    ErrInfo words_info;
    err_save(&words_info, words);
    vectors = both ? thread_join(beside) : arm_run(&s->arm);
    if (words) return err_restore(&words_info);
    if (vectors) return vectors;
    TRY(vectors_collect(s, &vec, &n_vec));
    if (s->rq->mode != MODE_SEMANTIC)
        TRY(named_find(s->a, s->sources, s->n_sources, s->rq, &s->query, &named, &n_named));
    s->all = arena_array(s->a, Candidate, n_lex + n_vec + n_named + 1);
    if (!s->all) return arena_error();
    if (n_lex) memcpy(s->all, lex, n_lex * sizeof *lex);
    if (n_vec) memcpy(s->all + n_lex, vec, n_vec * sizeof *vec);
    if (n_named) memcpy(s->all + n_lex + n_vec, named, n_named * sizeof *named);
    s->n_all = candidates_merge(s->all, n_lex + n_vec + n_named);
    if (s->query.strict) TRY(strict_keep(s->a, s->sources, s->n_sources, s->query.words, s->all, &s->n_all));
    s->rule = (FuseRule){.mode = s->rq->mode,
                         .fusion = s->rq->fusion,
                         .alpha = s->rq->alpha,
                         .bm25_full = n_lex ? fmaxf(lex[0].bm25, full_least(s)) : 0};
    return ERR_OK;
}

/* ---- fusion ---- */

static int falling(const void *pa, const void *pb) {
    float a = *(const float *)pa, b = *(const float *)pb;
    return a > b ? -1 : a < b;
}

/* Cosines of chunks that words alone found, of one source, as far as they can matter. */
typedef struct {
    Candidate **open;    /* [n] without a cosine, by falling bm25 */
    Candidate **settled; /* [n_settled] all whose fused value is known, or at least how low it can be: of all sources */
    float *fused;        /* scratch */
    size_t n, n_settled;
} Completion;

static int by_falling_bm25(const void *pa, const void *pb) {
    const Candidate *a = *(Candidate *const *)pa, *b = *(Candidate *const *)pb;
    if (a->bm25 != b->bm25) return a->bm25 > b->bm25 ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

/* The fused value that the last hit has at least. */
static float entry_bar(const Search *s, Completion *c) {
    const size_t place = exact_depth(s);
    if (c->n_settled < place) return -INFINITY;
    for (size_t i = 0; i < c->n_settled; i++) {
        const Candidate *of = c->settled[i];
        c->fused[i] = of->error > 0 ? fuse_with(&s->rule, of, of->cosine - of->error) : of->fused;
    }
    qsort(c->fused, c->n_settled, sizeof *c->fused, falling);
    return c->fused[place - 1];
}

static void settle(const Search *s, Completion *c, Candidate *of) {
    fuse_one(&s->rule, of);
    c->settled[c->n_settled++] = of;
}

/* Could it be among the hits, or pass min_score, at the greatest cosine it can have? (Ranks are final without it.) */
static bool may_matter(const Search *s, const Candidate *c, float bar) {
    if (fuse_with(&s->rule, c, c->most) >= bar) return true;
    float score = s->rule.alpha * c->most + (1.0f - s->rule.alpha) * lexical_score(c->bm25);
    return s->rq->min_score > 0.0f && score >= s->rq->min_score;
}

/* In batches, best words first: each batch raises the bar for the next. The bound falls with bm25, so the first that
 * cannot matter ends it. */
static Err source_complete(Search *s, const ArmSource *from, Completion *c) {
    if (c->n) qsort(c->open, c->n, sizeof(Candidate *), by_falling_bm25);
    for (size_t at = 0, n; at < c->n; at += n) {
        float bar = entry_bar(s, c);
        for (n = 0; n < LOOK_UP_BATCH && at + n < c->n && may_matter(s, c->open[at + n], bar);) n++;
        if (n == 0) break;
        TRY(arm_complete(s->a, from, c->open + at, n));
        for (size_t i = 0; i < n; i++) settle(s, c, c->open[at + i]);
    }
    return ERR_OK;
}

static Err cosines_complete(Search *s) {
    Completion c = {.open = arena_array(s->a, Candidate *, s->n_all + 1),
                    .settled = arena_array(s->a, Candidate *, s->n_all + 1),
                    .fused = arena_array(s->a, float, s->n_all + 1)};
    if (!c.open || !c.settled || !c.fused) return arena_error();
    for (size_t i = 0; i < s->n_all; i++) {
        const ArmSource *from = &s->arm.sources[s->all[i].source];
        if (!s->all[i].has_cosine && !arm_exhausted(from))
            s->all[i].most = arm_floor(from);
        else
            settle(s, &c, &s->all[i]);
    }
    for (size_t i = 0; i < s->arm.n; i++) {
        if (arm_exhausted(&s->arm.sources[i])) continue;
        c.n = 0;
        for (size_t k = 0; k < s->n_all; k++)
            if (s->all[k].source == i && !s->all[k].has_cosine) c.open[c.n++] = &s->all[k];
        TRY(source_complete(s, &s->arm.sources[i], &c));
    }
    return ERR_OK;
}

/* Candidates whose documents rank lower are put in their place. A prior only lowers, so who may still be among the hits
 * is known without asking for all: it ends when the last hit stands above the next one's undiminished value. */
static Err priors_apply(Search *s) {
    const size_t want = exact_depth(s);
    bool any = false;
    for (size_t done = 0, end; done < s->n_all; done = end) {
        if (done >= want && s->all[want - 1].fused >= s->all[done].fused) break;
        end = done ? 2 * done : want;
        if (end > s->n_all) end = s->n_all;
        for (size_t i = done; i < end; i++) {
            float prior = 1.0f;
            TRY(store_chunk_prior(s->sources[s->all[i].source].store, s->all[i].chunk, &prior));
            if (prior < 1.0f) fuse_lower(&s->all[i], prior), any = true;
        }
        candidates_sort(s->all, end);
    }
    return any ? scores_make_fall(s->a, s->all, s->n_all) : ERR_OK;
}

static Err fuse(Search *s) {
    int64_t start = clock_mono_ns();
    if (s->rq->mode == MODE_HYBRID && has_vectors(s)) TRY(cosines_complete(s));
    if (s->rq->mode != MODE_LEXICAL && has_vectors(s)) {
        const Refine r = {s->a, &s->arm, s->rq, &s->rule, s->all, s->n_all};
        TRY(refine(&r, &s->out->refined, &s->out->deadline_hit));
    }
    if (s->rq->mode == MODE_HYBRID && s->rq->fusion == FUSION_CONVEX)
        TRY(standin_fill(s->sources, s->n_sources, s->query.meaning, &s->rule, exact_depth(s), s->rq->deadline, s->all,
                         s->n_all, &s->out->deadline_hit));
    TRY(fuse_all(s->a, &s->rule, s->all, s->n_all));
    TRY(priors_apply(s));
    s->out->fuse_ms = clock_ms_since(start);
    return ERR_OK;
}

/* A reranker's look at the first, and then the end of what is good enough. */
static Err settle_order(Search *s) {
    if (s->rq->rerank.model)
        TRY(rerank_candidates(s->a, s->sources, s->n_sources, s->rq, s->query.meaning, s->all, s->n_all,
                              &s->out->reranked, &s->out->deadline_hit));
    while (s->n_all && s->all[s->n_all - 1].score < s->rq->min_score) s->n_all--;
    s->out->total = s->n_all;
    return ERR_OK;
}

/* ---- hits ---- */

static bool shown_already(const Search *s, const StoreChunk *chunk, uint32_t source, const uint32_t *source_of) {
    for (size_t i = 0; i < s->out->n; i++) {
        const StoreChunk *other = &s->out->hits[i].chunk;
        if (source_of[i] == source && other->doc_id == chunk->doc_id &&
            memcmp(other->hash.bytes, chunk->hash.bytes, sizeof chunk->hash.bytes) == 0)
            return true;
    }
    return false;
}

/* What is there already, and need not be read to be seen so. */
static bool is_another(const Search *s, const StoreChunk *chunk, uint32_t source, const uint32_t *source_of) {
    SearchHit *full = s->rq->collapse ? copies_full(s->out->hits, s->out->n, chunk) : NULL;
    if (full) full->more_copies++;
    return full || shown_already(s, chunk, source, source_of);
}

/* A chunk that another process removed since the arms ran is left out, as is a second chunk of the same text in the
 * same document; the same text in another document is another hit, or a copy (copies.h). */
static Err hit_take(Search *s, const Candidate *c, uint32_t *source_of) {
    const SearchSource *from = &s->sources[c->source];
    int64_t collection;
    StoreChunk chunk;
    Err err = store_chunk(from->store, s->a, c->chunk, &collection, &chunk);
    if (err && err != ERR_NO_DOCUMENT) return err;
    if (err || is_another(s, &chunk, c->source, source_of)) {
        s->out->total--;
        return ERR_OK;
    }
    source_of[s->out->n] = c->source;
    s->out->hits[s->out->n++] = (SearchHit){.collection = from->collection,
                                            .chunk = chunk,
                                            .content = STR(""),
                                            .score = c->score,
                                            .lex_rank = c->lex_rank,
                                            .vec_rank = c->vec_rank,
                                            .bm25 = c->bm25,
                                            .cosine = c->has_cosine ? c->cosine : 0.0f,
                                            .named = c->named,
                                            .prior = c->prior > 0 ? c->prior : 1.0f,
                                            .fused = c->fused,
                                            .first_rank = c->first_rank,
                                            .logit = c->logit,
                                            .first_score = c->first_score,
                                            .estimated = c->has_cosine && (c->error > 0 || c->lost)};
    return ERR_OK;
}

/* Chunks of one symbol are one hit when each is shown whole: the best one. */
static void hits_unite(SearchReply *r) {
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const StoreChunk *c = &r->hits[i].chunk;
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) {
            const StoreChunk *b = &r->hits[k].chunk;
            known = b->doc_id == c->doc_id && b->start == c->start && b->end == c->end &&
                    r->hits[k].collection == r->hits[i].collection;
        }
        if (!known) r->hits[n++] = r->hits[i];
    }
    r->n = n;
}

/* Reads the hits from `first` on and takes copies out of them; sketches NULL: copies stay. */
static Err hits_read(Search *s, uint32_t *source_of, CopiesSketch *sketches, size_t first) {
    SearchReply *out = s->out;
    const size_t taken = out->n;
    TRY(fresh_fill(s->a, s->sources, source_of + first, out->hits + first, taken - first,
                   s->rq->full ? FILL_WHOLE : FILL_CHUNK));
    if (sketches) TRY(copies_collapse(s->a, out->hits, source_of, sketches, first, &out->n));
    out->total -= taken - out->n;
    return ERR_OK;
}

/* Copies leave places, which the next candidates get, as long as there is time. */
static Err hits_take_read(Search *s, size_t most, uint32_t *source_of) {
    const int64_t start = clock_mono_ns();
    CopiesSketch *sketches = s->rq->collapse ? arena_array(s->a, CopiesSketch, most + 1) : NULL;
    if (s->rq->collapse && !sketches) return arena_error();
    for (size_t at = 0, read = 0; at < s->n_all && s->out->n < most;) {
        const size_t first = s->out->n;
        const Err err = at ? deadline_check(s->rq->deadline) : ERR_OK;
        s->out->deadline_hit |= err == ERR_DEADLINE;
        if (err == ERR_DEADLINE) break;
        TRY(err);
        while (at < s->n_all && s->out->n < most) TRY(hit_take(s, &s->all[at++], source_of));
        read += s->out->n - first;
        TRY(hits_read(s, source_of, read <= most + COPIES_READ ? sketches : NULL, first));
    }
    if (s->rq->full) hits_unite(s->out);
    s->out->fresh_ms = clock_ms_since(start);
    return ERR_OK;
}

static Err hits_take(Search *s) {
    const size_t most = s->rq->limit < s->n_all ? s->rq->limit : s->n_all;
    uint32_t *source_of = arena_array(s->a, uint32_t, most + 1);
    s->out->hits = arena_array(s->a, SearchHit, most + 1);
    if (!source_of || !s->out->hits) return arena_error();
    if (s->rq->freshness) return hits_take_read(s, most, source_of);
    for (size_t i = 0; i < s->n_all && s->out->n < most; i++) TRY(hit_take(s, &s->all[i], source_of));
    return ERR_OK;
}

Err search(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, SearchReply *out) {
    *out = (SearchReply){0};
    Search s = {.a = a, .sources = sources, .n_sources = n_sources, .rq = rq, .out = out};
    TRY(request_check(&s));
    if (rq->mode == MODE_REGEX) return search_regex(a, sources, n_sources, rq, rq->query, out);
    if (rq->parsed)
        s.query = *rq->parsed;
    else
        TRY(query_plain(a, rq->query, &s.query));
    if (rq->mode == MODE_SYMBOL) return search_symbols(a, sources, n_sources, rq, s.query.meaning, out);
    TRY(arms_run(&s));
    TRY(fuse(&s));
    TRY(settle_order(&s));
    return hits_take(&s);
}
