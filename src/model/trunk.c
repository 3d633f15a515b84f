/* trunk.c - loading and running what trunk.h describes.
 *
 * A layer is four products over all tokens of the batch, attention over each text alone, and two joins: the sum with what
 * came before and the norm that follows, in one pass over a row. Where a pool works on one batch, products are shared by
 * columns, attention by heads, joins and gates by rows.
 *
 * Memory: weights are packed as f32, 4 bytes each, whatever they were in the file: a model of 137 million weights takes
 * 550 MB, one of 7,000 million 28 GB. Scratch a token: 3 dim + the wider of queries, keys and values or gate and up.
 */
#include "model/trunk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const float *weight, *bias; /* [dim]; weight NULL: there is no norm */
} Norm;

typedef struct {
    Norm after; /* of what is added, before the sum */
    Norm norm;  /* of the sum */
} Join;

typedef struct {
    KernMatrix qkv, output, up /* gate over up */, down;
    const float *q_norm, *k_norm; /* [head_dim] or NULL */
    Join attention, mlp;
    size_t kind; /* TRUNK_FAR or TRUNK_NEAR */
} Layer;

typedef struct {
    const Kern *kern;
    Arena arena;
    float *block; /* packed weights of all layers */
    TrunkShape s;
    size_t q_wide, qkv_wide;     /* floats of all heads of queries; and of keys and values too */
    const GgufTensor *tokens;    /* [vocabulary, dim], decoded row by row */
    const float *type;           /* [dim] or NULL */
    const float *zeros;          /* [dim] the bias of norms without one */
    Norm token_norm, first;      /* of the embedded tokens; before the first layer */
    float *turning[TRUNK_KINDS]; /* [head_dim / 2] radians a place; NULL: no layer is of that kind */
    Layer *layers;               /* [n_layers] */
} Trunk;

void trunk_close(void *net) {
    Trunk *t = net;
    if (!t) return;
    free(t->block);
    arena_free(&t->arena);
    free(t);
}

/* ---- loading ---- */

typedef struct {
    char s[64];
} Name;

static Name layer_name(size_t i, const char *suffix) {
    Name n;
    (void)snprintf(n.s, sizeof n.s, "blk.%zu.%s", i, suffix);
    return n;
}

static Err load_norm(const NetLoader *l, const Trunk *t, const char *name, Norm *out) {
    char full[128];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    TRY(net_floats(l, full, 1, t->s.dim, &out->weight));
    (void)snprintf(full, sizeof full, "%s.bias", name);
    out->bias = t->zeros;
    if (t->s.norm_bias) return net_floats(l, full, 1, t->s.dim, &out->bias);
    if (!gguf_tensor(l->gguf, full)) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "model '%s' has a tensor '%s', which its architecture does not have",
                   gguf_name(l->gguf), full);
}

static Err load_layer_norm(const NetLoader *l, const Trunk *t, size_t i, const char *suffix, Norm *out) {
    return load_norm(l, t, layer_name(i, suffix).s, out);
}

/* Queries, keys and values as one tensor, where the file has them so, or as three. */
static Err want_qkv(NetLoader *l, const Trunk *t, size_t i, KernMatrix *out) {
    const TrunkShape *s = &t->s;
    size_t kv = s->n_kv_heads * s->head_dim;
    Name one = layer_name(i, "attn_qkv"), q = layer_name(i, "attn_q"), k = layer_name(i, "attn_k"),
         v = layer_name(i, "attn_v");
    const NetPart whole = {one.s, t->qkv_wide}, parts[] = {{q.s, t->q_wide}, {k.s, kv}, {v.s, kv}};
    bool together = gguf_tensor(l->gguf, layer_name(i, "attn_qkv.weight").s) != NULL;
    return (s->qkv_bias ? net_want : net_want_bare)(l, out, together ? &whole : parts, together ? 1 : 3, s->dim);
}

static Err want_mlp(NetLoader *l, const Trunk *t, size_t i, Layer *layer) {
    size_t n_ff = t->s.n_ff;
    Name gate = layer_name(i, "ffn_gate"), up = layer_name(i, "ffn_up"), down = layer_name(i, "ffn_down");
    const NetPart wide = {up.s, 2 * n_ff}, parts[] = {{gate.s, n_ff}, {up.s, n_ff}};
    TRY(net_want_bare(l, &layer->up, t->s.wide_up ? &wide : parts, t->s.wide_up ? 1 : 2, t->s.dim));
    return net_want_bare(l, &layer->down, &(NetPart){down.s, t->s.dim}, 1, n_ff);
}

