/* Rows on disk under damage: flipped bits, cuts, failing I/O at every call, kill -9. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "check.h"
#include "index/vec.h"

#define DIM 5 /* not a multiple of 16: blocks are padded */

static float value(uint32_t slot, size_t d) { return (float)(slot % 1000) * 0.001f + (float)d * 0.125f - 0.3f; }

static void fill(float *rows, uint32_t first, size_t n) {
    for (size_t i = 0; i < n * DIM; i++) rows[i] = value(first + (uint32_t)(i / DIM), i % DIM);
}

static VecSpec spec_of(const char *dir, uint32_t committed, bool writer) {
    return (VecSpec){
        .kind = "exact", .dir = dir, .dim = DIM, .generation = 3, .committed = committed, .writer = writer};
}

static Err append(VecIndex *ix, uint32_t from, size_t n, uint32_t *count) {
    float rows[700 * DIM];
    uint32_t first;
    fill(rows, from, n);
    TRY(vec_add(ix, rows, n, &first));
    return vec_sync(ix, count);
}

static const char *path_of(const char *dir, const char *part) {
    static char path[600];
    (void)snprintf(path, sizeof path, "%s/vec-3.%s", dir, part);
    return path;
}

/* Everything committed is there and right. */
static void check_rows(const char *dir, uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = spec_of(dir, committed, false);
    CHECK_OK(vec_open(&ix, &spec));
    for (uint32_t slot = 0; slot < committed; slot++) {
        float got[DIM], want[DIM];
        CHECK_OK(vec_row(ix, slot, got));
        fill(want, slot, 1);
        CHECK(memcmp(got, want, sizeof got) == 0);
    }
    Buf report = {0};
    CHECK_OK(vec_check(ix, &report));
    buf_free(&report);
    vec_close(ix);
}

/* Opens and reads everything, as a reader would. */
static Err use(const char *dir, uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = spec_of(dir, committed, false);
    TRY(vec_open(&ix, &spec));
    float query[DIM] = {1, 0, 0.5f};
    VecHit hits[8];
    size_t n;
    VecQuery q = {.k = 8};
    Err err = vec_search(ix, query, &q, hits, &n);
    Buf report = {0};
    Err checked = vec_check(ix, &report);
    /* the checker finds what a search finds, with file and byte */
    CHECK_INT(checked, err);
    if (err) CHECK(strstr(report.p, "vec-3.rows") && strstr(report.p, "at byte "));
    buf_free(&report);
    vec_close(ix);
    return err;
}

static void write_file(const char *path, Str bytes) { CHECK_OK(file_write_atomic(path, bytes, 0644)); }

static void every_flipped_bit_is_found_before_a_wrong_answer(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    uint32_t n;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(append(ix, 0, 7, &n));
    CHECK_OK(append(ix, 7, 5, &n));
    vec_close(ix);
    Arena a = {0};
    Str good;
    CHECK_OK(file_read(&a, path_of(dir, "rows"), 1 << 20, &good));
    CHECK_INT(good.n, 128 + 64 + 192 + 64 + 128);
    CHECK_OK(use(dir, n));
    char *bad = arena_alloc(&a, good.n);
    for (size_t at = 0; at < good.n * 8; at++) {
        memcpy(bad, good.p, good.n);
        bad[at / 8] = (char)(bad[at / 8] ^ (1 << (at % 8)));
        write_file(path_of(dir, "rows"), str_make(bad, good.n));
        Err err = use(dir, n);
        if (err != ERR_CORRUPT) fail_msg("bit %zu of byte %zu: %s", at % 8, at / 8, err_name(err));
        CHECK(strstr(err_text(), "vec-3.rows") || strstr(err_text(), "findings"));
        CHECK_STR(str_of(err_fix_text()), "pythia index --force");
    }
    for (size_t cut = 0; cut < good.n; cut++) {
        write_file(path_of(dir, "rows"), str_make(good.p, cut));
        CHECK_INT(use(dir, n), ERR_CORRUPT);
        CHECK(strstr(err_text(), "byte"));
    }
    arena_free(&a);
    CHECK_OK(file_remove_tree(dir));
}

