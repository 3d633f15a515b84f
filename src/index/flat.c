/* flat.c - the flat kind: opening, adding, closing. Building is in flat_build.c, searching in flat_search.c; what it is, in
 * flat.h.
 */
#include "index/flat.h"

#include <stdlib.h>

static Rows *rows_of(const VecIndex *base) { return (Rows *)(uintptr_t) & ((const Flat *)base)->rows; }

static void flat_close(VecIndex *base) {
    Flat *ix = (Flat *)base;
    built_close(&ix->built);
    rows_close(&ix->rows);
    arena_free(&ix->arena);
    free(ix);
}

/* The rotation is that of what is built; where nothing is, the one that will be. */
static Err rotation_open(Flat *ix) {
    uint64_t seed = ix->params.seed;
    Built *b = built_hold(&ix->built);
    FlatCodes codes;
    Err err = b ? flat_codes_read(ix, b, &codes) : ERR_OK;
    if (b && !err) seed = codes.seed;
    built_drop(&ix->built, b);
    ix->params.seed = seed;
    return err ? err : rotation_make(&ix->arena, ix->base.dim, seed, &ix->rotation);
}

static Err flat_open(VecIndex **out, const VecSpec *spec) {
    Flat *ix = calloc(1, sizeof *ix);
    if (!ix) return err_set(ERR_NOMEM, "out of memory for an index");
    ix->base.dim = spec->dim;
    ix->params = spec->params;
    size_t bytes = row8_bytes(spec->dim) + (spec->params.keep_f32 ? spec->dim * sizeof(float) : 0);
    Err err = rows_open(&ix->rows, spec, "flat", INDEX_I8, bytes);
    if (err) {
        free(ix);
        return err;
    }
    err = built_open(&ix->built, &ix->rows, "codes");
    if (err) {
        rows_close(&ix->rows);
        free(ix);
        return err;
    }
    err = rotation_open(ix);
    if (err)
        flat_close(&ix->base);
    else
        *out = &ix->base;
    return err;
}

Err flat_codes_read(const Flat *ix, const Built *b, FlatCodes *out) {
    size_t dim = ix->base.dim, wide = (dim + 15) / 16 * 16;
    *out = (FlatCodes){.partitions = b->words[FLAT_PARTITIONS],
                       .coded = b->words[FLAT_CODED],
                       .tables = (wide + 5) / 6,
                       .seed = (uint64_t)b->words[FLAT_SEED_HIGH] << 32 | b->words[FLAT_SEED_LOW]};
    memcpy(&out->lost, &b->words[FLAT_LOST], sizeof out->lost);
    out->blocks = (out->coded + SCAN_BLOCK - 1) / SCAN_BLOCK;
    TRY(built_expect(&ix->built, b, FLAT_CENTROIDS, out->partitions * dim));
    TRY(built_expect(&ix->built, b, FLAT_SCALES, out->partitions * sizeof(float)));
    TRY(built_expect(&ix->built, b, FLAT_RADII, out->partitions * sizeof(float)));
    TRY(built_expect(&ix->built, b, FLAT_STARTS, (out->partitions + 1) * sizeof(uint32_t)));
    TRY(built_expect(&ix->built, b, FLAT_CODES, out->blocks * out->tables * SCAN_BLOCK));
    TRY(built_expect(&ix->built, b, FLAT_FACTORS, out->blocks * SCAN_BLOCK * sizeof(uint16_t)));
    TRY(built_expect(&ix->built, b, FLAT_SLOTS, out->blocks * SCAN_BLOCK * sizeof(uint32_t)));
    out->centroids = b->parts[FLAT_CENTROIDS].bytes;
    out->scales = b->parts[FLAT_SCALES].bytes;
    out->radii = b->parts[FLAT_RADII].bytes;
    out->starts = b->parts[FLAT_STARTS].bytes;
    out->codes = b->parts[FLAT_CODES].bytes;
    out->factors = b->parts[FLAT_FACTORS].bytes;
    out->slots = b->parts[FLAT_SLOTS].bytes;
    uint32_t before = 0;
    for (size_t p = 0; p <= out->partitions; p++) {
        if (out->starts[p] < before || out->starts[p] > out->coded)
            return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: partition %zu begins at vector %u",
                                   ix->built.path, p, out->starts[p]),
                           INDEX_FILE_FIX);
        before = out->starts[p];
    }
    return ERR_OK;
}

