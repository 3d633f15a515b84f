/* weights.c - products with weights in each of their forms (weights.h).
 *
 * Activations are turned into what the form takes once a product, then the outputs are shared out over the pool.
 */
#include "model/weights.h"

#include <string.h>

enum { QUANT_KINDS = QUANT_BLOCKS256 + 1 };

typedef struct {
    const WeightsRun *run;
    const Kern *kern;
    const Weights *w;
    const float *a;
    size_t m;
    float *out;

    LowRows low;              /* the activations, of LOW and LOW_STRIPS */
    float *wide;              /* [m, low_wide(n)] where that is not n */
    char *kinds[QUANT_KINDS]; /* the activations, of BLOCKS: [m, quant_kind_bytes] */
    char *bf16;               /* [m, low_wide(k)] */
    char *each;               /* [threads][each_bytes] */
    size_t each_bytes;
    size_t units, pieces; /* panels or rows of weights; what they are shared out in */
} Job;

/* ---- scratch ---- */

typedef struct {
    char *base; /* NULL: only counts */
    size_t at;
} Cursor;

static void *take(Cursor *c, size_t bytes) {
    void *p = c->base ? c->base + c->at : NULL;
    c->at += (bytes + 63) / 64 * 64;
    return p;
}

static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }
static size_t strip_bytes(const Job *j) { return lines(j->kern->panel * j->w->rows.k * sizeof(float)); }
static size_t low_strip_bytes(const Job *j) { return lines(LOW_WIDE * j->w->rows.k * sizeof(float)); }

static void cut_low(Job *j, Cursor *c) {
    size_t k = low_wide(j->w->rows.k), n = j->w->rows.n;
    j->bf16 = take(c, j->m * k * sizeof(Bf16));
    j->low = (LowRows){.rows = j->bf16, .stride = k};
    if (j->w->low.type == LOW_INT8) {
        j->low.rows = take(c, j->m * k);
        j->low.scale = take(c, j->m * sizeof(float));
        j->low.zero = take(c, j->m * sizeof(float));
    }
    j->wide = n % LOW_WIDE ? take(c, j->m * low_wide(n) * sizeof(float)) : j->out;
}

static void cut_blocks(Job *j, Cursor *c) {
    const NetRows *r = &j->w->rows;
    memset(j->kinds, 0, sizeof j->kinds);
    bool seen[QUANT_KINDS] = {false};
    for (size_t i = 0; i < r->n_parts; i++) {
        QuantKind kind = quant_kind(r->parts[i]->format->type);
        if (!seen[kind]) j->kinds[kind] = take(c, j->m * quant_kind_bytes(kind, r->k));
        seen[kind] = true;
    }
}

/* Cuts the scratch up; returns the bytes it takes. */
static size_t cut(Job *j, size_t threads, void *base) {
    Cursor c = {base, 0};
    size_t k = j->w->rows.k;
    j->each_bytes = 0;
    switch (j->w->form) {
    case WEIGHTS_PANELS:
        break;
    case WEIGHTS_STRIPS:
        j->each_bytes = 2 * strip_bytes(j); /* the rows, then their panel */
        break;
    case WEIGHTS_LOW_STRIPS: /* and scales and sums */
        j->each_bytes = low_strip_bytes(j) + lines(low_panel_bytes(j->w->low.type, k)) + 2 * LOW_WIDE * sizeof(float);
        cut_low(j, &c);
        break;
    case WEIGHTS_LOW:
        cut_low(j, &c);
        break;
    case WEIGHTS_BLOCKS:
        j->each_bytes = quant_scratch_bytes(k);
        cut_blocks(j, &c);
        break;
    }
    j->each = take(&c, threads * j->each_bytes);
    return c.at;
}

size_t weights_scratch(const Kern *kern, const Weights *w, size_t m, size_t threads) {
    Job j = {.kern = kern, .w = w, .m = m};
    return cut(&j, threads, NULL) / sizeof(float);
}

/* ---- sharing out ---- */

/* Below so many multiplications the other threads wake later than this one is done. */
#define ALONE ((size_t)1 << 20)

/* Two pieces a thread: one may be held up. */
static Err share_out(Job *j, size_t units, PoolBody body) {
    j->units = units;
    j->pieces = j->m * j->w->rows.n < ALONE / j->w->rows.k ? 1 : 2 * pool_size(j->run->pool);
    if (j->pieces > units) j->pieces = units;
    return pool_for(j->run->pool, j->pieces, body, j);
}

static size_t piece_from(const Job *j, size_t piece) { return j->units * piece / j->pieces; }

/* ---- f32 ---- */

static Err strip_piece(void *ctx, size_t piece, size_t worker) {
    static const float zeros[KERN_PANEL_MAX];
    const Job *j = ctx;
    const Kern *kern = j->kern;
    const NetRows *r = &j->w->rows;
    char *each = j->each + worker * j->each_bytes;
    float *scratch = (void *)each, *packed = (void *)(each + strip_bytes(j));
    const float *rows[KERN_PANEL_MAX];
    for (size_t p = piece_from(j, piece); p < piece_from(j, piece + 1); p++) {
        size_t at = p * kern->panel, n = r->n - at < kern->panel ? r->n - at : kern->panel;
        net_rows_floats(kern, r, at, kern->panel, scratch, rows);
        if (!kern->pack(rows, r->k, packed)) /* the file has changed under us */
            TRY(net_rows_check(j->run->gguf, r, at, n, rows));
        const KernMatrix one = {.n = n, .k = r->k, .panels = packed, .bias = r->bias ? r->bias + at : zeros};
        kern->gemm(&one, 0, 1, KERN_PLAIN, j->a, r->k, j->m, j->out + at, r->n);
    }
    return ERR_OK;
}