static void damage_is_told_with_block_and_byte(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    uint32_t n;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(append(ix, 0, 7, &n));
    CHECK_OK(append(ix, 7, 5, &n));
    vec_close(ix);
    Arena a = {0};
    Str file;
    CHECK_OK(file_read(&a, path_of(dir, "rows"), 1 << 20, &file));
    ((char *)(uintptr_t)file.p)[500]++;
    write_file(path_of(dir, "rows"), file);
    spec = spec_of(dir, n, false);
    CHECK_OK(vec_open(&ix, &spec)); /* items are looked at when they are first used */
    float row[DIM];
    CHECK_OK(vec_row(ix, 6, row));
    CHECK_ERR(vec_row(ix, 7, row), ERR_CORRUPT, "is damaged: block 1 at byte 384 does not fit its checksum");
    uint64_t only_first_block = 0x7F, one = 1 << 7;
    VecHit hit;
    size_t found;
    VecQuery q = {.k = 1, .allowed = &only_first_block};
    CHECK_OK(vec_search(ix, row, &q, &hit, &found)); /* what is not needed is not looked at */
    q.allowed = &one;
    CHECK_ERR(vec_search(ix, row, &q, &hit, &found), ERR_CORRUPT, "block 1 at byte 384");
    vec_close(ix);
    arena_free(&a);
    CHECK_OK(file_remove_tree(dir));
}

static void a_file_of_another_version_or_byte_order_is_named(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    uint32_t n;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(append(ix, 0, 7, &n));
    vec_close(ix);
    Arena a = {0};
    Str file;
    CHECK_OK(file_read(&a, path_of(dir, "rows"), 1 << 20, &file));
    char *head = (char *)(uintptr_t)file.p;
    head[8] = 2;
    uint64_t sum = xxh3_of(str_make(head, 120));
    memcpy(head + 120, &sum, sizeof sum);
    write_file(path_of(dir, "rows"), file);
    spec = spec_of(dir, n, true);
    CHECK_ERR(vec_open(&ix, &spec), ERR_FORMAT, "has format version 2, this program reads 1");
    const char swapped[4] = {1, 2, 3, 4};
    memcpy(head + 12, swapped, 4);
    write_file(path_of(dir, "rows"), file);
    CHECK_ERR(vec_open(&ix, &spec), ERR_FORMAT, "of the other byte order");
    arena_free(&a);
    CHECK_OK(file_remove_tree(dir));
}

static void damaged_tombstones_are_forgotten_never_invented(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    uint32_t n, gone[2] = {2, 9};
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(append(ix, 0, 12, &n));
    CHECK_OK(vec_remove(ix, gone, 1));
    CHECK_OK(vec_remove(ix, gone + 1, 1));
    vec_close(ix);
    Arena a = {0};
    Str good;
    CHECK_OK(file_read(&a, path_of(dir, "gone"), 1 << 20, &good));
    char *bad = arena_alloc(&a, good.n);
    for (size_t at = 0; at < good.n; at++) {
        memcpy(bad, good.p, good.n);
        bad[at] = (char)(bad[at] ^ 0x10);
        write_file(path_of(dir, "gone"), str_make(bad, good.n));
        spec = spec_of(dir, n, at % 2 == 0); /* a writer mends the file as well */
        CHECK_OK(vec_open(&ix, &spec));
        float query[DIM] = {1};
        VecHit hits[12];
        size_t found;
        VecQuery q = {.k = 12};
        CHECK_OK(vec_search(ix, query, &q, hits, &found));
        CHECK(found >= 10 && found < 13);
        size_t kept = 0;
        for (size_t i = 0; i < found; i++) kept += hits[i].slot != 2 && hits[i].slot != 9;
        CHECK_INT(kept, 10);
        if (spec.writer) CHECK_OK(vec_remove(ix, gone, 2));
        vec_close(ix);
        if (!spec.writer) continue;
        spec.writer = false;
        CHECK_OK(vec_open(&ix, &spec));
        VecStats stats;
        vec_stats(ix, &stats);
        CHECK_INT(stats.removed, 2);
        vec_close(ix);
    }
    arena_free(&a);
    CHECK_OK(file_remove_tree(dir));
}

