/* What may go wrong with any kind of vector index: failing and killed writes, damage, crashes, deadlines, searches
 * beside a writer, input that does not fit. What should go right is in test_kinds.c. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#define KINDS_ROWS 3000 /* what fails does so whatever the number */
#include "kinds.h"

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
            VecIndex *ix = built(&kinds[i], dir, 600, NULL);
            uint32_t first, count;
            CHECK_OK(vec_add(ix, data + 600 * DIM, 200, &first));
            CHECK_OK(vec_sync(ix, &count));
            fault_arm(nth, ENOSPC);
            Err err = vec_build(ix, NULL, NULL);
            calls = fault_count();
            fault_arm(0, 0);
            if (err) CHECK_ERR(err, ERR_IO, strerror(ENOSPC));
            Truth all = {data, 800, NULL};
            check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "after a failed build");
            CHECK_OK(vec_build(ix, NULL, NULL));
            vec_close(ix);
            VecSpec spec = spec_of(&kinds[i], dir, 800, false);
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
        CHECK_INT(vec_search(ix, queries, &(VecQuery){.fetch = row_compute, .k = K, .deadline = &past}, hits, &n),
                  ERR_DEADLINE);
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
        VecQuery q = {.k = K, .fetch = row_compute, .scratch = scratch};
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

/* Adds, builds and compacts until it is killed. */
static void build_until_killed(const KindCase *kind, const char *dir) {
    uint32_t first, count, map[ROWS];
    VecIndex *ix;
    VecSpec spec = spec_of(kind, dir, 1000, true);
    if (vec_open(&ix, &spec)) _exit(1);
    if (vec_add(ix, data + 1000 * DIM, 1000, &first) || vec_sync(ix, &count)) _exit(2);
    for (uint32_t gone = 0;; gone++)
        if (vec_build(ix, NULL, NULL) || vec_compact(ix, map, &count) || vec_remove(ix, &gone, 1)) _exit(3);
}

static void kill_9_in_a_build_or_a_compaction_leaves_what_was_there(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        vec_close(built(&kinds[i], dir, 1000, NULL));
        for (int round = 0; round < 6; round++) {
            int status = 0;
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0) build_until_killed(&kinds[i], dir);
            struct timespec moment = {.tv_nsec = (long)((uint64_t)(round * 7919 + (int)i * 104729) % 60 * 1000000)};
            (void)nanosleep(&moment, NULL); /* nothing waits for it: any moment is as good as another */
            CHECK_INT(kill(child, SIGKILL), 0);
            CHECK_INT(waitpid(child, &status, 0), child);
            CHECK(WIFSIGNALED(status));
            VecIndex *ix;
            VecSpec spec = spec_of(&kinds[i], dir, 1000, round % 2);
            CHECK_OK(vec_open(&ix, &spec));
            Buf report = {0};
            CHECK_OK(vec_check(ix, &report));
            buf_free(&report);
            for (size_t q = 0; q < QUERIES; q++) {
                VecHit hits[K];
                size_t n;
                CHECK_OK(vec_search(ix, queries + q * DIM, &(VecQuery){.fetch = row_compute, .k = K}, hits, &n));
                CHECK_INT(n, K);
                for (size_t h = 0; h < n; h++) {
                    CHECK(hits[h].slot < 1000);
                    CHECK_NEAR(hits[h].score, score(queries + q * DIM, data + hits[h].slot * DIM),
                               (double)kinds[i].error);
                }
            }
            vec_close(ix);
        }
        CHECK_OK(file_remove_tree(dir));
    }
}

static void what_does_not_fit_is_refused_and_the_index_goes_on(void **st) {
    (void)st;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *dir = check_temp_dir();
        VecIndex *ix = built(&kinds[i], dir, 1000, NULL), *other = NULL;
        float bad[3 * DIM];
        uint32_t first, slot = 1000;
        VecHit hits[K];
        size_t n;
        static const float unfit[] = {NAN, INFINITY, -INFINITY};
        for (size_t u = 0; u < 3; u++) {
            memcpy(bad, data, sizeof bad);
            bad[DIM + 5] = unfit[u];
            CHECK_ERR(vec_add(ix, bad, 3, &first), ERR_INPUT, "row 1 of 3");
            CHECK_ERR(vec_search(ix, bad + DIM, &(VecQuery){.fetch = row_compute, .k = K}, hits, &n), ERR_INPUT,
                      "number 5");
            CHECK_INT(n, 0);
        }
        CHECK_ERR(vec_remove(ix, &slot, 1), ERR_INPUT, "1000");
        Truth all = {data, 1000, NULL};
        check_recall(&kinds[i], ix, &all, &(VecQuery){0}, kinds[i].recall, "after what was refused");
        vec_close(ix);
        VecSpec spec = spec_of(&kinds[i], dir, 1000, false);
        spec.dim = DIM + 16;
        CHECK_ERR(vec_open(&other, &spec), ERR_MODEL_MISMATCH, "64");
        spec = spec_of(&kinds[(i + 4) % N_KINDS], dir, 1000, false); /* the files of one kind as those of another */
        if (strcmp(spec.kind, kinds[i].name) != 0) CHECK_ERR(vec_open(&other, &spec), ERR_FORMAT, "vec-1.");
        CHECK_OK(file_remove_tree(dir));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_built_file_of_rows_that_a_crash_took_is_not_believed),
        cmocka_unit_test(any_failing_call_of_a_build_leaves_what_was_built_before),
        cmocka_unit_test(every_flipped_byte_of_what_is_built_is_found_before_a_wrong_answer),
        cmocka_unit_test(a_deadline_ends_builds_and_searches_in_time),
        cmocka_unit_test(searches_run_beside_adding_removing_and_building),
        cmocka_unit_test(kill_9_in_a_build_or_a_compaction_leaves_what_was_there),
        cmocka_unit_test(what_does_not_fit_is_refused_and_the_index_goes_on),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
