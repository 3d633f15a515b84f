/* cmd_bench.c - `pythia bench embed`: the engine's speed on this machine, as one line of JSON. */
#include "cli/cli.h"

Err cmd_bench_embed(Cli *cli) {
    const Args *args = &cli->args;
    Pythia *p = NULL;
    BenchEmbedReport r;
    if (!args_has(args, "input"))
        return err_fix(err_set(ERR_USAGE, "no texts given: --input is missing"), "pythia help bench embed");
    BenchEmbedRequest rq = {.input = arena_cstr(&cli->arena, args_str(args, "input"))};
    if (!rq.input) return arena_error();
    if (args_has(args, "model")) rq.model = args_str(args, "model");
    TRY(cli_engine(cli, &p));
    TRY(pythia_bench_embed(p, &cli->arena, &rq, &r));
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_f64(&j, "texts_per_s", r.texts_per_s);
    jout_kv_f64(&j, "tokens_per_s", r.tokens_per_s);
    jout_kv_f64(&j, "p50_ms", r.p50_ms);
    jout_kv_f64(&j, "p95_ms", r.p95_ms);
    jout_kv_f64(&j, "first_vector_ms", r.first_vector_ms);
    jout_kv_f64(&j, "rss_mb", r.rss_mb);
    jout_kv_f64(&j, "gops", r.gops);
    jout_kv_f64(&j, "peak_gops", r.peak_gops);
    jout_kv_z(&j, "precision", r.precision);
    jout_kv_i64(&j, "threads", r.threads);
    jout_kv_z(&j, "cpu", r.cpu);
    jout_kv_i64(&j, "texts", r.texts);
    jout_kv_i64(&j, "tokens", r.tokens);
    jout_kv_f64(&j, "cpu_texts_per_s", r.cpu_texts_per_s);
    cli_json_end(cli, &j);
    return ERR_OK;
}
