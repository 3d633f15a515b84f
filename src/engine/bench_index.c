/* bench_index.c - kinds of index on given vectors: `pythia bench index`.
 *
 * The truth is the exact kind's answer. A kind is built once and asked with several efforts, one query at a time on one
 * thread, the best of three passes, since whatever else the machine does makes a pass slower and never faster. Files lie in a
 * folder of their own beside the collections' and go at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/engine.h"
#include "index/vectors.h"

enum { PASSES = 3, BATCH = 4096 };
static const float efforts[] = {0.5f, 0.7f, 1, 1.5f, 2.5f, 4};
enum { N_EFFORTS = sizeof efforts / sizeof *efforts };

typedef struct {
    const BenchIndexRequest *rq;
    Arena *a;
    VectorFile base, queries;
    const char *dir;
    VecHit *truth; /* [queries][k] */
    size_t *n_truth;
    double *ms; /* [queries] */
    VecScratch *scratch;
    BenchIndexReport *out;
} Bench;

static int by_value(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

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
                    .fetch = row_given,
                    .fetch_ctx = &b->base};
    return spec.dir ? vec_open(out, &spec) : arena_error();
}

static Err kind_fill(const Bench *b, VecIndex *ix, Pool *pool, const Deadline *stop) {
    uint32_t first, rows;
    for (size_t from = 0; from < b->base.n; from += BATCH) {
        size_t n = b->base.n - from < BATCH ? b->base.n - from : BATCH;
        TRY(deadline_check(stop));
        TRY(vec_add(ix, b->base.rows + from * b->base.dim, n, &first));
    }
    TRY(vec_sync(ix, &rows));
    return vec_build(ix, pool, stop);
}

/* Hits that are as good as the truth's last one count: rows of equal score may stand for each other. */
static size_t found(const Bench *b, size_t query, const VecHit *hits, size_t n, size_t k) {
    size_t good = 0, want = b->n_truth[query] < k ? b->n_truth[query] : k;
    for (size_t i = 0; i < n && i < k; i++)
        for (size_t t = 0; t < want; t++)
            if (b->truth[query * b->rq->k + t].slot == hits[i].slot) good++;
    return good;
}

static Err pass(const Bench *b, const VecIndex *ix, float effort, const Deadline *stop, BenchIndexRun *run,
                size_t found_of[2], size_t want_of[2]) {
    VecHit *hits = arena_array(b->a, VecHit, b->rq->k);
    if (!hits) return arena_error();
    double total = 0;
    int64_t recomputed = 0;
    found_of[0] = found_of[1] = want_of[0] = want_of[1] = 0;
    for (size_t i = 0; i < b->queries.n; i++) {
        size_t n;
        VecReport report;
        VecQuery q = {.k = b->rq->k, .effort = effort, .scratch = b->scratch, .report = &report, .deadline = stop};
        int64_t start = clock_mono_ns();
        TRY(vec_search(ix, b->queries.rows + i * b->queries.dim, &q, hits, &n));
        total += b->ms[i] = clock_ms_since(start);
        recomputed += report.recomputed;
        found_of[0] += found(b, i, hits, n, 1);
        found_of[1] += found(b, i, hits, n, b->rq->k);
        want_of[0] += b->n_truth[i] > 0;
        want_of[1] += b->n_truth[i];
    }
    qsort(b->ms, b->queries.n, sizeof *b->ms, by_value);
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

static Err run_kind(Bench *b, const char *kind, Pool *pool, const Deadline *stop) {
    VecIndex *ix;
    VecStats stats;
    TRY(kind_open(b, kind, &ix));
    int64_t start = clock_mono_ns();
    Err err = kind_fill(b, ix, pool, stop);
    BenchIndexRun built = {.kind = kind, .build_s = clock_ms_since(start) * 1e-3};
    vec_stats(ix, &stats);
    built.bytes_per_vector = (double)stats.bytes / (double)b->base.n;
    bool fixed = strcmp(kind, "exact") == 0; /* there effort changes nothing */
    for (size_t e = 0; !err && e < N_EFFORTS; e++)
        if (!fixed || efforts[e] == 1) err = run_effort(b, ix, efforts[e], stop, &built);
    vec_close(ix);
    return err;
}

static Err truth_find(Bench *b, const Deadline *stop) {
    VecIndex *ix;
    b->truth = arena_alloc_array(b->a, b->queries.n, b->rq->k * sizeof *b->truth);
    b->n_truth = arena_array(b->a, size_t, b->queries.n);
    b->ms = arena_array(b->a, double, b->queries.n);
    if (!b->truth || !b->n_truth || !b->ms) return arena_error();
    TRY(kind_open(b, "exact", &ix));
    Err err = kind_fill(b, ix, NULL, stop);
    for (size_t i = 0; !err && i < b->queries.n; i++)
        err = vec_search(ix, b->queries.rows + i * b->queries.dim, &(VecQuery){.k = b->rq->k, .deadline = stop},
                         b->truth + i * b->rq->k, &b->n_truth[i]);
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
