/* embed.c - texts in, vectors out: tokens, batches, the network, pooling. Or pairs in, scores out: reranking is the
 * same but for what the tokens are (pair.h) and what stands behind the pooled vector (head.h).
 *
 * Two ways to use the cores. Many texts: they are sorted by length and cut into batches of some BATCH_TOKENS tokens,
 * and each core runs a whole batch through the network by itself: no barrier but at the end. Fewer texts than cores:
 * one batch after the other, each product shared out over all cores. Either way a text's vector has the same bits
 * (kern.h).
 *
 * Texts are taken WINDOW at a time, so that memory does not grow with their number.
 * Memory: tokens of a window (4 bytes each), one scratch a thread (MiniLM: 7 KB a token of a batch).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_impl.h"
#include "model/pair.h"
#include "model/remote.h"

enum {
    WINDOW = 1024, /* texts */
    /* Tokens of a batch: enough that a row's share of streaming the weights (42 MB) is small, few enough that
     * activations stay near the L2 cache. */
    BATCH_TOKENS = 256,
    WINDOW_IDS = 1 << 22, /* 16 MB of them: models of 32,768 tokens get windows of 128 texts */
};

typedef struct {
    size_t from, n;  /* texts order[from..from + n) */
    size_t n_tokens; /* of all of them */
    size_t longest;
} Batch;

typedef struct {
    const Model *m;
    const EmbedOpts *opts;
    const Str *texts;      /* [n] of this window; NULL: `given` */
    const TokenIds *given; /* [n] likewise */
    size_t n, first;       /* first: the window's place among all texts, for messages */
    float *out;            /* [n, width] */
    size_t width;          /* floats of a result */
    EmbedInfo *info;       /* [n] or NULL */
    int32_t *ids;          /* [n][max_tokens] */
    uint32_t *counts;      /* [n] tokens of each text */
    const Pair *pair;      /* the query that each text is paired with, or NULL */
    uint32_t *seconds;     /* [n] tokens before the text itself, of pairs */
    uint32_t *order;       /* [n] texts, longest first */
    Batch *batches;        /* [<= n] */
    size_t n_batches;
    float *scratch;      /* [threads][scratch_each] */
    size_t scratch_each; /* the network's, then `spare` floats for a pooled vector and its head */
    size_t spare;
    int32_t *flat;    /* [threads][flat_each] a batch's ids */
    uint32_t *starts; /* [threads][2 flat_each + 1]: starts, then seconds */
    size_t flat_each;
    Pool *inner;     /* the pool that works inside a batch, or NULL */
    TokensTake take; /* gets each text's tokens, or NULL */
    void *take_ctx;
} EmbedJob;

/* ---- tokens ---- */

/* The text behind the prefix that its kind asks for. How far it is over the limit only a refusal tells. */
static Err encode_text(const EmbedJob *j, Str text, int32_t *ids, size_t cap, size_t *n) {
    Str prefix = j->m->info.prefix[j->opts->kind == EMBED_QUERY];
    Err (*encode)(const Tok *, Str, bool, int32_t *, size_t, size_t *) =
        j->opts->truncate_error ? tok_encode : tok_encode_front;
    if (prefix.n == 0) return encode(j->m->tok, text, true, ids, cap, n);
    Buf whole = {0};
    buf_add(&whole, prefix);
    buf_add(&whole, text);
    Err err = buf_ok(&whole);
    if (!err) err = encode(j->m->tok, buf_str(&whole), true, ids, cap, n);
    buf_free(&whole);
    return err;
}

/* Ids that came from outside. */
static Err take_ids(const EmbedJob *j, size_t i, int32_t *ids, size_t cap, size_t *n) {
    const TokenIds *t = &j->given[i];
    const size_t known = j->m->arch->n_tokens(j->m->net);
    for (size_t k = 0; k < t->n; k++) {
        if (t->ids[k] < 0 || (size_t)t->ids[k] >= known)
            return err_set(ERR_INPUT, "text %zu: token %zu cannot be %d; model '%s' has 0 to %zu", j->first + i, k,
                           t->ids[k], gguf_name(j->m->gguf), known - 1);
        if (k < cap) ids[k] = t->ids[k];
    }
    *n = t->n;
    return ERR_OK;
}

