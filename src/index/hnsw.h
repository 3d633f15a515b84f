/* hnsw.h - the insides of the hnsw kind: a graph over int8 rows whose edges lead from anywhere to the neighbours of a
 * query.
 *
 * After Malkov and Yashunin (arXiv 1603.09320). Every row is a node of level 0, one in M also of level 1, one in M^2 of
 * level 2, and so on, drawn from the seed and the slot. A node has up to 2 M edges on level 0 and M on each level
 * above. A search goes greedily down the sparse levels, then keeps the ef best nodes met on level 0 and follows the
 * edges of each until none of them leads to a better one.
 *
 * Similarity is the inner product of the int8 rows, in building as in searching, so the graph is a function of bytes.
 *
 * What is built (built.h): words as HnswWord names them, parts as HnswPart does. A list of edges is a fixed number of
 * slots, HNSW_NONE behind the last. A slot that is no node has itself as its first neighbour, as no node has: its row
 * was removed before the build, or it is a twin, the same as that of a node byte for byte, and hangs on it in a chain
 * (hnsw_twins.c). 523 bytes a row of 384 dimensions at M 16, 386 of them the row; 4 more where rows have twins.
 */
#ifndef PYTHIA_INDEX_HNSW_H
#define PYTHIA_INDEX_HNSW_H

#include "index/rows8.h"

#define HNSW_NONE     UINT32_MAX
#define HNSW_ROWS_MAX (UINT32_C(1) << 31) /* a slot and a flag share 32 bits (hnsw_walk.h) */

enum {
    HNSW_DEGREE_MIN = 2,
    HNSW_DEGREE_MAX = 128,
    HNSW_LEVEL_MAX = 24,
    HNSW_EF_MAX = 65536,
};

typedef enum {
    HNSW_DEGREE,
    HNSW_EF,
    HNSW_NODES,
    HNSW_LIVE, /* rows that were there, nodes and their twins */
    HNSW_ENTRY,
    HNSW_TOP,   /* the entry's level */
    HNSW_LISTS, /* of edges on all levels above 0 */
    HNSW_SEED_LOW,
    HNSW_SEED_HIGH
} HnswWord;

typedef enum {
    HNSW_GROUND, /* u32 [rows][2 degree] edges of level 0 */
    HNSW_STARTS, /* u32 [rows + 1] the first list of each slot; it has one a level above 0 */
    HNSW_UPPER,  /* u32 [lists][degree] */
    HNSW_TWINS,  /* u32 [rows] the next row that is the same, HNSW_NONE behind the last; empty when none is */
    HNSW_N_PARTS
} HnswPart;

typedef struct {
    uint32_t rows, nodes, live, degree, ef, entry, top, lists;
    uint64_t seed;
    const uint32_t *ground, *starts, *upper, *twins; /* twins: NULL when there are none */
} HnswGraph;

/* The graph in a built file. Sizes are checked here; that edges lead to nodes, by hnsw_graph_check. */
MUST_USE Err hnsw_graph_read(const BuiltFile *f, const Built *b, HnswGraph *out);

/* ERR_CORRUPT when an edge leads to no node of its level or stands behind a gap. A look at every edge. */
MUST_USE Err hnsw_graph_check(const BuiltFile *f, const HnswGraph *g);

static inline uint32_t hnsw_level(const HnswGraph *g, uint32_t slot) { return g->starts[slot + 1] - g->starts[slot]; }

/* Slots of a list on that level. */
static inline uint32_t hnsw_room(const HnswGraph *g, uint32_t level) { return level ? g->degree : 2 * g->degree; }

static inline const uint32_t *hnsw_edges(const HnswGraph *g, uint32_t slot, uint32_t level) {
    return level ? g->upper + ((size_t)g->starts[slot] + level - 1) * g->degree
                 : g->ground + (size_t)slot * 2 * g->degree;
}

static inline bool hnsw_is_node(const HnswGraph *g, uint32_t slot) {
    return slot < g->rows && g->ground[(size_t)slot * 2 * g->degree] != slot;
}

static inline uint32_t hnsw_twin(const HnswGraph *g, uint32_t slot) { return g->twins ? g->twins[slot] : HNSW_NONE; }

/* hnsw_build.c */
bool hnsw_build_due(const VecIndex *base);
Err hnsw_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* hnsw_search.c */
Err hnsw_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);

#endif
