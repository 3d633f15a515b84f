/* vec_kind.h - what a kind of vector index is to vec.c: a row of pointers. Seen by vec.c and the kinds alone.
 *
 * vec.c has checked everything that does not depend on the kind before it calls: pointers, dim, finite numbers, k > 0.
 * Contracts of the calls are those of vec.h; a query has scratch, report and effort set.
 */
#ifndef PYTHIA_INDEX_VEC_KIND_H
#define PYTHIA_INDEX_VEC_KIND_H

#include "index/vec.h"

typedef struct {
    const char *name;
    Err (*open)(VecIndex **out, const VecSpec *spec);
    void (*close)(VecIndex *ix);
    Err (*add)(VecIndex *ix, const float *rows, size_t n, uint32_t *first);
    Err (*sync)(VecIndex *ix, uint32_t *rows);
    Err (*remove)(VecIndex *ix, const uint32_t *slots, size_t n);
    Err (*row)(const VecIndex *ix, uint32_t slot, float *out);
    Err (*search)(const VecIndex *ix, const float *query, const VecQuery *q, VecHit *out, size_t *n);
    Err (*score)(const VecIndex *ix, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                 float *scores, bool *had); /* NULL: by row */
    Err (*check)(const VecIndex *ix, Buf *report);
    void (*stats)(const VecIndex *ix, VecStats *out);
    bool (*build_due)(const VecIndex *ix);                            /* NULL: never */
    Err (*build)(VecIndex *ix, Pool *pool, const Deadline *deadline); /* NULL: there is nothing to build */
    Err (*compact)(VecIndex *ix, uint32_t *map_out, uint32_t *rows_out);
} VecKind;

/* First member of every kind's own struct. */
struct VecIndex {
    const VecKind *kind;
    size_t dim;
    bool writer;
};

/* Bytes that grow on demand, aligned to 64; what they hold is the search's own. Two pieces, since what the kinds share
 * (compare.c) does not know yet how much a kind will ask for. */
typedef struct {
    void *bytes;
    size_t cap;
} ScratchPiece;
struct VecScratch {
    ScratchPiece own, shared;
};
MUST_USE Err vec_scratch_need(VecScratch *s, size_t bytes, void **out);   /* the kind's own */
MUST_USE Err vec_scratch_shared(VecScratch *s, size_t bytes, void **out); /* compare.c's */
/* Bytes of an array there with what keeps the next one aligned. */
static inline size_t scratch_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

extern const VecKind flat_kind, ivfpq_kind, hnsw_kind, compact_kind, exact_kind;

/* Every generation's files are dir/vec-<generation>.<part>; each kind names its parts here, for vec_drop. */
#define VEC_PARTS(X) X("rows") X("gone") X("built")

/* dir/vec-<generation>.<part>; ERR_LIMIT when it does not fit. */
MUST_USE Err vec_path(const char *dir, uint64_t generation, const char *part, char *out /* [cap] */, size_t cap);

/* Place of the first number that is NaN or infinite, n when all are finite. */
size_t vec_first_unfit(const float *v, size_t n);

#endif