static Err tokenize_piece(void *ctx, size_t i, size_t worker) {
    EmbedJob *j = ctx;
    (void)worker;
    size_t max = j->m->max_tokens, n = 0;
    int32_t *ids = j->ids + i * max;
    if (!j->texts)
        TRY(take_ids(j, i, ids, max, &n));
    else if (j->pair)
        TRY(pair_encode(j->pair, j->texts[i], ids, max, &n, &j->seconds[i]));
    else
        TRY(encode_text(j, j->texts[i], ids, max, &n));
    bool cut = n > max;
    if (cut && j->opts->truncate_error)
        return err_set(ERR_LIMIT, "text %zu has %zu tokens, model '%s' takes %zu", j->first + i, n,
                       gguf_name(j->m->gguf), max);
    int32_t end = tok_special(j->m->tok)->sep;
    if (cut && end >= 0 && !j->pair) ids[max - 1] = end; /* as the reference cuts: the text, not its end mark */
    if (cut) n = max;
    if (n == 0)
        return err_set(ERR_INPUT, "text %zu has no tokens and model '%s' adds none", j->first + i,
                       gguf_name(j->m->gguf));
    j->counts[i] = (uint32_t)n;
    if (j->info) j->info[i] = (EmbedInfo){.tokens = (int32_t)n, .truncated = cut};
    return ERR_OK;
}

/* Longest first, so that the last batches are small and the cores end together; ties in the texts' order. A counting
 * sort: lengths are few. */
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

/* hidden [tokens, dim]; spare [dim + head_scratch] */
static Err pool_text(const EmbedJob *j, size_t text, const float *hidden, size_t tokens, float *spare) {
    const Model *m = j->m;
    size_t dim = m->info.dim;
    float *v = spare, check = 0;
    if (j->take) TRY(j->take(j->take_ctx, j->first + text, j->ids + text * m->max_tokens, hidden, tokens));
    if (m->info.pooling == POOL_MEAN || head_pools_mean(m->head))
        m->kern->mean_rows(hidden, tokens, dim, v);
    else
        memcpy(v, m->info.pooling == POOL_LAST ? hidden + (tokens - 1) * dim : hidden, dim * sizeof *v);
    TRY(head_run(m->head, v, spare + dim));
    if (m->info.normalize && !j->pair) m->kern->normalize(v, j->width);
    memcpy(j->out + text * j->width, v, j->width * sizeof *v);
    for (size_t d = 0; d < j->width; d++) check += v[d] * 0.0f;
    if (check == 0.0f) return ERR_OK;
    return err_set(ERR_CORRUPT, "model '%s' gives text %zu a vector that is not finite", gguf_name(m->gguf),
                   j->first + text);
}

