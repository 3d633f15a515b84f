/* distill.c - see distill.h: tokens through the encoder, axes, weights, the file.
 *
 * What was tried, on cosqa-dev, libuv-commits, scifact-train and squad2-dev with all-MiniLM-L6-v2 (nDCG@10, mean; dense
 * search over whole documents cut at 256 tokens; each line changes the one before):
 *
 *     Model2Vec's way: mean of [CLS] token [SEP], PCA to 256, SIF 1e-4 by position         0.368 (its own program: 0.369)
 *     the token's own vector alone instead of that mean                                    0.400
 *     ranks of words alone, SIF 1e-3 (distill_weights.c)                                   0.408
 *     axes divided by the fourth root of their variance (spread 0.5)                       0.420
 *     idf of the set itself for weights (--corpus)                                         0.442
 *
 * Dimensions 64, 128, 192, 256, 320: 0.330, 0.392, 0.412, 0.420, 0.422. SIF 5e-4, 2e-3, 3e-3: 0.417, 0.414, 0.411.
 * Without gain: leaving out the first 1 to 12 axes once they are spread (within 0.002); tokens between 1, 3, 7 or 15
 * random others (0.420, 0.413, 0.394, 0.353; mixed with the plain ones at best 0.425); rows of length 1 before the axes
 * (-0.003); whole spread (-0.01). Repeated tokens damped by a power of 3/4 gain 0.012 in the mean (code +0.03, prose
 * -0.01), for a result that is no longer a mean: left out. Whole words of several tokens were not tried: they need
 * another tokenizer than the parent's, and then the two would not take the same chunks.
 */
#include "model/distill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/distill_pca.h"
#include "model/distill_weights.h"
#include "model/info.h"
#include "model/model_impl.h"

#define SPREAD 0.5f

enum {
    BATCH_TOKENS = 256, /* through the network at a time, as in embed.c */
    STEP_TOKENS = 2048, /* of the vocabulary, between two looks at the clock */
    STEP_ROWS = 4096,   /* of the table, projected at a time */
};

typedef struct {
    const Model *m;
    Pool *pool;
    const DistillOpts *opts;
    Arena arena;
    const int32_t *frame;          /* [n_frame] the marks and the prefix around a token */
    size_t n_frame, place, pooled; /* where the token goes, and whose vector is taken, of n_frame + 1 */
    int32_t *ids;                  /* [n] tokens that have rows */
    size_t n, dim, parent_dim;
    float *rows;                    /* [n, parent_dim] */
    float *scratch;                 /* [threads][scratch_each] */
    size_t scratch_each, per_batch; /* texts of a batch */
    size_t from, to;                /* tokens of this step */
} Distill;

/* ---- tokens through the encoder ---- */

static Err frame_read(Distill *d) {
    const Model *m = d->m;
    Str prefix = m->info.prefix[EMBED_DOCUMENT];
    size_t n = 0;
    TRY(tok_encode(m->tok, prefix, true, NULL, 0, &n));
    int32_t *frame = arena_array(&d->arena, int32_t, n);
    if (!frame) return arena_error();
    TRY(tok_encode(m->tok, prefix, true, frame, n, &n));
    if (n + 1 > m->info.max_tokens)
        return err_set(ERR_LIMIT, "model '%.*s' takes %zu tokens, its marks and prefix alone are %zu",
                       STR_FMT(m->info.name), m->info.max_tokens, n);
    bool ends = n > 0 && tok_special(m->tok)->sep >= 0 && frame[n - 1] == tok_special(m->tok)->sep;
    d->frame = frame;
    d->n_frame = n;
    d->place = ends ? n - 1 : n;
    d->pooled = m->info.pooling == POOL_MEAN ? d->place : m->info.pooling == POOL_CLS ? 0 : n;
    return ERR_OK;
}

