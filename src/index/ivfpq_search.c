/* ivfpq_search.c - which partitions to scan, and the tables of the codebook to scan them with.
 *
 * The nprobe partitions of the best promise (partition.h) are scanned, best first, 64 codes at a time; rows whose
 * estimate, and a margin of its error on top, is above the k-th best score so far are compared as int8 (codes.h).
 */
#include "index/ivfpq.h"

/* How far a search looks, by effort: measured on 60,000 code chunks. */
#define RANK   0.30f
#define PROBE  1.3f /* partitions probed, times the square root of how many there are */
#define MARGIN 5.2f /* of errors that had nothing to do with the query; those of near rows have */

/* numbers: [tables][64] <codebook[t][e], q[t]>, less the least of its table. */
static void numbers_fill(const IvfpqCodes *c, const float *padded, float *numbers, float *widest, float *offset) {
    *widest = *offset = 0;
    for (size_t i = 0; i < c->of.tables; i++, numbers += IVFPQ_CENTROIDS) {
        float low = INFINITY, high = -INFINITY;
        memset(numbers, 0, IVFPQ_CENTROIDS * sizeof *numbers);
        for (size_t d = 0; d < c->sub; d++) {
            const float *row = c->codebook + (i * c->sub + d) * IVFPQ_CENTROIDS;
            float x = padded[i * c->sub + d];
            for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) numbers[e] += row[e] * x;
        }
        for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) {
            low = numbers[e] < low ? numbers[e] : low;
            high = numbers[e] > high ? numbers[e] : high;
        }
        for (size_t e = 0; e < IVFPQ_CENTROIDS; e++) numbers[e] -= low;
        *widest = high - low > *widest ? high - low : *widest;
        *offset += low;
    }
}

/* entry = number / step, one step for all tables. */
static void tables_fill(const IvfpqCodes *c, CodesQuery *q, const float *padded, float *numbers, float margin) {
    float widest, offset, most = (float)scan_entry_max(c->of.tables);
    numbers_fill(c, padded, numbers, &widest, &offset);
    float inverse = widest > 0 ? most / widest : 1;
    for (size_t i = 0; i < c->of.tables * IVFPQ_CENTROIDS; i++) {
        float entry = numbers[i] * inverse + 0.5f;
        q->lut[i] = (uint8_t)(entry < most ? entry : most);
    }
    q->inverse = inverse;
    q->shift = (offset + margin) * inverse;
}

/* nprobe partitions; with a filter as many more as it leaves fewer rows in each, and in any case until there are k
 * rows. */
static Err partitions_scan(Compare *s, CodesQuery *q) {
    float count = (float)q->of->in.count, asked = PROBE * s->q->effort * sqrtf(count) / compare_share(s);
    size_t nprobe = asked < count ? (size_t)asked + 1 : q->of->in.count;
    probe_fill(&q->probe, UINT32_MAX, 0, -INFINITY);
    for (size_t i = 0; q->probe.n_heap && (i < nprobe || s->top.n < s->top.k); i++)
        TRY(codes_scan(q, s, probe_pop(&q->probe)));
    return ERR_OK;
}

static Err built_search(Compare *s, const VecIndex *base, const float *query, const Built *b) {
    IvfpqCodes c;
    CodesQuery q = {.of = &c.of};
    TRY(ivfpq_codes_read((const Rows8 *)base, b, &c));
    void *memory;
    size_t wide = c.of.tables * c.sub, padded_bytes = scratch_lines(wide * sizeof(float));
    TRY(codes_begin(&q, s, query, RANK, padded_bytes + c.of.tables * IVFPQ_CENTROIDS * sizeof(float), &memory));
    float *padded = memory, *numbers = (float *)(void *)((uint8_t *)memory + padded_bytes);
    memcpy(padded, query, s->dim * sizeof *query);
    for (size_t d = s->dim; d < wide; d++) padded[d] = 0;
    tables_fill(&c, &q, padded, numbers, MARGIN * sqrtf(s->q->effort) * q.length * c.lost);
    TRY(partitions_scan(s, &q));
    return compare_rows(s, b->rows < s->v->rows ? b->rows : s->v->rows, s->v->rows);
}

Err ivfpq_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    return compare_search(base, query, q, built_search, out, n);
}
