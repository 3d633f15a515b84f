/* cmd_embed.c - the engine as a Unix filter: `pythia embed` and `pythia tokenize`, one text or JSON lines.
 *
 * Lines are taken in batches of what is there already, at most 64, so that a file streams at full speed and a program
 * that waits for each answer gets it. A bad line gives {"error"} in its place: lines in and lines out stay in step.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/lines.h"

enum { BATCH_LINES = 64 };
static const size_t BATCH_BYTES = 1 << 20; /* a batch of long texts is handed on earlier */

/* One line of input. */
typedef struct {
    Str id; /* JSON text of the id, "" none */
    Str text;
    bool query;
    bool bad;
    Str problem; /* of a bad line */
} Item;

typedef Err (*BatchFn)(Cli *cli, Arena *a, Item *items, size_t n);

/* The id is handed back as it came, whatever JSON it is. */
static Err item_id(Arena *a, const json_t *object, Item *item) {
    const json_t *id = json_object_get(object, "id");
    if (!id) return ERR_OK;
    char *text = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text) return err_set(ERR_NOMEM, "out of memory");
    item->id = arena_str(a, str_of(text));
    free(text);
    return item->id.p ? ERR_OK : arena_error();
}

/* An error says what is wrong with the line; it does not end the stream. */
static Err item_read(Arena *a, Str line, int64_t number, const char *default_kind, Item *item) {
    char what[48];
    json_t *object = NULL;
    (void)snprintf(what, sizeof what, "line %lld", (long long)number);
    TRY(json_read(line, what, &object));
    Err err = ERR_OK;
    Str kind = str_of(default_kind), text = {NULL, 0};
    if (!json_is_object(object)) {
        err = err_set(ERR_INPUT, "%s: not a JSON object", what);
        goto done;
    }
    if ((err = item_id(a, object, item))) goto done;
    if ((err = json_get_str(object, "text", &text)) || (err = json_get_str(object, "kind", &kind))) {
        err = err_prefix(err, "%s", what);
        goto done;
    }
    if (!text.p) {
        err = err_set(ERR_INPUT, "%s: the key 'text' is missing", what);
        goto done;
    }
    if (!str_is(kind, "query") && !str_is(kind, "document")) {
        err = err_set(ERR_INPUT, "%s: 'kind' cannot be '%.*s'; valid: query, document", what, STR_FMT(kind));
        goto done;
    }
    item->query = str_is(kind, "query");
    item->text = arena_str(a, text);
    if (!item->text.p) err = arena_error();
done:
    json_decref(object);
    return err;
}

/* Blank lines are none. Returns false at the end of what is there (or of the stream: *ended). */
static Err batch_read(Cli *cli, Arena *a, Lines *lines, const char *kind, Item *items, size_t *n, bool *ended) {
    size_t bytes = 0;
    *n = 0;
    while (*n < BATCH_LINES && bytes < BATCH_BYTES) {
        LineState state;
        Str line = {NULL, 0};
        TRY(lines_next(lines, *n == 0, &state, &line));
        *ended = state == LINE_END;
        if (state == LINE_END || state == LINE_NOT_YET) return ERR_OK;
        if (state == LINE_GOT && !str_trim(line).n) continue;
        Item *item = &items[(*n)++];
        *item = (Item){0};
        bytes += line.n;
        Err err = state == LINE_TOO_LONG ? err_set(ERR_LIMIT, "line %lld: longer than %zu MB", (long long)lines->number,
                                                   LINE_BYTES_MAX >> 20)
                                         : item_read(a, line, lines->number, kind, item);
        if (err == ERR_NOMEM) return err;
        if (!err) continue;
        item->bad = true;
        item->problem = arena_str(a, str_of(err_text()));
        cli_warn(cli, "pythia: %s", err_text());
    }
    return ERR_OK;
}

static void item_begin(JsonOut *j, const Item *item) {
    jout_begin(j, '{');
    if (!item->id.n) return;
    jout_key(j, "id");
    jout_raw(j, item->id);
}

static void item_bad(Cli *cli, const Item *item) {
    JsonOut j = jout_to(&cli->out);
    item_begin(&j, item);
    jout_key(&j, "error");
    jout_begin(&j, '{');
    jout_kv_z(&j, "code", err_name(ERR_INPUT));
    jout_kv_str(&j, "message", item->problem);
    jout_end(&j, '}');
    jout_end(&j, '}');
    buf_char(&cli->out, '\n');
}

