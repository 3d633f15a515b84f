/* flat.c - the flat kind: opening and closing. Building is in flat_build.c, searching in flat_search.c; what it is, in
 * flat.h.
 */
#include "index/flat.h"

#include <stdlib.h>

#include "index/rows8.h"

static void flat_close(VecIndex *base) {
    Flat *ix = (Flat *)base;
    rows8_close(&ix->kept);
    arena_free(&ix->arena);
    free(ix);
}

/* What a file that is opened must hold besides what each search looks at. */
static Err codes_check(const BuiltFile *f, const Built *b, const FlatCodes *c) {
    TRY(partitions_finite(f, &c->lost, 1, "the error of its codes"));
    for (size_t i = 0; i < c->of.in.coded; i++)
        if ((c->of.factors[i] & 0x7F80) == 0x7F80) /* bf16 with the exponent of NaN and infinity */
            return err_fix(
                err_set(ERR_CORRUPT, "index file '%s' is damaged: the factor of vector %zu is not finite", f->path, i),
                INDEX_FILE_FIX);
    return partitions_check(f, b, &c->of.in, c->of.twice ? 2 : 1);
}

/* The rotation is that of what is built; where nothing is, the one that will be. */
static Err rotation_open(Flat *ix) {
    uint64_t seed = ix->kept.params.seed;
    Built *b = built_hold(&ix->kept.built);
    FlatCodes codes;
    Err err = b ? flat_codes_read(ix, b, &codes) : ERR_OK;
    if (b && !err) err = codes_check(&ix->kept.built, b, &codes);
    if (b && !err) seed = codes.seed;
    built_drop(&ix->kept.built, b);
    ix->kept.params.seed = seed;
    return err ? err : rotation_make(&ix->arena, ix->kept.base.dim, seed, &ix->rotation);
}

static Err flat_open(VecIndex **out, const VecSpec *spec) {
    Flat *ix = calloc(1, sizeof *ix);
    if (!ix) return err_set(ERR_NOMEM, "out of memory for an index");
    Err err = rows8_open(&ix->kept, spec, "flat", "codes");
    if (err) {
        free(ix);
        return err;
    }
    err = rotation_open(ix);
    if (err)
        flat_close(&ix->kept.base);
    else
        *out = &ix->kept.base;
    return err;
}

Err flat_codes_read(const Flat *ix, const Built *b, FlatCodes *out) {
    const BuiltFile *f = &ix->kept.built;
    size_t wide = (ix->kept.base.dim + 15) / 16 * 16;
    *out = (FlatCodes){.of.tables = (wide + 5) / 6,
                       .seed = (uint64_t)b->words[FLAT_SEED_HIGH] << 32 | b->words[FLAT_SEED_LOW]};
    memcpy(&out->lost, &b->words[FLAT_LOST], sizeof out->lost);
    out->of.twice = b->words[FLAT_TWICE] != 0;
    TRY(partitions_read(f, b, ix->kept.base.dim, &out->of.in));
    TRY(built_expect(f, b, FLAT_CODES, out->of.in.blocks * out->of.tables * SCAN_BLOCK));
    TRY(built_expect(f, b, FLAT_FACTORS, out->of.in.blocks * SCAN_BLOCK * sizeof(uint16_t)));
    out->of.codes = b->parts[FLAT_CODES].bytes;
    out->of.factors = b->parts[FLAT_FACTORS].bytes;
    return ERR_OK;
}

const VecKind flat_kind = {
    .name = "flat",
    .open = flat_open,
    .close = flat_close,
    .add = rows8_add,
    .sync = rows8_sync,
    .remove = rows8_remove,
    .row = rows8_row,
    .search = flat_search,
    .check = rows8_check,
    .stats = rows8_stats,
    .build_due = rows8_build_due,
    .build = flat_build,
    .compact = rows8_compact,
};
