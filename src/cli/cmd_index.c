/* cmd_index.c - `pythia index`: progress while it runs, then what was done and what to do next. */
#include <stdio.h>

#include <unistd.h>

#include "base/file.h"
#include "cli/background.h"
#include "cli/indexing.h"
#include "cli/progress.h"

enum { REASONS_SHOWN = 4, FAILURES_SHOWN = 20 };

static Err request_from_flags(Cli *cli, IndexRequest *rq) {
    const Args *args = &cli->args;
    *rq = (IndexRequest){.paths = args->words, .n_paths = args->n_words};
    for (size_t i = 0; i < rq->n_paths; i++) {
        FileInfo info;
        TRY(file_info(arena_cstr(&cli->arena, rq->paths[i]), true, &info));
        if (info.type == FILE_NONE)
            return err_set(ERR_USAGE, "no file or folder '%.*s' to index", STR_FMT(rq->paths[i]));
    }
    if (args_has(args, "collection")) rq->collection = args_str(args, "collection");
    if (args_has(args, "model")) rq->model = args_str(args, "model");
    rq->globs = args_list(args, "glob", &rq->n_globs);
    rq->force = args_has(args, "force");
    rq->dry_run = args_has(args, "dry-run");
    rq->lex_only = args_has(args, "lex-only");
    rq->no_ignore = args_has(args, "no-ignore");
    rq->hidden = config_bool(cli->config, CONF_INDEX_HIDDEN);
    return ERR_OK;
}

/* ---- JSON ---- */

void index_report_json(JsonOut *j, const IndexReport *r) {
    jout_begin(j, '{');
    jout_kv_str(j, "collection", r->collection);
    jout_kv_str(j, "root", r->root);
    jout_kv_text(j, "model", r->model);
    jout_kv_text(j, "index", r->index_kind);
    jout_kv_text(j, "index_why", r->index_why);
    jout_kv_positive(j, "run", r->run);
    jout_kv_i64(j, "files_seen", r->files_seen);
    jout_kv_i64(j, "added", r->added);
    jout_kv_i64(j, "changed", r->changed);
    jout_kv_i64(j, "renamed", r->renamed);
    jout_kv_i64(j, "removed", r->removed);
    jout_kv_i64(j, "unchanged", r->unchanged);
    jout_kv_i64(j, "skipped", r->skipped);
    jout_kv_i64(j, "failed", r->failed);
    jout_kv_i64(j, "chunks", r->chunks);
    jout_kv_bool(j, "recut", r->recut);
    jout_kv_i64(j, "embedded", r->embedded);
    jout_kv_i64(j, "reused", r->reused);
    jout_kv_i64(j, "pending", r->pending);
    jout_kv_i64(j, "tokens", r->tokens);
    jout_kv_i64(j, "text_bytes", r->text_bytes);
    jout_kv_f64(j, "seconds", r->seconds);
    jout_kv_f64(j, "searchable_seconds", r->searchable_seconds);
    jout_kv_f64(j, "embed_seconds", r->embed_seconds);
    jout_kv_reasons(j, "failures", r->failures, r->n_failures);
    jout_kv_reasons(j, "plan", r->plan, r->n_plan);
    jout_end(j, '}');
}

/* A run with failures is an error to a program, with the reports beside it: what was done is done. */
static void reports_json(Cli *cli, Err outcome, const IndexReport *reports, size_t n) {
    JsonOut j = cli_json_begin_after(cli, outcome);
    jout_key(&j, "reports");
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) index_report_json(&j, &reports[i]);
    jout_end(&j, ']');
    cli_json_end(cli, &j);
}

/* ---- text ---- */

static void count_add(Buf *b, bool *first, int64_t v, const char *what) {
    if (!v) return;
    if (!*first) buf_add_z(b, ", ");
    *first = false;
    number_add(b, v);
    buf_printf(b, " %s", what);
}

void index_counts_add(Buf *b, const IndexReport *r) {
    bool first = true;
    count_add(b, &first, r->added, "added");
    count_add(b, &first, r->changed, "changed");
    count_add(b, &first, r->renamed, "renamed");
    count_add(b, &first, r->removed, "removed");
    count_add(b, &first, r->unchanged, "unchanged");
    count_add(b, &first, r->skipped, "skipped");
    count_add(b, &first, r->failed, "failed");
    if (first) buf_add_z(b, "no files");
    buf_char(b, '\n');
}

