/* flat_search.c - which partitions to scan, in which order, and the tables of signs to scan them with.
 *
 * Partitions come in the order of the best that one of their rows may promise: <c, q> + RANK radius. In each, the codes
 * of 64 rows at a time say which may still be among the k best: those whose estimate, and a margin of its error on top,
 * is above the k-th best score so far (codes.h). These are compared as int8. A partition is left out when its <c, q> +
 * STOP radius is below that score: the search ends with the last that is not. STOP falls with the share of all rows
 * that was scanned, since the best partitions came first: without that, one query in a hundred scans half of them and
 * finds nothing.
 *
 * A filter and removed slots are asked only of what passed, which is so little that they cost nothing; a filter that
 * lets pass few rows makes the codes pointless, then those rows are compared one by one. So are rows behind what is
 * built.
 *
 * Threads: any number; each reads one view of the rows and one of what is built.
 */
#include "index/flat.h"

/* How far a search looks, by effort: measured on 100,000 code chunks (bench/README.md). */
#define RANK   0.30f
#define STOP   0.58f
#define MARGIN 1.6f
#define TIRE   0.9f /* STOP has fallen to nothing by this share of all rows: effort^3 / TIRE, more with a filter */

/* The sum of positive signs' numbers as bytes: entry = (sum - least) / step, one step for all tables.
 * turned: [tables * 6] the rotated query, zeros behind it; lows: [tables] room. */
static void tables_fill(const Compare *s, CodesQuery *q, float *turned, float *lows, float margin) {
    size_t tables = q->of->tables;
    float widest = 0, offset = 0, total = 0;
    for (size_t i = 0; i < tables; i++) {
        float low = 0, sum = 0;
        for (size_t k = 0; k < 6; k++) {
            float x = turned[6 * i + k];
            low += 0.5f * (x - fabsf(x)); /* of x below 0 only: exactly, and no branch that half of them would miss */
            sum += x;
        }
        lows[i] = low;
        widest = fmaxf(widest, sum - 2 * low);
        offset += low;
        total += sum;
    }
    float step = widest > 0 ? widest / (float)scan_entry_max(tables) : 1, inverse = 1 / step;
    for (size_t i = 0; i < tables; i++) lows[i] = 0.5f - lows[i] * inverse; /* 0.5: rounds */
    for (size_t i = 0; i < tables * 6; i++) turned[i] *= inverse;
    s->scan->entries(turned, lows, tables, q->lut);
    q->inverse = 0.5f * inverse;
    q->shift = (2 * offset - total + margin) * q->inverse;
}

static Err partitions_scan(Compare *s, CodesQuery *q, float stop) {
    Probe *probe = &q->probe;
    float effort = s->q->effort, tire = TIRE * compare_share(s) / (effort * effort * effort * (float)q->of->in.coded);
    uint32_t first = probe_best(probe);
    TRY(codes_scan(q, s, first));
    probe_fill(probe, first, stop, compare_floor(s)); /* with a score to beat, few others can */
    while (probe->n_heap) {
        uint32_t p = probe_pop(probe);
        float left = 1 - tire * (float)s->q->report->scanned;
        if (probe->centre[p] + left * stop * q->of->in.radii[p] >= compare_floor(s)) TRY(codes_scan(q, s, p));
    }
    return ERR_OK;
}

static Err built_search(Compare *s, const VecIndex *base, const float *query, const Built *b) {
    const Flat *ix = (const Flat *)base;
    FlatCodes c;
    CodesQuery q = {.of = &c.of};
    TRY(flat_codes_read(ix, b, &c));
    void *memory;
    size_t turned_bytes = scratch_lines(c.of.tables * 6 * sizeof(float));
    TRY(codes_begin(&q, s, query, RANK, turned_bytes + c.of.tables * sizeof(float), &memory));
    float *turned = memory, *lows = (float *)(void *)((uint8_t *)memory + turned_bytes);
    rotate(&ix->rotation, query, turned);
    for (size_t d = ix->rotation.wide; d < c.of.tables * 6; d++) turned[d] = 0;
    tables_fill(s, &q, turned, lows, MARGIN * sqrtf(s->q->effort) * q.length * c.lost);
    TRY(partitions_scan(s, &q, STOP * s->q->effort * q.length));
    return compare_rows(s, b->rows < s->v->rows ? b->rows : s->v->rows, s->v->rows);
}

Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    return compare_search(base, query, q, built_search, out, n);
}
