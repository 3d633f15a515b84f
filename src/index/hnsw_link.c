/* hnsw_link.c - a batch of nodes becomes part of the graph.
 *
 * First every node of the batch looks for its neighbours, all of them at once, each by a walk over the graph as it was
 * before the batch and by comparing the rest of the batch, and chooses its own edges. Then edges back are added, list
 * by list: a list that overflows is chosen anew. Comparing the batch makes of rows that follow each other, as chunks of
 * one file do, the neighbours that they are.
 */
#include <stdlib.h>

#include "index/hnsw_build.h"

enum { PIECE = 16 /* lists of a piece of work */ };

static void row_widen(const int8_t *row, size_t dim, int16_t *out) {
    for (size_t d = 0; d < dim; d++) out[d] = row[d];
}

static Err item_of(const HnswWorker *w, uint32_t slot, const int8_t **out) {
    const void *item;
    TRY(rows_read(w->walk.rows, w->walk.view, slot, &item));
    *out = item;
    return ERR_OK;
}

Err hnsw_query_row(HnswWorker *w, uint32_t slot) {
    const int8_t *row;
    TRY(item_of(w, slot, &row));
    row_widen(row, w->walk.dim, w->walk.query);
    w->walk.query_scale = row8_scale(row, w->walk.dim);
    return ERR_OK;
}

/* ---- choosing ---- */

