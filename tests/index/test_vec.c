/* The face of the vector kinds, through the exact kind: adding, committing, reopening, searching, removing,
 * compacting. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "base/file.h"
#include "check.h"
#include "index/topk.h"
#include "index/vec.h"

#define DIM 24

/* Numbers without a pattern, the same every time (xorshift64*). */
static uint64_t noise_state = 88172645463325252ull;
static float noise(void) {
    noise_state ^= noise_state >> 12;
    noise_state ^= noise_state << 25;
    noise_state ^= noise_state >> 27;
    return (float)((double)((noise_state * 2685821657736338717ull) >> 40) / 8388608.0 - 1.0);
}

static float *noise_rows(size_t n) {
    float *rows = malloc(n * DIM * sizeof *rows);
    CHECK(rows != NULL);
    for (size_t i = 0; i < n * DIM; i++) rows[i] = noise();
    return rows;
}

static VecSpec spec_of(const char *dir, uint32_t committed, bool writer) {
    return (VecSpec){
        .kind = "exact", .dir = dir, .dim = DIM, .generation = 1, .committed = committed, .writer = writer};
}

/* An index of these rows, committed in batches; returns the count to commit. */
static uint32_t build(const char *dir, const float *rows, size_t n, size_t batch) {
    VecIndex *ix;
    uint32_t count = 0;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    for (size_t i = 0; i < n; i += batch) {
        uint32_t first;
        CHECK_OK(vec_add(ix, rows + i * DIM, n - i < batch ? n - i : batch, &first));
        CHECK_INT(first, i);
        CHECK_OK(vec_sync(ix, &count));
    }
    vec_close(ix);
    return count;
}

static VecIndex *open_reader(const char *dir, uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = spec_of(dir, committed, false);
    CHECK_OK(vec_open(&ix, &spec));
    return ix;
}

/* The plain way: every row, every allowed slot, sorted. */
static size_t brute(const float *rows, size_t n, const float *query, const uint64_t *allowed, size_t k, VecHit *out) {
    size_t found = 0;
    for (uint32_t slot = 0; slot < n; slot++) {
        if (allowed && !(allowed[slot / 64] >> (slot % 64) & 1)) continue;
        double sum = 0;
        for (size_t d = 0; d < DIM; d++) sum += (double)query[d] * (double)rows[slot * DIM + d];
        VecHit hit = {slot, (float)sum};
        size_t at = found < k ? found++ : k;
        if (at == k && !hit_before(hit, out[k - 1])) continue;
        if (at == k) at = k - 1;
        for (; at > 0 && hit_before(hit, out[at - 1]); at--) out[at] = out[at - 1];
        out[at] = hit;
    }
    return found;
}

static void check_same(const VecHit *got, size_t n, const VecHit *want, size_t want_n) {
    CHECK_INT(n, want_n);
    for (size_t i = 0; i < n; i++) {
        CHECK_NEAR(got[i].score, want[i].score, 1e-5); /* f32 sums of 24 products below 1 */
        if (i + 1 < n && fabsf(want[i].score - want[i + 1].score) < 1e-5f) continue;
        if (i && fabsf(want[i].score - want[i - 1].score) < 1e-5f) continue;
        CHECK_INT(got[i].slot, want[i].slot);
    }
}

static void search_finds_what_comparing_every_row_finds(void **state) {
    (void)state;
    static const size_t batches[] = {1000, 256, 100, 7};
    float *rows = noise_rows(1000), *query = noise_rows(1);
    for (size_t b = 0; b < 4; b++) {
        const char *dir = check_temp_dir();
        uint32_t n = build(dir, rows, 1000, batches[b]);
        CHECK_INT(n, 1000);
        VecIndex *ix = open_reader(dir, n);
        static const size_t ks[] = {1, 10, 999, 1000, 5000};
        for (size_t i = 0; i < 5; i++) {
            VecHit *got = calloc(ks[i], sizeof *got), *want = calloc(ks[i], sizeof *want);
            size_t found;
            VecQuery q = {.k = ks[i]};
            CHECK_OK(vec_search(ix, query, &q, got, &found));
            check_same(got, found, want, brute(rows, 1000, query, NULL, ks[i], want));
            free(got);
            free(want);
        }
        vec_close(ix);
        CHECK_OK(file_remove_tree(dir));
    }
    free(rows);
    free(query);
}

