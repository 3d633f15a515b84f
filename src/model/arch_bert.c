/* arch_bert.c - BERT (Devlin et al. 2018) as an encoder of sentences: learned positions, post-norm layers, exact GELU.
 *
 *   x = norm(token[id] + position[p] + type[0])
 *   layer: x = norm(x + output(attention(qkv(x))))       attention over the text's own tokens
 *          x = norm(x + down(gelu(up(x))))
 *
 * Tensor and metadata names are llama.cpp's (architecture "bert"). Query, key and value are one product. MiniLM: of
 * 21.3 million multiplications a token 12 % are qkv's, 42 % the way up and down each half of it, attention 0.4 % at 13
 * tokens and 7 % at 162.
 *
 * Checked against Hugging Face transformers (tests/golden, tools/make_goldens.py).
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/info.h"
#include "model/net.h"

typedef struct {
    KernMatrix qkv, output, up, down;
    const float *output_norm[2], *layer_norm[2]; /* weight, bias: [dim] each */
} BertLayer;

typedef struct {
    const Kern *kern;
    Arena arena;
    float *block; /* packed weights of all layers */
    size_t dim, n_ff, n_heads, n_layers;
    size_t n_places; /* positions that are used: the model's limit of tokens */
    float epsilon;
    const GgufTensor *tokens; /* [vocabulary, dim], decoded row by row */
    float *places;            /* [n_places, dim]: position + type 0 */
    const float *types;       /* [n_types, dim] */
    size_t n_types;
    const float *token_norm[2];
    BertLayer *layers; /* [n_layers] */
} Bert;

static void bert_close(void *net) {
    Bert *b = net;
    if (!b) return;
    free(b->block);
    arena_free(&b->arena);
    free(b);
}

static Err load_norm(const NetLoader *l, const char *name, size_t dim, const float *out[2]) {
    char full[128];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    TRY(net_floats(l, full, 1, dim, &out[0]));
    (void)snprintf(full, sizeof full, "%s.bias", name);
    return net_floats(l, full, 1, dim, &out[1]);
}

static Err load_layer(NetLoader *l, const Bert *b, size_t i, BertLayer *layer) {
    enum { Q, K, V, OUTPUT, OUTPUT_NORM, UP, DOWN, LAYER_NORM, NAMES };
    static const char *const suffix[NAMES] = {"attn_q",           "attn_k", "attn_v",   "attn_output",
                                              "attn_output_norm", "ffn_up", "ffn_down", "layer_output_norm"};
    char names[NAMES][64];
    for (size_t n = 0; n < NAMES; n++) (void)snprintf(names[n], sizeof names[n], "blk.%zu.%s", i, suffix[n]);
    const NetPart qkv[] = {{names[Q], b->dim}, {names[K], b->dim}, {names[V], b->dim}};
    TRY(net_want(l, &layer->qkv, qkv, 3, b->dim));
    TRY(net_want(l, &layer->output, &(NetPart){names[OUTPUT], b->dim}, 1, b->dim));
    TRY(net_want(l, &layer->up, &(NetPart){names[UP], b->n_ff}, 1, b->dim));
    TRY(net_want(l, &layer->down, &(NetPart){names[DOWN], b->dim}, 1, b->n_ff));
    TRY(load_norm(l, names[OUTPUT_NORM], b->dim, layer->output_norm));
    return load_norm(l, names[LAYER_NORM], b->dim, layer->layer_norm);
}

/* The types that tell a pair's texts apart. Models without any say so by their number, or by not telling one. */
static Err load_types(const NetLoader *l, Bert *b) {
    const GgufTensor *types = gguf_tensor(l->gguf, "token_types.weight");
    uint32_t told = 0;
    TRY(gguf_get_u32(l->gguf, "tokenizer.ggml.token_type_count", &told));
    b->n_types = types ? (size_t)types->shape[1] : 1;
    if (types || told) return net_floats(l, "token_types.weight", b->n_types, b->dim, &b->types);
    b->types = arena_array(l->arena, float, b->dim); /* zeros */
    return b->types ? ERR_OK : arena_error();
}

