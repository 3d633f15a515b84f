/* pca.h - the directions in which rows differ most: principal components by subspace iteration.
 *
 * The components are wanted as a space, not one by one: they are turned within it at random, so that each of them has about
 * the same share of what rows differ by, which is what codes of equal bits for all want.
 *
 * Deterministic for a seed and a level of kernels. Source: Halko, Martinsson and Tropp 2011 (arXiv 0909.4061), 4.5.
 */
#ifndef PYTHIA_INDEX_PCA_H
#define PYTHIA_INDEX_PCA_H

#include "base/clock.h"
#include "base/err.h"

/* mean [dim] and basis [count, dim], orthonormal, from rows [n, dim], n > 0. count: a multiple of 16, at most dim. Where rows
 * differ in fewer directions than that, the rest are any. rows are made differences to the mean. Cost: n dim^2 + 40 count
 * dim^2; 4,096 rows of 384 and 192 components: 0.2 s on one core. ERR_NOMEM, ERR_DEADLINE, ERR_INTERRUPT. */
MUST_USE Err pca_train(float *rows, size_t n, size_t dim, size_t count, uint64_t seed, const Deadline *deadline,
                       float *mean, float *basis);

#endif
