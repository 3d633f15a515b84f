/* cmd_runs.c - `pythia runs list|show|cancel`. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/table.h"

static const int64_t RUNS_DEFAULT = 20;
static const int64_t RUNS_MAX = 100000;

static Err runs_table(Cli *cli, const PythiaRun *runs, size_t n) {
    static const TableColumn columns[] = {{"ID", true},       {"COLLECTION", false}, {"STATE", false},
                                          {"STAGE", false},   {"DONE", true},        {"FAILED", true},
                                          {"STARTED", false}, {"TOOK", true},        {"ERROR", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    Arena *a = &cli->arena;
    const char **cells = arena_array(a, const char *, n *COLUMNS);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const PythiaRun *r = &runs[i];
        const char **row = cells + i * COLUMNS;
        row[0] = arena_printf(a, "%lld", (long long)r->id).p;
        row[1] = cell_safe(a, r->collection);
        row[2] = cell_safe(a, r->state);
        row[3] = cell_safe(a, r->stage);
        row[4] = arena_printf(a, "%lld/%lld", (long long)r->done, (long long)r->total).p;
        row[5] = arena_printf(a, "%lld", (long long)r->failures).p;
        row[6] = cell_time(a, r->started_ms);
        row[7] = r->started_ms > 0 && r->ended_ms >= r->started_ms
                     ? cell_seconds(a, (double)(r->ended_ms - r->started_ms) / 1000)
                     : "";
        row[8] = cell_safe(a, r->error);
        for (size_t c = 0; c < COLUMNS; c++)
            if (!row[c]) return arena_error();
    }
    table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

Err cmd_runs_list(Cli *cli) {
    cli->json = args_has(&cli->args, "json");
    int64_t limit = RUNS_DEFAULT;
    TRY(args_i64(&cli->args, "limit", 1, RUNS_MAX, &limit));
    Pythia *p = NULL;
    PythiaRun *runs = NULL;
    size_t n = 0;
    TRY(cli_engine(cli, &p));
    TRY(pythia_runs(p, &cli->arena, (size_t)limit, &runs, &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_key(&j, "runs");
        jout_begin(&j, '[');
        for (size_t i = 0; i < n; i++) reply_run(&j, &runs[i]);
        jout_end(&j, ']');
        cli_json_end(cli, &j);
        return ERR_OK;
    }
    if (n) return runs_table(cli, runs, n);
    cli_say(cli, "no runs yet; run: pythia index");
    return ERR_OK;
}

/* ID, of the command line. */
static Err run_id(Cli *cli, int64_t *id) {
    Str text = cli->args.words[0];
    cli->json = args_has(&cli->args, "json");
    if (str_to_i64(text, id) && *id >= 1) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "a run's id is a number, not '%.*s'", STR_FMT(text)), "pythia runs");
}

static Err run_show(Cli *cli, const PythiaRun *run) {
    if (!cli->json) return runs_table(cli, run, 1);
    JsonOut j = cli_json_begin(cli);
    jout_key(&j, "run");
    reply_run(&j, run);
    cli_json_end(cli, &j);
    return ERR_OK;
}

/* Does something with the run that is named, and shows what it is then. */
static Err run_named(Cli *cli, Err (*act)(Pythia *p, Arena *a, int64_t id, PythiaRun *out)) {
    Pythia *p = NULL;
    PythiaRun run;
    int64_t id = 0;
    TRY(run_id(cli, &id));
    TRY(cli_engine(cli, &p));
    TRY(act(p, &cli->arena, id, &run));
    return run_show(cli, &run);
}

Err cmd_runs_show(Cli *cli) { return run_named(cli, pythia_run); }
Err cmd_runs_cancel(Cli *cli) { return run_named(cli, pythia_run_cancel); }
