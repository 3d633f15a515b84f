/* kmeans.c - see kmeans.h.
 *
 * |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2): the nearest centroid is the one of largest x c - |c|^2 / 2, which is a
 * matrix product with -|c|^2 / 2 as its bias.
 */
#include "index/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/random.h"
#include "kern/kern.h"

enum { PIECE = 128 }; /* rows of a piece of work: their scores against 500 centroids stay in the L2 cache */

typedef struct {
    const Kern *kern;
    KernMatrix matrix;
    float *block;        /* panels and bias */
    const float *rows;   /* [n, dim] */
    size_t n, dim, wide; /* wide: k rounded up to whole panels */
    float *scores;       /* [threads][PIECE, wide] */
    uint32_t *nearest;
    /* for the second */
    const float *centroids; /* [k, dim] */
    const uint32_t *first;  /* [n] */
    float *along;           /* [threads][PIECE, dim + wide]: residuals, their products with the centroids */
    const Deadline *deadline;
} Assign;

static Err centroids_pack(Assign *s, const float *centroids, size_t k) {
    size_t panel = s->kern->panel, panels = kern_panels(s->kern, k);
    s->wide = panels * panel;
    s->block = aligned_alloc(64, (panels * panel * (s->dim + 1) * sizeof(float) + 63) / 64 * 64);
    if (!s->block) return err_set(ERR_NOMEM, "out of memory for %zu centroids", k);
    float *bias = s->block + s->wide * s->dim;
    for (size_t p = 0; p < panels; p++) {
        const float *rows[KERN_PANEL_MAX] = {NULL};
        for (size_t i = 0; i < panel && p * panel + i < k; i++) rows[i] = centroids + (p * panel + i) * s->dim;
        if (!s->kern->pack(rows, s->dim, s->block + p * panel * s->dim))
            return err_set(ERR_INPUT, "a centroid is not finite");
        for (size_t i = 0; i < panel; i++)
            bias[p * panel + i] = rows[i] ? -0.5f * s->kern->dot(rows[i], rows[i], s->dim) : 0;
    }
    s->matrix = (KernMatrix){.n = k, .k = s->dim, .panels = s->block, .bias = bias};
    return ERR_OK;
}

static Err assign_piece(void *ctx, size_t piece, size_t worker) {
    const Assign *s = ctx;
    size_t from = piece * PIECE, m = s->n - from < PIECE ? s->n - from : PIECE;
    float *scores = s->scores + worker * PIECE * s->wide;
    TRY(deadline_check(s->deadline));
    s->kern->gemm(&s->matrix, 0, kern_panels(s->kern, s->matrix.n), KERN_PLAIN, s->rows + from * s->dim, s->dim, m,
                  scores, s->wide);
    for (size_t i = 0; i < m; i++) {
        const float *row = scores + i * s->wide;
        size_t best = 0;
        for (size_t c = 1; c < s->matrix.n; c++)
            if (row[c] > row[best]) best = c;
        s->nearest[from + i] = (uint32_t)best;
    }
    return ERR_OK;
}

Err kmeans_assign(const float *centroids, size_t k, size_t dim, const float *rows, size_t n, Pool *pool,
                  const Deadline *deadline, uint32_t *nearest) {
    Assign s = {.kern = kern_table(), .rows = rows, .n = n, .dim = dim, .nearest = nearest, .deadline = deadline};
    Err err = centroids_pack(&s, centroids, k);
    if (!err) s.scores = malloc(pool_size(pool) * PIECE * s.wide * sizeof *s.scores);
    if (!err && !s.scores) err = err_set(ERR_NOMEM, "out of memory for %zu centroids", k);
    if (!err) err = pool_for(pool, (n + PIECE - 1) / PIECE, assign_piece, &s);
    free(s.scores);
    free(s.block);
    return err;
}

/* Half of what a centroid costs as the second one of a row, but for what is the same for all. score: <x, c> - |c|^2 /
 * 2; along, own: <c, r> and <x, r>, r being the residual to the first, of length 1. */
static inline float second_cost(float score, float along, float own) {
    return 0.5f * (own - along) * (own - along) - score;
}

