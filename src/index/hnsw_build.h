/* hnsw_build.h - a graph under construction, between the files that build it (hnsw_build.c, hnsw_link.c, hnsw_mend.c).
 *
 * The same graph comes out whatever the number of threads: whatever runs in parallel reads what no one writes
 * meanwhile, and writes to lists of its own.
 */
#ifndef PYTHIA_INDEX_HNSW_BUILD_H
#define PYTHIA_INDEX_HNSW_BUILD_H

#include "index/hnsw_walk.h"

enum { HNSW_BATCH = 512 /* nodes added at a time */ };

/* What one thread works with. */
typedef struct {
    HnswWalk walk;       /* its width is ef */
    uint64_t *keys;      /* [n_keys] candidates */
    int16_t *chosen;     /* [2 degree, dim] rows of the neighbours chosen so far, for dot8 */
    const int8_t **rows; /* [2 degree] the same rows */
    float *scales;       /* [2 degree] theirs */
    uint32_t *slots;     /* [n_keys] */
    uint32_t *passed;    /* [n_keys] places of candidates that were passed over */
} HnswWorker;

/* An edge back, from a node to one of the batch. */
typedef struct {
    uint32_t level, from, to;
} HnswEdge;

typedef struct {
    Rows8 *ix;
    RowsView *v;
    Pool *pool;
    const Deadline *deadline;
    size_t dim, n_keys;
    HnswGraph graph;  /* of the nodes linked so far; its arrays are these: */
    uint32_t *ground; /* [rows][2 degree] */
    uint32_t *starts; /* [rows + 1] */
    uint32_t *upper;  /* [lists][degree] */
    HnswGraph old;    /* what was built before; rows 0 when it is not used */
    uint32_t *first;  /* [rows] the node that holds a row: its own or that of its like; HNSW_NONE: removed */
    uint32_t *twins;  /* [rows] the next row that is the same, HNSW_NONE behind the last */
    size_t n_twins;
    uint32_t *batch; /* [n_batch] slots */
    size_t n_batch;
    HnswEdge *edges;  /* [n_edges] by level, from, to */
    uint32_t *groups; /* [n_groups + 1] first edge of each node's */
    size_t n_edges, n_groups;
    HnswWorker *workers;
} HnswBuild;

static inline uint32_t *hnsw_list(const HnswBuild *b, uint32_t slot, uint32_t level) {
    size_t degree = b->graph.degree;
    return level ? b->upper + ((size_t)b->starts[slot] + level - 1) * degree : b->ground + (size_t)slot * 2 * degree;
}

/* Whether a slot is to be a node. */
static inline bool hnsw_stands(const HnswBuild *b, uint32_t slot) { return b->first[slot] == slot; }

/* hnsw_twins.c: fills first and twins. */
MUST_USE Err hnsw_twins_find(HnswBuild *b, Arena *a);

/* hnsw_link.c */

/* The row of a slot becomes the walk's query. */
MUST_USE Err hnsw_query_row(HnswWorker *w, uint32_t slot);
/* Sorts keys best first, then chooses `most` of them at most: those that are nearer to the node than to any chosen
 * before (the paper's heuristic), then the best of those passed over. The rest of the list's room is HNSW_NONE. */
MUST_USE Err hnsw_choose(HnswWorker *w, size_t n, size_t most, size_t room, uint32_t *list /* [room] */);
/* Links the batch into the graph. */
MUST_USE Err hnsw_batch_link(HnswBuild *b);

/* hnsw_mend.c */

/* Takes over the old graph without the nodes whose rows were removed. */
MUST_USE Err hnsw_old_take(HnswBuild *b);
/* Makes every node reachable from the entry on level 0. */
MUST_USE Err hnsw_reach_all(HnswBuild *b, Arena *a);

#endif
