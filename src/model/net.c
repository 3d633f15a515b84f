/* net.c - what all networks share: the table of architectures, loading weights, products over the pool.
 *
 * Memory: weights are decoded and packed once; the pages of the file that held them are given back at once
 * (gguf_forget), so that a model is resident once. The token embedding is not packed: its rows are decoded as texts ask
 * for them, so of 47 MB only the words that occur are ever read.
 */
#include "model/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

const NetArch *const model_arch_table[] = {&arch_bert,  &arch_nomic_bert, &arch_modern_bert,     &arch_qwen2,
                                           &arch_qwen3, &arch_gemma3,     &arch_gemma_embedding, &arch_static,
                                           NULL};

Err net_arch_find(const Gguf *g, Str name, const NetArch **out) {
    char known[256] = "";
    size_t n = 0;
    for (const NetArch *const *a = model_arch_table; *a; a++) {
        if (str_is(name, (*a)->name)) {
            *out = *a;
            return ERR_OK;
        }
        if (n < sizeof known) n += (size_t)snprintf(known + n, sizeof known - n, "%s'%s'", n ? ", " : "", (*a)->name);
    }
    return err_set(ERR_UNSUPPORTED, "model '%s' has the architecture '%.*s'; known: %s", gguf_name(g), STR_FMT(name),
                   known);
}

/* ---- tensors ---- */

Err net_tensor(const Gguf *g, const char *name, size_t rows, size_t cols, const GgufTensor **out) {
    const GgufTensor *t = gguf_tensor(g, name);
    if (!t) return err_set(ERR_CORRUPT, "model '%s' has no tensor '%s'", gguf_name(g), name);
    if (t->shape[0] != cols || t->shape[1] != rows || t->shape[2] != 1 || t->shape[3] != 1)
        return err_set(ERR_CORRUPT, "model '%s': tensor '%s' is %" PRIu64 " x %" PRIu64 ", the metadata say %zu x %zu",
                       gguf_name(g), name, t->shape[1], t->shape[0], rows, cols);
    if (!t->format->decode)
        return err_set(ERR_UNSUPPORTED, "model '%s': tensor '%s' has the type %s; readable are %s", gguf_name(g), name,
                       t->format->name, block_readable_names());
    *out = t;
    return ERR_OK;
}

void net_row(const Kern *kern, const GgufTensor *t, size_t row, float *out) {
    size_t n = (size_t)t->shape[0], bytes = n / t->format->items * t->format->bytes;
    const char *src = t->data.p + row * bytes;
    if (t->format->type == BLOCK_F16)
        kern->decode_f16(src, n, out);
    else if (t->format->type == BLOCK_BF16)
        kern->decode_bf16(src, n, out);
    else
        t->format->decode(src, n, out);
}

static bool all_finite(const float *x, size_t n) {
    float poison = 0; /* 0 * NaN and 0 * Inf are NaN */
    for (size_t i = 0; i < n; i++) poison += x[i] * 0.0f;
    return poison == 0.0f;
}

Err net_not_finite(const Gguf *g, const GgufTensor *t, size_t row) {
    return err_set(ERR_CORRUPT, "model '%s': tensor '%.*s' has a weight that is not finite in row %zu", gguf_name(g),
                   STR_FMT(t->name), row);
}

Err net_row_checked(const Gguf *g, const Kern *kern, const GgufTensor *t, size_t row, float *out) {
    net_row(kern, t, row, out);
    return all_finite(out, (size_t)t->shape[0]) ? ERR_OK : net_not_finite(g, t, row);
}

Err net_floats(const NetLoader *l, const char *name, size_t rows, size_t cols, const float **out) {
    const GgufTensor *t = NULL;
    TRY(net_tensor(l->gguf, name, rows, cols, &t));
    float *x = arena_array(l->arena, float, rows *cols); /* no overflow: the tensor is that large */
    if (!x) return arena_error();
    for (size_t r = 0; r < rows; r++) {
        net_row(l->kern, t, r, x + r * cols);
        if (!all_finite(x + r * cols, cols)) return net_not_finite(l->gguf, t, r);
    }
    gguf_forget(l->gguf, t);
    *out = x;
    return ERR_OK;
}

/* ---- matrices ---- */

static Err load_bias(const NetLoader *l, const NetPart *part, NetBias bias, float *out /* [part->rows] */) {
    char name[128];
    const float *values = NULL;
    (void)snprintf(name, sizeof name, "%s.bias", part->name);
    if (bias == NET_BARE && gguf_tensor(l->gguf, name))
        return err_set(ERR_UNSUPPORTED, "model '%s' has a tensor '%s', which its architecture does not have",
                       gguf_name(l->gguf), name);
    if (bias == NET_BARE) return ERR_OK;
    TRY(net_floats(l, name, 1, part->rows, &values));
    memcpy(out, values, part->rows * sizeof *out);
    return ERR_OK;
}

