/* compact.c - the compact kind: opening, adding, codes. Building is in compact_build.c, searching in compact_search.c; what it
 * is, in compact.h.
 */
#include "index/compact.h"

#include <stdlib.h>

#include "kern/kern.h"

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
    ix->fetch = spec->fetch;
    ix->fetch_ctx = spec->fetch_ctx;
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
    if (out->components != compact_components(dim))
        return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %zu components of %zu numbers", f->path,
                               out->components, dim),
                       INDEX_FILE_FIX);
    if (!(out->error >= 0 && out->error < INFINITY)) return basis_damaged(f, "its estimates have no error");
    if (!(out->unit > 0 && out->unit < INFINITY)) return basis_damaged(f, "its factors have no unit");
    TRY(built_expect(f, b, COMPACT_MEAN, dim * sizeof(float)));
    TRY(built_expect(f, b, COMPACT_BASIS, out->components * row8_bytes(dim)));
    out->mean = b->parts[COMPACT_MEAN].bytes;
    out->basis = b->parts[COMPACT_BASIS].bytes;
    if (vec_first_unfit(out->mean, dim) < dim) return basis_damaged(f, "a number of its mean is not finite");
    return ERR_OK;
}

/* ---- codes ---- */

enum { FACTOR_ONE = 128, FACTOR_STEPS = 32 /* an octave */ };

void compact_turn(const CompactBasis *b, const float *v, size_t dim, float *numbers) {
    const KernScan *scan = scan_table();
    int16_t whole[VEC_DIM_MAX];
    float scale = row8_query(v, dim, whole);
    for (size_t i = 0; i < b->components; i++) {
        const uint8_t *row = b->basis + i * row8_bytes(dim);
        numbers[i] = (float)scan->dot8(whole, (const int8_t *)row, dim) * (scale * row8_scale(row, dim));
    }
}

/* Levels -3, -1, 1, 3 in steps of half a standard deviation, the best four for numbers that are about normal; numbers of a
 * turned basis are (Max 1960). */
float compact_levels(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item) {
    float offset[VEC_DIM_MAX];
    double squares = 0, along = 0; /* a float would not hold the square of a number near ROW8_MOST */
    for (size_t d = 0; d < dim; d++) offset[d] = row[d] - b->mean[d];
    compact_turn(b, offset, dim, numbers);
    for (size_t i = 0; i < b->components; i++) squares += (double)numbers[i] * (double)numbers[i];
    float border = 0.9957f * (float)sqrt(squares / (double)b->components);
    memset(item, 0, b->components / 4);
    for (size_t i = 0; i < b->components; i++) {
        unsigned code = numbers[i] < -border ? 0 : numbers[i] < 0 ? 1 : numbers[i] < border ? 2 : 3;
        item[i / 4] = (uint8_t)(item[i / 4] | code << 2 * (i % 4));
        along += (double)numbers[i] * (2 * (double)code - 3);
    }
    return along > 0 ? (float)(squares / along) : 0;
}

static uint8_t factor_pack(float factor, float unit) {
    if (!(factor > 0)) return 0;
    float steps = FACTOR_ONE + FACTOR_STEPS * log2f(factor / unit);
    return steps <= 1 ? 1 : steps >= 255 ? 255 : (uint8_t)lrintf(steps);
}

void compact_encode(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item) {
    item[b->components / 4] = factor_pack(compact_levels(b, row, dim, numbers, item), b->unit);
}

void compact_tables(const CompactBasis *b, const float *query, size_t dim, float *numbers, CompactTables *t) {
    compact_turn(b, query, dim, numbers);
    for (size_t i = 0; i < b->components / 4; i++)
        for (unsigned code = 0; code < 256; code++) {
            float sum = 0;
            for (size_t j = 0; j < 4; j++) sum += numbers[4 * i + j] * (2 * (float)(code >> 2 * j & 3) - 3);
            t->levels[i * 256 + code] = sum;
        }
    t->factors[0] = 0;
    for (int byte = 1; byte < 256; byte++)
        t->factors[byte] = b->unit * exp2f((float)(byte - FACTOR_ONE) / FACTOR_STEPS);
    t->base = kern_table()->dot(query, b->mean, dim);
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

/* The next generation's codes mean something with the same basis. It comes last: without it that generation does not open. */
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
