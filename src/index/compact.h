/* compact.h - the insides of the compact kind: no vectors are kept, only codes of 41 bytes; the best candidates are computed
 * anew from what they were made of (VecSpec.fetch) until the codes prove that no other row belongs among the k.
 *
 * The idea is LEANN's (Wang et al. 2025, arXiv 2506.08276), which walks a graph and computes each row it meets. Looking at all
 * codes first and computing only what they cannot rule out takes some twenty times fewer rows, and no graph (ADR 10).
 *
 * A code is 2 bits for each of 160 principal components (pca.h) of a row less the mean: the levels -3, -1, 1, 3, and one
 * factor for all such that estimates have no bias (RaBitQ's, arXiv 2409.09913):
 *
 *     <x, q>  ~  <mean, q> + factor <levels, basis q>
 *
 * The factor is a byte: 32 steps an octave about the sample's mean factor, 0 for none. That is off by 0.6 % on average, where
 * the levels are off by some 7 %; rows of a sixteenth or sixteen times of the usual length get the nearest. The basis is kept as
 * row8 items (row8.h), which is a quarter of f32 and enough: rows and queries are turned by the same.
 *
 * 160 components: of 4,416 chunks of code, a search computes 34 for 10 hits, with 192 it computes 32, with 128 39; and codes and
 * basis together stay below 50 bytes a row from 8,000 rows on.
 *
 * How far estimates of near rows are off is measured on a sample when the basis is learnt; it is what the proof rests on.
 *
 * Files. Rows wait as int8 (row8.h) for the first vec_build, which learns the basis, writes it as what is built (built.h),
 * and replaces the rows' file by one of codes, block for block; rows that come later are coded at once. Codes are all there is
 * then: vec_row says so, and another basis takes rows embedded anew. The basis is durable before the codes are, so a crash
 * leaves either the waiting rows (and a basis that the next build writes over) or codes with their basis.
 *
 * Threads: any number of searches beside one writer; VecSpec.fetch is called by the thread that searches.
 */
#ifndef PYTHIA_INDEX_COMPACT_H
#define PYTHIA_INDEX_COMPACT_H

#include "index/rows8.h"

/* The words of what is built; error and unit are a float's bits. error: an estimate's, root mean square, at |q| = 1; unit: the
 * factor of byte 128. */
enum {
    COMPACT_COMPONENTS,
    COMPACT_ERROR,
    COMPACT_UNIT,
    COMPACT_LEARNT /* rows there were when the basis was learnt */
};
enum { COMPACT_MEAN /* f32 [dim] */, COMPACT_BASIS /* row8 [components] */, COMPACT_N_PARTS };
enum { COMPACT_MOST = 160 /* components */, COMPACT_LEAST = 16 /* of a row, else it waits for ever */ };

typedef struct {
    size_t components;
    uint32_t learnt;
    float error, unit;
    const float *mean;    /* [dim] */
    const uint8_t *basis; /* [components][row8_bytes(dim)] */
} CompactBasis;

typedef struct {
    Rows8 kept;
    VecFetch fetch;
    void *fetch_ctx;
} Compact;

/* A multiple of 16 that fits. */
static inline size_t compact_components(size_t dim) {
    return dim < COMPACT_MOST ? dim / COMPACT_LEAST * COMPACT_LEAST : COMPACT_MOST;
}
static inline size_t compact_bytes(size_t dim) { return compact_components(dim) / 4 + 1; }

/* Whether a view's rows are codes: from 16 numbers on they are always shorter than waiting rows. */
static inline bool compact_coded(size_t dim, size_t item_bytes) {
    return dim >= COMPACT_LEAST && item_bytes == compact_bytes(dim);
}

/* ERR_CORRUPT when b is NULL, its parts do not fit, or a number of it is not finite. */
MUST_USE Err compact_basis_read(const Compact *ix, const Built *b, CompactBasis *out);

/* numbers [components]: the products of v [dim] with the basis. 160 of 384: 3 us with AVX2. */
void compact_turn(const CompactBasis *b, const float *v, size_t dim, float *numbers);

/* Levels of a row into item, and the factor that goes with them. */
float compact_levels(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item);

/* item: [compact_bytes(dim)]; numbers: [components] for its own use. */
void compact_encode(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item);

/* compact_build.c */
bool compact_build_due(const VecIndex *base);
Err compact_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* compact_search.c */
Err compact_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);
Err compact_score(const VecIndex *base, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                  float *scores, bool *had);

/* What a query makes of codes: tables [components / 4][256] of four levels, and what each factor's byte stands for. */
typedef struct {
    float base; /* <mean, q> */
    float factors[256];
    float *levels;
} CompactTables;

static inline size_t compact_tables_bytes(size_t components) { return components / 4 * 256 * sizeof(float); }

/* t->levels has compact_tables_bytes; numbers [components] for its own use. 30 us. */
void compact_tables(const CompactBasis *b, const float *query, size_t dim, float *numbers, CompactTables *t);

/* 76 ns with the heap, of 98,592 codes on a busy machine: the tables are larger than the L1 cache. */
static inline float compact_estimate(const CompactTables *t, const uint8_t *item, size_t components) {
    float sums[4] = {0};
    for (size_t i = 0; i < components / 4; i += 4) /* four sums: additions do not wait for each other */
        for (size_t j = 0; j < 4; j++) sums[j] += t->levels[(i + j) * 256 + item[i + j]];
    return t->base + t->factors[item[components / 4]] * ((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

#endif
