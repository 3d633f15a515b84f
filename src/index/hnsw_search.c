/* hnsw_search.c - a walk over the graph, as wide as the filter asks.
 *
 * Removed rows and those that a filter leaves out are walked over like all others, since edges lead through them, and
 * are left out when the pool is read. So that the pool holds as many rows that may be returned as without a filter, it
 * is wider by the share that may not; and where that would cost more than comparing every row that may be returned,
 * those are compared. The two cost the same where a = sqrt(COST ef n) of n rows may be returned: 4 % of a million, 10 %
 * of 60,000.
 *
 * A filter may also let pass only what lies far from the query. Then the pool holds fewer of them than it should, and
 * they are compared one by one after all: no filter costs more than twice what comparing does.
 *
 * Threads: any number.
 */
#include "index/compare.h"
#include "index/hnsw_walk.h"

enum {
    /* Nodes kept at effort 1 for 10 hits: recall@10 of 0.95 for short phrases, whose rows lie far away. Of 8,216 chunks
     * that takes 48, of 98,559 some 115, of a million (real ones and others made of them) 190 to 370, so it grows with
     * GROWTH. Queries that are chunks take a third. */
    EF = 48,
    EF_ROWS = 8192,
    EF_EACH = 3, /* and for each hit more than 10 */
    COST = 6     /* rows that are compared in sequence in the time that a node of the pool costs */
};

#define GROWTH 0.4

static size_t rows_passing(const Compare *s) {
    size_t gone = atomic_load_explicit(&s->v->n_gone, memory_order_relaxed);
    if (s->q->allowed) return s->passing;
    return gone < s->v->rows ? s->v->rows - gone : 0;
}

static Err rows_all(Compare *s) {
    Err err = compare_rows(s, 0, s->v->rows);
    s->q->report->proven = err == ERR_OK;
    return err;
}

static size_t ef_for(const Compare *s) {
    double more = s->top.k > 10 ? (double)EF_EACH * (double)(s->top.k - 10) : 0;
    double grown = pow(fmax((double)s->v->rows / EF_ROWS, 1), GROWTH);
    double ef = (EF + more) * grown * (double)s->q->effort, least = (double)s->top.k;
    return (size_t)fmin(fmax(ef, least), (double)s->v->rows);
}

/* The pool's rows that may be returned, and their twins: how many; the k best stay. */
static size_t pool_read(Compare *s, const HnswWalk *w) {
    size_t found = 0;
    for (size_t i = 0; i < w->n; i++) {
        uint32_t slot = hnsw_key_slot(w->pool[i]);
        for (; slot != HNSW_NONE; slot = hnsw_twin(&w->graph, slot))
            if (compare_may(s, slot)) {
                topk_offer(&s->top, slot, hnsw_key_score(w->pool[i]));
                found++;
            }
    }
    return found;
}

static Err graph_search(Compare *s, HnswWalk *w, size_t ef, size_t passing) {
    uint64_t start;
    Err err = deadline_check(s->q->deadline);
    if (!err) err = hnsw_descend(w, 0, &start);
    if (!err) {
        hnsw_walk_begin(w, start);
        err = hnsw_walk(w, 0);
    }
    s->q->report->scanned += w->compared;
    if (err && err != ERR_DEADLINE) return err;
    size_t found = pool_read(s, w);
    if (err) return err;
    if (found < ef / 2 && found < passing) {
        s->top.n = 0;
        return rows_all(s);
    }
    return compare_rows(s, w->graph.rows, s->v->rows);
}

static Err built_search(Compare *s, const VecIndex *base, const float *query, const Built *b) {
    HnswWalk w = {.scan = s->scan, .rows = s->rows, .view = s->v, .deadline = s->q->deadline, .dim = s->dim};
    TRY(hnsw_graph_read(&((const Rows8 *)base)->built, b, &w.graph));
    size_t ef = ef_for(s), passing = rows_passing(s);
    /* an older reader has no rows for some of the nodes */
    bool every = w.graph.nodes == 0 || b->rows > s->v->rows ||
                 (double)passing * (double)passing <= (double)COST * (double)ef * (double)s->v->rows;
    w.width = passing ? (size_t)((double)ef * (double)s->v->rows / (double)passing) : ef;
    size_t query_bytes = scratch_lines(s->dim * sizeof *s->query),
           visited = every ? 0 : scratch_lines((w.graph.rows + 63) / 64 * 8);
    void *memory;
    TRY(vec_scratch_need(s->q->scratch, query_bytes + visited + (every ? 0 : w.width + 1) * sizeof *w.pool, &memory));
    w.query = s->query = memory;
    w.query_scale = s->query_scale = row8_query(query, s->dim, s->query);
    if (every) return rows_all(s);
    w.visited = (uint64_t *)(void *)((uint8_t *)memory + query_bytes);
    w.pool = (uint64_t *)(void *)((uint8_t *)memory + query_bytes + visited);
    return graph_search(s, &w, ef, passing);
}

Err hnsw_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    return compare_search(base, query, q, built_search, out, n);
}
