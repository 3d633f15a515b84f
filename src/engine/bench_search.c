/* bench_search.c - searches as a program makes them that stays: `pythia bench search`.
 *
 * Each is a whole pythia_search in this process, with model, store and indexes open: query read, words and vectors
 * searched, fused, hits read from their files and checked. Nobody asks the same thing all day, so the cache of vectors
 * is emptied before each round: every query is embedded. The best round is told, since whatever else the machine does
 * makes one slower and never faster.
 */
#include "base/file.h"
#include "engine/bench.h"

enum { WARM_UP_MAX = 100, CALLERS_MAX = 256, ROUNDS_MAX = 1000 };

typedef struct {
    Pythia *p;
    Arena *a;
    const BenchSearchRequest *rq;
    const Str *queries; /* [n] */
    size_t n;
    double *ms; /* [n] of the round */
    StoreCollection collection;
    BenchSearchReport *out;
    size_t next; /* query that no caller has taken; atomic */
} Bench;

static Err search_once(Pythia *p, const Bench *b, Str query, BenchSearchReport *sums) {
    Arena scratch = {0};
    PythiaReply reply;
    const PythiaSearch rq = {
        .query = query, .collections = &b->collection.name, .n_collections = 1, .min_score = -1, .deadline_ms = -1};
    Err err = pythia_search(p, &scratch, &rq, &reply);
    if (err == ERR_USAGE || err == ERR_INPUT) err = err_prefix(err, "query '%.*s'", STR_FMT(str_upto(query, 80)));
    if (!err && sums) {
        sums->found += reply.n > 0;
        sums->cut += reply.deadline_hit;
        sums->mean.open += reply.timing.open_ms;
        sums->mean.embed += reply.timing.embed_ms;
        sums->mean.words += reply.timing.lexical_ms;
        sums->mean.vectors += reply.timing.vector_ms;
        sums->mean.fuse += reply.timing.fuse_ms;
        sums->mean.freshness += reply.timing.fresh_ms;
    }
    if (!err && !b->out->mode) { /* the very first one, before there are callers */
        b->out->mode = arena_cstr(b->a, str_of(reply.mode));
        if (!b->out->mode) err = arena_error();
    }
    arena_free(&scratch);
    return err;
}

static Err cache_empty(const Bench *b) {
    EmbedCache *cache;
    EmbedCacheStats stats;
    TRY(engine_cache(b->p, engine_pressure(b->p), &cache));
    embed_cache_stats(cache, &stats);
    embed_cache_resize(cache, 0);
    embed_cache_resize(cache, stats.max_bytes);
    return ERR_OK;
}

/* The first search opens everything; those after it bring what the machine keeps of files near. */
static Err warm_up(const Bench *b) {
    int64_t start = clock_mono_ns();
    TRY(search_once(b->p, b, b->queries[0], NULL));
    b->out->first_ms = clock_ms_since(start);
    b->out->warm_up = (int64_t)(b->n < WARM_UP_MAX ? b->n : WARM_UP_MAX);
    for (int64_t i = 1; i < b->out->warm_up; i++) TRY(search_once(b->p, b, b->queries[i], NULL));
    return ERR_OK;
}

static void means_of(BenchSearchReport *sums, double n) {
    double *const all[] = {&sums->mean.open,    &sums->mean.embed, &sums->mean.words,
                           &sums->mean.vectors, &sums->mean.fuse,  &sums->mean.freshness};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] /= n;
}

/* One caller, one query after the other. */
static Err round_alone(Bench *b) {
    BenchSearchReport sums = {0};
    double total = 0;
    TRY(cache_empty(b));
    const int64_t cpu = clock_process_cpu_ns();
    for (size_t i = 0; i < b->n; i++) {
        const int64_t start = clock_mono_ns();
        TRY(search_once(b->p, b, b->queries[i], &sums));
        total += b->ms[i] = clock_ms_since(start);
    }
    const double cpu_ms = (double)(clock_process_cpu_ns() - cpu) * 1e-6 / (double)b->n,
                 qps = (double)b->n / total * 1e3;
    BenchSearchReport *out = b->out;
    if (out->cpu_ms == 0 || cpu_ms < out->cpu_ms) out->cpu_ms = cpu_ms;
    if (qps <= out->qps) return ERR_OK;
    bench_sort(b->ms, b->n);
    means_of(&sums, (double)b->n);
    out->qps = qps;
    out->p50_ms = b->ms[b->n / 2];
    out->p95_ms = b->ms[b->n * 95 / 100];
    out->p99_ms = b->ms[b->n * 99 / 100];
    out->found = sums.found;
    out->cut = sums.cut;
    out->mean = sums.mean;
    return ERR_OK;
}

