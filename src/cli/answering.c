/* answering.c - see answering.h. */
#include "cli/answering.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/hits.h"
#include "cli/searching.h"
#include "cli/sharing.h"
#include "serve/reply.h"

static const int64_t SOURCES_MAX = 64, QUOTES_MAX = 8;

Err ask_from_flags(Cli *cli, Str question, PythiaAsk *rq) {
    int64_t sources = 0, quotes = 0;
    *rq = (PythiaAsk){0};
    cli->json = args_has(&cli->args, "json");
    TRY(search_from_flags(cli, question, &rq->search));
    TRY(args_i64(&cli->args, "sources", 1, SOURCES_MAX, &sources));
    TRY(args_i64(&cli->args, "quotes", 1, QUOTES_MAX, &quotes));
    rq->search.limit = (size_t)sources;
    rq->quotes = (size_t)quotes;
    rq->threshold = config_float(cli->config, CONF_ASK_ABSTAIN);
    rq->extractive = args_has(&cli->args, "extractive");
    rq->sources_only = args_has(&cli->args, "sources-only");
    rq->whole = cli->json || args_has(&cli->args, "no-stream");
    rq->session = args_has(&cli->args, "session") ? args_str(&cli->args, "session") : STR("");
    return ERR_OK;
}

/* "src/net/retry.c:42" or "page 3 of guide.pdf". */
static void place_add(Cli *cli, Buf *b, const PythiaHit *h, const PythiaCitation *c) {
    buf_add(b, path_shown(cli, h->path, h->uri));
    if (h->page > 0)
        buf_printf(b, " page %d", h->page);
    else
        buf_printf(b, ":%d", c->start_line);
    if (c->end_line > c->start_line && h->page <= 0) buf_printf(b, "-%d", c->end_line);
}

/* Two sentences of one line are one place. */
static bool is_named(const PythiaAnswer *r, size_t at) {
    const PythiaCitation *c = &r->citations[at];
    for (size_t i = 0; i < at; i++) {
        const PythiaCitation *o = &r->citations[i];
        if (o->source == c->source && o->start_line == c->start_line && o->end_line == c->end_line) return true;
    }
    return false;
}

/* Where it is cited, or all of it when nothing is. A source that nothing cites is no part of an answer. */
static bool source_add(Cli *cli, Buf *b, const PythiaAnswer *r, size_t number) {
    const PythiaHit *h = &r->sources[number - 1];
    const char *separator = "";
    const size_t before = b->n;
    const PythiaCitation whole = {.source = number, .start_line = h->start_line, .end_line = h->end_line};
    buf_printf(b, "[%zu] ", number);
    const size_t start = b->n;
    for (size_t i = 0; i < r->n_citations; i++) {
        if (r->citations[i].source != number || is_named(r, i)) continue;
        buf_add_z(b, separator);
        place_add(cli, b, h, &r->citations[i]);
        separator = ", ";
    }
    if (r->n_citations == 0) place_add(cli, b, h, &whole);
    if (b->n == start) {
        b->n = before;
        return false;
    }
    if (h->symbol.n) buf_printf(b, "  %.*s", STR_FMT(h->symbol));
    if (!h->symbol.n && h->heading.n) buf_printf(b, "  %.*s", STR_FMT(h->heading));
    if (!str_is(str_of(h->freshness), "fresh")) buf_printf(b, "  (%s)", h->freshness);
    buf_char(b, '\n');
    return true;
}

static Err text_print(Cli *cli, Str text) {
    Buf b = {0};
    safe_text(&b, text);
    const Err err = buf_ok(&b);
    if (!err) buf_add(&cli->out, buf_str(&b));
    buf_free(&b);
    return err ? err : cli_flush(cli);
}

/* The answer as it is written: each part has been checked. */
typedef struct {
    Cli *cli;
    bool any;
    Err err;
} Printing;

static bool print_news(void *ctx, const PythiaAskNews *news) {
    Printing *p = ctx;
    if (news->what != ASK_DELTA) return true;
    p->any = true;
    p->err = text_print(p->cli, news->delta);
    return !p->err && !p->cli->out_closed;
}

/* One line on stderr: how sure, from what, and how long it took. */
static void tell_measures(Cli *cli, const PythiaAnswer *r, size_t cited) {
    if (strcmp(r->writer, "extractive") == 0) {
        cli_say(cli, "confidence %.2f · %zu of %zu hits quoted · %.0f ms", r->confidence, cited, r->found.n,
                r->took_ms);
        return;
    }
    cli_say(cli,
            "confidence %.2f · %.*s read %zu sources (%zu tokens), %zu cited, %zu of its sentences left out · %.0f ms",
            r->confidence, STR_FMT(r->model), r->n_sources, r->context_tokens, cited, r->n_refused, r->took_ms);
}

/* printed: the answer stands there already. */
static Err answer_print(Cli *cli, const PythiaAnswer *r, bool printed) {
    Buf list = {0};
    size_t cited = 0;
    if (r->answer.n && !printed) TRY(text_print(cli, r->answer));
    if (r->answer.n) buf_add_z(&cli->out, "\n\n");
    for (size_t i = 1; i <= r->n_sources; i++) cited += source_add(cli, &list, r, i);
    Err err = buf_ok(&list);
    if (!err) err = text_print(cli, buf_str(&list)); /* before the line below it */
    buf_free(&list);
    TRY(err);
    tell_measures(cli, r, cited);
    return ERR_OK;
}

/* What was searched and what came nearest, on stderr. */
static Err abstain(Cli *cli, const PythiaAnswer *r) {
    if (r->confidence >= r->threshold)
        cli_say(cli,
                "searched %lld documents%s; nothing that %.*s wrote stands in the sources (%zu sentences left out)",
                (long long)r->found.coverage.indexed, r->found.coverage.pending ? ", not all embedded yet" : "",
                STR_FMT(r->model), r->n_refused);
    else
        cli_say(
            cli,
            "searched %lld documents%s; the best hits do not answer it (confidence %.2f, %.2f is wanted: --abstain)",
            (long long)r->found.coverage.indexed, r->found.coverage.pending ? ", not all embedded yet" : "",
            r->confidence, r->threshold);
    if (r->n_citations) {
        Buf b = {0};
        place_add(cli, &b, &r->sources[0], &r->citations[0]);
        cli_say(cli, "nearest: %s", b.p ? b.p : "");
        buf_free(&b);
    }
    return err_set(ERR_NOTHING, "no answer was found for '%.*s'", STR_FMT(r->question));
}

Err ask_and_print(Cli *cli, Arena *a, PythiaAsk *rq, PythiaAnswer *reply) {
    Printing printing = {.cli = cli};
    if (!rq->whole) rq->tell = print_news, rq->tell_ctx = &printing;
    const Err err = cli_ask(cli, a, rq, reply);
    if (err && printing.any) buf_char(&cli->out, '\n'); /* what stands there was checked; the error comes below it */
    TRY(err);
    TRY(printing.err);
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        reply_answer_members(&j, reply, args_has(&cli->args, "explain"));
        cli_json_end(cli, &j);
        return reply->abstained ? err_set(ERR_NOTHING, "no answer") : cli_flush(cli);
    }
    return reply->abstained ? abstain(cli, reply) : answer_print(cli, reply, printing.any);
}
