/* bert_low.c - the BERT of arch_bert.c in int8 (`fast`) or bfloat16 (`exact`): same tensors, same order, other numbers.
 *
 *   words    bf16, the table that texts are looked up in, beside the weights: half of the file's floats
 *   x        f32, what flows from layer to layer; each norm also puts its rows in the product's type
 *   qkv      bf16; the softmax's scale and log2(e) are in the query's weights
 *   mixed    bf16 out of attention, made u8 row by row for int8
 *   wide     bf16 out of the way up, after GELU; made u8 likewise
 *
 * Smoothing (SmoothQuant, Xiao et al. 2022) of int8: a few channels of a norm's output are many times as large as the
 * others and set the step of all. What goes into a product is divided by a factor a channel, its weights are multiplied
 * by it: sqrt(largest activation / largest weight). The activations are those of random tokens, run through the network
 * once, when its weights are packed: no texts are needed, and they serve real ones better than 8 real ones did (error
 * of the cosine to f32 0.66e-3 against 0.71e-3; 0.93e-3 without; what the norms' own weights and biases tell is worse
 * than nothing).
 *
 * Weights stand in one block whose layout follows from the model's shape alone (bind), so that the block can be kept in
 * a file and mapped (low_cache.h).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "model/layout.h"
#include "model/low_cache.h"
#include "model/net.h"

typedef struct {
    LowMatrix qkv, output, up, down;
    const float *output_norm[2], *layer_norm[2]; /* weight, bias: [wide(dim)] each */
    const float *smooth_qkv, *smooth_up;         /* [wide(dim)] int8: what their inputs are multiplied by */
} LowLayer;

typedef struct {
    const Kern *kern;
    Arena arena;
    LowType type;
    char *block; /* NULL when it is mapped */
    FileMap map;
    size_t dim, n_ff, n_heads, n_layers, n_places;
    float epsilon;
    const GgufTensor *tokens;
    const Bf16 *words;          /* [vocabulary, dim] as bf16; NULL: tokens are read out of the model's file */
    const float *places;        /* [n_places, wide(dim)]: position + type 0 */
    const float *token_norm[2]; /* [wide(dim)] */
    LowLayer *layers;
} BertLow;

static void low_close(void *net) {
    BertLow *b = net;
    if (!b) return;
    file_unmap(&b->map);
    free(b->block);
    arena_free(&b->arena);
    free(b);
}

/* ---- layout ---- */

static const float *take_floats(Layout *c, size_t n) { return layout_take(c, low_wide(n) * sizeof(float)); }

static void bind_matrix(Layout *c, LowType type, size_t n, size_t k, LowMatrix *out) {
    *out = (LowMatrix){.type = type, .n = n, .k = k};
    out->panels = layout_take(c, low_panels(n) * low_panel_bytes(type, k));
    out->bias = take_floats(c, n);
    out->scale = take_floats(c, n);
    out->sums = take_floats(c, n);
}

/* Whether the words are worth a table of their own. Nearly every page of the file's is touched by a few thousand texts,
 * so that half of its floats is half of the memory (MiniLM: 23 MB of 47); a table that is small in the file, or the
 * 250,000 words of XLM-R, would only be there twice. */
static bool keeps_words(const BertLow *b) {
    const size_t most = (size_t)64 << 20;
    return b->tokens->format->type == BLOCK_F32 && (size_t)b->tokens->shape[1] <= most / sizeof(Bf16) / b->dim;
}

/* Points everything into the block; returns its bytes. Sizes cannot overflow: the tensors are in the file. */
static size_t bind(BertLow *b, char *base) {
    Layout c = {base, 0};
    if (keeps_words(b)) b->words = layout_take(&c, (size_t)b->tokens->shape[1] * b->dim * sizeof(Bf16));
    b->places = layout_take(&c, b->n_places * low_wide(b->dim) * sizeof(float));
    for (size_t i = 0; i < 2; i++) b->token_norm[i] = take_floats(&c, b->dim);
    for (size_t l = 0; l < b->n_layers; l++) {
        LowLayer *layer = &b->layers[l];
        bind_matrix(&c, b->type, 3 * b->dim, b->dim, &layer->qkv);
        bind_matrix(&c, b->type, b->dim, b->dim, &layer->output);
        bind_matrix(&c, b->type, b->n_ff, b->dim, &layer->up);
        bind_matrix(&c, b->type, b->dim, b->n_ff, &layer->down);
        for (size_t i = 0; i < 2; i++) layer->output_norm[i] = take_floats(&c, b->dim);
        for (size_t i = 0; i < 2; i++) layer->layer_norm[i] = take_floats(&c, b->dim);
        layer->smooth_qkv = b->type == LOW_INT8 ? take_floats(&c, b->dim) : NULL;
        layer->smooth_up = b->type == LOW_INT8 ? take_floats(&c, b->dim) : NULL;
    }
    return c.at;
}

