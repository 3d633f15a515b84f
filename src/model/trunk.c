/* trunk.c - loading what trunk.h describes.
 *
 * Memory: that of its weights (weights.h). The token embedding is not packed: its rows are decoded as texts ask for
 * them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/trunk_impl.h"

void trunk_close(void *net) {
    Trunk *t = net;
    if (!t) return;
    weights_block_close(&t->block);
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
static Err want_qkv(WeightsLoader *l, const Trunk *t, size_t i, Weights *out) {
    const TrunkShape *s = &t->s;
    size_t kv = s->n_kv_heads * s->head_dim;
    Name one = layer_name(i, "attn_qkv"), q = layer_name(i, "attn_q"), k = layer_name(i, "attn_k"),
         v = layer_name(i, "attn_v");
    const NetPart whole = {one.s, t->qkv_wide}, parts[] = {{q.s, t->q_wide}, {k.s, kv}, {v.s, kv}};
    bool together = gguf_tensor(t->gguf, layer_name(i, "attn_qkv.weight").s) != NULL;
    return weights_want(l, out, together ? &whole : parts, together ? 1 : 3, s->dim,
                        s->qkv_bias ? NET_BIASED : NET_BARE);
}

static Err want_mlp(WeightsLoader *l, const Trunk *t, size_t i, Layer *layer) {
    size_t n_ff = t->s.n_ff;
    Name gate = layer_name(i, "ffn_gate"), up = layer_name(i, "ffn_up"), down = layer_name(i, "ffn_down");
    const NetPart wide = {up.s, 2 * n_ff}, parts[] = {{gate.s, n_ff}, {up.s, n_ff}};
    TRY(weights_want(l, &layer->up, t->s.wide_up ? &wide : parts, t->s.wide_up ? 1 : 2, t->s.dim, NET_BARE));
    return weights_want(l, &layer->down, &(NetPart){down.s, t->s.dim}, 1, n_ff, NET_BARE);
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

static Err load_layer(WeightsLoader *l, Trunk *t, size_t i) {
    Layer *layer = &t->layers[i];
    Name output = layer_name(i, "attn_output");
    layer->kind = i % t->s.period == t->s.far_at ? TRUNK_FAR : TRUNK_NEAR;
    TRY(want_qkv(l, t, i, &layer->qkv));
    TRY(weights_want(l, &layer->output, &(NetPart){output.s, t->s.dim}, 1, t->q_wide, NET_BARE));
    TRY(want_mlp(l, t, i, layer));
    if (t->s.head_norm) TRY(load_head_norms(&l->net, t, i, layer));
    return load_joins(&l->net, t, i);
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

static Err trunk_load(Trunk *t, const NetOpen *o) {
    /* Where norms stand before the products, a few dimensions carry most of a row: Gemma 3 in int8 has tokens' cosines
     * of 0.993 on average, whichever of its products one leaves in bfloat16. */
    WeightsLoader l = {.net = {.gguf = o->gguf, .kern = t->kern, .arena = &t->arena}, .int8 = t->s.post_norm};
    t->zeros = arena_array(&t->arena, float, t->s.dim);
    t->layers = arena_array(&t->arena, Layer, t->s.n_layers);
    if (!t->zeros || !t->layers) return arena_error();
    TRY(load_tokens(&l.net, t));
    for (size_t i = 0; i < t->s.n_layers; i++) TRY(load_layer(&l, t, i));
    TRY(make_turning(t));
    return weights_load(&l, o, &t->block);
}

Err trunk_open(void **net, const NetOpen *o, const TrunkShape *s) {
    Trunk *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    t->gguf = o->gguf;
    t->arch = o->info->arch;
    t->kern = o->kern;
    t->precision = o->info->precision;
    t->s = *s;
    t->q_wide = s->n_heads * s->head_dim; /* both limited by info.c and trunk_shape.c */
    t->qkv_wide = t->q_wide + 2 * s->n_kv_heads * s->head_dim;
    Err err = trunk_load(t, o);
    if (err) {
        trunk_close(t);
        t = NULL;
    }
    *net = t;
    return err;
}

size_t trunk_tokens(const void *net) { return (size_t)((const Trunk *)net)->tokens->shape[1]; }
