/* flat.h - the insides of the flat kind: int8 rows, and 1-bit codes in partitions that say which of them to compare.
 *
 * After RaBitQ (Gao and Long 2024, arXiv 2405.12497), for inner products. Rows are parted by k-means; of a row x in the
 * partition of centroid c only the signs of its rotated residual r = P (x - c) are kept, and one factor f = |r|^2 /
 * sum|r_i|:
 *
 *     <x, q>  =  <c, q> + <r, Pq>  ~  <c, q> + f sum_i sign(r_i) (Pq)_i
 *
 * is without bias, and its error has the standard deviation f |q| s, s being the part of a residual that its signs do
 * not show (0.6 for a random direction). The sum is 64 look-ups in tables of the query (kern/scan.h), the same tables
 * for all partitions, since an inner product does not need the query's residual. What passes is compared as int8.
 *
 * With VecParams.assignments 2 each row stands in a second partition, too (kmeans_assign_second), with a code of its
 * residual there; a search that meets it twice compares it once.
 *
 * What is built (built.h): the partitions (partition.h), and words and parts of its own behind theirs.
 */
#ifndef PYTHIA_INDEX_FLAT_H
#define PYTHIA_INDEX_FLAT_H

#include "index/codes.h"
#include "index/rotate.h"

enum { FLAT_SEED_LOW = PARTITION_WORDS, FLAT_SEED_HIGH, FLAT_LOST /* s, a float's bits */, FLAT_TWICE };

enum {
    FLAT_CODES = PARTITION_PARTS, /* u8 [blocks][tables][64], 6 signs a byte, 1: positive */
    FLAT_FACTORS,                 /* bf16 [blocks * 64] */
    FLAT_N_PARTS
};

/* A built file's parts, checked. */
typedef struct {
    Codes of;
    uint64_t seed;
    float lost;
} FlatCodes;

typedef struct {
    Rows8 kept;
    Arena arena;       /* the rotation's */
    Rotation rotation; /* of params.seed or the file's */
} Flat;

/* ERR_CORRUPT when the parts do not fit each other. */
MUST_USE Err flat_codes_read(const Flat *ix, const Built *b, FlatCodes *out);

/* flat_build.c */
Err flat_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* flat_search.c */
Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);

#endif