static void work_add(Buf *b, const IndexReport *r) {
    if (r->recut) buf_add_z(b, "  cut anew: an older pythia had made the chunks\n");
    buf_add_z(b, "  ");
    if (r->chunks) number_add(b, r->chunks);
    buf_add_z(b, r->chunks == 0 ? "no new chunks" : r->chunks == 1 ? " chunk" : " chunks");
    if (r->embedded || r->reused) {
        buf_add_z(b, " (");
        number_add(b, r->embedded);
        buf_add_z(b, " embedded, ");
        number_add(b, r->reused);
        buf_add_z(b, " reused)");
    }
    buf_add_z(b, " in ");
    seconds_add(b, r->seconds);
    if (r->embedded && r->embed_seconds > 0)
        buf_printf(b, " · %.0f chunks/s embedded", (double)r->embedded / r->embed_seconds);
    if (r->model.n) {
        buf_add_z(b, " · model ");
        safe_path(b, r->model);
    }
    buf_char(b, '\n');
}

/* "  skipped: 12 binary, 3 larger than 1 MB" */
static Err skips_add(Cli *cli, Buf *b, const IndexReport *r) {
    if (!r->skipped) return ERR_OK;
    PythiaStatus status = {0};
    TRY(pythia_status(cli->engine, &cli->arena, r->collection, false, &status));
    if (!status.n_skip_counts) return ERR_OK;
    buf_add_z(b, "  skipped: ");
    for (size_t i = 0; i < status.n_skip_counts && i < REASONS_SHOWN; i++) {
        if (i) buf_add_z(b, ", ");
        number_add(b, status.skip_counts[i].files);
        buf_char(b, ' ');
        safe_path(b, status.skip_counts[i].reason);
    }
    if (status.n_skip_counts > REASONS_SHOWN)
        buf_printf(b, " and %zu more reasons", status.n_skip_counts - REASONS_SHOWN);
    buf_add_z(b, " (pythia status)\n");
    return ERR_OK;
}

static void failures_add(Buf *b, const IndexReport *r) {
    for (size_t i = 0; i < r->n_failures && i < FAILURES_SHOWN; i++) {
        buf_add_z(b, "  failed: ");
        safe_path(b, r->failures[i].path);
        buf_add_z(b, ": ");
        safe_path(b, r->failures[i].reason);
        buf_char(b, '\n');
    }
    if (r->n_failures > FAILURES_SHOWN)
        buf_printf(b, "  and %zu more failures (pythia status)\n", r->n_failures - FAILURES_SHOWN);
}

static Err report_text(Cli *cli, const IndexReport *r) {
    Buf *b = &cli->out;
    style_on(b, &cli->out_term, STYLE_BOLD);
    safe_path(b, r->collection);
    style_off(b, &cli->out_term);
    buf_add_z(b, " (");
    safe_path(b, r->root);
    buf_add_z(b, "): ");
    index_counts_add(b, r);
    work_add(b, r);
    TRY(skips_add(cli, b, r));
    failures_add(b, r);
    if (r->index_why.n) buf_printf(b, "  index %.*s: %.*s\n", STR_FMT(r->index_kind), STR_FMT(r->index_why));
    return ERR_OK;
}

static void plan_text(Cli *cli, const IndexReport *r) {
    Buf *b = &cli->out;
    for (size_t i = 0; i < r->n_plan; i++) {
        safe_path(b, r->plan[i].reason);
        buf_add_z(b, "  ");
        safe_path(b, r->plan[i].path);
        buf_char(b, '\n');
    }
}

static void dry_run_say(Cli *cli, const IndexReport *r) {
    Buf b = {0};
    buf_printf(&b, "%.*s (%.*s): ", STR_FMT(r->collection), STR_FMT(r->root));
    index_counts_add(&b, r);
    cli_say(cli, "%.*snothing was done; the same command without --dry-run does it", (int)b.n, b.p ? b.p : "");
    buf_free(&b);
}

/* ---- ends ---- */

/* What the engine says of an interrupt is less than what the user wants to know: how far it is, and how to go on. */
static Err interrupted(Cli *cli, const Progress *progress, const IndexReport *reports, size_t n) {
    int64_t kept = progress->files, seen = 0;
    for (size_t i = 0; i < n; i++) seen += reports[i].files_seen;
    Buf b = {0};
    buf_add_z(&b, "interrupted: ");
    number_add(&b, kept);
    if (seen > 0) {
        buf_add_z(&b, " of ");
        number_add(&b, seen);
    }
    buf_add_z(&b, " files indexed and kept");
    if (progress->to_embed > 0) {
        buf_add_z(&b, ", ");
        number_add(&b, progress->embedded);
        buf_add_z(&b, " of ");
        number_add(&b, progress->to_embed);
        buf_add_z(&b, " chunks embedded");
    }
    Err err = err_set(ERR_INTERRUPT, "%s", b.p ? b.p : "interrupted");
    buf_free(&b);
    Buf words = {0};
    if (args_has(&cli->args, "collection"))
        buf_printf(&words, " --collection '%.*s'", STR_FMT(args_str(&cli->args, "collection")));
    for (size_t i = 0; i < cli->args.n_words; i++) buf_printf(&words, " '%.*s'", STR_FMT(cli->args.words[i]));
    err = err_fix(err, "pythia index%s to go on", words.p ? words.p : "");
    buf_free(&words);
    return err;
}

