/* bench_index.c - kinds of index on given vectors: `pythia bench index`.
 *
 * The truth is the exact kind's answer. A kind is built once and asked with several efforts, one query at a time on one
 * thread, the best of three passes, since whatever else the machine does makes a pass slower and never faster. Times
 * are told twice, by the clock and as what the thread had of a processor: on a machine that others use too, the second
 * is what can be compared. Files lie in a folder of their own beside the collections' and go at the end.
 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/bench.h"
#include "index/vectors.h"

enum {
    PASSES = 3,
    BATCH = 4096,
    FILTERED = 500, /* queries that are asked with a filter, at most */
    KEEP_EACH = 100 /* of so many rows it lets pass one */
};
static const float efforts[] = {0.1f, 0.15f, 0.2f, 0.25f, 0.3f, 0.4f, 0.5f, 0.55f, 0.6f, 0.65f,
                                0.7f, 0.75f, 0.8f, 0.85f, 0.9f, 1,    1.2f, 1.5f,  2.5f, 4};
enum { N_EFFORTS = sizeof efforts / sizeof *efforts };

typedef struct {
    const BenchIndexRequest *rq;
    Arena *a;
    VectorFile base, queries;
    const char *dir;
    VecHit *truth; /* [queries][k] */
    size_t *n_truth;
    uint64_t *filter;       /* [(base.n + 63) / 64] */
    VecHit *truth_filtered; /* [n_filtered][k] */
    size_t *n_truth_filtered, n_filtered;
    double *ms; /* [queries] */
    VecParams params;
    VecScratch *scratch;
    BenchIndexReport *out;
} Bench;

/* For kinds that keep no vectors: theirs are given, so that what computing them costs is told by their count alone. */
static Err row_given(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    const VectorFile *base = ctx;
    (void)had;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * base->dim, base->rows + slots[i] * base->dim, base->dim * sizeof *out);
    return deadline_check(deadline);
}

static Err kind_open(Bench *b, const char *kind, VecIndex **out) {
    VecSpec spec = {.kind = kind,
                    .dir = path_join(b->a, b->dir, kind),
                    .dim = b->base.dim,
                    .generation = 1,
                    .writer = true,
                    .params = b->params};
    return spec.dir ? vec_open(out, &spec) : arena_error();
}

static double us_each(int64_t ns, size_t n) { return (double)ns * 1e-3 / (double)(n ? n : 1); }

static Err kind_fill(const Bench *b, VecIndex *ix, Pool *pool, const Deadline *stop, BenchIndexRun *run) {
    uint32_t first, rows;
    int64_t start = clock_mono_ns(), cpu = clock_process_cpu_ns();
    for (size_t from = 0; from < b->base.n; from += BATCH) {
        size_t n = b->base.n - from < BATCH ? b->base.n - from : BATCH;
        TRY(deadline_check(stop));
        TRY(vec_add(ix, b->base.rows + from * b->base.dim, n, &first));
    }
    TRY(vec_sync(ix, &rows));
    run->insert_us = us_each(clock_process_cpu_ns() - cpu, b->base.n);
    TRY(vec_build(ix, pool, stop));
    run->build_s = clock_ms_since(start) * 1e-3;
    run->build_cpu_s = (double)(clock_process_cpu_ns() - cpu) * 1e-9;
    return ERR_OK;
}

static size_t found(const VecHit *truth, size_t n_truth, const VecHit *hits, size_t n, size_t k) {
    size_t good = 0, want = n_truth < k ? n_truth : k;
    for (size_t i = 0; i < n && i < k; i++)
        for (size_t t = 0; t < want; t++) good += truth[t].slot == hits[i].slot;
    return good;
}

