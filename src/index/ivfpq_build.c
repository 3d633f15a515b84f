/* ivfpq_build.c - partitions, a codebook and codes over the rows that are synced.
 *
 * The partitions are partition.c's. The codebook is learnt from the residuals of a sample, one k-means a sub-vector;
 * then every row's residual is coded, a piece of rows at a time, sub-vector by sub-vector.
 */
#include <stdlib.h>

#include "index/ivfpq.h"
#include "index/kmeans.h"

enum {
    FEWEST = 100,      /* rows that are worth a build, and enough for the codebook's 64 centroids */
    SAMPLE_EACH = 256, /* rows that k-means sees a centroid */
    ITERATIONS = 50,   /* of k-means */
    SUB_VECTORS = 48
};

typedef struct {
    Rows8 *ix;
    Parting in;
    size_t sub, tables;
    float *trained;  /* [tables][64][sub] */
    float *codebook; /* [tables][sub][64]: the file's parts */
    uint8_t *codes;
    float *lost;    /* [n_live] squared lengths of what the codes leave */
    float *scratch; /* [threads][PARTITION_PIECE][tables * sub + sub], residuals and one sub-vector of each */
} Build;

/* The residual of live row i, filled up with zeros. out: [tables * sub]. */
static Err residual_of(const Build *b, size_t i, float *out) {
    const Parting *in = &b->in;
    const float *c = in->centroids + in->nearest[i] * in->dim;
    TRY(rows8_floats(in->rows, in->v, in->live[i], out));
    for (size_t d = 0; d < in->dim; d++) out[d] -= c[d];
    for (size_t d = in->dim; d < b->tables * b->sub; d++) out[d] = 0;
    return ERR_OK;
}

/* Sub-vector t of m residuals, side by side. */
static void sub_gather(const Build *b, size_t t, const float *residuals, size_t m, float *out) {
    size_t wide = b->tables * b->sub;
    for (size_t i = 0; i < m; i++) memcpy(out + i * b->sub, residuals + i * wide + t * b->sub, b->sub * sizeof *out);
}

static Err table_train(const Build *b, size_t t, const float *residuals, size_t m, float *rows) {
    uint32_t iterations = b->ix->params.iterations ? b->ix->params.iterations : ITERATIONS;
    float *centroids = b->trained + t * IVFPQ_CENTROIDS * b->sub, *out = b->codebook + t * IVFPQ_CENTROIDS * b->sub;
    sub_gather(b, t, residuals, m, rows);
    TRY(kmeans_train(rows, m, b->sub, IVFPQ_CENTROIDS, iterations, b->in.seed + t, b->in.pool, b->in.deadline,
                     centroids));
    for (size_t e = 0; e < IVFPQ_CENTROIDS; e++)
        for (size_t d = 0; d < b->sub; d++) out[d * IVFPQ_CENTROIDS + e] = centroids[e * b->sub + d];
    return ERR_OK;
}

static Err codebook_train(Build *b) {
    const Parting *in = &b->in;
    size_t m = SAMPLE_EACH * IVFPQ_CENTROIDS < in->n_live ? SAMPLE_EACH * IVFPQ_CENTROIDS : in->n_live;
    size_t wide = b->tables * b->sub;
    uint32_t *drawn = malloc(m * sizeof *drawn);
    float *residuals = malloc(m * wide * sizeof *residuals), *rows = malloc(m * b->sub * sizeof *rows);
    Err err = ERR_OK;
    if (!drawn || !residuals || !rows) {
        err = err_set(ERR_NOMEM, "out of memory for a sample of %zu rows", m);
        goto done;
    }
    sample_draw(in->n_live, m, in->seed + 1, drawn);
    for (size_t i = 0; i < m; i++)
        if ((err = residual_of(b, drawn[i], residuals + i * wide))) goto done;
    for (size_t t = 0; t < b->tables; t++)
        if ((err = table_train(b, t, residuals, m, rows))) goto done;
done:
    free(drawn);
    free(residuals);
    free(rows);
    return err;
}

/* Codes of rows [from, from + m), sub-vector t, and what they leave. */
static Err table_code(Build *b, size_t t, size_t from, size_t m, const float *rows) {
    uint32_t nearest[PARTITION_PIECE];
    const float *centroids = b->trained + t * IVFPQ_CENTROIDS * b->sub;
    TRY(kmeans_assign(centroids, IVFPQ_CENTROIDS, b->sub, rows, m, NULL, NULL, nearest));
    for (size_t i = 0; i < m; i++) {
        size_t at = b->in.place[from + i];
        const float *c = centroids + nearest[i] * b->sub;
        b->codes[(at / SCAN_BLOCK * b->tables + t) * SCAN_BLOCK + at % SCAN_BLOCK] = (uint8_t)nearest[i];
        for (size_t d = 0; d < b->sub; d++) {
            float left = rows[i * b->sub + d] - c[d];
            b->lost[from + i] += left * left;
        }
    }
    return ERR_OK;
}

