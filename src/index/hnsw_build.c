/* hnsw_build.c - a graph over the rows that are synced: the one built before, mended, and the new rows linked into it
 * in batches, in the order of their slots.
 *
 * The graph depends on rows, parameters, seed, and on which rows and removals each build found, not on threads. It is
 * built from nothing when none fits the parameters, and when more than a third of its nodes are to go.
 *
 * Memory: the graph (142 bytes a row at M 16), the rows stay in the file's map. Cost: 60,715 rows of 384 take 9.6 s of
 * one core.
 */
#include "index/hnsw_build.h"

#include "index/random.h"

enum {
    DEGREE = 16,
    EF = 200,
    TAIL_MIN = 2048, /* rows behind what is built that are not worth a build: 20 us a search */
    TAIL_SHARE = 16, /* else one is due from a sixteenth of the rows on, */
    GONE_SHARE = 5,  /* or when a fifth of the nodes were removed */
    ANEW_SHARE = 3   /* more than a third of them gone: nothing is kept */
};

bool hnsw_build_due(const VecIndex *base) {
    const BuiltFile *f = &((const Rows8 *)base)->built;
    VecStats s;
    vec_stats(base, &s);
    uint32_t tail = s.rows - s.built, live = 0;
    if (tail >= TAIL_MIN && tail >= s.rows / TAIL_SHARE) return true;
    Built *b = built_hold(f);
    if (b) live = b->words[HNSW_LIVE];
    built_drop(f, b);
    uint32_t before = s.built > live ? s.built - live : 0; /* removed when it was built */
    return live && s.removed > before && s.removed - before > live / GONE_SHARE;
}

/* One in M rows is on level 1, one in M^2 on level 2. */
static uint32_t level_draw(uint64_t seed, uint32_t slot, uint32_t degree) {
    Random mixed = {seed}, r = {random_next(&mixed) ^ slot};
    uint32_t level = 0;
    while (level < HNSW_LEVEL_MAX && random_below(&r, degree) == 0) level++;
    return level;
}

static void *need(Arena *a, size_t n, size_t each, Err *err) {
    void *p = *err ? NULL : arena_alloc_array(a, n ? n : 1, each);
    if (!p && !*err) *err = arena_error();
    return p;
}

/* Levels, and lists that are all empty. */
static Err graph_begin(HnswBuild *b, Arena *a) {
    HnswGraph *g = &b->graph;
    Err err = ERR_OK;
    b->starts = need(a, (size_t)g->rows + 1, sizeof *b->starts, &err);
    for (uint32_t slot = 0; !err && slot < g->rows; slot++) {
        uint32_t level = hnsw_stands(b, slot) ? level_draw(g->seed, slot, g->degree) : 0;
        b->starts[slot + 1] = b->starts[slot] + level;
    }
    g->lists = err ? 0 : b->starts[g->rows];
    size_t ground = (size_t)g->rows * 2 * g->degree, upper = (size_t)g->lists * g->degree;
    b->ground = need(a, ground, sizeof *b->ground, &err);
    b->upper = need(a, upper, sizeof *b->upper, &err);
    if (err) return err;
    memset(b->ground, 0xFF, ground * sizeof *b->ground);
    memset(b->upper, 0xFF, upper * sizeof *b->upper);
    for (uint32_t slot = 0; slot < g->rows; slot++) /* no node: see hnsw.h */
        if (!hnsw_stands(b, slot)) b->ground[(size_t)slot * 2 * g->degree] = slot;
    g->ground = b->ground;
    g->starts = b->starts;
    g->upper = b->upper;
    return ERR_OK;
}

static Err workers_take(HnswBuild *b, Arena *a) {
    size_t n = pool_size(b->pool), room = hnsw_room(&b->graph, 0), dim = b->dim, ef = b->graph.ef;
    size_t most = room * (room + 1) > room + HNSW_BATCH ? room * (room + 1) : room + HNSW_BATCH;
    Err err = ERR_OK;
    b->n_keys = most > ef ? most : ef;
    b->workers = need(a, n, sizeof *b->workers, &err);
    b->batch = need(a, HNSW_BATCH, sizeof *b->batch, &err);
    size_t edges = HNSW_BATCH * (size_t)b->graph.degree * (HNSW_LEVEL_MAX + 1);
    b->edges = need(a, edges, sizeof *b->edges, &err);
    b->groups = need(a, edges + 1, sizeof *b->groups, &err);
    for (size_t i = 0; !err && i < n; i++) {
        HnswWorker *w = &b->workers[i];
        w->walk = (HnswWalk){.scan = scan_table(),
                             .rows = &b->ix->rows,
                             .view = b->v,
                             .deadline = b->deadline,
                             .graph = b->graph,
                             .dim = dim,
                             .width = ef};
        w->walk.query = need(a, dim, sizeof *w->walk.query, &err);
        w->walk.visited = need(a, b->graph.rows / 64 + 1, sizeof *w->walk.visited, &err);
        w->walk.pool = need(a, ef + 1, sizeof *w->walk.pool, &err);
        w->keys = need(a, b->n_keys, sizeof *w->keys, &err);
        w->slots = need(a, b->n_keys, sizeof *w->slots, &err);
        w->passed = need(a, b->n_keys, sizeof *w->passed, &err);
        w->chosen = need(a, room * dim, sizeof *w->chosen, &err);
        w->scales = need(a, room, sizeof *w->scales, &err);
        w->rows = need(a, room, sizeof *w->rows, &err);
    }
    return err;
}

