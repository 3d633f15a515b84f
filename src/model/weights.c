/* weights.c - products with weights in each of their forms (weights.h).
 *
 * Activations are turned into what the form takes once a product, then the outputs are shared out over the pool. What
 * is used where it lies in the file stays tensor by tensor: parts of a matrix may have different types.
 */
#include "model/weights.h"

#include <string.h>

#include "kern/quant_exact.h"
#include "model/layout.h"

enum { QUANT_KINDS = QUANT_BLOCKS256 + 1 };

typedef struct {
    const WeightsRun *run;
    const Kern *kern;
    const Weights *w;
    const float *a;
    size_t m;
    float *out;

    LowRows low;              /* the activations, of LOW and LOW_STRIPS: bf16, and u8 of those where they are int8 */
    float *wide;              /* [m, low_wide(n)] where that is not n */
    char *kinds[QUANT_KINDS]; /* the activations, of BLOCKS: [m, quant_kind_bytes] */
    char *bf16;               /* [m, low_wide(k)] */
    char *each;               /* [threads][each_bytes] */
    size_t each_bytes;
    size_t steps, pieces; /* of outputs; what they are shared out in */
} Job;

/* ---- scratch ---- */

static void cut_low(Job *j, Layout *c) {
    size_t k = low_wide(j->w->rows.k), n = j->w->rows.n;
    j->bf16 = layout_take(c, j->m * k * sizeof(Bf16));
    j->low = (LowRows){.rows = j->bf16, .stride = k};
    if (j->w->low.type == LOW_INT8) {
        j->low.rows = layout_take(c, j->m * k);
        j->low.scale = layout_take(c, j->m * sizeof(float));
        j->low.zero = layout_take(c, j->m * sizeof(float));
    }
    j->wide = n % LOW_WIDE ? layout_take(c, j->m * low_wide(n) * sizeof(float)) : j->out;
}

static void cut_blocks(Job *j, Layout *c) {
    const NetRows *r = &j->w->rows;
    memset(j->kinds, 0, sizeof j->kinds);
    bool seen[QUANT_KINDS] = {false};
    for (size_t i = 0; i < r->n_parts; i++) {
        QuantKind kind = quant_kind(r->parts[i]->format->type);
        if (!seen[kind]) j->kinds[kind] = layout_take(c, j->m * quant_kind_bytes(kind, r->k));
        seen[kind] = true;
    }
}

