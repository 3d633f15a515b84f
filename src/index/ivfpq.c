/* ivfpq.c - the ivfpq kind: opening and closing. Building is in ivfpq_build.c, searching in ivfpq_search.c; what it is,
 * in ivfpq.h.
 */
#include "index/ivfpq.h"

#include <stdlib.h>

/* What a file that is opened must hold besides what each search looks at. */
static Err codes_check(const BuiltFile *f, const Built *b, const IvfpqCodes *c) {
    TRY(partitions_finite(f, &c->lost, 1, "the error of its codes"));
    TRY(partitions_finite(f, c->codebook, c->of.tables * c->sub * IVFPQ_CENTROIDS, "a number of its codebook"));
    return partitions_check(f, b, &c->of.in, 1);
}

static Err ivfpq_open(VecIndex **out, const VecSpec *spec) {
    Rows8 *ix = calloc(1, sizeof *ix);
    if (!ix) return err_set(ERR_NOMEM, "out of memory for an index");
    Err err = rows8_open(ix, spec, "ivfpq", "products");
    if (err) {
        free(ix);
        return err;
    }
    Built *b = built_hold(&ix->built);
    IvfpqCodes codes;
    err = b ? ivfpq_codes_read(ix, b, &codes) : ERR_OK;
    if (b && !err) err = codes_check(&ix->built, b, &codes);
    built_drop(&ix->built, b);
    if (err) {
        rows8_close(ix);
        free(ix);
        return err;
    }
    *out = &ix->base;
    return ERR_OK;
}

static void ivfpq_close(VecIndex *base) {
    rows8_close((Rows8 *)base);
    free(base);
}

Err ivfpq_codes_read(const Rows8 *ix, const Built *b, IvfpqCodes *out) {
    const BuiltFile *f = &ix->built;
    size_t dim = ix->base.dim;
    *out = (IvfpqCodes){.sub = b->words[IVFPQ_SUB]};
    memcpy(&out->lost, &b->words[IVFPQ_LOST], sizeof out->lost);
    if (out->sub == 0 || out->sub > dim)
        return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: sub-vectors of %zu numbers in rows of %zu",
                               f->path, out->sub, dim),
                       INDEX_FILE_FIX);
    out->of.tables = (dim + out->sub - 1) / out->sub;
    TRY(partitions_read(f, b, dim, &out->of.in));
    TRY(built_expect(f, b, IVFPQ_CODEBOOK, out->of.tables * out->sub * IVFPQ_CENTROIDS * sizeof(float)));
    TRY(built_expect(f, b, IVFPQ_CODES, out->of.in.blocks * out->of.tables * SCAN_BLOCK));
    out->codebook = b->parts[IVFPQ_CODEBOOK].bytes;
    out->of.codes = b->parts[IVFPQ_CODES].bytes;
    return ERR_OK;
}

const VecKind ivfpq_kind = {
    .name = "ivfpq",
    .open = ivfpq_open,
    .close = ivfpq_close,
    .add = rows8_add,
    .sync = rows8_sync,
    .remove = rows8_remove,
    .row = rows8_row,
    .search = ivfpq_search,
    .check = rows8_check,
    .stats = rows8_stats,
    .build_due = rows8_build_due,
    .build = ivfpq_build,
    .compact = rows8_compact,
};
