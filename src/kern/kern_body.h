/* kern_body.h - the kernels, written once in the compiler's vector extensions (gcc and clang) and compiled by each
 * kern_<level>.c for its instruction set.
 *
 * The includer defines LANES (floats a vector), TILE_ROWS (rows of a gemm tile), KERN_NAME, KERN_TABLE
 * and KERN_QUANT (quant.h).
 *
 * Floating point is strict but for contraction of a * b + c: sums have as many accumulators as the code says, in the
 * order it says. That is what makes a row's result independent of its company (see kern.h); where several accumulators
 * pay, they are written out. -fassociative-math would give the same speed and lose that.
 */
#include <math.h>
#include <string.h>

#include "kern/kern_levels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

enum { PANEL = 2 * LANES }; /* outputs a gemm tile: two vectors, so that a broadcast input serves two FMAs */
_Static_assert((int)PANEL <= (int)KERN_PANEL_MAX, "callers keep arrays of so many row pointers");

typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t VecInt __attribute__((vector_size(LANES * 4)));
typedef float VecLoose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t VecHalf __attribute__((vector_size(LANES * 2)));

INLINE Vec vec_load(const float *p) { return *(const VecLoose *)p; }
INLINE void vec_store(float *p, Vec v) { *(VecLoose *)p = v; }
INLINE Vec vec_all(float x) { return x - (Vec){0}; } /* x - 0 keeps -0, which x + 0 would not */
INLINE Vec vec_pick(VecInt mask, Vec yes, Vec no) { return (Vec)(((VecInt)yes & mask) | ((VecInt)no & ~mask)); }
INLINE Vec vec_max(Vec a, Vec b) { return vec_pick(a > b, a, b); }
INLINE Vec vec_min(Vec a, Vec b) { return vec_pick(a < b, a, b); }
INLINE Vec vec_abs(Vec a) { return (Vec)((VecInt)a & 0x7FFFFFFF); }

/* Sum of the lanes, halves first: the order is fixed. */
INLINE float vec_sum(Vec v) {
    float x[LANES];
    memcpy(x, &v, sizeof x);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) UNROLL for (int i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}

INLINE float vec_highest(Vec v) {
    float x[LANES];
    memcpy(x, &v, sizeof x);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) UNROLL for (int i = 0; i < half; i++) x[i] =
        x[i] > x[i + half] ? x[i] : x[i + half];
    return x[0];
}

/* e^x for x <= 88, relative error below 1e-7; below -87 it stays at e^-87. x = n ln 2 + r: the magic number's addition
 * rounds x / ln 2 into the low bits of the mantissa, from where n goes straight into the exponent. ln 2 in two parts
 * keeps r exact. Polynomial: tools/fit_polynomials.py, error 3e-9 over |r| <= ln 2 / 2. */
INLINE Vec vec_exp(Vec x) {
    const Vec magic = vec_all(0x1.8p23f);
    x = vec_max(x, vec_all(-87.0f));
    Vec shifted = x * 0x1.715476p+0f + magic;
    Vec n = shifted - magic;
    Vec r = x - n * 0x1.62e400p-1f;
    r = r - n * 0x1.7f7d1cp-20f;
    Vec p = r * 1.3950486e-3f + 8.3688879e-3f;
    p = p * r + 4.1666206e-2f;
    p = p * r + 1.6666519e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return (Vec)((VecInt)p + (((VecInt)shifted - (VecInt)magic) << 23));
}

/* ---- inner products ---- */

enum {
    DOT_SUMS = 4
}; /* four sums hide the 4 cycles that an FMA takes: 15.6 ns against 27.6 for one (384 floats, AVX2) */