static Err load_head_norms(const NetLoader *l, const Trunk *t, size_t i, Layer *layer) {
    TRY(net_floats(l, layer_name(i, "attn_q_norm.weight").s, 1, t->s.head_dim, &layer->q_norm));
    return net_floats(l, layer_name(i, "attn_k_norm.weight").s, 1, t->s.head_dim, &layer->k_norm);
}

/* A join's norm is the one that stands before what follows: the mlp, the next layer, the end. */
static Err load_joins(const NetLoader *l, Trunk *t, size_t i) {
    Layer *layer = &t->layers[i];
    if (t->s.post_norm) {
        TRY(load_layer_norm(l, t, i, "attn_output_norm", &layer->attention.norm));
        return load_layer_norm(l, t, i, "layer_output_norm", &layer->mlp.norm);
    }
    if (t->s.after_norm) TRY(load_layer_norm(l, t, i, "post_attention_norm", &layer->attention.after));
    if (t->s.after_norm) TRY(load_layer_norm(l, t, i, "post_ffw_norm", &layer->mlp.after));
    TRY(load_layer_norm(l, t, i, "ffn_norm", &layer->attention.norm));
    if (i + 1 < t->s.n_layers) return load_layer_norm(l, t, i + 1, "attn_norm", &layer->mlp.norm);
    return load_norm(l, t, "output_norm", &layer->mlp.norm);
}

static Err load_layer(NetLoader *l, Trunk *t, size_t i) {
    Layer *layer = &t->layers[i];
    Name output = layer_name(i, "attn_output");
    layer->kind = i % t->s.period == t->s.far_at ? TRUNK_FAR : TRUNK_NEAR;
    TRY(want_qkv(l, t, i, &layer->qkv));
    TRY(net_want_bare(l, &layer->output, &(NetPart){output.s, t->s.dim}, 1, t->q_wide));
    TRY(want_mlp(l, t, i, layer));
    if (t->s.head_norm) TRY(load_head_norms(l, t, i, layer));
    return load_joins(l, t, i);
}

static Err load_tokens(const NetLoader *l, Trunk *t) {
    const Gguf *g = l->gguf;
    const GgufTensor *tokens = gguf_tensor(g, "token_embd.weight"), *types = gguf_tensor(g, "token_types.weight");
    TRY(net_tensor(g, "token_embd.weight", tokens ? (size_t)tokens->shape[1] : 1, t->s.dim, &t->tokens));
    if (types && t->s.token_types)
        TRY(net_floats(l, "token_types.weight", (size_t)types->shape[1], t->s.dim, &t->type));
    if (t->s.token_norm) TRY(load_norm(l, t, "token_embd_norm", &t->token_norm));
    if (!t->s.post_norm && !t->s.bare_first) return load_layer_norm(l, t, 0, "attn_norm", &t->first);
    return ERR_OK;
}

/* Frequencies in f32, rounded where the reference rounds: at place 8,000 an ulp of them is 5e-4 radians. */
static Err make_turning(Trunk *t) {
    size_t half = t->s.head_dim / 2;
    for (size_t i = 0; i < t->s.n_layers; i++) {
        size_t kind = t->layers[i].kind;
        if (t->turning[kind]) continue;
        float *f = t->turning[kind] = arena_array(&t->arena, float, half);
        if (!f) return arena_error();
        for (size_t d = 0; d < half; d++)
            f[d] = 1.0f / powf(t->s.base[kind], (float)(2 * d) / (float)t->s.head_dim) / t->s.factor[kind];
    }
    return ERR_OK;
}

static Err trunk_load(Trunk *t, const Gguf *g, Pool *pool) {
    NetLoader l = {.gguf = g, .kern = t->kern, .arena = &t->arena};
    t->zeros = arena_array(&t->arena, float, t->s.dim);
    t->layers = arena_array(&t->arena, Layer, t->s.n_layers);
    if (!t->zeros || !t->layers) return arena_error();
    TRY(load_tokens(&l, t));
    for (size_t i = 0; i < t->s.n_layers; i++) TRY(load_layer(&l, t, i));
    TRY(make_turning(t));
    return net_load(&l, pool, &t->block);
}