static Err second_piece(void *ctx, size_t piece, size_t worker) {
    const Assign *s = ctx;
    size_t from = piece * PIECE, m = s->n - from < PIECE ? s->n - from : PIECE,
           panels = kern_panels(s->kern, s->matrix.n);
    float *scores = s->scores + worker * PIECE * s->wide;
    float *residuals = s->along + worker * PIECE * (s->dim + s->wide), *along = residuals + PIECE * s->dim;
    TRY(deadline_check(s->deadline));
    for (size_t i = 0; i < m; i++) {
        const float *row = s->rows + (from + i) * s->dim, *c = s->centroids + s->first[from + i] * s->dim;
        float *r = residuals + i * s->dim, squares = 0;
        for (size_t d = 0; d < s->dim; d++) {
            r[d] = row[d] - c[d];
            squares += r[d] * r[d];
        }
        for (size_t d = 0; d < s->dim && squares > 0; d++) r[d] /= sqrtf(squares);
    }
    s->kern->gemm(&s->matrix, 0, panels, KERN_PLAIN, s->rows + from * s->dim, s->dim, m, scores, s->wide);
    s->kern->gemm(&s->matrix, 0, panels, KERN_PLAIN, residuals, s->dim, m, along, s->wide);
    for (size_t i = 0; i < m; i++) {
        const float own = s->kern->dot(s->rows + (from + i) * s->dim, residuals + i * s->dim, s->dim);
        float least = INFINITY;
        for (size_t c = 0; c < s->matrix.n; c++) {
            /* the product has the bias in it, which is the centroid's own */
            float cost = second_cost(scores[i * s->wide + c], along[i * s->wide + c] - s->matrix.bias[c], own);
            if (c == s->first[from + i] || cost >= least) continue;
            least = cost;
            s->nearest[from + i] = (uint32_t)c;
        }
    }
    return ERR_OK;
}

Err kmeans_assign_second(const float *centroids, size_t k, size_t dim, const float *rows, size_t n, Pool *pool,
                         const Deadline *deadline, const uint32_t *first, uint32_t *second) {
    Assign s = {.kern = kern_table(),
                .rows = rows,
                .n = n,
                .dim = dim,
                .nearest = second,
                .deadline = deadline,
                .centroids = centroids,
                .first = first};
    Err err = centroids_pack(&s, centroids, k);
    if (!err) s.scores = malloc(pool_size(pool) * PIECE * s.wide * sizeof *s.scores);
    if (!err) s.along = malloc(pool_size(pool) * PIECE * (dim + s.wide) * sizeof *s.along);
    if (!err && (!s.scores || !s.along)) err = err_set(ERR_NOMEM, "out of memory for %zu centroids", k);
    for (size_t i = 0; !err && i < n; i++) second[i] = first[i] ? 0 : 1; /* of a row whose costs are not finite */
    if (!err) err = pool_for(pool, (n + PIECE - 1) / PIECE, second_piece, &s);
    free(s.along);
    free(s.scores);
    free(s.block);
    return err;
}

void sample_draw(size_t n, size_t m, uint64_t seed, uint32_t *out) {
    Random random = {seed};
    size_t left = m;
    for (size_t i = 0; i < n && left; i++) /* Knuth's algorithm S: row i is taken with what is left over what remains */
        if (random_unit(&random) * (double)(n - i) < (double)left) out[m - left--] = (uint32_t)i;
}

/* Centroids as means of their rows; sizes[c] how many. */
static void means(const float *rows, size_t n, size_t dim, size_t k, const uint32_t *nearest, uint32_t *sizes,
                  float *centroids) {
    memset(centroids, 0, k * dim * sizeof *centroids);
    memset(sizes, 0, k * sizeof *sizes);
    for (size_t i = 0; i < n; i++) {
        float *c = centroids + nearest[i] * dim;
        sizes[nearest[i]]++;
        for (size_t d = 0; d < dim; d++) c[d] += rows[i * dim + d];
    }
    for (size_t c = 0; c < k; c++)
        for (size_t d = 0; d < dim && sizes[c]; d++) centroids[c * dim + d] /= (float)sizes[c];
}

/* An empty centroid shares the rows of the fullest one: it is set a little off on its one side, that one on the
 * other. */
static void split(size_t dim, size_t k, uint32_t *sizes, float *centroids) {
    for (size_t c = 0; c < k; c++) {
        if (sizes[c]) continue;
        size_t full = 0;
        for (size_t i = 1; i < k; i++)
            if (sizes[i] > sizes[full]) full = i;
        for (size_t d = 0; d < dim; d++) {
            float x = centroids[full * dim + d], off = (d % 2 ? 1.0f : -1.0f) / 1024;
            centroids[c * dim + d] = x * (1 + off);
            centroids[full * dim + d] = x * (1 - off);
        }
        sizes[c] = sizes[full] / 2;
        sizes[full] -= sizes[c];
    }
}

Err kmeans_train(const float *rows, size_t n, size_t dim, size_t k, size_t iterations, uint64_t seed, Pool *pool,
                 const Deadline *deadline, float *centroids) {
    uint32_t *nearest = malloc(n * sizeof *nearest), *sizes = malloc(k * sizeof *sizes);
    Err err = nearest && sizes ? ERR_OK : err_set(ERR_NOMEM, "out of memory for k-means over %zu rows", n);
    if (err) goto done;
    sample_draw(n, k, seed, nearest);
    for (size_t c = 0; c < k; c++) memcpy(centroids + c * dim, rows + nearest[c] * dim, dim * sizeof *centroids);
    for (size_t i = 0; i < iterations; i++) {
        if ((err = kmeans_assign(centroids, k, dim, rows, n, pool, deadline, nearest))) goto done;
        means(rows, n, dim, k, nearest, sizes, centroids);
        split(dim, k, sizes, centroids);
    }
done:
    free(nearest);
    free(sizes);
    return err;
}
