/* One set of tests for all kinds of vector index: recall against comparing every row, after building, deletes, re-adds, with
 * duplicates and filters; snapshots, rebuilding, damage, failing I/O. A kind is a line in `kinds`. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "index/vec.h"

enum { DIM = 64, ROWS = 6000, QUERIES = 60, K = 10 };

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
    {"flat", {.partitions = 96, .keep_f32 = true}, 0.95, 0.01f},
    {"ivfpq", {.iterations = 3}, 0.95, 0.01f},
    {"ivfpq", {.sub_vectors = 12, .iterations = 3, .seed = 3}, 0.95, 0.01f}, /* sub-vectors that do not divide */
    {"compact", {0}, 0.95, 0.01f},
    {"hnsw", {0}, 0.95, 0.01f},
    {"hnsw", {.graph_degree = 6, .ef_construction = 80, .seed = 7}, 0.9, 0.01f},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static bool keeps_rows(const KindCase *kind) { return strcmp(kind->name, "compact") != 0; }

/* ---- data: 60 clouds on the sphere, as embeddings lie ---- */

static uint64_t state64 = 88172645463325252ull;

static float noise(void) { /* about normal: a sum of uniforms */
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state64 ^= state64 >> 12;
        state64 ^= state64 << 25;
        state64 ^= state64 >> 27;
        sum += (float)((double)((state64 * 2685821657736338717ull) >> 40) / 8388608.0 - 1.0);
    }
    return sum;
}

static void to_sphere(float *v) {
    double sum = 0;
    for (size_t d = 0; d < DIM; d++) sum += (double)v[d] * (double)v[d];
    for (size_t d = 0; d < DIM; d++) v[d] = (float)((double)v[d] / sqrt(sum));
}

