/* cmd_collection.c - `pythia collection list|show|rename|rm`. */
#include <stdio.h>
#include <unistd.h>

#include "cli/collections.h"
#include "cli/table.h"

void collection_text(Buf *b, const Term *t, const PythiaCollection *c) {
    style_on(b, t, STYLE_BOLD);
    safe_path(b, c->name);
    style_off(b, t);
    buf_add_z(b, "  ");
    safe_path(b, c->root);
    if (c->root_missing) style_add(b, t, STYLE_BAD, "  the folder is gone");
    buf_char(b, '\n');
    if (c->describe.n) {
        buf_add_z(b, "  ");
        safe_path(b, c->describe);
        buf_char(b, '\n');
    }
    buf_add_z(b, "  documents  ");
    number_add(b, c->documents);
    buf_add_z(b, " of ");
    bytes_add(b, c->text_bytes);
    if (c->skipped) buf_printf(b, ", %lld skipped", (long long)c->skipped);
    if (c->failed) buf_printf(b, ", %lld failed", (long long)c->failed);
    buf_add_z(b, "\n  chunks     ");
    number_add(b, c->chunks);
    buf_printf(b, ", %d %% with vectors", c->chunks ? (int)(100 * c->embedded / c->chunks) : 100);
    if (c->pending)
        buf_printf(b, " (%lld pending%s)", (long long)c->pending, c->statics ? ", judged by static vectors" : "");
    if (c->skimmed) {
        buf_add_z(b, "\n  skimmed    ");
        number_add(b, c->skimmed);
        buf_add_z(b, c->skimmed == 1 ? " file, still to be cut" : " files, still to be cut");
    }
    buf_add_z(b, "\n  model      ");
    safe_path(b, c->model);
    if (c->dim) buf_printf(b, ", %lld dimensions", (long long)c->dim);
    if (c->model_missing) style_add(b, t, STYLE_BAD, "  missing: pythia model list");
    buf_add_z(b, "\n  index      ");
    safe_path(b, c->index_kind);
    buf_add_z(b, ", ");
    bytes_add(b, c->index_bytes);
    buf_add_z(b, ", words ");
    bytes_add(b, c->lexical_bytes);
    buf_add_z(b, ", store ");
    safe_path(b, c->store);
    if (c->index_why.n) buf_printf(b, "\n             auto: %.*s", STR_FMT(c->index_why));
    if (c->index_hint.n) buf_printf(b, "\n             %.*s", STR_FMT(c->index_hint));
    buf_add_z(b, "\n  updated    ");
    char iso[32] = "never";
    if (c->updated_ms > 0) clock_iso(c->updated_ms, iso);
    buf_add_z(b, iso);
    if (c->last_run_state.n) {
        buf_add_z(b, ", last run ");
        safe_path(b, c->last_run_state);
    }
    if (c->last_run_error.n) {
        buf_add_z(b, ": ");
        safe_path(b, c->last_run_error);
    }
    buf_char(b, '\n');
}

Err cmd_collection_show(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaCollection c = {0};
    TRY(cli_engine(cli, &p));
    TRY(pythia_collection(p, &cli->arena, cli->args.n_words ? cli->args.words[0] : STR(""), &c));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "collection");
        jout_begin(&j, '{');
        reply_collection_members(&j, &c);
        jout_end(&j, '}');
        cli_json_end(cli, &j);
    } else {
        collection_text(&cli->out, &cli->out_term, &c);
    }
    return ERR_OK;
}

