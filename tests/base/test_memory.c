/* Pressure levels out of numbers, and numbers out of what the system says. */
#include "base/file.h"
#include "base/memory.h"
#include "base/sys.h"
#include "check.h"

static const int64_t GB = (int64_t)1 << 30;

static void levels_begin_at_60_75_and_90_percent_of_the_budget(void **state) {
    static const struct {
        int percent;
        MemoryLevel level;
    } cases[] = {{0, MEMORY_CALM},      {59, MEMORY_CALM},      {60, MEMORY_RAISED},
                 {74, MEMORY_RAISED},   {75, MEMORY_HIGH},      {89, MEMORY_HIGH},
                 {90, MEMORY_CRITICAL}, {100, MEMORY_CRITICAL}, {500, MEMORY_CRITICAL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        MemoryNow now = {.anonymous = cases[i].percent * 10000};
        CHECK_INT(memory_level(&now, 1000000, 60), cases[i].level);
    }
}

static void another_threshold_moves_all_levels(void **state) {
    (void)state;
    MemoryNow now = {.anonymous = 20};
    CHECK_INT(memory_level(&now, 100, 20), MEMORY_RAISED);
    now.anonymous = 50;
    CHECK_INT(memory_level(&now, 100, 20), MEMORY_HIGH);
    now.anonymous = 80;
    CHECK_INT(memory_level(&now, 100, 20), MEMORY_CRITICAL);
    CHECK_INT(memory_level(&now, 100, 1000), MEMORY_CALM); /* cut to 99 */
    CHECK_INT(memory_level(&now, 100, -5), MEMORY_CRITICAL);
    CHECK_INT(memory_level(&now, 0, 60), MEMORY_CALM); /* no budget known */
}

static void the_cgroup_and_an_empty_machine_count_too(void **state) {
    (void)state;
    MemoryNow now = {.anonymous = GB, .total = 100 * GB, .available = 50 * GB};
    CHECK_INT(memory_level(&now, 25 * GB, 60), MEMORY_CALM);
    now.group_limit = 4 * GB;
    now.group_used = 3 * GB;
    CHECK_INT(memory_level(&now, 25 * GB, 60), MEMORY_HIGH);
    now.available = 4 * GB;
    CHECK_INT(memory_level(&now, 25 * GB, 60), MEMORY_CRITICAL);
}

static void the_budget_is_a_quarter_of_what_there_is(void **state) {
    (void)state;
    CHECK_INT(memory_budget_default(&(MemoryNow){.total = 32 * GB}), 8 * GB);
    CHECK_INT(memory_budget_default(&(MemoryNow){.total = 32 * GB, .group_limit = 4 * GB}), GB);
    CHECK_INT(memory_budget_default(&(MemoryNow){.group_limit = 4 * GB}), GB);
    CHECK_INT(memory_budget_default(&(MemoryNow){0}), 256 << 20);
}

static void each_level_halves_what_is_left_but_leaves_one(void **state) {
    (void)state;
    const size_t of_64[] = {64, 32, 16, 8}, of_2[] = {2, 1, 1, 1}, of_192[] = {192, 96, 48, 24};
    for (int l = 0; l < 4; l++) {
        CHECK_INT(memory_share((MemoryLevel)l), 8 >> l);
        CHECK_INT(memory_shared(64, (MemoryLevel)l), of_64[l]);
        CHECK_INT(memory_shared(2, (MemoryLevel)l), of_2[l]);
        CHECK_INT(memory_shared(192, (MemoryLevel)l), of_192[l]);
    }
    CHECK_INT(memory_shared(0, MEMORY_CALM), 1);
    CHECK_INT(memory_shared(SIZE_MAX, MEMORY_CALM), SIZE_MAX);
}

static void the_systems_words_are_read_and_nonsense_is_left_alone(void **state) {
    (void)state;
    MemoryNow now = {0};
    memory_parse_statm(STR("2000 1500 500 10 0 300 0\n"), 4096, &now);
    CHECK_INT(now.resident, 1500 * 4096);
    CHECK_INT(now.anonymous, 1000 * 4096);
    memory_parse_meminfo(STR("MemTotal:       24000 kB\nMemFree: 1 kB\nMemAvailable:   12000 kB\n"), &now);
    CHECK_INT(now.total, 24000 * 1024);
    CHECK_INT(now.available, 12000 * 1024);
    MemoryNow same = now;
    memory_parse_statm(STR(""), 4096, &now);
    memory_parse_statm(STR("1 2"), 4096, &now);
    memory_parse_statm(STR("1 x 3"), 4096, &now);
    memory_parse_statm(STR("1 9223372036854775807 3 "), 4096, &now);
    memory_parse_meminfo(STR("MemTotal: -1 kB\nMemAvailable: 5\nMemTotal"), &now);
    CHECK(memcmp(&same, &now, sizeof now) == 0);
}

static void group_write(const char *root, const char *name, const char *text) {
    Arena a = {0};
    Str path = arena_printf(&a, "%s/%s", root, name), dir = path_dir(path);
    CHECK_OK(file_make_dirs(arena_cstr(&a, dir), 0755));
    CHECK_OK(file_write_atomic(path.p, str_of(text), 0644));
    arena_free(&a);
}

static MemoryNow groups(const char *root, const char *lines) {
    MemoryNow now = {.total = 100 * GB};
    sys_memory_groups(root, str_of(lines), &now);
    return now;
}

static void of_all_groups_above_us_the_one_with_the_least_room_counts(void **state) {
    (void)state;
    const char *root = check_temp_dir();
    group_write(root, "user/memory.max", "4000\n");
    group_write(root, "user/memory.stat", "file 9\nanon 3500\n");
    group_write(root, "user/app/memory.max", "2000\n");
    group_write(root, "user/app/memory.stat", "anon 100\nfile 1800\n");
    group_write(root, "user/app/inner/memory.max", "max\n");
    MemoryNow now = groups(root, "1:cpu:/x\n0::/user/app/inner\n");
    CHECK_INT(now.group_limit, 4000); /* 500 left, the inner one has 1,900 */
    CHECK_INT(now.group_used, 3500);
    now = groups(root, "0::/elsewhere/not/here\n");
    CHECK_INT(now.group_limit, 0);
    group_write(root, "user/app/memory.high", "300\n");
    now = groups(root, "0::/user/app\n");
    CHECK_INT(now.group_limit, 300);
    CHECK_INT(now.group_used, 100);
    group_write(root, "memory.max", "350\n"); /* in a container the root is ours, whatever the path says */
    group_write(root, "memory.stat", "anon 300\n");
    now = groups(root, "0::/../host/path\n");
    CHECK_INT(now.group_limit, 350);
    CHECK_INT(now.group_used, 300);
    CHECK_OK(file_remove_tree(root));
}

static void groups_of_the_first_version_are_read_too(void **state) {
    (void)state;
    const char *root = check_temp_dir();
    group_write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    group_write(root, "memory/box/memory.limit_in_bytes", "5000\n");
    group_write(root, "memory/box/memory.stat", "rss 1\ntotal_rss 1200\n");
    MemoryNow now = groups(root, "4:memory:/box\n0::/\n");
    CHECK_INT(now.group_limit, 5000);
    CHECK_INT(now.group_used, 1200);
    now = groups(root, "4:memory:/\nnonsense\n:\n\n");
    CHECK_INT(now.group_limit, 0);
    CHECK_OK(file_remove_tree(root));
}

static void this_machine_tells_something_sensible(void **state) {
    (void)state;
    MemoryNow now;
    memory_read(&now);
    CHECK(now.resident > 0 && now.anonymous <= now.resident);
    CHECK(now.total >= now.available && now.total > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_begin_at_60_75_and_90_percent_of_the_budget),
        cmocka_unit_test(another_threshold_moves_all_levels),
        cmocka_unit_test(the_cgroup_and_an_empty_machine_count_too),
        cmocka_unit_test(the_budget_is_a_quarter_of_what_there_is),
        cmocka_unit_test(each_level_halves_what_is_left_but_leaves_one),
        cmocka_unit_test(the_systems_words_are_read_and_nonsense_is_left_alone),
        cmocka_unit_test(of_all_groups_above_us_the_one_with_the_least_room_counts),
        cmocka_unit_test(groups_of_the_first_version_are_read_too),
        cmocka_unit_test(this_machine_tells_something_sensible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
