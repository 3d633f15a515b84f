/* head.c - loading and running heads: one or two matrices a vector passes through.
 *
 * Names are llama.cpp's. Of a classifier of two matrices BERT's and RoBERTa's have tanh between them (pooler and
 * classifier), DistilBERT's relu, ModernBERT's GELU and a norm, on the mean of all tokens or the first. A matrix alone
 * is taken as it is: an activation behind it would change no order.
 */
#include "model/head.h"

#include "model/info.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_LAYERS = 2, HEAD_WIDTH_MAX = 1 << 16 };
typedef enum { HEAD_NONE, HEAD_TANH, HEAD_GELU, HEAD_RELU } HeadActivation;

struct Head {
    const Kern *kern;
    Arena arena;
    float *block; /* packed weights */
    KernMatrix layers[HEAD_LAYERS];
    size_t n, widest;
    HeadActivation between;
    const float *norm, *zeros; /* [width] behind the activation, and its bias; NULL: none */
    float epsilon;
    bool mean;
};

void head_close(Head *h) {
    if (!h) return;
    free(h->block);
    arena_free(&h->arena);
    free(h);
}

/* Adds the layer called name, if the file has it: any number of rows, columns as the layers before give them. */
static Err want_layer(Head *h, NetLoader *l, const char *name, size_t *width) {
    char full[64], bias[64];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    (void)snprintf(bias, sizeof bias, "%s.bias", name);
    const GgufTensor *t = gguf_tensor(l->gguf, full);
    if (!t) return ERR_OK;
    size_t rows = t->shape[1] <= HEAD_WIDTH_MAX ? (size_t)t->shape[1] : 0;
    if (rows == 0)
        return err_set(ERR_CORRUPT, "model '%s': tensor '%s' has more than %d rows", gguf_name(l->gguf), full,
                       HEAD_WIDTH_MAX);
    const NetPart part = {name, rows};
    KernMatrix *out = &h->layers[h->n++];
    TRY((gguf_tensor(l->gguf, bias) ? net_want : net_want_bare)(l, out, &part, 1, *width));
    *width = rows;
    if (rows > h->widest) h->widest = rows;
    return ERR_OK;
}

/* One of up to four names; *at stays when the key is missing. */
static Err read_choice(const Gguf *g, const char *key, const char *const *names, size_t n, size_t *at) {
    Str text = {NULL, 0};
    TRY(gguf_get_str(g, key, &text));
    if (!text.p) return ERR_OK;
    for (size_t i = 0; i < n; i++)
        if (str_is(text, names[i])) {
            *at = i;
            return ERR_OK;
        }
    return err_set(ERR_UNSUPPORTED, "model '%s': '%s' is '%.*s', which is not known", gguf_name(g), key, STR_FMT(text));
}

/* Where the file says nothing, as llama.cpp takes it. */
static Err read_activation(Head *h, const Gguf *g, const ModelInfo *info) {
    static const char *const activations[] = {"none", "tanh", "gelu", "relu"}, *const poolings[] = {"cls", "mean"};
    bool modern = str_is(info->arch, "modern-bert");
    size_t between = modern ? HEAD_GELU : HEAD_TANH, mean = modern;
    TRY(read_choice(g, "pythia.rank.activation", activations, 4, &between));
    TRY(read_choice(g, "pythia.rank.pooling", poolings, 2, &mean));
    h->between = (HeadActivation)between;
    h->mean = mean;
    return ERR_OK;
}

static Err want_norm(Head *h, const NetLoader *l, const ModelInfo *info, size_t width) {
    char key[128];
    if (!gguf_tensor(l->gguf, "cls.norm.weight")) return ERR_OK;
    TRY(net_floats(l, "cls.norm.weight", 1, width, &h->norm));
    h->zeros = arena_array(l->arena, float, width);
    if (!h->zeros) return arena_error();
    TRY(gguf_get_f32(l->gguf, model_key(info->arch, "attention.layer_norm_epsilon", key), &h->epsilon));
    if (h->epsilon > 0 && h->epsilon < 1) return ERR_OK;
    return err_set(ERR_CORRUPT, "model '%s': '%s' is %g", gguf_name(l->gguf), key, (double)h->epsilon);
}

static Err want_classifier(Head *h, NetLoader *l, const ModelInfo *info) {
    size_t width = info->dim;
    TRY(want_layer(h, l, "cls", &width));
    TRY(want_layer(h, l, "cls.output", &width));
    if (h->n == 0)
        return err_set(ERR_UNSUPPORTED, "model '%s' is a reranker without a classifier ('cls.output.weight')",
                       gguf_name(l->gguf));
    if (width != 1)
        return err_set(ERR_UNSUPPORTED, "model '%s' classifies into %zu labels; a reranker has 1", gguf_name(l->gguf),
                       width);
    TRY(read_activation(h, l->gguf, info));
    return h->n == HEAD_LAYERS ? want_norm(h, l, info, h->layers[0].n) : ERR_OK;
}

static Err want_dense(Head *h, NetLoader *l, const ModelInfo *info) {
    size_t width = info->dim;
    TRY(want_layer(h, l, "dense_2", &width));
    TRY(want_layer(h, l, "dense_3", &width));
    if (width != info->dim)
        return err_set(ERR_UNSUPPORTED, "model '%s' turns %zu dimensions into %zu by dense layers; they must stay",
                       gguf_name(l->gguf), info->dim, width);
    return ERR_OK;
}

static Err head_load(Head *h, const NetOpen *o) {
    NetLoader l = {.gguf = o->gguf, .kern = o->kern, .arena = &h->arena};
    TRY((o->info->pooling == POOL_RANK ? want_classifier : want_dense)(h, &l, o->info));
    return h->n ? net_load(&l, o->pool, &h->block) : ERR_OK;
}

Err head_open(Head **out, const NetOpen *o) {
    Head *h = calloc(1, sizeof *h);
    if (!h) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    h->kern = o->kern;
    Err err = head_load(h, o);
    if (err || h->n == 0) {
        head_close(h);
        h = NULL;
    }
    *out = h;
    return err;
}

size_t head_scratch(const Head *h) { return h ? h->widest : 0; }

static void activate(const Head *h, float *v, size_t n) {
    if (h->between == HEAD_GELU) h->kern->gelu(v, n);
    for (size_t d = 0; h->between == HEAD_TANH && d < n; d++) v[d] = tanhf(v[d]);
    for (size_t d = 0; h->between == HEAD_RELU && d < n; d++) v[d] = v[d] > 0 ? v[d] : 0;
    if (h->norm) h->kern->layernorm(v, NULL, h->norm, h->zeros, h->epsilon, 1, n, v);
}

bool head_pools_mean(const Head *h) { return h && h->mean; }

Err head_run(const Head *h, float *v, float *scratch) {
    if (!h) return ERR_OK;
    const KernMatrix *first = &h->layers[0], *second = &h->layers[1];
    TRY(net_linear(h->kern, NULL, first, KERN_PLAIN, v, 1, scratch));
    if (h->n == 1) {
        memcpy(v, scratch, first->n * sizeof *v);
        return ERR_OK;
    }
    activate(h, scratch, first->n);
    return net_linear(h->kern, NULL, second, KERN_PLAIN, scratch, 1, v);
}
