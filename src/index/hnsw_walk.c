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
    for (size_t d = 0; d <= w->dim; d += 64) __builtin_prefetch((const char *)at + d);
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

/* Meets a node's neighbours; *lowest: where the best of them stands, at most what it was. */
static Err edges_follow(HnswWalk *w, uint32_t slot, uint32_t level, size_t *lowest) {
    const uint32_t *edges = hnsw_edges(&w->graph, slot, level);
    uint32_t room = hnsw_room(&w->graph, level);
    for (uint32_t e = 0; e < room && edges[e] != HNSW_NONE;) {
        uint32_t slots[BATCH];
        const int8_t *items[BATCH];
        uint64_t keys[BATCH];
        size_t n = 0;
        for (; e < room && edges[e] != HNSW_NONE && n < BATCH; e++) {
            if (!visit(w, edges[e])) continue;
            TRY(item_fetch(w, edges[e], &items[n]));
            slots[n++] = edges[e];
        }
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
    for (size_t at = 0; at < w->n;) {
        uint64_t key = w->pool[at];
        if (!(key & HNSW_FRESH)) {
            at++;
            continue;
        }
        if (steps++ % PATIENCE == 0) TRY(deadline_check(w->deadline));
        w->pool[at] = key & ~HNSW_FRESH;
        size_t lowest = at + 1;
        if (lowest < w->n) __builtin_prefetch(hnsw_edges(&w->graph, hnsw_key_slot(w->pool[lowest]), level));
        TRY(edges_follow(w, hnsw_key_slot(key), level, &lowest));
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
