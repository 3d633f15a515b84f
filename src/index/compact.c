/* compact.c - the compact kind: opening and adding. Codes are in compact_code.c, building in compact_build.c, searching
 * in compact_search.c; what it is, in compact.h.
 */
#include "index/compact.h"

#include <stdlib.h>

static void compact_close(VecIndex *base) {
    Compact *ix = (Compact *)base;
    rows8_close(&ix->kept);
    free(ix);
}

/* Whether the rows' file holds codes. A file that cannot be read as one is rows_open's to tell. */
static bool coded_file(const VecSpec *spec) {
    char path[1024];
    FileInfo info;
    FileMap map = {STR(""), NULL};
    IndexHead head;
    if (spec->committed == 0 || vec_path(spec->dir, spec->generation, "rows", path, sizeof path)) return false;
    if (file_info(path, true, &info) || info.type == FILE_NONE || file_map(path, &map)) return false;
    bool coded = index_head_read(map.bytes, path, &head) == ERR_OK && compact_coded(spec->dim, head.item_bytes);
    file_unmap(&map);
    return coded;
}

static Err files_open(Compact *ix, const VecSpec *spec, bool coded) {
    Rows8 *kept = &ix->kept;
    TRY(rows_open(&kept->rows, spec, "compact", INDEX_I8, coded ? compact_bytes(spec->dim) : row8_bytes(spec->dim)));
    Err err = built_open(&kept->built, &kept->rows, "basis");
    if (err) {
        rows_close(&kept->rows);
        return err;
    }
    Built *b = built_hold(&kept->built);
    CompactBasis basis;
    err = coded ? compact_basis_read(ix, b, &basis) : ERR_OK;
    built_drop(&kept->built, b);
    if (err) rows8_close(kept);
    return err;
}

static Err compact_open(VecIndex **out, const VecSpec *spec) {
    Compact *ix = calloc(1, sizeof *ix);
    if (!ix) return err_set(ERR_NOMEM, "out of memory for an index");
    ix->kept.base.dim = spec->dim;
    ix->kept.params = spec->params;
    bool coded = coded_file(spec);
    Err err = files_open(ix, spec, coded);
    if (err == ERR_FORMAT && !coded && coded_file(spec)) /* a writer has built in between */
        err = files_open(ix, spec, true);
    if (err) {
        free(ix);
        return err;
    }
    *out = &ix->kept.base;
    return ERR_OK;
}

static Err basis_damaged(const BuiltFile *f, const char *what) {
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %s", f->path, what), INDEX_FILE_FIX);
}

Err compact_basis_read(const Compact *ix, const Built *b, CompactBasis *out) {
    const BuiltFile *f = &ix->kept.built;
    size_t dim = ix->kept.base.dim;
    if (!b)
        return err_fix(err_set(ERR_CORRUPT, "index file '%s' is missing, the codes of '%s' mean nothing without it",
                               f->path, ix->kept.rows.rows_path),
                       INDEX_FILE_FIX);
    *out = (CompactBasis){.components = b->words[COMPACT_COMPONENTS], .learnt = b->words[COMPACT_LEARNT]};
    memcpy(&out->error, &b->words[COMPACT_ERROR], sizeof out->error);
    memcpy(&out->unit, &b->words[COMPACT_UNIT], sizeof out->unit);
    if (out->components == 0 || out->components > COMPACT_MOST)
        return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %zu components of %zu numbers", f->path,
                               out->components, dim),
                       INDEX_FILE_FIX);
    if (!(out->error >= 0 && out->error < INFINITY)) return basis_damaged(f, "its estimates have no error");
    if (!(out->unit > 0 && out->unit < INFINITY)) return basis_damaged(f, "its factors have no unit");
    TRY(built_expect(f, b, COMPACT_MEAN, dim * sizeof(float)));
    TRY(built_expect(f, b, COMPACT_BASIS, out->components * row8_bytes(dim)));
    TRY(built_expect(f, b, COMPACT_SPREAD, out->components * sizeof(float)));
    TRY(built_expect(f, b, COMPACT_PLACES, out->components * sizeof(CompactPlace)));
    out->bytes = compact_code_bytes(dim);
    out->mean = b->parts[COMPACT_MEAN].bytes;
    out->basis = b->parts[COMPACT_BASIS].bytes;
    out->spread = b->parts[COMPACT_SPREAD].bytes;
    out->places = b->parts[COMPACT_PLACES].bytes;
    if (vec_first_unfit(out->mean, dim) < dim) return basis_damaged(f, "a number of its mean is not finite");
    for (size_t i = 0; i < out->components; i++) {
        CompactPlace p = out->places[i];
        if (!(out->spread[i] > 0 && out->spread[i] < INFINITY)) return basis_damaged(f, "a component has no spread");
        if (p.bits == 0 || p.bits > COMPACT_BITS || p.shift + p.bits > 8 || p.byte >= out->bytes)
            return basis_damaged(f, "a component's bits have no place");
    }
    return ERR_OK;
}