/* The block is written once, here, through the pointers that everything else reads by. */
static float *writable(const float *p) { return (float *)(uintptr_t)p; }

/* ---- packing ---- */

/* One product: up to three tensors one below the other. */
typedef struct {
    LowMatrix *w;
    const GgufTensor *parts[NET_PARTS_MAX];
    size_t n_parts, part_rows;
    float first_scale;   /* of part 0's rows and biases: the query's */
    const float *smooth; /* [k] what the inputs are multiplied by; NULL: nothing */
    size_t first_piece;  /* its panels are pieces first_piece.. of the loop */
} Product;

enum { PRODUCTS_A_LAYER = 4 };

typedef struct {
    const BertLow *b;
    const Gguf *gguf;
    Product *products; /* [n_layers * PRODUCTS_A_LAYER] */
    size_t n_products, n_pieces;
    float *scratch; /* [threads][32, longest k] */
    size_t scratch_each;
    Arena arena;
    float *tops; /* [n_layers][2][wide(dim)] largest activations before qkv and up */
} PackJob;

static Err load_vector(const BertLow *b, const Gguf *g, const char *name, size_t n, float *out) {
    const GgufTensor *t = NULL;
    TRY(net_tensor(g, name, 1, n, &t));
    return net_row_checked(g, b->kern, t, 0, out);
}

static Err load_norm(const BertLow *b, const Gguf *g, const char *name, const float *const out[2]) {
    static const char *const suffix[] = {"weight", "bias"};
    char full[128];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(full, sizeof full, "%s.%s", name, suffix[i]);
        TRY(load_vector(b, g, full, b->dim, writable(out[i])));
    }
    return ERR_OK;
}

static Err load_places(BertLow *b, const Gguf *g) {
    const GgufTensor *types = gguf_tensor(g, "token_types.weight"), *positions = NULL;
    uint64_t n_positions = 0;
    size_t n_types = types ? (size_t)types->shape[1] : 1;
    TRY(net_tensor(g, "token_types.weight", n_types, b->dim, &types));
    TRY(gguf_get_u64(g, "bert.context_length", &n_positions));
    TRY(net_tensor(g, "position_embd.weight", (size_t)n_positions, b->dim, &positions));
    float *type = arena_array(&b->arena, float, b->dim);
    if (!type) return arena_error();
    TRY(net_row_checked(g, b->kern, types, 0, type));
    for (size_t p = 0; p < b->n_places; p++) {
        float *place = writable(b->places) + p * low_wide(b->dim);
        TRY(net_row_checked(g, b->kern, positions, p, place));
        for (size_t d = 0; d < b->dim; d++) place[d] += type[d];
    }
    return ERR_OK;
}

static Err load_words(const BertLow *b, const Gguf *g, float *scratch /* [dim] */) {
    Bf16 *to = (Bf16 *)(uintptr_t)b->words;
    for (size_t t = 0; to && t < (size_t)b->tokens->shape[1]; t++, to += b->dim) {
        TRY(net_row_checked(g, b->kern, b->tokens, t, scratch));
        for (size_t d = 0; d < b->dim; d++) to[d] = bf16_of(scratch[d]);
    }
    if (b->words) gguf_forget(g, b->tokens);
    return ERR_OK;
}