static Err code_piece(void *ctx, size_t piece, size_t worker) {
    Build *b = ctx;
    Parting *in = &b->in;
    size_t wide = b->tables * b->sub, from = piece * PARTITION_PIECE;
    size_t m = in->n_live - from < PARTITION_PIECE ? in->n_live - from : PARTITION_PIECE;
    float *residuals = b->scratch + worker * PARTITION_PIECE * (wide + b->sub);
    float *rows = residuals + PARTITION_PIECE * wide;
    TRY(deadline_check(in->deadline));
    for (size_t i = 0; i < m; i++) {
        float *r = residuals + i * wide;
        TRY(residual_of(b, from + i, r));
        for (size_t d = 0; d < wide; d++) in->lengths[from + i] += r[d] * r[d];
    }
    for (size_t t = 0; t < b->tables; t++) {
        sub_gather(b, t, residuals, m, rows);
        TRY(table_code(b, t, from, m, rows));
    }
    return ERR_OK;
}

static Err built_out(Build *b) {
    double lost = 0;
    uint32_t words[BUILT_WORDS] = {0};
    BuiltPart parts[IVFPQ_N_PARTS];
    for (size_t i = 0; i < b->in.n_live; i++) lost += (double)b->lost[i];
    float error = (float)sqrt(lost / (double)b->in.n_live / (double)b->in.dim);
    parting_out(&b->in, words, parts);
    words[IVFPQ_SUB] = (uint32_t)b->sub;
    memcpy(&words[IVFPQ_LOST], &error, sizeof error);
    parts[IVFPQ_CODEBOOK] = (BuiltPart){b->codebook, b->tables * b->sub * IVFPQ_CENTROIDS * sizeof *b->codebook};
    parts[IVFPQ_CODES] = (BuiltPart){b->codes, b->in.padded * b->tables};
    return built_write(&b->ix->built, b->in.v->rows, words, parts, IVFPQ_N_PARTS);
}

static size_t partitions_for(size_t asked, size_t n) {
    size_t most = n / 4, p = asked ? asked : (size_t)sqrt((double)n);
    return p < most ? p : most;
}

static Err build_all(Build *b, Arena *a) {
    Parting *in = &b->in;
    const VecParams *params = &b->ix->params;
    Err err = parting_begin(in, a);
    if (err || in->n_live < FEWEST) return err;
    size_t count = partitions_for(params->partitions, in->n_live), wide = b->tables * b->sub;
    TRY(parting_make(in, a, count, count * SAMPLE_EACH, params->iterations ? params->iterations : ITERATIONS, false));
    b->trained = parting_need(a, wide * IVFPQ_CENTROIDS, sizeof *b->trained, &err);
    b->codebook = parting_need(a, wide * IVFPQ_CENTROIDS, sizeof *b->codebook, &err);
    b->codes = parting_need(a, in->padded * b->tables, 1, &err);
    b->lost = parting_need(a, in->n_live, sizeof *b->lost, &err);
    b->scratch = parting_need(a, pool_size(in->pool) * PARTITION_PIECE, (wide + b->sub) * sizeof *b->scratch, &err);
    if (err) return err;
    TRY(codebook_train(b));
    TRY(pool_for(in->pool, (in->n_live + PARTITION_PIECE - 1) / PARTITION_PIECE, code_piece, b));
    return built_out(b);
}

Err ivfpq_build(VecIndex *base, Pool *pool, const Deadline *deadline) {
    Rows8 *ix = (Rows8 *)base;
    Arena a = {0};
    size_t asked = ix->params.sub_vectors ? ix->params.sub_vectors : SUB_VECTORS;
    Build b = {.ix = ix,
               .in = {.rows = &ix->rows,
                      .v = rows_hold(&ix->rows),
                      .pool = pool,
                      .deadline = deadline,
                      .dim = base->dim,
                      .seed = ix->params.seed},
               .sub = (base->dim + asked - 1) / asked};
    b.tables = (base->dim + b.sub - 1) / b.sub;
    Err err = build_all(&b, &a);
    rows_drop(&ix->rows, b.in.v);
    arena_free(&a);
    return err;
}