static void a_filter_is_applied_before_the_best_are_taken(void **state) {
    (void)state;
    float *rows = noise_rows(1000), *query = noise_rows(1);
    const char *dir = check_temp_dir();
    VecIndex *ix = open_reader(dir, build(dir, rows, 1000, 90));
    for (int percent = 0; percent <= 100; percent += percent < 5 ? 1 : 19) {
        uint64_t allowed[16] = {0};
        for (uint32_t slot = 0; slot < 1000; slot++)
            if ((slot * 7919u) % 100 < (unsigned)percent) allowed[slot / 64] |= UINT64_C(1) << (slot % 64);
        VecHit got[20], want[20];
        size_t found;
        VecQuery q = {.k = 20, .allowed = allowed};
        CHECK_OK(vec_search(ix, query, &q, got, &found));
        check_same(got, found, want, brute(rows, 1000, query, allowed, 20, want));
    }
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
    free(query);
}

static void equal_scores_come_in_order_of_slots(void **state) {
    (void)state;
    float rows[40 * DIM];
    for (size_t i = 0; i < 40 * DIM; i++) rows[i] = 0.5f;
    const char *dir = check_temp_dir();
    VecIndex *ix = open_reader(dir, build(dir, rows, 40, 40));
    VecHit got[7];
    size_t n;
    VecQuery q = {.k = 7};
    CHECK_OK(vec_search(ix, rows, &q, got, &n));
    CHECK_INT(n, 7);
    for (uint32_t i = 0; i < 7; i++) CHECK_INT(got[i].slot, i);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void topk_does_not_depend_on_the_order_of_offering(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        VecHit a_hits[9], b_hits[9];
        TopK a = {a_hits, 9, 0}, b = {b_hits, 9, 0};
        for (uint32_t i = 0; i < 101; i++) topk_offer(&a, i * 37 % 101, (float)(i * 37 % 101 % 10));
        for (uint32_t i = 0; i < 101; i++) topk_offer(&b, 100 - i, (float)((100 - i) % 10));
        topk_offer(&a, 1, NAN);
        topk_finish(&a);
        topk_finish(&b);
        CHECK_INT(a.n, 9);
        for (size_t i = 0; i < 9; i++) CHECK_INT(a_hits[i].slot, b_hits[i].slot);
        CHECK_INT(a_hits[0].slot, 9);
        CHECK_INT(a_hits[8].slot, 89);
    }
}

