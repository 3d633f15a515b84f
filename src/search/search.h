/* search.h - from a question to ranked hits: candidates of words and of vectors, fusion, freshness, the one score.
 *
 * Everything needed is handed in: the collections with their store, index and model. Nothing here writes.
 * Threads: one search uses its Searcher alone; open one a thread.
 */
#ifndef PYTHIA_SEARCH_SEARCH_H
#define PYTHIA_SEARCH_SEARCH_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/types.h"
#include "index/lex.h"
#include "index/vec.h"
#include "model/cache.h"
#include "model/model.h"
#include "search/query.h"
#include "store/store.h"

#define SEARCH_LIMIT_MAX 1000

typedef enum { MODE_HYBRID, MODE_SEMANTIC, MODE_LEXICAL, MODE_SYMBOL, MODE_REGEX } SearchMode; /* symbol.h, regex.h */
typedef enum { FUSION_CONVEX, FUSION_RRF } Fusion;
typedef enum { FRESH, FRESH_MOVED, FRESH_CHANGED, FRESH_GONE } Freshness;

typedef struct {
    Store *store;
    const StoreCollection *collection;
    const LexIndex *lex;   /* NULL: words are the store's (StoreCaps.lexical), or there are none */
    Analyzer *analyzer;    /* for this thread; of lex and of what is read out of the hits (evidence.h); NULL: neither */
    const VecIndex *index; /* NULL: no vectors yet */
    VecFetch fetch;        /* vectors of it, where it keeps none; NULL: it keeps them */
    void *fetch_ctx;
    const Model *model;   /* NULL: lexical only */
    const Model *table;   /* static, distilled from model: for chunks that have no vector (standin.h); NULL: none */
    EmbedCache *cache;    /* of queries' vectors; NULL: none */
    Pool *pool;           /* for embedding the query; NULL: this thread */
    Sched *sched;         /* whose turn it is; NULL: nobody else is there */
    const Filter *filter; /* this collection's own (paths are relative to its root); NULL: the request's */
    float effort;         /* of searches in the index (VecQuery.effort); 0: the kind's default */
} SearchSource;

/* A second, slower look at the first candidates: rerank.h. */
typedef struct {
    const Model *model; /* opened as a reranker; NULL: fusion has the last word */
    Pool *pool;         /* NULL: this thread */
    Sched *sched;       /* NULL: nobody else is there */
    size_t depth;       /* 1..SEARCH_LIMIT_MAX candidates are looked at */
    float weight;       /* 0..1: of what it says in the score */
} SearchRerank;

typedef struct {
    Str query;           /* text: only "phrases" in it are operators */
    const Query *parsed; /* what query_parse made of it; NULL: query is all there is */
    /* [dim] asked with instead of the text, in semantic mode; of the one model that all sources have; NULL */
    const float *vector;
    SearchMode mode;
    Fusion fusion;
    float alpha;            /* convex: weight of the cosine */
    size_t limit;           /* 1..SEARCH_LIMIT_MAX */
    float min_score;        /* 0..1 */
    const LexSettings *lex; /* of BM25F; NULL: the defaults */
    Filter filter;
    size_t recompute;    /* vectors computed anew at most, by indexes that keep none; 0: no bound */
    bool freshness;      /* check each hit against the live file and read its content */
    SearchRerank rerank; /* not in the modes symbol and regex */
    bool collapse;       /* with freshness: hits of the same or nearly the same text are one (copies.h) */
    bool full;           /* with it: of each hit all that it is a part of, its symbol or section; each once */
    const Deadline *deadline;
} SearchRequest;

/* Another place of a hit's text: copies.h. */
typedef struct {
    const StoreCollection *collection;
    StoreChunk chunk; /* as it is now, as a hit's */
    float likeness;   /* 1: the same text */
} SearchCopy;
enum { SEARCH_COPIES_MAX = 16 }; /* of a hit, that are listed */

typedef struct {
    const StoreCollection *collection;
    StoreChunk chunk; /* lines re-anchored when freshness is FRESH_MOVED */
    Freshness freshness;
    Str content; /* live text of the span; empty when gone */
    float score; /* 0..1 */
    /* explain: rank 0 means: not among the candidates of that arm */
    int32_t lex_rank, vec_rank;
    float bm25, cosine, named, prior, fused; /* as Candidate has them (fuse.h) */
    bool estimated;               /* cosine is an estimate: the deadline or the bound came first, or the text is gone */
    int32_t first_rank;           /* of a hit that was reranked: its place before; 0: it was not */
    float logit, first_score;     /* likewise, what the reranker says of it, and its score before */
    SearchCopy *copies;           /* [n_copies] best first; NULL: none */
    size_t n_copies, more_copies; /* the latter were seen and are not listed */
} SearchHit;

/* What indexes that keep no vectors had to do (refine.h). */
typedef struct {
    bool any;           /* one of the sources has such an index */
    size_t asked, lost; /* vectors that were asked for, and those whose text could not be had */
    bool proven;        /* no other chunk belongs among the hits, as far as the estimates' error bounds go */
    double ms;
} SearchRefined;

/* What a second look came to (rerank.h). */
typedef struct {
    bool any;      /* there was to be one */
    size_t wanted; /* candidates to look at */
    size_t scored; /* those that were: fewer when the deadline came first, or their text is gone */
    double ms;
} SearchReranked;

typedef struct {
    SearchHit *hits; /* [n] best first */
    size_t n;
    size_t total; /* candidates that passed filter and min_score, but for copies of a hit */
    bool deadline_hit;
    SearchRefined refined;
    SearchReranked reranked;
    double embed_ms, lexical_ms, vector_ms, fuse_ms, fresh_ms;
} SearchReply;

/* Over one or several collections; vectors of the query are computed once a model. Everything in the arena. Ranked by
 * `fused`. convex: alpha * cosine + (1 - alpha) * bm25 / (a full match's, fuse.h); rrf: 1 / (60 + rank), summed; more
 * for a definition whose exact name is asked for; times the prior of the hit's document. Where a reranker is given, the
 * first of these are ranked anew by their score and what it says. `score` is another, absolute scale that means the
 * same in every mode (fuse.h); it never rises down the list. Hits hold every "phrase" and +word of the query and no
 * -word, in every mode. Nothing found is ERR_OK with n 0. A deadline cuts both arms, the computing of vectors that no
 * index keeps, and reranking: ERR_OK with deadline_hit. Errors: ERR_USAGE for a blank query or a limit, alpha or
 * min_score out of range, ERR_LIMIT for a query over 16 KB, ERR_MODEL_MISMATCH, ERR_NO_INDEX for semantic search
 * without any vectors, ERR_INTERRUPT, and what store, model and index say. */
MUST_USE Err search(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, SearchReply *out);

/* The live text of a chunk and how fresh it is: same bytes at the same place, moved within its file, changed, gone.
 * Fills content and, when moved, the new lines and offsets. */
MUST_USE Err chunk_live(Arena *a, Store *s, Str root, StoreChunk *c, Freshness *fresh, Str *content);

const char *freshness_name(Freshness f); /* "fresh" … */

#endif
