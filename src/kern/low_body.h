/* low_body.h - the kernels of low.h, written once and compiled by each kern_<level>.c behind kern_body.h, whose vectors
 * and f32 attention they use.
 *
 * A product is three pieces: a tile (low_tile*.h) sums rows x 32 outputs over all of K into a buffer in the L1 cache;
 * the finish below turns sums into numbers (zero points, scales, bias, GELU) and stores them; low_gemm walks panels and
 * rows. Sums through memory cost 2 % of a tile of K = 384 and let every level share the finish.
 *
 * The includer may define LOW_VNNI512, LOW_HAS_BF16, LOW_HAS_AVXVNNI, LOW_NEON with LOW_NEON_DOT, LOW_NEON_MATRIX.
 */
#ifndef LOW_VNNI512
#define LOW_VNNI512 0
#endif
#ifndef LOW_HAS_BF16
#define LOW_HAS_BF16 0
#endif
#ifndef LOW_HAS_AVXVNNI
#define LOW_HAS_AVXVNNI 0
#endif
#ifndef LOW_NEON
#define LOW_NEON 0
#endif
#ifndef LOW_NEON_DOT
#define LOW_NEON_DOT 0
#endif
#ifndef LOW_NEON_MATRIX
#define LOW_NEON_MATRIX 0
#endif

#include <stdlib.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { LOW_STEP_BYTES = 4, PANEL_STEP_BYTES = LOW_STEP_BYTES * LOW_WIDE };
enum { LOW_WEIGHT_MAX = 127 };
#if defined(__AVX2__) && !LOW_VNNI512 && !LOW_HAS_AVXVNNI
enum { LOW_PAIR_MAX = 128 }; /* pmaddubsw: see low_tile_avx2.h */
#else
enum { LOW_PAIR_MAX = 2 * LOW_WEIGHT_MAX };
#endif

/* LOW_GROUP: bytes of an output's inputs that stand side by side in a panel. LOW_SHIFT: what a level's tiles take from
 * each byte of a row before they multiply it. */
#if LOW_NEON_MATRIX
enum { LOW_GROUP = 8, LOW_SHIFT = 0 };
#elif LOW_NEON
enum { LOW_GROUP = 4, LOW_SHIFT = 128 };
#else
enum { LOW_GROUP = 4, LOW_SHIFT = 0 };
#endif

/* Sums of rows x 32 outputs over `steps` times 4 bytes of input; lda and ldo in bytes. */
typedef void (*LowTile)(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo);

#if LANES == 16 && defined(__AVX512BW__)
#include "kern/low_tile_avx512.h"
#elif defined(__AVX2__)
#include "kern/low_tile_avx2.h"
#elif LOW_NEON
#include "kern/low_tile_neon.h"
#else
#include "kern/low_tile.h"
#endif

typedef uint8_t VecByte __attribute__((vector_size(LANES)));

/* gcc makes compare-and-blend of the plain expression at 512 bits, and sends sums over a vector through memory: the
 * loads of what was just stored in other widths waited for 8 % of attention's time. */