Err trunk_open(void **net, const NetOpen *o, const TrunkShape *s) {
    Trunk *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    t->kern = o->kern;
    t->s = *s;
    t->q_wide = s->n_heads * s->head_dim; /* both limited by info.c and trunk_shape.c */
    t->qkv_wide = t->q_wide + 2 * s->n_kv_heads * s->head_dim;
    Err err = trunk_load(t, o->gguf, o->pool);
    if (err) {
        trunk_close(t);
        t = NULL;
    }
    *net = t;
    return err;
}

size_t trunk_tokens(const void *net) { return (size_t)((const Trunk *)net)->tokens->shape[1]; }

/* ---- running ---- */

/* One batch on its way. Arrays start on cache lines. */
typedef struct {
    const Trunk *t;
    const NetBatch *batch;
    Pool *pool;
    float *x;                  /* [m, dim] what flows from layer to layer */
    float *y;                  /* [m, dim] what a product gives; after a join, what the next one takes */
    float *z;                  /* [m, q_wide] attention's result; [m, n_ff] the gate's */
    float *wide;               /* [m, qkv_wide]; [m, 2 n_ff] */
    float *turns[TRUNK_KINDS]; /* [longest, head_dim] cosines, then sines */
    float *attention;          /* [threads][attention_each] */
    size_t attention_each;
    const Layer *layer;
    const Join *join;
    size_t pieces; /* that rows are cut into */
} Run;

static size_t lines(size_t floats) { return (floats + 15) / 16 * 16; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Lays the arrays out from base; returns how many floats they take. */
static size_t lay_out(const Trunk *t, size_t m, size_t longest, size_t threads, float *base, Run *r) {
    size_t x = lines(m * t->s.dim), z = lines(m * larger(t->q_wide, t->s.n_ff)),
           wide = lines(m * larger(t->qkv_wide, 2 * t->s.n_ff)), turns = lines(longest * t->s.head_dim);
    r->attention_each = lines(kern_attention_scratch(t->kern, longest, t->s.head_dim));
    size_t at[] = {0, x, 2 * x, 2 * x + z, 2 * x + z + wide, 2 * x + z + wide + turns, 2 * x + z + wide + 2 * turns};
    if (base) {
        r->x = base + at[0];
        r->y = base + at[1];
        r->z = base + at[2];
        r->wide = base + at[3];
        r->turns[TRUNK_FAR] = base + at[4];
        r->turns[TRUNK_NEAR] = base + at[5];
        r->attention = base + at[6];
    }
    return at[6] + threads * r->attention_each;
}

size_t trunk_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads) {
    Run r;
    return lay_out(net, n_tokens, longest, threads, NULL, &r);
}

