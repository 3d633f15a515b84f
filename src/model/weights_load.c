/* weights_load.c - which form each matrix of a network takes, and making it.
 *
 * What is packed stands in one block whose layout follows from the shapes and forms alone (bind), so that a block of
 * bf16 and int8 can be kept in a file and mapped (low_cache.h). What is used where it lies in the file is read once
 * here, and nowhere decoded, to see that every scale is a number: behind that no product can meet one that is not.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "model/weights.h"

enum {
    SMALL = 256 << 20,    /* bytes that are not worth asking the system for what is free */
    KEPT_MAX = 512 << 20, /* a larger block would take longer to read and hash than to pack by several cores */
    CHECK_BYTES = 4 << 20 /* of weights a piece */
};

Err weights_want(WeightsLoader *l, Weights *out, const NetPart *parts, size_t n_parts, size_t k, NetBias bias) {
    *out = (Weights){0};
    TRY(net_rows_find(&l->net, parts, n_parts, k, bias, &out->rows));
    if (!l->end) l->end = &l->first;
    *l->end = out;
    l->end = &out->next;
    return ERR_OK;
}

void weights_block_close(WeightsBlock *block) {
    file_unmap(&block->map);
    free(block->own);
    *block = (WeightsBlock){0};
}

/* ---- forms ---- */

static bool is_packed(const Weights *w) { return w->form == WEIGHTS_PANELS || w->form == WEIGHTS_LOW; }

/* Every part is quantised, and can be multiplied so. */
static bool all_blocks(const Weights *w) {
    for (size_t i = 0; i < w->rows.n_parts; i++) {
        const BlockFormat *f = w->rows.parts[i]->format;
        if (!quant_fits(f->type, w->rows.k) || quant_kind(f->type) == QUANT_FLOATS) return false;
    }
    return true;
}

static bool any_blocks(const Weights *w) {
    for (size_t i = 0; i < w->rows.n_parts; i++)
        if (w->rows.parts[i]->format->items > 1) return true;
    return false;
}

static size_t file_bytes(const Weights *w) {
    size_t bytes = 0;
    for (size_t i = 0; i < w->rows.n_parts; i++) bytes += w->rows.parts[i]->data.n;
    return bytes;
}

/* No overflow here and in bind: the tensors are in the file, and no format is more than 8 times smaller than its
 * floats. */
static size_t packed_bytes(const Kern *kern, const Weights *w) {
    if (w->form == WEIGHTS_PANELS) return kern_panels(kern, w->rows.n) * kern->panel * w->rows.k * sizeof(float);
    return low_panels(w->rows.n) * (low_panel_bytes(w->low.type, w->rows.k) + 2 * LOW_WIDE * sizeof(float));
}

/* What a matrix is computed from when it may be packed. */
static WeightsForm packed_form(const WeightsLoader *l, const Weights *w, ModelPrecision precision) {
    if (precision == MODEL_FAST && all_blocks(w)) return WEIGHTS_BLOCKS;
    if (precision == MODEL_EXACT) return WEIGHTS_LOW;
    if (precision == MODEL_FAST && (l->int8 ? w->rows.k <= LOW_INT8_MAX_K : l->net.kern->low->fast_bf16))
        return WEIGHTS_LOW;
    return WEIGHTS_PANELS;
}

/* And when not. Products in bf16 write whole panels, which must not reach into the next part. */
static WeightsForm strip_form(const Weights *w, ModelPrecision precision) {
    if (precision == MODEL_FAST) return WEIGHTS_BLOCKS;
    for (size_t i = 0; i < w->rows.n_parts; i++)
        if (w->rows.parts[i]->shape[1] % LOW_WIDE) return WEIGHTS_STRIPS;
    return precision == MODEL_EXACT ? WEIGHTS_LOW_STRIPS : WEIGHTS_STRIPS;
}

/* Packed where that fits, see weights.h. */
static void choose_forms(WeightsLoader *l, const NetOpen *o, const MemoryNow *now) {
    ModelPrecision precision = o->info->precision;
    size_t floats = 0, blocks = 0;
    for (Weights *w = l->first; w; w = w->next) {
        w->form = packed_form(l, w, precision);
        w->low.type = precision == MODEL_FAST && l->int8 ? LOW_INT8 : LOW_BF16;
        if (is_packed(w)) *(any_blocks(w) ? &blocks : &floats) += packed_bytes(o->kern, w);
    }
    bool pack_blocks = blocks <= WEIGHTS_PACKED_MAX;
    /* What fast gives must not hang on the memory that happens to be free: it packs, or weights_memory refuses. Strips
     * give what packed weights give. */
    bool pack_floats =
        precision == MODEL_FAST || floats <= SMALL || now->available == 0 || floats <= (uint64_t)now->available / 2;
    for (Weights *w = l->first; w; w = w->next)
        if (is_packed(w) && !(any_blocks(w) ? pack_blocks : pack_floats)) w->form = strip_form(w, precision);
}

