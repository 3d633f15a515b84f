/* hnsw_walk.c - see hnsw_walk.h. */
#include "index/hnsw_walk.h"

enum {
    BATCH = 64,   /* rows compared at a time */
    PATIENCE = 64 /* nodes between two looks at the clock */
};

static void compare_rows(HnswWalk *w, const uint32_t *slots, const int8_t *const *items, size_t n, uint64_t *keys) {
    int32_t dots[BATCH];
    w->scan->dot8_each(w->query, items, n, w->dim, dots);
    for (size_t i = 0; i < n; i++)
        keys[i] = hnsw_key(slots[i], (float)dots[i] * (w->query_scale * row8_scale(items[i], w->dim)));
    w->compared += (uint32_t)n;
}

static inline Err item_fetch(HnswWalk *w, uint32_t slot, const int8_t **item) {
    const void *at;
    TRY(rows_read(w->rows, w->view, slot, &at));
    row8_ahead(at, w->dim);
    *item = at;
    return ERR_OK;
}

Err hnsw_compare(HnswWalk *w, const uint32_t *slots, size_t n, uint64_t *keys) {
    const int8_t *items[BATCH];
    for (size_t from = 0; from < n; from += BATCH) {
        size_t m = n - from < BATCH ? n - from : BATCH;
        for (size_t i = 0; i < m; i++) TRY(item_fetch(w, slots[from + i], &items[i]));
        compare_rows(w, slots + from, items, m, keys + from);
    }
    return ERR_OK;
}

size_t hnsw_pool_put(HnswWalk *w, uint64_t key) {
    uint64_t *pool = w->pool;
    if (w->n == w->width && key < pool[w->n - 1]) return w->n;
    size_t at = 0; /* keys before it are better; halving without branches */
    for (size_t left = w->n; left > 0;) {
        size_t half = left / 2;
        bool better = pool[at + half] > key;
        at = better ? at + half + 1 : at;
        left = better ? left - half - 1 : half;
    }
    memmove(pool + at + 1, pool + at, (w->n - at) * sizeof *pool);
    pool[at] = key;
    if (w->n < w->width) w->n++; /* else the worst falls off the end, where there is room for it */
    return at;
}

static inline bool is_visited(const HnswWalk *w, uint32_t slot) { return w->visited[slot / 64] >> (slot % 64) & 1; }

static inline bool visit(HnswWalk *w, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64), *word = &w->visited[slot / 64];
    bool fresh = !(*word & bit);
    *word |= bit;
    return fresh;
}

void hnsw_walk_begin(HnswWalk *w, uint64_t key) {
    memset(w->visited, 0, (w->graph.rows + 63) / 64 * sizeof *w->visited);
    (void)visit(w, hnsw_key_slot(key));
    w->pool[0] = key | HNSW_FRESH;
    w->n = 1;
}

/* The first place in the pool, from `at` on, of a node whose edges were not followed. */
static inline size_t fresh_from(const HnswWalk *w, size_t at) {
    while (at < w->n && !(w->pool[at] & HNSW_FRESH)) at++;
    return at;
}

static inline void edges_ahead(const HnswWalk *w, size_t at, uint32_t level) {
    if (at >= w->n) return;
    const uint32_t *edges = hnsw_edges(&w->graph, hnsw_key_slot(w->pool[at]), level);
    for (uint32_t e = 0; e < hnsw_room(&w->graph, level); e += 64 / sizeof *edges) __builtin_prefetch(edges + e);
}

/* The rows that edges of the pool's node `at` lead to. */
static void rows_ahead(const HnswWalk *w, size_t at, uint32_t level) {
    if (at >= w->n) return;
    const uint32_t *edges = hnsw_edges(&w->graph, hnsw_key_slot(w->pool[at]), level);
    for (uint32_t e = 0, room = hnsw_room(&w->graph, level); e < room && edges[e] != HNSW_NONE; e++)
        if (!is_visited(w, edges[e])) row8_ahead(rows_item(w->view, edges[e]), w->dim);
}

/* Meets the neighbours of a node; *lowest: where the best of them stands, at most what it was. next: place of the node
 * whose turn it will be unless a better one is met here. Its neighbours come from memory while these are compared; when
 * it is not its turn then, it will be soon. */
static Err edges_follow(HnswWalk *w, uint32_t slot, uint32_t level, size_t next, size_t *lowest) {
    const uint32_t *edges = hnsw_edges(&w->graph, slot, level);
    uint32_t room = hnsw_room(&w->graph, level);
    for (uint32_t e = 0; e < room && edges[e] != HNSW_NONE;) {
        uint32_t slots[BATCH];
        const int8_t *items[BATCH];
        uint64_t keys[BATCH];
        size_t n = 0;
        bool first = e == 0;
        for (; e < room && edges[e] != HNSW_NONE && n < BATCH; e++) {
            if (!visit(w, edges[e])) continue;
            TRY(item_fetch(w, edges[e], &items[n]));
            slots[n++] = edges[e];
        }
        if (first) rows_ahead(w, next, level);
        compare_rows(w, slots, items, n, keys);
        for (size_t i = 0; i < n; i++) {
            size_t at = hnsw_pool_put(w, keys[i]);
            if (at < *lowest) *lowest = at;
        }
    }
    return ERR_OK;
}

Err hnsw_walk(HnswWalk *w, uint32_t level) {
    uint32_t steps = 0;
    for (size_t at = fresh_from(w, 0); at < w->n; at = fresh_from(w, at)) {
        uint64_t key = w->pool[at];
        if (steps++ % PATIENCE == 0) TRY(deadline_check(w->deadline));
        w->pool[at] = key & ~HNSW_FRESH;
        size_t next = fresh_from(w, at + 1), lowest = next;
        edges_ahead(w, next, level);
        edges_ahead(w, fresh_from(w, next + 1), level);
        TRY(edges_follow(w, hnsw_key_slot(key), level, next, &lowest));
        at = lowest;
    }
    return ERR_OK;
}

Err hnsw_descend(HnswWalk *w, uint32_t level, uint64_t *key) {
    uint32_t entry = w->graph.entry;
    uint64_t keys[HNSW_DEGREE_MAX];
    TRY(hnsw_compare(w, &entry, 1, key));
    for (uint32_t l = w->graph.top; l > level; l--)
        for (uint64_t before = 0; before != *key;) {
            const uint32_t *edges = hnsw_edges(&w->graph, hnsw_key_slot(*key), l);
            size_t n = 0;
            before = *key;
            while (n < w->graph.degree && edges[n] != HNSW_NONE) n++;
            TRY(hnsw_compare(w, edges, n, keys));
            for (size_t i = 0; i < n; i++)
                if (keys[i] > *key) *key = keys[i];
        }
    return ERR_OK;
}
