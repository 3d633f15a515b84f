/* The compact kind, where it differs from others: what ends a search, what is computed anew, what is on disk, and rows
 * that become codes. What all kinds have in common is in test_kinds.c. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "index/compact.h"

enum { DIM = 384, ROWS = 4000, QUERIES = 50, K = 10, CODE = 46 + 1 };

static float *data, *queries; /* [ROWS, DIM], [QUERIES, DIM]: 80 clouds in 100 directions, others are noise */

static uint64_t state64 = 88172645463325252ull;

static float noise(void) {
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state64 ^= state64 >> 12;
        state64 ^= state64 << 25;
        state64 ^= state64 >> 27;
        sum += (float)((double)((state64 * 2685821657736338717ull) >> 40) / 8388608.0 - 1.0);
    }
    return sum;
}

static float *clouds(size_t n) {
    static float centres[80][DIM];
    float *rows = malloc(n * DIM * sizeof *rows);
    CHECK(rows);
    for (size_t c = 0; c < 80 && centres[79][0] == 0; c++)
        for (size_t d = 0; d < DIM; d++) centres[c][d] = noise() / (1 + (float)d / 50);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        float *row = rows + i * DIM;
        for (size_t d = 0; d < DIM; d++) {
            row[d] = centres[(i * 7919) % 80][d] + noise() / (1 + (float)d / 50);
            sum += (double)row[d] * (double)row[d];
        }
        for (size_t d = 0; d < DIM; d++) row[d] = (float)((double)row[d] / sqrt(sum));
    }
    return rows;
}

static int data_make(void **st) {
    (void)st;
    data = clouds(ROWS);
    queries = clouds(QUERIES);
    return 0;
}

static int data_free(void **st) {
    (void)st;
    free(data);
    free(queries);
    return 0;
}

/* What computes rows: how often it was asked, and what it does from some call on. */
typedef struct {
    size_t calls, rows;
    size_t good;   /* calls that are answered; 0: all */
    Err err;       /* of the others; ERR_OK: rows that are not finite */
    uint32_t lost; /* every so-many-th slot cannot be had; 0: none */
} Computer;

static Err row_compute(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    Computer *c = ctx;
    (void)deadline;
    c->calls++;
    c->rows += n;
    for (size_t i = 0; i < n; i++) {
        CHECK(had[i]);
        had[i] = c->lost == 0 || slots[i] % c->lost != 0;
        if (had[i]) memcpy(out + i * DIM, data + slots[i] * DIM, DIM * sizeof *out);
    }
    if (c->good == 0 || c->calls <= c->good) return ERR_OK;
    if (c->err) return err_set(c->err, "the model fell over");
    out[n * DIM - 1] = NAN;
    return ERR_OK;
}

static VecIndex *opened(const char *dir, uint32_t committed, bool writer) {
    VecIndex *ix;
    VecSpec spec = {
        .kind = "compact", .dir = dir, .dim = DIM, .generation = 1, .committed = committed, .writer = writer};
    CHECK_OK(vec_open(&ix, &spec));
    return ix;
}