#if LANES == 16 && defined(__AVX512F__)
INLINE Vec low_min(Vec a, Vec b) { return (Vec)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE Vec low_max(Vec a, Vec b) { return (Vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE float low_sum(Vec v) { return _mm512_reduce_add_ps((__m512)v); }
INLINE float low_highest(Vec v) { return _mm512_reduce_max_ps((__m512)v); }
#elif LANES == 8 && defined(__AVX2__)
INLINE Vec low_min(Vec a, Vec b) { return (Vec)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE Vec low_max(Vec a, Vec b) { return (Vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE float low_sum(Vec v) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
INLINE float low_highest(Vec v) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
#else
INLINE Vec low_min(Vec a, Vec b) { return vec_min(a, b); }
INLINE Vec low_max(Vec a, Vec b) { return vec_max(a, b); }
INLINE float low_sum(Vec v) { return vec_sum(v); }
INLINE float low_highest(Vec v) { return vec_highest(v); }
#endif

INLINE Vec low_load(const Bf16 *p) {
    VecHalf h;
    memcpy(&h, p, sizeof h);
    return (Vec)(__builtin_convertvector(h, VecInt) << 16);
}

INLINE void low_store(Bf16 *p, Vec v) {
#if LOW_NEON_MATRIX
    bfloat16x4_t h = vcvt_bf16_f32((float32x4_t)v);
#elif LOW_HAS_BF16
    __m256bh h = _mm512_cvtneps_pbh((__m512)v);
#else
    VecInt bits = (VecInt)v;
    VecHalf h = __builtin_convertvector((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF, VecHalf);
#endif
    memcpy(p, &h, sizeof h);
}

/* ---- finishing a tile ---- */

/* gelu(x) = x (1/2 + t P(t^2)) with t = x within [-c, c], where the bracket has reached 0 and 1: no exp, no division.
 * Fit by tools/fit_polynomials.py: 4.8e-4 absolute with 6 coefficients, 3.8e-5 with 9. */
INLINE Vec low_gelu_int8(Vec x) {
    Vec t = low_max(low_min(x, vec_all(3.65f)), vec_all(-3.65f)), u = t * t;
    Vec p = u * -0x1.0bcbf2p-21f + 0x1.c8ae76p-16f;
    p = p * u - 0x1.462528p-11f;
    p = p * u + 0x1.021bcap-7f;
    p = p * u - 0x1.00a9b2p-4f;
    p = p * u + 0x1.960db6p-2f;
    return x * (t * p + 0.5f);
}

INLINE Vec low_gelu_bf16(Vec x) {
    Vec t = low_max(low_min(x, vec_all(4.4f)), vec_all(-4.4f)), u = t * t;
    Vec p = u * 0x1.39f7eep-35f - 0x1.01f99cp-28f;
    p = p * u + 0x1.75d7bep-23f;
    p = p * u - 0x1.3d1468p-18f;
    p = p * u + 0x1.618ccap-14f;
    p = p * u - 0x1.148f4ap-10f;
    p = p * u + 0x1.3bfb8ep-7f;
    p = p * u - 0x1.0ea628p-4f;
    p = p * u + 0x1.9854f6p-2f;
    return x * (t * p + 0.5f);
}

typedef struct {
    const LowMatrix *w;
    size_t panel;
    const LowRows *a;
    const void *sums; /* int32_t or float [rows][32] */
    void *out;        /* row 0, the panel's first output */
    size_t ldo;
} LowFinish;

INLINE void low_put(LowType type, LowOut kind, const LowFinish *f, size_t row, size_t c, Vec x) {
    size_t at = row * f->ldo + c;
    if (kind == LOW_OUT_F32) {
        vec_store((float *)f->out + at, x);
        return;
    }
    if (kind == LOW_OUT_GELU) x = type == LOW_INT8 ? low_gelu_int8(x) : low_gelu_bf16(x);
    low_store((Bf16 *)f->out + at, x);
}

/* Rows [from, from + rows) of `a`; type and kind are compile-time constants. */
INLINE void low_finish(LowType type, LowOut kind, const LowFinish *f, size_t from, size_t rows) {
    const float *bias = f->w->bias + f->panel * LOW_WIDE;
    for (size_t c = 0; c < LOW_WIDE; c += LANES) {
        Vec b = vec_load(bias + c);
        if (type == LOW_BF16) {
            for (size_t r = 0; r < rows; r++)
                low_put(type, kind, f, from + r, c, vec_load((const float *)f->sums + r * LOW_WIDE + c) + b);
            continue;
        }
        Vec scale = vec_load(f->w->scale + f->panel * LOW_WIDE + c),
            sums = vec_load(f->w->sums + f->panel * LOW_WIDE + c);
        VecInt shift = __builtin_convertvector(sums, VecInt) * LOW_SHIFT;
        for (size_t r = 0; r < rows; r++) {
            VecInt s;
            memcpy(&s, (const int32_t *)f->sums + r * LOW_WIDE + c, sizeof s);
            Vec x = __builtin_convertvector(s + shift, Vec) - sums * f->a->zero[from + r];
            low_put(type, kind, f, from + r, c, x * scale * f->a->scale[from + r] + b);
        }
    }
}

static void low_finish_any(LowOut kind, const LowFinish *f, size_t from, size_t rows) {
    if (f->w->type == LOW_INT8) {
        if (kind == LOW_OUT_F32) low_finish(LOW_INT8, LOW_OUT_F32, f, from, rows);
        if (kind == LOW_OUT_BF16) low_finish(LOW_INT8, LOW_OUT_BF16, f, from, rows);
        if (kind == LOW_OUT_GELU) low_finish(LOW_INT8, LOW_OUT_GELU, f, from, rows);
    } else {
        if (kind == LOW_OUT_F32) low_finish(LOW_BF16, LOW_OUT_F32, f, from, rows);
        if (kind == LOW_OUT_BF16) low_finish(LOW_BF16, LOW_OUT_BF16, f, from, rows);
        if (kind == LOW_OUT_GELU) low_finish(LOW_BF16, LOW_OUT_GELU, f, from, rows);
    }
}

/* ---- products ---- */

#if !LOW_HAS_BF16
/* As the instruction does it: of each pair the second product first. */
INLINE void low_tile_bf16(size_t rows, const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    enum { VECTORS = LOW_WIDE / LANES };
    for (size_t r = 0; r < rows; r++) {
        Vec sums[VECTORS] = {{0}};
        const char *in = (const char *)a + r * lda, *panel = b;
        for (size_t s = 0; s < steps; s++, in += LOW_STEP_BYTES, panel += PANEL_STEP_BYTES) {
            Bf16 pair[2];
            memcpy(pair, in, sizeof pair);
            UNROLL for (size_t v = 0; v < VECTORS; v++) {
                VecInt w;
                memcpy(&w, panel + v * sizeof w, sizeof w);
                sums[v] += (Vec)(w & (int32_t)0xFFFF0000) * bf16_float(pair[1]);
                sums[v] += (Vec)(w << 16) * bf16_float(pair[0]);
            }
        }
        memcpy((char *)out + r * ldo, sums, sizeof sums);
    }
}
static void low_bf16_1(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    low_tile_bf16(1, a, lda, b, steps, out, ldo);
}
#endif

INLINE void low_tile(LowType type, size_t rows, const void *a, size_t lda, const void *b, size_t steps, void *out,
                     size_t ldo) {
#if !LOW_HAS_BF16
    if (type == LOW_BF16) {
        for (size_t r = 0; r < rows; r++)
            low_bf16_1((const char *)a + r * lda, lda, b, steps, (char *)out + r * ldo, ldo);
        return;
    }
#else
    if (type == LOW_BF16) {
        low_tiles_bf16[rows](a, lda, b, steps, out, ldo);
        return;
    }
#endif
    low_tiles_int8[rows](a, lda, b, steps, out, ldo);
}

/* Bytes of rows that stay in the L2 cache while all panels pass by. */
enum { LOW_BLOCK_BYTES = 400 << 10 };

static void low_gemm(const LowMatrix *w, size_t from, size_t to, LowOut kind, const LowRows *a, size_t m, void *out,
                     size_t ldo) {
    _Alignas(64) int32_t sums[LOW_ROWS * LOW_WIDE];
    size_t each = w->type == LOW_INT8 ? 1 : 2, lda = a->stride * each, steps = low_wide(w->k) * each / LOW_STEP_BYTES;
    size_t out_each = kind == LOW_OUT_F32 ? sizeof(float) : sizeof(Bf16);
    size_t n_tiles = (m + LOW_ROWS - 1) / LOW_ROWS, block = LOW_BLOCK_BYTES / (lda * LOW_ROWS) + 1;
    for (size_t tile0 = 0; tile0 < n_tiles; tile0 += block) {
        size_t tile1 = tile0 + block < n_tiles ? tile0 + block : n_tiles;
        for (size_t p = from; p < to; p++) {
            const LowFinish f = {w, p, a, sums, (char *)out + p * LOW_WIDE * out_each, ldo};
            const char *panel = (const char *)w->panels + p * steps * PANEL_STEP_BYTES;
            for (size_t i = tile0; i < tile1; i++) { /* rows are shared out evenly: no last tile of 1 */
                size_t row = m * i / n_tiles, rows = m * (i + 1) / n_tiles - row;
                low_tile(w->type, rows, (const char *)a->rows + row * lda, lda, panel, steps, sums,
                         LOW_WIDE * sizeof *sums);
                low_finish_any(kind, &f, row, rows);
            }
        }
    }
}

/* ---- packing ---- */

/* What q = 127 stands for: the largest |w|, unless two neighbours of one sign need more to stay within LOW_PAIR_MAX. */
static float low_top(const float *w, size_t k) {
    const float share = (float)LOW_WEIGHT_MAX / LOW_PAIR_MAX;
    float top = 0;
    for (size_t i = 0; i < k; i++) {
        float size = fabsf(w[i]);
        if (i % 2 == 1 && w[i - 1] * w[i] > 0 && (fabsf(w[i - 1]) + size) * share > size)
            size = (fabsf(w[i - 1]) + size) * share;
        top = size > top ? size : top;
    }
    return top;
}

/* Rounding may carry a pair one over the limit: the larger gives way. */
static void low_keep_pair(int8_t *pair) {
    int sum = pair[0] + pair[1], larger = abs(pair[1]) > abs(pair[0]) ? 1 : 0;
    if (sum > LOW_PAIR_MAX) pair[larger]--;
    if (sum < -LOW_PAIR_MAX) pair[larger]++;
}

static void low_pack_int8(const float *const *rows, size_t k, int8_t *panel, float *scale, float *sums) {
    memset(panel, 0, low_wide(k) * LOW_WIDE);
    for (size_t r = 0; r < LOW_WIDE; r++) {
        scale[r] = sums[r] = 0;
        if (!rows[r]) continue;
        float top = low_top(rows[r], k);
        if (!(top > 0)) continue;
        float inverse = (float)LOW_WEIGHT_MAX / top;
        if (!(inverse < 1e30f)) continue; /* subnormal weights are zeros */
        int32_t sum = 0;
        for (size_t i = 0; i < k; i += 2) {
            int8_t *pair = panel + i / LOW_GROUP * LOW_GROUP * LOW_WIDE + r * LOW_GROUP + i % LOW_GROUP;
            pair[0] = (int8_t)lrintf(rows[r][i] * inverse);
            if (i + 1 < k) pair[1] = (int8_t)lrintf(rows[r][i + 1] * inverse);
            low_keep_pair(pair);
            sum += pair[0] + pair[1];
        }
        scale[r] = top / (float)LOW_WEIGHT_MAX;
        sums[r] = (float)sum;
    }
}

static void low_pack(LowType type, const float *const *rows, size_t k, void *panel, float *scale, float *sums) {
    if (type == LOW_INT8) {
        low_pack_int8(rows, k, panel, scale, sums);
        return;
    }
    enum { GROUP = LOW_GROUP / sizeof(Bf16) };
    Bf16 *to = panel;
    memset(to, 0, low_panel_bytes(LOW_BF16, k));
    for (size_t r = 0; r < LOW_WIDE; r++)
        for (size_t i = 0; rows[r] && i < k; i++)
            to[i / GROUP * GROUP * LOW_WIDE + r * GROUP + i % GROUP] = bf16_of(rows[r][i]);
}

/* ---- rows on their way into a product ---- */

typedef struct {
    float inverse, zero, scale;
} LowScale;

/* From the least to the highest of a row, 0 between them, to 0..255. */
INLINE LowScale low_scale_of(Vec least, Vec most) {
    float low = -low_highest(-least), high = low_highest(most);
    low = low < 0 ? low : 0;
    high = high > 0 ? high : 0;
    float range = high - low;
    if (!(range > 1e-30f)) return (LowScale){0, 0, 0};
    if (!(range < 3e38f)) return (LowScale){0, 0, range}; /* no numbers any more: what is made of them is none either */
    float inverse = 255.0f / range;
    return (LowScale){inverse, (float)(int32_t)(0.5f - low * inverse), range / 255.0f};
}

INLINE VecInt low_round(Vec x, LowScale s) { return __builtin_convertvector(x * s.inverse + (s.zero + 0.5f), VecInt); }

/* x [LOW_WIDE] as numbers within [0, 255]. */
INLINE void low_store_bytes(uint8_t *out, const Vec *x, LowScale s) {
#if LANES == 16 && defined(__AVX512BW__)
    /* Narrowing with saturation instead of limits; packing leaves the blocks of 4 in another order. */
    __m512i words = _mm512_packus_epi32((__m512i)low_round(x[0], s), (__m512i)low_round(x[1], s));
    words = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), words);
    __m256i bytes = _mm512_cvtusepi16_epi8(words);
    memcpy(out, &bytes, sizeof bytes);
#else
    for (size_t v = 0; v < LOW_WIDE / LANES; v++) {
        Vec u = low_min(low_max(x[v] * s.inverse + (s.zero + 0.5f), vec_all(0)), vec_all(255.0f));
        VecByte bytes = __builtin_convertvector(__builtin_convertvector(u, VecInt), VecByte);
        memcpy(out + v * LANES, &bytes, sizeof bytes);
    }
#endif
}

static void low_quantize(const Bf16 *in, size_t m, size_t n, uint8_t *out, float *scale, float *zero) {
    for (size_t r = 0; r < m; r++, in += n, out += n) {
        Vec least = {0}, most = {0};
        for (size_t i = 0; i < n; i += LANES) {
            Vec x = low_load(in + i);
            least = low_min(least, x);
            most = low_max(most, x);
        }
        LowScale s = low_scale_of(least, most);
        for (size_t i = 0; i < n; i += LOW_WIDE) {
            Vec x[LOW_WIDE / LANES];
            UNROLL for (size_t v = 0; v < LOW_WIDE / LANES; v++) x[v] = low_load(in + i + v * LANES);
            low_store_bytes(out + i, x, s);
        }
        scale[r] = s.scale;
        zero[r] = s.zero;
    }
}

/* Lanes of x that are inside n; the others 0. */
INLINE Vec low_inside(Vec x, size_t i, size_t n) {
    if (i + LANES <= n) return x;
    for (size_t l = 0; l < LANES; l++)
        if (i + l >= n) x[l] = 0;
    return x;
}

/* x [i..i + LANES) as rows have it. */
INLINE Vec low_smoothed(const float *x, const float *smooth, size_t i) {
    return smooth ? vec_load(x + i) * vec_load(smooth + i) : vec_load(x + i);
}

/* One row: x = norm(x + y), and within what x * smooth is. Widths are whole vectors, so that the rest behind n is 0 and
 * stays 0. */
INLINE LowScale low_norm_row(float *x, const float *y, const float *weight, const float *bias, float eps, size_t n,
                             const float *smooth) {
    size_t wide = low_wide(n);
    Vec sums[2] = {{0}}, squares[2] = {{0}};
    for (size_t i = 0; i < wide; i += 2 * LANES) UNROLL for (size_t s = 0; s < 2; s++) {
            size_t at = i + s * LANES;
            Vec v = vec_load(x + at);
            if (y) v += vec_load(y + at);
            v = low_inside(v, at, n);
            vec_store(x + at, v);
            sums[s] += v;
        }
    float mean = low_sum(sums[0] + sums[1]) / (float)n;
    for (size_t i = 0; i < wide; i += 2 * LANES) UNROLL for (size_t s = 0; s < 2; s++) {
            Vec d = low_inside(vec_load(x + i + s * LANES) - mean, i + s * LANES, n);
            squares[s] += d * d;
        }
    float scale = 1.0f / sqrtf(low_sum(squares[0] + squares[1]) / (float)n + eps);
    Vec least = {0}, most = {0};
    for (size_t i = 0; i < wide; i += LANES) {
        Vec v = (vec_load(x + i) - mean) * scale * vec_load(weight + i) + vec_load(bias + i);
        vec_store(x + i, v);
        if (smooth) v *= vec_load(smooth + i);
        least = low_min(least, v);
        most = low_max(most, v);
    }
    return low_scale_of(least, most);
}

static void low_layernorm(LowType type, const float *y, const float *weight, const float *bias, float eps, size_t m,
                          size_t n, size_t stride, const LowNorm *io) {
    size_t wide = low_wide(n);
    for (size_t r = 0; r < m; r++) {
        float *x = io->x + r * stride;
        LowScale s = low_norm_row(x, y ? y + r * stride : NULL, weight, bias, eps, n, io->smooth);
        if (type == LOW_BF16) {
            for (size_t i = 0; i < wide; i += LANES) low_store((Bf16 *)io->rows + r * stride + i, vec_load(x + i));
            continue;
        }
        for (size_t i = 0; i < wide; i += LOW_WIDE) {
            Vec v[LOW_WIDE / LANES];
            UNROLL for (size_t l = 0; l < LOW_WIDE / LANES; l++) v[l] = low_smoothed(x, io->smooth, i + l * LANES);
            low_store_bytes((uint8_t *)io->rows + r * stride + i, v, s);
        }
        io->scale[r] = s.scale;
        io->zero[r] = s.zero;
    }
}

#if LOW_HAS_BF16
#include "kern/low_attention_bf16.h"
#else
/* Without the instructions attention is that of f32, on copies. */
static size_t low_attention_scratch(size_t tokens, size_t head_dim) {
    size_t wide = (tokens + PANEL - 1) / PANEL * PANEL, dims = (head_dim + PANEL - 1) / PANEL * PANEL;
    return 4 * tokens * head_dim + wide * head_dim + dims * tokens + TILE_ROWS * wide;
}

static void low_attention(const LowAttention *a) {
    size_t n = a->tokens * a->head_dim;
    float *q = a->scratch, *k = q + n, *v = k + n, *out = v + n;
    for (size_t t = 0; t < a->tokens; t++)
        for (size_t d = 0; d < a->head_dim; d++) {
            q[t * a->head_dim + d] = bf16_float(a->q[t * a->stride + d]);
            k[t * a->head_dim + d] = bf16_float(a->k[t * a->stride + d]);
            v[t * a->head_dim + d] = bf16_float(a->v[t * a->stride + d]);
        }
    attention(&(KernAttention){q, k, v, a->head_dim, a->tokens, a->head_dim, 0x1.62e43p-1f, out, a->head_dim, out + n});
    for (size_t t = 0; t < a->tokens; t++)
        for (size_t d = 0; d < a->head_dim; d++) a->out[t * a->out_stride + d] = bf16_of(out[t * a->head_dim + d]);
}
#endif

/* ---- the machine's limit ---- */

/* Chains enough to hide an FMA's latency behind the others; the compiler may not merge them, because their sums
 * differ. */
static double low_spin_f32(size_t rounds) {
    enum { CHAINS = LANES == 16 || LOW_NEON ? 24 : 10 };
    Vec sums[CHAINS];
    volatile float factor = 0.999f, sink = 0;
    for (int i = 0; i < CHAINS; i++) sums[i] = vec_all((float)i);
    Vec by = vec_all(factor);
    for (size_t r = 0; r < rounds; r++) UNROLL for (int i = 0; i < CHAINS; i++) sums[i] = sums[i] * by + by;
    for (int i = 0; i < CHAINS; i++) sink += sums[i][0];
    (void)sink;
    return 2.0 * LANES * CHAINS * (double)rounds;
}

static double low_spin(int bits, size_t rounds) {
#if LOW_VNNI512
    if (bits == 8) {
        low_spin_int8(rounds ? rounds : 1);
        return 2.0 * 64 * 28 * (double)rounds;
    }
#else
    if (bits == 8 || (LOW_HAS_BF16 && bits == 16)) {
        enum { STEPS = 32 };
        static const char zeros[STEPS * PANEL_STEP_BYTES]; /* 4 KB: in the L1 cache */
        int32_t sums[LOW_ROWS * LOW_WIDE];
        for (size_t r = 0; r < rounds; r++)
            low_tile(bits == 8 ? LOW_INT8 : LOW_BF16, LOW_ROWS, zeros, STEPS * LOW_STEP_BYTES, zeros, STEPS, sums,
                     LOW_WIDE * sizeof *sums);
        return 2.0 * LOW_ROWS * LOW_WIDE * STEPS * LOW_STEP_BYTES * 8 / bits * (double)rounds;
    }
#endif
#if LOW_VNNI512 && LOW_HAS_BF16
    if (bits == 16) {
        low_spin_bf16(rounds ? rounds : 1);
        return 2.0 * 32 * 28 * (double)rounds;
    }
#endif
    return low_spin_f32(rounds);
}

static const KernLow low_table = {
    .fast_bf16 = LOW_HAS_BF16,
    .fast_int8 = LANES > 4 || LOW_NEON,
    .group = LOW_GROUP,
    .pair_max = LOW_PAIR_MAX,
    .tile = LOW_ROWS,
    .spin = low_spin,
    .pack = low_pack,
    .gemm = low_gemm,
    .attention_scratch = low_attention_scratch,
    .attention = low_attention,
    .layernorm = low_layernorm,
    .quantize = low_quantize,
};
