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
#include "index/compare.h"
#include "index/flat.h"

enum { ENOUGH = 8 /* rows that are worth comparing before the next block: the sooner, the higher the floor */ };

/* How far a search looks, by effort: measured on 100,000 code chunks (bench/README.md). */
#define RANK   0.30f
#define STOP   0.45f
#define MARGIN 1.4f

typedef struct {
    FlatCodes c;
    float *turned;              /* [tables * 6] the rotated query, zeros behind it */
    float *lows;                /* [tables] */
    uint8_t *lut;               /* [tables][64] */
    float scale, shift, margin; /* of the sums of look-ups */
    Probe probe;
} Tables;

/* The sum of positive signs' numbers as bytes: entry = (sum - least) / step, one step for all tables. */
static void tables_fill(const Compare *s, Tables *t, float length, float margin) {
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

/* Vectors [from, to) of one block, which may pass. */
static Err block_scan(Compare *s, const Tables *t, uint32_t p, size_t from, size_t to) {
    uint16_t sums[SCAN_BLOCK];
    size_t block = from / SCAN_BLOCK, low = from % SCAN_BLOCK, n = to - from;
    uint64_t lanes = (n == SCAN_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << low;
    s->scan->lookup(t->lut, t->c.codes + block * t->c.tables * SCAN_BLOCK, t->c.tables, sums);
    uint64_t bits = lanes & s->scan->above(sums, t->c.factors + block * SCAN_BLOCK, t->probe.centre[p], t->scale,
                                           t->shift + t->margin, compare_floor(s));
    s->q->report->scanned += (uint32_t)n;
    for (; bits; bits &= bits - 1) {
        uint32_t slot = t->c.in.slots[block * SCAN_BLOCK + (size_t)__builtin_ctzll(bits)];
        if (compare_may(s, slot)) TRY(compare_row(s, slot));
    }
    if (s->n >= ENOUGH) compare_flush(s);
    return ERR_OK;
}

static Err partition_scan(Compare *s, const Tables *t, uint32_t p) {
    TRY(deadline_check(s->q->deadline));
    for (size_t at = t->c.in.starts[p], end = t->c.in.starts[p + 1], to; at < end; at = to) {
        to = (at / SCAN_BLOCK + 1) * SCAN_BLOCK < end ? (at / SCAN_BLOCK + 1) * SCAN_BLOCK : end;
        TRY(block_scan(s, t, p, at, to));
    }
    compare_flush(s);
    return ERR_OK;
}

static Err codes_scan(Compare *s, Tables *t, float stop) {
    Probe *probe = &t->probe;
    uint32_t first = probe_best(probe);
    TRY(partition_scan(s, t, first));
    probe_fill(probe, first, stop, compare_floor(s)); /* with a score to beat, few others can */
    while (probe->n_heap) {
        uint32_t p = probe_pop(probe);
        if (probe->centre[p] + stop * t->c.in.radii[p] >= compare_floor(s)) TRY(partition_scan(s, t, p));
    }
    return ERR_OK;
}

static size_t up64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static Err built_search(Compare *s, const VecIndex *base, const float *query, const Built *b) {
    Tables t;
    const Flat *ix = (const Flat *)base;
    size_t wide = ix->rotation.wide;
    TRY(flat_codes_read(ix, b, &t.c));
    void *memory;
    size_t query_bytes = up64(s->dim * sizeof *s->query), turned = up64(t.c.tables * 6 * sizeof(float)),
           lows = up64(t.c.tables * sizeof(float)), lut = t.c.tables * SCAN_ENTRIES;
    TRY(vec_scratch_need(s->q->scratch, query_bytes + turned + lows + lut + probe_bytes(&t.c.in), &memory));
    uint8_t *at = memory;
    s->query = (int16_t *)memory;
    s->query_scale = row8_query(query, s->dim, s->query);
    t.turned = (float *)(void *)(at += query_bytes);
    t.lows = (float *)(void *)(at += turned);
    t.lut = at += lows;
    t.probe.in = t.c.in;
    probe_place(&t.probe, at + lut);
    rotate(&ix->rotation, query, t.turned);
    for (size_t d = wide; d < t.c.tables * 6; d++) t.turned[d] = 0;
    float length = 0;
    for (size_t d = 0; d < s->dim; d++) length += query[d] * query[d];
    length = sqrtf(length);
    tables_fill(s, &t, length, MARGIN * sqrtf(s->q->effort));
    probe_rank(&t.probe, s->query, s->query_scale, s->dim, RANK * length);
    TRY(codes_scan(s, &t, STOP * s->q->effort * length));
    return compare_rows(s, b->rows < s->v->rows ? b->rows : s->v->rows, s->v->rows);
}

Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    return compare_search(base, query, q, built_search, out, n);
}
