/* no_rerank.h - for tests whose model is a stand-in: none of them reranks (test_local.c does). */
#ifndef PYTHIA_TESTS_SEARCH_NO_RERANK_H
#define PYTHIA_TESTS_SEARCH_NO_RERANK_H

#include "model/model.h"

Err model_rerank(const Model *m, Pool *pool, Str query, const Str *docs, size_t n, const EmbedOpts *opts, float *scores,
                 EmbedInfo *info) {
    (void)m, (void)pool, (void)query, (void)docs, (void)n, (void)opts, (void)scores, (void)info;
    return err_set(ERR_UNSUPPORTED, "this test has no reranker");
}

#endif