/* The tensors of a product, and its biases. */
static Err find_product(PackJob *job, LowMatrix *w, const char *const *names, size_t n_names, const float *smooth,
                        size_t layer) {
    const BertLow *b = job->b;
    Product *p = &job->products[job->n_products++];
    char full[128];
    *p = (Product){.w = w, .n_parts = n_names, .part_rows = w->n / n_names, .first_scale = 1, .smooth = smooth};
    if (n_names == NET_PARTS_MAX) p->first_scale = 0x1.715476p+0f / sqrtf((float)(b->dim / b->n_heads)); /* log2(e) */
    for (size_t i = 0; i < n_names; i++) {
        float *bias = writable(w->bias) + i * p->part_rows;
        (void)snprintf(full, sizeof full, "blk.%zu.%s.weight", layer, names[i]);
        TRY(net_tensor(job->gguf, full, p->part_rows, w->k, &p->parts[i]));
        (void)snprintf(full, sizeof full, "blk.%zu.%s.bias", layer, names[i]);
        TRY(load_vector(b, job->gguf, full, p->part_rows, bias));
        for (size_t r = 0; i == 0 && r < p->part_rows; r++) bias[r] *= p->first_scale;
    }
    p->first_piece = job->n_pieces;
    job->n_pieces += low_panels(w->n);
    return ERR_OK;
}

static Err pack_piece(void *ctx, size_t piece, size_t worker) {
    const PackJob *job = ctx;
    const Product *p = job->products;
    while (p + 1 < job->products + job->n_products && p[1].first_piece <= piece) p++;
    size_t k = p->w->k, panel = piece - p->first_piece;
    float *scratch = job->scratch + worker * job->scratch_each;
    const float *rows[LOW_WIDE] = {NULL};
    for (size_t r = 0; r < LOW_WIDE && panel * LOW_WIDE + r < p->w->n; r++) {
        size_t at = panel * LOW_WIDE + r, part = at / p->part_rows;
        float *row = scratch + r * k, scale = part == 0 ? p->first_scale : 1;
        TRY(net_row_checked(job->gguf, job->b->kern, p->parts[part], at % p->part_rows, row));
        for (size_t j = 0; j < k; j++) row[j] *= p->smooth ? scale / p->smooth[j] : scale;
        rows[r] = row;
    }
    char *to = (char *)(uintptr_t)p->w->panels + panel * low_panel_bytes(job->b->type, k);
    job->b->kern->low->pack(job->b->type, rows, k, to, writable(p->w->scale) + panel * LOW_WIDE,
                            writable(p->w->sums) + panel * LOW_WIDE);
    return ERR_OK;
}

static Err find_layer(PackJob *job, size_t l) {
    static const char *const qkv[] = {"attn_q", "attn_k", "attn_v"}, *const output = "attn_output",
                             *const up = "ffn_up", *const down = "ffn_down";
    const BertLow *b = job->b;
    LowLayer *layer = &b->layers[l];
    char name[64];
    for (size_t d = 0; b->type == LOW_INT8 && d < b->dim; d++)
        writable(layer->smooth_qkv)[d] = writable(layer->smooth_up)[d] = 1;
    (void)snprintf(name, sizeof name, "blk.%zu.attn_output_norm", l);
    TRY(load_norm(b, job->gguf, name, layer->output_norm));
    (void)snprintf(name, sizeof name, "blk.%zu.layer_output_norm", l);
    TRY(load_norm(b, job->gguf, name, layer->layer_norm));
    TRY(find_product(job, &layer->qkv, qkv, 3, layer->smooth_qkv, l));
    TRY(find_product(job, &layer->output, &output, 1, NULL, l));
    TRY(find_product(job, &layer->up, &up, 1, layer->smooth_up, l));
    return find_product(job, &layer->down, &down, 1, NULL, l);
}

/* What a channel is multiplied by. Bounded, so that nothing that a file may hold overflows or vanishes. */
static float smooth_factor(float weight, float activation) {
    enum { MOST = 1024 };
    const float sane = 1e30f;
    if (!(weight > 0 && weight < sane && activation > 0 && activation < sane)) return 1;
    return fminf(fmaxf(sqrtf(weight / activation), 1.0f / MOST), MOST);
}

/* The factors of one product's inputs, from the largest weights and activations of each. */
static Err smooth_piece(void *ctx, size_t piece, size_t worker) {
    const PackJob *job = ctx;
    const Product *p = &job->products[piece];
    const float *const tops = job->tops + piece / 2 * low_wide(job->b->dim);
    if (!p->smooth) return ERR_OK;
    float *row = job->scratch + worker * job->scratch_each, *largest = row + p->w->k;
    memset(largest, 0, p->w->k * sizeof *largest);
    for (size_t r = 0; r < p->w->n; r++) {
        net_row(job->b->kern, p->parts[r / p->part_rows], r % p->part_rows, row);
        for (size_t j = 0; j < p->w->k; j++) largest[j] = fabsf(row[j]) > largest[j] ? fabsf(row[j]) : largest[j];
    }
    for (size_t j = 0; j < p->w->k; j++) writable(p->smooth)[j] = smooth_factor(largest[j], tops[j]);
    return ERR_OK;
}

