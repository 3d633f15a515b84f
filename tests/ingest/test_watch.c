/* Watching: when a batch is due, by a clock of our own; which events matter; folders that come, go and move; what
 * happens when the system tells nothing, too much or too little. Real folders and the system's real events where there
 * are any. */
#include "ingest/watch.h"

#include "base/clock.h"
#include "tree.h"

enum { MS = 1000000 };

static char root[512];
static Arena arena;
static Watch *watch;
static int64_t now; /* ns */

static int setup(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    now = 1000 * (int64_t)MS;
    tree_file(root, "a.c", "a\n");
    tree_file(root, "src/b.c", "b\n");
    tree_file(root, ".gitignore", "*.o\nbuild/\n");
    tree_file(root, "build/x.c", "x\n");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    watch_close(watch);
    watch = NULL;
    arena_free(&arena);
    return file_remove_tree(root) != ERR_OK;
}

static void watch_begin(WatchSpec spec) {
    char *copy = arena_array(&arena, char, strlen(root) + 1);
    memcpy(copy, root, strlen(root) + 1);
    spec.root = copy;
    CHECK_OK(watch_open(&watch, &spec, now));
}

/* Takes the system's events: they are there when the call that caused them returns. */
static void take(void) { CHECK_OK(watch_read(watch, now)); }

static bool batch(void) {
    bool look = false;
    CHECK_OK(watch_batch(watch, now, &look));
    return look;
}

static void a_batch_is_due_when_it_is_quiet(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    CHECK_INT(watch_folders(watch), 2); /* not the ignored one */
    CHECK(watch_polls(watch) == NULL);
    CHECK_INT(watch_wait_ns(watch, now), -1);
    tree_file(root, "src/b.c", "bb\n");
    take();
    CHECK_INT(watch_wait_ns(watch, now), WATCH_QUIET_MS * MS);
    CHECK_INT(watch_since_ns(watch), now);
    now += WATCH_QUIET_MS * MS;
    CHECK_INT(watch_wait_ns(watch, now), 0);
    CHECK(batch());
    CHECK_INT(watch_wait_ns(watch, now), -1);
    const int64_t first = now;
    for (int i = 0; i < 20; i++) { /* a file that grows all the time is not waited for for ever */
        tree_file(root, "a.c", i % 2 ? "1\n" : "2\n");
        take();
        if (watch_wait_ns(watch, now) == 0) break;
        now += (WATCH_QUIET_MS - 10) * MS;
    }
    CHECK(now - first >= WATCH_LONGEST_MS * (int64_t)MS &&
          now - first < (WATCH_LONGEST_MS + WATCH_QUIET_MS) * (int64_t)MS);
}

static void what_the_rules_leave_out_is_no_reason_to_look(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    tree_file(root, "src/b.o", "object\n");
    tree_file(root, "build/y.c", "in an ignored folder\n");
    take();
    CHECK(!batch());
    tree_file(root, "src/b.o", "object again\n");
    tree_file(root, "src/new.c", "new\n");
    take();
    CHECK(batch());
    CHECK_OK(file_remove(path_join(&arena, root, "src/new.c"))); /* it may have been in the index */
    take();
    CHECK(batch());
}

static void an_ignore_file_opens_and_closes_folders(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    tree_file(root, ".gitignore", "*.o\n");
    take();
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 3);
    tree_file(root, "build/x.c", "xx\n");
    take();
    CHECK(batch());
    tree_file(root, ".gitignore", "src/\n");
    take();
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 2);
    tree_file(root, "src/b.c", "now ignored\n");
    take();
    CHECK(!batch());
}

static void an_editor_saves_by_renaming(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    tree_file(root, "src/.b.c.swp", "bb\n");
    CHECK_INT(rename(path_join(&arena, root, "src/.b.c.swp"), path_join(&arena, root, "src/b.c")), 0);
    take();
    CHECK(batch());
}

static void folders_that_come_are_watched_and_renamed_ones_stay(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    tree_file(root, "deep/er/est/c.c", "c\n");
    take();
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 5);
    tree_file(root, "deep/er/est/c.c", "cc\n");
    take();
    CHECK(batch());
    CHECK_INT(rename(path_join(&arena, root, "deep"), path_join(&arena, root, "high")), 0);
    take();
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 5);
    tree_file(root, "high/er/est/c.o", "ignored, which is told by its new path\n");
    take();
    CHECK(!batch());
    tree_file(root, "high/er/est/c.c", "ccc\n");
    take();
    CHECK(batch());
    CHECK_INT(rename(path_join(&arena, root, "high"), path_join(&arena, root, "build")), -1); /* not empty */
    CHECK_OK(file_remove_tree(path_join(&arena, root, "high")));
    take();
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 2);
}

