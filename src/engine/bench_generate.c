/* bench_generate.c - the speed of a model that writes: `pythia bench generate`.
 *
 * Each prompt starts anew, so that reading is measured whole; times are sums over all prompts, as a user would wait
 * them.
 */
#include "base/file.h"
#include "engine/bench.h"
#include "model/generate.h"

enum { TOKENS_MAX = 1 << 16 };

typedef struct {
    const Model *model;
    Pool *pool;
    Arena *arena;
    GenerateOpts opts;
    BenchGenerateReport *out;
    double prompt_ms, generate_ms;
    double *first_ms; /* [prompts] */
} Bench;

typedef struct {
    Buf text;
    int64_t start;
    double first_ms;
} Heard;

static bool hear(void *ctx, Str piece) {
    Heard *h = ctx;
    if (h->text.n == 0) h->first_ms = clock_ms_since(h->start);
    buf_add(&h->text, piece);
    return true;
}

static Err run_prompt(Bench *b, Str prompt, size_t i) {
    BenchGenerated *g = &b->out->texts[i];
    Generator *generator = NULL;
    GenerateReport report;
    Heard heard = {.start = clock_mono_ns()};
    g->ids = arena_array(b->arena, int32_t, b->opts.max_tokens);
    g->gaps = arena_array(b->arena, float, b->opts.max_tokens);
    if (!g->ids || !g->gaps) return arena_error();
    b->opts.ids = g->ids;
    b->opts.gaps = g->gaps;
    Err err = generator_open(&generator, b->model, NULL);
    if (!err) err = generator_run(generator, b->pool, prompt, &b->opts, hear, &heard, &report);
    if (!err) err = buf_ok(&heard.text);
    if (!err) {
        g->prompt_tokens = report.prompt_tokens;
        g->n = report.tokens;
        g->text = arena_str(b->arena, buf_str(&heard.text));
        if (!g->text.p) err = arena_error();
        b->prompt_ms += report.prompt_ms;
        b->generate_ms += report.generate_ms;
        b->first_ms[i] = heard.first_ms;
        b->out->prompt_tokens += (int64_t)report.prompt_tokens;
        b->out->tokens += (int64_t)report.tokens;
    }
    generator_close(generator);
    buf_free(&heard.text);
    return err;
}

static Err run_prompts(Bench *b, const Str *prompts, size_t n) {
    b->out->texts = arena_array(b->arena, BenchGenerated, n);
    b->first_ms = arena_array(b->arena, double, n);
    if (!b->out->texts || !b->first_ms) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(run_prompt(b, prompts[i], i));
    bench_sort(b->first_ms, n);
    b->out->prompts = (int64_t)n;
    b->out->first_token_ms = b->first_ms[n / 2];
    b->out->prompt_tokens_per_s = (double)b->out->prompt_tokens / b->prompt_ms * 1e3;
    b->out->tokens_per_s = (double)b->out->tokens / b->generate_ms * 1e3;
    return ERR_OK;
}

static Err open_model(Pythia *p, Arena *a, Str name, Model **out) {
    const char *path = NULL, *dir = engine_models_dir(p, a);
    ModelOpts opts = {.generator = true, .precision = engine_precision(p)};
    if (!dir) return arena_error();
    if (name.n == 0) name = config_text(p->opts.config, CONF_MODEL_EMBED);
    TRY(model_resolve(a, dir, name, &path));
    return model_open(out, path, &opts);
}

Err pythia_bench_generate(Pythia *p, Arena *a, const BenchGenerateRequest *rq, BenchGenerateReport *out) {
    static const char *const names[] = {[MODEL_F32] = "f32", [MODEL_EXACT] = "exact", [MODEL_FAST] = "fast"};
    Deadline stop = engine_deadline(p, 0);
    Bench b = {.arena = a, .out = out};
    Str *prompts = NULL;
    Model *m = NULL;
    size_t n = 0;
    const char *possible = NULL, *path = path_join(a, p->opts.cwd, rq->input);
    *out = (BenchGenerateReport){0};
    if (!path) return arena_error();
    if (rq->max_tokens < 1 || rq->max_tokens > TOKENS_MAX)
        return err_set(ERR_USAGE, "%lld tokens are not possible, 1 to %d are", (long long)rq->max_tokens, TOKENS_MAX);
    TRY(bench_read_texts(a, path, BENCH_TEXTS, &prompts, &n));
    TRY(engine_pool(p, &b.pool));
    int64_t start = clock_mono_ns();
    TRY(open_model(p, a, rq->model, &m));
    out->open_ms = clock_ms_since(start);
    b.model = m;
    b.opts = (GenerateOpts){.max_tokens = (size_t)rq->max_tokens, .ignore_end = true, .deadline = &stop};
    Err err = run_prompts(&b, prompts, n);
    out->precision = names[model_info(m)->precision];
    model_close(m);
    TRY(err);
    out->rss_mb = bench_rss_mb();
    out->threads = (int64_t)pool_size(b.pool);
    return model_kernels(&out->cpu, &possible);
}