static float *clouds(size_t n) {
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

static Err row_compute(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    (void)ctx;
    (void)deadline;
    (void)had;
    for (size_t i = 0; i < n; i++) memcpy(out + i * DIM, computed + slots[i] * DIM, DIM * sizeof *out);
    return ERR_OK;
}

static int data_make(void **st) {
    (void)st;
    data = clouds(ROWS);
    computed = data;
    queries = clouds(QUERIES);
    return 0;
}

static int data_free(void **st) {
    (void)st;
    free(data);
    free(queries);
    return 0;
}

static VecSpec spec_of(const KindCase *kind, const char *dir, uint32_t committed, bool writer) {
    return (VecSpec){.kind = kind->name,
                     .dir = dir,
                     .dim = DIM,
                     .generation = 1,
                     .committed = committed,
                     .writer = writer,
                     .params = kind->params,
                     .fetch = row_compute};
}

/* A writer with rows [0, n) in it, built. */
static VecIndex *built(const KindCase *kind, const char *dir, size_t n, Pool *pool) {
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

static bool may(const Truth *t, size_t slot) { return !t->allowed || t->allowed[slot / 64] >> (slot % 64) & 1; }

static double score(const float *a, const float *b) {
    double sum = 0;
    for (size_t d = 0; d < DIM; d++) sum += (double)a[d] * (double)b[d];
    return sum;
}

/* The k-th best score, and how many rows there are to be found. */
static double kth_score(const Truth *t, const float *query, size_t k, size_t *n) {
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
static double recall_of(const KindCase *kind, const VecIndex *ix, const Truth *t, const VecQuery *like) {
    size_t hit = 0, want = 0;
    computed = t->rows;
    for (size_t i = 0; i < QUERIES; i++) {
        const float *query = queries + i * DIM;
        VecQuery q = *like;
        VecHit hits[K];
        size_t n, there;
        q.k = K;
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

static void check_recall(const KindCase *kind, const VecIndex *ix, const Truth *t, const VecQuery *like, double floor,
                         const char *what) {
    double recall = recall_of(kind, ix, t, like);
    if (recall < floor) fail_msg("%s, %s: recall %.4f is below %.4f", kind->name, what, recall, floor);
}

/* ---- tests ---- */

static void what_is_built_finds_what_comparing_every_row_finds(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, ROWS, NULL);
        Truth all = {data, ROWS, NULL};
        VecStats stats;
        vec_stats(ix, &stats);
        CHECK_INT(stats.rows, ROWS);
        CHECK(!vec_build_due(ix));
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "built");
        check_recall(&kinds[i], ix, &all, &(VecQuery){.exact = true}, 0.98, "every row compared");
        check_recall(&kinds[i], ix, &all, &(VecQuery){.effort = 3}, 0.98, "much effort");
        vec_close(ix);
        VecSpec spec = spec_of(&kinds[i], dir, ROWS, false);
        CHECK_OK(vec_open(&ix, &spec));
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "opened again");
        Buf report = {0};
        CHECK_OK(vec_check(ix, &report));
        CHECK_INT(report.n, 0);
        buf_free(&report);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void rows_behind_what_is_built_are_found_too(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, ROWS / 2, NULL);
        uint32_t first, count;
        CHECK_OK(vec_add(ix, data + ROWS / 2 * DIM, ROWS / 2, &first));
        CHECK_OK(vec_sync(ix, &count));
        CHECK_INT(count, ROWS);
        Truth all = {data, ROWS, NULL};
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "half of it behind");
        CHECK_OK(vec_build(ix, NULL, NULL));
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "built anew");
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void deleted_rows_are_gone_and_rows_added_again_are_found(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, ROWS, NULL);
        uint64_t left[(2 * ROWS + 63) / 64];
        memset(left, 0xFF, sizeof left);
        float *rows = malloc((ROWS + ROWS / 5) * DIM * sizeof *rows);
        CHECK(rows);
        memcpy(rows, data, ROWS * DIM * sizeof *rows);
        uint32_t gone[ROWS / 5], first, count;
        for (uint32_t g = 0; g < ROWS / 5; g++) {
            gone[g] = g * 5 + g % 3;
            left[gone[g] / 64] &= ~(UINT64_C(1) << (gone[g] % 64));
            memcpy(rows + (ROWS + g) * DIM, data + gone[g] * DIM, DIM * sizeof *rows);
        }
        CHECK_OK(vec_remove(ix, gone, ROWS / 5));
        /* deletes alone: the truth's filter tells what is left, the search gets none */
        for (size_t q = 0; q < QUERIES; q++) {
            VecHit hits[K];
            size_t n;
            CHECK_OK(vec_search(ix, queries + q * DIM, &(VecQuery){.k = K}, hits, &n));
            CHECK_INT(n, K);
            for (size_t h = 0; h < n; h++) CHECK(left[hits[h].slot / 64] >> (hits[h].slot % 64) & 1);
        }
        Truth some = {rows, ROWS, left};
        check_recall(&kinds[i], ix, &some, &(VecQuery){0}, kinds[i].recall, "a fifth deleted");
        CHECK_OK(vec_add(ix, rows + ROWS * DIM, ROWS / 5, &first));
        CHECK_INT(first, ROWS);
        CHECK_OK(vec_sync(ix, &count));
        some.n = ROWS + ROWS / 5;
        check_recall(&kinds[i], ix, &some, &(VecQuery){0}, kinds[i].recall, "and added again");
        CHECK_OK(vec_build(ix, NULL, NULL));
        check_recall(&kinds[i], ix, &some, &(VecQuery){0}, kinds[i].recall, "and built");
        computed = data;
        free(rows);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void few_rows_that_a_filter_lets_pass_are_all_found(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, ROWS, NULL);
        static const uint32_t every[] = {2, 10, 100, 1000, ROWS};
        for (size_t e = 0; e < sizeof every / sizeof *every; e++) {
            uint64_t bits[(ROWS + 63) / 64] = {0};
            for (uint32_t slot = every[e] / 2; slot < ROWS; slot += every[e])
                bits[slot / 64] |= UINT64_C(1) << (slot % 64);
            Truth some = {data, ROWS, bits};
            double floor = every[e] >= 100 && keeps_rows(&kinds[i]) ? 0.98 : kinds[i].recall;
            check_recall(&kinds[i], ix, &some, &(VecQuery){0}, floor, "filtered");
        }
        uint64_t none[(ROWS + 63) / 64] = {0};
        VecHit hits[K];
        size_t n = 99;
        CHECK_OK(vec_search(ix, queries, &(VecQuery){.k = K, .allowed = none}, hits, &n));
        CHECK_INT(n, 0);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void duplicates_and_zero_rows_do_no_harm(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        float *rows = calloc(ROWS * DIM, sizeof *rows);
        CHECK(rows);
        for (size_t r = 0; r < ROWS; r++) /* each of 300 twenty times, but for the last ones, which are zero */
            if (r < ROWS - 50) memcpy(rows + r * DIM, data + r % 300 * DIM, DIM * sizeof *rows);
        VecIndex *ix;
        VecSpec spec = spec_of(&kinds[i], dir, 0, true);
        uint32_t first, count;
        CHECK_OK(vec_open(&ix, &spec));
        CHECK_OK(vec_add(ix, rows, ROWS, &first));
        CHECK_OK(vec_sync(ix, &count));
        CHECK_OK(vec_build(ix, NULL, NULL));
        Truth all = {rows, ROWS, NULL};
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, 0.9, "duplicates");
        float zero[DIM] = {0};
        VecHit hits[K];
        size_t n;
        CHECK_OK(vec_search(ix, zero, &(VecQuery){.k = K}, hits, &n));
        CHECK_INT(n, K);
        for (size_t h = 0; h < n; h++) CHECK_NEAR(hits[h].score, 0, 1e-6);
        computed = data;
        free(rows);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void small_indexes_give_all_they_have(void **st) {
    (void)st;
    static const size_t sizes[] = {0, 1, 3, 63, 64, 65, 200};
    for (size_t i = 0; i < N_KINDS; i++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const char *dir = check_temp_dir();
            VecIndex *ix = built(&kinds[i], dir, sizes[s], NULL);
            VecHit hits[300];
            size_t n = 99;
            CHECK_OK(vec_search(ix, queries, &(VecQuery){.k = 300, .effort = 10}, hits, &n));
            CHECK_INT(n, sizes[s]);
            uint32_t all[200];
            for (uint32_t slot = 0; slot < sizes[s]; slot++) all[slot] = slot;
            CHECK_OK(vec_remove(ix, all, sizes[s]));
            CHECK_OK(vec_build(ix, NULL, NULL));
            CHECK_OK(vec_search(ix, queries, &(VecQuery){.k = 300}, hits, &n));
            CHECK_INT(n, 0);
            vec_close(ix);
            CHECK_OK(file_remove_tree(dir));
        }
}

static Str bytes_of(Arena *a, const char *dir, const char *part) {
    char path[600];
    Str out = STR("");
    FileInfo info;
    (void)snprintf(path, sizeof path, "%s/vec-1.%s", dir, part);
    CHECK_OK(file_info(path, true, &info));
    if (info.type != FILE_NONE) CHECK_OK(file_read(a, path, (size_t)1 << 30, &out));
    return out;
}

static void the_same_rows_give_the_same_files_on_any_number_of_threads(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        Arena a = {0};
        Str first = STR("");
        for (size_t threads = 1; threads <= 4; threads++) {
            const char *dir = check_temp_dir();
            Pool *pool;
            CHECK_OK(pool_open(&pool, threads));
            vec_close(built(&kinds[i], dir, ROWS, pool));
            Str got = bytes_of(&a, dir, "built");
            if (threads == 1)
                first = got;
            else
                CHECK(str_eq(got, first));
            pool_close(pool);
            CHECK_OK(file_remove_tree(dir));
        }
        arena_free(&a);
    }
}

