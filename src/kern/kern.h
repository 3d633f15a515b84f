/* kern.h - the arithmetic that takes all the time, as a table of functions made for this CPU.
 *
 * One body (kern_body.h) is compiled once per instruction set; kern_init looks at the CPU once and chooses the best
 * table, or the one that the environment's PYTHIA_CPU names. Nothing outside this room asks what the CPU can do.
 *
 * Results: within a level every function is deterministic, and what it computes for a row does not depend on how many
 * rows there are or how the work is cut into calls: gemm of 1 row gives the bits that gemm of 100 rows gives for it.
 * Levels differ from each other by rounding.
 *
 * Alignment: none is asked of pointers but that of float. Sizes: any, unless said; those divisible by 32 are fast.
 * Threads: everything here is immutable once kern_init returned; functions may run on any number of threads.
 */
#ifndef PYTHIA_KERN_KERN_H
#define PYTHIA_KERN_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kern/low.h"
#include "kern/quant.h"

enum { KERN_PANEL_MAX = 64 }; /* no level's panel is wider */

/* A weight matrix [n, k] (n outputs, k inputs) as gemm wants it: cut into panels of `kern->panel` outputs; a panel
 * stands input by input: [ceil(n / panel)][k][panel], zeros where n ends inside the last panel. Bound to the level that
 * packed it. */
typedef struct {
    size_t n, k;
    const float *panels; /* [kern_panels(kern, n)][k][panel] */
    const float *bias;   /* [kern_panels(kern, n) * panel], zeros behind n */
} KernMatrix;

typedef enum { KERN_PLAIN, KERN_GELU } KernAct;

/* One head of one sequence: out = softmax(scale * q k^T) v. q, k, v, out are [tokens, head_dim] with `stride` (out:
 * out_stride) floats from row to row. Every token sees every token. */
typedef struct {
    const float *q, *k, *v;
    size_t stride;
    size_t tokens, head_dim;
    float scale;
    float *out;
    size_t out_stride;
    float *scratch; /* [kern_attention_scratch(kern, tokens, head_dim)] */
} KernAttention;

typedef enum { KERN_GATE_SILU, KERN_GATE_GELU, KERN_GATE_GELU_TANH } KernGate;

/* Keys and values of one head that stay packed from call to call, as a decoder's cache keeps them:
 * keys [places / panel][head_dim][panel], values [kern_panels(kern, head_dim)][places][panel], both from `keep`. */
typedef struct {
    float *keys, *values;
    size_t places; /* that there is room for, a multiple of the level's panel */
} KernKept;

/* The query heads of one sequence that share a head of keys and values, each seeing a span of the keys around its own
 * place: query i stands at place first + i and sees keys [place - before, place + after], cut to those there are.
 * Encoders: before and after SIZE_MAX, or half a window each; decoders: after 0, and first tokens in a cache of keys.
 * first + queries <= keys. A query gets the same bits alone as among others. */
typedef struct {
    const float *q;       /* [queries][heads, head_dim], q_stride floats from query to query */
    const float *k, *v;   /* [keys][head_dim], stride floats from key to key; nothing when kept */
    const KernKept *kept; /* NULL, or the keys and values, packed already */
    size_t q_stride, stride;
    size_t queries, keys, first, heads, head_dim;
    size_t before, after;
    float scale; /* > 0 */
    float *out;  /* [queries][heads, head_dim], out_stride floats from query to query */
    size_t out_stride;
    float *scratch; /* [kern_attention_scratch(kern, keys, head_dim)]; kept: [kern_kept_scratch(kern, keys)] */
} KernSpan;

