/* cmd_embed.c - the engine as a Unix filter: `pythia embed` and `pythia tokenize`, one text or JSON lines. Lines in and
 * lines out stay in step: a bad line gives {"error"} in its place. */
#include "cli/filter.h"
#include "cli/sharing.h"

static void item_bad(Cli *cli, const Item *item) {
    JsonOut j = jout_to(&cli->out);
    item_begin(&j, item);
    item_error(&j, item);
    jout_end(&j, '}');
    buf_char(&cli->out, '\n');
}

/* ---- embed ---- */

typedef struct {
    float *vectors; /* [n, dim] of one kind's texts */
    size_t dim;
    int32_t *tokens;
    bool *truncated;
} Embedded;

static Err embed_kind(Cli *cli, Arena *a, const Item *items, size_t n, bool query, Embedded *out) {
    Str texts[FILTER_BATCH];
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (!items[i].bad && items[i].is_query == query) texts[count++] = items[i].text;
    if (!count) return ERR_OK;
    PythiaEmbed rq = {.model = args_has(&cli->args, "model") ? args_str(&cli->args, "model") : STR(""), .query = query};
    return cli_embed(cli, a, &rq, texts, count, &out->vectors, &out->dim, &out->tokens, &out->truncated);
}

/* Queries and documents of a batch are embedded apart (their prefixes differ) and written in the order they came. */
/* --truncate no: a text that was cut is refused. */
static Err refuse_cut(Cli *cli, Arena *a, Item *item, int32_t tokens) {
    Err err = item->number ? err_set(ERR_LIMIT, "line %lld: the text has more than the model's %d tokens",
                                     (long long)item->number, tokens)
                           : err_set(ERR_LIMIT, "the text has more than the model's %d tokens", tokens);
    return item->number ? item_refuse(cli, a, item) : err;
}

/* ctx: bool, whether texts may be cut. */
static Err embed_batch(Cli *cli, void *ctx, Arena *a, Item *items, size_t n) {
    const bool *may_cut = ctx;
    Embedded sets[2] = {{0}, {0}};
    size_t next[2] = {0, 0};
    for (int query = 0; query < 2; query++) TRY(embed_kind(cli, a, items, n, query, &sets[query]));
    for (size_t i = 0; i < n; i++) {
        if (items[i].bad) {
            item_bad(cli, &items[i]);
            continue;
        }
        const Embedded *e = &sets[items[i].is_query];
        size_t at = next[items[i].is_query]++;
        if (!*may_cut && e->truncated[at]) {
            TRY(refuse_cut(cli, a, &items[i], e->tokens[at]));
            item_bad(cli, &items[i]);
            continue;
        }
        JsonOut j = jout_to(&cli->out);
        item_begin(&j, &items[i]);
        reply_vector(&j, "embedding", e->vectors + at * e->dim, e->dim);
        jout_kv_i64(&j, "dimension", (int64_t)e->dim);
        jout_kv_i64(&j, "tokens", e->tokens[at]);
        jout_kv_bool(&j, "truncated", e->truncated[at]);
        jout_end(&j, '}');
        buf_char(&cli->out, '\n');
    }
    return buf_ok(&cli->out);
}

Err cmd_embed(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    bool stream = false, query = args_has(&cli->args, "kind") && str_is(args_str(&cli->args, "kind"), "query");
    TRY(filter_wanted(cli, cli->args.words, cli->args.n_words, &stream));
    bool may_cut = !args_has(&cli->args, "truncate") || str_is(args_str(&cli->args, "truncate"), "yes");
    const LineFilter filter = {.kind = query ? "query" : "document", .batch = embed_batch, .ctx = &may_cut};
    if (stream) return filter_run(cli, &filter);
    Item item = {.text = cli->args.words[0], .is_query = query};
    TRY(embed_batch(cli, &may_cut, &cli->arena, &item, 1));
    cli->answered = true;
    return ERR_OK;
}

/* ---- tokenize ---- */

static Err tokenize_batch(Cli *cli, void *ctx, Arena *a, Item *items, size_t n) {
    (void)ctx;
    Pythia *p = NULL;
    TRY(cli_engine(cli, &p));
    Str model = args_has(&cli->args, "model") ? args_str(&cli->args, "model") : STR("");
    for (size_t i = 0; i < n; i++) {
        if (items[i].bad) {
            item_bad(cli, &items[i]);
            continue;
        }
        int32_t *ids = NULL;
        size_t count = 0;
        TRY(pythia_tokenize(p, a, model, items[i].text, &ids, &count));
        JsonOut j = jout_to(&cli->out);
        item_begin(&j, &items[i]);
        jout_key(&j, "ids");
        jout_begin(&j, '[');
        for (size_t k = 0; k < count; k++) jout_i64(&j, ids[k]);
        jout_end(&j, ']');
        jout_end(&j, '}');
        buf_char(&cli->out, '\n');
    }
    return buf_ok(&cli->out);
}

Err cmd_tokenize(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    bool stream = false;
    TRY(filter_wanted(cli, cli->args.words, cli->args.n_words, &stream));
    if (stream) return filter_run(cli, &(LineFilter){.kind = "document", .batch = tokenize_batch});
    Item item = {.text = cli->args.words[0]};
    return tokenize_batch(cli, NULL, &cli->arena, &item, 1);
}
