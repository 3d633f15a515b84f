/* quant_exact.c - quantised weights decoded a panel at a time, 256 inputs of all its rows after each other: the decoded
 * floats (32 KB) and the part of the panel they go to stay in the L2 cache. */
#include "kern/quant_exact.h"

#include <string.h>

typedef struct {
    const KernQuant *quant;
    const QuantMatrix *w;
    size_t items, bytes; /* of a block */
    size_t first, n;     /* rows of the panel */
    float *floats;       /* [panel][QUANT_STEP] */
} Strip;

static Strip strip_start(const Kern *kern, const QuantMatrix *w, float *floats) {
    const BlockFormat *f = block_format(w->type);
    return (Strip){.quant = kern->quant, .w = w, .items = f->items, .bytes = f->bytes, .floats = floats};
}

/* Inputs [k0, k0 + n) of the strip's rows as floats. */
static void strip_decode(const Strip *s, size_t k0, size_t n) {
    const char *p = (const char *)s->w->rows + s->first * s->w->row_bytes + k0 / s->items * s->bytes;
    for (size_t r = 0; r < s->n; r++, p += s->w->row_bytes)
        s->quant->decode(s->w->type, p, n, s->floats + r * QUANT_STEP);
}

static void bias_of(const Strip *s, float *bias, size_t panel) {
    memset(bias, 0, panel * sizeof *bias);
    if (s->w->bias) memcpy(bias, s->w->bias + s->first, s->n * sizeof *bias);
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t quant_f32_scratch_bytes(const Kern *kern, size_t k) {
    return whole_lines(kern->panel * (QUANT_STEP + k) * sizeof(float));
}

size_t quant_bf16_scratch_bytes(size_t k) {
    return LOW_WIDE * QUANT_STEP * sizeof(float) + low_panel_bytes(LOW_BF16, k);
}

void quant_gemm_f32(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, KernAct act, const float *a,
                    size_t lda, size_t m, float *out, size_t ldo, void *scratch) {
    const float *rows[KERN_PANEL_MAX];
    float bias[KERN_PANEL_MAX], *panel = (float *)scratch + kern->panel * QUANT_STEP;
    Strip s = strip_start(kern, w, scratch);
    for (s.first = from; s.first < to; s.first += kern->panel) {
        s.n = to - s.first < kern->panel ? to - s.first : kern->panel;
        for (size_t k0 = 0; k0 < w->k; k0 += QUANT_STEP) {
            size_t n = w->k - k0 < QUANT_STEP ? w->k - k0 : QUANT_STEP;
            strip_decode(&s, k0, n);
            for (size_t r = 0; r < kern->panel; r++) rows[r] = r < s.n ? s.floats + r * QUANT_STEP : NULL;
            (void)kern->pack(rows, n, panel + k0 * kern->panel); /* scales were checked; overflow gives infinities */
        }
        bias_of(&s, bias, kern->panel);
        const KernMatrix one = {s.n, w->k, panel, bias};
        kern->gemm(&one, 0, 1, act, a, lda, m, out + s.first, ldo);
    }
}

void quant_gemm_bf16(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, LowOut kind, const LowRows *a,
                     size_t m, void *out, size_t ldo, void *scratch) {
    float bias[LOW_WIDE];
    Bf16 *panel = (Bf16 *)((float *)scratch + LOW_WIDE * QUANT_STEP);
    size_t each = kind == LOW_OUT_F32 ? sizeof(float) : sizeof(Bf16);
    Strip s = strip_start(kern, w, scratch);
    for (s.first = from; s.first < to; s.first += LOW_WIDE) {
        s.n = to - s.first < LOW_WIDE ? to - s.first : LOW_WIDE;
        if (s.n < LOW_WIDE) memset(s.floats, 0, LOW_WIDE * QUANT_STEP * sizeof *s.floats); /* rows there are not */
        for (size_t k0 = 0; k0 < w->k; k0 += QUANT_STEP) {
            size_t n = w->k - k0 < QUANT_STEP ? w->k - k0 : QUANT_STEP;
            if (n < low_wide(n)) memset(s.floats, 0, LOW_WIDE * QUANT_STEP * sizeof *s.floats);
            strip_decode(&s, k0, n);
            kern->quant->pack_bf16(s.floats, low_wide(n), panel + k0 * LOW_WIDE);
        }
        bias_of(&s, bias, LOW_WIDE);
        const LowMatrix one = {LOW_BF16, s.n, w->k, panel, bias, NULL, NULL};
        kern->low->gemm(&one, 0, 1, kind, a, m, (char *)out + s.first * each, ldo);
    }
}
