/* codes.c - see codes.h. */
#include "index/codes.h"

enum {
    ENOUGH = 8, /* rows that are worth comparing before the next block: the sooner, the higher the floor */
    FIRST = 8,  /* blocks that a search begins with */
    ASKED = 3   /* floors that they are asked with */
};

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

/* Of the vectors [from, to) of one block those whose estimate, the margin on top, is above floor. */
static uint64_t block_above(const CodesQuery *q, const Compare *s, uint32_t p, size_t from, size_t to, float floor) {
    const Codes *of = q->of;
    size_t block = from / SCAN_BLOCK, n = to - from;
    uint64_t lanes = (n == SCAN_BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << from % SCAN_BLOCK;
    const uint16_t *factors = of->factors ? of->factors + block * SCAN_BLOCK : ones;
    float least = (floor - q->probe.centre[p]) * q->inverse; /* of what the factors are multiplied with */
    return lanes &
           s->scan->above(q->lut, of->codes + block * of->tables * SCAN_BLOCK, of->tables, factors, q->shift, least);
}

static Err rows_compare(const CodesQuery *q, Compare *s, size_t block, uint64_t bits) {
    for (; bits; bits &= bits - 1) {
        uint32_t slot = q->of->in.slots[block * SCAN_BLOCK + (size_t)__builtin_ctzll(bits)];
        if (compare_may(s, slot) && !met(q, slot)) TRY(compare_row(s, slot));
    }
    return ERR_OK;
}

static inline size_t block_end(size_t at, size_t end) {
    size_t to = (at / SCAN_BLOCK + 1) * SCAN_BLOCK;
    return to < end ? to : end;
}

/* The best partition, while there is no score to beat: of its first blocks just those rows are compared that come out
 * best by their estimates, enough to give all others a floor; without that the whole first block was, half of all that
 * a search compared. Floors are tried between the centre's score and half a radius above it, until 1.5 to 3 k rows
 * pass. compared: [FIRST] bits of those rows. */
static Err best_compare(const CodesQuery *q, Compare *s, uint32_t p, size_t from, size_t end, uint64_t *compared) {
    uint64_t above[FIRST] = {0};
    float height = 0.25f, step = 0.125f, radius = q->length * q->of->in.radii[p];
    size_t least = s->top.k + s->top.k / 2, n = 0;
    for (int i = 0; i < ASKED && (n < least || n > 2 * least); i++, step /= 2) {
        float floor = q->probe.centre[p] + height * radius;
        size_t b = n = 0;
        for (size_t at = from, to; at < end; at = to, b++) {
            to = block_end(at, end);
            above[b] = block_above(q, s, p, at, to, floor);
            n += (size_t)__builtin_popcountll(above[b]);
        }
        if (n >= least) memcpy(compared, above, sizeof above);
        height += n < least ? -step : step;
    }
    for (size_t b = 0; b < FIRST; b++) TRY(rows_compare(q, s, from / SCAN_BLOCK + b, compared[b]));
    compare_flush(s);
    return ERR_OK;
}

Err codes_scan(const CodesQuery *q, Compare *s, uint32_t p) {
    size_t start = q->of->in.starts[p], end = q->of->in.starts[p + 1], b = 0;
    uint64_t compared[FIRST] = {0};
    TRY(deadline_check(s->q->deadline));
    if (s->top.n == 0 && !s->q->allowed && end - start > 4 * s->top.k) {
        size_t few = (start / SCAN_BLOCK + FIRST) * SCAN_BLOCK;
        TRY(best_compare(q, s, p, start, few < end ? few : end, compared));
    }
    for (size_t at = start, to; at < end; at = to, b++) {
        to = block_end(at, end);
        uint64_t bits = block_above(q, s, p, at, to, compare_floor(s));
        if (b < FIRST) bits &= ~compared[b];
        TRY(rows_compare(q, s, at / SCAN_BLOCK, bits));
        s->q->report->scanned += (uint32_t)(to - at);
        if (s->n >= ENOUGH) compare_flush(s);
    }
    compare_flush(s);
    return ERR_OK;
}
