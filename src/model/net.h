/* net.h - between model.c and the networks: an architecture is one arch_<name>.c and one line in model_arch_table.
 *
 * A network turns a batch of token ids into one hidden vector a token. There is no padding: a batch is a flat list of
 * tokens with the texts' starts; matrix products run over all tokens, attention over each text alone. Pooling and
 * normalising are the same for all and stand in embed.c.
 *
 * Weights are loaded in two steps: the architecture tells a NetLoader what it wants (names and shapes are checked
 * then), net_load packs all of it into one block for the kernels, in parallel.
 *
 * Threads: an open network is immutable; a run works in the scratch it is handed.
 */
#ifndef PYTHIA_MODEL_NET_H
#define PYTHIA_MODEL_NET_H

#include "base/clock.h"
#include "base/pool.h"
#include "kern/kern.h"
#include "model/gguf.h"
#include "model/low_cache.h"
#include "model/model.h"

typedef struct {
    const int32_t *ids;     /* [n_tokens] all texts one after the other */
    const uint32_t *starts; /* [n_texts + 1] first token of each text, then n_tokens */
    size_t n_texts, n_tokens;
    size_t longest;          /* tokens of the longest text */
    const uint32_t *seconds; /* [n_texts] tokens before the second text of each pair; NULL: no pairs */
} NetBatch;

typedef struct {
    Pool *pool;               /* NULL: this thread alone (one batch a core); else the pool works on this one batch */
    const Deadline *deadline; /* asked once a layer */
    float *scratch;           /* [scratch(net, n_tokens, longest, pool_size(pool))], aligned to 64 bytes */
} NetRun;

typedef struct {
    const Gguf *gguf;
    const Kern *kern;
    Pool *pool;               /* for packing; NULL: this thread alone */
    const ModelInfo *info;    /* from the metadata; what it says is checked against the tensors */
    LowType low;              /* of a network in low precision */
    const LowCacheKey *cache; /* where its packed weights are kept; NULL: nowhere */
} NetOpen;

typedef struct NetArch {
    const char *name;                          /* general.architecture */
    Err (*open)(void **net, const NetOpen *o); /* loads the weights */
    void (*close)(void *net);                  /* NULL is fine */
    size_t (*n_tokens)(const void *net);       /* rows of the token embedding: ids must be below */
    size_t (*scratch)(const void *net, size_t n_tokens, size_t longest, size_t threads); /* floats */
    /* *hidden: [n_tokens, dim], inside the scratch. ids and lengths are the caller's duty. */
    Err (*run)(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden);
    /* The same in int8 and bf16 (itself, where open goes by info->precision); NULL: there is none. */
    const struct NetArch *low;
    /* Whether int8 fits the shape; only of networks that were measured to find as well in it (nDCG@10 within 0.003 of
     * exact on every set); NULL: not known. */
    bool (*fast_pays)(const ModelInfo *info);
    bool decodes; /* decode.h takes its networks */
} NetArch;

extern const NetArch arch_bert, arch_bert_low;
bool bert_low_fits(const ModelInfo *info); /* whether arch_bert_low can compute that shape */
extern const NetArch arch_static;
extern const NetArch arch_nomic_bert, arch_modern_bert, arch_qwen2, arch_qwen3, arch_gemma3, arch_gemma_embedding;

/* NULL-terminated. */
extern const NetArch *const model_arch_table[];

/* ERR_UNSUPPORTED names the architecture and those known. */
MUST_USE Err net_arch_find(const Gguf *g, Str name, const NetArch **out);

/* ---- loading (net.c) ---- */

enum { NET_PARTS_MAX = 3 };

/* A matrix made of up to three tensors one below the other: query, key and value are one product. */
typedef struct {
    const char *name; /* "blk.0.attn_q": ".weight" and ".bias" are added */
    size_t rows;
} NetPart;

