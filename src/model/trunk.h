/* trunk.h - the stack of layers that networks after BERT share, told by a description: where norms stand, how positions
 * are rotated, which keys a token sees, what the gate is. An architecture reads its metadata into a TrunkShape;
 * everything else (loading, running) is here once.
 *
 *   in order of BERT (post_norm):  x = norm(x + attention(x));           x = norm(x + mlp(x))
 *   norms first (else):            x = x + after(attention(norm(x)));    x = x + after(mlp(norm(x)));    at the end norm(x)
 *
 *   attention: heads of queries in groups that share a head of keys and values; queries and keys normed a head each where
 *              the model does (head_norm), then rotated by their place
 *   mlp:       down(act(gate(x)) * up(x))
 *
 * Tensor and metadata names are llama.cpp's.
 */
#ifndef PYTHIA_MODEL_TRUNK_H
#define PYTHIA_MODEL_TRUNK_H

#include "model/info.h"
#include "model/net.h"

/* Layers alternate where a model has two kinds: every `period`-th sees all, the others a window. */
enum { TRUNK_FAR, TRUNK_NEAR, TRUNK_KINDS };

typedef struct {
    size_t dim, n_ff, n_heads, n_kv_heads, head_dim, n_layers;
    float epsilon;
    float scale;       /* of attention's scores */
    float token_scale; /* of the token embedding's rows; 1: as they are */
    KernGate gate;
    bool rms;         /* RMS norms; else LayerNorms */
    bool norm_bias;   /* LayerNorms with biases */
    bool post_norm;   /* BERT's order */
    bool after_norm;  /* norms behind attention and mlp, before the sum (Gemma) */
    bool head_norm;   /* norms of each head's queries and keys */
    bool qkv_bias;    /* biases of queries, keys and values */
    bool wide_up;     /* ffn_up holds the gate's rows, then up's (ModernBERT) */
    bool token_norm;  /* a norm of the embedded tokens */
    bool token_types; /* the first row of token_types is added to each token, where the file has that tensor */
    bool bare_first;  /* no norm before the first attention: the tokens are normed already (ModernBERT) */

    size_t period, far_at;                          /* layer i is FAR where i % period == far_at; period 1: all are */
    size_t before[TRUNK_KINDS], after[TRUNK_KINDS]; /* keys a token sees; SIZE_MAX: all */
    float base[TRUNK_KINDS];                        /* of the rotation's frequencies */
    float factor[TRUNK_KINDS];                      /* places are divided by it; 1 but for long contexts */
} TrunkShape;

/* Fills what all architectures read alike: sizes and counts of heads, the norms' epsilon (s->rms tells which key), the
 * rotation's base and scaling, attention's scale. Everything sees everything; base_near is for layers with a window.
 * Set rms before, the rest after. ERR_CORRUPT: a value that cannot be; ERR_UNSUPPORTED: a scaling or a cap that would
 * change the result and is not computed here. */
MUST_USE Err trunk_shape_read(const Gguf *g, const ModelInfo *info, float base_near, TrunkShape *s);

/* attention.sliding_window as told by the model, at least 1. */
MUST_USE Err trunk_window_read(const Gguf *g, const ModelInfo *info, size_t *out);

/* The period of layers that see all: attention.sliding_window_pattern as a number, `fallback` when missing. A list of
 * flags, a layer each, must be that period's. */
MUST_USE Err trunk_period_read(const Gguf *g, const ModelInfo *info, size_t fallback, TrunkShape *s);

/* attention.causal, `fallback` when missing. */
MUST_USE Err trunk_causal_read(const Gguf *g, const ModelInfo *info, bool *causal);

/* The functions of a NetArch; open is the architecture's, which describes and then calls trunk_open. */
MUST_USE Err trunk_open(void **net, const NetOpen *o, const TrunkShape *s);
void trunk_close(void *net);
size_t trunk_tokens(const void *net);
size_t trunk_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads);
MUST_USE Err trunk_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden);

#endif
