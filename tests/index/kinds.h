/* kinds.h - what the tests of all kinds of vector index share: the kinds, the data, the truth. A kind is a line in
 * `kinds`. */
#ifndef PYTHIA_TESTS_INDEX_KINDS_H
#define PYTHIA_TESTS_INDEX_KINDS_H

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "index/vec.h"

#ifndef KINDS_ROWS
#define KINDS_ROWS 6000
#endif
enum { DIM = 64, ROWS = KINDS_ROWS, QUERIES = 60, K = 10 };

typedef struct {
    const char *name;
    VecParams params;
    double recall; /* at 10, of the default effort */
    float error;   /* of a score, at most */
} KindCase;

static const KindCase kinds[] = {
    {"exact", {0}, 1.0, 1e-5f},
    {"flat", {0}, 0.95, 0.01f}, /* so few rows have no partitions */
    {"flat", {.partitions = 96, .seed = 7}, 0.95, 0.01f},
    {"flat", {.partitions = 96, .keep_f32 = true}, 0.95, 1e-5f},
    {"flat", {.partitions = 96, .assignments = 2}, 0.95, 0.01f},
    {"ivfpq", {.iterations = 3}, 0.95, 0.01f},
    {"ivfpq", {.sub_vectors = 12, .iterations = 3, .seed = 3}, 0.95, 0.01f}, /* sub-vectors that do not divide */
    {"compact", {0}, 0.95, 0.01f},
    {"hnsw", {0}, 0.95, 0.01f},
    {"hnsw", {.graph_degree = 6, .ef_construction = 80, .seed = 7, .keep_f32 = true}, 0.9, 1e-5f},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static inline bool keeps_rows(const KindCase *kind) { return strcmp(kind->name, "compact") != 0; }

/* ---- data: 60 clouds on the sphere, as embeddings lie ---- */

static uint64_t state64 = 88172645463325252ull;

static inline float noise(void) { /* about normal: a sum of uniforms */
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state64 ^= state64 >> 12;
        state64 ^= state64 << 25;
        state64 ^= state64 >> 27;
        sum += (float)((double)((state64 * 2685821657736338717ull) >> 40) / 8388608.0 - 1.0);
    }
    return sum;
}

static inline void to_sphere(float *v) {
    double sum = 0;
    for (size_t d = 0; d < DIM; d++) sum += (double)v[d] * (double)v[d];
    for (size_t d = 0; d < DIM; d++) v[d] = (float)((double)v[d] / sqrt(sum));
}

static inline float *clouds(size_t n) {
    static float centres[60][DIM];
    float *rows = malloc(n * DIM * sizeof *rows);
    CHECK(rows);
    if (centres[0][0] == 0)
        for (size_t c = 0; c < 60; c++)
            for (size_t d = 0; d < DIM; d++) centres[c][d] = noise();
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < DIM; d++) rows[i * DIM + d] = centres[(i * 7919) % 60][d] + 0.6f * noise();
        to_sphere(rows + i * DIM);
    }
    return rows;
}

static float *data, *queries; /* [ROWS, DIM], [QUERIES, DIM] */

static const float *computed; /* [.., DIM] what rows are computed from by a kind that keeps none: the truth of now */

static inline Err row_compute(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out,
                              bool *had) {
    (void)ctx;
    (void)deadline;
    (void)had;
    for (size_t i = 0; i < n; i++) memcpy(out + i * DIM, computed + slots[i] * DIM, DIM * sizeof *out);
    return ERR_OK;
}

static inline int data_make(void **st) {
    (void)st;
    data = clouds(ROWS);
    computed = data;
    queries = clouds(QUERIES);
    return 0;
}

static inline int data_free(void **st) {
    (void)st;
    free(data);
    free(queries);
    return 0;
}

