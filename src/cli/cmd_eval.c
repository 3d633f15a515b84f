/* cmd_eval.c - `pythia eval run DIR`: retrieval quality, as a table on a terminal and as JSON everywhere else; `eval
 * gate`; `eval init`: a set made of a collection. Reports of runs: cmd_eval_report.c. */
#include <stdio.h>

#include "cli/progress.h"

static const int64_t ANSWERS = 200, ANSWERS_MAX = 1000000, QUERIES = 300, QUERIES_MAX = 100000;

/* The keys that scripts rely on, and no others. */
static void eval_json(Cli *cli, const EvalReport *r) {
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_f64(&j, "ndcg_at_10", r->ndcg_at_10);
    jout_kv_f64(&j, "recall_at_10", r->recall_at_10);
    jout_kv_f64(&j, "recall_at_100", r->recall_at_100);
    jout_kv_f64(&j, "mrr_at_10", r->mrr_at_10);
    jout_kv_i64(&j, "queries", r->queries);
    jout_kv_f64(&j, "p50_ms", r->p50_ms);
    if (r->questions) {
        jout_kv_f64(&j, "abstain_auroc", r->abstain_auroc);
        jout_kv_f64(&j, "answer_em", r->answer_em);
        jout_kv_f64(&j, "answer_f1", r->answer_f1);
        jout_kv_f64(&j, "answer_holds", r->answer_holds);
        jout_kv_f64(&j, "citation_precision", r->citation_precision);
    }
    cli_json_end(cli, &j);
}

static void eval_text(Cli *cli, const EvalReport *r) {
    Buf *b = &cli->out;
    buf_printf(b, "nDCG@10     %.4f\n", r->ndcg_at_10);
    buf_printf(b, "recall@10   %.4f\n", r->recall_at_10);
    buf_printf(b, "recall@100  %.4f\n", r->recall_at_100);
    buf_printf(b, "MRR@10      %.4f\n", r->mrr_at_10);
    number_add(b, r->queries);
    buf_add_z(b, " queries over ");
    number_add(b, r->documents);
    buf_printf(b, " documents · a query takes %.1f ms (median), %.1f ms (95 %%)", r->p50_ms, r->p95_ms);
    if (r->index_seconds > 0) {
        buf_add_z(b, " · indexed in ");
        seconds_add(b, r->index_seconds);
    }
    if (r->vectors < 1) buf_printf(b, " · %.0f %% of them have a vector", 100 * r->vectors);
    buf_char(b, '\n');
    if (r->questions == 0) return;
    buf_printf(b, "answers     %.4f hold the truth, F1 %.4f, exact %.4f\n", r->answer_holds, r->answer_f1,
               r->answer_em);
    buf_printf(b, "abstaining  AUROC %.4f\n", r->abstain_auroc);
    buf_printf(b, "citations   %.4f verbatim\n", r->citation_precision);
    number_add(b, r->questions);
    buf_printf(b, " questions asked · one takes %.1f ms (median)\n", r->ask_p50_ms);
}

static Err request_from_flags(Cli *cli, Progress *progress, EvalRequest *rq) {
    const Args *args = &cli->args;
    *rq = (EvalRequest){.dir = args->words[0], .vectors = 1, .progress = progress_show, .progress_ctx = progress};
    rq->mode = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_MODE));
    rq->fusion = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_FUSION));
    if (!rq->mode || !rq->fusion) return arena_error();
    if (args_has(args, "model")) rq->model = args_str(args, "model");
    return ERR_OK;
}

