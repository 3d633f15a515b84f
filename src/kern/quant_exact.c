/* quant_exact.c - quantised weights decoded a panel at a time, 256 inputs of all its rows after each other: the decoded
 * floats (32 KB) and the part of the panel they go to stay in the L2 cache. */
#include "kern/quant_exact.h"

#include <string.h>

enum { STEP = 256 }; /* inputs decoded at a time; whole blocks of every format */

typedef struct {
    const QuantMatrix *w;
    void (*decode)(const void *src, size_t n, float *dst);
    size_t items, bytes; /* of a block */
    size_t first, n;     /* rows of the panel */
    float *floats;       /* [panel][STEP] */
} Strip;

static Strip strip_start(const Kern *kern, const QuantMatrix *w, float *floats) {
    const BlockFormat *f = block_format(w->type);
    Strip s = {.w = w, .decode = f->decode, .items = f->items, .bytes = f->bytes, .floats = floats};
    if (w->type == BLOCK_F16) s.decode = kern->decode_f16;
    if (w->type == BLOCK_BF16) s.decode = kern->decode_bf16;
    return s;
}

/* Inputs [k0, k0 + n) of the strip's rows as floats; NULL behind the last row. */
static void strip_decode(const Strip *s, size_t k0, size_t n, size_t panel, const float **rows) {
    size_t at = k0 / s->items * s->bytes;
    for (size_t r = 0; r < panel; r++) {
        rows[r] = NULL;
        if (r >= s->n) continue;
        s->decode((const char *)s->w->rows + (s->first + r) * s->w->row_bytes + at, n, s->floats + r * STEP);
        rows[r] = s->floats + r * STEP;
    }
}

static void bias_of(const Strip *s, float *bias, size_t panel) {
    memset(bias, 0, panel * sizeof *bias);
    if (s->w->bias) memcpy(bias, s->w->bias + s->first, s->n * sizeof *bias);
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t quant_f32_scratch_bytes(const Kern *kern, size_t k) {
    return whole_lines(kern->panel * (STEP + k) * sizeof(float));
}

size_t quant_bf16_scratch_bytes(size_t k) { return LOW_WIDE * STEP * sizeof(float) + low_panel_bytes(LOW_BF16, k); }

void quant_gemm_f32(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, KernAct act, const float *a,
                    size_t lda, size_t m, float *out, size_t ldo, void *scratch) {
    const float *rows[KERN_PANEL_MAX];
    float bias[KERN_PANEL_MAX], *panel = (float *)scratch + kern->panel * STEP;
    Strip s = strip_start(kern, w, scratch);
    for (s.first = from; s.first < to; s.first += kern->panel) {
        s.n = to - s.first < kern->panel ? to - s.first : kern->panel;
        for (size_t k0 = 0; k0 < w->k; k0 += STEP) {
            size_t n = w->k - k0 < STEP ? w->k - k0 : STEP;
            strip_decode(&s, k0, n, kern->panel, rows);
            (void)kern->pack(rows, n, panel + k0 * kern->panel); /* scales were checked; overflow gives infinities */
        }
        bias_of(&s, bias, kern->panel);
        const KernMatrix one = {s.n, w->k, panel, bias};
        kern->gemm(&one, 0, 1, act, a, lda, m, out + s.first, ldo);
    }
}

void quant_gemm_bf16(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, LowOut kind, const LowRows *a,
                     size_t m, void *out, size_t ldo, void *scratch) {
    const float *rows[LOW_WIDE];
    float bias[LOW_WIDE];
    Bf16 *panel = (Bf16 *)((float *)scratch + LOW_WIDE * STEP);
    size_t each = kind == LOW_OUT_F32 ? sizeof(float) : sizeof(Bf16);
    Strip s = strip_start(kern, w, scratch);
    for (s.first = from; s.first < to; s.first += LOW_WIDE) {
        s.n = to - s.first < LOW_WIDE ? to - s.first : LOW_WIDE;
        for (size_t k0 = 0; k0 < w->k; k0 += STEP) {
            size_t n = w->k - k0 < STEP ? w->k - k0 : STEP;
            strip_decode(&s, k0, n, LOW_WIDE, rows);
            kern->low->pack(LOW_BF16, rows, n, panel + k0 * LOW_WIDE, NULL, NULL);
        }
        bias_of(&s, bias, LOW_WIDE);
        const LowMatrix one = {LOW_BF16, s.n, w->k, panel, bias, NULL, NULL};
        kern->low->gemm(&one, 0, 1, kind, a, m, (char *)out + s.first * each, ldo);
    }
}
