/* filter.c - reading JSON lines as items, and the loop over them (filter.h). */
#include "cli/filter.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/lines.h"

static const size_t BATCH_BYTES = 1 << 20; /* a batch of long texts is handed on earlier */

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

static Err item_kind(const json_t *object, const char *fallback, Item *item) {
    Str kind = str_of(fallback);
    TRY(json_get_str(object, "kind", &kind));
    if (!str_is(kind, "query") && !str_is(kind, "document"))
        return err_set(ERR_INPUT, "'kind' cannot be '%.*s'; valid: query, document", STR_FMT(kind));
    item->is_query = str_is(kind, "query");
    return ERR_OK;
}

/* A string that must be there, copied. */
static Err item_str(Arena *a, const json_t *object, const char *key, Str *out) {
    Str s = {NULL, 0};
    TRY(json_get_str(object, key, &s));
    if (!s.p) return err_set(ERR_INPUT, "the key '%s' is missing", key);
    *out = arena_str(a, s);
    return out->p ? ERR_OK : arena_error();
}

static Err item_members(const LineFilter *f, Arena *a, const json_t *object, Item *item) {
    if (!json_is_object(object)) return err_set(ERR_INPUT, "not a JSON object");
    TRY(item_id(a, object, item));
    TRY(item_str(a, object, "text", &item->text));
    if (f->queries) TRY(item_str(a, object, "query", &item->query));
    return f->kind ? item_kind(object, f->kind, item) : ERR_OK;
}

/* An error says what is wrong with the line; it does not end the stream. */
static Err item_read(const LineFilter *f, Arena *a, Str line, int64_t number, Item *item) {
    char what[48];
    json_t *object = NULL;
    (void)snprintf(what, sizeof what, "line %lld", (long long)number);
    TRY(json_read(line, what, &object));
    Err err = item_members(f, a, object, item);
    json_decref(object);
    return err ? err_prefix(err, "%s", what) : ERR_OK;
}

Err item_refuse(Cli *cli, Arena *a, Item *item) {
    item->bad = true;
    item->problem = arena_str(a, str_of(err_text()));
    if (!item->problem.p) return arena_error();
    cli_warn(cli, "pythia: %s", err_text());
    return ERR_OK;
}

/* Blank lines are none. Returns false at the end of what is there (or of the stream: *ended). */
static Err batch_read(Cli *cli, const LineFilter *f, Arena *a, Lines *lines, Item *items, size_t *n, bool *ended) {
    size_t bytes = 0;
    *n = 0;
    while (*n < FILTER_BATCH && bytes < BATCH_BYTES) {
        LineState state;
        Str line = {NULL, 0};
        TRY(lines_next(lines, *n == 0, &state, &line));
        *ended = state == LINE_END;
        if (state == LINE_END || state == LINE_NOT_YET) return ERR_OK;
        if (state == LINE_GOT && !str_trim(line).n) continue;
        Item *item = &items[(*n)++];
        *item = (Item){.number = lines->number};
        bytes += line.n;
        Err err = state == LINE_TOO_LONG ? err_set(ERR_LIMIT, "line %lld: longer than %zu MB", (long long)lines->number,
                                                   LINE_BYTES_MAX >> 20)
                                         : item_read(f, a, line, lines->number, item);
        if (err == ERR_NOMEM) return err;
        if (!err) continue;
        TRY(item_refuse(cli, a, item));
    }
    return ERR_OK;
}

void item_begin(JsonOut *j, const Item *item) {
    jout_begin(j, '{');
    if (!item->id.n) return;
    jout_key(j, "id");
    jout_raw(j, item->id);
}

void item_error(JsonOut *j, const Item *item) {
    jout_key(j, "error");
    jout_begin(j, '{');
    jout_kv_z(j, "code", err_name(ERR_INPUT));
    jout_kv_str(j, "message", item->problem);
    jout_end(j, '}');
}

Err filter_run(Cli *cli, const LineFilter *f) {
    Lines lines = {.fd = STDIN_FILENO, .cancel = cli->cancel};
    Arena arena = {0};
    Item items[FILTER_BATCH];
    Err err = ERR_OK;
    int64_t total = 0, bad = 0;
    for (bool ended = false; !ended && !cli->out_closed;) {
        size_t n = 0;
        if ((err = batch_read(cli, f, &arena, &lines, items, &n, &ended))) goto done;
        total += (int64_t)n;
        if (n && (err = f->batch(cli, f->ctx, &arena, items, n))) goto done;
        for (size_t i = 0; i < n; i++) bad += items[i].bad;
        if (!f->hold && (err = cli_flush(cli))) goto done;
        arena_reset(&arena);
    }
    if (bad) err = err_set(ERR_PARTIAL, "%lld of %lld lines could not be read", (long long)bad, (long long)total);
done:
    arena_free(&arena);
    lines_free(&lines);
    return err;
}

Err filter_wanted(const Cli *cli, const Str *words, size_t n, bool *stream) {
    *stream = n == 0 || (n == 1 && str_is(words[0], "-"));
    if (n == 0 && isatty(STDIN_FILENO))
        return err_fix(err_set(ERR_USAGE, "no text given, and the standard input is a terminal"), "pythia help %s",
                       cli->args.command->name);
    return ERR_OK;
}
