/* compact_search.c - an estimate for every row, then exact scores of the best until the rest is ruled out.
 *
 * Estimates come from tables of the query, one look-up for four components, some 30 ns a row; they go into a heap. The best of
 * it are computed anew, a batch at a time, as long as the next estimate and BOUND errors on top could still be among the k.
 *
 * When a deadline or the budget ends a search, rows that were estimated but not computed fill what is missing of the k, with
 * their estimates as scores.
 */
#include "index/compact.h"
#include "index/compare.h"
#include "kern/kern.h"

enum { BATCH = 8 /* rows computed at a time: a model embeds so many at nearly the cost of fewer */ };

/* Errors that an estimate may be below the truth for the proof to hold, at effort 1. */
#define BOUND 2.0f

typedef struct {
    const Compact *ix;
    Compare of; /* views, filter, what is found */
    const float *query;
    CompactBasis basis;
    float base, bound; /* <mean, q>; how far an estimate may be off */
    float *tables, *fetched;
    VecHit *heap; /* [n_heap] estimates, the best on top */
    size_t n_heap;
} Search;

static void heap_down(Search *s, size_t i) {
    VecHit moved = s->heap[i];
    for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        if (child + 1 < s->n_heap && hit_before(s->heap[child + 1], s->heap[child])) child++;
        if (!hit_before(s->heap[child], moved)) break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = moved;
}

static VecHit heap_pop(Search *s) {
    VecHit best = s->heap[0];
    s->heap[0] = s->heap[--s->n_heap];
    if (s->n_heap) heap_down(s, 0);
    return best;
}

static Err block_estimate(Search *s, size_t number) {
    RowsView *v = s->of.v;
    const RowsSpan *span = &v->spans[number];
    bool checked = false;
    TRY(deadline_check(s->of.q->deadline));
    for (uint32_t slot = span->first; slot < span->end; slot++) {
        if (!compare_may(&s->of, slot)) continue;
        if (!checked) TRY(rows_verify(s->of.rows, v, number));
        checked = true;
        const uint8_t *item = span->items + (size_t)(slot - span->first) * v->item_bytes;
        float estimate = compact_estimate(s->tables, s->base, item, s->basis.components);
        s->heap[s->n_heap++] = (VecHit){slot, estimate};
        s->of.q->report->scanned++;
    }
    return ERR_OK;
}

static Err all_estimate(Search *s) {
    Err err = ERR_OK;
    for (size_t b = 0; !err && b < s->of.v->n_blocks; b++) err = block_estimate(s, b);
    for (size_t i = s->n_heap / 2; i-- > 0;) heap_down(s, i);
    return err;
}

/* Exact scores of *n rows: those that the cache has, and the rest computed together. On failure the batch is that rest. */
static Err batch_compute(Search *s, VecHit *batch, size_t *n) {
    const Kern *kern = kern_table();
    CompactCache *cache = (CompactCache *)(uintptr_t)&s->ix->cache; /* const to callers: searching changes no answer */
    uint32_t slots[BATCH];
    size_t missing = 0, dim = s->of.dim;
    for (size_t i = 0; i < *n; i++) {
        if (cache_get(cache, batch[i].slot, s->fetched))
            topk_offer(&s->of.top, batch[i].slot, kern->dot(s->query, s->fetched, dim));
        else
            batch[missing++] = batch[i];
    }
    s->of.q->report->reranked += (uint32_t)(*n - missing);
    *n = missing;
    if (missing == 0) return ERR_OK;
    for (size_t i = 0; i < missing; i++) slots[i] = batch[i].slot;
    TRY(s->ix->fetch(s->ix->fetch_ctx, slots, missing, s->of.q->deadline, s->fetched));
    s->of.q->report->recomputed += (uint32_t)missing;
    s->of.q->report->reranked += (uint32_t)missing;
    for (size_t i = 0; i < missing; i++) {
        const float *row = s->fetched + i * dim;
        if (vec_first_unfit(row, dim) < dim)
            return err_set(ERR_INPUT, "the row computed for slot %u is not finite", slots[i]);
        cache_put(cache, slots[i], row);
        topk_offer(&s->of.top, slots[i], kern->dot(s->query, row, dim));
    }
    return ERR_OK;
}

