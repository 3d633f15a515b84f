/* pca.c - see pca.h. */
#include "index/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/random.h"
#include "kern/kern.h"

enum {
    ITERATIONS =
        8 /* the spectra of embeddings fall slowly, and any mixture of like components serves; 20 change nothing */
};

static void mean_take(float *rows, size_t n, size_t dim, float *mean) {
    memset(mean, 0, dim * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) mean[d] += rows[i * dim + d];
    for (size_t d = 0; d < dim; d++) mean[d] /= (float)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) rows[i * dim + d] -= mean[d];
}

/* matrix[a][b] = sum over rows of their numbers a and b; columns: [dim, n] the rows turned over. */
static Err covariance(const float *rows, size_t n, size_t dim, const Deadline *deadline, float *columns,
                      float *matrix) {
    const Kern *kern = kern_table();
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) columns[d * n + i] = rows[i * dim + d];
    for (size_t a = 0; a < dim; a++) {
        TRY(deadline_check(deadline));
        for (size_t b = 0; b <= a; b++)
            matrix[a * dim + b] = matrix[b * dim + a] = kern->dot(columns + a * n, columns + b * n, n);
    }
    return ERR_OK;
}

static void randomise(Random *random, size_t dim, float *v) {
    for (size_t d = 0; d < dim; d++) v[d] = (float)(random_unit(random) - 0.5);
}

/* What of v is left when all that lies along the first `count` of basis is taken away, as a length before; v is made of
 * length 1. Twice, since once leaves what was rounded. */
static float orthogonal(const float *basis, size_t count, size_t dim, float *v) {
    const Kern *kern = kern_table();
    float before = sqrtf(kern->dot(v, v, dim));
    for (int pass = 0; pass < 2; pass++)
        for (size_t j = 0; j < count; j++) {
            float along = kern->dot(basis + j * dim, v, dim);
            for (size_t d = 0; d < dim; d++) v[d] -= along * basis[j * dim + d];
        }
    float length = sqrtf(kern->dot(v, v, dim));
    for (size_t d = 0; d < dim && length > 0; d++) v[d] /= length;
    return before > 0 ? length / before : 0;
}

static void orthogonalise(Random *random, size_t count, size_t dim, float *basis) {
    for (size_t j = 0; j < count; j++)
        while (!(orthogonal(basis, j, dim, basis + j * dim) > 1e-5f)) randomise(random, dim, basis + j * dim);
}

/* variances[j] = <basis j, matrix basis j> / n, and both in falling order of it; products: [count, dim] matrix basis
 * j. */
static void by_variance(size_t n, size_t count, size_t dim, const float *products, float *basis, float *variances) {
    for (size_t j = 0; j < count; j++) {
        float along = kern_table()->dot(basis + j * dim, products + j * dim, dim) / (float)n;
        variances[j] = along > 0 ? along : 0;
    }
    for (size_t j = 1; j < count; j++) /* nearly in order as they are */
        for (size_t i = j; i > 0 && variances[i] > variances[i - 1]; i--) {
            float *a = basis + (i - 1) * dim, *b = basis + i * dim, variance = variances[i];
            variances[i] = variances[i - 1];
            variances[i - 1] = variance;
            for (size_t d = 0; d < dim; d++) {
                float x = a[d];
                a[d] = b[d];
                b[d] = x;
            }
        }
}

Err pca_train(float *rows, size_t n, size_t dim, size_t count, uint64_t seed, const Deadline *deadline, float *mean,
              float *basis, float *variances) {
    const Kern *kern = kern_table();
    Random random = {seed};
    float *columns = malloc(n * dim * sizeof *columns), *matrix = malloc(dim * dim * sizeof *matrix);
    float *next = malloc(count * dim * sizeof *next);
    Err err =
        columns && matrix && next ? ERR_OK : err_set(ERR_NOMEM, "out of memory for the components of %zu rows", n);
    if (err) goto done;
    mean_take(rows, n, dim, mean);
    if ((err = covariance(rows, n, dim, deadline, columns, matrix))) goto done;
    randomise(&random, count * dim, basis);
    orthogonalise(&random, count, dim, basis);
    for (size_t i = 0;; i++) {
        if ((err = deadline_check(deadline))) goto done;
        for (size_t j = 0; j < count; j++) kern->dot_rows(basis + j * dim, matrix, dim, dim, next + j * dim);
        if (i == ITERATIONS) break;
        memcpy(basis, next, count * dim * sizeof *basis);
        orthogonalise(&random, count, dim, basis);
    }
    by_variance(n, count, dim, next, basis, variances);
done:
    free(columns);
    free(matrix);
    free(next);
    return err;
}