static Err reports_text(Cli *cli, const IndexRequest *rq, const IndexReport *reports, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (rq->dry_run) {
            plan_text(cli, &reports[i]);
        } else {
            TRY(report_text(cli, &reports[i]));
        }
    }
    TRY(cli_flush(cli));
    for (size_t i = 0; rq->dry_run && i < n; i++) dry_run_say(cli, &reports[i]);
    if (!rq->dry_run && cli->err_term.tty && n > 0) {
        Str in = rq->n_paths ? arena_printf(&cli->arena, " --in %.*s", STR_FMT(reports[0].collection)) : STR("");
        cli_say(cli, "next: pythia search \"a question\"%.*s", STR_FMT(in));
    }
    return ERR_OK;
}

/* ---- in the background ---- */

/* What the engine's callbacks are handed. */
typedef struct {
    Cli *cli;
    Progress progress;
    bool leaves; /* --background */
    Background background;
    int64_t run;
    Str collection;
} Indexing;

static void indexing_progress(void *ctx, const IndexProgress *now) { progress_show(&((Indexing *)ctx)->progress, now); }

static void indexing_begun(void *ctx, int64_t run, Str collection, Str root) {
    Indexing *x = ctx;
    (void)root;
    x->run = run;
    x->collection = collection;
}

static void leaving_json(const Indexing *x) {
    JsonOut j = cli_json_begin(x->cli);
    jout_kv_str(&j, "collection", x->collection);
    jout_kv_i64(&j, "run", x->run);
    jout_kv_i64(&j, "pid", getpid());
    jout_kv_str(&j, "log", str_of(x->background.log_path));
    cli_json_end(x->cli, &j);
}

static void leaving_text(const Indexing *x) {
    Buf *b = &x->cli->out;
    safe_path(b, x->collection);
    buf_printf(b, ": words can be searched; run %lld goes on: pythia runs show %lld\n", (long long)x->run,
               (long long)x->run);
}

/* The words of all files can be searched: whoever waits may go. */
static void indexing_searchable(void *ctx) {
    Indexing *x = ctx;
    if (!x->leaves || x->background.fd < 0) return;
    progress_close(&x->progress);
    if (x->cli->json)
        leaving_json(x);
    else
        leaving_text(x);
    x->progress.form = PROGRESS_NONE; /* `pythia runs` tells it */
    const Err err = background_leave(x->cli, &x->background);
    char now[32];
    clock_iso(clock_wall_ms(), now);
    if (err)
        cli_warn(x->cli, "pythia: going on here: %s", err_text());
    else
        cli_warn(x->cli, "%s %.*s: run %lld", now, STR_FMT(x->collection), (long long)x->run);
}

static Err background_start(Indexing *x, const IndexRequest *rq) {
    x->leaves = args_has(&x->cli->args, "background");
    if (!x->leaves) return ERR_OK;
    if (rq->dry_run || args_has(&x->cli->args, "watch"))
        return err_set(ERR_USAGE, "--background and --%s do not go together", rq->dry_run ? "dry-run" : "watch");
    if (rq->n_paths > 1)
        return err_fix(err_set(ERR_USAGE, "--background takes one folder, not %zu", rq->n_paths),
                       "pythia index --background '%.*s'", STR_FMT(rq->paths[0]));
    return background_begin(x->cli, &x->background);
}

/* ---- the command ---- */

Err cmd_index(Cli *cli) {
    IndexRequest rq;
    Indexing x = {.cli = cli};
    cli->json = args_has(&cli->args, "json");
    TRY(request_from_flags(cli, &rq));
    TRY(background_start(&x, &rq));
    if (args_has(&cli->args, "watch")) return watch_run(cli, &rq);
    Pythia *p = NULL;
    IndexReport *reports = NULL;
    size_t n = 0;
    TRY(cli_engine(cli, &p));
    progress_open(&x.progress, cli);
    rq.progress = indexing_progress;
    rq.begun = indexing_begun;
    rq.searchable = indexing_searchable;
    rq.progress_ctx = &x;
    Err err = pythia_index(p, &cli->arena, &rq, &reports, &n);
    progress_close(&x.progress);
    if (err == ERR_INTERRUPT) return interrupted(cli, &x.progress, reports, n);
    if (err && err != ERR_PARTIAL) return err;
    if (cli->json) {
        reports_json(cli, err, reports, n);
        return err;
    }
    ErrInfo outcome;
    err_save(&outcome, err);
    TRY(reports_text(cli, &rq, reports, n));
    return err ? err_restore(&outcome) : ERR_OK;
}
