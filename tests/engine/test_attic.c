/* The attic: what it keeps, what goes when it is full, and that no damage of its file is more than forgetting. */
#include <fcntl.h>

#include "base/file.h"
#include "check.h"
#include "engine/attic.h"

enum { DIM = 4, ROW = 8 * (32 + DIM * 4) };

static AtticSpec spec_of(const char *dir, size_t max_bytes, uint64_t stamp) {
    return (AtticSpec){.dir = dir, .model = {{7, 8, 9}}, .dim = DIM, .max_bytes = max_bytes, .stamp = stamp};
}

static ChunkHash hash_of(uint32_t i) { return chunk_hash_of(str_make((const char *)&i, sizeof i)); }

static void put(Attic *a, uint32_t i) {
    float v[DIM] = {(float)i, 1, 2, 3};
    ChunkHash h = hash_of(i);
    attic_put(a, &h, v);
}

static bool get(Attic *a, uint32_t i) {
    float v[DIM] = {0};
    ChunkHash h = hash_of(i);
    if (!attic_get(a, &h, v)) return false;
    CHECK(v[0] == (float)i && v[3] == 3.0f);
    return true;
}

static Str file_of(Arena *a, const char *dir) { return arena_printf(a, "%s/0708090000000000-4.vectors", dir); }

static void what_was_put_is_there_after_the_file_is_closed(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    Attic *a = NULL;
    AtticSpec spec = spec_of(dir, 1 << 20, 1);
    CHECK_OK(attic_open(&a, &spec));
    CHECK(!get(a, 1));
    for (uint32_t i = 0; i < 500; i++) put(a, i);
    put(a, 3); /* again: the same place */
    attic_close(a);
    CHECK_OK(attic_open(&a, &spec));
    for (uint32_t i = 0; i < 500; i++) CHECK(get(a, i));
    CHECK(!get(a, 500));
    attic_close(a);
    attic_close(NULL);
    CHECK_OK(file_remove_tree(dir));
}

static void a_full_one_gives_up_the_oldest_and_never_grows(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    Arena arena = {0};
    Attic *a = NULL;
    FileInfo info;
    size_t bound = 64 + 4 * ROW;
    for (uint32_t run = 0; run < 5; run++) {
        AtticSpec spec = spec_of(dir, bound, run + 1);
        CHECK_OK(attic_open(&a, &spec));
        for (uint32_t i = 0; i < 20; i++) put(a, run * 1000 + i);
        size_t here = 0, oldest = 0;
        for (uint32_t i = 0; i < 20; i++) here += get(a, run * 1000 + i), oldest += get(a, i);
        CHECK(here >= 16); /* a row may have more than 8 of the 20 */
        if (run == 4) CHECK_INT(oldest, 0);
        attic_close(a);
    }
    CHECK_OK(file_info(file_of(&arena, dir).p, true, &info));
    CHECK(info.size <= (int64_t)bound);
    arena_free(&arena);
    CHECK_OK(file_remove_tree(dir));
}

static void another_size_or_model_begins_anew(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    Attic *a = NULL;
    AtticSpec spec = spec_of(dir, 1 << 20, 1);
    CHECK_OK(attic_open(&a, &spec));
    put(a, 1);
    attic_close(a);
    spec.max_bytes = 1 << 19;
    CHECK_OK(attic_open(&a, &spec));
    CHECK(!get(a, 1));
    put(a, 1);
    attic_close(a);
    spec.model.bytes[31] = 1; /* the same file name: its first 8 bytes */
    CHECK_OK(attic_open(&a, &spec));
    CHECK(!get(a, 1));
    attic_close(a);
    CHECK_OK(file_remove_tree(dir));
}

static void a_damaged_file_forgets_and_never_lies(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    Arena arena = {0};
    Attic *a = NULL;
    AtticSpec spec = spec_of(dir, 64 + 8 * ROW, 1);
    Str path = file_of(&arena, dir), bytes;
    CHECK_OK(attic_open(&a, &spec));
    for (uint32_t i = 0; i < 30; i++) put(a, i);
    attic_close(a);
    CHECK_OK(file_read(&arena, path.p, 1 << 20, &bytes));
    char *changed = arena_array(&arena, char, bytes.n);
    for (size_t at = 0; at < bytes.n; at += 13) { /* get() checks that what comes back is what was put */
        memcpy(changed, bytes.p, bytes.n);
        changed[at] = (char)(changed[at] ^ 0x41);
        CHECK_OK(file_write_atomic(path.p, str_make(changed, at % 2 ? bytes.n : at + 1), 0600));
        CHECK_OK(attic_open(&a, &spec));
        for (uint32_t i = 0; i < 30; i++) (void)get(a, i);
        put(a, 5);
        CHECK(get(a, 5));
        attic_close(a);
    }
    arena_free(&arena);
    CHECK_OK(file_remove_tree(dir));
}

static void without_room_or_a_folder_it_keeps_nothing(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    Arena arena = {0};
    Attic *a = NULL;
    AtticSpec spec = spec_of(dir, ROW - 1, 1);
    CHECK_OK(attic_open(&a, &spec));
    put(a, 1);
    CHECK(!get(a, 1));
    attic_close(a);
    Str file = arena_printf(&arena, "%s/file", dir);
    CHECK_OK(file_write_atomic(file.p, STR("x"), 0600));
    spec = spec_of(file.p, 1 << 20, 1); /* no folder */
    CHECK_OK(attic_open(&a, &spec));
    put(a, 1);
    CHECK(!get(a, 1));
    attic_close(a);
    arena_free(&arena);
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_there_after_the_file_is_closed),
        cmocka_unit_test(a_full_one_gives_up_the_oldest_and_never_grows),
        cmocka_unit_test(another_size_or_model_begins_anew),
        cmocka_unit_test(a_damaged_file_forgets_and_never_lies),
        cmocka_unit_test(without_room_or_a_folder_it_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
