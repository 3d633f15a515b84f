/* flat.h - the insides of the flat kind: int8 rows, and 1-bit codes in partitions that say which of them to compare.
 *
 * After RaBitQ (Gao and Long 2024, arXiv 2405.12497), for inner products. Rows are parted by k-means; of a row x in the
 * partition of centroid c only the signs of its rotated residual r = P (x - c) are kept, and one factor f = |r|^2 / sum|r_i|:
 *
 *     <x, q>  =  <c, q> + <r, Pq>  ~  <c, q> + f sum_i sign(r_i) (Pq)_i
 *
 * is without bias, and its error has the standard deviation f |q| s, s being the part of a residual that its signs do not
 * show (0.6 for a random direction). The sum is 64 look-ups in tables of the query (kern/scan.h), the same tables for all
 * partitions, since an inner product does not need the query's residual. What passes is compared as int8.
 *
 * What is built (built.h): words as FlatWord names them, parts as FlatPart does. Vectors stand partition by partition without
 * gaps; a block of 64 may hold the end of one and the beginning of the next.
 */
#ifndef PYTHIA_INDEX_FLAT_H
#define PYTHIA_INDEX_FLAT_H

#include "index/built.h"
#include "index/rotate.h"
#include "index/row8.h"

enum { FLAT_PARTITIONS, FLAT_CODED /* vectors */, FLAT_SEED_LOW, FLAT_SEED_HIGH, FLAT_LOST /* s, a float's bits */ };

enum {
    FLAT_CENTROIDS, /* int8 [partitions, dim] */
    FLAT_SCALES,    /* f32 [partitions] of the centroids' numbers */
    FLAT_RADII,     /* f32 [partitions] root mean square of the residuals' lengths */
    FLAT_STARTS,    /* u32 [partitions + 1] first vector of each */
    FLAT_CODES,     /* u8 [blocks][tables][64], 6 signs a byte, 1: positive */
    FLAT_FACTORS,   /* bf16 [blocks * 64] */
    FLAT_SLOTS,     /* u32 [blocks * 64] */
    FLAT_N_PARTS
};

/* A built file's parts, checked. */
typedef struct {
    size_t partitions, coded, blocks, tables;
    const int8_t *centroids;
    const float *scales, *radii;
    const uint32_t *starts, *slots;
    const uint8_t *codes;
    const uint16_t *factors;
    uint64_t seed;
    float lost;
} FlatCodes;

typedef struct {
    VecIndex base;
    Rows rows;
    BuiltFile built;
    VecParams params;
    Arena arena;       /* the rotation's */
    Rotation rotation; /* of params.seed or the file's */
} Flat;

/* ERR_CORRUPT when the parts do not fit each other. */
MUST_USE Err flat_codes_read(const Flat *ix, const Built *b, FlatCodes *out);

/* flat_build.c */
bool flat_build_due(const VecIndex *base);
Err flat_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* flat_search.c */
Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);

#endif