static void an_empty_index_finds_nothing(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float query[DIM] = {1};
    VecHit hit;
    size_t n = 9;
    VecQuery q = {.k = 1};
    VecIndex *ix = open_reader(dir, 0);
    CHECK_OK(vec_search(ix, query, &q, &hit, &n));
    CHECK_INT(n, 0);
    CHECK_ERR(vec_row(ix, 0, query), ERR_INPUT, "has no slot 0: it has 0 rows");
    Buf report = {0};
    CHECK_OK(vec_check(ix, &report));
    CHECK_INT(report.n, 0);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void numbers_that_are_not_finite_are_refused(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float rows[3 * DIM] = {0};
    uint32_t first;
    VecIndex *ix;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    rows[2 * DIM + 5] = NAN;
    CHECK_ERR(vec_add(ix, rows, 3, &first), ERR_INPUT, "row 2 of 3 to add is not finite: number 5 is nan");
    VecHit hit;
    size_t n;
    VecQuery q = {.k = 1};
    rows[2 * DIM + 5] = INFINITY;
    CHECK_ERR(vec_search(ix, rows + 2 * DIM, &q, &hit, &n), ERR_INPUT,
              "the query's vector is not finite: number 5 is inf");
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void a_wrong_spec_is_refused_with_what_is_valid(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float rows[DIM] = {1};
    uint32_t n = build(dir, rows, 1, 1);
    VecIndex *ix;
    VecSpec spec = spec_of(dir, n, false);
    spec.kind = "tree";
    CHECK_ERR(vec_open(&ix, &spec), ERR_UNSUPPORTED,
              "no index kind 'tree'; there is 'flat', 'ivfpq', 'hnsw', 'compact', 'exact'");
    spec = spec_of(dir, n, false);
    spec.dim = 0;
    CHECK_ERR(vec_open(&ix, &spec), ERR_LIMIT, "an index of 0 dimensions");
    spec.dim = DIM + 1;
    CHECK_ERR(vec_open(&ix, &spec), ERR_MODEL_MISMATCH, "has 24 dimensions, its collection 25");
    spec = spec_of(dir, n, false);
    spec.model.bytes[0] = 0xAB;
    CHECK_ERR(vec_open(&ix, &spec), ERR_MODEL_MISMATCH,
              "was made with model 000000000000…, not with model ab0000000000…");
    CHECK_STR(str_of(err_fix_text()), "pythia index --force");
    spec = spec_of(dir, n, false);
    spec.generation = 2;
    CHECK_ERR(vec_open(&ix, &spec), ERR_NO_INDEX, "vec-2.rows' is missing, its store counts 1 rows");
    CHECK_STR(str_of(err_fix_text()), "pythia index --force");
    spec = spec_of(dir, n, false);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_ERR(vec_add(ix, rows, 1, &n), ERR_INTERNAL, "opened for reading");
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
}

static void a_reader_keeps_the_rows_it_was_opened_with(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(600);
    uint32_t n = build(dir, rows, 300, 300), first;
    VecIndex *reader = open_reader(dir, n), *writer;
    VecSpec spec = spec_of(dir, n, true);
    CHECK_OK(vec_open(&writer, &spec));
    CHECK_OK(vec_add(writer, rows + 300 * DIM, 300, &first));
    CHECK_INT(first, 300);
    VecStats stats;
    vec_stats(writer, &stats);
    CHECK_INT(stats.rows, 300); /* nobody sees rows before the sync */
    CHECK_OK(vec_sync(writer, &n));
    CHECK_INT(n, 600);
    vec_stats(writer, &stats);
    CHECK_INT(stats.rows, 600);
    vec_stats(reader, &stats);
    CHECK_INT(stats.rows, 300);
    CHECK_INT(stats.dim, DIM);
    VecHit hits[2];
    size_t found;
    VecQuery q = {.k = 600};
    VecHit *all = malloc(600 * sizeof *all);
    CHECK_OK(vec_search(reader, rows, &q, all, &found));
    CHECK_INT(found, 300);
    q.k = 2;
    CHECK_OK(vec_search(writer, rows + 599 * DIM, &q, hits, &found));
    float row[DIM];
    CHECK_OK(vec_row(writer, 599, row));
    CHECK(memcmp(row, rows + 599 * DIM, sizeof row) == 0);
    CHECK_ERR(vec_row(reader, 300, row), ERR_INPUT, "has no slot 300: it has 300 rows");
    VecIndex *second;
    CHECK_ERR(vec_open(&second, &spec), ERR_BUSY, "writer.lock");
    vec_close(writer);
    vec_close(reader);
    CHECK_OK(file_remove_tree(dir));
    free(all);
    free(rows);
}

static void rows_behind_the_committed_count_are_cut_off(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(500);
    CHECK_INT(build(dir, rows, 500, 100), 500);
    /* the store says 200: the rest was never committed */
    VecIndex *reader = open_reader(dir, 200), *writer;
    VecStats stats;
    vec_stats(reader, &stats);
    CHECK_INT(stats.rows, 200);
    VecSpec spec = spec_of(dir, 200, true);
    CHECK_OK(vec_open(&writer, &spec));
    uint32_t first, n;
    CHECK_OK(vec_add(writer, rows + 400 * DIM, 5, &first));
    CHECK_INT(first, 200);
    CHECK_OK(vec_sync(writer, &n));
    CHECK_INT(n, 205);
    vec_close(writer);
    float row[DIM];
    CHECK_OK(vec_row(reader, 199, row)); /* its map still stands */
    vec_close(reader);
    reader = open_reader(dir, 205);
    CHECK_OK(vec_row(reader, 204, row));
    CHECK(memcmp(row, rows + 404 * DIM, sizeof row) == 0);
    vec_close(reader);
    spec = spec_of(dir, 150, false);
    CHECK_ERR(vec_open(&reader, &spec), ERR_CORRUPT,
              "does not fit its store: 150 rows are committed, block 1 at byte 9792 holds rows 100 to 199");
    spec = spec_of(dir, 300, false);
    CHECK_ERR(vec_open(&reader, &spec), ERR_CORRUPT, "is missing: the file ends");
    /* committed 0: everything goes */
    spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&writer, &spec));
    vec_stats(writer, &stats);
    CHECK_INT(stats.rows, 0);
    vec_close(writer);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
}

