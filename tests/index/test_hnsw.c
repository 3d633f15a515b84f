/* What is special about the graph: edges, levels, reach; growing and shrinking; filters that lie far off; files that
 * lie. What all kinds promise is in test_kinds.c. */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "index/hnsw.h"
#include "index/random.h"

enum { DIM = 32, ROWS = 4000, QUERIES = 100, K = 10, CLOUDS = 40 };

static float *data; /* [ROWS + QUERIES, DIM], row i near the centre of cloud i % CLOUDS */

static float noise(Random *r) { return (float)(random_unit(r) + random_unit(r) + random_unit(r) - 1.5); }

static int data_make(void **st) {
    (void)st;
    static float centres[CLOUDS][DIM];
    Random r = {42};
    data = malloc((ROWS + QUERIES) * DIM * sizeof *data);
    CHECK(data);
    for (size_t c = 0; c < CLOUDS; c++)
        for (size_t d = 0; d < DIM; d++) centres[c][d] = noise(&r);
    for (size_t i = 0; i < ROWS + QUERIES; i++) {
        float *row = data + i * DIM, sum = 0;
        for (size_t d = 0; d < DIM; d++) {
            row[d] = centres[i % CLOUDS][d] + 0.6f * noise(&r);
            sum += row[d] * row[d];
        }
        for (size_t d = 0; d < DIM; d++) row[d] /= sqrtf(sum);
    }
    return 0;
}

static int data_free(void **st) {
    (void)st;
    free(data);
    return 0;
}

static VecIndex *opened(const char *dir, VecParams params) {
    VecIndex *ix;
    VecSpec spec = {.kind = "hnsw", .dir = dir, .dim = DIM, .generation = 1, .writer = true, .params = params};
    CHECK_OK(vec_open(&ix, &spec));
    return ix;
}