static void lost_events_are_made_up_for_by_a_walk(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    tree_file(root, "late/d.c", "d\n"); /* whose event is lost: the next lines take its place */
    CHECK_OK(watch_event(watch, &(SysWatchEvent){.id = -1, .what = SYS_LOST, .name = STR("")}, now));
    CHECK(batch());
    CHECK_INT(watch_folders(watch), 3);
}

static void the_end_of_gits_work_is_waited_for(void **state) {
    (void)state;
    tree_file(root, ".git/HEAD", "ref: refs/heads/main\n");
    watch_begin((WatchSpec){0});
    tree_file(root, ".git/index.lock", "");
    tree_file(root, "a.c", "of the other branch\n");
    take();
    for (int i = 0; i < 50; i++) {
        now += WATCH_QUIET_MS * MS;
        CHECK(watch_wait_ns(watch, now) > 0);
    }
    CHECK_OK(file_remove(path_join(&arena, root, ".git/index.lock")));
    CHECK_INT(watch_wait_ns(watch, now), 0);
    CHECK(batch());
    tree_file(root, ".git/index.lock", ""); /* left behind by a git that was killed */
    tree_file(root, "a.c", "again\n");
    take();
    now += WATCH_GIT_MS * (int64_t)MS;
    CHECK_INT(watch_wait_ns(watch, now), 0);
}

static void without_enough_watches_the_tree_is_polled(void **state) {
    (void)state;
    watch_begin((WatchSpec){.most_folders = 1});
    CHECK_INT(watch_folders(watch), 1);
    CHECK_STR(str_of(watch_polls(watch)), "no more watches");
    CHECK_INT(watch_wait_ns(watch, now), 0);
    CHECK(batch());
    watch_looked(watch, now, now + 5 * MS, false);
    now += 5 * MS;
    CHECK_INT(watch_wait_ns(watch, now), WATCH_POLL_MS * MS);
    tree_file(root, "a.c", "in the folder that is watched\n");
    take();
    CHECK_INT(watch_wait_ns(watch, now), WATCH_QUIET_MS * MS);
    CHECK(batch());
    watch_looked(watch, now, now + 400 * (int64_t)MS, false); /* a large tree is looked at less often */
    CHECK_INT(watch_wait_ns(watch, now + 400 * (int64_t)MS), 4000 * (int64_t)MS);
}

static void polling_can_be_asked_for(void **state) {
    (void)state;
    watch_begin((WatchSpec){.poll = true});
    CHECK_INT(watch_fd(watch), -1);
    CHECK_STR(str_of(watch_polls(watch)), "asked for");
    CHECK(batch());
    CHECK_INT(watch_wait_ns(watch, now), WATCH_POLL_MS * MS);
}

static void looking_that_was_put_off_is_due_again(void **state) {
    (void)state;
    watch_begin((WatchSpec){0});
    watch_looked(watch, now, now, true);
    CHECK_INT(watch_wait_ns(watch, now), WATCH_POLL_MS * MS);
    now += WATCH_POLL_MS * MS;
    CHECK(batch());
    CHECK_INT(watch_wait_ns(watch, now), -1);
}

static void a_root_that_is_gone_for_a_while_empties_nothing(void **state) {
    (void)state;
    char away[600];
    (void)snprintf(away, sizeof away, "%s.away", root);
    watch_begin((WatchSpec){0});
    CHECK_INT(rename(root, away), 0);
    take();
    CHECK(!batch());
    CHECK_INT(watch_wait_ns(watch, now), WATCH_POLL_MS * MS);
    now += WATCH_POLL_MS * MS;
    CHECK(!batch());
    CHECK_INT(rename(away, root), 0);
    now += WATCH_POLL_MS * MS;
    CHECK(batch());
    CHECK_INT(watch_wait_ns(watch, now), -1);
    tree_file(root, "a.c", "back\n");
    take();
    CHECK(batch());
}

static void a_root_that_is_not_there_is_an_error(void **state) {
    (void)state;
    Watch *none = NULL;
    CHECK_ERR(watch_open(&none, &(WatchSpec){.root = "/nonexistent/place"}, now), ERR_IO, "/nonexistent/place");
    CHECK(none == NULL);
    watch_close(none);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_batch_is_due_when_it_is_quiet),
        T(what_the_rules_leave_out_is_no_reason_to_look),
        T(an_ignore_file_opens_and_closes_folders),
        T(an_editor_saves_by_renaming),
        T(folders_that_come_are_watched_and_renamed_ones_stay),
        T(lost_events_are_made_up_for_by_a_walk),
        T(the_end_of_gits_work_is_waited_for),
        T(without_enough_watches_the_tree_is_polled),
        T(polling_can_be_asked_for),
        T(looking_that_was_put_off_is_due_again),
        T(a_root_that_is_gone_for_a_while_empties_nothing),
        T(a_root_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