static Err pass(const Bench *b, const VecIndex *ix, float effort, const Deadline *stop, BenchIndexRun *run,
                size_t found_of[2], size_t want_of[2]) {
    VecHit *hits = arena_array(b->a, VecHit, b->rq->k);
    if (!hits) return arena_error();
    double total = 0;
    int64_t recomputed = 0, cpu = clock_cpu_ns();
    found_of[0] = found_of[1] = want_of[0] = want_of[1] = 0;
    for (size_t i = 0; i < b->queries.n; i++) {
        size_t n;
        VecReport report;
        VecQuery q = {.k = b->rq->k,
                      .effort = effort,
                      .scratch = b->scratch,
                      .report = &report,
                      .deadline = stop,
                      .fetch = row_given,
                      .fetch_ctx = (void *)(uintptr_t)&b->base};
        int64_t start = clock_mono_ns();
        TRY(vec_search(ix, b->queries.rows + i * b->queries.dim, &q, hits, &n));
        total += b->ms[i] = clock_ms_since(start);
        recomputed += report.recomputed;
        found_of[0] += found(b->truth + i * b->rq->k, b->n_truth[i], hits, n, 1);
        found_of[1] += found(b->truth + i * b->rq->k, b->n_truth[i], hits, n, b->rq->k);
        want_of[0] += b->n_truth[i] > 0;
        want_of[1] += b->n_truth[i];
    }
    double cpu_us = us_each(clock_cpu_ns() - cpu, b->queries.n);
    if (run->cpu_us == 0 || cpu_us < run->cpu_us) run->cpu_us = cpu_us;
    bench_sort(b->ms, b->queries.n);
    double qps = (double)b->queries.n / total * 1e3;
    if (qps <= run->qps) return ERR_OK;
    run->qps = qps;
    run->p50_ms = b->ms[b->queries.n / 2];
    run->p99_ms = b->ms[b->queries.n * 99 / 100];
    run->recomputed = (double)recomputed / (double)b->queries.n;
    return ERR_OK;
}

static Err run_effort(Bench *b, const VecIndex *ix, float effort, const Deadline *stop, const BenchIndexRun *built) {
    BenchIndexRun run = *built;
    size_t good[2] = {0}, want[2] = {0};
    run.effort = (double)effort;
    for (int i = 0; i < PASSES; i++) TRY(pass(b, ix, effort, stop, &run, good, want));
    run.recall_at_1 = want[0] ? (double)good[0] / (double)want[0] : 1;
    run.recall_at_k = want[1] ? (double)good[1] / (double)want[1] : 1;
    b->out->runs[b->out->n++] = run;
    return ERR_OK;
}

/* The best of three passes again, over searches that few rows may answer. */
static Err run_filtered(const Bench *b, const VecIndex *ix, const Deadline *stop, BenchIndexRun *run) {
    VecHit *hits = arena_array(b->a, VecHit, b->rq->k);
    size_t good = 0, want = 0;
    if (!hits) return arena_error();
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t cpu = 0;
        good = want = 0;
        for (size_t i = 0; i < b->n_filtered; i++) {
            size_t n;
            VecQuery q = {.k = b->rq->k,
                          .allowed = b->filter,
                          .scratch = b->scratch,
                          .deadline = stop,
                          .fetch = row_given,
                          .fetch_ctx = (void *)(uintptr_t)&b->base};
            int64_t start = clock_cpu_ns();
            TRY(vec_search(ix, b->queries.rows + i * b->queries.dim, &q, hits, &n));
            cpu += clock_cpu_ns() - start;
            good += found(b->truth_filtered + i * b->rq->k, b->n_truth_filtered[i], hits, n, b->rq->k);
            want += b->n_truth_filtered[i];
        }
        double us = us_each(cpu, b->n_filtered);
        if (pass == 0 || us < run->filtered_us) run->filtered_us = us;
    }
    run->filtered_recall = want ? (double)good / (double)want : 1;
    return ERR_OK;
}

/* Every tenth row goes, in calls of some hundred, as a store lets go of them; last of all, since they do not come
 * back. */
static Err run_deletes(const Bench *b, VecIndex *ix, double *us) {
    uint32_t slots[128];
    size_t n = 0, all = 0;
    int64_t start = clock_cpu_ns();
    for (size_t slot = 0; slot < b->base.n; slot += 10) {
        slots[n++] = (uint32_t)slot;
        all++;
        if (n < sizeof slots / sizeof *slots && slot + 10 < b->base.n) continue;
        TRY(vec_remove(ix, slots, n));
        n = 0;
    }
    *us = us_each(clock_cpu_ns() - start, all);
    return ERR_OK;
}

static Err run_kind(Bench *b, const char *kind, Pool *pool, const Deadline *stop) {
    VecIndex *ix;
    VecStats stats;
    BenchIndexRun built = {.kind = kind};
    size_t first = b->out->n;
    TRY(kind_open(b, kind, &ix));
    Err err = kind_fill(b, ix, pool, stop, &built);
    vec_stats(ix, &stats);
    built.bytes_per_vector = (double)stats.bytes / (double)b->base.n;
    if (!err) err = run_filtered(b, ix, stop, &built);
    bool fixed = strcmp(kind, "exact") == 0; /* there effort changes nothing */
    for (size_t e = 0; !err && e < N_EFFORTS; e++)
        if (!fixed || efforts[e] == 1) err = run_effort(b, ix, efforts[e], stop, &built);
    double delete_us = 0;
    if (!err) err = run_deletes(b, ix, &delete_us);
    for (size_t i = first; i < b->out->n; i++) b->out->runs[i].delete_us = delete_us;
    vec_close(ix);
    return err;
}