/* The three tables that a token's first vector is the sum of. */
static Err load_tables(const NetLoader *l, Bert *b) {
    const Gguf *g = l->gguf;
    const GgufTensor *tokens = gguf_tensor(g, "token_embd.weight"), *positions = NULL;
    uint64_t n_positions = 0;
    size_t n_tokens = tokens ? (size_t)tokens->shape[1] : 1;
    TRY(net_tensor(g, "token_embd.weight", n_tokens, b->dim, &b->tokens));
    TRY(load_types(l, b));
    TRY(gguf_get_u64(g, "bert.context_length", &n_positions)); /* read and limited by model_info_read */
    TRY(net_tensor(g, "position_embd.weight", (size_t)n_positions, b->dim, &positions));
    b->places = arena_array(l->arena, float, b->n_places * b->dim);
    if (!b->places) return arena_error();
    for (size_t p = 0; p < b->n_places; p++) {
        float *place = b->places + p * b->dim;
        net_row(l->kern, positions, p, place);
        for (size_t d = 0; d < b->dim; d++) {
            place[d] += b->types[d];
            if (!isfinite(place[d]))
                return err_set(ERR_CORRUPT,
                               "model '%s': tensor 'position_embd.weight' has a weight that is not finite in "
                               "row %zu",
                               gguf_name(g), p);
        }
    }
    gguf_forget(g, positions);
    return load_norm(l, "token_embd_norm", b->dim, b->token_norm);
}

Err net_bert_epsilon(const Gguf *g, const ModelInfo *info, float *epsilon) {
    bool causal = false;
    if (info->dim % info->n_heads)
        return err_set(ERR_CORRUPT, "model '%s': %zu attention heads do not divide %zu dimensions", gguf_name(g),
                       info->n_heads, info->dim);
    TRY(gguf_need(g, "bert.attention.layer_norm_epsilon"));
    TRY(gguf_get_f32(g, "bert.attention.layer_norm_epsilon", epsilon));
    if (!(*epsilon >= 0 && *epsilon < 1))
        return err_set(ERR_CORRUPT, "model '%s': 'bert.attention.layer_norm_epsilon' is %g", gguf_name(g),
                       (double)*epsilon);
    TRY(gguf_get_bool(g, "bert.attention.causal", &causal));
    if (causal) return err_set(ERR_UNSUPPORTED, "model '%s' is a BERT with causal attention", gguf_name(g));
    return ERR_OK;
}

static Err read_shape(const Gguf *g, const ModelInfo *info, Bert *b) {
    b->dim = info->dim;
    b->n_ff = info->n_ff;
    b->n_heads = info->n_heads;
    b->n_layers = info->n_layers;
    b->n_places = info->max_tokens; /* <= bert.context_length */
    return net_bert_epsilon(g, info, &b->epsilon);
}

static Err bert_load(Bert *b, const Gguf *g, Pool *pool, const ModelInfo *info) {
    NetLoader l = {.gguf = g, .kern = b->kern, .arena = &b->arena};
    TRY(read_shape(g, info, b));
    TRY(load_tables(&l, b));
    b->layers = arena_array(&b->arena, BertLayer, b->n_layers);
    if (!b->layers) return arena_error();
    for (size_t i = 0; i < b->n_layers; i++) TRY(load_layer(&l, b, i, &b->layers[i]));
    return net_load(&l, pool, &b->block);
}

static Err bert_open(void **net, const NetOpen *o) {
    Bert *b = calloc(1, sizeof *b);
    if (!b) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    b->kern = o->kern;
    Err err = bert_load(b, o->gguf, o->pool, o->info);
    if (err) {
        bert_close(b);
        b = NULL;
    }
    *net = b;
    return err;
}

static size_t bert_tokens(const void *net) { return (size_t)((const Bert *)net)->tokens->shape[1]; }

/* Floats a row of each activation, rounded so that all start on a cache line. */
static size_t wide_floats(const Bert *b) { return 3 * b->dim > b->n_ff ? 3 * b->dim : b->n_ff; }
static size_t lines(size_t floats) { return (floats + 15) / 16 * 16; }

static size_t bert_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads) {
    const Bert *b = net;
    size_t attention = lines(kern_attention_scratch(b->kern, longest, b->dim / b->n_heads));
    return 3 * lines(n_tokens * b->dim) + lines(n_tokens * wide_floats(b)) + threads * attention;
}

/* ---- running ---- */

typedef struct {
    const Bert *bert;
    const NetBatch *batch;
    const float *qkv; /* [n_tokens, 3 dim] */
    float *out;       /* [n_tokens, dim] */
    float *scratch;   /* [threads][each] */
    size_t each;
} AttentionJob;

