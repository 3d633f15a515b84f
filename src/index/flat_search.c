/* flat_search.c - which rows to compare, and comparing them.
 *
 * Partitions come in the order of the best that one of their rows may promise: <c, q> + RANK radius. In each, the codes of
 * 64 rows at a time say which may still be among the k best: those whose estimate, and a margin of its error on top, is
 * above the k-th best score so far. These are compared as int8. The search ends when a partition's promise is below that
 * score, or with the partitions.
 *
 * A filter and removed slots are asked only of what passed, which is so little that they cost nothing; a filter that lets
 * pass few rows makes the codes pointless, then those rows are compared one by one. So are rows behind what is built.
 *
 * Threads: any number; each reads one view of the rows and one of what is built.
 */
#include "index/flat.h"
#include "index/topk.h"

enum {
    FEW_ALLOWED = 25, /* a filter that lets pass one in so many rows or less: they are compared one by one */
    BATCH = 64,       /* rows compared at a time, at most */
    ENOUGH = 8        /* rows that are worth comparing before the next block: the sooner, the higher the floor */
};

/* How far a search looks, by effort: measured on 100,000 code chunks (bench/README.md). */
#define RANK   0.30f
#define STOP   0.45f
#define MARGIN 1.4f

typedef struct {
    const Flat *ix;
    const VecQuery *q;
    RowsView *v;
    const KernScan *scan;
    size_t dim;
    int16_t *query; /* [dim] */
    float query_scale;
    TopK top;
    uint32_t slots[BATCH];
    const int8_t *rows[BATCH];
    size_t n; /* that wait to be compared */
} Search;

static bool allowed(const Search *s, uint32_t slot) {
    if (slot >= s->v->rows || rows_gone(s->v, slot)) return false;
    return !s->q->allowed || s->q->allowed[slot / 64] >> (slot % 64) & 1;
}

static void compare(Search *s) {
    int32_t dots[BATCH];
    s->scan->dot8_each(s->query, s->rows, s->n, s->dim, dots);
    for (size_t i = 0; i < s->n; i++)
        topk_offer(&s->top, s->slots[i], (float)dots[i] * (s->query_scale * row8_scale(s->rows[i], s->dim)));
    s->q->report->reranked += (uint32_t)s->n;
    s->n = 0;
}

static Err candidate(Search *s, uint32_t slot) {
    const void *item;
    TRY(rows_read(&s->ix->rows, s->v, slot, &item));
    for (size_t d = 0; d < s->dim; d += 64) __builtin_prefetch((const char *)item + d);
    s->slots[s->n] = slot;
    s->rows[s->n++] = item;
    if (s->n == BATCH) compare(s);
    return ERR_OK;
}

static float floor_of(const Search *s) { return s->top.n < s->top.k ? -INFINITY : s->top.hits[0].score; }

/* Rows [from, to), one by one. */
static Err rows_compare(Search *s, uint32_t from, uint32_t to) {
    for (uint32_t slot = from; slot < to;) {
        uint32_t end = (slot / 64 + 1) * 64 < to ? (slot / 64 + 1) * 64 : to;
        if (slot % 4096 == 0) TRY(deadline_check(s->q->deadline));
        if (s->q->allowed && !s->q->allowed[slot / 64]) {
            slot = end;
            continue;
        }
        for (; slot < end; slot++)
            if (allowed(s, slot)) TRY(candidate(s, slot));
    }
    compare(s);
    return ERR_OK;
}

/* ---- codes ---- */

typedef struct {
    FlatCodes c;
    float *turned;              /* [tables * 6] the rotated query, zeros behind it */
    float *lows;                /* [tables] */
    uint8_t *lut;               /* [tables][64] */
    float scale, shift, margin; /* of the sums of look-ups */
    float *promise;             /* [partitions] */
    float *centre;              /* [partitions] <c, q> */
    uint32_t *heap;             /* [partitions], the best on top */
    size_t n_heap;
} Tables;

