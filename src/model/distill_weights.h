/* distill_weights.h - how much a token of a vocabulary should count. Private to the room (distill.c,
 * distill_corpus.c). */
#ifndef PYTHIA_MODEL_DISTILL_WEIGHTS_H
#define PYTHIA_MODEL_DISTILL_WEIGHTS_H

#include "base/hash.h"
#include "model/distill.h"
#include "model/gguf.h"
#include "model/tok.h"

struct DistillCorpus {
    const Model *model;
    Arena arena;
    size_t n_vocab;
    uint64_t *with;      /* [n_vocab] passages that have the token */
    uint64_t *last;      /* [n_vocab] the last of them, counted from 1 */
    uint64_t passages;   /* so far */
    int32_t *ids;        /* [cap] of the document */
    size_t cap, passage; /* passage: tokens of one */
    Sha256 hash;         /* a chain over the documents in order */
};

/* The tokens that a text may have and that mean something: neither marks, nor unknown, nor unused. ids [n] in the
 * arena, ascending. */
MUST_USE Err weights_tokens(const Gguf *g, const Tok *t, Arena *a, int32_t **ids, size_t *n);

/* weights [n] in the arena, for tokens ids [n]: a / (a + p), p a token's share of a text as Zipf's law gives it by its
 * place in the vocabulary. */
MUST_USE Err weights_by_rank(const Tok *t, Arena *a, const int32_t *ids, size_t n, double sif, double **weights);

/* The logarithm of how few passages have it. */
MUST_USE Err weights_by_corpus(const DistillCorpus *c, Arena *a, const int32_t *ids, size_t n, double **weights);

#endif