/* Cuts the scratch up; returns the bytes it takes. */
static size_t cut(Job *j, size_t threads, void *base) {
    Layout c = {base, 0};
    size_t k = j->w->rows.k;
    j->each_bytes = 0;
    switch (j->w->form) {
    case WEIGHTS_PANELS:
        break;
    case WEIGHTS_STRIPS:
        j->each_bytes = quant_f32_scratch_bytes(j->kern, k);
        break;
    case WEIGHTS_LOW_STRIPS:
        j->each_bytes = quant_bf16_scratch_bytes(k);
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
    j->each = layout_take(&c, threads * j->each_bytes);
    return c.at;
}

size_t weights_scratch(const Kern *kern, const Weights *w, size_t m, size_t threads) {
    Job j = {.kern = kern, .w = w, .m = m};
    return cut(&j, threads, NULL) / sizeof(float);
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

/* Fewer numbers than this are rounded before another thread wakes. */
enum { ROUND_ALONE = 1 << 17 };

static Err make_low_rows(Job *j) {
    j->pieces = j->m * j->w->rows.k < ROUND_ALONE ? 1 : pool_size(j->run->pool);
    if (j->pieces > j->m) j->pieces = j->m;
    return pool_for(j->run->pool, j->pieces, low_rows_piece, j);
}

static Err times_low(Job *j) {
    size_t n = j->w->rows.n;
    TRY(make_low_rows(j));
    TRY(net_linear_low(j->kern, j->run->pool, &j->w->low, LOW_OUT_F32, &j->low, j->m, j->wide));
    for (size_t row = 0; j->wide != j->out && row < j->m; row++)
        memcpy(j->out + row * n, j->wide + row * low_wide(n), n * sizeof *j->out);
    return ERR_OK;
}

/* ---- where they lie ---- */

/* Outputs [low, high) of one part; `first` is the part's place in the whole. */
static void times_part(const Job *j, const GgufTensor *t, size_t first, size_t low, size_t high, void *scratch) {
    const NetRows *r = &j->w->rows;
    const QuantMatrix w = {.type = t->format->type,
                           .n = (size_t)t->shape[1],
                           .k = r->k,
                           .rows = t->data.p,
                           .row_bytes = quant_row_bytes(t->format->type, r->k),
                           .bias = r->bias ? r->bias + first : NULL};
    if (j->w->form == WEIGHTS_STRIPS)
        quant_gemm_f32(j->kern, &w, low, high, KERN_PLAIN, j->a, r->k, j->m, j->out + first, r->n, scratch);
    else if (j->w->form == WEIGHTS_LOW_STRIPS)
        quant_gemm_bf16(j->kern, &w, low, high, LOW_OUT_F32, &j->low, j->m, j->out + first, r->n, scratch);
    else
        j->kern->quant->gemm(&w, low, high, j->kinds[quant_kind(w.type)], j->m, j->out + first, r->n, scratch);
}

/* Outputs of the whole matrix in steps of STEP, out of the parts they are in. */
enum { STEP = LOW_WIDE };

static Err parts_piece(void *ctx, size_t piece, size_t worker) {
    const Job *j = ctx;
    const NetRows *r = &j->w->rows;
    size_t from = j->steps * piece / j->pieces * STEP, to = j->steps * (piece + 1) / j->pieces * STEP, first = 0;
    for (size_t i = 0; i < r->n_parts; first += (size_t)r->parts[i]->shape[1], i++) {
        size_t n = (size_t)r->parts[i]->shape[1], low = from > first ? from - first : 0;
        size_t high = to > first ? to - first : 0;
        if (high > n) high = n;
        if (low < high) times_part(j, r->parts[i], first, low, high, j->each + worker * j->each_bytes);
    }
    return ERR_OK;
}

/* A token alone costs the reading of each weight once, 30 us a million. Below ALONE sharing that costs more than it
 * saves; shared are all but the smallest products, for a thread that goes without work for 50 us sleeps and takes as
 * long to wake: with ALONE at 2^20 queries, keys and values of a layer and the sum of its heads (Gemma 3 270M: 50 and
 * 35 us) ran alone, and the other threads slept through the products behind them, too. Pieces have PIECE at most: of
 * the scores of 262,144 tokens (10 ms) no thread has much more left than another when the last piece is taken, even
 * where one lost its core meanwhile. */
#define ALONE ((size_t)1 << 17)
#define PIECE ((size_t)1 << 20)

static Err times_parts(Job *j) {
    size_t k = j->w->rows.k, n = j->w->rows.n;
    for (size_t kind = 0; kind < QUANT_KINDS; kind++)
        if (j->kinds[kind]) j->kern->quant->rows((QuantKind)kind, j->a, k, j->m, k, j->kinds[kind]);
    j->steps = (n + STEP - 1) / STEP;
    j->pieces = 2 * pool_size(j->run->pool); /* two a thread: one may be held up */
    if (n > j->pieces * (PIECE / k)) j->pieces = n / (PIECE / k);
    if (j->m * n < ALONE / k) j->pieces = 1;
    if (j->pieces > j->steps) j->pieces = j->steps;
    return pool_for(j->run->pool, j->pieces, parts_piece, j);
}

Err weights_times(const WeightsRun *run, const Weights *w, const float *a, size_t m, float *out) {
    Job j = {.run = run, .kern = run->kern, .w = w, .a = a, .m = m, .out = out};
    (void)cut(&j, pool_size(run->pool), run->scratch);
    switch (w->form) {
    case WEIGHTS_PANELS:
        return net_linear(run->kern, run->pool, &w->panels, KERN_PLAIN, a, m, out);
    case WEIGHTS_LOW:
        return times_low(&j);
    case WEIGHTS_LOW_STRIPS:
        TRY(make_low_rows(&j));
        break;
    case WEIGHTS_STRIPS:
    case WEIGHTS_BLOCKS:
        break;
    }
    return times_parts(&j);
}