static Err batch_piece(void *ctx, size_t piece, size_t worker) {
    const EmbedJob *j = ctx;
    const Model *m = j->m;
    const Batch *b = &j->batches[piece];
    int32_t *ids = j->flat + worker * j->flat_each;
    uint32_t *starts = j->starts + worker * (2 * j->flat_each + 1), *seconds = starts + b->n + 1;
    size_t n_known = m->arch->n_tokens(m->net), at = 0;
    for (size_t i = 0; i < b->n; i++) {
        size_t text = j->order[b->from + i];
        starts[i] = (uint32_t)at;
        if (j->pair) seconds[i] = j->seconds[text];
        for (size_t t = 0; t < j->counts[text]; t++) {
            int32_t id = j->ids[text * m->max_tokens + t];
            if (id < 0 || (size_t)id >= n_known)
                return err_set(ERR_CORRUPT, "model '%s': token %d has no vector", gguf_name(m->gguf), id);
            ids[at++] = id;
        }
    }
    starts[b->n] = (uint32_t)at;
    const NetBatch batch = {ids, starts, b->n, at, b->longest, j->pair ? seconds : NULL};
    const NetRun run = {j->inner, j->opts->deadline, j->scratch + worker * j->scratch_each};
    float *spare = run.scratch + j->scratch_each - j->spare;
    const float *hidden = NULL;
    TRY(deadline_check(run.deadline));
    TRY(m->arch->run(m->net, &batch, &run, &hidden));
    for (size_t i = 0; i < b->n; i++)
        TRY(pool_text(j, j->order[b->from + i], hidden + (size_t)starts[i] * m->info.dim, starts[i + 1] - starts[i],
                      spare));
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
    j->spare = (j->m->info.dim + head_scratch(j->m->head) + 15) / 16 * 16;
    j->scratch_each = (j->m->arch->scratch(j->m->net, tokens, longest, inner_threads) + 15) / 16 * 16 + j->spare;
    j->flat = malloc(batch_threads * tokens * sizeof *j->flat);
    j->starts = malloc(batch_threads * (2 * tokens + 1) * sizeof *j->starts);
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

/* All texts, or lists of ids, a window at a time. */
static Err embed_all(EmbedJob *j, Pool *pool, const Str *texts, const TokenIds *given, size_t n, float *out,
                     EmbedInfo *info) {
    size_t window = WINDOW_IDS / j->m->max_tokens;
    if (window > WINDOW) window = WINDOW;
    if (window < 1) window = 1;
    if (window > n) window = n;
    Arena a = {0};
    Err err = ERR_OK;
    j->ids = arena_array(&a, int32_t, window * j->m->max_tokens);
    j->counts = arena_array(&a, uint32_t, window);
    j->seconds = arena_array(&a, uint32_t, window);
    j->order = arena_array(&a, uint32_t, window);
    j->batches = arena_array(&a, Batch, window);
    if (!j->ids || !j->counts || !j->seconds || !j->order || !j->batches) err = arena_error();
    for (size_t from = 0; !err && from < n; from += window) {
        j->first = j->opts->first + from;
        j->n = n - from < window ? n - from : window;
        j->texts = texts ? texts + from : NULL;
        j->given = given ? given + from : NULL;
        j->out = out + from * j->width;
        j->info = info ? info + from : NULL;
        err = embed_window(j, pool);
    }
    arena_free(&a);
    return err;
}

static const EmbedOpts no_opts;

/* Whether this model embeds at all, and so short: the width is in j then. */
static Err embed_check(EmbedJob *j) {
    const Model *m = j->m;
    if (m->info.pooling == POOL_RANK)
        return err_set(ERR_UNSUPPORTED, "model '%.*s' is a reranker, it cannot embed", STR_FMT(m->info.name));
    if (m->info.pooling == POOL_NONE)
        return err_set(ERR_UNSUPPORTED, "model '%s' was opened to generate, it cannot embed", gguf_name(m->gguf));
    j->width = m->info.dim;
    if (j->opts->dimensions > j->width)
        return err_set(ERR_LIMIT, "%zu dimensions are not possible: model '%s' has %zu", j->opts->dimensions,
                       gguf_name(m->gguf), j->width);
    if (j->opts->dimensions) j->width = j->opts->dimensions;
    return ERR_OK;
}

Err model_embed(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                EmbedInfo *info) {
    EmbedJob j = {.m = m, .opts = opts ? opts : &no_opts};
    if (n && m->remote && m->info.pooling != POOL_RANK)
        return remote_embed(m->remote, &m->info, pool, texts, n, opts, out, info);
    TRY(embed_check(&j));
    return n ? embed_all(&j, pool, texts, NULL, n, out, info) : ERR_OK;
}

Err model_embed_tokens(const Model *m, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts, float *out,
                       TokensTake take, void *ctx) {
    EmbedJob j = {.m = m, .opts = opts ? opts : &no_opts, .take = take, .take_ctx = ctx};
    if (m->remote)
        return err_set(ERR_UNSUPPORTED, "model '%.*s' tells nothing of single tokens", STR_FMT(m->info.name));
    TRY(embed_check(&j));
    return n ? embed_all(&j, pool, texts, NULL, n, out, NULL) : ERR_OK;
}

Err model_embed_ids(const Model *m, Pool *pool, const TokenIds *lists, size_t n, const EmbedOpts *opts, float *out,
                    EmbedInfo *info) {
    EmbedJob j = {.m = m, .opts = opts ? opts : &no_opts};
    if (m->remote) return err_set(ERR_UNSUPPORTED, "model '%.*s' takes texts, no token ids", STR_FMT(m->info.name));
    TRY(embed_check(&j));
    return n ? embed_all(&j, pool, NULL, lists, n, out, info) : ERR_OK;
}

Err model_rerank(const Model *m, Pool *pool, Str query, const Str *docs, size_t n, const EmbedOpts *opts, float *scores,
                 EmbedInfo *info) {
    Pair pair;
    Arena a = {0};
    EmbedJob j = {.m = m, .opts = opts ? opts : &no_opts, .width = 1, .pair = &pair};
    if (m->info.pooling != POOL_RANK)
        return err_set(ERR_UNSUPPORTED, "model '%.*s' is not a reranker", STR_FMT(m->info.name));
    if (n == 0) return ERR_OK;
    if (m->remote) return remote_rerank(m->remote, query, docs, n, j.opts, scores, info);
    Err err = pair_open(&pair, &a, m->gguf, m->tok, m->max_tokens, query);
    if (!err) err = embed_all(&j, pool, docs, NULL, n, scores, info);
    arena_free(&a);
    return err;
}