Err net_rows_find(NetLoader *l, const NetPart *parts, size_t n_parts, size_t k, NetBias bias, NetRows *out) {
    char name[128];
    *out = (NetRows){.n_parts = n_parts, .k = k};
    for (size_t i = 0; i < n_parts; i++) {
        (void)snprintf(name, sizeof name, "%s.weight", parts[i].name);
        TRY(net_tensor(l->gguf, name, parts[i].rows, k, &out->parts[i]));
        out->n += parts[i].rows;
    }
    float *biases = arena_array(l->arena, float, (out->n + KERN_PANEL_MAX - 1) / KERN_PANEL_MAX * KERN_PANEL_MAX);
    if (!biases) return arena_error();
    out->bias = biases;
    for (size_t i = 0; i < n_parts; i++) {
        TRY(load_bias(l, &parts[i], bias, biases));
        biases += parts[i].rows;
    }
    return ERR_OK;
}

/* The tensor and its row that are row `row` of the whole matrix; NULL behind the end. */
static const GgufTensor *part_of(const NetRows *r, size_t row, size_t *part_row) {
    for (size_t i = 0; i < r->n_parts; i++) {
        if (row < r->parts[i]->shape[1]) {
            *part_row = row;
            return r->parts[i];
        }
        row -= (size_t)r->parts[i]->shape[1];
    }
    return NULL;
}

/* F32 rows are taken from where they lie in the file, if that is aligned for floats. */
static const float *row_floats(const Kern *kern, const GgufTensor *t, size_t row, float *scratch) {
    const char *p = t->data.p + row * t->shape[0] * sizeof(float);
    if (t->format->type == BLOCK_F32 && (uintptr_t)p % _Alignof(float) == 0) return (const float *)(const void *)p;
    net_row(kern, t, row, scratch);
    return scratch;
}

void net_rows_floats(const Kern *kern, const NetRows *r, size_t from, size_t n, float *scratch, const float **rows) {
    size_t part_row = 0;
    for (size_t i = 0; i < n; i++) {
        const GgufTensor *t = part_of(r, from + i, &part_row);
        rows[i] = t ? row_floats(kern, t, part_row, scratch + i * r->k) : NULL;
    }
}

Err net_rows_check(const Gguf *g, const NetRows *r, size_t from, size_t n, const float *const *rows) {
    size_t part_row = 0;
    for (size_t i = 0; i < n && rows[i]; i++) {
        const GgufTensor *t = part_of(r, from + i, &part_row);
        if (!all_finite(rows[i], r->k)) return net_not_finite(g, t, part_row);
    }
    return ERR_OK;
}

struct NetLoad {
    NetLoad *next;
    KernMatrix *out;
    NetRows rows;
    float *panels;      /* where to pack */
    size_t first_piece; /* its panels are pieces first_piece.. of the loop */
};

static Err want(NetLoader *l, KernMatrix *out, const NetPart *parts, size_t n_parts, size_t k, NetBias bias) {
    NetLoad *load = arena_new(l->arena, NetLoad);
    if (!load) return arena_error();
    TRY(net_rows_find(l, parts, n_parts, k, bias, &load->rows));
    *out = (KernMatrix){.n = load->rows.n, .k = k, .bias = load->rows.bias};
    load->out = out;
    load->next = l->loads;
    l->loads = load;
    l->n_loads++;
    return ERR_OK;
}

Err net_want(NetLoader *l, KernMatrix *out, const NetPart *parts, size_t n_parts, size_t k) {
    return want(l, out, parts, n_parts, k, NET_BIASED);
}

Err net_want_bare(NetLoader *l, KernMatrix *out, const NetPart *parts, size_t n_parts, size_t k) {
    return want(l, out, parts, n_parts, k, NET_BARE);
}

typedef struct {
    const NetLoader *loader;
    float *scratch;      /* [threads][panel, longest_k]: rows of formats that must be decoded */
    size_t scratch_each; /* floats a thread */
} LoadJob;

