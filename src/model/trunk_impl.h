/* trunk_impl.h - an open trunk and a pass through it; shared by trunk.c (loading), trunk_run.c (running) and decode.c
 * (token by token). */
#ifndef PYTHIA_MODEL_TRUNK_IMPL_H
#define PYTHIA_MODEL_TRUNK_IMPL_H

#include "model/trunk.h"
#include "model/weights.h"

typedef struct {
    const float *weight, *bias; /* [dim]; weight NULL: there is no norm */
} Norm;

typedef struct {
    Norm after; /* of what is added, before the sum */
    Norm norm;  /* of the sum */
} Join;

typedef struct {
    Weights qkv, output, up /* gate over up */, down;
    const float *q_norm, *k_norm; /* [head_dim] or NULL */
    Join attention, mlp;
    size_t kind; /* TRUNK_FAR or TRUNK_NEAR */
} Layer;

typedef struct {
    const Gguf *gguf; /* outlives the network */
    Str arch;
    const Kern *kern;
    Arena arena;
    WeightsBlock block; /* packed weights of all layers */
    ModelPrecision precision;
    TrunkShape s;
    size_t q_wide, qkv_wide;     /* floats of all heads of queries; and of keys and values too */
    const GgufTensor *tokens;    /* [vocabulary, dim], decoded row by row */
    const float *type;           /* [dim] or NULL */
    const float *zeros;          /* [dim] the bias of norms without one */
    Norm token_norm, first;      /* of the embedded tokens; before the first layer */
    float *turning[TRUNK_KINDS]; /* [head_dim / 2] radians a place; NULL: no layer is of that kind */
    Layer *layers;               /* [n_layers] */
} Trunk;

/* Tokens on their way through the layers: a batch of texts, or the next tokens of one text whose keys and values are
 * kept. Arrays start on cache lines. */
typedef struct {
    const Trunk *t;
    Pool *pool;
    const int32_t *ids;     /* [n_tokens] */
    const uint32_t *starts; /* [n_texts + 1] */
    size_t n_texts, n_tokens;
    size_t places; /* that positions are turned for: of the longest text, or n_tokens */
    size_t reach;  /* keys that the last token may see */

    const KernKept *kept; /* [n_layers][n_kv_heads], or NULL */
    size_t first;         /* place of the first token, of kept keys */
    const size_t *base;   /* [TRUNK_KINDS] place that a layer's kept keys begin at */

    float *x;                  /* [n_tokens, dim] what flows from layer to layer */
    float *y;                  /* [n_tokens, dim] what a product gives; after a join, what the next one takes */
    float *z;                  /* [n_tokens, q_wide] attention's result; [n_tokens, n_ff] the gate's */
    float *wide;               /* [n_tokens, qkv_wide]; [n_tokens, 2 n_ff] */
    float *turns[TRUNK_KINDS]; /* [places, head_dim] cosines, then sines */
    float *attention;          /* [threads][attention_each] */
    size_t attention_each;
    float *weights; /* scratch of products */
    size_t layer;
    const Join *join;
    size_t pieces; /* that rows are cut into */
} TrunkPass;

/* Lays the arrays out from base for n_tokens, places and reach; returns how many floats they take. base NULL: only
 * that. */
size_t trunk_pass_lay_out(TrunkPass *p, size_t threads, float *base);

/* *hidden: [n_tokens, dim] in the arrays laid out. */
MUST_USE Err trunk_pass_run(TrunkPass *p, const Deadline *deadline, const float **hidden);

#endif
