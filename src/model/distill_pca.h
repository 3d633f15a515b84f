/* distill_pca.h - principal axes of many vectors, exactly: the eigenvectors of their covariance. Private to the room.
 *
 * Deterministic: the same bits for the same input and level of kernels, whatever the number of threads.
 */
#ifndef PYTHIA_MODEL_DISTILL_PCA_H
#define PYTHIA_MODEL_DISTILL_PCA_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "kern/kern.h"

/* Eigenvectors and eigenvalues of a symmetric matrix, largest value first. a [n, n] is overwritten; vectors [n, n]: one
 * a row, of length 1, its component of largest magnitude positive; values [n]. Householder's reduction to a tridiagonal
 * matrix, then QR steps with Wilkinson's shift (Golub & Van Loan, Matrix Computations, 8.3). Cost: some 9 n^3
 * operations: 0.3 s for 384, 5 s for 1,024. Errors: ERR_INPUT (not finite), ERR_NOMEM, ERR_DEADLINE, ERR_INTERRUPT. */
MUST_USE Err eigen_symmetric(double *a, size_t n, const Deadline *deadline, double *vectors, double *values);

typedef struct {
    double *axes;      /* [dim, dim] a row an axis, the one of the largest variance first */
    double *variances; /* [dim] */
    double *mean;      /* [dim] */
} Pca;

/* Axes of rows [n, dim], which are centred in place; *out in the arena. Sums of 256 rows are made in f32, those of the
 * sums in double. Cost: n dim^2 multiplications, over the pool, then eigen_symmetric's. */
MUST_USE Err pca_fit(const Kern *kern, Pool *pool, Arena *a, float *rows, size_t n, size_t dim,
                     const Deadline *deadline, Pca *out);

/* out [n, k] = rows [n, dim] on the first k axes, each divided by the power `spread` / 2 of its variance. An axis
 * without variance (less than a millionth of the first one's) gives zeros. */
MUST_USE Err pca_project(const Kern *kern, Pool *pool, const Pca *pca, const float *rows, size_t n, size_t dim,
                         size_t k, float spread, float *out);

#endif
