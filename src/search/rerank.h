/* rerank.h - the first candidates once more, by a cross-encoder that reads the question and a text together.
 *
 * Fusion judges a text by what was known of it before anybody asked; a cross-encoder (model_rerank) reads both, and
 * costs a run of its network for each. So it looks at the first `depth` alone, best first. What it says, a logit,
 * becomes 0..1 by the logistic function, is lowered by the document's prior as everything is, and gives
 *
 *     score = weight * what it says + (1 - weight) * the score before
 *
 * by which they stand anew: rank and score are one number. Part of the old score stays in, because a small reranker out
 * of its domain (code, names) errs where both arms agree. A definition whose exact name is asked for stays first
 * (fuse.h). Candidates that it did not look at stay behind those that it did, in their order.
 *
 * Threads: one search's.
 */
#ifndef PYTHIA_SEARCH_RERANK_H
#define PYTHIA_SEARCH_RERANK_H

#include "search/fuse.h"

/* all: [n] fused and sorted, with scores that fall; the same afterwards. Texts are read as they are now, the same text
 * once. A model of our own gets a few at a time, as many as will be ready before the deadline; a service all at once. A
 * deadline is no error: *deadline_hit. Errors: the model's (ERR_NETWORK of a service), the store's. Cost: a run of the
 * network for each text, reading the files. */
MUST_USE Err rerank_candidates(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq,
                               Str question, Candidate *all, size_t n, SearchReranked *out, bool *deadline_hit);

/* 0..1: what a logit comes to. */
double rerank_relevance(float logit);

#endif
