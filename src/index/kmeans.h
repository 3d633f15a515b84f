/* kmeans.h - k-means (Lloyd's) for partitions and product quantisation: nearest by distance, distances by matrix
 * products.
 *
 * Deterministic for a seed: sums run in the rows' order on one thread, so the pool's size changes nothing.
 * Cost: a pass is 2 n k dim operations at the matrix product's speed (100 GFLOP/s a Zen 4 core).
 */
#ifndef PYTHIA_INDEX_KMEANS_H
#define PYTHIA_INDEX_KMEANS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"

/* centroids [k, dim] from rows [n, dim], n >= k > 0: begun with k rows drawn at random. A centroid that loses all its
 * rows is set beside that of the most rows. ERR_NOMEM, ERR_DEADLINE, ERR_INTERRUPT. */
MUST_USE Err kmeans_train(const float *rows, size_t n, size_t dim, size_t k, size_t iterations, uint64_t seed,
                          Pool *pool, const Deadline *deadline, float *centroids);

/* nearest[i]: the centroid of least distance to row i, the lower number of equals. */
MUST_USE Err kmeans_assign(const float *centroids, size_t k, size_t dim, const float *rows, size_t n, Pool *pool,
                           const Deadline *deadline, uint32_t *nearest /* [n] */);

/* second[i]: another centroid for row i, for searches that would miss the first. first: of kmeans_assign; k > 1. What
 * makes a row hard to find is a query along its residual r = row - first, so of what is left to the second centroid the
 * part along r counts once more: the least |r'|^2 + <r', r>^2 / |r|^2. Cost: two passes. (SOAR: Sun, Guo and Kumar
 * 2023, arXiv 2404.00774.) */
MUST_USE Err kmeans_assign_second(const float *centroids, size_t k, size_t dim, const float *rows, size_t n, Pool *pool,
                                  const Deadline *deadline, const uint32_t *first /* [n] */,
                                  uint32_t *second /* [n] */);

/* m of n numbers, rising, drawn evenly: which rows are trained on. m <= n. */
void sample_draw(size_t n, size_t m, uint64_t seed, uint32_t *out /* [m] */);

#endif
