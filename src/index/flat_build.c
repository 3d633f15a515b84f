/* flat_build.c - partitions and codes over the rows that are synced.
 *
 * Three passes: k-means on a sample; every row to its nearest centroid; then, partition by partition, the signs of what is
 * left of a row when its centroid is taken away. Rows are read as int8 and made floats PIECE at a time, so memory is the
 * built parts and a few megabytes a thread. 100,000 rows of 384: 0.8 s on one core.
 *
 * The result depends on rows, parameters and seed alone: each vector's place is that of its slot among its partition's.
 */
#include <stdlib.h>

#include "index/flat.h"
#include "index/kmeans.h"
#include "kern/low.h"

enum {
    FEW = 20000,      /* rows that need no partitions: scanning all their codes takes 15 us */
    SAMPLE = 20000,   /* rows that k-means sees, at least */
    SAMPLE_EACH = 40, /* and a partition */
    ITERATIONS = 5,   /* 2 lose 3 points of recall, 10 gain nothing */
    PIECE = 512,      /* rows of a piece of work */
    TAIL_MIN = 4096,  /* rows behind what is built that are not worth a build: 40 us a search */
    TAIL_SHARE = 8    /* else a build is due from an eighth of the rows on */
};

typedef struct {
    Flat *ix;
    RowsView *v;
    Pool *pool;
    const Deadline *deadline;
    size_t dim, wide, tables, partitions;
    uint32_t *live; /* [n_live] slots that were not removed */
    size_t n_live;
    float *centroids;  /* [partitions, dim] as the file has them: int8 and back */
    float *turned;     /* [partitions, wide] rotated */
    uint32_t *nearest; /* [n_live] */
    uint32_t *place;   /* [n_live] where the vector stands */
    float *lengths;    /* [n_live] squared lengths of residuals */
    float *lost;       /* [n_live] */
    float *scratch;    /* [threads][PIECE, dim] */
    int8_t *small;     /* the file's parts */
    float *scales, *radii;
    uint32_t *starts, *slots;
    uint8_t *codes;
    uint16_t *factors;
} Build;

bool flat_build_due(const VecIndex *base) {
    VecStats s;
    base->kind->stats(base, &s);
    uint32_t tail = s.rows - s.built;
    return tail >= TAIL_MIN && tail >= s.rows / TAIL_SHARE;
}

static void *need(Arena *a, size_t n, size_t each, Err *err) {
    void *p = *err ? NULL : arena_alloc_array(a, n ? n : 1, each);
    if (!p && !*err) *err = arena_error();
    return p;
}

static Err rows_live(Build *b, Arena *a) {
    Err err = ERR_OK;
    b->live = need(a, b->v->rows, sizeof *b->live, &err);
    for (uint32_t slot = 0; !err && slot < b->v->rows; slot++)
        if (!rows_gone(b->v, slot)) b->live[b->n_live++] = slot;
    return err;
}

static Err row_floats(const Build *b, uint32_t slot, float *out) {
    const void *item;
    TRY(rows_read(&b->ix->rows, b->v, slot, &item));
    row8_decode(item, b->dim, out);
    return ERR_OK;
}

/* Some 1.6 sqrt(n): fewer make scans longer, more make choosing among them longer. */
static size_t partitions_for(size_t asked, size_t n) {
    size_t most = n / 4 + 1, p = asked ? asked : n < FEW ? 1 : (size_t)(1.6 * sqrt((double)n));
    return p < most ? p : most;
}

static Err centroids_train(Build *b, Arena *a) {
    size_t m = b->partitions * SAMPLE_EACH > SAMPLE ? b->partitions * SAMPLE_EACH : SAMPLE;
    Err err = ERR_OK;
    if (m > b->n_live) m = b->n_live;
    uint32_t *drawn = need(a, m, sizeof *drawn, &err);
    float *sample = err ? NULL : malloc(m * b->dim * sizeof *sample);
    if (!sample) return err ? err : err_set(ERR_NOMEM, "out of memory for a sample of %zu rows", m);
    sample_draw(b->n_live, m, b->ix->params.seed, drawn);
    for (size_t i = 0; !err && i < m; i++) err = row_floats(b, b->live[drawn[i]], sample + i * b->dim);
    uint32_t iterations = b->ix->params.iterations ? b->ix->params.iterations : ITERATIONS;
    if (!err)
        err = kmeans_train(sample, m, b->dim, b->partitions, iterations, b->ix->params.seed, b->pool, b->deadline,
                           b->centroids);
    free(sample);
    return err;
}