/* Whether the old graph's nodes have the levels that the seed gives them, and not too many of them are gone. */
static bool old_fits(const HnswBuild *b, const HnswGraph *old) {
    size_t gone = 0;
    for (uint32_t slot = 0; slot < old->rows; slot++) {
        if (!hnsw_is_node(old, slot)) continue;
        if (hnsw_level(old, slot) != level_draw(old->seed, slot, old->degree)) return false;
        gone += !hnsw_stands(b, slot);
    }
    return gone <= old->nodes / ANEW_SHARE;
}

/* The graph that was built before, where it is worth keeping. */
static Err old_read(HnswBuild *b, const Built *built) {
    HnswGraph old;
    if (!built) return ERR_OK;
    TRY(hnsw_graph_read(&b->ix->built, built, &old));
    if (old.rows > b->v->rows || old.degree != b->graph.degree || old.ef != b->graph.ef || old.seed != b->graph.seed)
        return ERR_OK;
    if (old_fits(b, &old)) b->old = old;
    return ERR_OK;
}

static bool is_new(const HnswBuild *b, uint32_t slot) { return hnsw_stands(b, slot) && !hnsw_is_node(&b->old, slot); }

/* Whether the old graph has just the rows that there are. */
static bool nothing_to_do(const HnswBuild *b) {
    if (b->old.rows != b->v->rows) return false;
    for (uint32_t slot = 0; slot < b->v->rows; slot++)
        if (hnsw_is_node(&b->old, slot) != hnsw_stands(b, slot) || hnsw_twin(&b->old, slot) != b->twins[slot])
            return false;
    return true;
}

static Err rows_link(HnswBuild *b) {
    for (uint32_t slot = 0; slot < b->graph.rows;) {
        for (b->n_batch = 0; slot < b->graph.rows && b->n_batch < HNSW_BATCH; slot++)
            if (is_new(b, slot)) b->batch[b->n_batch++] = slot;
        TRY(deadline_check(b->deadline));
        TRY(hnsw_batch_link(b));
    }
    return ERR_OK;
}

static Err graph_write(HnswBuild *b) {
    const HnswGraph *g = &b->graph;
    size_t list = g->degree * sizeof(uint32_t);
    const uint32_t words[BUILT_WORDS] = {[HNSW_DEGREE] = g->degree,
                                         [HNSW_EF] = g->ef,
                                         [HNSW_NODES] = g->nodes,
                                         [HNSW_LIVE] = g->live,
                                         [HNSW_ENTRY] = g->entry,
                                         [HNSW_TOP] = g->top,
                                         [HNSW_LISTS] = g->lists,
                                         [HNSW_SEED_LOW] = (uint32_t)g->seed,
                                         [HNSW_SEED_HIGH] = (uint32_t)(g->seed >> 32)};
    const BuiltPart parts[HNSW_N_PARTS] = {
        [HNSW_GROUND] = {b->ground, g->rows * 2 * list},
        [HNSW_STARTS] = {b->starts, ((size_t)g->rows + 1) * sizeof *b->starts},
        [HNSW_UPPER] = {b->upper, g->lists * list},
        [HNSW_TWINS] = {b->twins, b->n_twins ? g->rows * sizeof *b->twins : 0},
    };
    return built_write(&b->ix->built, g->rows, words, parts, HNSW_N_PARTS);
}

static Err build_all(HnswBuild *b, const Built *built, Arena *a) {
    if (b->v->rows >= HNSW_ROWS_MAX)
        return err_set(ERR_LIMIT, "a graph over %u rows: it takes up to %u", b->v->rows, HNSW_ROWS_MAX - 1);
    TRY(deadline_check(b->deadline));
    TRY(hnsw_twins_find(b, a));
    for (uint32_t slot = 0; slot < b->v->rows; slot++) b->graph.live += b->first[slot] != HNSW_NONE;
    TRY(old_read(b, built));
    if (nothing_to_do(b)) return ERR_OK;
    TRY(graph_begin(b, a));
    TRY(workers_take(b, a));
    if (b->old.rows) TRY(hnsw_old_take(b));
    TRY(rows_link(b));
    TRY(hnsw_reach_all(b, a));
    return graph_write(b);
}

Err hnsw_build(VecIndex *base, Pool *pool, const Deadline *deadline) {
    Rows8 *ix = (Rows8 *)base;
    Arena a = {0};
    Built *built = built_hold(&ix->built);
    HnswBuild b = {.ix = ix, .v = rows_hold(&ix->rows), .pool = pool, .deadline = deadline, .dim = base->dim};
    b.graph = (HnswGraph){.rows = b.v->rows,
                          .degree = ix->params.graph_degree ? ix->params.graph_degree : DEGREE,
                          .ef = ix->params.ef_construction ? ix->params.ef_construction : EF,
                          .seed = ix->params.seed};
    Err err = b.v->rows ? build_all(&b, built, &a) : ERR_OK;
    rows_drop(&ix->rows, b.v);
    built_drop(&ix->built, built);
    arena_free(&a);
    return err;
}
