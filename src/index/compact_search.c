/* compact_search.c - an estimate for every row, then exact scores of the best until the rest is ruled out.
 *
 * Estimates come from tables of the query, one look-up a byte, some 76 ns a row; they go into a heap. The best of
 * it are computed anew, a batch at a time, as long as the next estimate and BOUND errors on top could still be among
 * the k.
 *
 * When a deadline or the budget ends a search, rows that were estimated but not computed fill what is missing of the k,
 * with their estimates as scores. So does a row that cannot be had any more: it stands where its code puts it.
 */
#include "index/compact.h"
#include "index/compare.h"
#include "kern/kern.h"

enum { BATCH = 8 /* rows computed at a time: a model embeds so many at nearly the cost of fewer */ };

/* Errors that an estimate may be below the truth for the proof to hold, at effort 1. Their measure is that of near
 * rows, which estimates put too low, so it is a generous one. On 98,559 chunks of code, recall@10 and rows computed:
 * 1.2 gives 0.989 for 40 where queries are chunks and 0.962 for 44 where they are phrases; 1.6 0.995 for 52 and 0.979
 * for 59; 2.25 0.999 for 85 and 0.993 for 103. Under a filter the k-th row is farther away, where estimates are off by
 * more than near ones are: FILTERED times as far (tests/index/test_kinds.c). */
#define BOUND    1.2f
#define FILTERED 1.4f

