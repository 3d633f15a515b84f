/* bench_embed.c - texts a second, and the milliseconds of a short query, through model.h as everything above uses it.
 *
 *     cmake --build build --target bench_embed
 *     build/bench/bench_embed MODEL.gguf TEXTS.jsonl [THREADS [TEXTS [KERNELS [f32|exact|fast]]]]
 *
 * TEXTS.jsonl has {"text": …} a line. Prints one line of JSON; cpu_texts_per_s counts CPU time, which a busy machine
 * does not distort as much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"
#include "model/model_impl.h"

enum { QUERIES = 200, RUNS = 3 };

static int die(const char *what) {
    (void)fprintf(stderr, "bench_embed: %s: %s\n", what, err_text());
    return 1;
}

static int by_value(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Latencies of one short query, sorted, in ms. */
static Err time_queries(const Model *m, Pool *pool, float *out, double *ms /* [QUERIES] */) {
    for (size_t i = 0; i < QUERIES; i++) {
        double start = bench_seconds(CLOCK_MONOTONIC);
        TRY(model_embed(m, pool, &STR("how do I retry a request with exponential backoff"), 1, NULL, out, NULL));
        ms[i] = (bench_seconds(CLOCK_MONOTONIC) - start) * 1e3;
    }
    qsort(ms, QUERIES, sizeof *ms, by_value);
    return ERR_OK;
}

typedef struct {
    double wall, cpu; /* seconds, the best run */
    long tokens;
} Speed;

static Err time_texts(const Model *m, Pool *pool, const Str *texts, size_t n, float *out, EmbedInfo *info,
                      Speed *best) {
    *best = (Speed){1e9, 1e9, 0};
    for (int run = 0; run < RUNS; run++) {
        double wall = bench_seconds(CLOCK_MONOTONIC), cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        TRY(model_embed(m, pool, texts, n, NULL, out, info));
        wall = bench_seconds(CLOCK_MONOTONIC) - wall;
        cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (wall < best->wall) best->wall = wall;
        if (cpu < best->cpu) best->cpu = cpu;
    }
    for (size_t i = 0; i < n; i++) best->tokens += info[i].tokens;
    return ERR_OK;
}

static ModelPrecision precision_of(const char *name) {
    return strcmp(name, "fast") == 0 ? MODEL_FAST : strcmp(name, "exact") == 0 ? MODEL_EXACT : MODEL_F32;
}

int main(int argc, char **argv) {
    Model *m = NULL;
    Pool *pool = NULL;
    Arena a = {0};
    Str *texts = NULL;
    size_t n = 0, threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1,
           max = argc > 4 ? strtoul(argv[4], NULL, 10) : 300;
    double ms[QUERIES];
    Speed speed;
    if (argc < 3)
        return fprintf(stderr,
                       "usage: bench_embed MODEL.gguf TEXTS.jsonl [THREADS [TEXTS [KERNELS [f32|exact|fast]]]]\n"),
               2;
    const Kern *kern = argc > 5 ? kern_find(argv[5]) : kern_table();
    if (!kern) return fprintf(stderr, "bench_embed: this machine can do: %s\n", kern_level_names()), 2;
    if (bench_read_texts(&a, argv[2], max, &texts, &n)) return die("texts");
    double start = bench_seconds(CLOCK_MONOTONIC);
    ModelOpts opts = {.precision = precision_of(argc > 6 ? argv[6] : "f32")};
    if (model_open_kern(&m, argv[1], kern, &opts)) return die("model");
    size_t dim = model_info(m)->dim;
    float *out = arena_array(&a, float, dim *(n + 1));
    EmbedInfo *info = arena_array(&a, EmbedInfo, n + 1);
    if (!out || !info) return die("memory");
    if (model_embed(m, NULL, &STR("first"), 1, NULL, out, NULL)) return die("first vector");
    double first = (bench_seconds(CLOCK_MONOTONIC) - start) * 1e3;
    if (pool_open(&pool, threads)) return die("threads");
    if (time_texts(m, pool, texts, n, out, info, &speed)) return die("texts");
    if (time_queries(m, pool, out, ms)) return die("queries");
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"texts\":%zu,\"texts_per_s\":%.2f,\"cpu_texts_per_s\":%.2f,\"tokens_per_s\":%.0f,\"tokens_a_text\":%.1f,"
           "\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"first_vector_ms\":%.1f,\"rss_mb\":%.0f,\"threads\":%zu,\"kernels\":\"%"
           "s\"}\n",
           n, (double)n / speed.wall, (double)n / speed.cpu, (double)speed.tokens / speed.wall,
           (double)speed.tokens / (double)n, ms[QUERIES / 2], ms[QUERIES * 95 / 100], first,
           (double)usage.ru_maxrss / 1024, threads, kern->name);
    pool_close(pool);
    model_close(m);
    arena_free(&a);
    return 0;
}
