/* hnsw_walk.h - the walk along edges that searching and building share.
 *
 * The best nodes met stand in one array sorted by falling key, `width` of them at most. A key is a node's score and
 * slot in one number, so that a comparison is one instruction and its order is total: 32 bits of score, 31 of slot (the
 * lower one is the better), and the lowest bit tells that the node's edges were not followed yet.
 *
 * A sorted array, not the two heaps of the paper: for widths up to some hundred, moving half of it costs less than a
 * heap's mispredicted branches.
 *
 * Threads: one a walk.
 */
#ifndef PYTHIA_INDEX_HNSW_WALK_H
#define PYTHIA_INDEX_HNSW_WALK_H

#include "index/hnsw.h"

#define HNSW_FRESH UINT64_C(1)

typedef struct {
    const KernScan *scan;
    const Rows *rows;
    RowsView *view;
    HnswGraph graph;
    const Deadline *deadline;
    size_t dim;
    int16_t *query; /* [dim] */
    float query_scale;
    uint64_t *visited; /* [(graph.rows + 63) / 64] */
    uint64_t *pool;    /* [width + 1] */
    size_t width, n;
    uint32_t compared; /* rows, ever */
} HnswWalk;

static inline uint64_t hnsw_key(uint32_t slot, float score) {
    union {
        float value;
        uint32_t bits;
    } u = {.value = score == score ? score + 0.0f : -INFINITY}; /* + 0: of -0 it makes 0 */
    uint32_t order = u.bits >> 31 ? ~u.bits : u.bits | UINT32_C(1) << 31;
    return (uint64_t)order << 32 | (uint32_t)(HNSW_ROWS_MAX - 1 - slot) << 1 | HNSW_FRESH;
}

static inline uint32_t hnsw_key_slot(uint64_t key) { return HNSW_ROWS_MAX - 1 - ((uint32_t)key >> 1); }

static inline float hnsw_key_score(uint64_t key) {
    uint32_t order = (uint32_t)(key >> 32);
    union {
        uint32_t bits;
        float value;
    } u = {.bits = order >> 31 ? order & ~(UINT32_C(1) << 31) : ~order};
    return u.value;
}

/* keys[i] of slots[i] for the walk's query. */
MUST_USE Err hnsw_compare(HnswWalk *w, const uint32_t *slots /* [n] */, size_t n, uint64_t *keys /* [n] */);

/* Puts a key in its place, which is returned; the pool's size when it is not good enough. */
size_t hnsw_pool_put(HnswWalk *w, uint64_t key);

/* Empties pool and visited, and begins anew from a node. */
void hnsw_walk_begin(HnswWalk *w, uint64_t key);

/* Follows edges of a level from what is in the pool until nothing fresh is left in it. */
MUST_USE Err hnsw_walk(HnswWalk *w, uint32_t level);

/* From the entry down to `level`, at each node to the best of its neighbours. */
MUST_USE Err hnsw_descend(HnswWalk *w, uint32_t level, uint64_t *key);

#endif
