/* compact.h - the insides of the compact kind: no vectors are kept, only codes of 50 bytes; the best candidates are computed
 * anew from what they were made of (VecSpec.fetch) until the codes prove that no other row belongs among the k.
 *
 * The idea is LEANN's (Wang et al. 2025, arXiv 2506.08276), which walks a graph and computes each row it meets. Looking at all
 * codes first and computing only what they cannot rule out takes some twenty times fewer rows.
 *
 * A code is 2 bits for each of 192 principal components (pca.h) of a row less the mean: the levels -3, -1, 1, 3, and one
 * factor for all, 16 bits, such that estimates have no bias (RaBitQ's, arXiv 2409.09913):
 *
 *     <x, q>  ~  <mean, q> + factor <levels, basis q>
 *
 * How far estimates of near rows are off is measured on a sample when the basis is learnt; it is what the proof rests on.
 *
 * Files. Rows wait as int8 (row8.h) for the first vec_build, which learns the basis, writes it as what is built (built.h),
 * and replaces the rows' file by one of codes, block for block; rows that come later are coded at once. Codes are all there is
 * then: vec_row says so, and another basis takes rows embedded anew. The basis is durable before the codes are, so a crash
 * leaves either the waiting rows (and a basis that the next build writes over) or codes with their basis.
 *
 * Threads: any number of searches beside one writer; the cache of computed rows is locked.
 */
#ifndef PYTHIA_INDEX_COMPACT_H
#define PYTHIA_INDEX_COMPACT_H

#include "index/rows8.h"

enum { COMPACT_COMPONENTS, COMPACT_ERROR /* a float's bits: an estimate's, root mean square, at |q| = 1 */ };
enum { COMPACT_MEAN /* f32 [dim] */, COMPACT_BASIS /* f32 [components, dim] */, COMPACT_N_PARTS };
enum { COMPACT_MOST = 192 /* components */, COMPACT_LEAST = 16 /* of a row, else it waits for ever */ };

typedef struct {
    size_t components;
    float error;
    const float *mean, *basis;
} CompactBasis;

/* Rows that were computed, by slot. */
typedef struct {
    pthread_mutex_t lock; /* guards all of it */
    uint32_t *slots;      /* [n] slot + 1; 0: empty */
    float *rows;          /* [n, dim] */
    size_t n, dim;
} CompactCache;

typedef struct {
    Rows8 kept;
    VecFetch fetch;
    void *fetch_ctx;
    CompactCache cache;
} Compact;

/* A multiple of 16 that fits. */
static inline size_t compact_components(size_t dim) {
    return dim < COMPACT_MOST ? dim / COMPACT_LEAST * COMPACT_LEAST : COMPACT_MOST;
}
static inline size_t compact_bytes(size_t dim) { return compact_components(dim) / 4 + sizeof(uint16_t); }

/* Whether a view's rows are codes: from 16 numbers on they are always shorter than waiting rows. */
static inline bool compact_coded(size_t dim, size_t item_bytes) {
    return dim >= COMPACT_LEAST && item_bytes == compact_bytes(dim);
}

/* ERR_CORRUPT when b is NULL or its parts do not fit. */
MUST_USE Err compact_basis_read(const Compact *ix, const Built *b, CompactBasis *out);

/* item: [compact_bytes(dim)]; numbers: [components] for its own use. A row's 192 products: 3 us. */
void compact_encode(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item);

/* compact_build.c */
bool compact_build_due(const VecIndex *base);
Err compact_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* compact_search.c */
Err compact_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);

/* The estimate of a code: tables [components / 4][256] of the query, base <mean, q>. */
void compact_tables(const CompactBasis *b, const float *query, size_t dim, float *numbers /* [components] */,
                    float *tables, float *base);
static inline float compact_estimate(const float *tables, float base, const uint8_t *item, size_t components) {
    float sums[4] = {0};
    uint16_t half;
    for (size_t i = 0; i < components / 4; i += 4) /* four sums: additions do not wait for each other */
        for (size_t j = 0; j < 4; j++) sums[j] += tables[(i + j) * 256 + item[i + j]];
    memcpy(&half, item + components / 4, sizeof half);
    union {
        uint32_t bits;
        float value;
    } factor = {.bits = (uint32_t)half << 16};
    return base + factor.value * ((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/* compact_cache.c: bounded to some 8 MB; a row in another's place drives that one out. */
void cache_open(CompactCache *c, size_t dim);
void cache_close(CompactCache *c);
bool cache_get(CompactCache *c, uint32_t slot, float *out /* [dim] */);
void cache_put(CompactCache *c, uint32_t slot, const float *row); /* without memory for it nothing is kept */

#endif