static float dot(const float *a, const float *b, size_t n) {
    Vec sums[DOT_SUMS] = {{0}};
    size_t i = 0;
    for (; i + DOT_SUMS * LANES <= n; i += DOT_SUMS * LANES)
        UNROLL for (size_t s = 0; s < DOT_SUMS; s++) sums[s] +=
            vec_load(a + i + s * LANES) * vec_load(b + i + s * LANES);
    for (; i + LANES <= n; i += LANES) sums[0] += vec_load(a + i) * vec_load(b + i);
    float rest = 0;
    for (; i < n; i++) rest += a[i] * b[i];
    return vec_sum((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}

/* One row after the other, as they lie: four rows at a time, which share the query's loads, are four streams to the
 * CPU's prefetcher and come at 11 GB/s instead of 27 (60,000 rows of 384, one Zen 4 core). */
static void dot_rows(const float *query, const float *rows, size_t n, size_t dim, float *out) {
    for (size_t i = 0; i < n; i++) out[i] = dot(query, rows + i * dim, dim);
}

/* ---- element by element ---- */

/* gelu(x) = max(x, 0) - |x| Q(|x|), Q the upper tail of the standard normal, as exp(-polynomial of degree 8): one exp
 * and no cancellation for negative x. Fit to t Q(t) within 7e-9 on [0, 6] (tools/fit_polynomials.py); beyond, it grows,
 * and from 9 on Q is taken as 3e-22. */
INLINE Vec vec_gelu(Vec x) {
    Vec a = vec_abs(x), t = vec_min(a, vec_all(9.0f));
    Vec p = t * -0x1.3a8660p-20f + 0x1.23b216p-16f;
    p = p * t - 0x1.4cc612p-14f;
    p = p * t - 0x1.d6058ep-13f;
    p = p * t + 0x1.4d2084p-8f;
    p = p * t - 0x1.2b5334p-5f;
    p = p * t - 0x1.45df48p-2f;
    p = p * t - 0x1.988610p-1f;
    p = p * t - 0x1.62e416p-1f;
    return (x + a) * 0.5f - a * vec_exp(p);
}

static void gelu(float *x, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vec_store(x + i, vec_gelu(vec_load(x + i)));
    if (i == n) return;
    float rest[LANES] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *x);
    vec_store(rest, vec_gelu(vec_load(rest)));
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

static void layernorm_row(const float *x, const float *residual, const float *weight, const float *bias, float eps,
                          size_t n, float *out) {
    Vec sum = {0}, squares = {0};
    float sum_rest = 0, squares_rest = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        Vec v = vec_load(x + i);
        if (residual) v += vec_load(residual + i);
        sum += v;
        vec_store(out + i, v);
    }
    for (; i < n; i++) sum_rest += out[i] = residual ? x[i] + residual[i] : x[i];
    float mean = (vec_sum(sum) + sum_rest) / (float)n;
    for (i = 0; i + LANES <= n; i += LANES) {
        Vec d = vec_load(out + i) - mean;
        squares += d * d;
    }
    for (; i < n; i++) squares_rest += (out[i] - mean) * (out[i] - mean);
    float scale = 1.0f / sqrtf((vec_sum(squares) + squares_rest) / (float)n + eps);
    for (i = 0; i + LANES <= n; i += LANES)
        vec_store(out + i, (vec_load(out + i) - mean) * scale * vec_load(weight + i) + vec_load(bias + i));
    for (; i < n; i++) out[i] = (out[i] - mean) * scale * weight[i] + bias[i];
}

static void layernorm(const float *x, const float *residual, const float *weight, const float *bias, float eps,
                      size_t m, size_t n, float *out) {
    for (size_t r = 0; r < m; r++)
        layernorm_row(x + r * n, residual ? residual + r * n : NULL, weight, bias, eps, n, out + r * n);
}

static void mean_rows(const float *rows, size_t m, size_t n, float *out) {
    float scale = 1.0f / (float)m;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        Vec sum = {0};
        for (size_t r = 0; r < m; r++) sum += vec_load(rows + r * n + i);
        vec_store(out + i, sum * scale);
    }
    for (; i < n; i++) {
        float sum = 0;
        for (size_t r = 0; r < m; r++) sum += rows[r * n + i];
        out[i] = sum * scale;
    }
}