static Err calibrate(const BertLow *b, Pool *pool, float *tops);

/* Packs all weights as they are, sees what random tokens make of them, and packs them smoothed. */
static Err pack_smoothed(PackJob *job, Pool *pool) {
    TRY(pool_for(pool, job->n_pieces, pack_piece, job));
    if (job->b->type != LOW_INT8) return ERR_OK;
    job->tops = arena_array(&job->arena, float, 2 * job->b->n_layers * low_wide(job->b->dim));
    if (!job->tops) return arena_error();
    TRY(calibrate(job->b, pool, job->tops));
    TRY(pool_for(pool, job->n_products, smooth_piece, job));
    return pool_for(pool, job->n_pieces, pack_piece, job);
}

static Err pack_all(BertLow *b, const Gguf *g, Pool *pool) {
    size_t k = b->n_ff > b->dim ? b->n_ff : b->dim;
    PackJob job = {.b = b, .gguf = g, .scratch_each = LOW_WIDE * k};
    Err err = ERR_OK;
    job.products = calloc(b->n_layers * PRODUCTS_A_LAYER, sizeof *job.products);
    job.scratch = malloc(pool_size(pool) * job.scratch_each * sizeof(float));
    if (!job.products || !job.scratch) {
        err = err_set(ERR_NOMEM, "out of memory for packing model '%s'", gguf_name(g));
        goto done;
    }
    if ((err = load_places(b, g))) goto done;
    if ((err = load_words(b, g, job.scratch))) goto done;
    if ((err = load_norm(b, g, "token_embd_norm", b->token_norm))) goto done;
    for (size_t l = 0; !err && l < b->n_layers; l++) err = find_layer(&job, l);
    if (!err) err = pack_smoothed(&job, pool);
    for (size_t p = 0; !err && p < job.n_products; p++)
        for (size_t i = 0; i < job.products[p].n_parts; i++) gguf_forget(g, job.products[p].parts[i]);
done:
    arena_free(&job.arena);
    free(job.scratch);
    free(job.products);
    return err;
}

/* ---- opening ---- */

bool bert_low_fits(const ModelInfo *info) {
    return info->dim / info->n_heads % 4 == 0 && info->dim <= LOW_INT8_MAX_K && info->n_ff <= LOW_INT8_MAX_K;
}

static Err read_shape(BertLow *b, const NetOpen *o) {
    const ModelInfo *info = o->info;
    size_t n_tokens = 0;
    b->dim = info->dim;
    b->n_ff = info->n_ff;
    b->n_heads = info->n_heads;
    b->n_layers = info->n_layers;
    b->n_places = info->max_tokens;
    b->type = o->low;
    TRY(net_bert_epsilon(o->gguf, info, &b->epsilon));
    if (!bert_low_fits(info))
        return err_fix(err_set(ERR_UNSUPPORTED,
                               "model '%s' cannot be computed in low precision: heads of %zu, %zu wide",
                               gguf_name(o->gguf), b->dim / b->n_heads, b->n_ff),
                       "pythia config set model.precision f32");
    const GgufTensor *tokens = gguf_tensor(o->gguf, "token_embd.weight");
    n_tokens = tokens ? (size_t)tokens->shape[1] : 1;
    return net_tensor(o->gguf, "token_embd.weight", n_tokens, b->dim, &b->tokens);
}

/* The size of the block is that of tensors which may not be there: they are looked for before memory is taken. */
static Err check_size(const BertLow *b, const Gguf *g) {
    const GgufTensor *t = NULL;
    char name[64];
    uint64_t n_positions = 0;
    TRY(gguf_get_u64(g, "bert.context_length", &n_positions));
    TRY(net_tensor(g, "position_embd.weight", (size_t)n_positions, b->dim, &t));
    for (size_t l = 0; l < b->n_layers; l++) {
        (void)snprintf(name, sizeof name, "blk.%zu.attn_q.weight", l);
        TRY(net_tensor(g, name, b->dim, b->dim, &t));
        (void)snprintf(name, sizeof name, "blk.%zu.ffn_up.weight", l);
        TRY(net_tensor(g, name, b->n_ff, b->dim, &t));
    }
    return ERR_OK;
}

