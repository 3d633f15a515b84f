/* cmd_symbols.c - `pythia symbols`: the outline of a file, the definitions of a name, its uses and their patterns. */
#include <stdio.h>

#include "cli/hits.h"

enum { KIND_COLUMNS = 10, SIGNATURE_COLUMNS = 160 };
static const int64_t LIMIT_MAX = 1000000;

/* For eyes an outline by depth, for pipes "PATH:LINE:KIND:SYMBOL:SIGNATURE". */
static void symbol_piped(Cli *cli, const PythiaSymbol *s) {
    Buf *b = &cli->out;
    safe_path(b, path_shown(cli, s->file, s->uri));
    buf_printf(b, ":%d:%.*s:", s->line, STR_FMT(s->kind));
    safe_path(b, s->path);
    buf_char(b, ':');
    safe_text(b, s->signature);
    buf_char(b, '\n');
}

static void file_header(Cli *cli, const PythiaSymbol *s, bool first) {
    Buf *b = &cli->out;
    if (!first) buf_char(b, '\n');
    style_on(b, &cli->out_term, STYLE_PATH);
    path_link(b, &cli->out_term, s->uri, path_shown(cli, s->file, s->uri));
    style_off(b, &cli->out_term);
    buf_char(b, '\n');
}

static size_t depth_of(Str path) {
    size_t dots = 0;
    for (size_t i = 1; i + 1 < path.n; i++) dots += path.p[i] == '.';
    return dots < 8 ? dots : 8;
}

static void symbol_shown(Cli *cli, const PythiaSymbol *s) {
    Buf *b = &cli->out;
    const Term *t = &cli->out_term;
    style_on(b, t, STYLE_LINE);
    buf_printf(b, "%6d", s->line);
    style_off(b, t);
    buf_printf(b, "  %-*.*s  %*s", KIND_COLUMNS, STR_FMT(s->kind), (int)(2 * depth_of(s->path)), "");
    style_on(b, t, STYLE_BOLD);
    safe_path(b, s->path);
    style_off(b, t);
    if (s->signature.n) {
        buf_add_z(b, "  ");
        style_on(b, t, STYLE_DIM);
        safe_line(b, t, s->signature, SIGNATURE_COLUMNS, NULL, NULL);
        style_off(b, t);
    }
    buf_char(b, '\n');
}

static void symbols_text(Cli *cli, const PythiaSymbols *r) {
    const bool pretty = cli->out_term.tty || cli->out_term.color;
    for (size_t i = 0; i < r->n; i++) {
        const PythiaSymbol *s = &r->symbols[i];
        const bool new_file = i == 0 || !str_eq(s->uri, r->symbols[i - 1].uri);
        if (!pretty) {
            symbol_piped(cli, s);
            continue;
        }
        if (new_file) file_header(cli, s, i == 0);
        symbol_shown(cli, s);
    }
}

static void reference_text(Cli *cli, const PythiaReference *ref) {
    Buf *b = &cli->out;
    path_link(b, &cli->out_term, ref->uri, path_shown(cli, ref->file, ref->uri));
    style_on(b, &cli->out_term, STYLE_LINE);
    buf_printf(b, ":%d", ref->line);
    style_off(b, &cli->out_term);
    buf_char(b, ':');
    safe_text(b, ref->text);
    buf_char(b, '\n');
}

static void references_text(Cli *cli, const PythiaSymbols *r) {
    for (size_t i = 0; i < r->n_references; i++) reference_text(cli, &r->references[i]);
}

/* For eyes each pattern with examples below it, for pipes "COUNT<tab>PATTERN". */
static void usages_text(Cli *cli, const PythiaSymbols *r) {
    Buf *b = &cli->out;
    const bool pretty = cli->out_term.tty || cli->out_term.color;
    for (size_t i = 0; i < r->n_usages; i++) {
        const PythiaUsage *u = &r->usages[i];
        if (pretty && i) buf_char(b, '\n');
        buf_printf(b, pretty ? "%6lld  " : "%lld\t", (long long)u->count);
        style_on(b, &cli->out_term, STYLE_BOLD);
        safe_text(b, u->shape);
        style_off(b, &cli->out_term);
        buf_char(b, '\n');
        for (size_t k = 0; pretty && k < u->n; k++) {
            buf_add_z(b, "        ");
            reference_text(cli, &u->examples[k]);
        }
    }
}

static void footer_say(Cli *cli, const PythiaSymbolsRequest *rq, const PythiaSymbols *r) {
    if (r->stale) cli_warn(cli, "pythia: the file changed since it was indexed; run: pythia index");
    if (rq->usages) {
        cli_say(cli, "%zu of %lld patterns · %lld lines name it", r->n_usages, (long long)r->total_usages,
                (long long)r->total_references);
    } else if (rq->references) {
        cli_say(cli, "%zu of %lld places · %zu definitions", r->n_references, (long long)r->total_references, r->n);
    } else if (strcmp(r->how, "prefix") == 0 && r->n) {
        cli_say(cli, "nothing has exactly this name; %zu names begin so", r->n);
    }
}

static Err request_from_flags(Cli *cli, PythiaSymbolsRequest *rq) {
    const Args *args = &cli->args;
    int64_t limit = 0;
    *rq = (PythiaSymbolsRequest){
        .what = args->words[0], .references = args_has(args, "refs"), .usages = args_has(args, "usages")};
    if (rq->references && rq->usages) return err_set(ERR_USAGE, "'--refs' and '--usages' exclude each other");
    TRY(args_i64(args, "limit", 1, LIMIT_MAX, &limit));
    rq->limit = (size_t)limit;
    rq->collections = args_list(args, "in", &rq->n_collections);
    rq->langs = args_list(args, "lang", &rq->n_langs);
    rq->kinds = args_list(args, "kind", &rq->n_kinds);
    return ERR_OK;
}

Err cmd_symbols(Cli *cli) {
    PythiaSymbolsRequest rq;
    PythiaSymbols reply;
    Pythia *p = NULL;
    cli->json = args_has(&cli->args, "json");
    TRY(request_from_flags(cli, &rq));
    TRY(cli_engine(cli, &p));
    TRY(pythia_symbols(p, &cli->arena, &rq, &reply));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        reply_symbols_members(&j, &rq, &reply);
        cli_json_end(cli, &j);
    } else if (rq.usages) {
        usages_text(cli, &reply);
    } else if (rq.references) {
        references_text(cli, &reply);
    } else {
        symbols_text(cli, &reply);
    }
    TRY(cli_flush(cli));
    if (!cli->json) footer_say(cli, &rq, &reply);
    const size_t found = rq.usages ? reply.n_usages : rq.references ? reply.n_references : reply.n;
    if (found > 0) return ERR_OK;
    if (!cli->json)
        cli_say(cli, "%s", strcmp(reply.how, "file") == 0 ? "nothing is defined in it" : "nothing has this name");
    return err_set(ERR_NOTHING, "nothing is %s '%.*s'",
                   rq.usages       ? "used as"
                   : rq.references ? "named"
                                   : "defined as",
                   STR_FMT(rq.what));
}
