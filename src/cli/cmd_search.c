/* cmd_search.c - `pythia search` and `pythia similar`: flags to a request, the reply to hits.c, and the line below the
 * hits. */
#include <stdio.h>

#include "base/file.h"
#include "cli/hits.h"
#include "cli/searching.h"
#include "cli/sharing.h"

static const int64_t CONTEXT_MAX = 100000;   /* lines of -A/-B/-C */
static const int64_t TOKENS_MAX = 100000000; /* of --max-tokens */
static const size_t BYTES_PER_TOKEN = 4;     /* what agents' token counts come to for code and English */

static Err format_choose(Cli *cli, HitFormat *out) {
    static const struct {
        const char *flag;
        HitFormat format;
    } short_forms[] = {{"json", FORMAT_JSON}, {"jsonl", FORMAT_JSONL}, {"files", FORMAT_FILES}};
    static const char *const names[] = {"text", "json", "jsonl", "md", "files", "vimgrep"}; /* in HitFormat's order */
    const char *chosen = NULL;
    *out = FORMAT_TEXT;
    if (args_has(&cli->args, "format")) {
        Str name = args_str(&cli->args, "format");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (str_is(name, names[i])) *out = (HitFormat)i;
        chosen = "format";
    }
    for (size_t i = 0; i < sizeof short_forms / sizeof *short_forms; i++) {
        if (!args_has(&cli->args, short_forms[i].flag)) continue;
        if (chosen && *out != short_forms[i].format)
            return err_set(ERR_USAGE, "'--%s' and '--%s' ask for two output formats", chosen, short_forms[i].flag);
        *out = short_forms[i].format;
        chosen = short_forms[i].flag;
    }
    return ERR_OK;
}

static Err view_from_flags(Cli *cli, HitView *v) {
    *v = (HitView){.before = -1, .after = -1};
    TRY(format_choose(cli, &v->format));
    cli->json = v->format == FORMAT_JSON || v->format == FORMAT_JSONL;
    v->pretty = cli->out_term.tty || cli->out_term.color;
    v->full = args_has(&cli->args, "full");
    v->explain = args_has(&cli->args, "explain");
    v->null = args_has(&cli->args, "null");
    if (v->null && v->format != FORMAT_FILES) return err_set(ERR_USAGE, "'--null' is for lists of files; add '-l'");
    v->fusion = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_FUSION));
    v->mode = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_MODE));
    v->alpha = config_float(cli->config, CONF_SEARCH_ALPHA);
    v->weight = config_float(cli->config, CONF_SEARCH_RERANK_WEIGHT);
    int64_t before = -1, after = -1, tokens = 0;
    TRY(args_i64(&cli->args, "context", 0, CONTEXT_MAX, &before));
    after = before;
    TRY(args_i64(&cli->args, "before-context", 0, CONTEXT_MAX, &before));
    TRY(args_i64(&cli->args, "after-context", 0, CONTEXT_MAX, &after));
    TRY(args_i64(&cli->args, "max-tokens", 1, TOKENS_MAX, &tokens));
    v->before = (int32_t)before;
    v->after = (int32_t)after;
    v->budget = (size_t)tokens * BYTES_PER_TOKEN;
    return v->fusion && v->mode ? ERR_OK : arena_error();
}

/* A question of several words without quotes looks like a query and paths: say so instead of "no collection". */
static Err paths_check(Cli *cli) {
    const Args *args = &cli->args;
    if (args_has(args, "in")) return ERR_OK; /* then paths are relative to the collections' roots */
    for (size_t i = 1; i < args->n_words; i++) {
        FileInfo info;
        TRY(file_info(arena_cstr(&cli->arena, args->words[i]), false, &info));
        if (info.type != FILE_NONE) continue;
        Buf all = {0};
        for (size_t k = 0; k < args->n_words; k++) {
            if (k) buf_char(&all, ' ');
            buf_add(&all, args->words[k]);
        }
        Err err = err_set(ERR_USAGE, "no file or folder '%.*s' to search in; a query of several words needs quotes",
                          STR_FMT(args->words[i]));
        err = err_fix(err, "pythia search \"%s\"", all.p ? all.p : "");
        buf_free(&all);
        return err;
    }
    return ERR_OK;
}

static Err request_from_flags(Cli *cli, const HitView *v, bool like, PythiaSearch *rq) {
    const Args *args = &cli->args;
    if (!str_trim(args->words[0]).n) return err_fix(err_set(ERR_USAGE, "the query is empty"), "pythia help search");
    TRY(paths_check(cli));
    TRY(search_from_flags(cli, args->words[0], rq));
    if (like) rq->like = rq->query;
    rq->paths = args->words + 1;
    rq->n_paths = args->n_words - 1;
    int64_t limit = config_int(cli->config, CONF_SEARCH_LIMIT);
    if (limit < 1) return err_set(ERR_USAGE, "search.limit cannot be '%lld'; valid: 1 or more", (long long)limit);
    rq->limit = (size_t)limit;
    rq->full = args_has(args, "full");
    rq->min_score = config_float(cli->config, CONF_SEARCH_MIN_SCORE);
    if (like) return ERR_OK;
    rq->rerank = args_has(args, "rerank");
    /* A list of places has them all. */
    const bool places = v->format == FORMAT_FILES || v->format == FORMAT_VIMGREP;
    rq->collapse = places || args_has(args, "no-collapse") ? -1 : 0;
    return ERR_OK;
}

