/* hnsw_twins.c - rows that are the same byte for byte: the first of them is a node, the others hang on it in a chain.
 *
 * Were each a node, twenty copies would fill a walk's pool and leave it no way on: recall was 0.85 on rows that stand
 * in the index twenty times each. A hash a row.
 */
#include "base/hash.h"
#include "index/hnsw_build.h"

static Err row_at(const HnswBuild *b, uint32_t slot, const void **item) {
    return rows_read(&b->ix->rows, b->v, slot, item);
}

/* Finds the row's place in a table of first rows by their hash: open addressing, a power of 2 of places. */
static Err first_find(HnswBuild *b, uint32_t *table, size_t places, uint32_t slot, uint32_t *first) {
    size_t bytes = row8_bytes(b->dim);
    const void *row, *other;
    TRY(row_at(b, slot, &row));
    size_t at = (size_t)xxh3_of(str_make(row, bytes)) & (places - 1);
    for (; table[at] != HNSW_NONE; at = (at + 1) & (places - 1)) {
        TRY(row_at(b, table[at], &other));
        if (memcmp(row, other, bytes) == 0) break;
    }
    if (table[at] == HNSW_NONE) table[at] = slot;
    *first = table[at];
    return ERR_OK;
}

Err hnsw_twins_find(HnswBuild *b, Arena *a) {
    size_t rows = b->v->rows, places = 64;
    while (places < 2 * rows) places *= 2;
    uint32_t *table = arena_array(a, uint32_t, places), *last = arena_array(a, uint32_t, rows);
    b->first = arena_array(a, uint32_t, rows);
    b->twins = arena_array(a, uint32_t, rows);
    if (!table || !last || !b->first || !b->twins) return arena_error();
    memset(table, 0xFF, places * sizeof *table);
    memset(b->first, 0xFF, rows * sizeof *b->first);
    memset(b->twins, 0xFF, rows * sizeof *b->twins);
    for (uint32_t slot = 0; slot < rows; slot++) {
        if (slot % 4096 == 0) TRY(deadline_check(b->deadline));
        if (rows_gone(b->v, slot)) continue;
        TRY(first_find(b, table, places, slot, &b->first[slot]));
        uint32_t first = b->first[slot];
        if (first != slot) {
            b->twins[last[first]] = slot;
            b->n_twins++;
        }
        last[first] = slot;
    }
    return ERR_OK;
}