static double gigabytes(uint64_t bytes) { return (double)bytes / 1e9; }

Err weights_memory(const Gguf *g, size_t packed, size_t mapped, ModelPrecision precision, const MemoryNow *now) {
    int64_t left = now->available;
    if (now->group_limit > 0 && now->group_limit - now->group_used < left) left = now->group_limit - now->group_used;
    uint64_t need = (uint64_t)packed + mapped, room = left > 0 ? (uint64_t)left : 0;
    if (need <= SMALL || now->available <= 0 || need <= room) return ERR_OK;
    Err err = err_set(
        ERR_NOMEM, "model '%s' needs %.1f GB of memory (%.1f packed, %.1f of the file), but %.1f of %.1f GB are free",
        gguf_name(g), gigabytes(need), gigabytes(packed), gigabytes(mapped), gigabytes(room),
        gigabytes((uint64_t)(now->total > 0 ? now->total : now->available)));
    return precision != MODEL_FAST && packed > mapped ? err_fix(err, "pythia config set model.precision fast")
                                                      : err_fix(err, "pythia config set model.embed <a smaller model>");
}

/* ---- packing ---- */

static void *take(char *base, size_t *at, size_t bytes) {
    void *p = base ? base + *at : NULL;
    *at += (bytes + 63) / 64 * 64;
    return p;
}

/* Points packed weights into the block; returns its bytes. */
static size_t bind(const WeightsLoader *l, char *base) {
    size_t at = 0;
    for (Weights *w = l->first; w; w = w->next) {
        size_t n = w->rows.n, k = w->rows.k, panels = kern_panels(l->net.kern, n);
        if (w->form == WEIGHTS_PANELS) {
            w->panels = (KernMatrix){.n = n, .k = k, .bias = w->rows.bias};
            w->panels.panels = take(base, &at, panels * l->net.kern->panel * k * sizeof(float));
        } else if (w->form == WEIGHTS_LOW) {
            LowType type = w->low.type;
            w->low = (LowMatrix){.type = type, .n = n, .k = k, .bias = w->rows.bias};
            w->low.panels = take(base, &at, low_panels(n) * low_panel_bytes(type, k));
            w->low.scale = take(base, &at, low_wide(n) * sizeof(float));
            w->low.sums = take(base, &at, low_wide(n) * sizeof(float));
        }
    }
    return at;
}

typedef struct {
    Weights *w;
    const GgufTensor *part; /* to be checked where it lies; NULL: to be packed */
    size_t first_piece;
} Work;

typedef struct {
    const NetLoader *net;
    Work *works;
    size_t n_works, n_pieces;
    float *scratch; /* [threads][scratch_each] rows as floats */
    size_t scratch_each;
} LoadJob;

static size_t check_rows(const GgufTensor *t) {
    size_t rows = CHECK_BYTES / (t->data.n / (size_t)t->shape[1] + 1);
    return rows ? rows : 1;
}

static size_t check_pieces(const GgufTensor *t) { return ((size_t)t->shape[1] + check_rows(t) - 1) / check_rows(t); }

static Err check_piece(const Gguf *g, const GgufTensor *t, size_t piece) {
    size_t rows = check_rows(t), all = (size_t)t->shape[1], from = piece * rows,
           n = all - from < rows ? all - from : rows;
    size_t bytes = t->data.n / all,
           bad = quant_check(t->format->type, t->data.p + from * bytes, bytes, n, (size_t)t->shape[0]);
    return bad == n ? ERR_OK : net_not_finite(g, t, from + bad);
}

/* The block is written once, here, through the pointers that everything else reads by. */
static Err pack_panel(const LoadJob *job, const Weights *w, size_t panel, float *scratch) {
    const Kern *kern = job->net->kern;
    const float *rows[KERN_PANEL_MAX];
    size_t wide = w->form == WEIGHTS_LOW ? (size_t)LOW_WIDE : kern->panel, k = w->rows.k;
    net_rows_floats(kern, &w->rows, panel * wide, wide, scratch, rows);
    TRY(net_rows_check(job->net->gguf, &w->rows, panel * wide, wide, rows));
    if (w->form == WEIGHTS_PANELS) {
        (void)kern->pack(rows, k, (float *)(uintptr_t)w->panels.panels + panel * wide * k);
        return ERR_OK;
    }
    bool int8 = w->low.type == LOW_INT8;
    float *scale = (float *)(uintptr_t)w->low.scale + panel * wide,
          *sums = (float *)(uintptr_t)w->low.sums + panel * wide;
    kern->low->pack(w->low.type, rows, k, (char *)(uintptr_t)w->low.panels + panel * low_panel_bytes(w->low.type, k),
                    int8 ? scale : NULL, int8 ? sums : NULL);
    return ERR_OK;
}