static Err row_take(const Distill *d, const float *hidden, size_t i, float *spare) {
    const Model *m = d->m;
    float *row = d->rows + i * d->parent_dim;
    memcpy(row, hidden, d->parent_dim * sizeof *row);
    TRY(head_run(m->head, row, spare));
    for (size_t k = 0; k < d->parent_dim; k++)
        if (!isfinite(row[k]))
            return err_set(ERR_CORRUPT, "model '%.*s' gives token %d a vector that is not finite",
                           STR_FMT(m->info.name), (int)d->ids[i]);
    return ERR_OK;
}

static Err rows_piece(void *ctx, size_t piece, size_t worker) {
    const Distill *d = ctx;
    const Model *m = d->m;
    size_t length = d->n_frame + 1, first = d->from + piece * d->per_batch, at = 0;
    size_t n = d->to - first < d->per_batch ? d->to - first : d->per_batch;
    int32_t ids[BATCH_TOKENS];
    uint32_t starts[BATCH_TOKENS + 1];
    int32_t *long_ids = length > BATCH_TOKENS ? malloc(length * sizeof *ids) : ids; /* then one text a batch */
    if (!long_ids) return err_set(ERR_NOMEM, "out of memory for a text of %zu tokens", length);
    for (size_t i = 0; i < n; i++) {
        starts[i] = (uint32_t)at;
        for (size_t t = 0; t < length; t++, at++)
            long_ids[at] = t < d->place ? d->frame[t] : t == d->place ? d->ids[first + i] : d->frame[t - 1];
    }
    starts[n] = (uint32_t)at;
    const NetBatch batch = {long_ids, starts, n, at, length, NULL};
    const NetRun run = {NULL, d->opts->deadline, d->scratch + worker * d->scratch_each};
    const float *hidden = NULL;
    float *spare = run.scratch + d->scratch_each - head_scratch(m->head);
    Err err = m->arch->run(m->net, &batch, &run, &hidden);
    for (size_t i = 0; !err && i < n; i++)
        err = row_take(d, hidden + (starts[i] + d->pooled) * d->parent_dim, first + i, spare);
    if (long_ids != ids) free(long_ids);
    return err;
}

static Err rows_make(Distill *d) {
    const Model *m = d->m;
    size_t length = d->n_frame + 1, threads = pool_size(d->pool);
    d->per_batch = length < BATCH_TOKENS ? BATCH_TOKENS / length : 1;
    size_t net = m->arch->scratch(m->net, d->per_batch * length, length, 1);
    d->scratch_each = (net + head_scratch(m->head) + 15) / 16 * 16;
    d->rows = arena_alloc_array(&d->arena, d->n, d->parent_dim * sizeof *d->rows);
    d->scratch = aligned_alloc(64, threads * d->scratch_each * sizeof(float));
    if (!d->rows) return arena_error();
    if (!d->scratch) return err_set(ERR_NOMEM, "out of memory for a batch of %zu tokens", d->per_batch * length);
    for (d->from = 0; d->from < d->n; d->from = d->to) {
        d->to = d->n - d->from < STEP_TOKENS ? d->n : d->from + STEP_TOKENS;
        TRY(deadline_check(d->opts->deadline));
        TRY(pool_for(d->pool, (d->to - d->from + d->per_batch - 1) / d->per_batch, rows_piece, d));
        if (d->opts->progress) TRY(d->opts->progress(d->opts->progress_ctx, d->to, d->n));
    }
    return ERR_OK;
}

/* ---- the table ---- */

/* To half precision, ties to even. x lies within the table's own bound of 1. */
static uint16_t half_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7FFFFFFFu;
    if (size < 0x38800000u) { /* below 2^-14: multiples of 2^-24 */
        float whole;
        memcpy(&whole, &size, sizeof whole);
        return (uint16_t)(sign | (uint32_t)lrintf(whole * 0x1p24f));
    }
    size += 0xFFFu + (size >> 13 & 1u);
    return (uint16_t)(sign | ((size - 0x38000000u) >> 13));
}

/* Steps of rows through the axes, handed to `each`. */
typedef void (*RowsSink)(Distill *d, size_t from, size_t n, float *projected, void *ctx);

