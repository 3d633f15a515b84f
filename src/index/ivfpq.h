/* ivfpq.h - the insides of the ivfpq kind: int8 rows in partitions, and a product quantiser's codes that say which of
 * them to compare.
 *
 * After Jegou, Douze and Schmid (2011): a row x of the partition of centroid c is kept as c and its residual x - c,
 * which is cut into sub-vectors, each told by the number of the nearest of 64 centroids of its own:
 *
 *     <x, q>  =  <c, q> + <x - c, q>  ~  <c, q> + sum over t of <codebook[t][code[t]], q[t]>
 *
 * The sum is one look-up a sub-vector in tables of the query (kern/scan.h), the same tables for all partitions. 64
 * centroids and not the usual 256 or 16, since 64 bytes are what one look-up takes: 48 sub-vectors are 36 bytes a
 * vector of content, which stand as 48. What the estimate, with a margin of its error on top, does not rule out is
 * compared as int8.
 *
 * A dimension that the sub-vectors do not divide is filled up with zeros, so that any has about as many as asked for.
 *
 * What is built (built.h): the partitions (partition.h), and words and parts of its own behind theirs.
 */
#ifndef PYTHIA_INDEX_IVFPQ_H
#define PYTHIA_INDEX_IVFPQ_H

#include "index/codes.h"

enum { IVFPQ_CENTROIDS = SCAN_ENTRIES /* of a sub-vector */ };

enum { IVFPQ_SUB = PARTITION_WORDS /* numbers of a sub-vector */, IVFPQ_LOST /* a float's bits: see IvfpqCodes */ };

enum {
    IVFPQ_CODEBOOK = PARTITION_PARTS, /* f32 [tables][sub][64] */
    IVFPQ_CODES,                      /* u8 [blocks][tables][64] */
    IVFPQ_N_PARTS
};

/* A built file's parts, checked. */
typedef struct {
    Codes of;
    size_t sub; /* tables * sub >= dim */
    float lost; /* root mean square of what codes leave of a row, by sqrt(dim): an estimate's error at |q| = 1 */
    const float *codebook;
} IvfpqCodes;

/* ERR_CORRUPT when the parts do not fit each other. */
MUST_USE Err ivfpq_codes_read(const Rows8 *ix, const Built *b, IvfpqCodes *out);

/* ivfpq_build.c: nothing is built over fewer than 100 rows. */
Err ivfpq_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* ivfpq_search.c */
Err ivfpq_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);

#endif