/* Piece: one head of one text. */
static Err attention_piece(void *ctx, size_t piece, size_t worker) {
    const AttentionJob *j = ctx;
    const Bert *b = j->bert;
    size_t text = piece / b->n_heads, head = piece % b->n_heads, head_dim = b->dim / b->n_heads;
    size_t start = j->batch->starts[text], at = head * head_dim;
    const float *q = j->qkv + start * 3 * b->dim + at;
    const KernAttention a = {
        .q = q,
        .k = q + b->dim,
        .v = q + 2 * b->dim,
        .stride = 3 * b->dim,
        .tokens = j->batch->starts[text + 1] - start,
        .head_dim = head_dim,
        .scale = 1.0f / sqrtf((float)head_dim),
        .out = j->out + start * b->dim + at,
        .out_stride = b->dim,
        .scratch = j->scratch + worker * j->each,
    };
    b->kern->attention(&a);
    return ERR_OK;
}

/* The second text of a pair is of type 1, where there is one (RoBERTa has only 0). places has type 0 in it. */
static void retype(const Bert *b, size_t from, size_t to, float *x) {
    for (size_t t = from; t < to; t++)
        for (size_t d = 0; d < b->dim; d++) x[t * b->dim + d] += b->types[b->dim + d] - b->types[d];
}

static void embed_tokens(const Bert *b, const NetBatch *batch, float *x /* [n_tokens, dim] */) {
    for (size_t text = 0; text < batch->n_texts; text++)
        for (size_t t = batch->starts[text]; t < batch->starts[text + 1]; t++) {
            const float *place = b->places + (t - batch->starts[text]) * b->dim;
            float *row = x + t * b->dim;
            net_row(b->kern, b->tokens, (size_t)batch->ids[t], row);
            for (size_t d = 0; d < b->dim; d++) row[d] += place[d];
        }
    for (size_t text = 0; batch->seconds && b->n_types > 1 && text < batch->n_texts; text++)
        retype(b, batch->starts[text] + batch->seconds[text], batch->starts[text + 1], x);
    b->kern->layernorm(x, NULL, b->token_norm[0], b->token_norm[1], b->epsilon, batch->n_tokens, b->dim, x);
}

static Err bert_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden) {
    const Bert *b = net;
    const Kern *kern = b->kern;
    size_t m = batch->n_tokens, dim = b->dim,
           each = lines(kern_attention_scratch(kern, batch->longest, dim / b->n_heads));
    float *x = run->scratch;          /* [m, dim] what flows from layer to layer */
    float *y = x + lines(m * dim);    /* [m, dim] what is added to it */
    float *z = y + lines(m * dim);    /* [m, dim] attention's result */
    float *wide = z + lines(m * dim); /* [m, 3 dim] queries, keys, values; later [m, n_ff] */
    AttentionJob attention = {b, batch, wide, z, wide + lines(m * wide_floats(b)), each};
    /* A short text's heads are done before another thread wakes. */
    Pool *heads_pool = m * batch->longest >= 4096 ? run->pool : NULL;
    embed_tokens(b, batch, x);
    for (size_t i = 0; i < b->n_layers; i++) {
        const BertLayer *l = &b->layers[i];
        TRY(deadline_check(run->deadline));
        TRY(net_linear(kern, run->pool, &l->qkv, KERN_PLAIN, x, m, wide));
        TRY(pool_for(heads_pool, batch->n_texts * b->n_heads, attention_piece, &attention));
        TRY(net_linear(kern, run->pool, &l->output, KERN_PLAIN, z, m, y));
        kern->layernorm(y, x, l->output_norm[0], l->output_norm[1], b->epsilon, m, dim, x);
        TRY(net_linear(kern, run->pool, &l->up, KERN_GELU, x, m, wide));
        TRY(net_linear(kern, run->pool, &l->down, KERN_PLAIN, wide, m, y));
        kern->layernorm(y, x, l->layer_norm[0], l->layer_norm[1], b->epsilon, m, dim, x);
    }
    *hidden = x;
    return ERR_OK;
}

const NetArch arch_bert = {
    .name = "bert",
    .open = bert_open,
    .close = bert_close,
    .n_tokens = bert_tokens,
    .scratch = bert_scratch,
    .run = bert_run,
    .low = &arch_bert_low,
    .fast_pays = bert_low_fits,
};