static Err stream_run(Cli *cli, const char *kind, BatchFn batch) {
    Lines lines = {.fd = STDIN_FILENO, .cancel = cli->cancel};
    Arena arena = {0};
    Item items[BATCH_LINES];
    Err err = ERR_OK;
    int64_t total = 0, bad = 0;
    for (bool ended = false; !ended && !cli->out_closed;) {
        size_t n = 0;
        if ((err = batch_read(cli, &arena, &lines, kind, items, &n, &ended))) goto done;
        for (size_t i = 0; i < n; i++) bad += items[i].bad;
        total += (int64_t)n;
        if (n && (err = batch(cli, &arena, items, n))) goto done;
        if ((err = cli_flush(cli))) goto done;
        arena_reset(&arena);
    }
    if (bad) err = err_set(ERR_PARTIAL, "%lld of %lld lines could not be read", (long long)bad, (long long)total);
done:
    arena_free(&arena);
    lines_free(&lines);
    return err;
}

/* ---- embed ---- */

typedef struct {
    float *vectors; /* [n, dim] of one kind's texts */
    size_t dim;
    int32_t *tokens;
    bool *truncated;
} Embedded;

static Err embed_kind(Cli *cli, Arena *a, const Item *items, size_t n, bool query, Embedded *out) {
    Str texts[BATCH_LINES];
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (!items[i].bad && items[i].query == query) texts[count++] = items[i].text;
    if (!count) return ERR_OK;
    Pythia *p = NULL;
    TRY(cli_engine(cli, &p));
    PythiaEmbed rq = {.model = args_has(&cli->args, "model") ? args_str(&cli->args, "model") : STR(""), .query = query};
    return pythia_embed(p, a, &rq, texts, count, &out->vectors, &out->dim, &out->tokens, &out->truncated);
}

static void vector_add(JsonOut *j, const float *vector, size_t dim) {
    jout_key(j, "embedding");
    jout_begin(j, '[');
    for (size_t d = 0; d < dim; d++) jout_f32(j, vector[d]);
    jout_end(j, ']');
}

/* Queries and documents of a batch are embedded apart (their prefixes differ) and written in the order they came. */
static Err embed_batch(Cli *cli, Arena *a, Item *items, size_t n) {
    Embedded sets[2] = {{0}, {0}};
    size_t next[2] = {0, 0};
    for (int query = 0; query < 2; query++) TRY(embed_kind(cli, a, items, n, query, &sets[query]));
    for (size_t i = 0; i < n; i++) {
        if (items[i].bad) {
            item_bad(cli, &items[i]);
            continue;
        }
        const Embedded *e = &sets[items[i].query];
        size_t at = next[items[i].query]++;
        JsonOut j = jout_to(&cli->out);
        item_begin(&j, &items[i]);
        vector_add(&j, e->vectors + at * e->dim, e->dim);
        jout_kv_i64(&j, "dimension", (int64_t)e->dim);
        jout_kv_i64(&j, "tokens", e->tokens[at]);
        jout_kv_bool(&j, "truncated", e->truncated[at]);
        jout_end(&j, '}');
        buf_char(&cli->out, '\n');
    }
    return buf_ok(&cli->out);
}

/* TEXT, or "-" (also when nothing is given and stdin is not a terminal). */
static Err source_choose(Cli *cli, bool *stream) {
    *stream = cli->args.n_words == 0 || str_is(cli->args.words[0], "-");
    if (cli->args.n_words == 0 && isatty(STDIN_FILENO))
        return err_fix(err_set(ERR_USAGE, "no text given, and the standard input is a terminal"), "pythia help %s",
                       cli->args.command->name);
    return ERR_OK;
}

Err cmd_embed(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    bool stream = false, query = args_has(&cli->args, "kind") && str_is(args_str(&cli->args, "kind"), "query");
    TRY(source_choose(cli, &stream));
    if (stream) return stream_run(cli, query ? "query" : "document", embed_batch);
    Item item = {.text = cli->args.words[0], .query = query};
    TRY(embed_batch(cli, &cli->arena, &item, 1));
    cli->answered = true;
    return ERR_OK;
}

/* ---- tokenize ---- */

static Err tokenize_batch(Cli *cli, Arena *a, Item *items, size_t n) {
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
    TRY(source_choose(cli, &stream));
    if (stream) return stream_run(cli, "document", tokenize_batch);
    Item item = {.text = cli->args.words[0]};
    return tokenize_batch(cli, &cli->arena, &item, 1);
}
