/* cmd_bench.c - `pythia bench embed`, `generate`, `index` and `search`: speed on this machine, as a line of JSON. */
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

static void generated_add(Cli *cli, const BenchGenerated *g) {
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_str(&j, "text", g->text);
    jout_kv_i64(&j, "prompt_tokens", (int64_t)g->prompt_tokens);
    jout_key(&j, "ids");
    jout_begin(&j, '[');
    for (size_t i = 0; i < g->n; i++) jout_i64(&j, g->ids[i]);
    jout_end(&j, ']');
    jout_key(&j, "gaps");
    jout_begin(&j, '[');
    for (size_t i = 0; i < g->n; i++) jout_f32(&j, g->gaps[i]);
    jout_end(&j, ']');
    jout_end(&j, '}');
    buf_char(&cli->out, '\n');
}

Err cmd_bench_generate(Cli *cli) {
    const Args *args = &cli->args;
    Pythia *p = NULL;
    BenchGenerateReport r;
    if (!args_has(args, "input"))
        return err_fix(err_set(ERR_USAGE, "no prompts given: --input is missing"), "pythia help bench generate");
    BenchGenerateRequest rq = {.input = arena_cstr(&cli->arena, args_str(args, "input")), .max_tokens = 64};
    if (!rq.input) return arena_error();
    if (args_has(args, "model")) rq.model = args_str(args, "model");
    if (args_has(args, "tokens") && !str_to_i64(args_str(args, "tokens"), &rq.max_tokens))
        return err_set(ERR_USAGE, "--tokens cannot be '%.*s'", STR_FMT(args_str(args, "tokens")));
    TRY(cli_engine(cli, &p));
    TRY(pythia_bench_generate(p, &cli->arena, &rq, &r));
    for (int64_t i = 0; i < r.prompts && args_has(args, "each"); i++) generated_add(cli, &r.texts[i]);
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_f64(&j, "prompt_tokens_per_s", r.prompt_tokens_per_s);
    jout_kv_f64(&j, "tokens_per_s", r.tokens_per_s);
    jout_kv_f64(&j, "first_token_ms", r.first_token_ms);
    jout_kv_f64(&j, "open_ms", r.open_ms);
    jout_kv_f64(&j, "rss_mb", r.rss_mb);
    jout_kv_z(&j, "precision", r.precision);
    jout_kv_i64(&j, "threads", r.threads);
    jout_kv_z(&j, "cpu", r.cpu);
    jout_kv_i64(&j, "prompts", r.prompts);
    jout_kv_i64(&j, "prompt_tokens", r.prompt_tokens);
    jout_kv_i64(&j, "tokens", r.tokens);
    cli_json_end(cli, &j);
    return ERR_OK;
}

static void index_run_add(JsonOut *j, const BenchIndexRun *r) {
    jout_begin(j, '{');
    jout_kv_z(j, "kind", r->kind);
    jout_key(j, "params");
    jout_begin(j, '{');
    jout_kv_f64(j, "effort", r->effort);
    jout_end(j, '}');
    jout_kv_f64(j, "build_s", r->build_s);
    jout_kv_f64(j, "build_cpu_s", r->build_cpu_s);
    jout_kv_f64(j, "bytes_per_vector", r->bytes_per_vector);
    jout_kv_f64(j, "insert_us", r->insert_us);
    jout_kv_f64(j, "delete_us", r->delete_us);
    jout_kv_f64(j, "filtered_us", r->filtered_us);
    jout_kv_f64(j, "filtered_recall", r->filtered_recall);
    jout_kv_f64(j, "recall_at_1", r->recall_at_1);
    jout_kv_f64(j, "recall_at_k", r->recall_at_k);
    jout_kv_f64(j, "qps", r->qps);
    jout_kv_f64(j, "p50_ms", r->p50_ms);
    jout_kv_f64(j, "p99_ms", r->p99_ms);
    jout_kv_f64(j, "cpu_us", r->cpu_us);
    jout_kv_f64(j, "recomputed", r->recomputed);
    jout_end(j, '}');
}

