/* bench.c - the engine's own speed, measured as its users meet it: `pythia bench embed` (bench_generate.c: of writing).
 *
 * Wall time is what users feel; on a machine that others use too it says little, so the best of three runs is taken and
 * CPU time is told beside it. Operations are those of the network's matrix products, two a multiplication.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "engine/bench.h"

enum { RUNS = 3, QUERIES = 200 };
static const size_t INPUT_MAX = (size_t)1 << 30; /* bytes */
static const Str query = {"how do I retry a request with exponential backoff", 49};

static Err text_of(Arena *a, const json_t *object, const char *what, BenchTexts which, Str *out) {
    Str text = {NULL, 0};
    if (!json_is_object(object)) return err_set(ERR_INPUT, "%s is no JSON object", what);
    Err err = json_get_str(object, "text", &text);
    if (!err && !text.p && which == BENCH_QUERIES) err = json_get_str(object, "query", &text);
    if (err) return err_prefix(err, "%s", what);
    if (!text.p)
        return err_set(ERR_INPUT, "%s: the key 'text'%s is missing", what, which == BENCH_QUERIES ? " or 'query'" : "");
    if (which == BENCH_QUERIES && !str_trim(text).n) return err_set(ERR_INPUT, "%s: the query is empty", what);
    *out = arena_str(a, text);
    return out->p ? ERR_OK : arena_error();
}

Err bench_read_texts(Arena *a, const char *path, BenchTexts which, Str **out, size_t *n) {
    Str file, rest, line;
    size_t lines = 0;
    TRY(file_read(a, path, INPUT_MAX, &file));
    for (rest = file; str_line(&rest, &line);) lines++;
    *out = arena_array(a, Str, lines);
    if (!*out) return arena_error();
    lines = 0;
    for (rest = file, *n = 0; str_line(&rest, &line);) {
        char what[64];
        json_t *object = NULL;
        (void)snprintf(what, sizeof what, "line %zu", ++lines);
        if (!str_trim(line).n) continue;
        TRY(json_read(line, what, &object));
        const Err err = text_of(a, object, what, which, &(*out)[(*n)++]);
        json_decref(object);
        TRY(err);
    }
    return *n ? ERR_OK : err_set(ERR_INPUT, "'%s' has no %s", path, which == BENCH_QUERIES ? "queries" : "texts");
}

static double cpu_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_rss_mb(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

void bench_sort(double *values, size_t n) { qsort(values, n, sizeof *values, by_value); }

typedef struct {
    const Model *model;
    Pool *pool;
    const Str *texts; /* [n] */
    size_t n;
    EmbedOpts opts;
    float *out;      /* [n, dim] */
    EmbedInfo *info; /* [n] */
} Bench;

static Err time_texts(const Bench *b, BenchEmbedReport *out) {
    double wall = 0, cpu = 0;
    for (int run = 0; run < RUNS; run++) {
        int64_t start = clock_mono_ns();
        double cpu_start = cpu_seconds();
        TRY(model_embed(b->model, b->pool, b->texts, b->n, &b->opts, b->out, b->info));
        double seconds = (double)(clock_mono_ns() - start) * 1e-9, used = cpu_seconds() - cpu_start;
        if (run == 0 || seconds < wall) wall = seconds;
        if (run == 0 || used < cpu) cpu = used;
    }
    /* a token is multiplied with every weight; with every token of its text, twice, in each layer */
    const ModelInfo *i = model_info(b->model);
    double each = 2.0 * (double)i->n_layers * (4.0 * (double)i->dim + 2.0 * (double)i->n_ff) * (double)i->dim, sum = 0;
    for (size_t t = 0; t < b->n; t++) {
        double tokens = (double)b->info[t].tokens;
        out->tokens += b->info[t].tokens;
        sum += tokens * each + 4.0 * tokens * tokens * (double)i->dim * (double)i->n_layers;
    }
    out->texts = (int64_t)b->n;
    out->texts_per_s = (double)b->n / wall;
    out->cpu_texts_per_s = (double)b->n / cpu;
    out->tokens_per_s = (double)out->tokens / wall;
    out->gops = str_is(i->arch, "bert") ? sum * 1e-9 / wall : 0;
    return ERR_OK;
}

static Err time_queries(const Bench *b, BenchEmbedReport *out) {
    double ms[QUERIES];
    for (size_t i = 0; i < QUERIES; i++) {
        int64_t start = clock_mono_ns();
        TRY(model_embed(b->model, b->pool, &query, 1, &b->opts, b->out, NULL));
        ms[i] = (double)(clock_mono_ns() - start) * 1e-6;
    }
    bench_sort(ms, QUERIES);
    out->p50_ms = ms[QUERIES / 2];
    out->p95_ms = ms[QUERIES * 95 / 100];
    return ERR_OK;
}

Err pythia_bench_embed(Pythia *p, Arena *a, const BenchEmbedRequest *rq, BenchEmbedReport *out) {
    static const char *const names[] = {[MODEL_F32] = "f32", [MODEL_EXACT] = "exact", [MODEL_FAST] = "fast"};
    Str *texts = NULL;
    Model *m = NULL;
    const char *possible = NULL, *path = path_join(a, p->opts.cwd, rq->input);
    Deadline stop = engine_deadline(p, 0);
    Bench b = {.opts = {.deadline = &stop}};
    *out = (BenchEmbedReport){0};
    if (!path) return arena_error();
    TRY(bench_read_texts(a, path, BENCH_TEXTS, &texts, &b.n));
    b.texts = texts;
    int64_t start = clock_mono_ns();
    TRY(engine_model(p, rq->model, &m));
    const ModelInfo *info = model_info(m);
    b.model = m;
    b.out = arena_alloc_array(a, b.n, info->dim * sizeof *b.out);
    b.info = arena_array(a, EmbedInfo, b.n);
    if (!b.out || !b.info) return arena_error();
    TRY(model_embed(m, NULL, &query, 1, &b.opts, b.out, NULL));
    out->first_vector_ms = (double)(clock_mono_ns() - start) * 1e-6;
    TRY(engine_pool(p, &b.pool));
    TRY(time_texts(&b, out));
    TRY(time_queries(&b, out));
    out->rss_mb = bench_rss_mb();
    TRY(model_peak_gops(b.pool, info->precision, &out->peak_gops));
    TRY(model_kernels(&out->cpu, &possible));
    out->threads = (int64_t)pool_size(b.pool);
    out->precision = names[info->precision];
    return ERR_OK;
}
