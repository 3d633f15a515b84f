/* compact_build.c - learning the basis, and rows becoming codes.
 *
 * The basis is learnt from a sample once; how far estimates are off, on the same sample: for some of its rows as
 * queries, the root mean square error of those rows that come nearest, since it is near rows that a search must not
 * lose, and these are underestimated (what lies outside of the components they have in common). Then the rows' file is
 * written anew, each block with as many items as before, since any committed count is a block's end.
 */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/compact.h"
#include "index/kmeans.h"
#include "index/pca.h"
#include "index/topk.h"
#include "kern/kern.h"

enum {
    FEWEST = 100,  /* rows that are worth a basis */
    DUE = 512,     /* and a build that nobody asked for: 512 rows drawn at random serve as well as 4,000 */
    SAMPLE = 8192, /* rows that the basis is learnt from */
    QUERIES = 100, /* of them that errors are measured with */
    NEAR = 50      /* rows of each */
};

#define SAME 0.98f /* cosine of a row and its copies, of which estimates are better than of others */

bool compact_build_due(const VecIndex *base) {
    VecStats s;
    vec_stats(base, &s);
    return s.built == 0 && s.rows - s.removed >= DUE && base->dim >= COMPACT_LEAST;
}

typedef struct {
    Compact *ix;
    RowsView *v;
    const Deadline *deadline;
    size_t dim, count, bytes, m; /* count: components that are learnt; made has those with bits */
    uint32_t live;               /* rows that are not removed */
    float *sample;               /* [m, dim] */
    float *mean;                 /* [dim] */
    float *turn;                 /* [count, dim] */
    uint8_t *basis;              /* those of it with bits as row8 */
    float *spread;               /* [count] first variances */
    CompactPlace *places;
    float *numbers; /* [count] */
    CompactTables tables;
    uint8_t *items;    /* [m][bytes] */
    CompactBasis made; /* of mean and basis */
} Build;

static Err sample_take(Build *b, Arena *a) {
    Err err = ERR_OK;
    uint32_t n = 0, *live = arena_array(a, uint32_t, b->v->rows + 1), *drawn;
    if (!live) return arena_error();
    for (uint32_t slot = 0; slot < b->v->rows; slot++)
        if (!rows_gone(b->v, slot)) live[n++] = slot;
    b->live = n;
    b->m = n < SAMPLE ? n : SAMPLE;
    if (n < FEWEST) return ERR_OK;
    drawn = arena_array(a, uint32_t, b->m);
    b->sample = arena_array(a, float, b->m * b->dim);
    if (!drawn || !b->sample) return arena_error();
    sample_draw(n, b->m, b->ix->kept.params.seed, drawn);
    for (size_t i = 0; !err && i < b->m; i++)
        err = rows8_floats(&b->ix->kept.rows, b->v, live[drawn[i]], b->sample + i * b->dim);
    return err;
}

/* Sum of squared errors of the rows of the sample that are nearest to row `query` of it; length: |query|^2. */
static double near_errors(Build *b, size_t query, float *length) {
    const Kern *kern = kern_table();
    const float *q = b->sample + query * b->dim;
    VecHit hits[NEAR];
    TopK top = {.hits = hits, .k = NEAR};
    double sum = 0;
    *length = kern->dot(q, q, b->dim);
    for (size_t i = 0; i < b->m; i++) {
        const float *row = b->sample + i * b->dim;
        float score = kern->dot(q, row, b->dim), other = kern->dot(row, row, b->dim);
        if (score < SAME * sqrtf(*length) * sqrtf(other)) topk_offer(&top, (uint32_t)i, score);
    }
    compact_tables(&b->made, q, b->dim, b->numbers, &b->tables);
    for (size_t i = 0; i < top.n; i++) {
        float got = compact_estimate(&b->tables, b->items + hits[i].slot * b->bytes);
        sum += (double)(hits[i].score - got) * (double)(hits[i].score - got);
    }
    return sum / (double)(top.n ? top.n : 1);
}

/* The mean of the sample's factors, by their logarithms: bytes reach as far up from it as down. */
static void unit_find(Build *b) {
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < b->m; i++) {
        float factor = compact_levels(&b->made, b->sample + i * b->dim, b->dim, b->numbers, b->items);
        if (!(factor > 0)) continue;
        sum += log2((double)factor);
        n++;
    }
    b->made.unit = n ? (float)exp2(sum / (double)n) : 1;
}

static Err error_measure(Build *b) {
    double errors = 0, lengths = 0;
    for (size_t i = 0; i < b->m; i++) /* pca_train took the mean away */
        for (size_t d = 0; d < b->dim; d++) b->sample[i * b->dim + d] += b->mean[d];
    unit_find(b);
    for (size_t i = 0; i < b->m; i++)
        compact_encode(&b->made, b->sample + i * b->dim, b->dim, b->numbers, b->items + i * b->bytes);
    for (size_t i = 0; i < QUERIES; i++) {
        float length;
        TRY(deadline_check(b->deadline));
        errors += near_errors(b, i * b->m / QUERIES, &length);
        lengths += (double)length;
    }
    b->made.error = lengths > 0 ? (float)sqrt(errors / lengths) : 0;
    return ERR_OK;
}

/* Components that got no bits go; variances become spreads. */
static void components_keep(Build *b) {
    size_t row = row8_bytes(b->dim), kept = 0;
    compact_share(b->spread, b->count, compact_code_bytes(b->dim), b->places);
    for (size_t i = 0; i < b->count; i++) {
        if (b->places[i].bits == 0) continue;
        row8_encode(b->turn + i * b->dim, b->dim, b->basis + kept * row);
        b->places[kept] = b->places[i];
        b->spread[kept++] = sqrtf(b->spread[i] + FLT_MIN);
    }
    b->made = (CompactBasis){.components = kept,
                             .bytes = compact_code_bytes(b->dim),
                             .mean = b->mean,
                             .basis = b->basis,
                             .spread = b->spread,
                             .places = b->places};
}