/* ---- several callers ---- */

typedef struct {
    Bench *bench;
    Pythia *p;
    Thread *thread;
} Caller;

static Err caller_main(void *ctx) {
    const Caller *c = ctx;
    Bench *b = c->bench;
    for (size_t i; (i = __atomic_fetch_add(&b->next, 1, __ATOMIC_RELAXED)) < b->n;)
        TRY(search_once(c->p, b, b->queries[i], NULL));
    return ERR_OK;
}

static Err round_of_callers(Bench *b, Caller *callers, size_t n) {
    Err err = cache_empty(b);
    ErrInfo first = {0};
    b->next = 0;
    const int64_t start = clock_mono_ns();
    for (size_t i = 0; !err && i < n; i++) err = thread_start(&callers[i].thread, caller_main, &callers[i]);
    err_save(&first, err);
    for (size_t i = 0; i < n; i++) {
        const Err ended = thread_join(callers[i].thread);
        callers[i].thread = NULL;
        if (ended && !first.code) err_save(&first, ended);
    }
    if (first.code) return err_restore(&first);
    const double qps = (double)b->n / clock_ms_since(start) * 1e3;
    if (qps > b->out->qps) b->out->qps = qps;
    return ERR_OK;
}

/* Each on a thread and a Pythia of its own, as a server has them. */
static Err callers_run(Bench *b) {
    const size_t n = (size_t)b->rq->callers;
    Caller *callers = arena_array(b->a, Caller, n);
    PythiaOpts opts = b->p->opts;
    Err err = callers ? ERR_OK : arena_error();
    opts.beside = b->p;
    b->out->qps = 0;
    for (size_t i = 0; !err && i < n; i++) {
        callers[i].bench = b;
        err = pythia_open(&callers[i].p, &opts);
        if (!err) err = search_once(callers[i].p, b, b->queries[0], NULL); /* its store is open from here on */
    }
    for (int64_t round = 0; !err && round < b->rq->rounds; round++) err = round_of_callers(b, callers, n);
    ErrInfo told;
    err_save(&told, err);
    for (size_t i = 0; callers && i < n; i++) pythia_close(callers[i].p);
    return err ? err_restore(&told) : ERR_OK;
}

static Err describe(const Bench *b, Store *s) {
    const StoreCollection *c = &b->collection;
    BenchSearchReport *out = b->out;
    StoreCounts counts;
    const char *possible = NULL;
    TRY(store_counts(s, c->id, &c->model_id, &counts));
    out->collection = arena_str(b->a, c->name);
    out->index = arena_str(b->a, c->index_kind);
    if (!out->collection.p || !out->index.p) return arena_error();
    out->documents = counts.documents;
    out->chunks = counts.chunks;
    out->embedded = counts.embedded;
    out->queries = (int64_t)b->n;
    out->rounds = b->rq->rounds;
    out->callers = b->rq->callers;
    return model_kernels(&out->cpu, &possible);
}

Err pythia_bench_search(Pythia *p, Arena *a, const BenchSearchRequest *rq, BenchSearchReport *out) {
    Bench b = {.p = p, .a = a, .rq = rq, .out = out};
    Str *queries = NULL;
    Store *s = NULL;
    const char *path = path_join(a, p->opts.cwd, rq->queries);
    *out = (BenchSearchReport){0};
    if (!path) return arena_error();
    if (rq->callers < 1 || rq->callers > CALLERS_MAX || rq->rounds < 1 || rq->rounds > ROUNDS_MAX)
        return err_set(ERR_USAGE, "callers are 1 to %d, rounds 1 to %d", CALLERS_MAX, ROUNDS_MAX);
    TRY(bench_read_texts(a, path, BENCH_QUERIES, &queries, &b.n));
    b.queries = queries;
    b.ms = arena_array(a, double, b.n);
    if (!b.ms) return arena_error();
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, rq->collection, &b.collection));
    TRY(describe(&b, s));
    TRY(warm_up(&b));
    for (int64_t round = 0; round < rq->rounds; round++) TRY(round_alone(&b));
    if (rq->callers > 1) TRY(callers_run(&b));
    out->rss_mb = bench_rss_mb();
    return ERR_OK;
}
