/* arms.h - the two ways to find candidates: by words in the lexical index, by vectors in the vector index.
 *
 * The vector arm has three steps, because a Store is for one thread: arm_prepare asks the store what the filter lets
 * pass, arm_run embeds the question and scans without touching the store (so it may run beside the lexical arm, on
 * another thread), arm_collect turns slots into chunks.
 */
#ifndef PYTHIA_SEARCH_ARMS_H
#define PYTHIA_SEARCH_ARMS_H

#include "search/fuse.h"

/* One source's share of the vector arm. */
typedef struct {
    const SearchSource *source;
    const Filter *filter;
    uint32_t rows;     /* of the index as it was opened */
    uint64_t *allowed; /* [(rows + 63) / 64] slots that the filter lets pass; NULL: all */
    size_t n_allowed;
    float *query;   /* [dim] sources of one model share it */
    bool *embedded; /* query is filled; shared likewise */
    VecHit *hits;   /* [k] best first */
    size_t k, n_hits;
    float error;   /* hits' scores are estimates, off by at most so much; 0: they are exact */
    bool complete; /* the whole index was scanned */
} ArmSource;

typedef struct {
    ArmSource *sources; /* [n] one for every SearchSource; those without index or model have query NULL */
    size_t n;
    Str text;
    const float *vector; /* of the question, where the request has it; NULL: text is embedded */
    const Deadline *deadline;
    bool deadline_hit;
    double embed_ms, scan_ms;
} VectorArm;

/* k: how many slots to find a source. ERR_MODEL_MISMATCH when a source's model is not that of its collection. */
MUST_USE Err arm_prepare(Arena *a, VectorArm *arm, const SearchSource *sources, size_t n, const SearchRequest *rq,
                         size_t k);

/* ctx: VectorArm. A deadline is no error: what was found by then stands, and deadline_hit tells. */
Err arm_run(void *ctx);

/* Appends candidates to *list (room for more is made in the arena), at least `want` a source while the index has them:
 * slots that lead to no chunk any more do not count. */
MUST_USE Err arm_collect(Arena *a, VectorArm *arm, size_t want, Candidate **list, size_t *n);

/* Every vector that the filter lets pass was given: a chunk that arm_collect did not give has none. */
bool arm_exhausted(const ArmSource *s);
/* No chunk that arm_collect did not give has a greater cosine. */
float arm_floor(const ArmSource *s);

/* Cosines of candidates of one source that have none yet, or estimates of them where the index keeps no vectors. Chunks
 * without a vector stay without. */
MUST_USE Err arm_complete(Arena *a, const ArmSource *s, Candidate *const *wanted, size_t n);

/* Exact cosines of candidates of one source that have estimates. One whose text cannot be had keeps its estimate and is
 * `lost`. ERR_DEADLINE: all are as they were. */
MUST_USE Err arm_exact(Arena *a, const ArmSource *s, Candidate *const *wanted, size_t n, const Deadline *deadline);

/* The filter that holds for a source: its own or the request's. */
const Filter *source_filter(const SearchSource *s, const SearchRequest *rq);

/* The k best of each source by words. A deadline is no error: what was found by then stands, and *deadline_hit is
 * set. */
MUST_USE Err lexical_arm(Arena *a, const SearchSource *sources, size_t n, const SearchRequest *rq, Str words, size_t k,
                         Candidate **list, size_t *n_out, bool *deadline_hit);

#endif