static Err list_table(Cli *cli, const PythiaCollection *list, size_t n) {
    static const TableColumn columns[] = {{"NAME", false}, {"DOCUMENTS", true}, {"CHUNKS", true}, {"VECTORS", true},
                                          {"SIZE", true},  {"MODEL", false},    {"ROOT", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    const char **cells = arena_array(&cli->arena, const char *, n *COLUMNS);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const PythiaCollection *c = &list[i];
        const char **row = cells + i * COLUMNS;
        row[0] = cell_safe(&cli->arena, c->name);
        row[1] = cell_number(&cli->arena, c->documents);
        row[2] = cell_number(&cli->arena, c->chunks);
        row[3] = arena_printf(&cli->arena, "%d %%", c->chunks ? (int)(100 * c->embedded / c->chunks) : 100).p;
        row[4] = cell_bytes(&cli->arena, c->index_bytes + c->lexical_bytes);
        row[5] = cell_safe(&cli->arena, c->model);
        row[6] = c->root_missing ? arena_printf(&cli->arena, "%s (gone)", cell_safe(&cli->arena, c->root)).p
                                 : cell_safe(&cli->arena, c->root);
    }
    for (size_t i = 0; i < n * COLUMNS; i++)
        if (!cells[i]) return arena_error();
    table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

Err cmd_collection_list(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaCollection *list = NULL;
    size_t n = 0;
    TRY(cli_engine(cli, &p));
    TRY(pythia_collections(p, &cli->arena, &list, &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "collections");
        jout_begin(&j, '[');
        for (size_t i = 0; i < n; i++) {
            jout_begin(&j, '{');
            reply_collection_members(&j, &list[i]);
            jout_end(&j, '}');
        }
        jout_end(&j, ']');
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    if (args_has(&cli->args, "quiet")) {
        for (size_t i = 0; i < n; i++) {
            safe_path(&cli->out, list[i].name);
            buf_char(&cli->out, '\n');
        }
        return ERR_OK;
    }
    if (n) return list_table(cli, list, n);
    cli_say(cli, "no collections yet; run: pythia index");
    return ERR_OK;
}

/* {"status":"ok", key: name} or a line of talk. */
static Err done(Cli *cli, const char *key, Str name, const char *talk) {
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_str(&j, key, name);
        cli_json_end(cli, &j);
    } else {
        cli_say(cli, "%s", talk);
    }
    return ERR_OK;
}

Err cmd_collection_rename(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    const Str *w = cli->args.words;
    Pythia *p = NULL;
    TRY(cli_engine(cli, &p));
    TRY(pythia_collection_rename(p, w[0], w[1]));
    Str talk = arena_printf(&cli->arena, "'%.*s' is now '%.*s'", STR_FMT(w[0]), STR_FMT(w[1]));
    return talk.p ? done(cli, "renamed", w[1], talk.p) : arena_error();
}

/* Asks on a terminal. Elsewhere nobody can answer, so --yes is needed. */
static Err removal_confirm(Cli *cli, const PythiaCollection *c) {
    if (args_has(&cli->args, "yes")) return ERR_OK;
    bool can_ask = isatty(STDIN_FILENO) && cli->err_term.tty && !cli->json;
    if (!can_ask)
        return err_fix(
            err_set(ERR_USAGE, "removing collection '%.*s' needs '--yes' when nobody can be asked", STR_FMT(c->name)),
            "pythia collection rm %.*s --yes", STR_FMT(c->name));
    cli_say(cli, "forget collection '%.*s' (%lld documents; the files under '%.*s' stay)? y/N", STR_FMT(c->name),
            (long long)c->documents, STR_FMT(c->root));
    char answer[16] = "";
    ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);
    if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y')) return ERR_OK;
    return err_set(ERR_NOTHING, "collection '%.*s' was kept", STR_FMT(c->name));
}

Err cmd_collection_remove(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    Pythia *p = NULL;
    PythiaCollection c = {0};
    TRY(cli_engine(cli, &p));
    TRY(pythia_collection(p, &cli->arena, cli->args.words[0], &c));
    TRY(removal_confirm(cli, &c));
    TRY(pythia_collection_remove(p, c.name));
    Str talk = arena_printf(&cli->arena, "collection '%.*s' is forgotten; its files stay", STR_FMT(c.name));
    return talk.p ? done(cli, "removed", c.name, talk.p) : arena_error();
}
