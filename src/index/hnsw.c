/* hnsw.c - the hnsw kind: opening, and believing a graph only after a look at every edge. Building is in hnsw_build.c,
 * searching in hnsw_search.c; what it is, in hnsw.h.
 */
#include "index/hnsw.h"

#include <stdlib.h>

static Err damaged(const BuiltFile *f, const char *what) {
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %s", f->path, what), INDEX_FILE_FIX);
}

Err hnsw_graph_read(const BuiltFile *f, const Built *b, HnswGraph *out) {
    *out = (HnswGraph){.rows = b->rows,
                       .nodes = b->words[HNSW_NODES],
                       .live = b->words[HNSW_LIVE],
                       .degree = b->words[HNSW_DEGREE],
                       .ef = b->words[HNSW_EF],
                       .entry = b->words[HNSW_ENTRY],
                       .top = b->words[HNSW_TOP],
                       .lists = b->words[HNSW_LISTS],
                       .seed = (uint64_t)b->words[HNSW_SEED_HIGH] << 32 | b->words[HNSW_SEED_LOW]};
    if (out->degree < HNSW_DEGREE_MIN || out->degree > HNSW_DEGREE_MAX || out->rows >= HNSW_ROWS_MAX)
        return damaged(f, "its graph has sizes that no graph has");
    TRY(built_expect(f, b, HNSW_GROUND, (size_t)out->rows * 2 * out->degree * sizeof(uint32_t)));
    TRY(built_expect(f, b, HNSW_STARTS, ((size_t)out->rows + 1) * sizeof(uint32_t)));
    TRY(built_expect(f, b, HNSW_UPPER, (size_t)out->lists * out->degree * sizeof(uint32_t)));
    bool twins = b->n_parts > HNSW_TWINS && b->parts[HNSW_TWINS].n;
    TRY(built_expect(f, b, HNSW_TWINS, twins ? out->rows * sizeof(uint32_t) : 0));
    out->ground = b->parts[HNSW_GROUND].bytes;
    out->starts = b->parts[HNSW_STARTS].bytes;
    out->upper = b->parts[HNSW_UPPER].bytes;
    out->twins = twins ? b->parts[HNSW_TWINS].bytes : NULL;
    return ERR_OK;
}

/* Whether all edges of a list lead to nodes of that level, and nothing stands behind the last: a build upon this graph
 * puts an edge there, and what follows would be edges again. */
static bool list_fits(const HnswGraph *g, uint32_t slot, uint32_t level) {
    const uint32_t *edges = hnsw_edges(g, slot, level);
    uint32_t room = hnsw_room(g, level), i = 0;
    for (; i < room && edges[i] != HNSW_NONE; i++)
        if (edges[i] == slot || !hnsw_is_node(g, edges[i]) || hnsw_level(g, edges[i]) < level) return false;
    while (i < room && edges[i] == HNSW_NONE) i++;
    return i == room;
}

/* Chains rise, so they end; and their links are no nodes. */
static bool twin_fits(const HnswGraph *g, uint32_t slot) {
    uint32_t twin = hnsw_twin(g, slot);
    return twin == HNSW_NONE || (twin > slot && twin < g->rows && !hnsw_is_node(g, twin));
}

Err hnsw_graph_check(const BuiltFile *f, const HnswGraph *g) {
    if (g->nodes > g->live || g->live > g->rows || (g->nodes && g->entry >= g->rows))
        return damaged(f, "its graph has no entry");
    if (g->starts[0] != 0 || g->starts[g->rows] != g->lists) return damaged(f, "its graph has other levels than lists");
    for (uint32_t slot = 0; slot < g->rows; slot++)
        if (g->starts[slot + 1] < g->starts[slot] || hnsw_level(g, slot) > HNSW_LEVEL_MAX)
            return damaged(f, "a node of its graph has a level that no node has");
    if (g->nodes && (!hnsw_is_node(g, g->entry) || hnsw_level(g, g->entry) != g->top))
        return damaged(f, "its graph has no entry");
    for (uint32_t slot = 0; slot < g->rows; slot++)
        if (!twin_fits(g, slot)) return damaged(f, "a row of its graph has a twin that cannot be one");
    for (uint32_t slot = 0; slot < g->rows; slot++)
        for (uint32_t level = 0; hnsw_is_node(g, slot) && level <= hnsw_level(g, slot); level++)
            if (!list_fits(g, slot, level))
                return err_fix(
                    err_set(ERR_CORRUPT,
                            "index file '%s' is damaged: the edges of node %u on level %u are not ones of a graph",
                            f->path, slot, level),
                    INDEX_FILE_FIX);
    return ERR_OK;
}

static void hnsw_close(VecIndex *base) {
    rows8_close((Rows8 *)base);
    free(base);
}

static Err graph_of_file(const BuiltFile *f) {
    Built *b = built_hold(f);
    HnswGraph g;
    Err err = b ? hnsw_graph_read(f, b, &g) : ERR_OK;
    if (b && !err) err = hnsw_graph_check(f, &g);
    built_drop(f, b);
    return err;
}

static Err params_check(const VecParams *p) {
    if (p->graph_degree && (p->graph_degree < HNSW_DEGREE_MIN || p->graph_degree > HNSW_DEGREE_MAX))
        return err_set(ERR_INPUT, "a graph degree of %u: it must be %d to %d", p->graph_degree, HNSW_DEGREE_MIN,
                       HNSW_DEGREE_MAX);
    if (p->ef_construction > HNSW_EF_MAX)
        return err_set(ERR_INPUT, "an ef_construction of %u: it must be at most %d", p->ef_construction, HNSW_EF_MAX);
    return ERR_OK;
}

static Err hnsw_open(VecIndex **out, const VecSpec *spec) {
    TRY(params_check(&spec->params));
    Rows8 *ix = calloc(1, sizeof *ix);
    if (!ix) return err_set(ERR_NOMEM, "out of memory for an index");
    Err err = rows8_open(ix, spec, "hnsw", "graph");
    if (err) {
        free(ix);
        return err;
    }
    err = graph_of_file(&ix->built);
    if (err)
        hnsw_close(&ix->base);
    else
        *out = &ix->base;
    return err;
}

const VecKind hnsw_kind = {
    .name = "hnsw",
    .open = hnsw_open,
    .close = hnsw_close,
    .add = rows8_add,
    .sync = rows8_sync,
    .remove = rows8_remove,
    .row = rows8_row,
    .search = hnsw_search,
    .check = rows8_check,
    .stats = rows8_stats,
    .build_due = hnsw_build_due,
    .build = hnsw_build,
    .compact = rows8_compact,
};
