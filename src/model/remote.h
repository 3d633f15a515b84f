/* remote.h - embeddings from a service that speaks OpenAI's /v1/embeddings, or ranks from one that speaks Cohere's
 * /rerank (as llama-server, vLLM, Jina and others do), behind the same Model as a file's.
 *
 * What leaves the machine are the texts and the service's key, and only to the URL that was configured: redirects of a
 * POST are not followed. Identity is the SHA-256 of URL and model name: nobody can see the weights, so "the same model"
 * is "the same name at the same place".
 *
 * Threads: as a Model's: any. Each request takes a connection out of a list that is locked only for that moment.
 */
#ifndef PYTHIA_MODEL_REMOTE_H
#define PYTHIA_MODEL_REMOTE_H

#include "model/model.h"

typedef struct Remote Remote;

/* Fills info and what is known of the service; asks for one embedding unless opts tell the dimension. */
MUST_USE Err remote_open(Remote **out, Arena *a, const ModelRemoteOpts *opts, ModelInfo *info);
void remote_close(Remote *r); /* NULL is fine */

/* As model_embed; vectors come normalised. */
MUST_USE Err remote_embed(Remote *r, const ModelInfo *info, Pool *pool, const Str *texts, size_t n,
                          const EmbedOpts *opts, float *out, EmbedInfo *told);
size_t remote_count_tokens(const Remote *r, Str text);
MUST_USE Err remote_tokenize(const Remote *r, const ModelInfo *info, Str text, bool special, int32_t *ids, size_t cap,
                             size_t *n);

/* As model_rerank. Services answer probabilities (Cohere, Jina, vLLM) or logits (llama-server): an answer all within
 * 0..1 is taken for probabilities, and becomes logits. Documents go in requests of a hundred; a service that finds one
 * too large (413) gets it in halves. */
MUST_USE Err remote_rerank(Remote *r, Str query, const Str *docs, size_t n, const EmbedOpts *opts, float *scores,
                           EmbedInfo *told);

/* ---- for tests and fuzzing ---- */

/* Where the configured URL takes embeddings: "…/embeddings" as it is, else with "/embeddings" behind, after "/v1" where
 * there is no path at all. */
MUST_USE Err remote_url(Arena *a, Str url, const char **out);

/* A reply's vectors by their index, checked and normalised: all n, each of *dim floats (0: learnt from the first),
 * finite, not zero. Floats or base64 of little-endian f32. out: [n, *dim] in the arena. Errors: ERR_NETWORK,
 * ERR_MODEL_MISMATCH for another dimension. */
MUST_USE Err remote_reply_read(Arena *a, Str body, size_t n, size_t *dim, float **out);

/* Where the configured URL takes rerankings: "…/rerank", likewise. */
MUST_USE Err remote_rank_url(Arena *a, Str url, const char **out);

/* A reply's scores by their index, as they stand there: one for each of n documents, each finite. ERR_NETWORK. */
MUST_USE Err remote_ranks_read(Arena *a, Str body, size_t n, float *out /* [n] */);

/* Logits of what a service answered: see remote_rerank. In place. */
void remote_ranks_logits(float *scores, size_t n);

/* An estimate that errs upwards for the tokenizers in use: a piece of at most 4 letters or digits of a word, and each
 * other character but blanks, counts one. */
size_t remote_rough_tokens(Str text);

#endif