static void a_built_file_of_rows_that_a_crash_took_is_not_believed(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        vec_close(built(&kinds[i], dir, ROWS, NULL));
        VecIndex *ix;
        /* a reader of the earlier commit: slots that it does not have are left out */
        VecSpec spec = spec_of(&kinds[i], dir, 2000, false);
        CHECK_OK(vec_open(&ix, &spec));
        Truth some = {data, 2000, NULL};
        check_recall(&kinds[i], ix, &some, &(VecQuery){0}, kinds[i].recall, "an earlier commit");
        vec_close(ix);
        /* a writer that goes on from there with other rows */
        spec.writer = true;
        uint32_t first, count;
        float *rows = malloc(ROWS * DIM * sizeof *rows);
        CHECK(rows);
        memcpy(rows, data, ROWS * DIM * sizeof *rows);
        for (size_t r = 2000; r < ROWS; r++) memcpy(rows + r * DIM, data + (ROWS + 1999 - r) * DIM, DIM * sizeof *rows);
        CHECK_OK(vec_open(&ix, &spec));
        CHECK_OK(vec_add(ix, rows + 2000 * DIM, ROWS - 2000, &first));
        CHECK_INT(first, 2000);
        CHECK_OK(vec_sync(ix, &count));
        Truth all = {rows, ROWS, NULL};
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "other rows in their place");
        computed = data;
        free(rows);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void any_failing_call_of_a_build_leaves_what_was_built_before(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        long nth = 1, calls;
        do {
            const char *dir = check_temp_dir();
            VecIndex *ix = built(&kinds[i], dir, 1500, NULL);
            uint32_t first, count;
            CHECK_OK(vec_add(ix, data + 1500 * DIM, 500, &first));
            CHECK_OK(vec_sync(ix, &count));
            fault_arm(nth, ENOSPC);
            Err err = vec_build(ix, NULL, NULL);
            calls = fault_count();
            fault_arm(0, 0);
            if (err) CHECK_ERR(err, ERR_IO, strerror(ENOSPC));
            Truth all = {data, 2000, NULL};
            check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "after a failed build");
            CHECK_OK(vec_build(ix, NULL, NULL));
            vec_close(ix);
            VecSpec spec = spec_of(&kinds[i], dir, 2000, false);
            CHECK_OK(vec_open(&ix, &spec));
            check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "and built again");
            vec_close(ix);
            CHECK_OK(file_remove_tree(dir));
        } while (calls >= nth++);
    }
}