static void normalize(float *v, size_t n) {
    float length = sqrtf(dot(v, v, n));
    float scale = 1.0f / (length > 1e-12f ? length : 1e-12f);
    for (size_t i = 0; i < n; i++) v[i] *= scale;
}

/* ---- number formats ---- */

/* The exponent of a half is rebased by a multiplication, which is exact for subnormals too; infinities and NaN get the
 * highest exponent. As fast as F16C where the source is memory, so no intrinsics. */
INLINE Vec vec_from_half(VecHalf h) {
    VecInt bits = __builtin_convertvector(h, VecInt);
    VecInt magnitude = (bits & 0x7FFF) << 13;
    VecInt special = (VecInt)(magnitude >= (0x7C00 << 13)) & 0x7F800000;
    return (Vec)((VecInt)((Vec)magnitude * 0x1p112f) | special | ((bits & 0x8000) << 16));
}

static void decode_f16(const void *src, size_t n, float *out) {
    const unsigned char *p = src;
    VecHalf h;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        memcpy(&h, p + 2 * i, sizeof h);
        vec_store(out + i, vec_from_half(h));
    }
    if (i == n) return;
    float rest[LANES];
    h = (VecHalf){0};
    memcpy(&h, p + 2 * i, 2 * (n - i));
    vec_store(rest, vec_from_half(h));
    memcpy(out + i, rest, (n - i) * sizeof *out);
}