static Err low_load(BertLow *b, const NetOpen *o) {
    Str kept = {NULL, 0};
    TRY(read_shape(b, o));
    TRY(check_size(b, o->gguf));
    b->layers = arena_array(&b->arena, LowLayer, b->n_layers);
    if (!b->layers) return arena_error();
    size_t bytes = bind(b, NULL);
    if (o->cache) low_cache_open(o->cache, bytes, &b->map, &kept);
    if (kept.p) {
        (void)bind(b, (char *)(uintptr_t)kept.p);
        return ERR_OK;
    }
    b->block = sys_alloc_large(bytes);
    if (!b->block)
        return err_set(ERR_NOMEM, "out of memory for the weights of model '%s': %zu bytes", gguf_name(o->gguf), bytes);
    memset(b->block, 0, bytes); /* what stands behind the ends of rows is 0 */
    (void)bind(b, b->block);
    TRY(pack_all(b, o->gguf, o->pool));
    if (o->cache) low_cache_keep(o->cache, str_make(b->block, bytes));
    return ERR_OK;
}

static Err low_open(void **net, const NetOpen *o) {
    BertLow *b = calloc(1, sizeof *b);
    if (!b) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    b->kern = o->kern;
    Err err = low_load(b, o);
    if (err) {
        low_close(b);
        b = NULL;
    }
    *net = b;
    return err;
}

static size_t low_tokens(const void *net) { return (size_t)((const BertLow *)net)->tokens->shape[1]; }

/* ---- running ---- */

typedef struct {
    const BertLow *b;
    const NetBatch *batch;
    Pool *pool;
    size_t layer;
    float *tops;           /* as PackJob's, or NULL */
    float *x, *y;          /* [m, wide(dim)] */
    char *rows;            /* u8 or bf16 [m, wide(dim)] */
    Bf16 *mixed;           /* [m, wide(dim)] */
    Bf16 *qkv;             /* [m, wide(3 dim)]; */
    Bf16 *up;              /* [m, wide(n_ff)], in qkv's place */
    char *bytes;           /* u8 [m, wide(n_ff)] of up, or [m, wide(dim)] of mixed */
    float *scale, *zero;   /* [m] of rows */
    float *scale2, *zero2; /* [m] of bytes */
    float *attention;      /* [threads][attention_each] */
    size_t attention_each;
} Work;

static size_t attention_floats(const BertLow *b, size_t longest) {
    return (b->kern->low->attention_scratch(longest, b->dim / b->n_heads) + 15) / 16 * 16;
}

/* Cuts the scratch up; base NULL: returns the floats it takes. */
static size_t work_cut(Work *w, float *base, size_t m, size_t longest, size_t threads) {
    const BertLow *b = w->b;
    Layout c = {(char *)base, 0};
    size_t dim = low_wide(b->dim), ff = low_wide(b->n_ff), qkv = low_wide(3 * b->dim);
    w->x = layout_take(&c, m * dim * sizeof(float));
    w->y = layout_take(&c, m * dim * sizeof(float));
    w->rows = layout_take(&c, m * dim * sizeof(Bf16));
    w->mixed = layout_take(&c, m * dim * sizeof(Bf16));
    w->qkv = layout_take(&c, m * (ff > qkv ? ff : qkv) * sizeof(Bf16));
    w->up = w->qkv;
    w->bytes = layout_take(&c, m * ff);
    if (ff < dim) (void)layout_take(&c, m * (dim - ff));
    w->scale = layout_take(&c, m * sizeof(float));
    w->zero = layout_take(&c, m * sizeof(float));
    w->scale2 = layout_take(&c, m * sizeof(float));
    w->zero2 = layout_take(&c, m * sizeof(float));
    w->attention_each = attention_floats(b, longest);
    w->attention = layout_take(&c, threads * w->attention_each * sizeof(float));
    return c.at / sizeof(float);
}

