/* arch_static.c - a table of token vectors as a model: what `pythia model distill` makes (distill.h).
 *
 * There is no network: a token's hidden vector is its row, whatever stands beside it, and embed.c takes the mean. How
 * much a token counts is its row's length; the rows of tokens that mean nothing (marks around a text, the unknown one)
 * are zeros and fall out of the sum by themselves. A text of nothing else has the vector 0, which is like no other.
 *
 *   general.architecture            "pythia-static"
 *   pythia-static.embedding_length  columns of the table
 *   pythia-static.context_length    tokens of a text: its parent's, so that both take the same chunks
 *   pythia-static.pooling_type      1, the mean
 *   token_embd.weight               [vocabulary, columns], F16
 *
 * Rows are decoded as they stand in the mapped file: nothing is loaded at opening, and a process that embeds one query
 * touches a few pages.
 */
#include <stdlib.h>

#include "model/info.h"
#include "model/net.h"

typedef struct {
    const Kern *kern;
    const GgufTensor *tokens; /* [vocabulary, dim] */
    size_t row_bytes;
} Table;

enum { AHEAD = 8 }; /* rows */

static void table_close(void *net) { free(net); }

static Err table_open(void **net, const NetOpen *o) {
    const GgufTensor *tokens = gguf_tensor(o->gguf, "token_embd.weight");
    *net = NULL;
    TRY(net_tensor(o->gguf, "token_embd.weight", tokens ? (size_t)tokens->shape[1] : 1, o->info->dim, &tokens));
    if (o->info->pooling != POOL_MEAN)
        return err_set(ERR_UNSUPPORTED, "model '%s' is a table of tokens that wants another pooling than the mean",
                       gguf_name(o->gguf));
    Table *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory for model '%s'", gguf_name(o->gguf));
    const BlockFormat *f = tokens->format;
    *t = (Table){o->kern, tokens, (size_t)tokens->shape[0] / f->items * f->bytes};
    *net = t;
    return ERR_OK;
}

static size_t table_tokens(const void *net) { return (size_t)((const Table *)net)->tokens->shape[1]; }

static size_t table_scratch(const void *net, size_t n_tokens, size_t longest, size_t threads) {
    (void)longest;
    (void)threads;
    return n_tokens * (size_t)((const Table *)net)->tokens->shape[0];
}

/* Rows lie anywhere in 16 MB; asked for in time, they do not keep the decoder waiting: 62,000 texts of 163 tokens a
 * second of one core, tokenizer and all, against 57,000. */
static void fetch_row(const Table *t, size_t row) {
    enum { LINE = 64 };
    const char *p = t->tokens->data.p + row * t->row_bytes;
    for (size_t at = 0; at < t->row_bytes; at += LINE) __builtin_prefetch(p + at);
}

static Err table_run(const void *net, const NetBatch *batch, const NetRun *run, const float **hidden) {
    const Table *t = net;
    size_t dim = (size_t)t->tokens->shape[0];
    for (size_t i = 0; i < batch->n_tokens; i++) {
        if (i + AHEAD < batch->n_tokens) fetch_row(t, (size_t)batch->ids[i + AHEAD]);
        net_row(t->kern, t->tokens, (size_t)batch->ids[i], run->scratch + i * dim);
    }
    *hidden = run->scratch;
    return ERR_OK;
}

const NetArch arch_static = {
    .name = INFO_STATIC,
    .open = table_open,
    .close = table_close,
    .n_tokens = table_tokens,
    .scratch = table_scratch,
    .run = table_run,
};