static void removed_slots_are_not_found_also_after_reopening(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(300);
    uint32_t n = build(dir, rows, 300, 300);
    VecIndex *ix;
    VecSpec spec = spec_of(dir, n, true);
    VecHit hits[300];
    size_t found;
    VecStats stats;
    for (int round = 0; round < 3; round++) {
        CHECK_OK(vec_open(&ix, &spec));
        for (uint32_t i = 0; i < 10; i++) {
            uint32_t slots[2] = {(uint32_t)round * 20 + 2 * i, (uint32_t)round * 20 + 2 * i}; /* twice counts once */
            CHECK_OK(vec_remove(ix, slots, 2));
        }
        vec_stats(ix, &stats);
        CHECK_INT(stats.removed, 10 * (round + 1));
        vec_close(ix);
    }
    ix = open_reader(dir, n);
    VecQuery q = {.k = 300};
    CHECK_OK(vec_search(ix, rows, &q, hits, &found));
    CHECK_INT(found, 270);
    for (size_t i = 0; i < found; i++) CHECK(hits[i].slot >= 60 || hits[i].slot % 2 == 1);
    vec_close(ix);
    CHECK_OK(vec_open(&ix, &spec));
    uint32_t far = 300;
    CHECK_ERR(vec_remove(ix, &far, 1), ERR_INPUT, "cannot remove slot 300 of");
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
}

static void a_removed_slot_that_was_cut_off_does_not_hide_its_successor(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(20);
    VecIndex *ix;
    uint32_t n, first, gone[2] = {3, 15};
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(vec_add(ix, rows, 10, &first));
    CHECK_OK(vec_sync(ix, &n));
    CHECK_OK(vec_add(ix, rows + 10 * DIM, 10, &first));
    CHECK_OK(vec_sync(ix, &n));
    CHECK_OK(vec_remove(ix, gone, 2));
    vec_close(ix);
    spec.committed = 10; /* the second batch was never committed */
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(vec_add(ix, rows + 10 * DIM, 10, &first));
    CHECK_OK(vec_sync(ix, &n));
    vec_close(ix);
    ix = open_reader(dir, n);
    VecStats stats;
    vec_stats(ix, &stats);
    CHECK_INT(stats.removed, 1);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
}

static void compacting_leaves_out_removed_rows_and_keeps_the_old_files(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(700), row[DIM];
    uint32_t n = build(dir, rows, 700, 100), *map = malloc(700 * sizeof *map), count, expect = 0;
    VecIndex *ix;
    VecSpec spec = spec_of(dir, n, true);
    CHECK_OK(vec_open(&ix, &spec));
    for (uint32_t slot = 0; slot < 700; slot += 3) CHECK_OK(vec_remove(ix, &slot, 1));
    CHECK_OK(vec_compact(ix, map, &count));
    CHECK_INT(count, 700 - 234);
    VecIndex *old = open_reader(dir, n);
    vec_close(old);
    vec_close(ix);
    spec.generation = 2;
    spec.committed = count;
    spec.writer = false;
    CHECK_OK(vec_open(&ix, &spec));
    for (uint32_t slot = 0; slot < 700; slot++) {
        if (slot % 3 == 0) {
            CHECK_INT(map[slot], UINT32_MAX);
            continue;
        }
        CHECK_INT(map[slot], expect++);
        CHECK_OK(vec_row(ix, map[slot], row));
        CHECK(memcmp(row, rows + slot * DIM, sizeof row) == 0);
    }
    VecStats stats;
    vec_stats(ix, &stats);
    CHECK_INT(stats.removed, 0);
    vec_close(ix);
    CHECK_OK(vec_drop(dir, 1));
    spec.generation = 1;
    spec.committed = n;
    CHECK_ERR(vec_open(&ix, &spec), ERR_NO_INDEX, "is missing");
    CHECK_OK(file_remove_tree(dir));
    free(rows);
    free(map);
}

