/* embed.c - texts in, vectors out: tokens, batches, the network, pooling.
 *
 * Two ways to use the cores. Many texts: they are sorted by length and cut into batches of some BATCH_TOKENS tokens, and
 * each core runs a whole batch through the network by itself: no barrier but at the end. Fewer texts than cores: one batch
 * after the other, each product shared out over all cores. Either way a text's vector has the same bits (kern.h).
 *
 * Texts are taken WINDOW at a time, so that memory does not grow with their number.
 * Memory: tokens of a window (4 bytes each), one scratch a thread (MiniLM: 7 KB a token of a batch).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_impl.h"

enum {
    WINDOW = 1024, /* texts */
    /* Tokens of a batch: enough that a row's share of streaming the weights (42 MB) is small, few enough that activations
     * stay near the L2 cache. */
    BATCH_TOKENS = 256,
};

typedef struct {
    size_t from, n;  /* texts order[from..from + n) */
    size_t n_tokens; /* of all of them */
    size_t longest;
} Batch;

typedef struct {
    const Model *m;
    const EmbedOpts *opts;
    const Str *texts; /* [n] of this window */
    size_t n, first;  /* first: the window's place among all texts, for messages */
    float *out;       /* [n, dim] */
    EmbedInfo *info;  /* [n] or NULL */
    int32_t *ids;     /* [n][max_tokens] */
    uint32_t *counts; /* [n] tokens of each text */
    uint32_t *order;  /* [n] texts, longest first */
    Batch *batches;   /* [<= n] */
    size_t n_batches;
    float *scratch; /* [threads][scratch_each] */
    size_t scratch_each;
    int32_t *flat;    /* [threads][flat_each] a batch's ids */
    uint32_t *starts; /* [threads][flat_each + 1] */
    size_t flat_each;
    Pool *inner; /* the pool that works inside a batch, or NULL */
} EmbedJob;

/* ---- tokens ---- */

static Err tokenize_piece(void *ctx, size_t i, size_t worker) {
    EmbedJob *j = ctx;
    (void)worker;
    size_t max = j->m->max_tokens, n = 0;
    int32_t *ids = j->ids + i * max;
    TRY(tok_encode(j->m->tok, j->texts[i], true, ids, max, &n));
    bool cut = n > max;
    if (cut && j->opts->truncate_error)
        return err_set(ERR_LIMIT, "text %zu has %zu tokens, model '%s' takes %zu", j->first + i, n,
                       gguf_name(j->m->gguf), max);
    int32_t end = tok_special(j->m->tok)->sep;
    if (cut && end >= 0) ids[max - 1] = end; /* as the reference cuts: the text, not its end mark */
    if (cut) n = max;
    if (n == 0)
        return err_set(ERR_INPUT, "text %zu has no tokens and model '%s' adds none", j->first + i,
                       gguf_name(j->m->gguf));
    j->counts[i] = (uint32_t)n;
    if (j->info) j->info[i] = (EmbedInfo){.tokens = (int32_t)n, .truncated = cut};
    return ERR_OK;
}

/* Longest first, so that the last batches are small and the cores end together; ties in the texts' order. A counting sort:
 * lengths are few. */
static Err sort_by_length(EmbedJob *j) {
    size_t max = j->m->max_tokens;
    uint32_t *place = calloc(max + 2, sizeof *place);
    if (!place) return err_set(ERR_NOMEM, "out of memory for %zu texts", j->n);
    for (size_t i = 0; i < j->n; i++) place[max - j->counts[i] + 1]++;
    for (size_t c = 1; c <= max + 1; c++) place[c] += place[c - 1];
    for (size_t i = 0; i < j->n; i++) j->order[place[max - j->counts[i]]++] = (uint32_t)i;
    free(place);
    return ERR_OK;
}

/* Cuts the sorted texts into batches of about `budget` tokens, at least one text each. */
static void cut_batches(EmbedJob *j, size_t budget) {
    Batch b = {0};
    j->n_batches = 0;
    for (size_t i = 0; i < j->n; i++) {
        size_t tokens = j->counts[j->order[i]];
        if (b.n && b.n_tokens + tokens > budget) {
            j->batches[j->n_batches++] = b;
            b = (Batch){.from = i};
        }
        b.n++;
        b.n_tokens += tokens;
        if (tokens > b.longest) b.longest = tokens;
    }
    if (b.n) j->batches[j->n_batches++] = b;
}

/* ---- vectors ---- */

static Err pool_text(const EmbedJob *j, size_t text, const float *hidden /* [tokens, dim] */, size_t tokens) {
    const Model *m = j->m;
    size_t dim = m->info.dim;
    float *out = j->out + text * dim, check = 0;
    if (m->info.pooling == POOL_MEAN)
        m->kern->mean_rows(hidden, tokens, dim, out);
    else
        memcpy(out, m->info.pooling == POOL_CLS ? hidden : hidden + (tokens - 1) * dim, dim * sizeof *out);
    if (m->info.normalize) m->kern->normalize(out, dim);
    for (size_t d = 0; d < dim; d++) check += out[d] * 0.0f;
    if (check == 0.0f) return ERR_OK;
    return err_set(ERR_CORRUPT, "model '%s' gives text %zu a vector that is not finite", gguf_name(m->gguf),
                   j->first + text);
}