/* Centroids as int8, and back: residuals are those to what a search will compute with. */
static Err centroids_store(Build *b) {
    uint8_t item[VEC_DIM_MAX + 2];
    for (size_t p = 0; p < b->partitions; p++) {
        float *c = b->centroids + p * b->dim;
        row8_encode(c, b->dim, item);
        row8_decode(item, b->dim, c);
        memcpy(b->small + p * b->dim, item, b->dim);
        b->scales[p] = row8_scale(item, b->dim);
        rotate(&b->ix->rotation, c, b->turned + p * b->wide);
    }
    return ERR_OK;
}

static Err nearest_find(Build *b) {
    size_t chunk = PIECE * 64;
    float *rows = malloc((b->n_live < chunk ? b->n_live : chunk) * b->dim * sizeof *rows);
    if (!rows) return err_set(ERR_NOMEM, "out of memory for %zu rows", chunk);
    Err err = ERR_OK;
    for (size_t from = 0; !err && from < b->n_live; from += chunk) {
        size_t n = b->n_live - from < chunk ? b->n_live - from : chunk;
        for (size_t i = 0; !err && i < n; i++) err = row_floats(b, b->live[from + i], rows + i * b->dim);
        if (!err)
            err = kmeans_assign(b->centroids, b->partitions, b->dim, rows, n, b->pool, b->deadline, b->nearest + from);
    }
    free(rows);
    return err;
}

/* Partition by partition, in order of slots. */
static void places_give(Build *b) {
    for (size_t i = 0; i < b->n_live; i++) b->starts[b->nearest[i] + 1]++;
    for (size_t p = 0; p < b->partitions; p++) b->starts[p + 1] += b->starts[p];
    for (size_t i = 0; i < b->n_live; i++) b->place[i] = b->starts[b->nearest[i]]++;
    for (size_t p = b->partitions; p > 0; p--) b->starts[p] = b->starts[p - 1];
    b->starts[0] = 0;
}

static void code_write(Build *b, size_t i, const float *residual) {
    size_t at = b->place[i];
    uint8_t *code = b->codes + at / SCAN_BLOCK * b->tables * SCAN_BLOCK + at % SCAN_BLOCK;
    float squares = 0, sum = 0;
    for (size_t d = 0; d < b->wide; d++) {
        squares += residual[d] * residual[d];
        sum += fabsf(residual[d]);
    }
    for (size_t t = 0; t < b->tables; t++) {
        unsigned bits = 0;
        for (size_t k = 0; k < 6 && t * 6 + k < b->wide; k++) bits |= (unsigned)(residual[t * 6 + k] > 0) << k;
        code[t * SCAN_BLOCK] = (uint8_t)bits;
    }
    float along = squares > 0 ? sum / sqrtf(squares * (float)b->wide) : 1; /* cosine of the residual and its signs */
    b->factors[at] = bf16_of(sum > 0 ? squares / sum : 0);
    b->slots[at] = b->live[i];
    b->lengths[i] = squares;
    b->lost[i] = sqrtf(fmaxf(0, 1 - along * along));
}

static Err code_piece(void *ctx, size_t piece, size_t worker) {
    Build *b = ctx;
    float *row = b->scratch + worker * (b->dim + b->wide), *turned = row + b->dim;
    size_t to = (piece + 1) * PIECE < b->n_live ? (piece + 1) * PIECE : b->n_live;
    TRY(deadline_check(b->deadline));
    for (size_t i = piece * PIECE; i < to; i++) {
        TRY(row_floats(b, b->live[i], row));
        rotate(&b->ix->rotation, row, turned);
        const float *c = b->turned + b->nearest[i] * b->wide;
        for (size_t d = 0; d < b->wide; d++) turned[d] -= c[d];
        code_write(b, i, turned);
    }
    return ERR_OK;
}