static void a_deadline_gives_the_best_so_far(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(300);
    VecIndex *ix = open_reader(dir, build(dir, rows, 300, 300));
    Deadline over = {.at_ns = 1};
    VecHit hits[5];
    size_t n = 7;
    VecQuery q = {.k = 5, .deadline = &over};
    CHECK_INT(vec_search(ix, rows, &q, hits, &n), ERR_DEADLINE);
    CHECK_INT(n, 0);
    volatile int cancel = 1;
    over = (Deadline){.cancel = &cancel};
    CHECK_INT(vec_search(ix, rows, &q, hits, &n), ERR_INTERRUPT);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
}

typedef struct {
    VecIndex *ix;
    const float *rows;
    atomic_int *stop;
} Searcher;

static void *search_on(void *ctx) {
    Searcher *s = ctx;
    VecHit hits[10];
    size_t n, last = 0;
    while (!atomic_load(s->stop)) {
        VecQuery q = {.k = 10};
        VecStats stats;
        if (vec_search(s->ix, s->rows, &q, hits, &n)) return (void *)"search failed";
        vec_stats(s->ix, &stats);
        if (stats.rows < last) return (void *)"rows went away";
        last = stats.rows;
    }
    return NULL;
}

static void searches_run_beside_the_writer_of_the_same_handle(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    float *rows = noise_rows(1000);
    VecIndex *ix;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    atomic_int stop = 0;
    Searcher s = {ix, rows, &stop};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) CHECK_INT(pthread_create(&threads[i], NULL, search_on, &s), 0);
    for (uint32_t i = 0, first, n; i < 1000; i += 20) {
        CHECK_OK(vec_add(ix, rows + i * DIM, 20, &first));
        CHECK_OK(vec_sync(ix, &n));
        CHECK_OK(vec_remove(ix, &first, 1));
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) {
        void *failed;
        CHECK_INT(pthread_join(threads[i], &failed), 0);
        if (failed) fail_msg("%s", (const char *)failed);
    }
    VecStats stats;
    vec_stats(ix, &stats);
    CHECK_INT(stats.rows, 1000);
    CHECK_INT(stats.removed, 50);
    vec_close(ix);
    CHECK_OK(file_remove_tree(dir));
    free(rows);
}

static void the_kind_follows_the_number_of_rows_and_says_why(void **state) {
    (void)state;
    const char *why, *again;
    CHECK_STR(str_of(vec_kind_auto(0, NULL, &why)), "flat");
    CHECK(strstr(why, "fewer than 20,000"));
    CHECK_STR(str_of(vec_kind_auto(20000, "flat", &why)), "flat");
    CHECK(strstr(why, "partitions"));
    CHECK_STR(str_of(vec_kind_auto(999999, "flat", &again)), "flat");
    CHECK(again == why);
    CHECK_STR(str_of(vec_kind_auto(1000000, "flat", &why)), "hnsw");
    CHECK(strstr(why, "a million"));
    CHECK_STR(str_of(vec_kind_auto(800000, "hnsw", &why)), "hnsw"); /* not back and forth */
    CHECK_STR(str_of(vec_kind_auto(700000, "hnsw", &why)), "flat");
    CHECK_STR(str_of(vec_kind_auto(800000, NULL, &why)), "flat");
    CHECK_STR(str_of(vec_kind_auto(1000, "compact", &why)), "flat");
    for (const char *const *name = vec_kind_names(); *name; name++) CHECK(strcmp(*name, "auto") != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kind_follows_the_number_of_rows_and_says_why),
        cmocka_unit_test(search_finds_what_comparing_every_row_finds),
        cmocka_unit_test(a_filter_is_applied_before_the_best_are_taken),
        cmocka_unit_test(equal_scores_come_in_order_of_slots),
        cmocka_unit_test(topk_does_not_depend_on_the_order_of_offering),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
        cmocka_unit_test(a_wrong_spec_is_refused_with_what_is_valid),
        cmocka_unit_test(a_reader_keeps_the_rows_it_was_opened_with),
        cmocka_unit_test(rows_behind_the_committed_count_are_cut_off),
        cmocka_unit_test(removed_slots_are_not_found_also_after_reopening),
        cmocka_unit_test(a_removed_slot_that_was_cut_off_does_not_hide_its_successor),
        cmocka_unit_test(compacting_leaves_out_removed_rows_and_keeps_the_old_files),
        cmocka_unit_test(a_deadline_gives_the_best_so_far),
        cmocka_unit_test(searches_run_beside_the_writer_of_the_same_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