static void add_and_build(VecIndex *ix, const float *rows, size_t n, Pool *pool) {
    uint32_t first, count;
    CHECK_OK(vec_add(ix, rows, n, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK_OK(vec_build(ix, pool, NULL));
}

/* The graph, held by *b. */
static HnswGraph graph_of(const VecIndex *ix, Built **b) {
    const Rows8 *r = (const Rows8 *)ix;
    HnswGraph g;
    *b = built_hold(&r->built);
    CHECK(*b);
    CHECK_OK(hnsw_graph_read(&r->built, *b, &g));
    CHECK_OK(hnsw_graph_check(&r->built, &g));
    return g;
}

static size_t reach_of(const HnswGraph *g) {
    uint8_t *seen = calloc(g->rows, 1);
    uint32_t *queue = malloc(g->rows * sizeof *queue);
    CHECK(seen && queue);
    size_t n = 0;
    queue[n++] = g->entry;
    seen[g->entry] = 1;
    for (size_t head = 0; head < n; head++) {
        const uint32_t *edges = hnsw_edges(g, queue[head], 0);
        for (uint32_t e = 0; e < 2 * g->degree && edges[e] != HNSW_NONE; e++)
            if (!seen[edges[e]]) seen[queue[n++] = edges[e]] = 1;
    }
    free(seen);
    free(queue);
    return n;
}

/* Each list: distinct nodes, none of them gone or the node itself, nothing behind the last. */
static void check_lists(const VecIndex *ix, const HnswGraph *g) {
    RowsView *v = rows_hold(&((const Rows8 *)ix)->rows);
    for (uint32_t slot = 0; slot < g->rows; slot++)
        for (uint32_t level = 0; hnsw_is_node(g, slot) && level <= hnsw_level(g, slot); level++) {
            const uint32_t *edges = hnsw_edges(g, slot, level);
            size_t n = 0, room = hnsw_room(g, level);
            while (n < room && edges[n] != HNSW_NONE) n++;
            for (size_t e = n; e < room; e++) CHECK_INT(edges[e], HNSW_NONE);
            for (size_t e = 0; e < n; e++) {
                CHECK(edges[e] != slot && hnsw_is_node(g, edges[e]) && !rows_gone(v, edges[e]));
                for (size_t o = 0; o < e; o++) CHECK(edges[o] != edges[e]);
            }
        }
    rows_drop(&((const Rows8 *)ix)->rows, v);
}

static void check_graph(const VecIndex *ix, size_t nodes, size_t live) {
    Built *b;
    HnswGraph g = graph_of(ix, &b);
    CHECK_INT(g.nodes, nodes);
    CHECK_INT(g.live, live);
    CHECK_INT(reach_of(&g), nodes);
    check_lists(ix, &g);
    built_drop(&((const Rows8 *)ix)->built, b);
}

/* Recall against comparing every row. */
static double recall_of(const VecIndex *ix, const VecQuery *like) {
    size_t hit = 0, want = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        VecQuery q = *like, all = {.k = K, .allowed = like->allowed, .exact = true};
        VecHit found[K], truth[K];
        size_t n, there;
        q.k = K;
        CHECK_OK(vec_search(ix, data + (ROWS + i) * DIM, &q, found, &n));
        CHECK_OK(vec_search(ix, data + (ROWS + i) * DIM, &all, truth, &there));
        for (size_t h = 0; h < n; h++)
            for (size_t t = 0; t < there; t++) hit += found[h].slot == truth[t].slot;
        want += there;
    }
    return (double)hit / (double)want;
}

static void check_recall(const VecIndex *ix, const VecQuery *like, double floor) {
    double recall = recall_of(ix, like);
    if (recall < floor) fail_msg("recall %.4f is below %.4f", recall, floor);
}

/* ---- tests ---- */

static void every_node_is_reached_and_levels_thin_out_by_the_degree(void **st) {
    (void)st;
    static const uint32_t degrees[] = {2, 4, 16, 128};
    for (size_t i = 0; i < sizeof degrees / sizeof *degrees; i++) {
        const char *dir = check_temp_dir();
        size_t n = degrees[i] > 16 ? 1000 : ROWS, upper = 0;
        VecIndex *ix = opened(dir, (VecParams){.graph_degree = degrees[i], .ef_construction = 60});
        add_and_build(ix, data, n, NULL);
        check_graph(ix, n, n);
        Built *b;
        HnswGraph g = graph_of(ix, &b);
        CHECK_INT(g.degree, degrees[i]);
        for (uint32_t slot = 0; slot < n; slot++) upper += hnsw_level(&g, slot) > 0;
        double share = (double)upper / (double)n, p = 1.0 / degrees[i];
        CHECK_NEAR(share, p, 5 * sqrt(p * (1 - p) / (double)n));
        built_drop(&((Rows8 *)ix)->built, b);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void a_graph_that_grew_in_steps_finds_what_one_built_at_once_finds(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){0});
    add_and_build(ix, data, ROWS, NULL);
    double whole = recall_of(ix, &(VecQuery){.effort = 0.5f});
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    dir = check_temp_dir();
    ix = opened(dir, (VecParams){0});
    for (size_t from = 0; from < ROWS; from += 700)
        add_and_build(ix, data + from * DIM, ROWS - from < 700 ? ROWS - from : 700, NULL);
    check_graph(ix, ROWS, ROWS);
    check_recall(ix, &(VecQuery){.effort = 0.5f}, whole - 0.01);
    check_recall(ix, &(VecQuery){0}, 0.97);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void gaps_of_removed_nodes_are_closed_time_and_again(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){.graph_degree = 8, .ef_construction = 80});
    Pool *pool;
    CHECK_OK(pool_open(&pool, 3));
    add_and_build(ix, data, ROWS, pool);
    size_t live = ROWS;
    for (uint32_t round = 0; round < 4; round++) { /* each takes an eighth, the entry among them */
        Built *b;
        HnswGraph g = graph_of(ix, &b);
        uint32_t gone[ROWS / 8 + 1], n = 0, entry = g.entry;
        built_drop(&((Rows8 *)ix)->built, b);
        for (uint32_t slot = round; slot < ROWS; slot += 8)
            if (slot != entry) gone[n++] = slot;
        if (entry % 8 >= round) gone[n++] = entry;
        CHECK_OK(vec_remove(ix, gone, n));
        check_recall(ix, &(VecQuery){0}, 0.93);
        CHECK_OK(vec_build(ix, pool, NULL));
        VecStats s;
        vec_stats(ix, &s);
        live = ROWS - s.removed;
        check_graph(ix, live, live);
        check_recall(ix, &(VecQuery){0}, 0.93);
    }
    CHECK(live <= ROWS / 2);
    pool_close(pool);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void a_build_is_due_when_rows_came_or_went(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){.graph_degree = 4, .ef_construction = 20});
    uint32_t first, count, gone[ROWS];
    CHECK(!vec_build_due(ix));
    CHECK_OK(vec_add(ix, data, ROWS, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK(vec_build_due(ix));
    CHECK_OK(vec_build(ix, NULL, NULL));
    CHECK(!vec_build_due(ix));
    for (uint32_t i = 0; i < ROWS; i++) gone[i] = i;
    CHECK_OK(vec_remove(ix, gone, ROWS / 6));
    CHECK(!vec_build_due(ix));
    CHECK_OK(vec_remove(ix, gone, ROWS / 4));
    CHECK(vec_build_due(ix));
    CHECK_OK(vec_build(ix, NULL, NULL));
    CHECK(!vec_build_due(ix));
    CHECK_OK(vec_remove(ix, gone, ROWS));
    CHECK_OK(vec_build(ix, NULL, NULL));
    CHECK(!vec_build_due(ix));
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void rows_that_are_the_same_share_a_node_and_are_all_found(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){0});
    for (size_t i = 0; i < 4; i++) add_and_build(ix, data, 1000, NULL); /* each row four times */
    check_graph(ix, 1000, 4000);
    VecHit hits[8];
    size_t n;
    for (uint32_t slot = 0; slot < 1000; slot += 50) {
        CHECK_OK(vec_search(ix, data + slot * DIM, &(VecQuery){.k = 4}, hits, &n));
        CHECK_INT(n, 4);
        for (uint32_t h = 0; h < 4; h++) CHECK_INT(hits[h].slot, slot + 1000 * h);
    }
    uint32_t gone[1000];
    for (uint32_t i = 0; i < 1000; i++) gone[i] = i; /* the nodes; the twins stay */
    CHECK_OK(vec_remove(ix, gone, 1000));
    for (int built = 0; built < 2; built++) {
        CHECK_OK(vec_search(ix, data, &(VecQuery){.k = 3}, hits, &n));
        CHECK_INT(n, 3);
        for (uint32_t h = 0; h < 3; h++) CHECK_INT(hits[h].slot, 1000 * (h + 1));
        CHECK_OK(vec_build(ix, NULL, NULL));
    }
    check_graph(ix, 1000, 3000);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

/* Rows of one cloud only, asked for from all others: the walk's pool holds none of them. */
static void a_filter_that_lies_far_from_the_query_finds_all_the_same(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){0});
    add_and_build(ix, data, ROWS, NULL);
    static const uint32_t clouds[] = {1, 4, 20, 39};
    for (size_t c = 0; c < sizeof clouds / sizeof *clouds; c++) {
        uint64_t bits[ROWS / 64 + 1] = {0};
        for (uint32_t slot = 0; slot < ROWS; slot++)
            if (slot % CLOUDS < clouds[c]) bits[slot / 64] |= UINT64_C(1) << (slot % 64);
        check_recall(ix, &(VecQuery){.allowed = bits}, 0.95);
    }
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void edges_that_lead_nowhere_are_not_believed(void **st) {
    (void)st;
    BuiltFile f = {.path = "x.built"};
    uint32_t ground[4 * 4], starts[5] = {0, 1, 1, 2, 2}, upper[2 * 2] = {2, HNSW_NONE, 0, HNSW_NONE};
    uint32_t twins[4] = {HNSW_NONE, 3, HNSW_NONE, HNSW_NONE};
    memset(ground, 0xFF, sizeof ground);
    ground[0] = 1;
    ground[4] = 2;
    ground[8] = 0;
    ground[12] = 3; /* no node */
    HnswGraph g = {.rows = 4, .nodes = 3, .live = 4, .degree = 2, .entry = 0, .top = 1, .lists = 2};
    g.ground = ground;
    g.starts = starts;
    g.upper = upper;
    g.twins = twins;
    CHECK_OK(hnsw_graph_check(&f, &g));
    struct {
        uint32_t *at, value;
        const char *says;
    } lies[] = {{&ground[0], 4, "the edges of node 0 on level 0"},
                {&ground[1], 3, "the edges of node 0 on level 0"},
                {&ground[5], 0xFFFFFFFE, "the edges of node 1 on level 0"},
                {&ground[9], 2, "the edges of node 2 on level 0"},
                {&ground[6], 0, "the edges of node 1 on level 0"}, /* behind a gap */
                {&upper[0], 1, "the edges of node 0 on level 1"},
                {&upper[3], 77, "the edges of node 2 on level 1"},
                {&starts[0], 1, "other levels than lists"},
                {&starts[4], 3, "other levels than lists"},
                {&starts[1], 3, "a level that no node has"},
                {&starts[2], 0, "a level that no node has"},
                {&twins[1], 1, "a twin that cannot be one"},
                {&twins[1], 4, "a twin that cannot be one"},
                {&twins[0], 2, "a twin that cannot be one"},
                {&g.entry, 3, "has no entry"},
                {&g.entry, 4, "has no entry"},
                {&g.top, 2, "has no entry"},
                {&g.nodes, 5, "has no entry"}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint32_t true_value = *lies[i].at;
        *lies[i].at = lies[i].value;
        CHECK_ERR(hnsw_graph_check(&f, &g), ERR_CORRUPT, lies[i].says);
        CHECK(strstr(err_text(), "x.built"));
        *lies[i].at = true_value;
    }
    CHECK_OK(hnsw_graph_check(&f, &g));
}

