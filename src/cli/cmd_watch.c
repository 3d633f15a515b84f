/* cmd_watch.c - `pythia watch`, and what `pythia index --watch` does: a line for each piece of news, as it comes. */
#include "cli/indexing.h"
#include "serve/reply.h"

static const char *const what_names[] = {"watching", "indexed", "embedded", "failed"};

static void news_json(JsonOut *j, const WatchNews *n) {
    jout_begin(j, '{');
    jout_kv_z(j, "event", what_names[n->what]);
    jout_kv_str(j, "collection", n->collection);
    jout_kv_str(j, "root", n->root);
    if (n->what == WATCH_BEGUN) {
        jout_kv_i64(j, "folders", (int64_t)n->folders);
        jout_kv_text(j, "polls", n->polls ? str_of(n->polls) : STR(""));
    }
    if (n->report) {
        jout_kv_f64(j, "ms", n->ms);
        jout_key(j, "report");
        index_report_json(j, n->report);
    }
    if (n->what == WATCH_FAILED) {
        jout_key(j, "error");
        jout_begin(j, '{');
        reply_error_members(j, n->err);
        jout_end(j, '}');
    }
    jout_end(j, '}');
}

static void news_text(Cli *cli, const WatchNews *n) {
    Buf *b = &cli->out;
    if (n->what == WATCH_FAILED) {
        const char *fix = err_fix_text();
        cli_warn(cli, "pythia: %.*s: %s%s%s", STR_FMT(n->collection), err_text(), fix[0] ? "; run: " : "", fix);
        return;
    }
    style_on(b, &cli->out_term, STYLE_BOLD);
    safe_path(b, n->collection);
    style_off(b, &cli->out_term);
    buf_add_z(b, ": ");
    if (n->what == WATCH_BEGUN) {
        buf_add_z(b, "watching ");
        safe_path(b, n->root);
        if (n->folders) buf_printf(b, " (%zu folders)", n->folders);
        if (n->polls) buf_printf(b, ", looking from time to time: %s", n->polls);
        buf_char(b, '\n');
    } else if (n->what == WATCH_EMBEDDED) {
        number_add(b, n->report->embedded + n->report->reused);
        buf_add_z(b, " chunks have their vectors\n");
    } else {
        index_counts_add(b, n->report);
    }
}

static Err news_tell(void *ctx, const WatchNews *news) {
    Cli *cli = ctx;
    if (cli->json) {
        JsonOut j = jout_to(&cli->out);
        const size_t from = cli->out.n;
        news_json(&j, news);
        cli_json_escape(&cli->out, from);
        buf_char(&cli->out, '\n');
        cli->answered = true;
    } else {
        news_text(cli, news);
    }
    TRY(cli_flush(cli));
    /* Nobody reads any more: like a program that SIGPIPE ends. */
    return cli->out_closed ? err_set(ERR_INTERRUPT, "the reader went away") : ERR_OK;
}

Err watch_run(Cli *cli, const IndexRequest *index) {
    Pythia *p = NULL;
    if (index->dry_run) return err_set(ERR_USAGE, "--dry-run and --watch do not go together");
    WatchRequest rq = {.index = *index, .tell = news_tell, .ctx = cli};
    if (str_is(str_of(cli->args.command->name), "watch")) {
        rq.all = args_has(&cli->args, "all");
        rq.poll = args_has(&cli->args, "poll");
        if (rq.all && index->n_paths) return err_set(ERR_USAGE, "--all and a PATH do not go together");
    }
    TRY(cli_engine(cli, &p));
    return pythia_watch(p, &rq);
}

Err cmd_watch(Cli *cli) {
    const Args *args = &cli->args;
    IndexRequest rq = {.paths = args->words, .n_paths = args->n_words, .lex_only = args_has(args, "lex-only")};
    cli->json = args_has(args, "json");
    if (args_has(args, "model")) rq.model = args_str(args, "model");
    rq.hidden = config_bool(cli->config, CONF_INDEX_HIDDEN);
    return watch_run(cli, &rq);
}