static int by_falling_key(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* Whether a candidate is no nearer to any of the chosen than to the node. One that is as near to both is passed over
 * when it is the chosen row once more: of many copies of a row one is chosen, and a copy of the node itself stands in
 * no one's way (else copies would choose each other alone, and be islands). */
static bool stands_alone(const HnswWorker *w, const int8_t *row, float score, size_t chosen) {
    size_t dim = w->walk.dim;
    float scale = row8_scale(row, dim);
    for (size_t i = 0; i < chosen; i++) {
        float between = (float)w->walk.scan->dot8(w->chosen + i * dim, row, dim) * (scale * w->scales[i]);
        if (between > score || (between == score && memcmp(w->rows[i], row, dim) == 0)) return false;
    }
    return true;
}

Err hnsw_choose(HnswWorker *w, size_t n, size_t most, size_t room, uint32_t *list) {
    size_t chosen = 0, passed = 0, dim = w->walk.dim;
    qsort(w->keys, n, sizeof *w->keys, by_falling_key);
    for (size_t i = 0; i < n && chosen < most; i++) {
        const int8_t *row;
        TRY(item_of(w, hnsw_key_slot(w->keys[i]), &row));
        if (stands_alone(w, row, hnsw_key_score(w->keys[i]), chosen)) {
            row_widen(row, dim, w->chosen + chosen * dim);
            w->scales[chosen] = row8_scale(row, dim);
            w->rows[chosen] = row;
            list[chosen++] = hnsw_key_slot(w->keys[i]);
        } else {
            w->passed[passed++] = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < passed && chosen < most; i++) list[chosen++] = hnsw_key_slot(w->keys[w->passed[i]]);
    while (chosen < room) list[chosen++] = HNSW_NONE;
    return ERR_OK;
}

/* ---- edges of the batch's nodes ---- */

static Err batch_compare(const HnswBuild *b, HnswWorker *w, uint32_t slot, uint32_t level) {
    size_t n = 0;
    for (size_t i = 0; i < b->n_batch; i++)
        if (b->batch[i] != slot && hnsw_level(&b->graph, b->batch[i]) >= level) w->slots[n++] = b->batch[i];
    TRY(hnsw_compare(&w->walk, w->slots, n, w->keys));
    for (size_t i = 0; i < n; i++) (void)hnsw_pool_put(&w->walk, w->keys[i]);
    return ERR_OK;
}

static Err node_link(void *ctx, size_t index, size_t worker) {
    HnswBuild *b = ctx;
    HnswWorker *w = &b->workers[worker];
    uint32_t slot = b->batch[index], level = hnsw_level(&b->graph, slot), top = b->graph.top;
    uint64_t key = 0;
    w->walk.graph = b->graph;
    TRY(hnsw_query_row(w, slot));
    if (b->graph.nodes) TRY(hnsw_descend(&w->walk, level, &key));
    for (uint32_t l = level + 1; l-- > 0;) {
        w->walk.n = 0;
        if (b->graph.nodes && l <= top) {
            hnsw_walk_begin(&w->walk, key);
            TRY(hnsw_walk(&w->walk, l));
            key = w->walk.pool[0];
        }
        TRY(batch_compare(b, w, slot, l));
        memcpy(w->keys, w->walk.pool, w->walk.n * sizeof *w->keys);
        TRY(hnsw_choose(w, w->walk.n, b->graph.degree, hnsw_room(&b->graph, l), hnsw_list(b, slot, l)));
    }
    return ERR_OK;
}

/* ---- edges back ---- */

static int by_list(const void *a, const void *b) {
    const HnswEdge *x = a, *y = b;
    if (x->level != y->level) return x->level < y->level ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

static bool list_has(const uint32_t *list, size_t room, uint32_t slot) {
    for (size_t i = 0; i < room && list[i] != HNSW_NONE; i++)
        if (list[i] == slot) return true;
    return false;
}

static void edges_gather(HnswBuild *b) {
    b->n_edges = b->n_groups = 0;
    for (size_t i = 0; i < b->n_batch; i++)
        for (uint32_t slot = b->batch[i], level = 0; level <= hnsw_level(&b->graph, slot); level++) {
            const uint32_t *list = hnsw_list(b, slot, level);
            for (size_t e = 0; e < b->graph.degree && list[e] != HNSW_NONE; e++)
                if (!list_has(hnsw_list(b, list[e], level), hnsw_room(&b->graph, level), slot))
                    b->edges[b->n_edges++] = (HnswEdge){level, list[e], slot};
        }
    qsort(b->edges, b->n_edges, sizeof *b->edges, by_list);
    for (size_t i = 0; i < b->n_edges; i++)
        if (i == 0 || b->edges[i].from != b->edges[i - 1].from || b->edges[i].level != b->edges[i - 1].level)
            b->groups[b->n_groups++] = (uint32_t)i;
    b->groups[b->n_groups] = (uint32_t)b->n_edges;
}

static Err list_extend(HnswBuild *b, HnswWorker *w, const HnswEdge *edges, size_t n) {
    uint32_t slot = edges[0].from, *list = hnsw_list(b, slot, edges[0].level);
    size_t room = hnsw_room(&b->graph, edges[0].level), have = 0;
    while (have < room && list[have] != HNSW_NONE) have++;
    if (n <= room - have) {
        for (size_t i = 0; i < n; i++) list[have + i] = edges[i].to;
        return ERR_OK;
    }
    memcpy(w->slots, list, have * sizeof *list);
    for (size_t i = 0; i < n; i++) w->slots[have + i] = edges[i].to;
    TRY(hnsw_query_row(w, slot));
    TRY(hnsw_compare(&w->walk, w->slots, have + n, w->keys));
    return hnsw_choose(w, have + n, room, room, list);
}

static Err lists_extend(void *ctx, size_t piece, size_t worker) {
    HnswBuild *b = ctx;
    size_t to = (piece + 1) * PIECE < b->n_groups ? (piece + 1) * PIECE : b->n_groups;
    TRY(deadline_check(b->deadline));
    for (size_t g = piece * PIECE; g < to; g++)
        TRY(list_extend(b, &b->workers[worker], b->edges + b->groups[g], b->groups[g + 1] - b->groups[g]));
    return ERR_OK;
}

Err hnsw_batch_link(HnswBuild *b) {
    TRY(pool_for(b->pool, b->n_batch, node_link, b));
    edges_gather(b);
    TRY(pool_for(b->pool, (b->n_groups + PIECE - 1) / PIECE, lists_extend, b));
    for (size_t i = 0; i < b->n_batch; i++) {
        uint32_t level = hnsw_level(&b->graph, b->batch[i]);
        if (b->graph.nodes++ && level <= b->graph.top) continue;
        b->graph.entry = b->batch[i];
        b->graph.top = level;
    }
    return ERR_OK;
}
