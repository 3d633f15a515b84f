/* The shelf: what is opened once, when it is opened anew, when it is closed, and that threads share it. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/file.h"
#include "check.h"
#include "engine/shelf.h"

/* A thing counts how often it was opened and closed, and whether it is open now. */
typedef struct {
    atomic_int opened, closed;
    Err fails;
    unsigned wait_us; /* that opening takes */
} Maker;

typedef struct {
    Maker *of;
    atomic_int open;
} Thing;

static Err thing_open(void *ctx, void **thing) {
    Maker *m = ctx;
    if (m->fails) return err_set(m->fails, "it does not open");
    if (m->wait_us) (void)usleep(m->wait_us);
    Thing *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->of = m;
    atomic_store(&t->open, 1);
    atomic_fetch_add(&m->opened, 1);
    *thing = t;
    return ERR_OK;
}

static void thing_close(void *thing) {
    Thing *t = thing;
    atomic_fetch_add(&t->of->closed, 1);
    atomic_store(&t->open, 0);
    free(t);
}

static const ShelfMaker maker = {thing_open, thing_close};

static ShelfItem *taken(Shelf *s, const char *name, const char *version, Maker *m) {
    ShelfItem *item = NULL;
    CHECK_OK(shelf_take(s, str_of(name), str_of(version), &maker, m, &item));
    return item;
}

static void the_same_version_is_opened_once_and_another_one_anew(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {0};
    CHECK_OK(shelf_open(&s));
    ShelfItem *a = taken(s, "1/vec", "1", &m), *b = taken(s, "1/vec", "1", &m);
    CHECK(a == b);
    CHECK_INT(m.opened, 1);
    shelf_give(s, a);
    ShelfItem *other = taken(s, "2/vec", "1", &m);
    CHECK(shelf_thing(other) != shelf_thing(b));
    CHECK_INT(m.opened, 2);
    ShelfItem *newer = taken(s, "1/vec", "2", &m);
    CHECK_INT(m.opened, 3);
    CHECK_INT(m.closed, 0); /* b is still searched in */
    shelf_give(s, b);
    CHECK_INT(m.closed, 1);
    shelf_give(s, newer);
    shelf_give(s, other);
    shelf_give(s, NULL);
    CHECK_INT(m.closed, 1);
    shelf_give(s, taken(s, "1/vec", "2", &m));
    CHECK_INT(m.opened, 3);
    shelf_close(s);
    CHECK_INT(m.closed, 3);
    shelf_close(NULL);
}

static void what_does_not_open_leaves_nothing_behind(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {.fails = ERR_CORRUPT};
    ShelfItem *item = NULL;
    CHECK_OK(shelf_open(&s));
    CHECK_ERR(shelf_take(s, STR("1/vec"), STR("1"), &maker, &m, &item), ERR_CORRUPT, "it does not open");
    CHECK(item == NULL);
    m.fails = ERR_OK;
    shelf_give(s, taken(s, "1/vec", "1", &m));
    CHECK_INT(m.opened, 1);
    /* a newer version that does not open leaves the older one where it is */
    m.fails = ERR_CORRUPT;
    CHECK_INT(shelf_take(s, STR("1/vec"), STR("2"), &maker, &m, &item), ERR_CORRUPT);
    CHECK_INT(m.closed, 0);
    shelf_close(s);
    CHECK_INT(m.closed, 1);
}

static void a_full_shelf_gives_up_the_longest_unused(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {0};
    char name[32];
    CHECK_OK(shelf_open(&s));
    for (int i = 0; i < SHELF_MOST; i++) {
        (void)snprintf(name, sizeof name, "%d/vec", i);
        shelf_give(s, taken(s, name, "1", &m));
    }
    shelf_give(s, taken(s, "0/vec", "1", &m)); /* so that 1 is the oldest */
    CHECK_INT(m.opened, SHELF_MOST);
    shelf_give(s, taken(s, "new/vec", "1", &m));
    CHECK_INT(m.closed, 1);
    shelf_give(s, taken(s, "0/vec", "1", &m));
    CHECK_INT(m.opened, SHELF_MOST + 1);
    shelf_give(s, taken(s, "1/vec", "1", &m));
    CHECK_INT(m.opened, SHELF_MOST + 2);
    CHECK_INT(m.closed, 2);
    shelf_close(s);
    CHECK_INT(m.closed, m.opened);
}

static void what_is_in_use_stays_though_the_shelf_is_full(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {0};
    ShelfItem *items[SHELF_MOST], *more;
    char name[32];
    CHECK_OK(shelf_open(&s));
    for (int i = 0; i < SHELF_MOST; i++) {
        (void)snprintf(name, sizeof name, "%d/vec", i);
        items[i] = taken(s, name, "1", &m);
    }
    more = taken(s, "more/vec", "1", &m);
    CHECK_INT(m.closed, 0);
    shelf_give(s, more); /* there was no room for it */
    CHECK_INT(m.closed, 1);
    for (int i = 0; i < SHELF_MOST; i++) {
        CHECK_INT(((Thing *)shelf_thing(items[i]))->open, 1);
        shelf_give(s, items[i]);
    }
    CHECK_INT(m.closed, 1);
    shelf_close(s);
}