/* ---- bfloat16 and int8 ---- */

/* Rows [piece] of the activations in the product's type. */
static Err low_rows_piece(void *ctx, size_t piece, size_t worker) {
    const Job *j = ctx;
    (void)worker;
    size_t k = j->w->rows.k, wide = j->low.stride, from = j->m * piece / j->pieces, to = j->m * (piece + 1) / j->pieces;
    for (size_t row = from; row < to; row++) {
        Bf16 *out = (Bf16 *)(void *)j->bf16 + row * wide;
        const float *in = j->a + row * k;
        for (size_t i = 0; i < k; i++) out[i] = bf16_of(in[i]);
        memset(out + k, 0, (wide - k) * sizeof *out);
    }
    if (j->w->low.type != LOW_INT8) return ERR_OK;
    /* The rows are written once, here, through the pointers that the product reads by. */
    j->kern->low->quantize((const Bf16 *)(const void *)j->bf16 + from * wide, to - from, wide,
                           (uint8_t *)(uintptr_t)j->low.rows + from * wide, (float *)(uintptr_t)j->low.scale + from,
                           (float *)(uintptr_t)j->low.zero + from);
    return ERR_OK;
}

static Err make_low_rows(Job *j) {
    j->pieces = j->m * j->w->rows.k < ALONE / 8 ? 1 : pool_size(j->run->pool);
    if (j->pieces > j->m) j->pieces = j->m;
    return pool_for(j->run->pool, j->pieces, low_rows_piece, j);
}

static Err low_strip_piece(void *ctx, size_t piece, size_t worker) {
    const Job *j = ctx;
    const NetRows *r = &j->w->rows;
    char *each = j->each + worker * j->each_bytes, *packed = each + low_strip_bytes(j);
    float *scale = (void *)(packed + lines(low_panel_bytes(j->w->low.type, r->k)));
    bool int8 = j->w->low.type == LOW_INT8;
    const float *rows[LOW_WIDE];
    for (size_t p = piece_from(j, piece); p < piece_from(j, piece + 1); p++) {
        size_t at = p * LOW_WIDE;
        net_rows_floats(j->kern, r, at, LOW_WIDE, (void *)each, rows);
        j->kern->low->pack(j->w->low.type, rows, r->k, packed, int8 ? scale : NULL, int8 ? scale + LOW_WIDE : NULL);
        const LowMatrix one = {.type = j->w->low.type,
                               .n = r->n - at < LOW_WIDE ? r->n - at : LOW_WIDE,
                               .k = r->k,
                               .panels = packed,
                               .bias = r->bias + at,
                               .scale = scale,
                               .sums = scale + LOW_WIDE};
        j->kern->low->gemm(&one, 0, 1, LOW_OUT_F32, &j->low, j->m, j->wide + at, low_wide(r->n));
    }
    return ERR_OK;
}

static Err times_low(Job *j) {
    size_t n = j->w->rows.n;
    TRY(make_low_rows(j));
    if (j->w->form == WEIGHTS_LOW)
        TRY(net_linear_low(j->kern, j->run->pool, &j->w->low, LOW_OUT_F32, &j->low, j->m, j->wide));
    else
        TRY(share_out(j, low_panels(n), low_strip_piece));
    for (size_t row = 0; j->wide != j->out && row < j->m; row++)
        memcpy(j->out + row * n, j->wide + row * low_wide(n), n * sizeof *j->out);
    return ERR_OK;
}

/* ---- blocks ---- */

/* Outputs [from, to) of the whole matrix, out of the parts they are in. */
static Err blocks_piece(void *ctx, size_t piece, size_t worker) {
    const Job *j = ctx;
    const NetRows *r = &j->w->rows;
    size_t from = piece_from(j, piece), to = piece_from(j, piece + 1), first = 0;
    for (size_t i = 0; i < r->n_parts; first += (size_t)r->parts[i]->shape[1], i++) {
        const GgufTensor *t = r->parts[i];
        size_t n = (size_t)t->shape[1], low = from > first ? from - first : 0, high = to > first ? to - first : 0;
        if (high > n) high = n;
        if (low >= high) continue;
        const QuantMatrix w = {.type = t->format->type,
                               .n = n,
                               .k = r->k,
                               .rows = t->data.p,
                               .row_bytes = quant_row_bytes(t->format->type, r->k),
                               .bias = r->bias ? r->bias + first : NULL};
        j->kern->quant->gemm(&w, low, high, j->kinds[quant_kind(w.type)], j->m, j->out + first, r->n,
                             j->each + worker * j->each_bytes);
    }
    return ERR_OK;
}

static Err times_blocks(Job *j) {
    size_t k = j->w->rows.k;
    for (size_t kind = 0; kind < QUANT_KINDS; kind++)
        if (j->kinds[kind]) j->kern->quant->rows((QuantKind)kind, j->a, k, j->m, k, j->kinds[kind]);
    return share_out(j, j->w->rows.n, blocks_piece);
}

Err weights_times(const WeightsRun *run, const Weights *w, const float *a, size_t m, float *out) {
    Job j = {.run = run, .kern = run->kern, .w = w, .a = a, .m = m, .out = out};
    (void)cut(&j, pool_size(run->pool), run->scratch);
    switch (w->form) {
    case WEIGHTS_PANELS:
        return net_linear(run->kern, run->pool, &w->panels, KERN_PLAIN, a, m, out);
    case WEIGHTS_STRIPS:
        return share_out(&j, kern_panels(run->kern, w->rows.n), strip_piece);
    case WEIGHTS_LOW:
    case WEIGHTS_LOW_STRIPS:
        return times_low(&j);
    case WEIGHTS_BLOCKS:
        break;
    }
    return times_blocks(&j);
}