static Err rows_project(Distill *d, const Pca *pca, RowsSink each, void *ctx) {
    float *part = arena_alloc_array(&d->arena, STEP_ROWS, d->dim * sizeof *part);
    if (!part) return arena_error();
    for (size_t from = 0; from < d->n; from += STEP_ROWS) {
        size_t n = d->n - from < STEP_ROWS ? d->n - from : STEP_ROWS;
        TRY(deadline_check(d->opts->deadline));
        TRY(pca_project(d->m->kern, d->pool, pca, d->rows + from * d->parent_dim, n, d->parent_dim, d->dim, SPREAD,
                        part));
        each(d, from, n, part, ctx);
    }
    return ERR_OK;
}

typedef struct {
    const double *weights; /* [n] */
    double largest;        /* magnitude in the table: scaled to 1 */
    uint16_t *table;       /* [vocabulary, dim], zeros where a token has no row */
} Table;

static void table_measure(Distill *d, size_t from, size_t n, float *part, void *ctx) {
    Table *t = ctx;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d->dim; k++) {
            double x = fabs((double)part[i * d->dim + k] * t->weights[from + i]);
            if (x > t->largest) t->largest = x;
        }
}

static void table_fill(Distill *d, size_t from, size_t n, float *part, void *ctx) {
    const Table *t = ctx;
    for (size_t i = 0; i < n; i++) {
        uint16_t *row = t->table + (size_t)d->ids[from + i] * d->dim;
        for (size_t k = 0; k < d->dim; k++)
            row[k] = half_of((float)((double)part[i * d->dim + k] * t->weights[from + i] / t->largest));
    }
}

static Err table_make(Distill *d, Table *t, DistillReport *out) {
    Pca pca;
    double kept = 0, all = 0, *weights = NULL;
    const DistillOpts *o = d->opts;
    if (o->corpus)
        TRY(weights_by_corpus(o->corpus, &d->arena, d->ids, d->n, &weights));
    else
        TRY(weights_by_rank(d->m->tok, &d->arena, d->ids, d->n, o->sif, &weights));
    t->weights = weights;
    t->table = arena_alloc_array(&d->arena, tok_vocab_size(d->m->tok), d->dim * sizeof *t->table);
    if (!t->table) return arena_error();
    TRY(pca_fit(d->m->kern, d->pool, &d->arena, d->rows, d->n, d->parent_dim, o->deadline, &pca));
    for (size_t k = 0; k < d->parent_dim; k++) {
        all += pca.variances[k] > 0 ? pca.variances[k] : 0;
        if (k < d->dim) kept = all;
    }
    TRY(rows_project(d, &pca, table_measure, t));
    if (!(t->largest > 0))
        return err_set(ERR_INPUT, "model '%.*s' gives all tokens the same vector", STR_FMT(d->m->info.name));
    TRY(rows_project(d, &pca, table_fill, t));
    *out = (DistillReport){.tokens = d->n, .dim = d->dim, .explained = kept / all};
    return ERR_OK;
}

/* ---- the file ---- */

static void write_sha256(GgufWriter *w, const char *key, const Sha256 *id) {
    char hex[2 * sizeof id->bytes + 1];
    hex_write(id->bytes, sizeof id->bytes, hex);
    gguf_set_str(w, key, str_of(hex));
}

static void write_origin(const Distill *d, GgufWriter *w, const DistillReport *report) {
    const ModelInfo *parent = &d->m->info;
    const DistillCorpus *corpus = d->opts->corpus;
    gguf_set_u32(w, "pythia.distill.version", DISTILL_VERSION);
    gguf_set_str(w, INFO_PARENT_KEY, parent->name);
    write_sha256(w, INFO_PARENT_SHA, &parent->id);
    gguf_set_str(w, "pythia.distill.parent.architecture", parent->arch);
    gguf_set_f32(w, "pythia.distill.sif", corpus ? 0 : (float)d->opts->sif);
    gguf_set_f32(w, "pythia.distill.spread", SPREAD);
    gguf_set_f32(w, "pythia.distill.explained", (float)report->explained);
    if (!corpus) return;
    gguf_set_u64(w, "pythia.distill.corpus.passages", corpus->passages);
    write_sha256(w, "pythia.distill.corpus.sha256", &corpus->hash);
}