/* A writer's whole life; *count is what was last promised as durable. */
static Err writer_life(const char *dir, uint32_t *count, uint32_t *compacted) {
    VecIndex *ix = NULL;
    uint32_t map[4000], gone = 5;
    VecSpec spec = spec_of(dir, *count, true);
    TRY(vec_open(&ix, &spec));
    Err err = append(ix, *count, 300, count);
    if (!err) err = append(ix, *count, 600, count);
    if (!err) err = vec_remove(ix, &gone, 1);
    if (!err) err = vec_compact(ix, map, compacted);
    vec_close(ix);
    return err;
}

static void any_failing_call_leaves_what_was_committed_readable(void **state) {
    (void)state;
    const int errors[] = {ENOSPC, EIO};
    for (size_t e = 0; e < 2; e++) {
        long nth = 1, calls;
        do {
            const char *dir = check_temp_dir();
            uint32_t count = 0, compacted;
            VecIndex *ix;
            VecSpec spec = spec_of(dir, 0, true);
            CHECK_OK(vec_open(&ix, &spec));
            CHECK_OK(append(ix, 0, 100, &count));
            vec_close(ix);
            fault_arm(nth, errors[e]);
            Err err = writer_life(dir, &count, &compacted);
            calls = fault_count();
            fault_arm(0, 0);
            CHECK(count == 100 || count == 400 || count == 1000);
            if (err) {
                CHECK_INT(err, ERR_IO);
                CHECK(strstr(err_text(), strerror(errors[e])));
            }
            check_rows(dir, count);
            /* and the next writer goes on from there */
            CHECK_OK(writer_life(dir, &count, &compacted));
            CHECK_INT(compacted, count - 1);
            check_rows(dir, count);
            CHECK_OK(file_remove_tree(dir));
        } while (calls >= nth++);
        CHECK(nth > 15); /* opens, writes, syncs, maps, renames of one life */
    }
}

static void a_writer_that_failed_takes_no_more(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    VecIndex *ix;
    uint32_t n = 0;
    VecSpec spec = spec_of(dir, 0, true);
    CHECK_OK(vec_open(&ix, &spec));
    fault_arm(1, ENOSPC);
    CHECK_ERR(append(ix, 0, 10, &n), ERR_IO, strerror(ENOSPC));
    fault_arm(0, 0);
    CHECK_ERR(append(ix, 0, 10, &n), ERR_IO, "failed before: open it again");
    vec_close(ix);
    CHECK_OK(vec_open(&ix, &spec));
    CHECK_OK(append(ix, 0, 10, &n));
    vec_close(ix);
    check_rows(dir, 10);
    CHECK_OK(file_remove_tree(dir));
}

/* Writes batches until it is killed, telling each committed count. */
static void write_until_killed(const char *dir, uint32_t committed, int pipe_fd) {
    VecIndex *ix;
    VecSpec spec = spec_of(dir, committed, true);
    if (vec_open(&ix, &spec)) _exit(1);
    for (;;) {
        if (append(ix, committed, 1 + committed % 300, &committed)) _exit(2);
        if (write(pipe_fd, &committed, sizeof committed) != sizeof committed) _exit(3);
    }
}

static void kill_9_loses_nothing_that_was_committed(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    uint32_t committed = 0;
    for (int round = 0; round < 12; round++) {
        int fds[2];
        CHECK_INT(pipe(fds), 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) write_until_killed(dir, committed, fds[1]);
        (void)close(fds[1]);
        for (int i = 0; i <= round % 4; i++) CHECK_INT(read(fds[0], &committed, sizeof committed), sizeof committed);
        CHECK_INT(kill(child, SIGKILL), 0);
        int status;
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status));
        while (read(fds[0], &committed, sizeof committed) == sizeof committed) continue; /* told before it died */
        (void)close(fds[0]);
        check_rows(dir, committed);
    }
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found_before_a_wrong_answer),
        cmocka_unit_test(damage_is_told_with_block_and_byte),
        cmocka_unit_test(a_file_of_another_version_or_byte_order_is_named),
        cmocka_unit_test(damaged_tombstones_are_forgotten_never_invented),
        cmocka_unit_test(any_failing_call_leaves_what_was_committed_readable),
        cmocka_unit_test(a_writer_that_failed_takes_no_more),
        cmocka_unit_test(kill_9_loses_nothing_that_was_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