/* Such a matrix where it lies in the file. */
typedef struct {
    const GgufTensor *parts[NET_PARTS_MAX]; /* one below the other */
    size_t n_parts;
    size_t n, k;       /* rows of all parts, columns */
    const float *bias; /* [n rounded up to KERN_PANEL_MAX], zeros where there is none */
} NetRows;

typedef enum { NET_BARE, NET_BIASED } NetBias;

typedef struct NetLoad NetLoad;

typedef struct {
    const Gguf *gguf;
    const Kern *kern;
    Arena *arena;   /* biases, vectors, the list of wishes */
    NetLoad *loads; /* newest first */
    size_t n_loads;
} NetLoader;

/* The tensor called name, of exactly this shape (cols fastest; rows 1: a vector) and readable: ERR_CORRUPT with both
 * shapes, ERR_UNSUPPORTED with the type. */
MUST_USE Err net_tensor(const Gguf *g, const char *name, size_t rows, size_t cols, const GgufTensor **out);

/* rows x cols floats into the arena, all finite (ERR_CORRUPT otherwise), 16-byte aligned. */
MUST_USE Err net_floats(const NetLoader *l, const char *name, size_t rows, size_t cols, const float **out);

/* Finds the parts' tensors, their rows x k, and reads their biases into the arena. NET_BARE: a bias in the file is
 * ERR_UNSUPPORTED: ignoring it would give wrong vectors silently. */
MUST_USE Err net_rows_find(NetLoader *l, const NetPart *parts, size_t n_parts, size_t k, NetBias bias, NetRows *out);

/* rows[i] = row from + i as floats, NULL behind the end; in scratch [n, k], or in the file where they lie as floats. */
void net_rows_floats(const Kern *kern, const NetRows *r, size_t from, size_t n, float *scratch,
                     const float **rows /* [n] */);

/* ERR_CORRUPT naming tensor and row of the first of such rows that holds a number that is not finite; ERR_OK: none
 * does. */
MUST_USE Err net_rows_check(const Gguf *g, const NetRows *r, size_t from, size_t n, const float *const *rows);

/* ERR_CORRUPT naming tensor and row. */
Err net_not_finite(const Gguf *g, const GgufTensor *t, size_t row);

/* Wishes for out = the parts' rows x k, with biases. out is filled by net_load and must stay where it is. */
MUST_USE Err net_want(NetLoader *l, KernMatrix *out, const NetPart *parts, size_t n_parts, size_t k);

/* The same of a matrix without biases. */
MUST_USE Err net_want_bare(NetLoader *l, KernMatrix *out, const NetPart *parts, size_t n_parts, size_t k);

/* Packs all that was wished for into *block (free it with free), aligned to 64 bytes. A weight that is not finite is
 * ERR_CORRUPT naming tensor and row. Cost: MiniLM's 42 MB 15 ms on one core. */
MUST_USE Err net_load(NetLoader *l, Pool *pool, float **block);

/* One row of a tensor as floats. */
void net_row(const Kern *kern, const GgufTensor *t, size_t row, float *out /* [shape[0]] */);

/* net_row, or ERR_CORRUPT naming tensor and row when a number is not finite. */
MUST_USE Err net_row_checked(const Gguf *g, const Kern *kern, const GgufTensor *t, size_t row, float *out);

/* What both BERTs ask of the metadata beside the shape: the norms' epsilon; heads that divide the width, not causal. */
MUST_USE Err net_bert_epsilon(const Gguf *g, const ModelInfo *info, float *epsilon);

/* out = act(a * w^T + bias) for m rows, low_wide(w->n) apart; over the pool by columns where that is worth waking
 * it. */
MUST_USE Err net_linear_low(const Kern *kern, Pool *pool, const LowMatrix *w, LowOut kind, const LowRows *a, size_t m,
                            void *out);

/* out = act(a * w^T + bias) for m rows; over the pool by columns where that is worth waking it. */
MUST_USE Err net_linear(const Kern *kern, Pool *pool, const KernMatrix *w, KernAct act, const float *a, size_t m,
                        float *out);

#endif
