/* pca.h - the directions in which rows differ most: principal components by subspace iteration.
 *
 * Each comes with the variance along it, the largest first; of directions that differ little in variance any mixture is
 * as good, so the iteration need not tell them apart.
 *
 * Deterministic for a seed and a level of kernels. Source: Halko, Martinsson and Tropp 2011 (arXiv 0909.4061), 4.5.
 */
#ifndef PYTHIA_INDEX_PCA_H
#define PYTHIA_INDEX_PCA_H

#include "base/clock.h"
#include "base/err.h"

/* mean [dim], basis [count, dim], orthonormal, and variances [count], falling, from rows [n, dim], n > 0. count: at
 * most dim. Where rows differ in fewer directions than that, the rest are any, of variance 0. rows are made differences
 * to the mean. Cost: n dim^2 + 16 count dim^2; 8,192 rows of 384 and 240 components: 0.5 s on one core. ERR_NOMEM,
 * ERR_DEADLINE, ERR_INTERRUPT. */
MUST_USE Err pca_train(float *rows, size_t n, size_t dim, size_t count, uint64_t seed, const Deadline *deadline,
                       float *mean, float *basis, float *variances);

#endif
