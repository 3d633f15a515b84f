/* compare.c - see compare.h. */
#include "index/compare.h"

#include "kern/kern.h"

enum { FINISH = 2, FINISH_EACH = 5 }; /* hits more than asked for that floats choose among, and one more for so many */

#define FEW 0.04f /* a filter that lets pass this share or less: its rows are compared one by one */

/* The inner product by floats; they stand in the item at any address. row: [dim] room. */
static float floats_score(const void *item, size_t dim, const float *query, float *row) {
    memcpy(row, (const uint8_t *)item + row8_bytes(dim), dim * sizeof *row);
    return kern_table()->dot(query, row, dim);
}

void compare_flush(Compare *s) {
    int32_t dots[COMPARE_BATCH];
    if (!s->floats) s->scan->dot8_each(s->query, s->items, s->n, s->dim, dots);
    for (size_t i = 0; i < s->n; i++)
        topk_offer(&s->top, s->slots[i],
                   s->floats ? floats_score(s->items[i], s->dim, s->floats, s->row)
                             : (float)dots[i] * (s->query_scale * row8_scale(s->items[i], s->dim)));
    s->q->report->reranked += (uint32_t)s->n;
    s->n = 0;
}

/* Bits of the slots [from, to) of one word that may be returned: one in a hundred is looked at, not all. */
static uint64_t word_passing(const Compare *s, uint32_t from, uint32_t to) {
    uint64_t bits = s->q->allowed ? s->q->allowed[from / 64] : ~UINT64_C(0);
    if (bits) bits &= ~atomic_load_explicit(&s->v->gone[from / 64], memory_order_relaxed);
    if (to - from < 64) bits &= ((UINT64_C(1) << (to - from)) - 1) << from % 64;
    return bits;
}

Err compare_rows(Compare *s, uint32_t from, uint32_t to) {
    for (uint32_t slot = from, end; slot < to; slot = end) {
        end = to - slot > 64 - slot % 64 ? slot + (64 - slot % 64) : to;
        if (slot % 4096 == 0) TRY(deadline_check(s->q->deadline));
        for (uint64_t bits = word_passing(s, slot, end); bits; bits &= bits - 1)
            TRY(compare_row(s, slot / 64 * 64 + (uint32_t)__builtin_ctzll(bits)));
    }
    compare_flush(s);
    return ERR_OK;
}

static Err every_row(Compare *s, const float *query) {
    void *memory;
    TRY(vec_scratch_need(s->q->scratch, s->dim * sizeof *s->query, &memory));
    s->query = memory;
    s->query_scale = row8_query(query, s->dim, s->query);
    Err err = compare_rows(s, 0, s->v->rows);
    s->q->report->proven = err == ERR_OK;
    return err;
}

/* Room for what rows with floats need beside: more hits, and one row. */
static Err floats_begin(Compare *s, const float *query) {
    size_t more = s->q->exact ? 0 : FINISH + s->top.k / FINISH_EACH, k = s->top.k + more;
    size_t row_bytes = scratch_lines(s->dim * sizeof *s->row);
    void *memory;
    TRY(vec_scratch_shared(s->q->scratch, row_bytes + k * sizeof *s->top.hits, &memory));
    s->row = memory;
    s->top.k = k < s->v->rows ? k : s->v->rows;
    s->top.hits = (VecHit *)(void *)((uint8_t *)memory + row_bytes);
    s->floats = s->q->exact ? query : NULL;
    return ERR_OK;
}

/* The best k of what was found, by floats. Their blocks were found right when they were compared. */
static void floats_finish(Compare *s, const float *query, TopK best) {
    for (size_t i = 0; i < s->top.n; i++) {
        uint32_t slot = s->top.hits[i].slot;
        topk_offer(&best, slot, floats_score(rows_item(s->v, slot), s->dim, query, s->row));
    }
    s->top = best;
}

Err compare_search(const VecIndex *base, const float *query, const VecQuery *q, CompareBuilt built, VecHit *out,
                   size_t *n) {
    const Rows8 *ix = (const Rows8 *)base;
    Compare s = {.rows = &ix->rows, .q = q, .v = rows_hold(&ix->rows), .scan = scan_table(), .dim = base->dim};
    Built *b = built_hold(&ix->built);
    const TopK best = s.top = (TopK){.hits = out, .k = q->k < s.v->rows ? q->k : s.v->rows};
    s.passing = q->allowed ? s.scan->ones(q->allowed, (s.v->rows + 63u) / 64u) : s.v->rows;
    bool floats = s.v->item_bytes > row8_bytes(base->dim);
    Err err = floats ? floats_begin(&s, query) : ERR_OK;
    if (!err && best.k)
        err = b && !q->exact && compare_share(&s) > FEW ? built(&s, base, query, b) : every_row(&s, query);
    if (floats && (!err || err == ERR_DEADLINE)) floats_finish(&s, query, best);
    built_drop(&ix->built, b);
    rows_drop(&ix->rows, s.v);
    if (err && err != ERR_DEADLINE) return err;
    topk_finish(&s.top);
    *n = s.top.n;
    return err;
}