/* ---- adding ---- */

static Err codes_add(Compact *ix, const float *rows, size_t n, uint32_t *first) {
    CompactBasis basis;
    size_t dim = ix->kept.base.dim, bytes = compact_bytes(dim);
    float numbers[COMPACT_MOST];
    Built *b = built_hold(&ix->kept.built);
    uint8_t *items = malloc(n * bytes + 1);
    Err err = compact_basis_read(ix, b, &basis);
    if (!err && !items) err = err_set(ERR_NOMEM, "out of memory for %zu rows", n);
    for (size_t i = 0; !err && i < n; i++) {
        float most = row8_largest(rows + i * dim, dim);
        if (most > ROW8_MOST)
            err = err_set(ERR_LIMIT, "row %zu of %zu to add has a number of %g, codes take up to %g", i, n,
                          (double)most, (double)ROW8_MOST);
        else
            compact_encode(&basis, rows + i * dim, dim, numbers, items + i * bytes);
    }
    if (!err) err = rows_append(&ix->kept.rows, items, n, first);
    free(items);
    built_drop(&ix->kept.built, b);
    return err;
}

static Err compact_add(VecIndex *base, const float *rows, size_t n, uint32_t *first) {
    Compact *ix = (Compact *)base;
    if (compact_coded(base->dim, ix->kept.rows.head.item_bytes)) return codes_add(ix, rows, n, first);
    return rows8_add(base, rows, n, first);
}

static Err compact_row(const VecIndex *base, uint32_t slot, float *out) {
    const Rows8 *kept = (const Rows8 *)base;
    RowsView *v = rows_hold(&kept->rows);
    Err err = rows_has(&kept->rows, v, slot);
    if (!err && compact_coded(base->dim, v->item_bytes))
        err = err_set(ERR_UNSUPPORTED, "index '%s' keeps codes, no vectors", kept->rows.rows_path);
    if (!err) err = rows8_floats(&kept->rows, v, slot, out);
    rows_drop(&kept->rows, v);
    return err;
}

/* The next generation's codes mean something with the same basis. It comes last: without it that generation does not
 * open. */
static Err compact_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out) {
    Compact *ix = (Compact *)base;
    TRY(rows_compact(&ix->kept.rows, map_out, rows_out));
    if (!compact_coded(base->dim, ix->kept.rows.head.item_bytes)) return ERR_OK;
    Built *b = built_hold(&ix->kept.built);
    BuiltFile next = {.head = ix->kept.built.head};
    next.head.generation++;
    (void)pthread_mutex_init(&next.lock, NULL);
    CompactBasis basis;
    Err err = compact_basis_read(ix, b, &basis);
    if (!err) err = vec_path(ix->kept.rows.dir, next.head.generation, "built", next.path, sizeof next.path);
    if (!err) err = built_write(&next, b->rows, b->words, b->parts, b->n_parts);
    built_close(&next);
    built_drop(&ix->kept.built, b);
    return err;
}

/* Codes are any bytes; what they mean stands with the basis, whose numbers are looked at too. */
static Err compact_check(const VecIndex *base, Buf *report) {
    const Compact *ix = (const Compact *)base;
    Err sums = rows8_check(base, report), basis = ERR_OK;
    ErrInfo told = {0};
    if (sums) err_save(&told, sums);
    RowsView *v = rows_hold(&ix->kept.rows);
    Built *b = built_hold(&ix->kept.built);
    CompactBasis read;
    if (compact_coded(base->dim, v->item_bytes) && (basis = compact_basis_read(ix, b, &read)))
        buf_printf(report, "%s\n", err_text());
    built_drop(&ix->kept.built, b);
    rows_drop(&ix->kept.rows, v);
    return sums ? err_restore(&told) : basis;
}

static void compact_stats(const VecIndex *base, VecStats *out) {
    const Rows8 *kept = (const Rows8 *)base;
    rows8_stats(base, out);
    RowsView *v = rows_hold(&kept->rows);
    Built *b = built_hold(&kept->built);
    bool coded = compact_coded(base->dim, v->item_bytes);
    out->bytes_alone = false;
    out->built = coded ? out->rows : 0;
    out->learnt = coded && b ? b->words[COMPACT_LEARNT] : 0;
    built_drop(&kept->built, b);
    rows_drop(&kept->rows, v);
}

const VecKind compact_kind = {
    .name = "compact",
    .open = compact_open,
    .close = compact_close,
    .add = compact_add,
    .sync = rows8_sync,
    .remove = rows8_remove,
    .row = compact_row,
    .search = compact_search,
    .score = compact_score,
    .check = compact_check,
    .stats = compact_stats,
    .build_due = compact_build_due,
    .build = compact_build,
    .compact = compact_compact,
};
