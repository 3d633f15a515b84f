/* rows8.h - what kinds that keep their rows as int8 have in common: adding, looking, closing (row8.h, rows.h, built.h).
 *
 * A Rows8 is the first member of such a kind's own struct; what is below fits into its VecKind as it is.
 */
#ifndef PYTHIA_INDEX_ROWS8_H
#define PYTHIA_INDEX_ROWS8_H

#include "index/built.h"
#include "index/row8.h"

typedef struct {
    VecIndex base;
    Rows rows; /* an item is a row8, then the row's floats where params.keep_f32 */
    BuiltFile built;
    VecParams params;
} Rows8;

/* Opens r (zeroed). kind and built: what the two files hold, at most 8 letters each. Closed again on failure. */
MUST_USE Err rows8_open(Rows8 *r, const VecSpec *spec, const char *kind, const char *built);
void rows8_close(Rows8 *r); /* does not free r */

/* Contracts of vec.h. A number over ROW8_MOST: ERR_LIMIT. */
Err rows8_add(VecIndex *base, const float *rows, size_t n, uint32_t *first);
Err rows8_sync(VecIndex *base, uint32_t *rows);
Err rows8_remove(VecIndex *base, const uint32_t *slots, size_t n);
Err rows8_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out);
Err rows8_row(const VecIndex *base, uint32_t slot, float *out);
Err rows8_check(const VecIndex *base, Buf *report);
void rows8_stats(const VecIndex *base, VecStats *out);

/* From 4,096 rows behind what is built on, when they are an eighth of all. */
bool rows8_build_due(const VecIndex *base);

/* One row of a view as floats, from its bytes. */
MUST_USE static inline Err rows8_floats(const Rows *r, RowsView *v, uint32_t slot, float *out /* [dim] */) {
    const void *item;
    TRY(rows_read(r, v, slot, &item));
    row8_decode(item, r->head.dim, out);
    return ERR_OK;
}

#endif