static Err load_piece(void *ctx, size_t piece, size_t worker) {
    const LoadJob *job = ctx;
    size_t low = 0, high = job->n_works; /* the last work that begins at piece or before */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(job->works[middle].first_piece <= piece ? &low : &high) = middle;
    }
    const Work *work = &job->works[low];
    if (work->part) return check_piece(job->net->gguf, work->part, piece - work->first_piece);
    return pack_panel(job, work->w, piece - work->first_piece, job->scratch + worker * job->scratch_each);
}

static void add_work(LoadJob *job, Weights *w, const GgufTensor *part, size_t pieces) {
    job->works[job->n_works++] = (Work){w, part, job->n_pieces};
    job->n_pieces += pieces;
}

/* pack: what is to be packed was not found in the cache. */
static void add_works(LoadJob *job, const WeightsLoader *l, bool pack) {
    for (Weights *w = l->first; w; w = w->next) {
        if (is_packed(w) && pack) {
            size_t wide = w->form == WEIGHTS_LOW ? (size_t)LOW_WIDE : l->net.kern->panel;
            add_work(job, w, NULL, (w->rows.n + wide - 1) / wide);
            if (job->scratch_each < wide * w->rows.k) job->scratch_each = wide * w->rows.k;
        }
        for (size_t i = 0; !is_packed(w) && i < w->rows.n_parts; i++) {
            const GgufTensor *t = w->rows.parts[i];
            add_work(job, w, t, check_pieces(t));
        }
    }
}

static Err run_works(const WeightsLoader *l, const NetOpen *o, bool pack) {
    LoadJob job = {.net = &l->net};
    size_t works = 0;
    Err err = ERR_OK;
    for (Weights *w = l->first; w; w = w->next) works += w->rows.n_parts;
    job.works = calloc(works + 1, sizeof *job.works);
    if (job.works) add_works(&job, l, pack);
    job.scratch = malloc((pool_size(o->pool) * job.scratch_each + 1) * sizeof(float));
    if (!job.works || !job.scratch)
        err = err_set(ERR_NOMEM, "out of memory for packing model '%s'", gguf_name(o->gguf));
    if (!err) err = pool_for(o->pool, job.n_pieces, load_piece, &job);
    for (Weights *w = l->first; w && !err; w = w->next)
        for (size_t i = 0; is_packed(w) && i < w->rows.n_parts; i++) gguf_forget(o->gguf, w->rows.parts[i]);
    free(job.scratch);
    free(job.works);
    return err;
}

Err weights_load(WeightsLoader *l, const NetOpen *o, WeightsBlock *block) {
    MemoryNow now = {0};
    size_t mapped = 0;
    Str kept = {NULL, 0};
    *block = (WeightsBlock){0};
    if (gguf_bytes(o->gguf).n > SMALL / 8) memory_read(&now);
    choose_forms(l, o, &now);
    for (Weights *w = l->first; w; w = w->next) mapped += is_packed(w) ? 0 : file_bytes(w);
    size_t bytes = bind(l, NULL);
    TRY(weights_memory(o->gguf, bytes, mapped, o->info->precision, &now));
    if (o->cache && bytes && bytes <= KEPT_MAX) low_cache_open(o->cache, bytes, &block->map, &kept);
    if (!kept.p && bytes) {
        block->own = sys_alloc_large(bytes);
        if (!block->own)
            return err_set(ERR_NOMEM, "out of memory for the weights of model '%s': %zu bytes", gguf_name(o->gguf),
                           bytes);
        memset(block->own, 0, bytes); /* what stands between the parts is 0 */
    }
    (void)bind(l, kept.p ? (char *)(uintptr_t)kept.p : block->own);
    TRY(run_works(l, o, !kept.p));
    if (o->cache && bytes && bytes <= KEPT_MAX && !kept.p) low_cache_keep(o->cache, str_make(block->own, bytes));
    return ERR_OK;
}

/* ---- single tensors ---- */

Weights weights_of(const GgufTensor *t, ModelPrecision precision) {
    size_t k = (size_t)t->shape[0];
    Weights w = {.rows = {.parts = {t}, .n_parts = 1, .n = (size_t)t->shape[1], .k = k}, .form = WEIGHTS_STRIPS};
    if (quant_fits(t->format->type, k) && (precision == MODEL_FAST || quant_kind(t->format->type) == QUANT_FLOATS))
        w.form = WEIGHTS_BLOCKS;
    return w;
}

typedef struct {
    const Gguf *gguf;
    const GgufTensor *tensor;
} CheckJob;

static Err check_one(void *ctx, size_t piece, size_t worker) {
    const CheckJob *job = ctx;
    (void)worker;
    return check_piece(job->gguf, job->tensor, piece);
}

Err weights_check(const Gguf *g, Pool *pool, const Weights *w) {
    for (size_t i = 0; i < w->rows.n_parts; i++) {
        CheckJob job = {g, w->rows.parts[i]};
        TRY(pool_for(pool, check_pieces(job.tensor), check_one, &job));
    }
    return ERR_OK;
}
