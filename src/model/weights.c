/* weights.c - see weights.h. */
#include "model/weights.h"

#include <string.h>

Weights weights_of(const GgufTensor *t) {
    return (Weights){.n = (size_t)t->shape[1], .k = (size_t)t->shape[0], .parts = {t}, .n_parts = 1};
}

static size_t strip_floats(const Kern *kern, const Weights *w) { return (kern->panel * w->k + 15) / 16 * 16; }

size_t weights_scratch(const Kern *kern, const Weights *w, size_t threads) {
    return threads * 2 * strip_floats(kern, w); /* the rows, then their panel */
}

typedef struct {
    const WeightsRun *run;
    const Weights *w;
    const float *a;
    size_t m;
    float *out;
    size_t panels, pieces;
} TimesJob;

/* The tensor and its row that are row `row` of the whole matrix. */
static const GgufTensor *part_at(const Weights *w, size_t row, size_t *part_row) {
    size_t i = 0;
    for (; i + 1 < w->n_parts && row >= w->parts[i]->shape[1]; i++) row -= (size_t)w->parts[i]->shape[1];
    *part_row = row;
    return w->parts[i];
}

/* Rows [panel * kern->panel ...) of w, packed. */
static Err strip_make(const TimesJob *j, size_t panel, float *rows, float *packed) {
    const Kern *kern = j->run->kern;
    const float *ends[KERN_PANEL_MAX] = {NULL};
    size_t from = panel * kern->panel, n = j->w->n - from < kern->panel ? j->w->n - from : kern->panel, part_row = 0;
    for (size_t r = 0; r < n; r++) {
        const GgufTensor *t = part_at(j->w, from + r, &part_row);
        net_row(kern, t, part_row, rows + r * j->w->k);
        ends[r] = rows + r * j->w->k;
    }
    if (kern->pack(ends, j->w->k, packed)) return ERR_OK;
    for (size_t r = 0; r < n; r++) {
        const GgufTensor *t = part_at(j->w, from + r, &part_row);
        TRY(net_row_checked(j->run->gguf, kern, t, part_row, rows + r * j->w->k));
    }
    return err_set(ERR_INTERNAL, "packing model '%s' failed", gguf_name(j->run->gguf));
}

static Err strip_piece(void *ctx, size_t piece, size_t worker) {
    static const float zeros[KERN_PANEL_MAX];
    const TimesJob *j = ctx;
    const Kern *kern = j->run->kern;
    const Weights *w = j->w;
    float *rows = j->run->scratch + worker * 2 * strip_floats(kern, w), *packed = rows + strip_floats(kern, w);
    for (size_t p = j->panels * piece / j->pieces; p < j->panels * (piece + 1) / j->pieces; p++) {
        size_t at = p * kern->panel;
        TRY(strip_make(j, p, rows, packed));
        const KernMatrix one = {.n = w->n - at < kern->panel ? w->n - at : kern->panel,
                                .k = w->k,
                                .panels = packed,
                                .bias = w->bias ? w->bias + at : zeros};
        kern->gemm(&one, 0, 1, KERN_PLAIN, j->a, w->k, j->m, j->out + at, w->n);
    }
    return ERR_OK;
}

/* Several pieces a thread, for one may be held up; each is a strip at least. */
enum { PIECES_A_THREAD = 4 };

Err weights_times(const WeightsRun *run, const Weights *w, const float *a, size_t m, float *out) {
    TimesJob j = {.run = run, .w = w, .a = a, .m = m, .out = out, .panels = kern_panels(run->kern, w->n)};
    j.pieces = PIECES_A_THREAD * pool_size(run->pool);
    if (j.pieces > j.panels) j.pieces = j.panels;
    return pool_for(run->pool, j.pieces, strip_piece, &j);
}
