/* low.h - products in fewer bits: int8 with activations quantised as they come, and bfloat16.
 *
 * The same networks at two to four times the speed of f32. Each level of kernels (kern.h) has one such table, behind
 * `kern->low`: what a CPU has no instructions for is computed by plain code, exactly as defined here, so that every
 * level can be tested on any machine; `fast_bf16` and `fast_int8` tell what is worth using.
 *
 * Numbers.
 *   bf16  rounded to nearest even; a product of two is exact in f32, sums are f32.
 *   int8  a weight is q * scale[output], q in [-127, 127] (but see pair_max); an activation is (u - zero) * scale of its row
 *         (token), u in [0, 255] and zero a whole number in it, so that 0 is met exactly. Sums of products are exact in
 *         int32. Rows are scaled as they come: fixed scales would lose four times as much (cosine 0.989 against 0.9992).
 *
 * Shapes. Widths are rounded up to LOW_WIDE (low_wide); what stands behind a width's end is zero in matrices, and
 * anything in activations. Everything written is whole panels, so out needs ldo >= low_wide(n).
 *
 * As in kern.h a row's result does not depend on how many rows there are; functions are immutable and run on any
 * thread.
 */
#ifndef PYTHIA_KERN_LOW_H
#define PYTHIA_KERN_LOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOW_WIDE = 32,           /* outputs a panel; what all widths are rounded up to */
    LOW_INT8_MAX_K = 1 << 16 /* inputs that an int32 holds the sum of: 2^16 * 255 * 127 < 2^31 */
};

typedef uint16_t Bf16; /* the upper half of a float */

typedef enum { LOW_BF16, LOW_INT8 } LowType;

/* A weight matrix [n, k] cut into panels of 32 outputs. A panel stands input by input, as many bytes of an output's
 * inputs side by side as the instructions take (`group`: 4, or 8 where they multiply matrices); in int8 with 4 of them:
 * [low_wide(n) / 32][low_wide(k) / 4][32][4]. Bound to the level that packed it. */
typedef struct {
    LowType type;
    size_t n, k;
    const void *panels; /* low_panel_bytes(type, k) each, aligned to 64 bytes */
    const float *bias;  /* [low_wide(n)] */
    const float *scale; /* [low_wide(n)] int8: of each output's weights */
    const float *sums;  /* [low_wide(n)] int8: of each output's q, to take the zero points out */
} LowMatrix;

/* Activations of m rows. */
typedef struct {
    const void *rows;   /* uint8_t or Bf16 [m, stride] */
    size_t stride;      /* elements */
    const float *scale; /* [m] int8 */
    const float *zero;  /* [m] int8 */
} LowRows;

typedef enum {
    LOW_OUT_F32,
    LOW_OUT_BF16,
    LOW_OUT_GELU /* GELU, then bf16: within 5e-4 (int8) or 4e-5 (bf16) + 5e-6 |x|: less than what follows rounds away */
} LowOut;

/* One head of one sequence: out = softmax2(q k^T) v, the powers of 2 taken: scale / ln 2 is in q already. q, k, v are
 * [tokens, head_dim] with `stride` elements from row to row. head_dim is a multiple of 4. */
typedef struct {
    const Bf16 *q, *k, *v;
    size_t stride;
    size_t tokens, head_dim;
    Bf16 *out;
    size_t out_stride;
    float *scratch; /* [kern->low->attention_scratch(tokens, head_dim)], aligned to 64 bytes */
} LowAttention;

/* Where a norm puts its rows: x, and what the next product takes. */
typedef struct {
    float *x;            /* [m, stride] */
    void *rows;          /* uint8_t or Bf16 [m, stride] */
    float *scale;        /* [m] int8 */
    float *zero;         /* [m] int8 */
    const float *smooth; /* [low_wide(n)] int8: what rows, not x, are multiplied by; NULL: nothing */
} LowNorm;

typedef struct KernLow {
    bool fast_bf16, fast_int8; /* the CPU has instructions for it */
    int pair_max;              /* what q of inputs 2i and 2i + 1 sum up to at most: 254, or less where two products are
                                * summed in 16 bits, which must not overflow */
    size_t tile;               /* rows computed at a time */
    size_t group;              /* bytes of an output's inputs side by side in a panel */

    /* Products of numbers of 8, 16 or 32 bits out of registers or the L1 cache, `rounds` times a few dozen: what the
     * core can do at best. Returns how many operations that was (a product and its sum are two). */
    double (*spin)(int bits, size_t rounds);

    /* Packs up to 32 rows of k floats (NULL: zeros) into one panel, weights q = w / scale rounded. scale, sums [32] are
     * written for int8, NULL else. Weights must be finite. ~2 cycles a weight. */
    void (*pack)(LowType type, const float *const *rows /* [32] */, size_t k, void *panel, float *scale, float *sums);

    /* out[m, low_wide(n)] = act(a * w^T + bias) for the panels [from, to). ldo in elements. */
    void (*gemm)(const LowMatrix *w, size_t from, size_t to, LowOut kind, const LowRows *a, size_t m, void *out,
                 size_t ldo);

    size_t (*attention_scratch)(size_t tokens, size_t head_dim); /* floats */
    void (*attention)(const LowAttention *a);

    /* x = norm(x + y) per row of n, as kern->layernorm; then the same in `type`. y may be NULL. */
    void (*layernorm)(LowType type, const float *y, const float *weight, const float *bias, float eps, size_t m,
                      size_t n, size_t stride, const LowNorm *io);

    /* Rows of bf16 [m, n] to u8 with a scale and a zero each; n a multiple of LOW_WIDE. */
    void (*quantize)(const Bf16 *in, size_t m, size_t n, uint8_t *out, float *scale, float *zero);
} KernLow;

static inline size_t low_wide(size_t n) { return (n + LOW_WIDE - 1) / LOW_WIDE * LOW_WIDE; }
static inline size_t low_panels(size_t n) { return (n + LOW_WIDE - 1) / LOW_WIDE; }
static inline size_t low_panel_bytes(LowType type, size_t k) {
    return low_wide(k) * LOW_WIDE * (type == LOW_INT8 ? 1 : 2);
}

static inline float bf16_float(Bf16 h) {
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)h << 16};
    return u.value;
}

/* To nearest, ties to even; finite numbers only. */
static inline Bf16 bf16_of(float x) {
    union {
        float value;
        uint32_t bits;
    } u = {.value = x};
    return (Bf16)((u.bits + 0x7FFF + (u.bits >> 16 & 1)) >> 16);
}

#endif
