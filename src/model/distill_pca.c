/* distill_pca.c - see distill_pca.h.
 *
 * The covariance is the one place with real work (MiniLM's vocabulary: 30,522 x 384 x 384 = 4.5 billion
 * multiplications), so it goes through the kernels' gemm: 256 rows at a time, transposed, are both the weights and the
 * input of a product whose columns the pool shares. Eigenvectors are found once and for all of them, plainly: a library
 * for 0.3 s would cost more than these lines. Subspace iteration for the first k alone was not tried: it is exact only
 * when it is slow.
 */
#include "model/distill_pca.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- eigenvectors ---- */

typedef struct {
    size_t n;
    double *a;  /* [n, n] the matrix; its rows k below the diagonal become reflector k */
    double *qt; /* [n, n] the transpose of what has been applied so far */
    double *d;  /* [n] diagonal */
    double *e;  /* [n] e[i] beside d[i] and d[i + 1] */
    double *beta, *p;
} Eigen;

/* The reflector 1 - beta v v^T that turns x [n] into (alpha, 0, …); v replaces x. */
static double reflector(double *x, size_t n, double *alpha) {
    double square = 0, tail = 0;
    for (size_t i = 0; i < n; i++) square += x[i] * x[i];
    for (size_t i = 1; i < n; i++) tail += x[i] * x[i];
    *alpha = x[0];
    if (tail == 0) return 0; /* is so already */
    *alpha = x[0] > 0 ? -sqrt(square) : sqrt(square);
    x[0] -= *alpha; /* signs differ: no cancellation */
    return 2 / (x[0] * x[0] + tail);
}

/* a becomes tridiagonal. Reflector k stands in row k of a, from column k + 1: the matrix is symmetric and rows are what
 * memory likes. */
static Err tridiagonalise(Eigen *g, const Deadline *deadline) {
    size_t n = g->n;
    for (size_t k = 0; k + 1 < n; k++) {
        TRY(deadline_check(deadline));
        size_t m = n - k - 1;
        double *v = g->a + k * n + k + 1, dot = 0;
        double beta = g->beta[k] = reflector(v, m, &g->e[k]);
        g->d[k] = g->a[k * n + k];
        if (beta == 0) continue;
        for (size_t i = 0; i < m; i++) { /* p = beta A v */
            const double *row = g->a + (k + 1 + i) * n + k + 1;
            double sum = 0;
            for (size_t j = 0; j < m; j++) sum += row[j] * v[j];
            g->p[i] = beta * sum;
            dot += g->p[i] * v[i];
        }
        for (size_t i = 0; i < m; i++) g->p[i] -= beta / 2 * dot * v[i];
        for (size_t i = 0; i < m; i++) { /* A -= v p^T + p v^T */
            double *row = g->a + (k + 1 + i) * n + k + 1;
            for (size_t j = 0; j < m; j++) row[j] -= v[i] * g->p[j] + g->p[i] * v[j];
        }
    }
    g->d[n - 1] = g->a[n * n - 1];
    g->e[n - 1] = 0;
    return ERR_OK;
}

/* qt = the reflectors' product, transposed: built from the last one, so that each touches only what is not yet unit. */
static void unroll(Eigen *g) {
    size_t n = g->n;
    memset(g->qt, 0, n * n * sizeof *g->qt);
    for (size_t i = 0; i < n; i++) g->qt[i * n + i] = 1;
    for (size_t k = n - 1; k-- > 0;) {
        const double *v = g->a + k * n + k + 1;
        if (g->beta[k] == 0) continue;
        for (size_t i = k + 1; i < n; i++) {
            double *row = g->qt + i * n + k + 1, dot = 0;
            for (size_t j = 0; j < n - k - 1; j++) dot += row[j] * v[j];
            dot *= g->beta[k];
            for (size_t j = 0; j < n - k - 1; j++) row[j] -= dot * v[j];
        }
    }
}

/* Rows i and i + 1 of qt, turned. */
static void turn(Eigen *g, size_t i, double c, double s) {
    double *x = g->qt + i * g->n, *y = x + g->n;
    for (size_t j = 0; j < g->n; j++) {
        double a = x[j], b = y[j];
        x[j] = c * a + s * b;
        y[j] = c * b - s * a;
    }
}

/* One implicit QR step on the block [from, to]: the shift's first turn makes a bulge beside the tridiagonal, the others
 * chase it out at the end. */
