/* hnsw_mend.c - what keeps a graph navigable: closing the gaps of removed nodes, and reaching every node.
 *
 * Removed rows. A node that had an edge to a removed one chooses anew among its own neighbours and those of the
 * removed, so that ways through the removed node become edges past it.
 *
 * Reaching. Choosing drops edges, and a node may lose the last that led to it; duplicates do so often. A walk in
 * breadth from the entry finds the nodes that it does not reach; each gets an edge from the most similar node that was
 * reached, in the place of one that the walk did not need. One look at every edge, and a walk for each node that is
 * mended.
 *
 * Threads: hnsw_old_take uses the pool; hnsw_reach_all is one thread's.
 */
#include "index/hnsw_build.h"

enum { PIECE = 64 /* nodes of a piece of work */ };

/* ---- removed nodes ---- */

static bool stays(const HnswBuild *b, uint32_t slot) { return hnsw_is_node(&b->old, slot) && hnsw_stands(b, slot); }

static size_t add_once(HnswWorker *w, size_t n, uint32_t slot) {
    for (size_t i = 0; i < n; i++)
        if (w->slots[i] == slot) return n;
    w->slots[n] = slot;
    return n + 1;
}

/* The node's neighbours that stay and, for each that does not, its neighbours; *lost: of those. */
static size_t neighbours_left(const HnswBuild *b, HnswWorker *w, uint32_t slot, uint32_t level, size_t *lost) {
    const uint32_t *edges = hnsw_edges(&b->old, slot, level);
    uint32_t room = hnsw_room(&b->old, level);
    size_t n = 0;
    *lost = 0;
    for (uint32_t e = 0; e < room && edges[e] != HNSW_NONE; e++) {
        if (stays(b, edges[e])) {
            n = add_once(w, n, edges[e]);
            continue;
        }
        ++*lost;
        const uint32_t *past = hnsw_edges(&b->old, edges[e], level);
        for (uint32_t p = 0; p < room && past[p] != HNSW_NONE; p++)
            if (past[p] != slot && stays(b, past[p])) n = add_once(w, n, past[p]);
    }
    return n;
}

static Err list_take(HnswBuild *b, HnswWorker *w, uint32_t slot, uint32_t level) {
    uint32_t *list = hnsw_list(b, slot, level);
    size_t room = hnsw_room(&b->old, level), lost, n = neighbours_left(b, w, slot, level, &lost);
    if (lost == 0) {
        memcpy(list, hnsw_edges(&b->old, slot, level), room * sizeof *list);
        return ERR_OK;
    }
    TRY(hnsw_query_row(w, slot));
    TRY(hnsw_compare(&w->walk, w->slots, n, w->keys));
    return hnsw_choose(w, n, room, room, list);
}

static Err nodes_take(void *ctx, size_t piece, size_t worker) {
    HnswBuild *b = ctx;
    uint32_t from = (uint32_t)piece * PIECE, to = from + PIECE < b->old.rows ? from + PIECE : b->old.rows;
    TRY(deadline_check(b->deadline));
    for (uint32_t slot = from; slot < to; slot++)
        for (uint32_t level = 0; stays(b, slot) && level <= hnsw_level(&b->old, slot); level++)
            TRY(list_take(b, &b->workers[worker], slot, level));
    return ERR_OK;
}

Err hnsw_old_take(HnswBuild *b) {
    TRY(pool_for(b->pool, (b->old.rows + PIECE - 1) / PIECE, nodes_take, b));
    for (uint32_t slot = 0; slot < b->old.rows; slot++) {
        if (!stays(b, slot)) continue;
        uint32_t level = hnsw_level(&b->graph, slot);
        if (b->graph.nodes++ && level <= b->graph.top) continue;
        b->graph.entry = slot;
        b->graph.top = level;
    }
    return ERR_OK;
}

/* ---- reaching every node ---- */

typedef struct {
    HnswBuild *b;
    uint64_t *reached; /* [rows] bits */
    uint64_t *needed;  /* [rows * 2 degree] bits: edges by which a node was reached first */
    uint32_t *queue;   /* [nodes] reached nodes, in their order */
    size_t head, n;
} Reach;

static bool bit_of(const uint64_t *bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }
static void bit_set(uint64_t *bits, size_t i) { bits[i / 64] |= UINT64_C(1) << (i % 64); }

static void reach_from(Reach *r, uint32_t slot) {
    size_t room = hnsw_room(&r->b->graph, 0);
    bit_set(r->reached, slot);
    r->queue[r->n++] = slot;
    for (; r->head < r->n; r->head++) {
        size_t at = (size_t)r->queue[r->head] * room;
        for (size_t e = at; e < at + room && r->b->ground[e] != HNSW_NONE; e++) {
            uint32_t to = r->b->ground[e];
            if (bit_of(r->reached, to)) continue;
            bit_set(r->reached, to);
            bit_set(r->needed, e);
            r->queue[r->n++] = to;
        }
    }
}

/* Gives a reached node an edge to `slot`, where it has one to spare. */
static bool edge_give(Reach *r, uint32_t node, uint32_t slot) {
    size_t room = hnsw_room(&r->b->graph, 0), at = (size_t)node * room, e = at;
    while (e < at + room && r->b->ground[e] != HNSW_NONE) e++;
    if (e == at + room) { /* full: the last that is not needed, chosen edges stand first */
        while (e > at && bit_of(r->needed, e - 1)) e--;
        if (e-- == at) return false;
    }
    r->b->ground[e] = slot;
    bit_set(r->needed, e);
    return true;
}

static Err reach(Reach *r, uint32_t slot) {
    HnswWorker *w = &r->b->workers[0];
    uint64_t key;
    w->walk.graph = r->b->graph;
    TRY(hnsw_query_row(w, slot));
    TRY(hnsw_descend(&w->walk, 0, &key));
    hnsw_walk_begin(&w->walk, key);
    TRY(hnsw_walk(&w->walk, 0));
    bool given = false;
    for (size_t i = 0; i < w->walk.n && !given; i++) {
        uint32_t node = hnsw_key_slot(w->walk.pool[i]);
        given = bit_of(r->reached, node) && edge_give(r, node, slot);
    }
    /* there are n - 1 needed edges among n reached nodes, and at least 4 n places */
    for (size_t i = r->n; i-- > 0 && !given;) given = edge_give(r, r->queue[i], slot);
    if (!given) return err_set(ERR_INTERNAL, "node %u of a graph cannot be reached", slot);
    reach_from(r, slot);
    return ERR_OK;
}

Err hnsw_reach_all(HnswBuild *b, Arena *a) {
    size_t rows = b->graph.rows, room = hnsw_room(&b->graph, 0);
    Reach r = {.b = b,
               .reached = arena_array(a, uint64_t, rows / 64 + 1),
               .needed = arena_array(a, uint64_t, rows * room / 64 + 1),
               .queue = arena_array(a, uint32_t, (size_t)b->graph.nodes + 1)};
    if (!r.reached || !r.needed || !r.queue) return arena_error();
    if (b->graph.nodes == 0) return ERR_OK;
    reach_from(&r, b->graph.entry);
    for (uint32_t slot = 0; slot < rows && r.n < b->graph.nodes; slot++)
        if (hnsw_is_node(&b->graph, slot) && !bit_of(r.reached, slot)) TRY(reach(&r, slot));
    return ERR_OK;
}