static Err batch_piece(void *ctx, size_t piece, size_t worker) {
    const EmbedJob *j = ctx;
    const Model *m = j->m;
    const Batch *b = &j->batches[piece];
    int32_t *ids = j->flat + worker * j->flat_each;
    uint32_t *starts = j->starts + worker * (j->flat_each + 1);
    size_t n_known = m->arch->n_tokens(m->net), at = 0;
    for (size_t i = 0; i < b->n; i++) {
        size_t text = j->order[b->from + i];
        starts[i] = (uint32_t)at;
        for (size_t t = 0; t < j->counts[text]; t++) {
            int32_t id = j->ids[text * m->max_tokens + t];
            if (id < 0 || (size_t)id >= n_known)
                return err_set(ERR_CORRUPT, "model '%s': token %d has no vector", gguf_name(m->gguf), id);
            ids[at++] = id;
        }
    }
    starts[b->n] = (uint32_t)at;
    const NetBatch batch = {ids, starts, b->n, at, b->longest};
    const NetRun run = {j->inner, j->opts->deadline, j->scratch + worker * j->scratch_each};
    const float *hidden = NULL;
    TRY(deadline_check(run.deadline));
    TRY(m->arch->run(m->net, &batch, &run, &hidden));
    for (size_t i = 0; i < b->n; i++)
        TRY(pool_text(j, j->order[b->from + i], hidden + (size_t)starts[i] * m->info.dim, starts[i + 1] - starts[i]));
    return ERR_OK;
}

/* Scratch for the largest batch, once for each thread that runs batches. */
static Err take_scratch(EmbedJob *j, size_t batch_threads, size_t inner_threads) {
    size_t tokens = 0, longest = 0;
    for (size_t i = 0; i < j->n_batches; i++) {
        if (j->batches[i].n_tokens > tokens) tokens = j->batches[i].n_tokens;
        if (j->batches[i].longest > longest) longest = j->batches[i].longest;
    }
    j->flat_each = tokens;
    j->scratch_each = (j->m->arch->scratch(j->m->net, tokens, longest, inner_threads) + 15) / 16 * 16;
    j->flat = malloc(batch_threads * tokens * sizeof *j->flat);
    j->starts = malloc(batch_threads * (tokens + 1) * sizeof *j->starts);
    j->scratch = aligned_alloc(64, batch_threads * j->scratch_each * sizeof(float));
    if (j->flat && j->starts && j->scratch) return ERR_OK;
    return err_set(ERR_NOMEM, "out of memory for a batch of %zu tokens", tokens);
}

static Err embed_window(EmbedJob *j, Pool *pool) {
    size_t total = 0, threads = pool_size(pool);
    TRY(pool_for(pool, j->n, tokenize_piece, j));
    TRY(sort_by_length(j));
    for (size_t i = 0; i < j->n; i++) total += j->counts[i];
    bool alone = j->n < threads; /* fewer texts than cores: all cores work on each batch */
    size_t share = total / (threads * 2) + 1;
    cut_batches(j, alone || share > BATCH_TOKENS ? BATCH_TOKENS : share);
    j->inner = alone ? pool : NULL;
    Err err = take_scratch(j, alone ? 1 : threads, alone ? threads : 1);
    if (!err) err = pool_for(alone ? NULL : pool, j->n_batches, batch_piece, j);
    free(j->flat);
    free(j->starts);
    free(j->scratch);
    j->flat = NULL;
    j->starts = NULL;
    j->scratch = NULL;
    return err;
}

Err model_embed(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                EmbedInfo *info) {
    static const EmbedOpts none;
    size_t window = n < WINDOW ? n : WINDOW;
    Arena a = {0};
    Err err = ERR_OK;
    EmbedJob j = {.m = m, .opts = opts ? opts : &none};
    if (n == 0) return ERR_OK;
    j.ids = arena_array(&a, int32_t, window * m->max_tokens);
    j.counts = arena_array(&a, uint32_t, window);
    j.order = arena_array(&a, uint32_t, window);
    j.batches = arena_array(&a, Batch, window);
    if (!j.ids || !j.counts || !j.order || !j.batches) err = arena_error();
    for (size_t from = 0; !err && from < n; from += window) {
        j.first = from;
        j.n = n - from < window ? n - from : window;
        j.texts = texts + from;
        j.out = out + from * m->info.dim;
        j.info = info ? info + from : NULL;
        err = embed_window(&j, pool);
    }
    arena_free(&a);
    return err;
}