static void decode_bf16(const void *src, size_t n, float *out) {
    const unsigned char *p = src;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        uint32_t bits = (uint32_t)h << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

/* ---- matrix products ---- */

/* All ones in lanes that are NaN or infinite: their exponent is. */
INLINE VecInt vec_not_finite(Vec v) { return (VecInt)(((VecInt)v & 0x7F800000) == 0x7F800000); }

/* Rows are read a cache line at a time and scattered over 16 lines of the panel: reading row after row whole would have
 * PANEL streams whose stride (a power of two in most models) lets them throw each other out of the L1 cache. */
static bool pack(const float *const *rows, size_t k, float *out) {
    enum { STEP = 16 };
    static const float zeros[STEP];
    VecInt bad = {0};
    for (size_t k0 = 0; k0 < k; k0 += STEP) {
        size_t n = k - k0 < STEP ? k - k0 : STEP;
        for (size_t r = 0; r < PANEL; r++) {
            const float *row = rows[r] ? rows[r] + k0 : zeros;
            float *to = out + k0 * PANEL + r;
            if (n == STEP) {
                UNROLL for (size_t i = 0; i < STEP; i += LANES) bad |= vec_not_finite(vec_load(row + i));
                UNROLL for (size_t i = 0; i < STEP; i++) to[i * PANEL] = row[i];
            } else {
                for (size_t i = 0; i < n; i++) {
                    bad |= vec_not_finite(vec_all(row[i]));
                    to[i * PANEL] = row[i];
                }
            }
        }
    }
    int32_t any = 0;
    for (size_t i = 0; i < LANES; i++) any |= bad[i];
    return any == 0;
}

typedef struct {
    const float *a; /* [rows, k], lda floats from row to row */
    size_t lda;
    const float *b; /* a panel [k, PANEL] */
    size_t k;
    const float *bias; /* [PANEL] */
    float *out;        /* [rows, cols], ldo floats from row to row */
    size_t ldo;
    size_t cols; /* of the panel that exist, 1..PANEL */
} Tile;

/* The heart: a tile of rows x PANEL outputs stays in registers while k runs. rows: a compile-time constant. */
INLINE void tile_body(size_t rows, const Tile *t) {
    Vec sums[TILE_ROWS][2];
    const float *a = t->a, *b = t->b;
    size_t lda = t->lda;
    UNROLL for (size_t r = 0; r < rows; r++) {
        sums[r][0] = vec_load(t->bias);
        sums[r][1] = vec_load(t->bias + LANES);
    }
    for (size_t k = t->k; k > 0; k--, a++, b += PANEL) {
        Vec b0 = vec_load(b), b1 = vec_load(b + LANES);
        UNROLL for (size_t r = 0; r < rows; r++) {
            Vec ar = vec_all(a[r * lda]);
            sums[r][0] += ar * b0;
            sums[r][1] += ar * b1;
        }
    }
    if (t->cols == PANEL) {
        UNROLL for (size_t r = 0; r < rows; r++) {
            vec_store(t->out + r * t->ldo, sums[r][0]);
            vec_store(t->out + r * t->ldo + LANES, sums[r][1]);
        }
        return;
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
        float wide[PANEL];
        vec_store(wide, sums[r][0]);
        vec_store(wide + LANES, sums[r][1]);
        memcpy(t->out + r * t->ldo, wide, t->cols * sizeof *wide);
    }
}

#define TILE_FUNCTION(rows)                                                                                            \
    static void tile_##rows(const Tile *t) { tile_body(rows, t); }
#if TILE_ROWS == 14
#define TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif TILE_ROWS == 12
#define TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#elif TILE_ROWS == 6
#define TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6)
#elif TILE_ROWS == 5
#define TILE_LIST(X) X(1) X(2) X(3) X(4) X(5)
#endif
TILE_LIST(TILE_FUNCTION)

#define TILE_ENTRY(rows) [rows] = tile_##rows,
static void (*const tiles[TILE_ROWS + 1])(const Tile *) = {TILE_LIST(TILE_ENTRY)};

/* Rows of `a` that are kept in the L2 cache while all panels pass by: half a megabyte of them. */
INLINE size_t block_rows(size_t k) {
    size_t rows = ((512u << 10) / sizeof(float)) / (k ? k : 1) / TILE_ROWS * TILE_ROWS;
    return rows ? rows : TILE_ROWS;
}

/* One panel times m rows. Rows are shared out evenly: 15 rows are tiles of 8 and 7, not of 14 and a slow 1. */
INLINE void panel_times(Tile t, size_t m, KernAct act) {
    size_t n_tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    const float *a = t.a;
    float *out = t.out;
    for (size_t i = 0; i < n_tiles; i++) {
        size_t from = m * i / n_tiles, to = m * (i + 1) / n_tiles;
        t.a = a + from * t.lda;
        t.out = out + from * t.ldo;
        tiles[to - from](&t);
        /* From the L1 cache; inside the tile the 28 unrolled copies would cost more code than the reloads cost time. */
        if (act == KERN_GELU)
            for (size_t r = from; r < to; r++) gelu(out + r * t.ldo, t.cols);
    }
}

static void gemm(const KernMatrix *w, size_t from, size_t to, KernAct act, const float *a, size_t lda, size_t m,
                 float *out, size_t ldo) {
    size_t step = block_rows(w->k);
    for (size_t row = 0; row < m; row += step) {
        size_t rows = m - row < step ? m - row : step;
        for (size_t p = from; p < to; p++) {
            Tile t = {.a = a + row * lda, .lda = lda, .b = w->panels + p * w->k * PANEL, .k = w->k};
            t.bias = w->bias + p * PANEL;
            t.out = out + row * ldo + p * PANEL;
            t.ldo = ldo;
            t.cols = w->n - p * PANEL < PANEL ? w->n - p * PANEL : PANEL;
            panel_times(t, rows, act);
        }
    }
}

/* ---- attention ---- */

/* In place over scores [wide], of which `tokens` count; the others become 0. */
INLINE void softmax_row(float *scores, size_t tokens, size_t wide, float scale) {
    for (size_t i = tokens; i < wide; i++) scores[i] = -INFINITY;
    Vec high = vec_all(-INFINITY), sum = {0};
    for (size_t i = 0; i < wide; i += LANES) high = vec_max(high, vec_load(scores + i));
    float top = vec_highest(high);
    for (size_t i = 0; i < tokens; i += LANES) {
        Vec e = vec_exp((vec_load(scores + i) - top) * scale);
        if (i + LANES > tokens)
            for (size_t j = tokens - i; j < LANES; j++) e[j] = 0.0f;
        sum += e;
        vec_store(scores + i, e);
    }
    float inverse = 1.0f / vec_sum(sum);
    for (size_t i = 0; i < tokens; i += LANES) vec_store(scores + i, vec_load(scores + i) * inverse);
}

/* Packs [tokens, head_dim] keys as panels of PANEL tokens, values as panels of PANEL dimensions. */
static void attention_pack(const KernAttention *a, float *keys, float *values) {
    for (size_t t = 0; t < a->tokens; t += PANEL) {
        const float *rows[PANEL];
        for (size_t r = 0; r < PANEL; r++) rows[r] = t + r < a->tokens ? a->k + (t + r) * a->stride : NULL;
        (void)pack(rows, a->head_dim, keys + t * a->head_dim);
    }
    for (size_t d = 0; d < a->head_dim; d += PANEL) {
        size_t cols = a->head_dim - d < PANEL ? a->head_dim - d : PANEL;
        for (size_t t = 0; t < a->tokens; t++) {
            float *row = values + (d * a->tokens) + t * PANEL;
            memcpy(row, a->v + t * a->stride + d, cols * sizeof *row);
            memset(row + cols, 0, (PANEL - cols) * sizeof *row);
        }
    }
}

/* A tile of queries at a time: its scores (14 x 256 floats: 14 KB) stay in the L1 cache from product to product. */
static void attention(const KernAttention *a) {
    static const float no_bias[PANEL];
    size_t wide = (a->tokens + PANEL - 1) / PANEL * PANEL;
    float *keys = a->scratch;                  /* [wide / PANEL][head_dim][PANEL] */
    float *values = keys + wide * a->head_dim; /* [dims / PANEL][tokens][PANEL] */
    float *scores = values + (a->head_dim + PANEL - 1) / PANEL * PANEL * a->tokens; /* [TILE_ROWS][wide] */
    attention_pack(a, keys, values);
    size_t n_tiles = (a->tokens + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t i = 0; i < n_tiles; i++) {
        size_t from = a->tokens * i / n_tiles, rows = a->tokens * (i + 1) / n_tiles - from;
        Tile t = {.a = a->q + from * a->stride, .lda = a->stride, .k = a->head_dim, .bias = no_bias, .cols = PANEL};
        t.ldo = wide;
        for (size_t k = 0; k < wide; k += PANEL) {
            t.b = keys + k * a->head_dim;
            t.out = scores + k;
            tiles[rows](&t);
        }
        for (size_t r = 0; r < rows; r++) softmax_row(scores + r * wide, a->tokens, wide, a->scale);
        t = (Tile){.a = scores, .lda = wide, .k = a->tokens, .bias = no_bias, .ldo = a->out_stride};
        for (size_t d = 0; d < a->head_dim; d += PANEL) {
            t.b = values + d * a->tokens;
            t.out = a->out + from * a->out_stride + d;
            t.cols = a->head_dim - d < PANEL ? a->head_dim - d : PANEL;
            tiles[rows](&t);
        }
    }
}

#include "kern/kern_trunk_body.h"
#include "kern/low_body.h"

const Kern KERN_TABLE = {
    .name = KERN_NAME,
    .panel = PANEL,
    .tile = TILE_ROWS,
    .low = &low_table,
    .quant = &KERN_QUANT,
    .dot = dot,
    .dot_rows = dot_rows,
    .pack = pack,
    .gemm = gemm,
    .attention = attention,
    .attention_span = attention_span,
    .keep = keep,
    .layernorm = layernorm,
    .rmsnorm = rmsnorm,
    .rope = rope,
    .gate = gate,
    .gelu = gelu,
    .mean_rows = mean_rows,
    .normalize = normalize,
    .decode_f16 = decode_f16,
    .decode_bf16 = decode_bf16,
};