static VecIndex *built(const char *dir, size_t n) {
    VecIndex *ix = opened(dir, 0, true);
    uint32_t first, count;
    CHECK_OK(vec_add(ix, data, n, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK_INT(count, n);
    CHECK_OK(vec_build(ix, NULL, NULL));
    return ix;
}

static double score(const float *a, const float *b) {
    double sum = 0;
    for (size_t d = 0; d < DIM; d++) sum += (double)a[d] * (double)b[d];
    return sum;
}

/* How many of hits are among the K best of rows [0, rows). */
static size_t right(const float *query, size_t rows, const VecHit *hits, size_t n) {
    static double scores[ROWS];
    size_t good = 0;
    for (size_t r = 0; r < rows; r++) scores[r] = score(query, data + r * DIM);
    for (size_t h = 0; h < n; h++) {
        size_t better = 0;
        for (size_t r = 0; r < rows; r++) better += scores[r] > scores[hits[h].slot] + 1e-6;
        good += better < K;
    }
    return good;
}

static void a_search_computes_few_rows_and_is_proven(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {0};
    VecIndex *ix = built(dir, ROWS);
    size_t good = 0, recomputed = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        VecHit hits[K];
        VecReport report;
        size_t n, before = c.rows;
        CHECK_OK(vec_search(ix, queries + q * DIM,
                            &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .report = &report}, hits, &n));
        CHECK_INT(n, K);
        CHECK(report.proven);
        CHECK_INT(report.scanned, ROWS);
        CHECK_INT(report.recomputed, c.rows - before);
        CHECK(report.reranked >= K && report.reranked >= report.recomputed);
        for (size_t h = 0; h < n; h++)
            CHECK_NEAR(hits[h].score, score(queries + q * DIM, data + hits[h].slot * DIM), 1e-5);
        good += right(queries + q * DIM, ROWS, hits, n);
        recomputed += report.reranked;
    }
    if (good < QUERIES * K * 95 / 100 || recomputed > QUERIES * 60)
        fail_msg("%zu of %d found with %zu rows", good, QUERIES * K, recomputed);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void rows_that_cannot_be_had_stand_where_their_codes_put_them(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {.lost = 3};
    VecIndex *ix = built(dir, ROWS);
    size_t good = 0, lost = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        VecHit hits[K];
        VecReport report;
        size_t n, before = c.rows;
        CHECK_OK(vec_search(ix, queries + q * DIM,
                            &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .report = &report}, hits, &n));
        CHECK_INT(n, K);
        CHECK_INT(report.recomputed + report.lost, c.rows - before);
        CHECK(report.lost > 0 && !report.proven);
        lost += report.lost;
        for (size_t h = 0; h < n; h++) {
            double exact = score(queries + q * DIM, data + hits[h].slot * DIM);
            CHECK_NEAR(hits[h].score, exact, hits[h].slot % 3 ? 1e-5 : 0.15);
        }
        good += right(queries + q * DIM, ROWS, hits, n);
    }
    CHECK(lost > QUERIES && good >= QUERIES * K * 80 / 100); /* a third of the scores are estimates */
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void estimates_compute_nothing_and_tell_how_far_off_they_are(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = built(dir, ROWS);
    size_t beyond = 0, good = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        const float *query = queries + q * DIM;
        VecHit hits[4 * K];
        VecReport report;
        float scores[4 * K];
        uint32_t slots[4 * K];
        bool had[4 * K];
        size_t n;
        VecQuery ask = {.k = 4 * K, .estimate = true, .report = &report};
        CHECK_OK(vec_search(ix, query, &ask, hits, &n));
        CHECK_INT(n, 4 * K);
        CHECK_INT(report.recomputed, 0);
        CHECK(!report.proven && report.error > 0 && report.error < 0.3f);
        for (size_t h = 0; h < n; h++) {
            slots[h] = hits[h].slot;
            beyond += fabs((double)hits[h].score - score(query, data + hits[h].slot * DIM)) > (double)report.error;
        }
        good += right(query, ROWS, hits, n);
        CHECK_OK(vec_score(ix, query, slots, n, &ask, scores, had));
        for (size_t h = 0; h < n; h++) CHECK(had[h] && scores[h] == hits[h].score);
        CHECK(report.error > 0);
    }
    CHECK(good >= QUERIES * K * 97 / 100);      /* 40 estimates hold nearly all of the best 10 */
    CHECK(beyond < QUERIES * 4 * K * 23 / 100); /* 1.2 standard deviations */
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void single_rows_are_scored(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {.lost = 7};
    VecIndex *ix = built(dir, ROWS);
    uint32_t slots[20];
    float scores[20];
    bool had[20];
    VecReport report;
    for (uint32_t i = 0; i < 20; i++) slots[i] = i * 199 % ROWS;
    CHECK_OK(vec_score(ix, queries, slots, 20, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .report = &report},
                       scores, had));
    CHECK_INT(report.recomputed, 17);
    CHECK_INT(report.lost, 3);
    CHECK(report.error == 0);
    for (size_t i = 0; i < 20; i++) {
        CHECK_INT(had[i], slots[i] % 7 != 0);
        CHECK_NEAR(scores[i], score(queries, data + slots[i] * DIM), had[i] ? 1e-5 : 0.15);
    }
    slots[3] = ROWS;
    CHECK_ERR(vec_score(ix, queries, slots, 20, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c}, scores, had),
              ERR_INPUT, "has no slot 4000");
    c = (Computer){.good = 1, .err = ERR_DEADLINE};
    slots[3] = 3;
    CHECK_INT(vec_score(ix, queries, slots, 20, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c}, scores, had),
              ERR_DEADLINE);
    vec_close(ix);
    ix = opened(dir, 0, true); /* rows that wait are there */
    uint32_t first, count;
    CHECK_OK(vec_add(ix, data, 100, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK_OK(vec_score(ix, queries, (uint32_t[]){5, 99}, 2, &(VecQuery){0}, scores, had));
    CHECK_NEAR(scores[1], score(queries, data + 99 * DIM), 5e-3);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void codes_take_rows_of_other_lengths(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    VecIndex *ix = built(dir, ROWS);
    float longer[3 * DIM], scores[3];
    uint32_t first, count;
    bool had[3];
    static const float lengths[] = {0.125f, 1, 8}; /* a factor's byte reaches a sixteenth and sixteen times */
    for (size_t i = 0; i < 3; i++)
        for (size_t d = 0; d < DIM; d++) longer[i * DIM + d] = data[d] * lengths[i];
    CHECK_OK(vec_add(ix, longer, 3, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK_OK(
        vec_score(ix, data, (uint32_t[]){first, first + 1, first + 2}, 3, &(VecQuery){.estimate = true}, scores, had));
    for (size_t i = 0; i < 3; i++) CHECK_NEAR(scores[i] / lengths[i], 1, 0.15);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void a_budget_is_kept_and_the_rest_are_estimates(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {0};
    VecIndex *ix = built(dir, ROWS);
    for (size_t budget = 1; budget <= 9; budget += 4) {
        VecHit hits[K];
        VecReport report;
        size_t n, before = c.rows;
        CHECK_OK(vec_search(
            ix, queries + budget * DIM,
            &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .budget = budget, .report = &report}, hits, &n));
        CHECK_INT(n, K);
        CHECK_INT(report.recomputed, budget);
        CHECK_INT(c.rows - before, budget);
        CHECK(!report.proven);
        for (size_t h = 0; h < n; h++) {
            CHECK(h == 0 || hits[h].score <= hits[h - 1].score);
            CHECK_NEAR(hits[h].score, score(queries + budget * DIM, data + hits[h].slot * DIM), 0.1);
            for (size_t o = 0; o < h; o++) CHECK(hits[o].slot != hits[h].slot);
        }
    }
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void a_deadline_gives_the_best_so_far(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {.good = 1, .err = ERR_DEADLINE};
    VecIndex *ix = built(dir, ROWS);
    VecHit hits[K];
    VecReport report;
    size_t n;
    CHECK_INT(vec_search(ix, queries, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .report = &report},
                         hits, &n),
              ERR_DEADLINE);
    CHECK_INT(n, K);
    CHECK_INT(report.recomputed, 8);
    CHECK(!report.proven);
    for (size_t h = 0; h < n; h++)
        for (size_t o = 0; o < h; o++) CHECK(hits[o].slot != hits[h].slot);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void what_fails_while_computing_is_told(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {.good = 1, .err = ERR_IO};
    VecIndex *ix = built(dir, ROWS);
    VecHit hits[K];
    size_t n;
    CHECK_ERR(vec_search(ix, queries, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K}, hits, &n), ERR_IO,
              "the model fell over");
    c = (Computer){.good = 1, .err = ERR_OK, .calls = 1};
    CHECK_ERR(vec_search(ix, queries + DIM, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K}, hits, &n),
              ERR_INPUT, "is not finite");
    vec_close(ix);
    ix = opened(dir, ROWS, false);
    CHECK_ERR(vec_search(ix, queries, &(VecQuery){.k = K}, hits, &n), ERR_UNSUPPORTED, "without a way to compute them");
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void bits_go_where_the_variance_is_and_none_is_given_twice(void **st) {
    (void)st;
    enum { N = 240, BYTES = 46 };
    static const float falls[] = {0.97f, 0.5f, 1.0f, 0.0f}; /* as of text, to one component, none, all in the first */
    for (size_t f = 0; f < sizeof falls / sizeof *falls; f++) {
        float variances[N];
        CompactPlace places[N];
        unsigned taken[BYTES] = {0}, bits = 0;
        for (size_t i = 0; i < N; i++) variances[i] = i ? variances[i - 1] * falls[f] : 0.05f;
        compact_share(variances, N, BYTES, places);
        for (size_t i = 0; i < N; i++) {
            CHECK(places[i].bits <= COMPACT_BITS);
            if (places[i].bits == 0) continue;
            unsigned mask = ((1u << places[i].bits) - 1) << places[i].shift;
            CHECK(places[i].byte < BYTES && mask < 256);
            CHECK(!(taken[places[i].byte] & mask));
            taken[places[i].byte] |= mask;
            bits += places[i].bits;
        }
        CHECK_INT(bits, 8 * BYTES);
    }
}

static void rows_become_codes_of_47_bytes_and_readers_keep_theirs(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    Computer c = {0};
    VecIndex *ix = opened(dir, 0, true), *reader;
    uint32_t first, count;
    CHECK_OK(vec_add(ix, data, ROWS / 2, &first));
    CHECK_OK(vec_sync(ix, &count));
    CHECK(vec_build_due(ix));
    reader = opened(dir, count, false); /* rows that wait need nobody to compute them */
    CHECK_OK(vec_build(ix, NULL, NULL));
    CHECK(!vec_build_due(ix));
    CHECK_OK(vec_add(ix, data + ROWS / 2 * DIM, ROWS / 2, &first));
    CHECK_INT(first, ROWS / 2);
    CHECK_OK(vec_sync(ix, &count));
    FileInfo info;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/vec-1.rows", dir);
    CHECK_OK(file_info(path, true, &info));
    CHECK(info.size <= ROWS * CODE + 128 + 20 * 128); /* head, and a head and padding each block */
    VecHit hits[K];
    size_t n, good = 0, old = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        CHECK_OK(
            vec_search(ix, queries + q * DIM, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K}, hits, &n));
        good += right(queries + q * DIM, ROWS, hits, n);
        CHECK_OK(vec_search(reader, queries + q * DIM, &(VecQuery){.k = K}, hits, &n));
        old += right(queries + q * DIM, ROWS / 2, hits, n);
    }
    CHECK(good >= QUERIES * K * 95 / 100);
    CHECK(old >= QUERIES * K * 98 / 100);
    vec_close(reader);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void any_failing_call_of_the_build_leaves_rows_or_codes(void **st) {
    (void)st;
    long nth = 1, calls;
    do {
        const char *dir = check_temp_dir();
        Computer c = {0};
        VecIndex *ix = opened(dir, 0, true);
        uint32_t first, count;
        VecHit hits[K];
        size_t n;
        CHECK_OK(vec_add(ix, data, 600, &first));
        CHECK_OK(vec_sync(ix, &count));
        fault_arm(nth, ENOSPC);
        Err err = vec_build(ix, NULL, NULL);
        calls = fault_count();
        fault_arm(0, 0);
        if (err) CHECK_ERR(err, ERR_IO, strerror(ENOSPC));
        CHECK_OK(
            vec_search(ix, queries, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .effort = 4}, hits, &n));
        CHECK(right(queries, 600, hits, n) >= K - 1);
        vec_close(ix);
        ix = opened(dir, 600, true);
        CHECK_OK(vec_build(ix, NULL, NULL));
        CHECK_OK(
            vec_search(ix, queries, &(VecQuery){.fetch = row_compute, .fetch_ctx = &c, .k = K, .effort = 4}, hits, &n));
        CHECK(right(queries, 600, hits, n) >= K - 1);
        VecStats stats;
        vec_stats(ix, &stats);
        CHECK_INT(stats.built, 600);
        CHECK_INT(stats.learnt, 600);
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    } while (calls >= nth++);
}

static void codes_without_their_basis_are_damaged(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    vec_close(built(dir, 300));
    char path[600];
    (void)snprintf(path, sizeof path, "%s/vec-1.built", dir);
    CHECK_OK(file_remove(path));
    VecIndex *ix;
    VecSpec spec = {.kind = "compact", .dir = dir, .dim = DIM, .generation = 1, .committed = 300};
    CHECK_ERR(vec_open(&ix, &spec), ERR_CORRUPT, "mean nothing without it");
    CHECK_OK(file_remove_tree(dir));
}

/* Every byte stands under a checksum: flipped, the file does not open (basis) or a check finds it (codes). */
static void flipped_bytes_are_found(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    vec_close(built(dir, 300));
    static const char *const parts[] = {"rows", "built"};
    for (size_t p = 0; p < 2; p++) {
        char path[600];
        Arena a = {0};
        Str whole;
        (void)snprintf(path, sizeof path, "%s/vec-1.%s", dir, parts[p]);
        CHECK_OK(file_read(&a, path, 1 << 24, &whole));
        for (size_t at = 130; at < whole.n; at += whole.n / 40) {
            Buf report = {0};
            VecIndex *ix;
            VecSpec spec = {.kind = "compact", .dir = dir, .dim = DIM, .generation = 1, .committed = 300};
            char *bytes = malloc(whole.n);
            CHECK(bytes);
            memcpy(bytes, whole.p, whole.n);
            bytes[at] = (char)(bytes[at] ^ 0x10);
            CHECK_OK(file_write_atomic(path, str_make(bytes, whole.n), 0644));
            free(bytes);
            Err err = vec_open(&ix, &spec);
            if (!err) {
                err = vec_check(ix, &report);
                vec_close(ix);
                CHECK(report.n > 0);
            }
            CHECK_INT(err, ERR_CORRUPT);
            CHECK(strstr(err_fix_text(), "pythia index"));
            buf_free(&report);
        }
        CHECK_OK(file_write_atomic(path, whole, 0644));
        arena_free(&a);
    }
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_computes_few_rows_and_is_proven),
        cmocka_unit_test(rows_that_cannot_be_had_stand_where_their_codes_put_them),
        cmocka_unit_test(estimates_compute_nothing_and_tell_how_far_off_they_are),
        cmocka_unit_test(single_rows_are_scored),
        cmocka_unit_test(codes_take_rows_of_other_lengths),
        cmocka_unit_test(a_budget_is_kept_and_the_rest_are_estimates),
        cmocka_unit_test(a_deadline_gives_the_best_so_far),
        cmocka_unit_test(what_fails_while_computing_is_told),
        cmocka_unit_test(bits_go_where_the_variance_is_and_none_is_given_twice),
        cmocka_unit_test(rows_become_codes_of_47_bytes_and_readers_keep_theirs),
        cmocka_unit_test(any_failing_call_of_the_build_leaves_rows_or_codes),
        cmocka_unit_test(codes_without_their_basis_are_damaged),
        cmocka_unit_test(flipped_bytes_are_found),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
