/* trunk_run.c - a pass through the layers of trunk.h: of a batch of texts, or of the next tokens of one (decode.c).
 *
 * A layer is four products over all tokens of the batch, attention over each text alone, and two joins: the sum with
 * what came before and the norm that follows, in one pass over a row. Where a pool works on one batch, products are
 * shared by columns, attention by heads, joins and gates by rows.
 *
 * Memory: scratch a token: 3 dim + the wider of queries, keys and values or gate and up.
 */
#include <math.h>
#include <string.h>

#include "model/trunk_impl.h"

static size_t lines(size_t floats) { return (floats + 15) / 16 * 16; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Floats of scratch that the widest of all products wants: layers may differ in their tensors' types. */
static size_t products_scratch(const Trunk *t, size_t m, size_t threads) {
    size_t widest = 0;
    for (size_t i = 0; i < t->s.n_layers; i++) {
        const Layer *l = &t->layers[i];
        const Weights *all[] = {&l->qkv, &l->output, &l->up, &l->down};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            widest = larger(widest, weights_scratch(t->kern, all[k], m, threads));
    }
    return widest;
}

size_t trunk_pass_lay_out(TrunkPass *p, size_t threads, float *base) {
    const Trunk *t = p->t;
    size_t m = p->n_tokens, x = lines(m * t->s.dim), z = lines(m * larger(t->q_wide, t->s.n_ff)),
           wide = lines(m * larger(t->qkv_wide, 2 * t->s.n_ff)), turns = lines(p->places * t->s.head_dim);
    p->attention_each = lines(p->kept ? kern_kept_scratch(t->kern, p->reach)
                                      : kern_attention_scratch(t->kern, p->reach, t->s.head_dim));
    size_t at[] = {0, x, 2 * x, 2 * x + z, 2 * x + z + wide, 2 * x + z + wide + turns, 2 * x + z + wide + 2 * turns};
    if (base) {
        p->x = base + at[0];
        p->y = base + at[1];
        p->z = base + at[2];
        p->wide = base + at[3];
        p->turns[TRUNK_FAR] = base + at[4];
        p->turns[TRUNK_NEAR] = base + at[5];
        p->attention = base + at[6];
    }
    size_t weights = at[6] + threads * p->attention_each;
    if (base) p->weights = base + weights;
    return weights + products_scratch(t, m, threads);
}

size_t trunk_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads) {
    TrunkPass p = {.t = net, .n_tokens = n_tokens, .places = longest, .reach = longest};
    return trunk_pass_lay_out(&p, threads, NULL);
}

/* Angles as the reference has them: the place times the frequency, rounded to f32. */
static void make_turns(const TrunkPass *r, size_t kind) {
    const Trunk *t = r->t;
    size_t half = t->s.head_dim / 2;
    for (size_t p = 0; t->turning[kind] && p < r->places; p++)
        for (size_t d = 0; d < half; d++) {
            float angle = (float)(r->first + p) * t->turning[kind][d];
            r->turns[kind][p * 2 * half + d] = cosf(angle);
            r->turns[kind][p * 2 * half + half + d] = sinf(angle);
        }
}

static void norm_rows(const Trunk *t, const Norm *n, const float *x, size_t rows, float *out) {
    if (!n->weight) {
        if (out != x) memcpy(out, x, rows * t->s.dim * sizeof *out);
    } else if (t->s.rms)
        t->kern->rmsnorm(x, n->weight, t->s.epsilon, rows, t->s.dim, out);
    else
        t->kern->layernorm(x, NULL, n->weight, n->bias, t->s.epsilon, rows, t->s.dim, out);
}

static void embed_tokens(const TrunkPass *r) {
    const Trunk *t = r->t;
    size_t dim = t->s.dim;
    for (size_t i = 0; i < r->n_tokens; i++) {
        float *row = r->x + i * dim;
        net_row(t->kern, t->tokens, (size_t)r->ids[i], row);
        if (t->type)
            for (size_t d = 0; d < dim; d++) row[d] += t->type[d];
        if (t->s.token_scale != 1.0f)
            for (size_t d = 0; d < dim; d++) row[d] *= t->s.token_scale;
    }
    if (t->s.token_norm) norm_rows(t, &t->token_norm, r->x, r->n_tokens, r->x);
    if (!t->s.post_norm) norm_rows(t, &t->first, r->x, r->n_tokens, r->y);
}