static void settings_that_make_no_graph_are_refused(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    VecSpec spec = {.kind = "hnsw", .dir = dir, .dim = DIM, .generation = 1, .writer = true};
    spec.params.graph_degree = 1;
    CHECK_ERR(vec_open(&ix, &spec), ERR_INPUT, "a graph degree of 1: it must be 2 to 128");
    spec.params.graph_degree = 129;
    CHECK_ERR(vec_open(&ix, &spec), ERR_INPUT, "a graph degree of 129");
    spec.params = (VecParams){.ef_construction = 65537};
    CHECK_ERR(vec_open(&ix, &spec), ERR_INPUT, "an ef_construction of 65537");
    CHECK_OK(file_remove_tree(dir));
}

static void a_search_reports_what_it_did(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = opened(dir, (VecParams){0});
    add_and_build(ix, data, ROWS, NULL);
    uint32_t first, count;
    CHECK_OK(vec_add(ix, data, 7, &first));
    CHECK_OK(vec_sync(ix, &count));
    VecHit hits[K];
    size_t n;
    VecReport some, more, all;
    CHECK_OK(vec_search(ix, data, &(VecQuery){.k = K, .report = &some}, hits, &n));
    CHECK(some.scanned > 50 && some.scanned < ROWS / 2 && !some.proven);
    CHECK_INT(some.reranked, 7);
    CHECK_OK(vec_search(ix, data, &(VecQuery){.k = K, .effort = 3, .report = &more}, hits, &n));
    CHECK(more.scanned > some.scanned);
    CHECK_OK(vec_search(ix, data, &(VecQuery){.k = K, .exact = true, .report = &all}, hits, &n));
    CHECK(all.proven);
    CHECK_INT(all.reranked, ROWS + 7);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_is_reached_and_levels_thin_out_by_the_degree),
        cmocka_unit_test(a_graph_that_grew_in_steps_finds_what_one_built_at_once_finds),
        cmocka_unit_test(gaps_of_removed_nodes_are_closed_time_and_again),
        cmocka_unit_test(a_build_is_due_when_rows_came_or_went),
        cmocka_unit_test(rows_that_are_the_same_share_a_node_and_are_all_found),
        cmocka_unit_test(a_filter_that_lies_far_from_the_query_finds_all_the_same),
        cmocka_unit_test(edges_that_lead_nowhere_are_not_believed),
        cmocka_unit_test(settings_that_make_no_graph_are_refused),
        cmocka_unit_test(a_search_reports_what_it_did),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