static void qr_step(Eigen *g, size_t from, size_t to) {
    double *d = g->d, *e = g->e;
    double half = (d[to - 1] - d[to]) / 2, last = e[to - 1];
    double shift = d[to] - last * (last / (half + copysign(hypot(half, last), half)));
    double x = d[from] - shift, z = e[from];
    for (size_t k = from; k < to; k++) {
        double r = hypot(x, z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        double a = d[k], b = e[k], f = d[k + 1];
        if (k > from) e[k - 1] = r;
        d[k] = c * c * a + 2 * c * s * b + s * s * f;
        d[k + 1] = s * s * a - 2 * c * s * b + c * c * f;
        e[k] = c * s * (f - a) + (c * c - s * s) * b;
        if (k + 1 < to) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        turn(g, k, c, s);
    }
}

/* Drives e to zero, from the end up. */
static Err diagonalise(Eigen *g, const Deadline *deadline) {
    size_t n = g->n, steps = 0;
    double norm = 0;
    for (size_t i = 0; i < n; i++) norm = fmax(norm, fabs(g->d[i]) + fabs(g->e[i]));
    double tiny = norm * DBL_EPSILON;
    for (size_t to = n - 1; to > 0;) {
        if (fabs(g->e[to - 1]) <= tiny) {
            g->e[--to] = 0;
            continue;
        }
        size_t from = to - 1;
        while (from > 0 && fabs(g->e[from - 1]) > tiny) from--;
        qr_step(g, from, to);
        TRY(deadline_check(deadline));
        if (++steps > 60 * n) return err_set(ERR_INTERNAL, "the eigenvectors of a matrix of %zu do not settle", n);
    }
    return ERR_OK;
}

typedef struct {
    double value;
    size_t row;
} Rank;

static int by_value_down(const void *x, const void *y) {
    const Rank *a = x, *b = y;
    if (a->value != b->value) return a->value < b->value ? 1 : -1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Largest first, and each with the sign that it has on every machine. */
static void put_in_order(const Eigen *g, Rank *ranks /* [n] */, double *vectors, double *values) {
    size_t n = g->n;
    for (size_t i = 0; i < n; i++) ranks[i] = (Rank){g->d[i], i};
    qsort(ranks, n, sizeof *ranks, by_value_down);
    for (size_t i = 0; i < n; i++) {
        const double *from = g->qt + ranks[i].row * n;
        double *to = vectors + i * n;
        size_t top = 0;
        for (size_t j = 1; j < n; j++)
            if (fabs(from[j]) > fabs(from[top])) top = j;
        for (size_t j = 0; j < n; j++) to[j] = from[top] < 0 ? -from[j] : from[j];
        values[i] = ranks[i].value;
    }
}

Err eigen_symmetric(double *a, size_t n, const Deadline *deadline, double *vectors, double *values) {
    Arena arena = {0};
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(a[i])) return err_set(ERR_INPUT, "row %zu of a matrix is not finite", i / n);
    Eigen g = {.n = n,
               .a = a,
               .qt = arena_array(&arena, double, n *n),
               .d = arena_array(&arena, double, n),
               .e = arena_array(&arena, double, n),
               .beta = arena_array(&arena, double, n),
               .p = arena_array(&arena, double, n)};
    Rank *ranks = arena_array(&arena, Rank, n);
    Err err = ERR_OK;
    if (!g.qt || !g.d || !g.e || !g.beta || !g.p || !ranks) err = arena_error();
    if (!err && n > 0) {
        err = tridiagonalise(&g, deadline);
        if (!err) unroll(&g);
        if (!err) err = diagonalise(&g, deadline);
        if (!err) put_in_order(&g, ranks, vectors, values);
    }
    arena_free(&arena);
    return err;
}

/* ---- products ---- */

typedef struct {
    const Kern *kern;
    const KernMatrix *w;
    const float *a; /* [m, w->k] */
    size_t m;
    float *out; /* [m, w->n] */
    size_t panels, pieces;
} Product;

static Err product_piece(void *ctx, size_t piece, size_t worker) {
    const Product *j = ctx;
    (void)worker;
    j->kern->gemm(j->w, j->panels * piece / j->pieces, j->panels * (piece + 1) / j->pieces, KERN_PLAIN, j->a, j->w->k,
                  j->m, j->out, j->w->n);
    return ERR_OK;
}

static Err product(const Kern *kern, Pool *pool, const KernMatrix *w, const float *a, size_t m, float *out) {
    Product j = {.kern = kern, .w = w, .a = a, .m = m, .out = out, .panels = kern_panels(kern, w->n)};
    j.pieces = 2 * pool_size(pool) < j.panels ? 2 * pool_size(pool) : j.panels;
    return pool_for(pool, j.pieces, product_piece, &j);
}

/* Room for a matrix [n, k] as gemm wants it, without biases. */
static Err matrix_room(const Kern *kern, Arena *a, size_t n, size_t k, KernMatrix *out, float **panels) {
    size_t wide = kern_panels(kern, n) * kern->panel;
    float *bias = arena_array(a, float, wide);
    *panels = arena_alloc_array(a, wide, k * sizeof **panels);
    if (!bias || !*panels) return arena_error();
    *out = (KernMatrix){.n = n, .k = k, .panels = *panels, .bias = bias};
    return ERR_OK;
}

/* rows [n, k] into the room of a matrix. */
static Err matrix_pack(const Kern *kern, const KernMatrix *m, const float *rows, float *panels) {
    const float *these[KERN_PANEL_MAX];
    for (size_t p = 0; p < kern_panels(kern, m->n); p++) {
        for (size_t r = 0; r < kern->panel; r++) {
            size_t row = p * kern->panel + r;
            these[r] = row < m->n ? rows + row * m->k : NULL;
        }
        if (!kern->pack(these, m->k, panels + p * kern->panel * m->k))
            return err_set(ERR_CORRUPT, "a vector is not finite");
    }
    return ERR_OK;
}

/* ---- the covariance ---- */

enum { BLOCK_ROWS = 256 };

/* sum [dim, dim] += rows^T rows. */
static Err add_squares(const Kern *kern, Pool *pool, Arena *a, const float *rows, size_t n, size_t dim,
                       const Deadline *deadline, double *sum) {
    KernMatrix w;
    float *panels = NULL, *across = arena_alloc_array(a, dim, BLOCK_ROWS * sizeof *across);
    float *part = arena_alloc_array(a, dim, dim * sizeof *part);
    if (!across || !part) return arena_error();
    TRY(matrix_room(kern, a, dim, BLOCK_ROWS, &w, &panels));
    for (size_t from = 0; from < n; from += BLOCK_ROWS) {
        TRY(deadline_check(deadline));
        size_t here = n - from < BLOCK_ROWS ? n - from : BLOCK_ROWS;
        if (here < BLOCK_ROWS) memset(across, 0, dim * BLOCK_ROWS * sizeof *across);
        for (size_t i = 0; i < here; i++)
            for (size_t d = 0; d < dim; d++) across[d * BLOCK_ROWS + i] = rows[(from + i) * dim + d];
        TRY(matrix_pack(kern, &w, across, panels));
        TRY(product(kern, pool, &w, across, dim, part));
        for (size_t i = 0; i < dim * dim; i++) sum[i] += (double)part[i];
    }
    return ERR_OK;
}

static void centre(float *rows, size_t n, size_t dim, double *mean) {
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) mean[d] += (double)rows[i * dim + d];
    for (size_t d = 0; d < dim; d++) mean[d] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) rows[i * dim + d] = (float)((double)rows[i * dim + d] - mean[d]);
}