/* Piece: the heads that share one head of keys and values, of one text. Their part of `wide` is this piece's own. */
static Err attention_piece(void *ctx, size_t piece, size_t worker) {
    const TrunkPass *r = ctx;
    const Trunk *t = r->t;
    const Layer *l = &t->layers[r->layer];
    size_t text = piece / t->s.n_kv_heads, group = piece % t->s.n_kv_heads, dim = t->s.head_dim;
    size_t heads = t->s.n_heads / t->s.n_kv_heads, from = r->starts[text], tokens = r->starts[text + 1] - from;
    float *q = r->wide + from * t->qkv_wide + group * heads * dim;
    float *k = r->wide + from * t->qkv_wide + t->q_wide + group * dim;
    for (size_t i = 0; l->q_norm && i < tokens; i++) {
        t->kern->rmsnorm(q + i * t->qkv_wide, l->q_norm, t->s.epsilon, heads, dim, q + i * t->qkv_wide);
        t->kern->rmsnorm(k + i * t->qkv_wide, l->k_norm, t->s.epsilon, 1, dim, k + i * t->qkv_wide);
    }
    t->kern->rope(q, t->qkv_wide, heads, dim, r->turns[l->kind], tokens);
    t->kern->rope(k, t->qkv_wide, 1, dim, r->turns[l->kind], tokens);
    KernSpan a = {
        .q = q,
        .k = k,
        .v = k + t->s.n_kv_heads * dim,
        .q_stride = t->qkv_wide,
        .stride = t->qkv_wide,
        .queries = tokens,
        .keys = tokens,
        .heads = heads,
        .head_dim = dim,
        .before = t->s.before[l->kind],
        .after = t->s.after[l->kind],
        .scale = t->s.scale,
        .out = r->z + from * t->q_wide + group * heads * dim,
        .out_stride = t->q_wide,
        .scratch = r->attention + worker * r->attention_each,
    };
    if (r->kept) {
        a.kept = &r->kept[r->layer * t->s.n_kv_heads + group];
        a.first = r->first - r->base[l->kind];
        a.keys = a.first + tokens;
        t->kern->keep(a.kept, a.k, a.v, a.stride, dim, a.first, tokens);
    }
    t->kern->attention_span(&a);
    return ERR_OK;
}

/* x += after(y), then y = norm(x); in BERT's order x = norm(x + y). */
static Err join_piece(void *ctx, size_t piece, size_t worker) {
    const TrunkPass *r = ctx;
    const Trunk *t = r->t;
    (void)worker;
    size_t m = r->n_tokens, dim = t->s.dim, from = m * piece / r->pieces, to = m * (piece + 1) / r->pieces;
    for (size_t row = from; row < to; row++) {
        float *x = r->x + row * dim, *y = r->y + row * dim;
        if (t->s.post_norm) {
            const Norm *n = &r->join->norm;
            t->kern->layernorm(y, x, n->weight, n->bias, t->s.epsilon, 1, dim, x);
            continue;
        }
        norm_rows(t, &r->join->after, y, 1, y);
        for (size_t d = 0; d < dim; d++) x[d] += y[d];
        norm_rows(t, &r->join->norm, x, 1, y);
    }
    return ERR_OK;
}

static Err gate_piece(void *ctx, size_t piece, size_t worker) {
    const TrunkPass *r = ctx;
    (void)worker;
    size_t m = r->n_tokens, n_ff = r->t->s.n_ff, from = m * piece / r->pieces, to = m * (piece + 1) / r->pieces;
    r->t->kern->gate(r->t->s.gate, r->wide + from * 2 * n_ff, to - from, n_ff, r->z + from * n_ff);
    return ERR_OK;
}

static Err run_layer(TrunkPass *r) {
    const Trunk *t = r->t;
    const Layer *l = &t->layers[r->layer];
    size_t m = r->n_tokens;
    const float *in = t->s.post_norm ? r->x : r->y;
    /* A short text's heads are done before another thread wakes; likewise few rows. */
    Pool *heads_pool = m * r->reach >= 4096 ? r->pool : NULL;
    Pool *rows_pool = r->pieces > 1 ? r->pool : NULL;
    const WeightsRun run = {t->gguf, t->kern, r->pool, r->weights};
    TRY(weights_times(&run, &l->qkv, in, m, r->wide));
    TRY(pool_for(heads_pool, r->n_texts * t->s.n_kv_heads, attention_piece, r));
    TRY(weights_times(&run, &l->output, r->z, m, r->y));
    r->join = &l->attention;
    TRY(pool_for(rows_pool, r->pieces, join_piece, r));
    TRY(weights_times(&run, &l->up, in, m, r->wide));
    TRY(pool_for(rows_pool, r->pieces, gate_piece, r));
    TRY(weights_times(&run, &l->down, r->z, m, r->y));
    r->join = &l->mlp;
    return pool_for(rows_pool, r->pieces, join_piece, r);
}

Err trunk_pass_run(TrunkPass *p, const Deadline *deadline, const float **hidden) {
    const Trunk *t = p->t;
    p->pieces = p->n_tokens * t->s.n_ff < (size_t)1 << 16 ? 1 : pool_size(p->pool);
    if (p->pieces > p->n_tokens) p->pieces = p->n_tokens;
    for (size_t kind = 0; kind < TRUNK_KINDS; kind++) make_turns(p, kind);
    embed_tokens(p);
    for (p->layer = 0; p->layer < t->s.n_layers; p->layer++) {
        TRY(deadline_check(deadline));
        TRY(run_layer(p));
    }
    *hidden = t->s.post_norm ? p->x : p->y;
    return ERR_OK;
}

Err trunk_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden) {
    TrunkPass p = {.t = net, .pool = run->pool, .ids = batch->ids, .starts = batch->starts};
    p.n_texts = batch->n_texts;
    p.n_tokens = batch->n_tokens;
    p.places = p.reach = batch->longest;
    (void)trunk_pass_lay_out(&p, pool_size(run->pool), run->scratch);
    return trunk_pass_run(&p, run->deadline, hidden);
}