static size_t low_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads) {
    Work w = {.b = net};
    return work_cut(&w, NULL, n_tokens, longest, threads);
}

static void attend(const Work *w, size_t text, size_t head, size_t worker) {
    const BertLow *b = w->b;
    size_t head_dim = b->dim / b->n_heads, at = head * head_dim;
    size_t start = w->batch->starts[text], stride = low_wide(3 * b->dim);
    const Bf16 *q = w->qkv + start * stride + at;
    b->kern->low->attention(&(LowAttention){
        .q = q,
        .k = q + b->dim,
        .v = q + 2 * b->dim,
        .stride = stride,
        .tokens = w->batch->starts[text + 1] - start,
        .head_dim = head_dim,
        .out = w->mixed + start * low_wide(b->dim) + at,
        .out_stride = low_wide(b->dim),
        .scratch = w->attention + worker * w->attention_each,
    });
}

static Err attention_piece(void *ctx, size_t piece, size_t worker) {
    const Work *w = ctx;
    attend(w, piece / w->b->n_heads, piece % w->b->n_heads, worker);
    return ERR_OK;
}

/* A head from its query, key and value on: what one thread makes stays in its cache, and a layer has a loop less. */
static Err head_piece(void *ctx, size_t head, size_t worker) {
    const Work *w = ctx;
    const BertLow *b = w->b;
    const LowMatrix *qkv = &b->layers[w->layer].qkv;
    size_t wide = low_wide(b->dim), panels = b->dim / b->n_heads / LOW_WIDE;
    const LowRows x = {w->rows, wide, w->scale, w->zero};
    for (size_t i = 0; i < NET_PARTS_MAX; i++) {
        size_t from = i * (b->dim / LOW_WIDE) + head * panels;
        b->kern->low->gemm(qkv, from, from + panels, LOW_OUT_BF16, &x, w->batch->n_tokens, w->qkv,
                           low_wide(3 * b->dim));
    }
    for (size_t text = 0; text < w->batch->n_texts; text++) attend(w, text, head, worker);
    return ERR_OK;
}

static Err low_heads(Work *w, const LowRows *x) {
    const BertLow *b = w->b;
    size_t m = w->batch->n_tokens, threads = pool_size(w->pool);
    if (threads > 1 && b->n_heads >= 2 * threads && b->dim / b->n_heads % LOW_WIDE == 0)
        return pool_for(w->pool, b->n_heads, head_piece, w);
    TRY(net_linear_low(b->kern, w->pool, &b->layers[w->layer].qkv, LOW_OUT_BF16, x, m, w->qkv));
    return pool_for(w->pool, w->batch->n_texts * b->n_heads, attention_piece, w);
}

static void embed_tokens(const Work *w) {
    const BertLow *b = w->b;
    size_t wide = low_wide(b->dim);
    for (size_t text = 0; text < w->batch->n_texts; text++)
        for (size_t t = w->batch->starts[text]; t < w->batch->starts[text + 1]; t++) {
            const float *place = b->places + (t - w->batch->starts[text]) * wide;
            float *row = w->x + t * wide;
            size_t id = (size_t)w->batch->ids[t];
            if (b->words)
                b->kern->decode_bf16(b->words + id * b->dim, b->dim, row);
            else
                net_row(b->kern, b->tokens, id, row);
            for (size_t d = 0; d < b->dim; d++) row[d] += place[d];
            memset(row + b->dim, 0, (wide - b->dim) * sizeof *row);
        }
}

/* smooth: of the product that the rows are for; site: that product's place in tops. */
static void norm(const Work *w, const float *y, const float *const by[2], const float *smooth, size_t site) {
    const BertLow *b = w->b;
    const size_t m = w->batch->n_tokens, wide = low_wide(b->dim);
    const LowNorm io = {w->x, w->rows, w->scale, w->zero, smooth};
    b->kern->low->layernorm(b->type, y, by[0], by[1], b->epsilon, m, b->dim, wide, &io);
    if (!w->tops || site >= 2 * b->n_layers) return;
    float *top = w->tops + site * wide;
    for (size_t r = 0; r < m; r++)
        for (size_t d = 0; d < b->dim; d++) {
            float size = fabsf(w->x[r * wide + d]);
            top[d] = size > top[d] ? size : top[d];
        }
}