static inline VecSpec spec_of(const KindCase *kind, const char *dir, uint32_t committed, bool writer) {
    return (VecSpec){.kind = kind->name,
                     .dir = dir,
                     .dim = DIM,
                     .generation = 1,
                     .committed = committed,
                     .writer = writer,
                     .params = kind->params};
}

/* A writer with rows [0, n) in it, built. */
static inline VecIndex *built(const KindCase *kind, const char *dir, size_t n, Pool *pool) {
    VecIndex *ix;
    uint32_t first, count;
    VecSpec spec = spec_of(kind, dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    for (size_t from = 0; from < n; from += 1000) {
        size_t m = n - from < 1000 ? n - from : 1000;
        CHECK_OK(vec_add(ix, data + from * DIM, m, &first));
        CHECK_INT(first, from);
        CHECK_OK(vec_sync(ix, &count));
    }
    CHECK_OK(vec_build(ix, pool, NULL));
    return ix;
}

/* ---- the truth ---- */

typedef struct {
    const float *rows;
    size_t n;
    const uint64_t *allowed; /* NULL: all */
} Truth;

static inline bool may(const Truth *t, size_t slot) { return !t->allowed || t->allowed[slot / 64] >> (slot % 64) & 1; }

static inline double score(const float *a, const float *b) {
    double sum = 0;
    for (size_t d = 0; d < DIM; d++) sum += (double)a[d] * (double)b[d];
    return sum;
}

/* The k-th best score, and how many rows there are to be found. */
static inline double kth_score(const Truth *t, const float *query, size_t k, size_t *n) {
    double best[K + 1];
    *n = 0;
    for (size_t slot = 0; slot < t->n; slot++) {
        if (!may(t, slot)) continue;
        double s = score(query, t->rows + slot * DIM);
        size_t at = *n < k ? (*n)++ : k;
        for (; at > 0 && s > best[at - 1]; at--) best[at] = best[at - 1];
        best[at] = s;
    }
    return *n ? best[*n - 1] : 0;
}

/* Recall over all queries; checks each reply on the way: order, distinct slots, filter, scores. */
static inline double recall_of(const KindCase *kind, const VecIndex *ix, const Truth *t, const VecQuery *like) {
    size_t hit = 0, want = 0;
    computed = t->rows;
    for (size_t i = 0; i < QUERIES; i++) {
        const float *query = queries + i * DIM;
        VecQuery q = *like;
        VecHit hits[K];
        size_t n, there;
        q.k = K;
        q.fetch = row_compute;
        q.allowed = t->allowed;
        CHECK_OK(vec_search(ix, query, &q, hits, &n));
        double floor = kth_score(t, query, K, &there);
        CHECK(n <= there);
        for (size_t h = 0; h < n; h++) {
            CHECK(hits[h].slot < t->n && may(t, hits[h].slot));
            CHECK_NEAR(hits[h].score, score(query, t->rows + hits[h].slot * DIM), (double)kind->error);
            CHECK(h == 0 || hits[h].score <= hits[h - 1].score);
            for (size_t o = 0; o < h; o++) CHECK(hits[o].slot != hits[h].slot);
            hit += score(query, t->rows + hits[h].slot * DIM) >= floor - 1e-6;
        }
        want += there;
    }
    return (double)hit / (double)want;
}

static inline void check_recall(const KindCase *kind, const VecIndex *ix, const Truth *t, const VecQuery *like,
                                double floor, const char *what) {
    double recall = recall_of(kind, ix, t, like);
    if (recall < floor) fail_msg("%s, %s: recall %.4f is below %.4f", kind->name, what, recall, floor);
}

static inline Str bytes_of(Arena *a, const char *dir, const char *part) {
    char path[600];
    Str out = STR("");
    FileInfo info;
    (void)snprintf(path, sizeof path, "%s/vec-1.%s", dir, part);
    CHECK_OK(file_info(path, true, &info));
    if (info.type != FILE_NONE) CHECK_OK(file_read(a, path, (size_t)1 << 30, &out));
    return out;
}

#endif
