/* distill.h - a static table of token vectors out of an encoder: a model without a network, hundreds of times faster,
 * for when an answer at once is worth more than the best one.
 *
 * Each token of the vocabulary goes through the encoder as a text of its own, with the marks and the prefix that the
 * model wants, and gives the vector that it adds to the pooled one. These are cut to their principal axes, and weighted
 * by how rare the token is. A text's vector is then the normalised sum of its tokens' rows (arch_static.c). After
 * Model2Vec (Tulkens & van Dongen 2024), with SIF weights (Arora, Liang & Ma 2017); where it differs, and what that
 * gains in nDCG@10 (mean of four sets of code and prose, all-MiniLM-L6-v2, 256 dimensions), is told at the constants in
 * distill.c.
 *
 * Reproducible: the same bytes for the same parent file, options, corpus and level of kernels, at any number of
 * threads.
 *
 * What stands in the file besides the table and the parent's own tokenizer (all under "pythia.distill."):
 *   parent.name, parent.sha256, parent.architecture    what it was made of
 *   version       u32, DISTILL_VERSION: raised with every change of what comes out
 *   sif           f32, the weights' coefficient; 0 with a corpus
 *   spread        f32, the power of variance that axes are divided by
 *   explained     f32, the share of the vectors' variance that the axes kept have
 *   corpus.passages, corpus.sha256    u64 and string, where one weighted the tokens
 */
#ifndef PYTHIA_MODEL_DISTILL_H
#define PYTHIA_MODEL_DISTILL_H

#include "model/model.h"

enum { DISTILL_VERSION = 1, DISTILL_DIM = 256, DISTILL_PASSAGES_LEAST = 100 };
#define DISTILL_SIF 1e-3 /* when nothing is told */

/* Counts in how many passages of a corpus each token of a model stands; a passage is as many tokens as the model takes.
 * One thread's. */
typedef struct DistillCorpus DistillCorpus;
MUST_USE Err distill_corpus_open(DistillCorpus **out, const Model *m); /* m must outlive it; ERR_UNSUPPORTED: remote */
void distill_corpus_close(DistillCorpus *c);                           /* NULL is fine */
/* A document: cut into passages. Cost: the tokenizer's. */
MUST_USE Err distill_corpus_add(DistillCorpus *c, Str text);
int64_t distill_corpus_passages(const DistillCorpus *c);

typedef struct {
    const char *name;            /* general.name of what is made */
    size_t dim;                  /* columns of the table; 0: DISTILL_DIM, or the parent's when those are fewer */
    double sif;                  /* > 0; 0: DISTILL_SIF */
    const DistillCorpus *corpus; /* weights from what it counted, instead of the vocabulary's order; NULL: none */
    const Deadline *deadline;    /* NULL: none */
    Err (*progress)(void *ctx, size_t done,
                    size_t total); /* tokens, from the calling thread; an error ends it. NULL: none */
    void *progress_ctx;
} DistillOpts;

typedef struct {
    size_t tokens;    /* that have a row of their own */
    size_t dim;       /* columns */
    double explained; /* 0..1 */
} DistillReport;

/* Writes the table distilled from m to path (beside it and renamed; on failure path is as it was). Open m in MODEL_F32,
 * so that the same comes out on machines with and without low precision. Cost: MiniLM's 30,522 tokens some 10 s on two
 * cores, and 4 bytes a token and dimension of memory (47 MB). Errors: ERR_LIMIT: more dimensions than the parent has;
 * ERR_UNSUPPORTED: a reranker, a service's model, a table already; ERR_INPUT: a corpus of less than
 * DISTILL_PASSAGES_LEAST passages, a vocabulary without a word; ERR_DEADLINE, ERR_INTERRUPT, ERR_IO, ERR_NOMEM. */
MUST_USE Err model_distill(const Model *m, Pool *pool, const DistillOpts *opts, const char *path, DistillReport *out);

#endif
