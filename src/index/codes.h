/* codes.h - codes in partitions, of which a query's tables say which rows to compare: what flat and ivfpq have in
 * common.
 *
 * A code is `tables` numbers of 6 bits, and what a query makes of it the sum of the table entries they pick
 * (kern/scan.h). The row is compared (compare.h) where
 *
 *     <c, q>  +  factor (sum + shift) / inverse
 *
 * is above the k-th best score so far, the margin of the estimate's error being part of shift. So how many rows are
 * compared follows from how close the scores lie, not from a fixed number.
 *
 * Threads: one search's.
 */
#ifndef PYTHIA_INDEX_CODES_H
#define PYTHIA_INDEX_CODES_H

#include "index/compare.h"
#include "index/partition.h"

/* What a file has of them, checked by the kind. */
typedef struct {
    Partitions in;
    size_t tables;
    const uint8_t *codes;    /* [blocks][tables][64] */
    const uint16_t *factors; /* bf16 [blocks * 64]; NULL: all of them 1 */
    bool twice;              /* rows may stand in two partitions */
} Codes;

/* A search's way through them. */
typedef struct {
    const Codes *of;
    Probe probe;
    float length;         /* |q| */
    uint8_t *lut;         /* [tables][64] */
    float inverse, shift; /* of the sums of look-ups; the margin is in shift */
    uint64_t *seen;       /* [(rows + 63) / 64] slots that were compared; NULL: none is met again */
} CodesQuery;

/* Lays out the search's scratch and begins it: s has its query, q everything but lut's entries, inverse and shift; the
 * partitions are ranked by <c, q> + rank |q| radius. own: bytes that the kind asks for beside, which *memory gets. */
MUST_USE Err codes_begin(CodesQuery *q, Compare *s, const float *query, float rank, size_t own, void **memory);

/* Compares rows of partition p. ERR_DEADLINE. */
MUST_USE Err codes_scan(const CodesQuery *q, Compare *s, uint32_t p);

#endif