typedef struct {
    const Compact *ix;
    Compare of; /* views, filter, what is found */
    const float *query;
    CompactBasis basis;
    CompactTables tables;
    float bound;    /* how far an estimate may be off */
    float *fetched; /* [BATCH, dim] */
    VecHit *heap;   /* [n_heap] estimates, the best on top */
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
        float estimate = compact_estimate(&s->tables, item);
        if (s->of.q->estimate)
            topk_offer(&s->of.top, slot, estimate);
        else
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

/* Exact scores of n rows, n <= BATCH; a row that is lost keeps what it has. */
static Err batch_compute(Search *s, VecHit *batch, size_t n) {
    const Kern *kern = kern_table();
    uint32_t slots[BATCH];
    bool had[BATCH];
    size_t dim = s->of.dim;
    VecReport *report = s->of.q->report;
    for (size_t i = 0; i < n; i++) slots[i] = batch[i].slot;
    for (size_t i = 0; i < n; i++) had[i] = true;
    TRY(s->of.q->fetch(s->of.q->fetch_ctx, slots, n, s->of.q->deadline, s->fetched, had));
    for (size_t i = 0; i < n; i++) {
        const float *row = s->fetched + i * dim;
        if (!had[i]) {
            report->lost++;
            continue;
        }
        if (vec_first_unfit(row, dim) < dim)
            return err_set(ERR_INPUT, "the row computed for slot %u is not finite", slots[i]);
        batch[i].score = kern->dot(s->query, row, dim);
        report->recomputed++;
        report->reranked++;
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
    VecReport *report = s->of.q->report;
    size_t budget = s->of.q->budget, asked = 0;
    VecHit batch[BATCH];
    size_t n = 0;
    Err err = ERR_OK;
    while (may_enter(s)) {
        size_t room = budget ? budget - asked : BATCH;
        if (room == 0 || (err = deadline_check(s->of.q->deadline))) break;
        for (n = 0; n < BATCH && n < room && may_enter(s); n++) batch[n] = heap_pop(s);
        if ((err = batch_compute(s, batch, n))) break;
        for (size_t i = 0; i < n; i++) topk_offer(&s->of.top, batch[i].slot, batch[i].score);
        asked += n;
        n = 0;
    }
    report->proven = !err && !may_enter(s) && report->lost == 0;
    if (err && err != ERR_DEADLINE) return err;
    rest_fill(s, batch, n);
    return err;
}

/* Everything of a search that is the query's alone; heap: for how many estimates. */
static Err query_prepare(Search *s, const Built *b, size_t heap) {
    TRY(compact_basis_read(s->ix, b, &s->basis));
    if (!s->of.q->fetch && !s->of.q->estimate)
        return err_set(ERR_UNSUPPORTED,
                       "index '%s' keeps codes, no vectors, and was asked without a way to compute them",
                       s->of.rows->rows_path);
    float numbers[COMPACT_MOST];
    size_t tables = compact_tables_bytes(s->of.dim), dim = s->of.dim;
    size_t fetched = (BATCH * dim * sizeof(float) + 63) / 64 * 64;
    void *memory;
    TRY(vec_scratch_need(s->of.q->scratch, tables + fetched + heap * sizeof *s->heap, &memory));
    s->tables.sums = memory;
    s->fetched = (float *)(void *)((uint8_t *)memory + tables);
    s->heap = (VecHit *)(void *)((uint8_t *)memory + tables + fetched);
    compact_tables(&s->basis, s->query, dim, numbers, &s->tables);
    float length = sqrtf(kern_table()->dot(s->query, s->query, dim));
    s->bound = BOUND * sqrtf(s->of.q->effort) * s->basis.error * length * (s->of.q->allowed ? FILTERED : 1);
    return ERR_OK;
}

static Err codes_search(Search *s, const Built *b) {
    TRY(query_prepare(s, b, s->of.q->estimate ? 0 : s->of.v->rows));
    if (s->of.q->estimate) s->of.q->report->error = s->bound;
    TRY(all_estimate(s));
    return s->of.q->estimate ? ERR_OK : best_compute(s);
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

/* ---- single rows ---- */

static Err codes_score(Search *s, const Built *b, const uint32_t *slots, size_t n, float *scores, bool *had) {
    VecHit batch[BATCH];
    TRY(query_prepare(s, b, 0));
    for (size_t i = 0; i < n; i++) {
        const void *item;
        TRY(rows_read(s->of.rows, s->of.v, slots[i], &item));
        scores[i] = compact_estimate(&s->tables, item);
        had[i] = true;
    }
    s->of.q->report->scanned = (uint32_t)n;
    if (s->of.q->estimate) {
        s->of.q->report->error = s->bound;
        return ERR_OK;
    }
    for (size_t at = 0, m; at < n; at += m) {
        m = n - at < BATCH ? n - at : BATCH;
        for (size_t i = 0; i < m; i++) batch[i] = (VecHit){slots[at + i], NAN};
        TRY(batch_compute(s, batch, m));
        for (size_t i = 0; i < m; i++) {
            had[at + i] = !isnan(batch[i].score);
            if (had[at + i]) scores[at + i] = batch[i].score;
        }
    }
    return ERR_OK;
}

static Err waiting_score(Search *s, const uint32_t *slots, size_t n, float *scores, bool *had) {
    void *memory = NULL;
    TRY(vec_scratch_need(s->of.q->scratch, s->of.dim * sizeof(float), &memory));
    for (size_t i = 0; i < n; i++) {
        TRY(rows8_floats(s->of.rows, s->of.v, slots[i], memory));
        scores[i] = kern_table()->dot(s->query, memory, s->of.dim);
        had[i] = true;
    }
    s->of.q->report->reranked = (uint32_t)n;
    return ERR_OK;
}

Err compact_score(const VecIndex *base, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                  float *scores, bool *had) {
    const Compact *ix = (const Compact *)base;
    const Rows *rows = &ix->kept.rows;
    Search s = {.ix = ix, .query = query, .of = {.rows = rows, .q = q, .v = rows_hold(rows), .dim = base->dim}};
    Built *b = built_hold(&ix->kept.built);
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) err = rows_has(rows, s.of.v, slots[i]);
    if (!err)
        err = compact_coded(base->dim, s.of.v->item_bytes) ? codes_score(&s, b, slots, n, scores, had)
                                                           : waiting_score(&s, slots, n, scores, had);
    built_drop(&ix->kept.built, b);
    rows_drop(rows, s.of.v);
    return err;
}
