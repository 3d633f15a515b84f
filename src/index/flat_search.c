/* flat_search.c - reading the flat kind: search, single rows, the checker.
 *
 * A search walks the blocks in groups of 64 slots, one word of each bitmap: the word of the slots that may be returned
 * (the caller's filter, less what was removed) decides whether the group is skipped, computed as a whole, or row by row.
 * So a filter costs nothing visible when it lets much pass, and a filter that lets little pass is the cheaper the less it
 * lets pass; whole blocks that have no bit are not even checked.
 *
 * Threads: any number; a search reads one view, whose bitmaps only gain bits.
 */
#include <inttypes.h>

#include "index/flat.h"
#include "index/topk.h"

#define GROUP 64
/* With fewer rows wanted of 64 than this, single products are cheaper than the whole group's (measured: 16 of 64 rows in
 * random places already bring in every page and most cache lines of the group). */
#define DENSE_MIN 16

/* out[i] = <query, rows[i]>. */
static void dot_rows(const float *query, const float *rows /* [n, dim] */, size_t n, size_t dim, float *out /* [n] */) {
    for (size_t i = 0; i < n; i++, rows += dim) {
        float sum = 0;
        for (size_t d = 0; d < dim; d++) sum += query[d] * rows[d];
        out[i] = sum;
    }
}

typedef struct {
    const FlatView *view;
    const float *query;
    size_t dim;
    const uint64_t *allowed;
    TopK top;
} Scan;

/* Slots of word `w` in [from, to) that may be returned, as bits 0..63 of slots 64 w .. 64 w + 63. */
static uint64_t group_bits(const Scan *s, uint32_t from, uint32_t to) {
    uint32_t w = from / GROUP, low = from % GROUP, count = to - from;
    uint64_t bits = (count == GROUP ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << low;
    if (s->allowed) bits &= s->allowed[w];
    return bits & ~atomic_load_explicit(&s->view->gone[w], memory_order_relaxed);
}

/* rows: of slot 64 * (from / 64), which may lie before the block when its first slot is not a multiple of 64: rows are
 * only touched where bits are set. */
static void group_scan(Scan *s, const IndexBlock *b, const float *block_rows, uint32_t from, uint64_t bits) {
    float scores[GROUP];
    uint32_t base = from / GROUP * GROUP;
    if (__builtin_popcountll(bits) >= DENSE_MIN) {
        uint32_t low = (uint32_t)__builtin_ctzll(bits), high = GROUP - (uint32_t)__builtin_clzll(bits);
        dot_rows(s->query, block_rows + (base + low - (uint32_t)b->first) * s->dim, high - low, s->dim, scores + low);
        for (uint64_t left = bits; left; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(left);
            topk_offer(&s->top, base + i, scores[i]);
        }
        return;
    }
    for (uint64_t left = bits; left; left &= left - 1) {
        uint32_t slot = base + (uint32_t)__builtin_ctzll(left);
        dot_rows(s->query, block_rows + (slot - (uint32_t)b->first) * s->dim, 1, s->dim, scores);
        topk_offer(&s->top, slot, scores[0]);
    }
}

static Err block_scan(const FlatIndex *ix, FlatView *v, Scan *s, size_t number) {
    const IndexBlock *b = &v->blocks[number];
    const float *rows = flat_block_rows(v, b);
    uint32_t end = (uint32_t)(b->first + b->items);
    bool checked = false;
    for (uint32_t from = (uint32_t)b->first, to; from < end; from = to) {
        to = end - from > GROUP - from % GROUP ? from + (GROUP - from % GROUP) : end;
        uint64_t bits = group_bits(s, from, to);
        if (!bits) continue;
        if (!checked) TRY(flat_block_need(ix, v, number));
        checked = true;
        group_scan(s, b, rows, from, bits);
    }
    return ERR_OK;
}

Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    const FlatIndex *ix = (const FlatIndex *)base;
    FlatView *v = flat_view_hold(ix);
    Scan s = {.view = v,
              .query = query,
              .dim = base->dim,
              .allowed = q->allowed,
              .top = {.hits = out, .k = q->k < v->rows ? q->k : v->rows}};
    Err err = ERR_OK;
    for (size_t b = 0; !err && b < v->n_blocks; b++) {
        err = deadline_check(q->deadline);
        if (!err) err = block_scan(ix, v, &s, b);
    }
    flat_view_drop(ix, v);
    if (err && err != ERR_DEADLINE) return err;
    topk_finish(&s.top);
    *n = s.top.n;
    return err;
}

/* The number of the block that holds the slot, which is below view->rows. */
static size_t block_of(const FlatView *v, uint32_t slot) {
    size_t low = 0, high = v->n_blocks - 1;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (v->blocks[middle].first <= slot)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

Err flat_row(const VecIndex *base, uint32_t slot, float *out) {
    const FlatIndex *ix = (const FlatIndex *)base;
    FlatView *v = flat_view_hold(ix);
    Err err = ERR_OK;
    if (slot >= v->rows) {
        err = err_set(ERR_INPUT, "'%s' has no slot %u: it has %u rows", ix->rows_path, slot, v->rows);
        goto done;
    }
    size_t number = block_of(v, slot);
    if ((err = flat_block_need(ix, v, number))) goto done;
    const IndexBlock *b = &v->blocks[number];
    memcpy(out, flat_block_rows(v, b) + (slot - (uint32_t)b->first) * base->dim, base->dim * sizeof *out);
done:
    flat_view_drop(ix, v);
    return err;
}

/* Everything is read again, whatever searches found right before. The tombstones are not looked at: a torn end is their
 * ordinary state after a crash, and while another process writes. */
Err flat_check(const VecIndex *base, Buf *report) {
    const FlatIndex *ix = (const FlatIndex *)base;
    FlatView *v = flat_view_hold(ix);
    size_t findings = 0;
    for (size_t number = 0; number < v->n_blocks; number++) {
        const IndexBlock *b = &v->blocks[number];
        if (index_block_verify(v->map.bytes, ix->rows_path, number, b)) {
            buf_printf(report, "%s\n", err_text());
            findings++;
            continue;
        }
        const float *rows = flat_block_rows(v, b);
        for (uint32_t i = 0; i < b->items; i++) {
            size_t unfit = vec_first_unfit(rows + i * base->dim, base->dim);
            if (unfit == base->dim) continue;
            buf_printf(report, "index file '%s': row %" PRIu64 " is not finite: number %zu\n", ix->rows_path,
                       b->first + i, unfit);
            findings++;
        }
    }
    flat_view_drop(ix, v);
    if (findings == 0) return ERR_OK;
    return err_fix(err_set(ERR_CORRUPT, "%zu findings in index file '%s'", findings, ix->rows_path), INDEX_FILE_FIX);
}