/* ---- adding ---- */

static Err flat_add(VecIndex *base, const float *rows, size_t n, uint32_t *first) {
    Flat *ix = (Flat *)base;
    size_t bytes = ix->rows.head.item_bytes, whole = row8_bytes(base->dim);
    uint8_t *items = malloc(ROWS_BLOCK * bytes);
    if (!items) return err_set(ERR_NOMEM, "out of memory for %zu rows", n);
    Err err = ERR_OK;
    for (size_t from = 0; !err && from < n; from += ROWS_BLOCK) {
        size_t m = n - from < ROWS_BLOCK ? n - from : ROWS_BLOCK;
        uint32_t at = 0;
        for (size_t i = 0; i < m; i++) {
            const float *row = rows + (from + i) * base->dim;
            float most = row8_largest(row, base->dim);
            if (most > ROW8_MOST) {
                err = err_set(ERR_LIMIT, "row %zu of %zu to add has a number of %g, rows of bytes take up to %g",
                              from + i, n, (double)most, (double)ROW8_MOST);
                break;
            }
            row8_encode(row, base->dim, items + i * bytes);
            memcpy(items + i * bytes + whole, row, bytes - whole);
        }
        if (!err) err = rows_append(&ix->rows, items, m, &at);
        if (from == 0) *first = at;
    }
    free(items);
    return err;
}

static Err flat_sync(VecIndex *base, uint32_t *rows) { return rows_sync(rows_of(base), rows); }

static Err flat_remove(VecIndex *base, const uint32_t *slots, size_t n) { return rows_remove(rows_of(base), slots, n); }

static Err flat_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out) {
    return rows_compact(rows_of(base), map_out, rows_out);
}

/* ---- looking ---- */

static Err flat_row(const VecIndex *base, uint32_t slot, float *out) {
    const Rows *r = rows_of(base);
    RowsView *v = rows_hold(r);
    const void *item = NULL;
    Err err = rows_has(r, v, slot);
    if (!err) err = rows_read(r, v, slot, &item);
    if (!err && v->item_bytes > row8_bytes(base->dim))
        memcpy(out, (const uint8_t *)item + row8_bytes(base->dim), base->dim * sizeof *out);
    else if (!err)
        row8_decode(item, base->dim, out);
    rows_drop(r, v);
    return err;
}

static Err flat_check(const VecIndex *base, Buf *report) {
    const Flat *ix = (const Flat *)base;
    Err rows = rows_check(&ix->rows, NULL, NULL, report), built = built_check(&ix->built, report);
    return rows ? rows : built;
}

static void flat_stats(const VecIndex *base, VecStats *out) {
    const Flat *ix = (const Flat *)base;
    rows_stats(&ix->rows, out);
    Built *b = built_hold(&ix->built);
    if (!b) return;
    out->built = b->rows < out->rows ? b->rows : out->rows;
    out->bytes += (int64_t)b->map.bytes.n;
    built_drop(&ix->built, b);
}

const VecKind flat_kind = {
    .name = "flat",
    .open = flat_open,
    .close = flat_close,
    .add = flat_add,
    .sync = flat_sync,
    .remove = flat_remove,
    .row = flat_row,
    .search = flat_search,
    .check = flat_check,
    .stats = flat_stats,
    .build_due = flat_build_due,
    .build = flat_build,
    .compact = flat_compact,
};
