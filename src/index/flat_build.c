/* flat_build.c - partitions and codes over the rows that are synced.
 *
 * Three passes: k-means on a sample; every row to its nearest centroid; then, partition by partition, the signs of what
 * is left of a row when its centroid is taken away (the first two are partition.c's). 100,000 rows of 384: 0.8 s on one
 * core.
 */
#include <stdlib.h>

#include "index/flat.h"
#include "kern/low.h"

enum {
    FEW = 20000,      /* rows that need no partitions: scanning all their codes takes 15 us */
    SAMPLE = 20000,   /* rows that k-means sees, at least */
    SAMPLE_EACH = 40, /* and a partition */
    ITERATIONS = 5    /* 2 lose 3 points of recall, 10 gain nothing */
};

typedef struct {
    Flat *ix;
    Parting in;
    size_t wide, tables;
    float *turned;  /* [partitions, wide] rotated centroids */
    float *lost;    /* [vectors] */
    float *scratch; /* [threads][dim + 2 wide] */
    uint8_t *codes; /* the file's parts */
    uint16_t *factors;
} Build;

/* Some sqrt(n): fewer make scans longer, more make choosing among them longer (of 98,559 rows 0.8 to 1.2 sqrt(n) are
 * alike, 1.6 costs 15 % more a search, 0.6 15 to 25 %). */
static size_t partitions_for(size_t asked, size_t n) {
    size_t most = n / 4 + 1, p = asked ? asked : n < FEW ? 1 : (size_t)sqrt((double)n);
    return p < most ? p : most;
}

/* Of vector i. */
static void code_write(Build *b, size_t i, const float *residual) {
    size_t at = b->in.place[i];
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
    b->in.lengths[i] = squares;
    b->lost[i] = sqrtf(fmaxf(0, 1 - along * along));
}

static Err code_piece(void *ctx, size_t piece, size_t worker) {
    Build *b = ctx;
    const Parting *in = &b->in;
    float *row = b->scratch + worker * (in->dim + 2 * b->wide), *turned = row + in->dim, *residual = turned + b->wide;
    size_t to = (piece + 1) * PARTITION_PIECE < in->n_live ? (piece + 1) * PARTITION_PIECE : in->n_live;
    TRY(deadline_check(in->deadline));
    for (size_t i = piece * PARTITION_PIECE; i < to; i++) {
        TRY(rows8_floats(in->rows, in->v, in->live[i], row));
        rotate(&b->ix->rotation, row, turned);
        for (size_t at = i; at < in->vectors; at += in->n_live) {
            const float *c = b->turned + in->nearest[at] * b->wide;
            for (size_t d = 0; d < b->wide; d++) residual[d] = turned[d] - c[d];
            code_write(b, at, residual);
        }
    }
    return ERR_OK;
}

static Err built_out(Build *b) {
    double lost = 0;
    uint32_t words[BUILT_WORDS] = {0};
    BuiltPart parts[FLAT_N_PARTS];
    uint64_t seed = b->ix->kept.params.seed;
    for (size_t i = 0; i < b->in.vectors; i++) lost += (double)b->lost[i];
    float mean = (float)(lost / (double)b->in.vectors);
    parting_out(&b->in, words, parts);
    words[FLAT_SEED_LOW] = (uint32_t)seed;
    words[FLAT_TWICE] = b->in.times == 2;
    words[FLAT_SEED_HIGH] = (uint32_t)(seed >> 32);
    memcpy(&words[FLAT_LOST], &mean, sizeof mean);
    parts[FLAT_CODES] = (BuiltPart){b->codes, b->in.padded * b->tables};
    parts[FLAT_FACTORS] = (BuiltPart){b->factors, b->in.padded * sizeof *b->factors};
    return built_write(&b->ix->kept.built, b->in.v->rows, words, parts, FLAT_N_PARTS);
}

static Err build_all(Build *b, Arena *a) {
    Parting *in = &b->in;
    const VecParams *params = &b->ix->kept.params;
    Err err = parting_begin(in, a);
    if (err || in->n_live == 0) return err;
    size_t count = partitions_for(params->partitions, in->n_live), sample = count * SAMPLE_EACH;
    TRY(parting_make(in, a, count, sample > SAMPLE ? sample : SAMPLE,
                     params->iterations ? params->iterations : ITERATIONS, params->assignments == 2));
    b->turned = parting_need(a, count * b->wide, sizeof *b->turned, &err);
    b->lost = parting_need(a, in->vectors, sizeof *b->lost, &err);
    b->scratch = parting_need(a, pool_size(in->pool) * (in->dim + 2 * b->wide), sizeof *b->scratch, &err);
    b->codes = parting_need(a, in->padded * b->tables, 1, &err);
    b->factors = parting_need(a, in->padded, sizeof *b->factors, &err);
    if (err) return err;
    for (size_t p = 0; p < count; p++) rotate(&b->ix->rotation, in->centroids + p * in->dim, b->turned + p * b->wide);
    TRY(pool_for(in->pool, (in->n_live + PARTITION_PIECE - 1) / PARTITION_PIECE, code_piece, b));
    return built_out(b);
}

Err flat_build(VecIndex *base, Pool *pool, const Deadline *deadline) {
    Flat *ix = (Flat *)base;
    const Rows *rows = &ix->kept.rows;
    Arena a = {0};
    Build b = {.ix = ix,
               .in = {.rows = rows,
                      .v = rows_hold(rows),
                      .pool = pool,
                      .deadline = deadline,
                      .dim = base->dim,
                      .seed = ix->kept.params.seed},
               .wide = ix->rotation.wide,
               .tables = (ix->rotation.wide + 5) / 6};
    Err err = build_all(&b, &a);
    rows_drop(rows, b.in.v);
    arena_free(&a);
    return err;
}