static void what_is_forgotten_goes_when_its_last_search_is_done(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {0};
    CHECK_OK(shelf_open(&s));
    ShelfItem *held = taken(s, "/home/1/vec", "1", &m);
    shelf_give(s, taken(s, "/home/1/lex", "1", &m));
    shelf_give(s, taken(s, "/home/10/vec", "1", &m));
    shelf_forget(s, STR("/home/1/"));
    CHECK_INT(m.closed, 1);
    ShelfItem *again = taken(s, "/home/1/vec", "1", &m);
    CHECK(shelf_thing(again) != shelf_thing(held));
    shelf_give(s, held);
    CHECK_INT(m.closed, 2);
    shelf_give(s, again);
    CHECK_INT(m.closed, 2);
    shelf_forget(s, STR(""));
    CHECK_INT(m.closed, 4);
    shelf_close(s);
    CHECK_INT(m.closed, m.opened);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 400 };

typedef struct {
    Shelf *s;
    Maker *m;
    unsigned seed;
    int bad; /* things that were not open */
} Searcher;

static void *searches(void *ctx) {
    Searcher *me = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        char name[32], version[32];
        me->seed = me->seed * 1103515245u + 12345u;
        (void)snprintf(name, sizeof name, "%u/vec", me->seed >> 16 & 3);
        (void)snprintf(version, sizeof version, "%d", i / 50);
        ShelfItem *item = taken(me->s, name, version, me->m);
        me->bad += !atomic_load(&((Thing *)shelf_thing(item))->open);
        if (i % 90 == 17) shelf_forget(me->s, STR(""));
        me->bad += !atomic_load(&((Thing *)shelf_thing(item))->open);
        shelf_give(me->s, item);
    }
    return NULL;
}

static void nothing_is_closed_under_a_search_of_another_thread(void **state) {
    (void)state;
    Shelf *s;
    Maker m = {.wait_us = 50};
    pthread_t threads[THREADS];
    Searcher me[THREADS];
    CHECK_OK(shelf_open(&s));
    for (unsigned i = 0; i < THREADS; i++) {
        me[i] = (Searcher){.s = s, .m = &m, .seed = i + 1};
        CHECK_INT(pthread_create(&threads[i], NULL, searches, &me[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(me[i].bad, 0);
    }
    CHECK(m.opened < THREADS * ROUNDS);
    shelf_close(s);
    CHECK_INT(m.closed, m.opened);
}

/* ---- stamps ---- */

static uint64_t stamp(const char *dir) {
    uint64_t out = 0;
    CHECK_OK(shelf_stamp(dir, &out));
    return out;
}

static void write_file(const char *dir, const char *name, const char *text) {
    char path[800];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_OK(file_write_atomic(path, str_of(text), 0644));
}

static void a_stamp_tells_of_every_change_of_a_folder(void **state) {
    (void)state;
    const char *dir = check_temp_dir();
    char path[800];
    uint64_t seen[6];
    (void)snprintf(path, sizeof path, "%s/nothing-here", dir);
    CHECK_INT(stamp(path), 0);
    write_file(dir, "vec-1.rows", "abc");
    seen[0] = stamp(dir);
    CHECK(stamp(dir) == seen[0]);
    write_file(dir, "vec-1.built", "abc");
    seen[1] = stamp(dir);
    write_file(dir, "vec-1.built", "abc"); /* replaced by the same bytes */
    seen[2] = stamp(dir);
    (void)snprintf(path, sizeof path, "%s/vec-1.rows", dir);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    CHECK_INT(pwrite(fd, "x", 1, 1), 1); /* in place */
    CHECK_INT(futimens(fd, then), 0);    /* a clock tick apart, however fast this runs */
    CHECK_INT(close(fd), 0);
    seen[3] = stamp(dir);
    (void)snprintf(path, sizeof path, "%s/vec-1.built", dir);
    CHECK_OK(file_remove(path));
    seen[4] = stamp(dir);
    char from[800], to[800];
    (void)snprintf(from, sizeof from, "%s/vec-1.rows", dir);
    (void)snprintf(to, sizeof to, "%s/vec-2.rows", dir);
    CHECK_OK(file_rename(from, to));
    seen[5] = stamp(dir);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++) CHECK(seen[i] != seen[k]);
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_version_is_opened_once_and_another_one_anew),
        cmocka_unit_test(what_does_not_open_leaves_nothing_behind),
        cmocka_unit_test(a_full_shelf_gives_up_the_longest_unused),
        cmocka_unit_test(what_is_in_use_stays_though_the_shelf_is_full),
        cmocka_unit_test(what_is_forgotten_goes_when_its_last_search_is_done),
        cmocka_unit_test(nothing_is_closed_under_a_search_of_another_thread),
        cmocka_unit_test(a_stamp_tells_of_every_change_of_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