Err cmd_bench_index(Cli *cli) {
    const Args *args = &cli->args;
    Pythia *p = NULL;
    BenchIndexReport r;
    int64_t k = 10;
    for (size_t i = 0; i < 2; i++)
        if (!args_has(args, i ? "queries" : "base"))
            return err_fix(err_set(ERR_USAGE, "no vectors given: --%s is missing", i ? "queries" : "base"),
                           "pythia help bench index");
    if (args_has(args, "k") && (!str_to_i64(args_str(args, "k"), &k) || k < 1 || k > 1000))
        return err_set(ERR_USAGE, "--k cannot be '%.*s': it is 1 to 1000", STR_FMT(args_str(args, "k")));
    BenchIndexRequest rq = {.base = arena_cstr(&cli->arena, args_str(args, "base")),
                            .queries = arena_cstr(&cli->arena, args_str(args, "queries")),
                            .kind = STR(""),
                            .k = (size_t)k,
                            .keep_f32 = args_has(args, "keep-f32")};
    if (!rq.base || !rq.queries) return arena_error();
    if (args_has(args, "kind")) rq.kind = args_str(args, "kind");
    TRY(cli_engine(cli, &p));
    TRY(pythia_bench_index(p, &cli->arena, &rq, &r));
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_key(&j, "runs");
    jout_begin(&j, '[');
    for (size_t i = 0; i < r.n; i++) index_run_add(&j, &r.runs[i]);
    jout_end(&j, ']');
    cli_json_end(cli, &j);
    return ERR_OK;
}

static void search_means_add(JsonOut *j, const BenchSearchReport *r) {
    jout_key(j, "mean_ms");
    jout_begin(j, '{');
    jout_kv_f64(j, "open", r->mean.open);
    jout_kv_f64(j, "embed", r->mean.embed);
    jout_kv_f64(j, "words", r->mean.words);
    jout_kv_f64(j, "vectors", r->mean.vectors);
    jout_kv_f64(j, "fuse", r->mean.fuse);
    jout_kv_f64(j, "freshness", r->mean.freshness);
    jout_end(j, '}');
}

Err cmd_bench_search(Cli *cli) {
    const Args *args = &cli->args;
    Pythia *p = NULL;
    BenchSearchReport r;
    if (!args_has(args, "queries"))
        return err_fix(err_set(ERR_USAGE, "nothing to ask: --queries is missing"), "pythia help bench search");
    BenchSearchRequest rq = {.queries = arena_cstr(&cli->arena, args_str(args, "queries")),
                             .collection = STR(""),
                             .callers = 1,
                             .rounds = 3};
    if (!rq.queries) return arena_error();
    TRY(args_i64(args, "threads", 1, 256, &rq.callers));
    TRY(args_i64(args, "rounds", 1, 1000, &rq.rounds));
    if (args_has(args, "in")) rq.collection = args_str(args, "in");
    TRY(cli_engine(cli, &p));
    TRY(pythia_bench_search(p, &cli->arena, &rq, &r));
    JsonOut j = jout_to(&cli->out);
    jout_begin(&j, '{');
    jout_kv_f64(&j, "p50_ms", r.p50_ms);
    jout_kv_f64(&j, "p95_ms", r.p95_ms);
    jout_kv_f64(&j, "p99_ms", r.p99_ms);
    jout_kv_f64(&j, "qps", r.qps);
    jout_kv_f64(&j, "cpu_ms", r.cpu_ms);
    search_means_add(&j, &r);
    jout_kv_f64(&j, "first_ms", r.first_ms);
    jout_kv_f64(&j, "rss_mb", r.rss_mb);
    jout_kv_str(&j, "collection", r.collection);
    jout_kv_i64(&j, "documents", r.documents);
    jout_kv_i64(&j, "chunks", r.chunks);
    jout_kv_i64(&j, "embedded", r.embedded);
    jout_kv_str(&j, "index", r.index);
    jout_kv_z(&j, "mode", r.mode);
    jout_kv_i64(&j, "queries", r.queries);
    jout_kv_i64(&j, "found", r.found);
    jout_kv_i64(&j, "cut", r.cut);
    jout_kv_i64(&j, "warm_up", r.warm_up);
    jout_kv_i64(&j, "rounds", r.rounds);
    jout_kv_i64(&j, "threads", r.callers);
    jout_kv_z(&j, "cpu", r.cpu);
    cli_json_end(cli, &j);
    return ERR_OK;
}
