/* compare.h - comparing int8 rows with a query, a batch at a time: the last word of every search that keeps rows.
 *
 * Filter and removed slots are asked of what comes here, which is so little that they cost nothing; a filter that lets
 * pass one row in 25 or fewer makes codes pointless, then those rows are compared one by one (compare_search).
 *
 * Where rows have their floats too (VecParams.keep_f32), a few more than asked for are found by bytes, and the floats
 * say which of them are the best: 0.002 of recall@10 at the top end for 2 us. A search that compares every row does so
 * by floats.
 *
 * Threads: one search's.
 */
#ifndef PYTHIA_INDEX_COMPARE_H
#define PYTHIA_INDEX_COMPARE_H

#include "index/rows8.h"
#include "index/topk.h"

enum { COMPARE_BATCH = 64 /* rows compared at a time, at most */ };

typedef struct {
    const Rows *rows;
    const VecQuery *q;
    RowsView *v;
    const KernScan *scan;
    size_t dim;
    size_t passing; /* rows that the filter lets pass, removed ones among them; without one all */
    int16_t *query; /* [dim] of row8_query */
    float query_scale;
    const float *floats; /* [dim] the query, where every row is compared by the floats it has; NULL: as int8 */
    float *row;          /* [dim] room for such a row */
    TopK top;
    uint32_t slots[COMPARE_BATCH];
    const int8_t *items[COMPARE_BATCH];
    size_t n; /* that wait to be compared */
} Compare;

/* Compares what waits. */
void compare_flush(Compare *s);

static inline bool compare_may(const Compare *s, uint32_t slot) {
    if (slot >= s->v->rows || rows_gone(s->v, slot)) return false;
    return !s->q->allowed || s->q->allowed[slot / 64] >> (slot % 64) & 1;
}

/* The row in a slot that compare_may let pass. */
MUST_USE static inline Err compare_row(Compare *s, uint32_t slot) {
    const void *item;
    TRY(rows_read(s->rows, s->v, slot, &item));
    row8_ahead(item, s->dim);
    s->slots[s->n] = slot;
    s->items[s->n++] = item;
    if (s->n == COMPARE_BATCH) compare_flush(s);
    return ERR_OK;
}

/* The share of the rows that the filter lets pass. */
static inline float compare_share(const Compare *s) { return s->v->rows ? (float)s->passing / (float)s->v->rows : 1; }

/* The k-th best score so far, -INFINITY when there are fewer. */
static inline float compare_floor(const Compare *s) { return s->top.n < s->top.k ? -INFINITY : s->top.hits[0].score; }

/* Rows of slots [from, to) that may be returned, one by one. ERR_DEADLINE. */
MUST_USE Err compare_rows(Compare *s, uint32_t from, uint32_t to);

/* A kind's way through what it built; s has everything but query, which goes into the search's scratch. */
typedef Err (*CompareBuilt)(Compare *s, const VecIndex *base, const float *query, const Built *b);

/* The frame of a search: holds the views, goes `built`'s way or compares every row, hands out what was found. */
MUST_USE Err compare_search(const VecIndex *base, const float *query, const VecQuery *q, CompareBuilt built,
                            VecHit *out, size_t *n);

#endif