/* The sum of positive signs' numbers as bytes: entry = (sum - least) / step, one step for all tables. */
static void tables_fill(const Search *s, Tables *t, float length, float margin) {
    float widest = 0, offset = 0, total = 0;
    for (size_t i = 0; i < t->c.tables; i++) {
        float low = 0, high = 0;
        for (size_t k = 0; k < 6; k++) {
            float x = t->turned[6 * i + k];
            low += x < 0 ? x : 0;
            high += x < 0 ? 0 : x;
        }
        t->lows[i] = low;
        widest = high - low > widest ? high - low : widest;
        offset += low;
        total += low + high;
    }
    float step = widest / (float)scan_entry_max(t->c.tables), inverse = step > 0 ? 1 / step : 0;
    for (size_t i = 0; i < t->c.tables; i++) t->lows[i] = 0.5f - t->lows[i] * inverse; /* 0.5: rounds */
    for (size_t i = 0; i < t->c.tables * 6; i++) t->turned[i] *= inverse;
    s->scan->entries(t->turned, t->lows, t->c.tables, t->lut);
    t->scale = 2 * step;
    t->shift = 2 * offset - total;
    t->margin = margin * length * t->c.lost;
}

static void heap_down(Tables *t, size_t i) {
    uint32_t moved = t->heap[i];
    float key = t->promise[moved];
    for (size_t child; (child = 2 * i + 1) < t->n_heap; i = child) {
        if (child + 1 < t->n_heap && t->promise[t->heap[child + 1]] > t->promise[t->heap[child]]) child++;
        if (key >= t->promise[t->heap[child]]) break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = moved;
}

static uint32_t heap_pop(Tables *t) {
    uint32_t best = t->heap[0];
    t->heap[0] = t->heap[--t->n_heap];
    if (t->n_heap) heap_down(t, 0);
    return best;
}

static void partitions_rank(const Search *s, Tables *t, float length) {
    for (size_t p = 0; p < t->c.partitions; p += BATCH) {
        const int8_t *rows[BATCH];
        int32_t dots[BATCH];
        size_t n = t->c.partitions - p < BATCH ? t->c.partitions - p : BATCH;
        for (size_t i = 0; i < n; i++) rows[i] = t->c.centroids + (p + i) * s->dim;
        s->scan->dot8_each(s->query, rows, n, s->dim, dots);
        for (size_t i = 0; i < n; i++) {
            t->centre[p + i] = (float)dots[i] * (s->query_scale * t->c.scales[p + i]);
            t->promise[p + i] = t->centre[p + i] + RANK * length * t->c.radii[p + i];
        }
    }
}

static uint32_t partition_best(const Tables *t) {
    size_t best = 0;
    for (size_t p = 1; p < t->c.partitions; p++)
        if (t->promise[p] > t->promise[best]) best = p;
    return (uint32_t)best;
}

/* Once the first partition has given a score to beat, few others can. */
static void heap_fill(const Search *s, Tables *t, uint32_t but, float stop) {
    float floor = floor_of(s);
    t->n_heap = 0;
    for (size_t p = 0; p < t->c.partitions; p++)
        if (p != but && t->centre[p] + stop * t->c.radii[p] >= floor) t->heap[t->n_heap++] = (uint32_t)p;
    for (size_t i = t->n_heap / 2; i-- > 0;) heap_down(t, i);
}

/* Vectors [from, to) of one block, which may pass. */
static Err block_scan(Search *s, const Tables *t, uint32_t p, size_t from, size_t to) {
    uint16_t sums[SCAN_BLOCK];
    size_t block = from / SCAN_BLOCK, low = from % SCAN_BLOCK, n = to - from;
    uint64_t lanes = (n == SCAN_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << low;
    s->scan->lookup(t->lut, t->c.codes + block * t->c.tables * SCAN_BLOCK, t->c.tables, sums);
    uint64_t bits = lanes & s->scan->above(sums, t->c.factors + block * SCAN_BLOCK, t->centre[p], t->scale,
                                           t->shift + t->margin, floor_of(s));
    s->q->report->scanned += (uint32_t)n;
    for (; bits; bits &= bits - 1) {
        uint32_t slot = t->c.slots[block * SCAN_BLOCK + (size_t)__builtin_ctzll(bits)];
        if (allowed(s, slot)) TRY(candidate(s, slot));
    }
    if (s->n >= ENOUGH) compare(s);
    return ERR_OK;
}

static Err partition_scan(Search *s, const Tables *t, uint32_t p) {
    TRY(deadline_check(s->q->deadline));
    for (size_t at = t->c.starts[p], end = t->c.starts[p + 1], to; at < end; at = to) {
        to = (at / SCAN_BLOCK + 1) * SCAN_BLOCK < end ? (at / SCAN_BLOCK + 1) * SCAN_BLOCK : end;
        TRY(block_scan(s, t, p, at, to));
    }
    compare(s);
    return ERR_OK;
}

static Err codes_scan(Search *s, Tables *t, float stop) {
    uint32_t first = partition_best(t);
    TRY(partition_scan(s, t, first));
    heap_fill(s, t, first, stop);
    while (t->n_heap) {
        uint32_t p = heap_pop(t);
        if (t->centre[p] + stop * t->c.radii[p] >= floor_of(s)) TRY(partition_scan(s, t, p));
    }
    return ERR_OK;
}

static size_t up64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static Err built_search(Search *s, const float *query, const Built *b) {
    Tables t;
    size_t wide = s->ix->rotation.wide;
    TRY(flat_codes_read(s->ix, b, &t.c));
    void *memory;
    size_t p = up64(t.c.partitions * sizeof(float)), query_bytes = up64(s->dim * sizeof *s->query),
           turned = up64(t.c.tables * 6 * sizeof(float)), lows = up64(t.c.tables * sizeof(float));
    TRY(vec_scratch_need(s->q->scratch, query_bytes + turned + lows + t.c.tables * SCAN_ENTRIES + 3 * p, &memory));
    uint8_t *at = memory;
    s->query = (int16_t *)memory;
    s->query_scale = row8_query(query, s->dim, s->query);
    t.turned = (float *)(void *)(at += query_bytes);
    t.lows = (float *)(void *)(at += turned);
    t.lut = at += lows;
    t.promise = (float *)(void *)(at += t.c.tables * SCAN_ENTRIES);
    t.centre = (float *)(void *)(at += p);
    t.heap = (uint32_t *)(void *)(at + p);
    rotate(&s->ix->rotation, query, t.turned);
    for (size_t d = wide; d < t.c.tables * 6; d++) t.turned[d] = 0;
    float length = 0;
    for (size_t d = 0; d < s->dim; d++) length += query[d] * query[d];
    length = sqrtf(length);
    tables_fill(s, &t, length, MARGIN * sqrtf(s->q->effort));
    partitions_rank(s, &t, length);
    TRY(codes_scan(s, &t, STOP * s->q->effort * length));
    return rows_compare(s, b->rows < s->v->rows ? b->rows : s->v->rows, s->v->rows);
}

/* Whether the filter lets so little pass that it is compared one by one. */
static bool few_allowed(const Search *s) {
    size_t n = 0;
    if (!s->q->allowed) return false;
    for (size_t w = 0; w < (s->v->rows + 63u) / 64u; w++) n += (size_t)__builtin_popcountll(s->q->allowed[w]);
    return n <= s->v->rows / FEW_ALLOWED;
}

static Err search_views(Search *s, const float *query, const Built *b) {
    if (b && !s->q->exact && !few_allowed(s)) return built_search(s, query, b);
    void *memory;
    TRY(vec_scratch_need(s->q->scratch, s->dim * sizeof *s->query, &memory));
    s->query = memory;
    s->query_scale = row8_query(query, s->dim, s->query);
    Err err = rows_compare(s, 0, s->v->rows);
    s->q->report->proven = err == ERR_OK;
    return err;
}

Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    const Flat *ix = (const Flat *)base;
    Search s = {.ix = ix, .q = q, .v = rows_hold(&ix->rows), .scan = scan_table(), .dim = base->dim};
    Built *b = built_hold(&ix->built);
    s.top = (TopK){.hits = out, .k = q->k < s.v->rows ? q->k : s.v->rows};
    Err err = s.top.k ? search_views(&s, query, b) : ERR_OK;
    built_drop(&ix->built, b);
    rows_drop(&ix->rows, s.v);
    if (err && err != ERR_DEADLINE) return err;
    topk_finish(&s.top);
    *n = s.top.n;
    return err;
}
