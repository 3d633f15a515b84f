/* head.c - loading and running heads: one or two matrices a vector passes through.
 *
 * Names are llama.cpp's. A classifier of two matrices is RoBERTa's and BERT's (pooler and classifier): tanh stands between
 * them. One alone is taken as it is: a tanh behind it would change no order.
 */
#include "model/head.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_LAYERS = 2, HEAD_WIDTH_MAX = 1 << 16 };

struct Head {
    const Kern *kern;
    Arena arena;
    float *block; /* packed weights */
    KernMatrix layers[HEAD_LAYERS];
    size_t n, widest;
    bool tanh_between;
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

static Err want_classifier(Head *h, NetLoader *l, const ModelInfo *info) {
    size_t width = info->dim;
    TRY(want_layer(h, l, "cls", &width));
    TRY(want_layer(h, l, "cls.output", &width));
    h->tanh_between = true;
    if (h->n == 0)
        return err_set(ERR_UNSUPPORTED, "model '%s' is a reranker without a classifier ('cls.output.weight')",
                       gguf_name(l->gguf));
    if (width != 1)
        return err_set(ERR_UNSUPPORTED, "model '%s' classifies into %zu labels; a reranker has 1", gguf_name(l->gguf),
                       width);
    if (gguf_tensor(l->gguf, "cls.norm.weight"))
        return err_set(ERR_UNSUPPORTED, "model '%s' has a classifier with a norm ('cls.norm.weight')",
                       gguf_name(l->gguf));
    return ERR_OK;
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

Err head_run(const Head *h, float *v, float *scratch) {
    if (!h) return ERR_OK;
    const KernMatrix *first = &h->layers[0], *second = &h->layers[1];
    TRY(net_linear(h->kern, NULL, first, KERN_PLAIN, v, 1, scratch));
    if (h->n == 1) {
        memcpy(v, scratch, first->n * sizeof *v);
        return ERR_OK;
    }
    for (size_t d = 0; h->tanh_between && d < first->n; d++) scratch[d] = tanhf(scratch[d]);
    return net_linear(h->kern, NULL, second, KERN_PLAIN, scratch, 1, v);
}
