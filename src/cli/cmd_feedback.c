/* cmd_feedback.c - `pythia feedback add|list|clear`: what became of hits. */
#include "cli/cli.h"
#include "cli/table.h"

static const int64_t ROWS_DEFAULT = 20, ROWS_MAX = 100000;

static Str collection_of(const Cli *cli) { return args_has(&cli->args, "in") ? args_str(&cli->args, "in") : STR(""); }

Err cmd_feedback_add(Cli *cli) {
    const Args *args = &cli->args;
    const Str verdict = args_has(args, "verdict") ? args_str(args, "verdict") : STR("useful");
    Pythia *p = NULL;
    PythiaFeedback rq = {.query = args->words[0], .collection = collection_of(cli)};
    cli->json = args_has(args, "json");
    for (int i = 0; i < PYTHIA_VERDICTS; i++)
        if (str_is(verdict, pythia_verdict_names[i])) rq.verdict = (PythiaVerdict)i;
    TRY(cli_engine(cli, &p));
    for (size_t i = 1; i < args->n_words; i++) {
        rq.place = args->words[i];
        TRY(pythia_feedback(p, &cli->arena, &rq));
    }
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        cli_json_end(cli, &j);
    } else
        cli_say(cli, "kept as %s: %zu", pythia_verdict_names[rq.verdict], args->n_words - 1);
    return ERR_OK;
}

static Err rows_table(Cli *cli, const PythiaFeedbackRow *rows, size_t n) {
    static const TableColumn columns[] = {{"AT", false}, {"VERDICT", false}, {"PLACE", false}, {"QUERY", false}};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    Arena *a = &cli->arena;
    const char **cells = arena_array(a, const char *, n *COLUMNS + 1);
    if (!cells) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const char **row = cells + i * COLUMNS;
        const Str place = arena_printf(a, "%.*s:%d", STR_FMT(rows[i].path), rows[i].start_line);
        if (!place.p) return arena_error();
        row[0] = cell_time(a, rows[i].at_ms);
        row[1] = pythia_verdict_names[rows[i].verdict];
        row[2] = cell_safe(a, place);
        row[3] = cell_safe(a, rows[i].query);
        for (size_t c = 0; c < COLUMNS; c++)
            if (!row[c]) return arena_error();
    }
    if (n) table_add(&cli->out, &cli->out_term, columns, COLUMNS, cells, n);
    return ERR_OK;
}

Err cmd_feedback_list(Cli *cli) {
    Pythia *p = NULL;
    PythiaFeedbackRow *rows = NULL;
    size_t n = 0;
    int64_t limit = ROWS_DEFAULT;
    cli->json = args_has(&cli->args, "json");
    TRY(args_i64(&cli->args, "limit", 1, ROWS_MAX, &limit));
    TRY(cli_engine(cli, &p));
    TRY(pythia_feedbacks(p, &cli->arena, collection_of(cli), (size_t)limit, &rows, &n));
    if (!cli->json) return rows_table(cli, rows, n);
    JsonOut j = cli_json_begin(cli);
    reply_feedback_member(&j, rows, n);
    cli_json_end(cli, &j);
    return ERR_OK;
}

Err cmd_feedback_clear(Cli *cli) {
    Pythia *p = NULL;
    int64_t n = 0;
    cli->json = args_has(&cli->args, "json");
    TRY(cli_engine(cli, &p));
    TRY(pythia_feedback_clear(p, &cli->arena, collection_of(cli), &n));
    if (cli->json) {
        JsonOut j = cli_json_begin(cli);
        jout_kv_i64(&j, "removed", n);
        cli_json_end(cli, &j);
    } else
        cli_say(cli, "forgotten: %lld", (long long)n);
    return ERR_OK;
}