/* Whoever searches while a large tree is taken in finds its words in coarse pieces, and shall know. */
static void skimmed_add(Buf *b, const PythiaReply *r) {
    if (r->coverage.skimmed == 0) return;
    buf_add_z(b, " · ");
    number_add(b, r->coverage.skimmed);
    buf_add_z(b, r->coverage.skimmed == 1 ? " file skimmed so far" : " files skimmed so far");
}

/* Places that stand with their hits, not as hits. */
static void copies_say(Buf *b, const PythiaReply *r, size_t shown) {
    int64_t n = 0;
    for (size_t i = 0; i < shown; i++) n += (int64_t)r->hits[i].n_copies + r->hits[i].more_copies;
    if (n == 0) return;
    buf_add_z(b, " · ");
    number_add(b, n);
    buf_add_z(b, n == 1 ? " copy elsewhere" : " copies elsewhere");
}

/* How far a reranker came. */
static void reranked_say(Buf *b, const PythiaReranked *r) {
    if (!r->any) return;
    buf_printf(b, " · %lld", (long long)r->scored);
    if (r->scored < r->wanted) buf_printf(b, " of %lld", (long long)r->wanted);
    buf_add_z(b, " reranked");
}

/* "3 of 41 hits · 8 ms · index 100 % (2 files pending)" */
static void footer_say(Cli *cli, const PythiaReply *r, size_t shown) {
    Buf b = {0};
    number_add(&b, (int64_t)shown);
    if (r->total > (int64_t)shown) {
        buf_add_z(&b, " of ");
        number_add(&b, r->total);
    }
    buf_add_z(&b, r->total == 1 ? " hit · " : " hits · ");
    seconds_add(&b, r->took_ms / 1000);
    buf_printf(&b, " · index %d %%", (int)(r->coverage.ratio * 100));
    if (r->coverage.pending > 0)
        buf_printf(&b, " (%lld %s pending)", (long long)r->coverage.pending,
                   r->coverage.pending == 1 ? "file" : "files");
    if (r->coverage.statics) buf_add_z(&b, ", judged by static vectors so far");
    skimmed_add(&b, r);
    if (r->coverage.stale > 0) buf_printf(&b, " · %lld out of date: run pythia index", (long long)r->coverage.stale);
    copies_say(&b, r, shown);
    reranked_say(&b, &r->reranked);
    if (r->deadline_hit) buf_add_z(&b, " · deadline reached: what was found by then");
    cli_say(cli, "%s", b.p ? b.p : "");
    buf_free(&b);
}

static void timing_say(Cli *cli, const PythiaReply *r) {
    cli_say(
        cli,
        "open %.1f ms · model %.1f · embed %.1f · words %.1f · vectors %.1f · fuse %.1f · freshness %.1f · in all %.1f",
        r->timing.open_ms, r->timing.model_ms, r->timing.embed_ms, r->timing.lexical_ms, r->timing.vector_ms,
        r->timing.fuse_ms, r->timing.fresh_ms, r->took_ms);
    if (cli->answered_by.n) cli_say(cli, "answered by %.*s", STR_FMT(cli->answered_by));
    if (r->reranked.any)
        cli_say(cli, "reranked by %.*s: %lld of %lld hits in %.1f ms", STR_FMT(r->reranked.model),
                (long long)r->reranked.scored, (long long)r->reranked.wanted, r->reranked.ms);
    const PythiaRecomputed *c = &r->recomputed;
    if (!c->any) return;
    cli_say(cli, "vectors computed anew: %lld in %.1f ms, %lld known from before, %lld lost (text changed) · %s",
            (long long)c->computed, c->ms, (long long)c->cached, (long long)c->lost,
            c->proven ? "proven: no other chunk belongs among the hits"
                      : "not proven: see index.search_complexity and --deadline");
}

static Err nothing_found(Cli *cli, const PythiaReply *r) {
    if (r->deadline_hit) return err_set(ERR_DEADLINE, "nothing was found before the deadline");
    Buf b = {0};
    skimmed_add(&b, r);
    cli_say(cli, "nothing found for '%.*s' · index %d %%%s", STR_FMT(r->query), (int)(r->coverage.ratio * 100),
            b.p ? b.p : "");
    buf_free(&b);
    return err_set(ERR_NOTHING, "nothing found for '%.*s'", STR_FMT(r->query));
}

static Err find_and_show(Cli *cli, bool like) {
    HitView view;
    PythiaSearch rq;
    TRY(view_from_flags(cli, &view));
    TRY(request_from_flags(cli, &view, like, &rq));
    PythiaReply reply = {0};
    TRY(cli_search(cli, &rq, &reply));
    if (reply.n == 0 && reply.deadline_hit) return nothing_found(cli, &reply);
    for (size_t i = 1; i < reply.n; i++) view.several |= !str_eq(reply.hits[i].collection, reply.hits[0].collection);
    size_t shown = 0;
    TRY(hits_print(cli, &view, &reply, &shown));
    TRY(cli_flush(cli)); /* before the line below them */
    if (reply.n == 0) return nothing_found(cli, &reply);
    if (view.format == FORMAT_TEXT) footer_say(cli, &reply, shown);
    if (view.format == FORMAT_TEXT && view.explain) timing_say(cli, &reply);
    if (shown < reply.n)
        cli_say(cli, "stopped at about %zu tokens: %zu of %zu hits shown; raise --max-tokens for more",
                view.budget / BYTES_PER_TOKEN, shown, reply.n);
    return ERR_OK;
}

Err cmd_search(Cli *cli) { return find_and_show(cli, false); }
Err cmd_similar(Cli *cli) { return find_and_show(cli, true); }
