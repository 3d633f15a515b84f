/* codes.c - see codes.h. */
#include "index/codes.h"

enum { ENOUGH = 8 /* rows that are worth comparing before the next block: the sooner, the higher the floor */ };

static const uint16_t ones[SCAN_BLOCK] = {
#define EIGHT 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
#undef EIGHT
};

Err codes_begin(CodesQuery *q, Compare *s, const float *query, float rank, size_t own, void **memory) {
    size_t bytes = scratch_lines(s->dim * sizeof *s->query), lut = q->of->tables * SCAN_ENTRIES;
    size_t seen = q->of->twice ? scratch_lines((s->v->rows / 64 + 1) * sizeof *q->seen) : 0;
    uint8_t *at;
    void *room;
    TRY(vec_scratch_need(s->q->scratch, seen + bytes + lut + probe_bytes(&q->of->in) + own, &room));
    q->seen = seen ? memset(room, 0, seen) : NULL;
    at = (uint8_t *)room + seen;
    s->query = (int16_t *)(void *)at;
    s->query_scale = row8_query(query, s->dim, s->query);
    q->lut = at + bytes;
    q->probe.in = q->of->in;
    probe_place(&q->probe, q->lut + lut);
    *memory = q->lut + lut + probe_bytes(&q->of->in);
    q->length = sqrtf(row8_sum(query, s->dim, row8_square));
    int8_t small[VEC_DIM_MAX];
    float scale = row8_query_small(query, s->dim, small);
    probe_rank(&q->probe, small, scale, s->dim, rank * q->length);
    return ERR_OK;
}

/* Whether the row was compared before; from here on it was. */
static inline bool met(const CodesQuery *q, uint32_t slot) {
    if (!q->seen) return false;
    const uint64_t bit = UINT64_C(1) << (slot % 64), before = q->seen[slot / 64];
    q->seen[slot / 64] |= bit;
    return before & bit;
}

/* Vectors [from, to) of one block. */
static Err block_scan(const CodesQuery *q, Compare *s, uint32_t p, size_t from, size_t to) {
    const Codes *of = q->of;
    size_t block = from / SCAN_BLOCK, n = to - from;
    uint64_t lanes = (n == SCAN_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << from % SCAN_BLOCK;
    const uint16_t *factors = of->factors ? of->factors + block * SCAN_BLOCK : ones;
    float floor = (compare_floor(s) - q->probe.centre[p]) * q->inverse; /* of what the factors are multiplied with */
    uint64_t bits = lanes & s->scan->above(q->lut, of->codes + block * of->tables * SCAN_BLOCK, of->tables, factors,
                                           q->shift, floor);
    s->q->report->scanned += (uint32_t)n;
    for (; bits; bits &= bits - 1) {
        uint32_t slot = of->in.slots[block * SCAN_BLOCK + (size_t)__builtin_ctzll(bits)];
        if (compare_may(s, slot) && !met(q, slot)) TRY(compare_row(s, slot));
    }
    if (s->n >= ENOUGH) compare_flush(s);
    return ERR_OK;
}

Err codes_scan(const CodesQuery *q, Compare *s, uint32_t p) {
    TRY(deadline_check(s->q->deadline));
    for (size_t at = q->of->in.starts[p], end = q->of->in.starts[p + 1], to; at < end; at = to) {
        to = (at / SCAN_BLOCK + 1) * SCAN_BLOCK < end ? (at / SCAN_BLOCK + 1) * SCAN_BLOCK : end;
        TRY(block_scan(q, s, p, at, to));
    }
    compare_flush(s);
    return ERR_OK;
}