/* bf16 rows as the next product takes them. */
static LowRows requantize(const Work *w, const Bf16 *in, size_t n) {
    size_t wide = low_wide(n);
    if (w->b->type == LOW_BF16) return (LowRows){in, wide, NULL, NULL};
    w->b->kern->low->quantize(in, w->batch->n_tokens, wide, (uint8_t *)w->bytes, w->scale2, w->zero2);
    return (LowRows){w->bytes, wide, w->scale2, w->zero2};
}

static Err low_layer(Work *w) {
    const BertLow *b = w->b;
    const LowLayer *layer = &b->layers[w->layer];
    size_t m = w->batch->n_tokens, dim = low_wide(b->dim);
    const LowRows x = {w->rows, dim, w->scale, w->zero};
    TRY(low_heads(w, &x));
    LowRows mixed = requantize(w, w->mixed, b->dim);
    TRY(net_linear_low(b->kern, w->pool, &layer->output, LOW_OUT_F32, &mixed, m, w->y));
    norm(w, w->y, layer->output_norm, layer->smooth_up, 2 * w->layer + 1);
    TRY(net_linear_low(b->kern, w->pool, &layer->up, LOW_OUT_GELU, &x, m, w->up));
    LowRows up = requantize(w, w->up, b->n_ff);
    TRY(net_linear_low(b->kern, w->pool, &layer->down, LOW_OUT_F32, &up, m, w->y));
    norm(w, w->y, layer->layer_norm, w->layer + 1 < b->n_layers ? layer[1].smooth_qkv : NULL, 2 * w->layer + 2);
    return ERR_OK;
}

static Err low_layers(Work *w, const Deadline *deadline) {
    const BertLow *b = w->b;
    embed_tokens(w);
    norm(w, NULL, b->token_norm, b->layers[0].smooth_qkv, 0);
    for (; w->layer < b->n_layers; w->layer++) {
        TRY(deadline_check(deadline));
        TRY(low_layer(w));
    }
    return ERR_OK;
}

/* The largest activation of each channel before qkv and up, over texts of random tokens. */
static Err calibrate(const BertLow *b, Pool *pool, float *tops /* [n_layers][2][wide(dim)], zeros */) {
    enum { TEXTS = 6, TOKENS = 128 };
    int32_t ids[TEXTS * TOKENS];
    uint32_t starts[TEXTS + 1], seed = 1;
    size_t each = b->n_places < TOKENS ? b->n_places : TOKENS, n = TEXTS * each;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = (int32_t)((seed >> 8) % low_tokens(b));
    }
    for (size_t i = 0; i <= TEXTS; i++) starts[i] = (uint32_t)(i * each);
    const NetBatch batch = {ids, starts, TEXTS, n, each, NULL};
    Work w = {.b = b, .batch = &batch, .pool = pool, .tops = tops};
    size_t floats = (low_scratch(b, n, each, pool_size(pool)) + 15) / 16 * 16;
    float *scratch = aligned_alloc(64, floats * sizeof *scratch);
    if (!scratch) return err_set(ERR_NOMEM, "out of memory for smoothing int8 weights");
    (void)work_cut(&w, scratch, n, each, pool_size(pool));
    if (b->dim % LOW_WIDE) memset(w.mixed, 0, n * low_wide(b->dim) * sizeof *w.mixed);
    Err err = low_layers(&w, NULL);
    free(scratch);
    return err;
}

static Err low_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden) {
    const BertLow *b = net;
    Work w = {.b = b, .batch = batch, .pool = run->pool};
    size_t wide = low_wide(b->dim);
    (void)work_cut(&w, run->scratch, batch->n_tokens, batch->longest, pool_size(run->pool));
    if (b->dim % LOW_WIDE) memset(w.mixed, 0, batch->n_tokens * wide * sizeof *w.mixed); /* heads leave the rest */
    TRY(low_layers(&w, run->deadline));
    for (size_t r = 1; wide != b->dim && r < batch->n_tokens; r++)
        memmove(w.x + r * b->dim, w.x + r * wide, b->dim * sizeof *w.x);
    *hidden = w.x;
    return ERR_OK;
}

const NetArch arch_bert_low = {
    .name = "bert",
    .open = low_open,
    .close = low_close,
    .n_tokens = low_tokens,
    .scratch = low_scratch,
    .run = low_run,
};