static Err basis_learn(Build *b, Arena *a) {
    uint32_t words[BUILT_WORDS] = {0};
    size_t row = row8_bytes(b->dim);
    b->mean = arena_array(a, float, b->dim);
    b->turn = arena_array(a, float, b->count * b->dim);
    b->basis = arena_array(a, uint8_t, b->count * row);
    b->spread = arena_array(a, float, b->count);
    b->places = arena_array(a, CompactPlace, b->count);
    b->numbers = arena_array(a, float, b->count);
    b->tables.sums = arena_alloc_array(a, compact_tables_bytes(b->dim), 1);
    b->items = arena_array(a, uint8_t, b->m * b->bytes);
    if (!b->mean || !b->turn || !b->basis || !b->spread || !b->places || !b->numbers || !b->tables.sums || !b->items)
        return arena_error();
    TRY(pca_train(b->sample, b->m, b->dim, b->count, b->ix->kept.params.seed, b->deadline, b->mean, b->turn,
                  b->spread));
    components_keep(b);
    TRY(error_measure(b));
    const CompactBasis *made = &b->made;
    words[COMPACT_COMPONENTS] = (uint32_t)made->components;
    words[COMPACT_LEARNT] = b->live;
    memcpy(&words[COMPACT_ERROR], &made->error, sizeof made->error);
    memcpy(&words[COMPACT_UNIT], &made->unit, sizeof made->unit);
    const BuiltPart parts[COMPACT_N_PARTS] = {
        [COMPACT_MEAN] = {b->mean, b->dim * sizeof *b->mean},
        [COMPACT_BASIS] = {b->basis, made->components * row},
        [COMPACT_SPREAD] = {b->spread, made->components * sizeof *b->spread},
        [COMPACT_PLACES] = {b->places, made->components * sizeof *b->places},
    };
    /* "over 0 rows": it holds for rows of any commit, so that a writer never takes it for a crash's leftovers */
    return built_write(&b->ix->kept.built, 0, words, parts, COMPACT_N_PARTS);
}

/* ---- rows become codes ---- */

static Err block_code(const Build *b, size_t number, float *row, uint8_t *items) {
    const RowsSpan *span = &b->v->spans[number];
    TRY(deadline_check(b->deadline));
    for (uint32_t slot = span->first; slot < span->end; slot++) {
        TRY(rows8_floats(&b->ix->kept.rows, b->v, slot, row));
        compact_encode(&b->made, row, b->dim, b->numbers, items + (slot - span->first) * b->bytes);
    }
    return ERR_OK;
}

static Err codes_write(const Build *b, const char *path, IndexHead *head) {
    FileAppend file = {.fd = -1};
    IndexBlock block;
    float *row = malloc(b->dim * sizeof *row);
    uint8_t *buffer = calloc(1, index_block_bytes(ROWS_BLOCK, b->bytes));
    Err err = row && buffer ? ERR_OK : err_set(ERR_NOMEM, "out of memory for an index block");
    if (!err) err = index_file_create(path, head);
    if (!err) err = file_append_open(path, &file);
    for (size_t i = 0; !err && i < b->v->n_blocks; i++) {
        const RowsSpan *span = &b->v->spans[i];
        err = block_code(b, i, row, buffer + INDEX_BLOCK_HEAD);
        if (!err) err = index_block_append(&file, head, buffer, span->first, span->end - span->first, &block);
    }
    if (!err) err = file_append_sync(&file);
    file_append_close(&file);
    free(row);
    free(buffer);
    return err;
}

static Err rows_recode(const Build *b) {
    Rows *rows = &b->ix->kept.rows;
    char beside[sizeof rows->rows_path + 8];
    IndexHead head = rows->head;
    head.item_bytes = (uint32_t)b->bytes;
    (void)snprintf(beside, sizeof beside, "%s.new", rows->rows_path);
    Err err = codes_write(b, beside, &head);
    if (!err) err = file_rename(beside, rows->rows_path);
    if (!err) return rows_replaced(rows, &head);
    ErrInfo told;
    err_save(&told, err);
    if (file_remove(beside)) err = told.code; /* what is left there is written over by the next build */
    return err_restore(&told);
}

Err compact_build(VecIndex *base, Pool *pool, const Deadline *deadline) {
    (void)pool; /* 100,000 rows: 0.6 s on one core, once in an index's life */
    Compact *ix = (Compact *)base;
    Arena a = {0};
    Build b = {.ix = ix,
               .v = rows_hold(&ix->kept.rows),
               .deadline = deadline,
               .dim = base->dim,
               .count = base->dim < COMPACT_MOST ? base->dim : COMPACT_MOST,
               .bytes = compact_bytes(base->dim)};
    Err err = ERR_OK;
    if (base->dim < COMPACT_LEAST || compact_coded(base->dim, b.v->item_bytes)) goto done;
    if (ix->kept.rows.written + ix->kept.rows.pending != b.v->rows) {
        err = err_set(ERR_INTERNAL, "'%s' has rows that are not synced and cannot be built over",
                      ix->kept.rows.rows_path);
        goto done;
    }
    if ((err = sample_take(&b, &a)) || b.m < FEWEST) goto done;
    if ((err = basis_learn(&b, &a))) goto done;
    err = rows_recode(&b);
done:
    rows_drop(&ix->kept.rows, b.v);
    arena_free(&a);
    return err;
}
