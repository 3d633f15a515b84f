/* metrics.h - what the server counts, and how Prometheus reads it.
 *
 * Counters are atomics, added to without a lock; a reading may be torn between two of them, never within one. Labels
 * come from tables (operations, classes, buckets), never from requests: nobody can make new series.
 *
 * Threads: any.
 */
#ifndef PYTHIA_SERVE_METRICS_H
#define PYTHIA_SERVE_METRICS_H

#include <stdatomic.h>

#include "base/str.h"
#include "engine/pythia.h"

enum { METRIC_OPS = 48, METRIC_BUCKETS = 14, METRIC_STATUSES = 20 /* of metrics.c's table; the last: others */ };
enum { METRIC_MODES = 4, METRIC_STAGES = 6 /* of a search, of metrics.c's tables */ };

/* Seconds: a call's whole stay. */
typedef struct {
    atomic_uint_fast64_t count[METRIC_BUCKETS + 1]; /* not cumulated; the last: above all bounds */
    atomic_uint_fast64_t sum_us;
} Histogram;

typedef struct {
    atomic_uint_fast64_t calls[METRIC_OPS][METRIC_STATUSES];
    Histogram seconds[METRIC_OPS];
    Histogram search[METRIC_MODES][METRIC_STAGES];
    Histogram embed;
    atomic_uint_fast64_t embed_tokens, recomputed;
    atomic_uint_fast64_t abstained; /* questions without an answer */
    atomic_uint_fast64_t errors[ERR_COUNT];
    atomic_uint_fast64_t unrouted[METRIC_STATUSES]; /* no such operation, refused before it */
    atomic_uint_fast64_t connections, refused_rate, refused_auth;
} Metrics;

void histogram_add(Histogram *h, double seconds);
/* op: its place in ops; SIZE_MAX: none was found. */
void metrics_call(Metrics *m, size_t op, int status, Err err, double seconds);

void metrics_search(Metrics *m, const PythiaReply *reply);
void metrics_embed(Metrics *m, double seconds, int64_t tokens);

void metrics_abstained(Metrics *m);

/* What is read at the moment of asking. */
typedef struct {
    PythiaWork work;
    PythiaMemory memory;
    int64_t waiting, ingest_waiting;
    int64_t documents, skipped, failed, chunks, vector_bytes, word_bytes; /* bytes: of index files */
    bool model_loaded;
    double uptime_s;
} MetricsNow;

/* The text format of Prometheus 0.0.4. */
void metrics_prometheus(Metrics *m, const MetricsNow *now, Buf *out);
void metrics_json(Metrics *m, const MetricsNow *now, Buf *out);

#endif
