/* ivfpq_search.c - which rows to compare, and comparing them.
 *
 * The nprobe partitions of the best promise (partition.h) are scanned, best first, 64 codes at a time; rows whose estimate,
 * and a margin of its error on top, is above the k-th best score so far are compared as int8 (compare.h). So how many are
 * re-ranked follows from how close the scores lie, not from a fixed factor.
 */
#include "index/compare.h"
#include "index/ivfpq.h"

enum { ENOUGH = 8 /* rows that are worth comparing before the next block */ };

/* How far a search looks, by effort: measured on 60,000 code chunks. */
#define RANK   0.30f
#define PROBE  1.3f /* partitions probed, times the square root of how many there are */
#define MARGIN 5.2f /* of errors that had nothing to do with the query; those of near rows have */

typedef struct {
    IvfpqCodes c;
    Probe probe;
    float *numbers;     /* [tables][64] <codebook[t][e], q[t]> */
    float *padded;      /* [tables * sub] the query, zeros behind it */
    uint8_t *lut;       /* [tables][64] */
    uint16_t *ones;     /* [64] bf16: codes have no factors of their own */
    float scale, shift; /* of the sums of look-ups; the margin is in shift */
} Tables;

/* entry = (number - least of its table) / step, one step for all tables. */
static void tables_fill(Tables *t, float margin) {
    float widest = 0, offset = 0;
    for (size_t i = 0; i < t->c.tables; i++) {
        float *numbers = t->numbers + i * IVFPQ_CENTROIDS, low = INFINITY, high = -INFINITY;
        memset(numbers, 0, IVFPQ_CENTROIDS * sizeof *numbers);
        for (size_t d = 0; d < t->c.sub; d++) {
            const float *row = t->c.codebook + (i * t->c.sub + d) * IVFPQ_CENTROIDS;
            float x = t->padded[i * t->c.sub + d];
            for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) numbers[e] += row[e] * x;
        }
        for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) {
            low = numbers[e] < low ? numbers[e] : low;
            high = numbers[e] > high ? numbers[e] : high;
        }
        for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) numbers[e] -= low;
        widest = high - low > widest ? high - low : widest;
        offset += low;
    }
    float most = (float)scan_entry_max(t->c.tables), step = widest / most, inverse = step > 0 ? 1 / step : 0;
    for (size_t i = 0; i < t->c.tables * IVFPQ_CENTROIDS; i++) {
        float entry = t->numbers[i] * inverse + 0.5f;
        t->lut[i] = (uint8_t)(entry < most ? entry : most);
    }
    t->scale = step;
    t->shift = offset + margin;
}

/* Vectors [from, to) of one block, which may pass. */
static Err block_scan(Compare *s, const Tables *t, uint32_t p, size_t from, size_t to) {
    uint16_t sums[SCAN_BLOCK];
    size_t block = from / SCAN_BLOCK, n = to - from;
    uint64_t lanes = (n == SCAN_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << from % SCAN_BLOCK;
    s->scan->lookup(t->lut, t->c.codes + block * t->c.tables * SCAN_BLOCK, t->c.tables, sums);
    uint64_t bits = lanes & s->scan->above(sums, t->ones, t->probe.centre[p], t->scale, t->shift, compare_floor(s));
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

/* nprobe partitions; with a filter as many more as it leaves fewer rows in each, and in any case until there are k rows. */
static Err codes_scan(Compare *s, Tables *t) {
    float asked = PROBE * s->q->effort * sqrtf((float)t->c.in.count) / compare_share(s);
    size_t nprobe = asked < (float)t->c.in.count ? (size_t)asked + 1 : t->c.in.count;
    probe_fill(&t->probe, UINT32_MAX, 0, -INFINITY);
    for (size_t i = 0; t->probe.n_heap && (i < nprobe || s->top.n < s->top.k); i++)
        TRY(partition_scan(s, t, probe_pop(&t->probe)));
    return ERR_OK;
}

static size_t up64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static Err built_search(Compare *s, const VecIndex *base, const float *query, const Built *b) {
    Tables t;
    TRY(ivfpq_codes_read((const Rows8 *)base, b, &t.c));
    void *memory;
    size_t entries = t.c.tables * IVFPQ_CENTROIDS, query_bytes = up64(s->dim * sizeof *s->query),
           padded = up64(t.c.tables * t.c.sub * sizeof(float)), numbers = entries * sizeof(float);
    uint16_t ones[SCAN_BLOCK];
    TRY(vec_scratch_need(s->q->scratch, query_bytes + padded + numbers + entries + probe_bytes(&t.c.in), &memory));
    uint8_t *at = memory;
    s->query = (int16_t *)memory;
    s->query_scale = row8_query(query, s->dim, s->query);
    t.padded = (float *)(void *)(at += query_bytes);
    t.numbers = (float *)(void *)(at += padded);
    t.lut = at += numbers;
    t.probe.in = t.c.in;
    probe_place(&t.probe, at + entries);
    t.ones = ones;
    for (size_t i = 0; i < SCAN_BLOCK; i++) ones[i] = 0x3F80;
    memcpy(t.padded, query, s->dim * sizeof *query);
    for (size_t d = s->dim; d < t.c.tables * t.c.sub; d++) t.padded[d] = 0;
    float length = 0;
    for (size_t d = 0; d < s->dim; d++) length += query[d] * query[d];
    length = sqrtf(length);
    tables_fill(&t, MARGIN * sqrtf(s->q->effort) * length * t.c.lost);
    probe_rank(&t.probe, s->query, s->query_scale, s->dim, RANK * length);
    TRY(codes_scan(s, &t));
    return compare_rows(s, b->rows < s->v->rows ? b->rows : s->v->rows, s->v->rows);
}

Err ivfpq_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    return compare_search(base, query, q, built_search, out, n);
}