/* The parent's tokenizer, key by key. */
static void write_tokenizer(const Gguf *g, GgufWriter *w) {
    for (size_t i = 0; i < gguf_keys(g); i++) {
        const GgufKey *k = gguf_key_at(g, i);
        if (str_starts(k->key, STR("tokenizer.")) || str_starts(k->key, STR("pythia.tokenizer."))) gguf_set_copy(w, k);
    }
}

static Err write_file(const Distill *d, const Table *t, const DistillReport *report, const char *path) {
    GgufWriter *w = NULL;
    const ModelInfo *parent = &d->m->info;
    TRY(gguf_writer_open(&w));
    gguf_set_str(w, "general.architecture", STR(INFO_STATIC));
    gguf_set_str(w, "general.type", STR("model"));
    gguf_set_str(w, "general.name", str_of(d->opts->name));
    gguf_set_u32(w, INFO_STATIC ".embedding_length", (uint32_t)d->dim);
    gguf_set_u32(w, INFO_STATIC ".context_length", (uint32_t)parent->max_tokens);
    gguf_set_u32(w, INFO_STATIC ".pooling_type", POOL_MEAN);
    /* The table knows neither; empty ones keep its name from being taken for a family's that does. */
    gguf_set_str(w, "pythia.prefix.query", STR(""));
    gguf_set_str(w, "pythia.prefix.document", STR(""));
    write_origin(d, w, report);
    write_tokenizer(d->m->gguf, w);
    const uint64_t shape[] = {d->dim, tok_vocab_size(d->m->tok)};
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F16, shape, 2,
                    str_make((const char *)t->table, shape[0] * shape[1] * sizeof *t->table));
    Err err = gguf_writer_write(w, path);
    gguf_writer_close(w);
    return err;
}

static Err check_parent(const Model *m) {
    const ModelInfo *i = &m->info;
    if (m->remote)
        return err_set(ERR_UNSUPPORTED, "'%.*s' is a service's model: its vocabulary is not here to distill",
                       STR_FMT(i->name));
    if (i->pooling == POOL_RANK)
        return err_set(ERR_UNSUPPORTED, "model '%.*s' is a reranker, it has no vectors to distill", STR_FMT(i->name));
    if (str_is(i->arch, INFO_STATIC))
        return err_set(ERR_UNSUPPORTED, "model '%.*s' is a distilled table already", STR_FMT(i->name));
    return ERR_OK;
}

static Err distill_all(Distill *d, const char *path, DistillReport *out) {
    const Model *m = d->m;
    Table table = {0};
    TRY(frame_read(d));
    TRY(weights_tokens(m->gguf, m->tok, &d->arena, &d->ids, &d->n));
    TRY(rows_make(d));
    TRY(table_make(d, &table, out));
    return write_file(d, &table, out, path);
}

Err model_distill(const Model *m, Pool *pool, const DistillOpts *opts, const char *path, DistillReport *out) {
    DistillOpts o = *opts;
    *out = (DistillReport){0};
    TRY(check_parent(m));
    size_t most = m->info.dim;
    if (o.sif <= 0) o.sif = DISTILL_SIF;
    if (o.dim > most)
        return err_set(ERR_LIMIT, "%zu dimensions are not possible: model '%.*s' has %zu", o.dim, STR_FMT(m->info.name),
                       most);
    Distill d = {.m = m, .pool = pool, .opts = &o, .parent_dim = most, .dim = o.dim};
    if (d.dim == 0) d.dim = most < DISTILL_DIM ? most : DISTILL_DIM;
    Err err = distill_all(&d, path, out);
    free(d.scratch);
    arena_free(&d.arena);
    return err;
}
