/* context.h - which passages a writer reads: of the hits those that answer and say different things, within a budget of
 * tokens.
 *
 * Chosen by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next one is that of the greatest
 * MMR_SCORE * score - (1 - MMR_SCORE) * likeness to what is taken, where likeness is the share of its words (by idf)
 * that one taken passage holds. What overlaps a taken passage of its document, says nothing new, or is far behind the
 * best hit is left out.
 *
 * A chunk is a piece of something. What the budget leaves over goes into what stands around the taken ones, best first:
 * as many lines before and behind, within the symbol or section that a chunk is a part of. A chunk that does not fit
 * alone is cut at a line.
 *
 * The budget is exact: it is counted by the writer's own tokenizer over the very blocks that the prompt will have
 * (prompt.h).
 *
 * Threads: one; it uses the sources' analyser.
 */
#ifndef PYTHIA_ANSWER_CONTEXT_H
#define PYTHIA_ANSWER_CONTEXT_H

#include "search/search.h"

enum { CONTEXT_SOURCES_MAX = 64 };

/* Tokens of a text, special ones not counted; ctx is the writer's. */
typedef size_t (*CountTokensFn)(const void *ctx, Str text);

typedef struct {
    const SearchSource *sources;
    size_t n_sources;
    const SearchHit *hits; /* [n_hits] best first, with their contents */
    size_t n_hits;
    CountTokensFn count;
    const void *count_ctx;
    size_t budget; /* tokens of all blocks together */
} ContextRequest;

typedef struct {
    SearchHit *hits; /* [n] by number of their source, from 1: copies of the request's with more or less around them */
    size_t *of;      /* [n] which of the request's */
    size_t n;
    size_t tokens; /* of all blocks; never above the budget */
} Context;

/* None of the hits fitting, or no hit: ERR_OK with n 0. Hits without contents (gone) are left out. Cost: each file of a
 * taken hit is read again; the blocks are counted some ten times. Errors: ERR_NOMEM and those of reading (fresh.h). */
MUST_USE Err context_select(Arena *a, const ContextRequest *rq, Context *out);

#endif