Err pca_fit(const Kern *kern, Pool *pool, Arena *a, float *rows, size_t n, size_t dim, const Deadline *deadline,
            Pca *out) {
    Arena scratch = {0};
    Err err = ERR_OK;
    double *sum = arena_alloc_array(&scratch, dim, dim * sizeof *sum);
    *out = (Pca){.axes = arena_alloc_array(a, dim, dim * sizeof(double)),
                 .variances = arena_array(a, double, dim),
                 .mean = arena_array(a, double, dim)};
    if (!sum || !out->axes || !out->variances || !out->mean) {
        err = arena_error();
        goto done;
    }
    if (n == 0 || dim == 0) goto done;
    centre(rows, n, dim, out->mean);
    if ((err = add_squares(kern, pool, &scratch, rows, n, dim, deadline, sum))) goto done;
    /* The product's two halves are the same numbers added in the same order, but nobody promises so. */
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++)
            sum[i * dim + j] = sum[j * dim + i] = (sum[i * dim + j] + sum[j * dim + i]) / 2 / (double)n;
    err = eigen_symmetric(sum, dim, deadline, out->axes, out->variances);
done:
    arena_free(&scratch);
    return err;
}

Err pca_project(const Kern *kern, Pool *pool, const Pca *pca, const float *rows, size_t n, size_t dim, size_t k,
                float spread, float *out) {
    Arena scratch = {0};
    KernMatrix w = {0};
    float *panels = NULL, *axes = arena_alloc_array(&scratch, k, dim * sizeof *axes);
    Err err = axes ? matrix_room(kern, &scratch, k, dim, &w, &panels) : arena_error();
    if (err) goto done;
    for (size_t i = 0; i < k; i++) {
        bool flat = !(pca->variances[i] > pca->variances[0] * 1e-6);
        double scale = flat ? 0 : pow(pca->variances[i], -(double)spread / 2);
        for (size_t d = 0; d < dim; d++) axes[i * dim + d] = (float)(pca->axes[i * dim + d] * scale);
    }
    if ((err = matrix_pack(kern, &w, axes, panels))) goto done;
    err = product(kern, pool, &w, rows, n, out);
done:
    arena_free(&scratch);
    return err;
}