/* Angles as the reference has them: the place times the frequency, rounded to f32. */
static void make_turns(const Trunk *t, size_t kind, size_t places, float *turns) {
    size_t half = t->s.head_dim / 2;
    for (size_t p = 0; t->turning[kind] && p < places; p++)
        for (size_t d = 0; d < half; d++) {
            float angle = (float)p * t->turning[kind][d];
            turns[p * 2 * half + d] = cosf(angle);
            turns[p * 2 * half + half + d] = sinf(angle);
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

static void embed_tokens(const Run *r) {
    const Trunk *t = r->t;
    size_t dim = t->s.dim;
    for (size_t i = 0; i < r->batch->n_tokens; i++) {
        float *row = r->x + i * dim;
        net_row(t->kern, t->tokens, (size_t)r->batch->ids[i], row);
        if (t->type)
            for (size_t d = 0; d < dim; d++) row[d] += t->type[d];
        if (t->s.token_scale != 1.0f)
            for (size_t d = 0; d < dim; d++) row[d] *= t->s.token_scale;
    }
    if (t->s.token_norm) norm_rows(t, &t->token_norm, r->x, r->batch->n_tokens, r->x);
    if (!t->s.post_norm) norm_rows(t, &t->first, r->x, r->batch->n_tokens, r->y);
}

/* Piece: the heads that share one head of keys and values, of one text. Their part of `wide` is this piece's own. */
static Err attention_piece(void *ctx, size_t piece, size_t worker) {
    const Run *r = ctx;
    const Trunk *t = r->t;
    const Layer *l = r->layer;
    size_t text = piece / t->s.n_kv_heads, group = piece % t->s.n_kv_heads, dim = t->s.head_dim;
    size_t heads = t->s.n_heads / t->s.n_kv_heads, from = r->batch->starts[text];
    size_t tokens = r->batch->starts[text + 1] - from;
    float *q = r->wide + from * t->qkv_wide + group * heads * dim;
    float *k = r->wide + from * t->qkv_wide + t->q_wide + group * dim;
    for (size_t i = 0; l->q_norm && i < tokens; i++) {
        t->kern->rmsnorm(q + i * t->qkv_wide, l->q_norm, t->s.epsilon, heads, dim, q + i * t->qkv_wide);
        t->kern->rmsnorm(k + i * t->qkv_wide, l->k_norm, t->s.epsilon, 1, dim, k + i * t->qkv_wide);
    }
    t->kern->rope(q, t->qkv_wide, heads, dim, r->turns[l->kind], tokens);
    t->kern->rope(k, t->qkv_wide, 1, dim, r->turns[l->kind], tokens);
    const KernSpan a = {
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
    t->kern->attention_span(&a);
    return ERR_OK;
}

/* x += after(y), then y = norm(x); in BERT's order x = norm(x + y). */
static Err join_piece(void *ctx, size_t piece, size_t worker) {
    const Run *r = ctx;
    const Trunk *t = r->t;
    (void)worker;
    size_t m = r->batch->n_tokens, dim = t->s.dim, from = m * piece / r->pieces, to = m * (piece + 1) / r->pieces;
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
    const Run *r = ctx;
    (void)worker;
    size_t m = r->batch->n_tokens, n_ff = r->t->s.n_ff, from = m * piece / r->pieces, to = m * (piece + 1) / r->pieces;
    r->t->kern->gate(r->t->s.gate, r->wide + from * 2 * n_ff, to - from, n_ff, r->z + from * n_ff);
    return ERR_OK;
}

static Err run_layer(Run *r, const Layer *l) {
    const Trunk *t = r->t;
    size_t m = r->batch->n_tokens;
    const float *in = t->s.post_norm ? r->x : r->y;
    /* A short text's heads are done before another thread wakes; likewise few rows. */
    Pool *heads_pool = m * r->batch->longest >= 4096 ? r->pool : NULL;
    Pool *rows_pool = r->pieces > 1 ? r->pool : NULL;
    r->layer = l;
    TRY(net_linear(t->kern, r->pool, &l->qkv, KERN_PLAIN, in, m, r->wide));
    TRY(pool_for(heads_pool, r->batch->n_texts * t->s.n_kv_heads, attention_piece, r));
    TRY(net_linear(t->kern, r->pool, &l->output, KERN_PLAIN, r->z, m, r->y));
    r->join = &l->attention;
    TRY(pool_for(rows_pool, r->pieces, join_piece, r));
    TRY(net_linear(t->kern, r->pool, &l->up, KERN_PLAIN, in, m, r->wide));
    TRY(pool_for(rows_pool, r->pieces, gate_piece, r));
    TRY(net_linear(t->kern, r->pool, &l->down, KERN_PLAIN, r->z, m, r->y));
    r->join = &l->mlp;
    return pool_for(rows_pool, r->pieces, join_piece, r);
}

Err trunk_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden) {
    const Trunk *t = net;
    Run r = {.t = t, .batch = batch, .pool = run->pool};
    (void)lay_out(t, batch->n_tokens, batch->longest, 1, run->scratch, &r);
    r.pieces = batch->n_tokens * t->s.n_ff < (size_t)1 << 16 ? 1 : pool_size(run->pool);
    if (r.pieces > batch->n_tokens) r.pieces = batch->n_tokens;
    for (size_t kind = 0; kind < TRUNK_KINDS; kind++) make_turns(t, kind, batch->longest, r.turns[kind]);
    embed_tokens(&r);
    for (size_t i = 0; i < t->s.n_layers; i++) {
        TRY(deadline_check(run->deadline));
        TRY(run_layer(&r, &t->layers[i]));
    }
    *hidden = t->s.post_norm ? r.x : r.y;
    return ERR_OK;
}