typedef struct {
    const char *name;       /* "avx2": what PYTHIA_CPU calls it */
    size_t panel;           /* outputs a panel of a KernMatrix */
    size_t tile;            /* rows that gemm computes at a time */
    const KernLow *low;     /* the same in int8 and bfloat16 */
    const KernQuant *quant; /* products on the blocks of a GGUF */

    /* Inner product of a and b [n]. 384 floats: 15 ns. */
    float (*dot)(const float *a, const float *b, size_t n);

    /* out[i] = dot(query, rows + i * dim, dim), the same bits, for n rows. Bound by memory: 27 GB/s on one Zen 4 core,
     * 100,000 rows of 384 in 6 ms; 16 ns a row from cache. */
    void (*dot_rows)(const float *query /* [dim] */, const float *rows /* [n, dim] */, size_t n, size_t dim,
                     float *out /* [n] */);

    /* Packs up to `panel` rows of k floats each into one panel; a NULL row becomes zeros. False when a weight is NaN or
     * infinite. ~1 cycle a weight. */
    bool (*pack)(const float *const *rows /* [panel] */, size_t k, float *out /* [k, panel] */);

    /* out[m, w->n] = act(a[m, w->k] * w^T + bias), for the panels [from, to) only, so that threads can share the
     * columns. lda, ldo: floats from row to row. a and out must not overlap. Sums run over k in order, one accumulator
     * each. */
    void (*gemm)(const KernMatrix *w, size_t from, size_t to, KernAct act, const float *a, size_t lda, size_t m,
                 float *out, size_t ldo);

    void (*attention)(const KernAttention *a);
    void (*attention_span)(const KernSpan *a);

    /* Packs the keys and values of n tokens, stride floats from token to token, as places [first, first + n) of
     * kept. */
    void (*keep)(const KernKept *kept, const float *k, const float *v, size_t stride, size_t head_dim, size_t first,
                 size_t n);

    /* out = (r - mean(r)) / sqrt(variance(r) + eps) * weight + bias for each row r = x (+ residual unless NULL). The
     * variance is that of the centred row (two passes). out may be x or residual. */
    void (*layernorm)(const float *x, const float *residual, const float *weight, const float *bias, float eps,
                      size_t m, size_t n, float *out /* [m, n] */);

    /* out = x / sqrt(mean(x^2) + eps) * weight for each row of x [m, n]. out may be x. */
    void (*rmsnorm)(const float *x, const float *weight, float eps, size_t m, size_t n, float *out /* [m, n] */);

    /* In place: turns each pair (i, i + head_dim / 2) of each head (RoPE as GPT-NeoX pairs them). x: [m] rows of
     * `heads` heads side by side, stride floats apart; turns [m, head_dim]: the row's cosines, then its sines. head_dim
     * even. */
    void (*rope)(float *x, size_t stride, size_t heads, size_t head_dim, const float *turns, size_t m);

    /* out[r][i] = act(x[r][i]) * x[r][n + i] for x [m, 2 n]. Errors as gelu's; SILU and GELU_TANH 2e-7 * max(1,
     * |x|). */
    void (*gate)(KernGate kind, const float *x, size_t m, size_t n, float *out /* [m, n] */);

    /* In place: x * P(X <= x) for the standard normal X. Absolute error below 1e-7 * max(1, |x|): f32's own rounding
     * (the erf of PyTorch gives 1.1e-6). */
    void (*gelu)(float *x, size_t n);

    /* out[n] = mean of m > 0 rows [m, n], summed in row order. */
    void (*mean_rows)(const float *rows, size_t m, size_t n, float *out);

    /* Scales v to length 1; a zero vector stays zero (divided by 1e-12, as PyTorch's normalize). */
    void (*normalize)(float *v, size_t n);

    /* n half-precision (bfloat16) numbers, little-endian, not necessarily aligned, into floats; exact. */
    void (*decode_f16)(const void *src, size_t n, float *out);
    void (*decode_bf16)(const void *src, size_t n, float *out);
} Kern;

/* Chooses the table, once; later calls return the first one's result. ERR_USAGE when PYTHIA_CPU names a level that
 * there is not or that this CPU cannot do; the text lists those it can. Threads: any. */
MUST_USE Err kern_init(void);

/* The table chosen (kern_init is called when nobody did). When PYTHIA_CPU was wrong: the scalar one; whoever opens
 * something asks kern_init first and shows the error. */
const Kern *kern_table(void);

/* The table called name, NULL when there is none of that name or this CPU cannot run it. For tests and benches. */
const Kern *kern_find(const char *name);

/* All tables that this CPU can run, slowest first, at most cap; returns how many. For tests. */
size_t kern_levels(const Kern **out /* [cap] */, size_t cap);

/* "scalar, avx2, avx512": what this CPU can run. */
const char *kern_level_names(void);

static inline size_t kern_panels(const Kern *kern, size_t n) { return (n + kern->panel - 1) / kern->panel; }

/* Floats of scratch that an attention of so many tokens wants. */
static inline size_t kern_attention_scratch(const Kern *kern, size_t tokens, size_t head_dim) {
    size_t wide = kern_panels(kern, tokens) * kern->panel;
    return wide * head_dim + kern_panels(kern, head_dim) * kern->panel * tokens + kern->tile * wide;
}

/* Floats of scratch that a span of kept keys wants; floats that keys and values of so many places are kept in. */
static inline size_t kern_kept_scratch(const Kern *kern, size_t keys) {
    return kern_panels(kern, keys) * kern->panel * kern->tile;
}
static inline size_t kern_kept_keys(const Kern *kern, size_t places, size_t head_dim) {
    return kern_panels(kern, places) * kern->panel * head_dim;
}
static inline size_t kern_kept_values(const Kern *kern, size_t places, size_t head_dim) {
    return kern_panels(kern, places) * kern->panel * kern_panels(kern, head_dim) * kern->panel;
}

#endif
