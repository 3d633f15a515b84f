/* rows8.c - see rows8.h. */
#include "index/rows8.h"

#include <stdlib.h>

enum {
    TAIL_MIN = 4096, /* rows behind what is built that are not worth a build: 40 us a search */
    TAIL_SHARE = 8   /* else a build is due from an eighth of the rows on */
};

static Rows *rows_of(const VecIndex *base) { return (Rows *)(uintptr_t) & ((const Rows8 *)base)->rows; }

/* Whether the items of the file that there is have floats; what was asked for where there is none, or another. */
static bool floats_kept(const VecSpec *spec) {
    char path[1024];
    FileMap map = {.bytes = STR("")};
    IndexHead head;
    bool kept = spec->params.keep_f32;
    if (vec_path(spec->dir, spec->generation, "rows", path, sizeof path) || file_map(path, &map)) return kept;
    if (index_head_read(map.bytes, path, &head) == ERR_OK) {
        if (head.item_bytes == row8_bytes(spec->dim)) kept = false;
        if (head.item_bytes == row8_bytes(spec->dim) + spec->dim * sizeof(float)) kept = true;
    }
    file_unmap(&map);
    return kept;
}

Err rows8_open(Rows8 *r, const VecSpec *spec, const char *kind, const char *built) {
    r->base.dim = spec->dim;
    r->params = spec->params;
    if (spec->committed) r->params.keep_f32 = floats_kept(spec);
    size_t bytes = row8_bytes(spec->dim) + (r->params.keep_f32 ? spec->dim * sizeof(float) : 0);
    TRY(rows_open(&r->rows, spec, kind, INDEX_I8, bytes));
    Err err = built_open(&r->built, &r->rows, built);
    if (err) rows_close(&r->rows);
    return err;
}

void rows8_close(Rows8 *r) {
    built_close(&r->built);
    rows_close(&r->rows);
}

/* ---- adding ---- */

Err rows8_add(VecIndex *base, const float *rows, size_t n, uint32_t *first) {
    Rows *r = rows_of(base);
    size_t bytes = r->head.item_bytes, whole = row8_bytes(base->dim);
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
        if (!err) err = rows_append(r, items, m, &at);
        if (from == 0) *first = at;
    }
    free(items);
    return err;
}

Err rows8_sync(VecIndex *base, uint32_t *rows) { return rows_sync(rows_of(base), rows); }

Err rows8_remove(VecIndex *base, const uint32_t *slots, size_t n) { return rows_remove(rows_of(base), slots, n); }

Err rows8_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out) {
    return rows_compact(rows_of(base), map_out, rows_out);
}

/* ---- looking ---- */

Err rows8_row(const VecIndex *base, uint32_t slot, float *out) {
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

/* Bytes and their scale are finite whatever they are; floats may be anything. */
static const char *floats_unfit(const void *ctx, const void *item) {
    const size_t dim = *(const size_t *)ctx;
    const uint8_t *at = (const uint8_t *)item + row8_bytes(dim);
    for (size_t d = 0; d < dim; d++, at += sizeof(float)) {
        float x;
        memcpy(&x, at, sizeof x);
        if (!isfinite(x)) return "is not finite";
    }
    return NULL;
}

Err rows8_check(const VecIndex *base, Buf *report) {
    const Rows8 *ix = (const Rows8 *)base;
    bool floats = ix->rows.head.item_bytes > row8_bytes(base->dim);
    Err rows = rows_check(&ix->rows, floats ? floats_unfit : NULL, &base->dim, report);
    Err built = built_check(&ix->built, report);
    return rows ? rows : built;
}

void rows8_stats(const VecIndex *base, VecStats *out) {
    const Rows8 *ix = (const Rows8 *)base;
    rows_stats(&ix->rows, out);
    out->bytes_alone = ix->rows.head.item_bytes == row8_bytes(base->dim);
    Built *b = built_hold(&ix->built);
    if (!b) return;
    out->built = b->rows < out->rows ? b->rows : out->rows;
    out->bytes += (int64_t)b->map.bytes.n;
    built_drop(&ix->built, b);
}

bool rows8_build_due(const VecIndex *base) {
    VecStats s;
    vec_stats(base, &s);
    uint32_t tail = s.rows - s.built;
    return tail >= TAIL_MIN && tail >= s.rows / TAIL_SHARE;
}