/* Rows that the filter lets pass, drawn so that no kind's order of rows is met. */
static Err filter_make(Bench *b) {
    size_t words = (b->base.n + 63) / 64;
    b->filter = arena_array(b->a, uint64_t, words);
    if (!b->filter) return arena_error();
    for (size_t slot = 0; slot < b->base.n; slot++) {
        bool passes = (uint32_t)(slot * 2654435761u >> 8) % KEEP_EACH == 0;
        b->filter[slot / 64] |= (uint64_t)passes << slot % 64;
    }
    return ERR_OK;
}

static Err truth_of(const Bench *b, const VecIndex *ix, size_t n, const uint64_t *filter, const Deadline *stop,
                    VecHit *truth, size_t *n_truth) {
    for (size_t i = 0; i < n; i++) {
        VecQuery q = {.k = b->rq->k,
                      .allowed = filter,
                      .deadline = stop,
                      .fetch = row_given,
                      .fetch_ctx = (void *)(uintptr_t)&b->base};
        TRY(vec_search(ix, b->queries.rows + i * b->queries.dim, &q, truth + i * b->rq->k, &n_truth[i]));
    }
    return ERR_OK;
}

static Err truth_find(Bench *b, const Deadline *stop) {
    VecIndex *ix;
    BenchIndexRun unread = {0};
    size_t n = b->queries.n;
    b->n_filtered = n < FILTERED ? n : FILTERED;
    b->truth = arena_alloc_array(b->a, n, b->rq->k * sizeof *b->truth);
    b->n_truth = arena_array(b->a, size_t, n);
    b->truth_filtered = arena_alloc_array(b->a, b->n_filtered, b->rq->k * sizeof *b->truth);
    b->n_truth_filtered = arena_array(b->a, size_t, b->n_filtered);
    b->ms = arena_array(b->a, double, n);
    if (!b->truth || !b->n_truth || !b->truth_filtered || !b->n_truth_filtered || !b->ms) return arena_error();
    TRY(filter_make(b));
    TRY(kind_open(b, "exact", &ix));
    Err err = kind_fill(b, ix, NULL, stop, &unread);
    if (!err) err = truth_of(b, ix, n, NULL, stop, b->truth, b->n_truth);
    if (!err) err = truth_of(b, ix, b->n_filtered, b->filter, stop, b->truth_filtered, b->n_truth_filtered);
    vec_close(ix);
    return err ? err : file_remove_tree(path_join(b->a, b->dir, "exact"));
}

static Err bench_run(Bench *b, Pythia *p, const Deadline *stop) {
    const char *const *kinds = vec_kind_names();
    Pool *pool;
    size_t n = 0;
    if (b->queries.dim != b->base.dim)
        return err_set(ERR_INPUT, "'%s' has %zu dimensions, '%s' has %zu", b->rq->queries, b->queries.dim, b->rq->base,
                       b->base.dim);
    while (kinds[n]) n++;
    b->out->runs = arena_array(b->a, BenchIndexRun, n * N_EFFORTS);
    if (!b->out->runs) return arena_error();
    TRY(engine_pool(p, &pool));
    TRY(vec_scratch_open(&b->scratch));
    TRY(truth_find(b, stop));
    for (size_t i = 0; i < n; i++)
        if (!b->rq->kind.n || str_is(b->rq->kind, kinds[i])) TRY(run_kind(b, kinds[i], pool, stop));
    return b->out->n ? ERR_OK : vec_kind_unknown(arena_cstr(b->a, b->rq->kind));
}

Err pythia_bench_index(Pythia *p, Arena *a, const BenchIndexRequest *rq, BenchIndexReport *out) {
    Bench b = {.rq = rq, .a = a, .out = out};
    Deadline stop = engine_deadline(p, 0);
    *out = (BenchIndexReport){0};
    TRY(engine_index_params(p, &b.params));
    b.params.keep_f32 |= rq->keep_f32;
    const char *base = path_join(a, p->opts.cwd, rq->base), *queries = path_join(a, p->opts.cwd, rq->queries);
    b.dir = arena_cstr(a, arena_printf(a, "%s/bench-%ld", p->opts.home, (long)getpid()));
    if (!base || !queries || !b.dir) return arena_error();
    TRY(vectors_open(&b.base, base));
    Err err = vectors_open(&b.queries, queries);
    if (!err) {
        err = bench_run(&b, p, &stop);
        vectors_close(&b.queries);
    }
    vectors_close(&b.base);
    vec_scratch_close(b.scratch);
    ErrInfo told;
    err_save(&told, err);
    Err removed = file_remove_tree(b.dir);
    return err ? err_restore(&told) : removed;
}
