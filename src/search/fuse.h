/* fuse.h - the candidates of two arms become one ranked list with one score. Pure: values in, values out.
 *
 * Ranking ("fused"): convex by default, alpha * cosine + (1 - alpha) * bm25 / (what a full match has), which beat
 * reciprocal ranks on every set measured; RRF, the sum of 1 / (60 + rank), by option (Cormack, Clarke, Büttcher 2009).
 *
 * A full match has the query's best bm25, but at least what some two words have that stand in one chunk only and there
 * often (fuse_full_least). Without that bound the best match of a question that shares nothing with the collection but
 * "list" and "file" counted as much as one of its very words, and words outvoted vectors where they had least to say:
 * docs/adr/0017.
 *
 * Score: what ranks well need not be comparable: bm25 / best gives the best of a hopeless query 1, and reciprocal ranks
 * say nothing about the hit at all. So the score reported is another one, made of absolute evidence:
 *
 *   semantic  cosine, clamped to 0..1
 *   lexical   bm25 / (bm25 + LEXICAL_HALF)
 *   hybrid    alpha * semantic + (1 - alpha) * lexical
 *
 * A hybrid score is thus the mean of what the other two modes would say of the hit: a threshold means the same in all
 * modes, collections and fusions. Scores must not rise down the list; where they would, because the two orders differ,
 * the scores of the hits concerned are replaced by their mean (isotonic regression: the least change that puts it
 * right).
 *
 * A hit without a vector (not embedded yet) is judged by its words: its lexical score stands in for the cosine, capped
 * by what a chunk that the vector arm did not find can have at most. So it is neither buried nor favoured. A static
 * table may move it up or down (standin.h).
 *
 * Name: who types the exact name of a definition finds it first, whatever else resembles the question. It adds about 1
 * to `fused`, more than anything else can, and the score is at least NAMED_SCORE.
 *
 * Prior: a document may count for less than others (generated and vendored code, ingest/noise.h). It multiplies both,
 * after fusion, so that neither arm's best is touched by it.
 *
 * Threads: plain functions.
 */
#ifndef PYTHIA_SEARCH_FUSE_H
#define PYTHIA_SEARCH_FUSE_H

#include "search/search.h"

/* The bm25 that scores 0.5. Chosen so that relevant documents score the same by words as by meaning, on average over
 * SciFact, SQuAD 2, CosQA and libuv-commits: 0.50 with 10, MiniLM's cosine 0.52 (0.54 with 8, 0.47 with 12). BM25 grows
 * with the query's length and the collection's size, so single sets lie between 0.25 and 0.68. */
#define LEXICAL_HALF 10.0f
#define RRF_RANK     60.0f
#define NAMED_SCORE  0.9f
#define FULL_WORDS   1.8f

typedef struct {
    uint32_t source; /* index of the SearchSource */
    int64_t chunk;
    int32_t lex_rank, vec_rank; /* 1-based over all sources; 0: not found by that arm */
    float bm25, cosine;
    bool has_cosine; /* cosine is known; else the chunk has no vector, or nobody has asked yet */
    bool lost;       /* cosine stays an estimate: the chunk's text cannot be had any more */
    float error;     /* cosine is an estimate, off by at most so much (VecReport.error); 0: exact, or lost */
    uint32_t slot;   /* with has_cosine: of its vector */
    float most;      /* without has_cosine: the greatest cosine it can have */
    bool has_shift;  /* without has_cosine: a static table has been asked */
    float shift;     /* what that adds to what its words stand in for (standin.h) */
    /* a definition of exactly the name that is asked for: what that adds to fused; 0: it is none (named.h) */
    float named;
    float prior;              /* of its document, 0..1; 0: nothing was taken off */
    int32_t first_rank;       /* place before a reranker looked at it; 0: none has */
    float logit, first_score; /* what it said; the score before */
    float fused, score;
} Candidate;

typedef struct {
    SearchMode mode;
    Fusion fusion;
    float alpha;     /* of the cosine, 0..1 */
    float bm25_full; /* of a full match; 0: the query has no lexical candidates */
} FuseRule;

/* Sorts one arm's candidates, best first by bm25 or cosine, ties by source and chunk, and numbers them. */
void candidates_rank_lexical(Candidate *c, size_t n);
void candidates_rank_vector(Candidate *c, size_t n);

/* Joins what both arms found of the same chunk; returns how many are left, in order of source and chunk. */
size_t candidates_merge(Candidate *c, size_t n);

float lexical_score(float bm25); /* 0..1 */

/* The bm25 that a full match among so many chunks has at least: FULL_WORDS words of the greatest idf, at the most that
 * an occurrence can count. 0 for none. */
float fuse_full_least(double chunks, float k1);

/* What c would be fused to with this cosine. */
float fuse_with(const FuseRule *rule, const Candidate *c, float cosine);
/* Sets c->fused and c->score from what is known of it. */
void fuse_one(const FuseRule *rule, Candidate *c);

/* Takes the share 1 - prior off fused and score; prior 0..1. */
void fuse_lower(Candidate *c, float prior);
/* Sorts best first by fused; the scores stay as they are. */
void candidates_sort(Candidate *c, size_t n);
/* Makes the scores of a sorted list fall, as above. */
MUST_USE Err scores_make_fall(Arena *a, Candidate *c, size_t n);

/* Fuses all, sorts them best first (ties by source and chunk), makes the scores fall. */
MUST_USE Err fuse_all(Arena *a, const FuseRule *rule, Candidate *c, size_t n);

#endif