static Err built_out(Build *b) {
    double lost = 0;
    uint32_t words[BUILT_WORDS] = {0};
    size_t blocks = (b->n_live + SCAN_BLOCK - 1) / SCAN_BLOCK;
    for (size_t i = 0; i < b->n_live; i++) {
        b->radii[b->nearest[i]] += b->lengths[i];
        lost += (double)b->lost[i];
    }
    for (size_t p = 0; p < b->partitions; p++) {
        uint32_t n = b->starts[p + 1] - b->starts[p];
        b->radii[p] = n ? sqrtf(b->radii[p] / (float)n) : 0;
    }
    float mean = (float)(lost / (double)b->n_live);
    words[FLAT_PARTITIONS] = (uint32_t)b->partitions;
    words[FLAT_CODED] = (uint32_t)b->n_live;
    words[FLAT_SEED_LOW] = (uint32_t)b->ix->params.seed;
    words[FLAT_SEED_HIGH] = (uint32_t)(b->ix->params.seed >> 32);
    memcpy(&words[FLAT_LOST], &mean, sizeof mean);
    const BuiltPart parts[FLAT_N_PARTS] = {
        [FLAT_CENTROIDS] = {b->small, b->partitions * b->dim},
        [FLAT_SCALES] = {b->scales, b->partitions * sizeof *b->scales},
        [FLAT_RADII] = {b->radii, b->partitions * sizeof *b->radii},
        [FLAT_STARTS] = {b->starts, (b->partitions + 1) * sizeof *b->starts},
        [FLAT_CODES] = {b->codes, blocks * b->tables * SCAN_BLOCK},
        [FLAT_FACTORS] = {b->factors, blocks * SCAN_BLOCK * sizeof *b->factors},
        [FLAT_SLOTS] = {b->slots, blocks * SCAN_BLOCK * sizeof *b->slots},
    };
    return built_write(&b->ix->built, b->v->rows, words, parts, FLAT_N_PARTS);
}

static Err arrays_take(Build *b, Arena *a) {
    Err err = ERR_OK;
    size_t p = b->partitions, n = b->n_live, padded = (n + SCAN_BLOCK - 1) / SCAN_BLOCK * SCAN_BLOCK;
    b->centroids = need(a, p * b->dim, sizeof *b->centroids, &err);
    b->turned = need(a, p * b->wide, sizeof *b->turned, &err);
    b->nearest = need(a, n, sizeof *b->nearest, &err);
    b->place = need(a, n, sizeof *b->place, &err);
    b->lengths = need(a, n, sizeof *b->lengths, &err);
    b->lost = need(a, n, sizeof *b->lost, &err);
    b->scratch = need(a, pool_size(b->pool) * (b->dim + b->wide), sizeof *b->scratch, &err);
    b->small = need(a, p * b->dim, 1, &err);
    b->scales = need(a, p, sizeof *b->scales, &err);
    b->radii = need(a, p, sizeof *b->radii, &err);
    b->starts = need(a, p + 1, sizeof *b->starts, &err);
    b->codes = need(a, padded * b->tables, 1, &err);
    b->factors = need(a, padded, sizeof *b->factors, &err);
    b->slots = need(a, padded, sizeof *b->slots, &err);
    return err;
}

static Err build_all(Build *b, Arena *a) {
    TRY(rows_live(b, a));
    if (b->n_live == 0) return ERR_OK;
    b->partitions = partitions_for(b->ix->params.partitions, b->n_live);
    TRY(arrays_take(b, a));
    TRY(centroids_train(b, a));
    TRY(centroids_store(b));
    TRY(nearest_find(b));
    places_give(b);
    TRY(pool_for(b->pool, (b->n_live + PIECE - 1) / PIECE, code_piece, b));
    return built_out(b);
}

Err flat_build(VecIndex *base, Pool *pool, const Deadline *deadline) {
    Flat *ix = (Flat *)base;
    Arena a = {0};
    Build b = {.ix = ix,
               .v = rows_hold(&ix->rows),
               .pool = pool,
               .deadline = deadline,
               .dim = base->dim,
               .wide = ix->rotation.wide,
               .tables = (ix->rotation.wide + 5) / 6};
    Err err = build_all(&b, &a);
    rows_drop(&ix->rows, b.v);
    arena_free(&a);
    return err;
}
