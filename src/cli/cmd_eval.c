/* cmd_eval.c - `pythia eval run DIR`: retrieval quality, as a table on a terminal and as JSON everywhere else. */
#include <stdio.h>

#include "cli/progress.h"

static const int64_t ANSWERS = 200, ANSWERS_MAX = 1000000;

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
    buf_char(b, '\n');
    if (r->questions == 0) return;
    buf_printf(b, "answers     %.4f hold the truth, F1 %.4f, exact %.4f\n", r->answer_holds, r->answer_f1,
               r->answer_em);
    buf_printf(b, "abstaining  AUROC %.4f\n", r->abstain_auroc);
    buf_printf(b, "citations   %.4f verbatim\n", r->citation_precision);
    number_add(b, r->questions);
    buf_printf(b, " questions asked · one takes %.1f ms (median)\n", r->ask_p50_ms);
}

Err cmd_eval_run(Cli *cli) {
    const Args *args = &cli->args;
    cli->json = args_has(args, "json");
    Progress progress;
    EvalRequest rq = {.dir = args->words[0], .progress = progress_show, .progress_ctx = &progress};
    rq.mode = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_MODE));
    rq.fusion = arena_cstr(&cli->arena, config_text(cli->config, CONF_SEARCH_FUSION));
    if (!rq.mode || !rq.fusion) return arena_error();
    if (args_has(args, "model")) rq.model = args_str(args, "model");
    rq.answers = ANSWERS;
    TRY(args_i64(args, "answers", 0, ANSWERS_MAX, &rq.answers));
    if (args_has(args, "run-file")) rq.run_file = args_str(args, "run-file").p;
    Pythia *p = NULL;
    EvalReport report = {0};
    TRY(cli_engine(cli, &p));
    progress_open(&progress, cli);
    Err err = pythia_eval(p, &cli->arena, &rq, &report);
    progress_close(&progress);
    if (err) return err;
    if (cli->json || !cli->out_term.tty) {
        eval_json(cli, &report);
    } else {
        eval_text(cli, &report);
    }
    return ERR_OK;
}
