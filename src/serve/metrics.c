/* metrics.c - see metrics.h. Exposition format: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. */
#include "serve/metrics.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "serve/ops.h"

static const double bounds[METRIC_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                              0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static const char *const search_modes[METRIC_MODES] = {"hybrid", "semantic", "lexical", "other"};
static const char *const search_stages[METRIC_STAGES] = {"all", "embed", "words", "vectors", "fuse", "fresh"};

/* What the server answers with; 0: nothing. */
static const int statuses[METRIC_STATUSES - 1] = {200, 202, 204, 400, 401, 403, 404, 405, 406, 409,
                                                  413, 415, 421, 429, 500, 502, 503, 504, 0};

static size_t status_place(int status) {
    size_t i = 0;
    while (i < METRIC_STATUSES - 1 && statuses[i] != status) i++;
    return i;
}

/* "200"; "other" of those without a place. */
static const char *status_text(size_t place, char out[16]) {
    (void)snprintf(out, 16, place < METRIC_STATUSES - 1 ? "%d" : "other",
                   place < METRIC_STATUSES - 1 ? statuses[place] : 0);
    return out;
}

static bool status_is_bad(size_t place) { return place == METRIC_STATUSES - 1 || statuses[place] >= 400; }

static uint64_t read_of(atomic_uint_fast64_t *v) { return atomic_load_explicit(v, memory_order_relaxed); }
static void add_to(atomic_uint_fast64_t *v, uint64_t n) { (void)atomic_fetch_add_explicit(v, n, memory_order_relaxed); }

void histogram_add(Histogram *h, double seconds) {
    size_t i = 0;
    while (i < METRIC_BUCKETS && seconds > bounds[i]) i++;
    add_to(&h->count[i], 1);
    add_to(&h->sum_us, seconds > 0 ? (uint64_t)(seconds * 1e6) : 0);
}

void metrics_call(Metrics *m, size_t op, int status, Err err, double seconds) {
    const size_t place = status_place(status);
    if (op >= METRIC_OPS) {
        add_to(&m->unrouted[place], 1);
    } else {
        add_to(&m->calls[op][place], 1);
        histogram_add(&m->seconds[op], seconds);
    }
    if (err && err < ERR_COUNT) add_to(&m->errors[err], 1);
}

void metrics_search(Metrics *m, const PythiaReply *reply) {
    size_t mode = 0;
    while (mode < METRIC_MODES - 1 && strcmp(search_modes[mode], reply->mode) != 0) mode++;
    /* In the order of search_stages; one that the mode does without took no time, and is not counted. */
    const double ms[METRIC_STAGES] = {reply->took_ms,          reply->timing.embed_ms, reply->timing.lexical_ms,
                                      reply->timing.vector_ms, reply->timing.fuse_ms,  reply->timing.fresh_ms};
    for (size_t i = 0; i < METRIC_STAGES; i++)
        if (i == 0 || ms[i] > 0) histogram_add(&m->search[mode][i], ms[i] / 1000);
    add_to(&m->recomputed, (uint64_t)reply->recomputed.computed);
}

void metrics_embed(Metrics *m, double seconds, int64_t tokens) {
    histogram_add(&m->embed, seconds);
    add_to(&m->embed_tokens, (uint64_t)tokens);
}

void metrics_abstained(Metrics *m) { add_to(&m->abstained, 1); }

/* ---- text ---- */

static void head(Buf *b, const char *name, const char *type, const char *help) {
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(Buf *b, const char *name, const char *help, double v) {
    head(b, name, "gauge", help);
    buf_printf(b, "%s %.17g\n", name, v);
}

static void counter(Buf *b, const char *name, const char *help, double v) {
    head(b, name, "counter", help);
    buf_printf(b, "%s %.17g\n", name, v);
}

/* labels: `route="search"`; "": none. */
static void histogram_text(Buf *b, const char *name, const char *labels, Histogram *h) {
    const bool label = labels[0] != 0;
    uint64_t all = 0;
    for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
        all += read_of(&h->count[i]);
        buf_printf(b, "%s_bucket{%s%sle=\"", name, labels, label ? "," : "");
        if (i < METRIC_BUCKETS)
            buf_printf(b, "%g\"} %llu\n", bounds[i], (unsigned long long)all);
        else
            buf_printf(b, "+Inf\"} %llu\n", (unsigned long long)all);
    }
    const char *open = label ? "{" : "", *close = label ? "}" : "";
    buf_printf(b, "%s_sum%s%s%s %.6f\n", name, open, labels, close, (double)read_of(&h->sum_us) / 1e6);
    buf_printf(b, "%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)all);
}

static uint64_t histogram_count(Histogram *h) {
    uint64_t all = 0;
    for (size_t i = 0; i <= METRIC_BUCKETS; i++) all += read_of(&h->count[i]);
    return all;
}

/* Of stages only those that there were. */
static void searches_text(Buf *b, Metrics *m) {
    head(b, "pythia_search_seconds", "histogram", "Time of searches within the engine, and of their stages.");
    for (size_t mode = 0; mode < METRIC_MODES; mode++)
        for (size_t stage = 0; stage < METRIC_STAGES; stage++) {
            char labels[64];
            if (stage && !histogram_count(&m->search[mode][stage])) continue;
            (void)snprintf(labels, sizeof labels, "mode=\"%s\",stage=\"%s\"", search_modes[mode], search_stages[stage]);
            histogram_text(b, "pythia_search_seconds", labels, &m->search[mode][stage]);
        }
}

static void calls_text(Buf *b, Metrics *m) {
    char code[16];
    head(b, "pythia_requests_total", "counter", "Calls answered, by operation and status.");
    for (size_t i = 0; ops[i].name && i < METRIC_OPS; i++)
        for (size_t s = 0; s < METRIC_STATUSES; s++) {
            uint64_t n = read_of(&m->calls[i][s]);
            if (n)
                buf_printf(b, "pythia_requests_total{route=\"%s\",code=\"%s\"} %llu\n", ops[i].name,
                           status_text(s, code), (unsigned long long)n);
        }
    for (size_t s = 0; s < METRIC_STATUSES; s++) {
        uint64_t n = read_of(&m->unrouted[s]);
        if (n)
            buf_printf(b, "pythia_requests_total{route=\"-\",code=\"%s\"} %llu\n", status_text(s, code),
                       (unsigned long long)n);
    }
    head(b, "pythia_request_seconds", "histogram", "Time from a request's arrival to its answer.");
    for (size_t i = 0; ops[i].name && i < METRIC_OPS; i++) {
        uint64_t any = 0;
        for (size_t s = 0; s < METRIC_STATUSES; s++) any += read_of(&m->calls[i][s]);
        char labels[64];
        (void)snprintf(labels, sizeof labels, "route=\"%s\"", ops[i].name);
        if (any) histogram_text(b, "pythia_request_seconds", labels, &m->seconds[i]);
    }
    searches_text(b, m);
    head(b, "pythia_embed_seconds", "histogram", "Time of embedding calls within the engine.");
    histogram_text(b, "pythia_embed_seconds", "", &m->embed);
    head(b, "pythia_errors_total", "counter", "Errors, by kind.");
    for (size_t e = 1; e < ERR_COUNT; e++)
        buf_printf(b, "pythia_errors_total{kind=\"%s\"} %llu\n", err_name((Err)e),
                   (unsigned long long)read_of(&m->errors[e]));
}

static double cpu_seconds(void) {
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void metrics_prometheus(Metrics *m, const MetricsNow *now, Buf *b) {
    calls_text(b, m);
    counter(b, "pythia_abstained_total", "Questions that no source answers.", (double)read_of(&m->abstained));
    counter(b, "pythia_embed_tokens_total", "Tokens of texts embedded by request.", (double)read_of(&m->embed_tokens));
    counter(b, "pythia_recomputed_total", "Vectors computed anew by searches of indexes that keep none.",
            (double)read_of(&m->recomputed));
    counter(b, "pythia_cache_hits_total", "Queries whose vector was cached.", (double)now->memory.cache_hits);
    counter(b, "pythia_cache_misses_total", "Queries whose vector was computed.", (double)now->memory.cache_misses);
    head(b, "pythia_queue_depth", "gauge", "Calls that wait or work, by class.");
    buf_printf(b, "pythia_queue_depth{class=\"interactive\"} %lld\npythia_queue_depth{class=\"background\"} %lld\n",
               (long long)now->waiting, (long long)now->ingest_waiting);
    head(b, "pythia_documents", "gauge", "Documents, by state.");
    buf_printf(b,
               "pythia_documents{state=\"active\"} %lld\npythia_documents{state=\"skipped\"} %lld\n"
               "pythia_documents{state=\"failed\"} %lld\n",
               (long long)now->documents, (long long)now->skipped, (long long)now->failed);
    gauge(b, "pythia_chunks", "Chunks in all collections.", (double)now->chunks);
    head(b, "pythia_index_bytes", "gauge", "Bytes of index files.");
    buf_printf(b, "pythia_index_bytes{part=\"vectors\"} %lld\npythia_index_bytes{part=\"words\"} %lld\n",
               (long long)now->vector_bytes, (long long)now->word_bytes);
    gauge(b, "pythia_memory_pressure", "Memory pressure: 0 calm to 3 critical.", now->memory.level);
    gauge(b, "pythia_model_loaded", "1 when the embedding model is ready.", now->model_loaded);
    gauge(b, "pythia_uptime_seconds", "Seconds since the start.", now->uptime_s);
    counter(b, "pythia_connections_total", "HTTP connections accepted.", (double)read_of(&m->connections));
    counter(b, "pythia_rate_limited_total", "Requests refused by the rate limit.", (double)read_of(&m->refused_rate));
    counter(b, "process_cpu_seconds_total", "CPU time of this process.", cpu_seconds());
    gauge(b, "process_resident_memory_bytes", "Memory of this process.", (double)now->memory.resident);
    gauge(b, "process_start_time_seconds", "Unix time of the start.", (double)clock_wall_ms() / 1000 - now->uptime_s);
}

/* ---- JSON ---- */

static void histogram_json(JsonOut *j, const char *key, Histogram *h) {
    uint64_t all = histogram_count(h), seen = 0;
    jout_key(j, key);
    jout_begin(j, '{');
    jout_kv_i64(j, "count", (int64_t)all);
    jout_kv_f64(j, "mean_ms", all ? (double)read_of(&h->sum_us) / 1000 / (double)all : 0);
    static const double shares[3] = {0.5, 0.95, 0.99};
    static const char *const names[3] = {"p50_ms_at_most", "p95_ms_at_most", "p99_ms_at_most"};
    size_t next = 0;
    for (size_t i = 0; i <= METRIC_BUCKETS && next < 3; i++) {
        seen += read_of(&h->count[i]);
        while (next < 3 && all && (double)seen >= shares[next] * (double)all) {
            jout_key(j, names[next++]);
            if (i < METRIC_BUCKETS)
                jout_f64(j, bounds[i] * 1000);
            else
                jout_null(j);
        }
    }
    jout_end(j, '}');
}

void metrics_json(Metrics *m, const MetricsNow *now, Buf *out) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "ok");
    jout_kv_f64(&j, "uptime_s", now->uptime_s);
    jout_kv_bool(&j, "model_loaded", now->model_loaded);
    jout_key(&j, "requests");
    jout_begin(&j, '{');
    for (size_t i = 0; ops[i].name && i < METRIC_OPS; i++) {
        uint64_t all = 0, bad = 0;
        for (size_t s = 0; s < METRIC_STATUSES; s++) all += read_of(&m->calls[i][s]);
        for (size_t s = 0; s < METRIC_STATUSES; s++)
            if (status_is_bad(s)) bad += read_of(&m->calls[i][s]);
        if (!all) continue;
        jout_key(&j, ops[i].name);
        jout_begin(&j, '{');
        jout_kv_i64(&j, "total", (int64_t)all);
        jout_kv_i64(&j, "failed", (int64_t)bad);
        histogram_json(&j, "time", &m->seconds[i]);
        jout_end(&j, '}');
    }
    jout_end(&j, '}');
    jout_kv_i64(&j, "abstained", (int64_t)read_of(&m->abstained));
    jout_kv_i64(&j, "embed_tokens", (int64_t)read_of(&m->embed_tokens));
    jout_kv_i64(&j, "recomputed", (int64_t)read_of(&m->recomputed));
    jout_kv_i64(&j, "cache_hits", now->memory.cache_hits);
    jout_kv_i64(&j, "cache_misses", now->memory.cache_misses);
    jout_kv_i64(&j, "queue_interactive", now->waiting);
    jout_kv_i64(&j, "queue_background", now->ingest_waiting);
    jout_kv_i64(&j, "documents", now->documents);
    jout_kv_i64(&j, "chunks", now->chunks);
    jout_kv_i64(&j, "index_bytes", now->vector_bytes + now->word_bytes);
    jout_kv_i64(&j, "memory_pressure", now->memory.level);
    jout_kv_i64(&j, "resident_bytes", now->memory.resident);
    jout_kv_f64(&j, "cpu_seconds", cpu_seconds());
    jout_end(&j, '}');
}