Err cmd_eval_run(Cli *cli) {
    const Args *args = &cli->args;
    cli->json = args_has(args, "json");
    Progress progress;
    EvalRequest rq;
    TRY(request_from_flags(cli, &progress, &rq));
    rq.answers = ANSWERS;
    rq.rerank = args_has(args, "rerank");
    TRY(args_i64(args, "answers", 0, ANSWERS_MAX, &rq.answers));
    TRY(args_f64(args, "vectors", 0, 1, &rq.vectors));
    if (args_has(args, "run-file")) rq.run_file = args_str(args, "run-file").p;
    Pythia *p = NULL;
    EvalReport report = {0};
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    Err err = pythia_eval(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    if (!err && args_has(args, "report")) err = pythia_eval_report_write(&report, args_str(args, "report").p);
    if (err) return err;
    if (cli->json || !cli->out_term.tty) {
        eval_json(cli, &report);
    } else {
        eval_text(cli, &report);
    }
    return ERR_OK;
}

static void gate_json(Cli *cli, const EvalReport *r, const EvalGate *g) {
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_bool(&j, "failed", g->failed);
    jout_kv_f64(&j, "ndcg_at_10", g->now);
    jout_kv_f64(&j, "baseline", g->before);
    jout_kv_f64(&j, "p", g->p);
    jout_kv_i64(&j, "better", g->better);
    jout_kv_i64(&j, "worse", g->worse);
    jout_kv_i64(&j, "queries", r->queries);
    cli_json_end(cli, &j);
}

Err cmd_eval_gate(Cli *cli) {
    const Args *args = &cli->args;
    cli->json = args_has(args, "json");
    if (!args_has(args, "baseline"))
        return err_fix(err_set(ERR_USAGE, "'eval gate' wants '--baseline FILE'"), "pythia help eval gate");
    const char *baseline = arena_cstr(&cli->arena, args_str(args, "baseline"));
    const bool update = args_has(args, "update");
    Progress progress;
    EvalRequest rq;
    EvalReport report = {0};
    EvalGate gate;
    Pythia *p = NULL;
    if (!baseline) return arena_error();
    TRY(request_from_flags(cli, &progress, &rq));
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    const Err err = pythia_eval_gate(p, &cli->arena, &rq, baseline, update, &report, &gate);
    progress_close(&progress);
    TRY(err);
    if (cli->json) gate_json(cli, &report, &gate);
    if (update) {
        cli_say(cli, "'%s' has the nDCG@10 of %lld queries, %.4f on average", baseline, (long long)report.queries,
                gate.now);
        return ERR_OK;
    }
    cli_say(cli, "nDCG@10 %.4f, was %.4f: %lld queries better, %lld worse (p %.3f)", gate.now, gate.before,
            (long long)gate.better, (long long)gate.worse, gate.p);
    if (!gate.failed) return ERR_OK;
    return err_fix(err_set(ERR_GATE, "nDCG@10 fell from %.4f to %.4f, beyond noise", gate.before, gate.now),
                   "pythia eval gate DIR --baseline '%s' --update, if that is meant", baseline);
}

/* ---- init ---- */

static void kinds_from_flags(const Args *args, unsigned *kinds) {
    size_t n = 0;
    const Str *list = args_list(args, "from", &n);
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < EVAL_QUERY_KINDS; k++)
            if (str_is(list[i], eval_query_kind_names[k])) *kinds |= 1u << k;
    if (n == 0) *kinds = (1u << EVAL_QUERY_KINDS) - 1;
}

static void init_json(Cli *cli, const EvalInitReport *r) {
    JsonOut j = cli_json_begin(cli);
    jout_kv_str(&j, "dir", cli->args.words[0]);
    jout_kv_str(&j, "collection", r->collection);
    jout_kv_i64(&j, "documents", r->documents);
    jout_kv_i64(&j, "chunks", r->chunks);
    jout_kv_i64(&j, "stale", r->stale);
    jout_kv_i64(&j, "elsewhere", r->elsewhere);
    jout_key(&j, "queries");
    jout_begin(&j, '{');
    for (int k = 0; k < EVAL_QUERY_KINDS; k++) jout_kv_i64(&j, eval_query_kind_names[k], r->asked[k]);
    jout_end(&j, '}');
    jout_kv_str(&j, "no_commits", r->no_commits.n ? r->no_commits : (Str){NULL, 0});
    cli_json_end(cli, &j);
}

static void init_text(Cli *cli, const EvalInitReport *r) {
    Buf *b = &cli->out;
    int64_t all = 0;
    for (int k = 0; k < EVAL_QUERY_KINDS; k++) all += r->asked[k];
    safe_path(b, cli->args.words[0]);
    buf_add_z(b, ": ");
    number_add(b, all);
    buf_add_z(b, " queries over ");
    number_add(b, r->chunks);
    buf_add_z(b, " chunks of ");
    number_add(b, r->documents);
    buf_add_z(b, " documents\n");
    for (int k = 0; k < EVAL_QUERY_KINDS; k++) {
        buf_printf(b, "  %-9s  %lld of %lld", eval_query_kind_names[k], (long long)r->asked[k],
                   (long long)r->possible[k]);
        if (k == EVAL_COMMIT && r->no_commits.n) buf_printf(b, " (%.*s)", STR_FMT(r->no_commits));
        buf_char(b, '\n');
    }
}

Err cmd_eval_init(Cli *cli) {
    const Args *args = &cli->args;
    cli->json = args_has(args, "json");
    Progress progress;
    EvalInitReport report;
    Pythia *p = NULL;
    int64_t queries = QUERIES, seed = 1;
    EvalInitRequest rq = {.dir = args->words[0],
                          .collection = args_has(args, "in") ? args_str(args, "in") : STR(""),
                          .force = args_has(args, "force"),
                          .progress = progress_show,
                          .progress_ctx = &progress};
    TRY(args_i64(args, "queries", 1, QUERIES_MAX, &queries));
    TRY(args_i64(args, "seed", 0, INT64_MAX, &seed));
    kinds_from_flags(args, &rq.kinds);
    rq.queries = (size_t)queries;
    rq.seed = (uint64_t)seed;
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    const Err err = pythia_eval_init(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    TRY(err);
    if (cli->json)
        init_json(cli, &report);
    else
        init_text(cli, &report);
    TRY(cli_flush(cli));
    if (report.stale && !cli->json)
        cli_warn(cli, "pythia: %lld documents are not as they were indexed and were left out; run: pythia index",
                 (long long)report.stale);
    cli_say(cli, "run: pythia eval run '%.*s'", STR_FMT(args->words[0]));
    return ERR_OK;
}