static Err load_panel(void *ctx, size_t piece, size_t worker) {
    const LoadJob *job = ctx;
    const Kern *kern = job->loader->kern;
    const NetLoad *load = job->loader->loads;
    while (load->first_piece > piece) load = load->next; /* the list runs from the last pieces to the first */
    size_t k = load->out->k, panel = piece - load->first_piece;
    const float *rows[KERN_PANEL_MAX];
    net_rows_floats(kern, &load->rows, panel * kern->panel, kern->panel, job->scratch + worker * job->scratch_each,
                    rows);
    if (kern->pack(rows, k, load->panels + panel * kern->panel * k)) return ERR_OK;
    TRY(net_rows_check(job->loader->gguf, &load->rows, panel * kern->panel, kern->panel, rows));
    return err_set(ERR_INTERNAL, "packing model '%s' failed", gguf_name(job->loader->gguf));
}

Err net_load(NetLoader *l, Pool *pool, float **block) {
    size_t floats = 0, pieces = 0, longest = 0;
    for (NetLoad *d = l->loads; d; d = d->next) { /* no overflow: the tensors are in the file */
        size_t panels = kern_panels(l->kern, d->out->n);
        floats += panels * l->kern->panel * d->out->k;
        pieces += panels;
        if (d->out->k > longest) longest = d->out->k;
    }
    Err err = ERR_OK;
    LoadJob job = {.loader = l, .scratch_each = l->kern->panel * longest};
    *block = sys_alloc_large(floats * sizeof(float));
    job.scratch = calloc(pool_size(pool) * job.scratch_each + 1, sizeof(float));
    if (!*block || !job.scratch) {
        err = err_set(ERR_NOMEM, "out of memory for the weights of model '%s': %zu bytes", gguf_name(l->gguf),
                      floats * sizeof(float));
        goto done;
    }
    size_t piece = pieces, at = floats;
    for (NetLoad *d = l->loads; d; d = d->next) {
        size_t panels = kern_panels(l->kern, d->out->n);
        d->first_piece = piece -= panels;
        d->panels = *block + (at -= panels * l->kern->panel * d->out->k);
        d->out->panels = d->panels;
    }
    if ((err = pool_for(pool, pieces, load_panel, &job))) goto done;
    for (NetLoad *d = l->loads; d; d = d->next)
        for (size_t i = 0; i < d->rows.n_parts; i++) gguf_forget(l->gguf, d->rows.parts[i]);
done:
    free(job.scratch);
    if (err) {
        free(*block);
        *block = NULL;
    }
    return err;
}

/* ---- products ---- */

typedef struct {
    const Kern *kern;
    const KernMatrix *w;
    KernAct act;
    const float *a;
    size_t m;
    float *out;
    size_t panels, pieces;
} LinearJob;

static Err linear_piece(void *ctx, size_t piece, size_t worker) {
    const LinearJob *j = ctx;
    (void)worker;
    j->kern->gemm(j->w, j->panels * piece / j->pieces, j->panels * (piece + 1) / j->pieces, j->act, j->a, j->w->k, j->m,
                  j->out, j->w->n);
    return ERR_OK;
}

/* Below so many multiplications the other threads wake later than this one is done. */
#define LINEAR_ALONE ((size_t)1 << 20)

Err net_linear(const Kern *kern, Pool *pool, const KernMatrix *w, KernAct act, const float *a, size_t m, float *out) {
    LinearJob j = {.kern = kern, .w = w, .act = act, .a = a, .m = m, .out = out, .panels = kern_panels(kern, w->n)};
    j.pieces = m * w->n < LINEAR_ALONE / w->k ? 1 : 2 * pool_size(pool); /* two a thread: one may be held up */
    if (j.pieces > j.panels) j.pieces = j.panels;
    return pool_for(pool, j.pieces, linear_piece, &j);
}

typedef struct {
    const Kern *kern;
    const LowMatrix *w;
    LowOut kind;
    const LowRows *a;
    size_t m;
    void *out;
    size_t panels, pieces;
} LowJob;

static Err low_piece(void *ctx, size_t piece, size_t worker) {
    const LowJob *j = ctx;
    (void)worker;
    j->kern->low->gemm(j->w, j->panels * piece / j->pieces, j->panels * (piece + 1) / j->pieces, j->kind, j->a, j->m,
                       j->out, low_wide(j->w->n));
    return ERR_OK;
}

Err net_linear_low(const Kern *kern, Pool *pool, const LowMatrix *w, LowOut kind, const LowRows *a, size_t m,
                   void *out) {
    LowJob j = {.kern = kern, .w = w, .kind = kind, .a = a, .m = m, .out = out, .panels = low_panels(w->n)};
    j.pieces = m * w->n < LINEAR_ALONE / w->k ? 1 : 4 * pool_size(pool); /* small ones: all end together */
    if (j.pieces > j.panels) j.pieces = j.panels;
    return pool_for(pool, j.pieces, low_piece, &j);
}