/* Whether the best estimate that is left could be among the k. */
static bool may_enter(const Search *s) {
    return s->n_heap &&
           (s->of.top.n < s->of.top.k || s->of.q->exact || s->heap[0].score + s->bound > compare_floor(&s->of));
}

/* Estimates for what was not computed, best first, while there are fewer than k. */
static void rest_fill(Search *s, const VecHit *batch, size_t n) {
    for (size_t i = 0; i < n && s->of.top.n < s->of.top.k; i++) topk_insert(&s->of.top, batch[i]);
    while (s->n_heap && s->of.top.n < s->of.top.k) topk_insert(&s->of.top, heap_pop(s));
}

static Err best_compute(Search *s) {
    const VecReport *report = s->of.q->report;
    size_t budget = s->of.q->budget;
    VecHit batch[BATCH];
    size_t n = 0;
    Err err = ERR_OK;
    while (may_enter(s)) {
        size_t room = budget ? budget - report->recomputed : BATCH;
        if (room == 0 || (err = deadline_check(s->of.q->deadline))) break;
        for (n = 0; n < BATCH && n < room && may_enter(s); n++) batch[n] = heap_pop(s);
        if ((err = batch_compute(s, batch, &n))) break;
        n = 0;
    }
    s->of.q->report->proven = !err && !may_enter(s);
    if (err && err != ERR_DEADLINE) return err;
    rest_fill(s, batch, n);
    return err;
}

static Err codes_search(Search *s, const Built *b) {
    TRY(compact_basis_read(s->ix, b, &s->basis));
    if (!s->ix->fetch)
        return err_set(ERR_UNSUPPORTED,
                       "index '%s' keeps codes, no vectors, and was opened without a way to compute them",
                       s->of.rows->rows_path);
    float numbers[COMPACT_MOST];
    size_t tables = s->basis.components / 4 * 256 * sizeof(float), dim = s->of.dim;
    size_t fetched = (BATCH * dim * sizeof(float) + 63) / 64 * 64;
    void *memory;
    TRY(vec_scratch_need(s->of.q->scratch, tables + fetched + s->of.v->rows * sizeof *s->heap, &memory));
    s->tables = memory;
    s->fetched = (float *)(void *)((uint8_t *)memory + tables);
    s->heap = (VecHit *)(void *)((uint8_t *)memory + tables + fetched);
    compact_tables(&s->basis, s->query, dim, numbers, s->tables, &s->base);
    float length = sqrtf(kern_table()->dot(s->query, s->query, dim));
    s->bound = BOUND * sqrtf(s->of.q->effort) * s->basis.error * length;
    TRY(all_estimate(s));
    return best_compute(s);
}

/* Rows that wait for the first build are compared as they are. */
static Err waiting_search(Search *s) {
    void *memory;
    TRY(vec_scratch_need(s->of.q->scratch, s->of.dim * sizeof *s->of.query, &memory));
    s->of.query = memory;
    s->of.query_scale = row8_query(s->query, s->of.dim, s->of.query);
    Err err = compare_rows(&s->of, 0, s->of.v->rows);
    s->of.q->report->proven = err == ERR_OK;
    return err;
}

Err compact_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    const Compact *ix = (const Compact *)base;
    const Rows *rows = &ix->kept.rows;
    Search s = {.ix = ix,
                .query = query,
                .of = {.rows = rows, .q = q, .v = rows_hold(rows), .scan = scan_table(), .dim = base->dim}};
    Built *b = built_hold(&ix->kept.built); /* after the view: the basis was there before its codes */
    s.of.top = (TopK){.hits = out, .k = q->k < s.of.v->rows ? q->k : s.of.v->rows};
    Err err = ERR_OK;
    if (s.of.top.k) err = compact_coded(base->dim, s.of.v->item_bytes) ? codes_search(&s, b) : waiting_search(&s);
    built_drop(&ix->kept.built, b);
    rows_drop(rows, s.of.v);
    if (err && err != ERR_DEADLINE) return err;
    topk_finish(&s.of.top);
    *n = s.of.top.n;
    return err;
}