static void every_flipped_byte_of_what_is_built_is_found_before_a_wrong_answer(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        Arena a = {0};
        const char *dir = check_temp_dir();
        vec_close(built(&kinds[i], dir, 300, NULL));
        Str good = bytes_of(&a, dir, "built");
        char path[600];
        (void)snprintf(path, sizeof path, "%s/vec-1.built", dir);
        char *bad = good.n ? malloc(good.n) : NULL;
        for (size_t at = 0; at < good.n; at += at < 1024 ? 1 : 97) {
            memcpy(bad, good.p, good.n);
            bad[at] = (char)(bad[at] ^ (1 << at % 8));
            CHECK_OK(file_write_atomic(path, (Str){bad, good.n}, 0644));
            VecIndex *ix;
            VecSpec spec = spec_of(&kinds[i], dir, 300, false);
            Err err = vec_open(&ix, &spec);
            if (err == ERR_OK) fail_msg("%s: byte %zu of %zu flipped and not found", kinds[i].name, at, good.n);
            CHECK(err == ERR_CORRUPT || err == ERR_FORMAT || err == ERR_MODEL_MISMATCH);
            CHECK(strstr(err_text(), "vec-1.built"));
        }
        for (size_t cut = 0; cut < good.n; cut += 61) {
            CHECK_OK(file_write_atomic(path, (Str){good.p, cut}, 0644));
            VecIndex *ix;
            VecSpec spec = spec_of(&kinds[i], dir, 300, false);
            CHECK_ERR(vec_open(&ix, &spec), ERR_CORRUPT, "vec-1.built");
        }
        free(bad);
        arena_free(&a);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void a_deadline_ends_builds_and_searches_in_time(void **st) {
    (void)st;
    Deadline past = {.at_ns = 1};
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix;
        uint32_t first, count;
        VecSpec spec = spec_of(&kinds[i], dir, 0, true);
        CHECK_OK(vec_open(&ix, &spec));
        CHECK_OK(vec_add(ix, data, ROWS, &first));
        CHECK_OK(vec_sync(ix, &count));
        Err err = vec_build(ix, NULL, &past);
        CHECK(err == ERR_DEADLINE || (err == ERR_OK && strcmp(kinds[i].name, "exact") == 0));
        CHECK_OK(vec_build(ix, NULL, NULL));
        VecHit hits[K];
        size_t n = 99;
        CHECK_INT(vec_search(ix, queries, &(VecQuery){.k = K, .deadline = &past}, hits, &n), ERR_DEADLINE);
        CHECK(n <= K);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

typedef struct {
    VecIndex *ix;
    _Atomic bool stop;
    _Atomic int searches;
} Beside;

static void *search_on(void *ctx) {
    Beside *b = ctx;
    VecScratch *scratch;
    if (vec_scratch_open(&scratch)) return NULL;
    for (size_t i = 0; !atomic_load(&b->stop); i++) {
        VecHit hits[K];
        size_t n = 0;
        VecQuery q = {.k = K, .scratch = scratch};
        if (vec_search(b->ix, queries + i % QUERIES * DIM, &q, hits, &n) == ERR_OK && n == K)
            atomic_fetch_add(&b->searches, 1);
        else
            break;
    }
    vec_scratch_close(scratch);
    return NULL;
}

static void searches_run_beside_adding_removing_and_building(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        Beside b = {.ix = built(&kinds[i], dir, 1000, NULL)};
        pthread_t threads[3];
        for (size_t t = 0; t < 3; t++) CHECK_INT(pthread_create(&threads[t], NULL, search_on, &b), 0);
        for (uint32_t from = 1000; from < 3000; from += 500) {
            uint32_t first, count, gone = from / 7;
            CHECK_OK(vec_add(b.ix, data + from * DIM, 500, &first));
            CHECK_OK(vec_sync(b.ix, &count));
            CHECK_OK(vec_remove(b.ix, &gone, 1));
            CHECK_OK(vec_build(b.ix, NULL, NULL));
        }
        while (atomic_load(&b.searches) < 10) (void)sched_yield();
        atomic_store(&b.stop, true);
        for (size_t t = 0; t < 3; t++) CHECK_INT(pthread_join(threads[t], NULL), 0);
        vec_close(b.ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void a_row_that_is_read_and_added_again_stays_what_it_is(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, 500, NULL);
        float *once = malloc(500 * DIM * sizeof *once), twice[DIM];
        uint32_t first, count;
        CHECK(once);
        if (!keeps_rows(&kinds[i])) {
            CHECK_ERR(vec_row(ix, 0, twice), ERR_UNSUPPORTED, "keeps codes, no vectors");
            free(once);
            vec_close(ix);
            CHECK_OK(file_remove_tree(dir));
            continue;
        }
        for (uint32_t slot = 0; slot < 500; slot++) {
            CHECK_OK(vec_row(ix, slot, once + slot * DIM));
            for (size_t d = 0; d < DIM; d++)
                CHECK_NEAR(once[slot * DIM + d], data[slot * DIM + d], kinds[i].error > 1e-4f ? 0.004 : 0);
        }
        CHECK_OK(vec_add(ix, once, 500, &first));
        CHECK_OK(vec_sync(ix, &count));
        for (uint32_t slot = 0; slot < 500; slot++) {
            CHECK_OK(vec_row(ix, 500 + slot, twice));
            CHECK(memcmp(twice, once + slot * DIM, sizeof twice) == 0);
        }
        free(once);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void numbers_of_any_size_that_fits_are_kept_in_proportion(void **st) {
    (void)st;
    static const float sizes[] = {1e-15f, 1e-6f, 1, 300, 1e19f};
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix;
        uint32_t first, count;
        VecSpec spec = spec_of(&kinds[i], dir, 0, true);
        CHECK_OK(vec_open(&ix, &spec));
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            float row[DIM], got[DIM];
            for (size_t d = 0; d < DIM; d++) row[d] = data[s * DIM + d] * sizes[s];
            CHECK_OK(vec_add(ix, row, 1, &first));
            CHECK_OK(vec_sync(ix, &count));
            CHECK_OK(vec_row(ix, first, got));
            for (size_t d = 0; d < DIM; d++) CHECK_NEAR(got[d] / sizes[s], row[d] / sizes[s], 0.004);
        }
        float huge[DIM] = {0, 2e30f};
        Err err = vec_add(ix, huge, 1, &first);
        if (strcmp(kinds[i].name, "exact") == 0)
            CHECK_OK(err);
        else
            CHECK_ERR(err, ERR_LIMIT, "2e+30");
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void single_rows_are_scored_as_a_search_would(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, 3000, NULL);
        uint32_t slots[70];
        float scores[70];
        bool had[70];
        for (uint32_t s = 0; s < 70; s++) slots[s] = s * 41 % 3000;
        CHECK_OK(vec_score(ix, queries, slots, 70, &(VecQuery){0}, scores, had));
        for (size_t s = 0; s < 70; s++) {
            double sum = 0;
            for (size_t d = 0; d < DIM; d++) sum += (double)queries[d] * (double)data[slots[s] * DIM + d];
            CHECK(had[s]);
            CHECK_NEAR(scores[s], sum, (double)kinds[i].error);
        }
        CHECK_ERR(vec_score(ix, queries, (uint32_t[]){3000}, 1, &(VecQuery){0}, scores, had), ERR_INPUT, "has no slot");
        CHECK_ERR(vec_score(ix, (float[DIM]){NAN}, slots, 1, &(VecQuery){0}, scores, had), ERR_INPUT, "is not finite");
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

static void compacting_leaves_out_what_was_removed_and_the_rest_is_found(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, 2000, NULL);
        static uint32_t gone[1000], map[2000];
        uint32_t rows = 0;
        for (uint32_t g = 0; g < 1000; g++) gone[g] = 2 * g;
        CHECK_OK(vec_remove(ix, gone, 1000));
        CHECK_OK(vec_compact(ix, map, &rows));
        CHECK_INT(rows, 1000);
        vec_close(ix);
        CHECK_OK(vec_drop(dir, 1));
        VecSpec spec = spec_of(&kinds[i], dir, rows, true);
        spec.generation = 2;
        CHECK_OK(vec_open(&ix, &spec));
        CHECK_OK(vec_build(ix, NULL, NULL));
        float *rows_left = malloc(1000 * DIM * sizeof *rows_left);
        CHECK(rows_left);
        for (uint32_t slot = 0; slot < 2000; slot++) {
            CHECK_INT(map[slot], slot % 2 ? slot / 2 : UINT32_MAX);
            if (slot % 2) memcpy(rows_left + slot / 2 * DIM, data + slot * DIM, DIM * sizeof *rows_left);
        }
        Truth all = {rows_left, 1000, NULL};
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "compacted");
        free(rows_left);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_finds_what_comparing_every_row_finds),
        cmocka_unit_test(rows_behind_what_is_built_are_found_too),
        cmocka_unit_test(deleted_rows_are_gone_and_rows_added_again_are_found),
        cmocka_unit_test(few_rows_that_a_filter_lets_pass_are_all_found),
        cmocka_unit_test(duplicates_and_zero_rows_do_no_harm),
        cmocka_unit_test(small_indexes_give_all_they_have),
        cmocka_unit_test(the_same_rows_give_the_same_files_on_any_number_of_threads),
        cmocka_unit_test(a_built_file_of_rows_that_a_crash_took_is_not_believed),
        cmocka_unit_test(any_failing_call_of_a_build_leaves_what_was_built_before),
        cmocka_unit_test(every_flipped_byte_of_what_is_built_is_found_before_a_wrong_answer),
        cmocka_unit_test(a_deadline_ends_builds_and_searches_in_time),
        cmocka_unit_test(searches_run_beside_adding_removing_and_building),
        cmocka_unit_test(a_row_that_is_read_and_added_again_stays_what_it_is),
        cmocka_unit_test(numbers_of_any_size_that_fits_are_kept_in_proportion),
        cmocka_unit_test(single_rows_are_scored_as_a_search_would),
        cmocka_unit_test(compacting_leaves_out_what_was_removed_and_the_rest_is_found),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
