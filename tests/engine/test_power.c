/* The power goes: of the database is left what SQLite had asked to be durable, of the index files everything, removals
 * included (the disk may have been that quick). At each moment of a run that writes, and after it, what is left must be
 * whole: searched as it was, and made what it should be by the next run.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "check.h"
#include "engine/engine.h"
#include "fault_vfs.h"

static char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", "PYTHIA_MODEL_THREADS=2",
                           "PYTHIA_INDEX_CACHE_SIZE=0", NULL};

/* In the place of libc's: the disk need not be waited for, and would be most of the time. */
int fdatasync(int fd) {
    (void)fd;
    return 0;
}

/* ---- files ---- */

static void file_copy(const char *from, const char *to) {
    static char piece[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (!in || !out) fail_msg("cannot copy '%s' to '%s': %s", from, to, strerror(errno));
    for (size_t n; (n = fread(piece, 1, sizeof piece, in)) > 0;) CHECK_INT(fwrite(piece, 1, n, out), n);
    CHECK_INT(fclose(out), 0);
    (void)fclose(in);
}

static void tree_copy(const char *from, const char *to) {
    DIR *d = opendir(from);
    CHECK(d);
    CHECK_INT(mkdir(to, 0755), 0);
    for (struct dirent *e; (e = readdir(d));) {
        char a[600], b[600];
        struct stat info;
        if (e->d_name[0] == '.') continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        if (stat(a, &info)) continue; /* SQLite's own files come and go */
        if (S_ISDIR(info.st_mode))
            tree_copy(a, b);
        else
            file_copy(a, b);
    }
    (void)closedir(d);
}

static void synced(const char *name) {
    char to[600];
    (void)snprintf(to, sizeof to, "%s.synced", name);
    file_copy(name, to);
}

/* ---- a folder, its home, and a Pythia ---- */

typedef struct {
    Config *config;
    Pythia *p;
    Arena arena;
    const char *dir, *home;
} Fix;

static void fix_begin(Fix *f, const char *dir, const char *home) {
    *f = (Fix){.dir = dir, .home = home};
    CHECK_OK(config_load(&f->config, &(ConfigSources){.environ = environ_}));
    PythiaOpts opts = {.config = f->config, .home = home, .cwd = dir, .environ = environ_};
    CHECK_OK(pythia_open(&f->p, &opts));
}

static void fix_end(Fix *f) {
    pythia_close(f->p);
    config_free(f->config);
    arena_free(&f->arena);
}

static void put(const char *dir, int number, int text) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%d.txt", dir, number);
    FILE *file = fopen(path, "w");
    CHECK(file && fprintf(file, "read the file z%dx and how do I retry it z%dx\n", text, text * 7) > 0);
    CHECK_INT(fclose(file), 0);
}

static void drop(const char *dir, int number) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%d.txt", dir, number);
    CHECK_OK(file_remove(path));
}

static Err index_now(Fix *f, bool force) {
    IndexReport *reports = NULL;
    size_t n = 0;
    return pythia_index(f->p, &f->arena, &(IndexRequest){.force = force}, &reports, &n);
}

/* Whether the file of that number is found by its word and by its text. */
static void check_found(Fix *f, int number, int text) {
    const char *modes[] = {"lexical", "semantic"};
    for (size_t m = 0; m < 2; m++) {
        PythiaReply r;
        const Str query =
            m == 0 ? arena_printf(&f->arena, "z%dx", text)
                   : arena_printf(&f->arena, "read the file z%dx and how do I retry it z%dx", text, text * 7);
        const PythiaSearch rq = {.query = query, .limit = 3, .mode = modes[m], .min_score = -1, .deadline_ms = -1};
        const Str want = arena_printf(&f->arena, "%d.txt", number);
        bool found = false;
        CHECK_OK(pythia_search(f->p, &f->arena, &rq, &r));
        for (size_t i = 0; i < r.n; i++) found |= str_eq(r.hits[i].path, want) && (m == 0 || r.hits[i].cosine > 0.99f);
        if (!found) fail_msg("%s search does not find %.*s", modes[m], STR_FMT(want));
    }
}

static void check_whole(Fix *f) {
    Buf report = {0};
    const Err err = pythia_verify(f->p, &f->arena, STR(""), &report);
    if (err || report.n) fail_msg("verify: %s\n%.*s", err_text(), STR_FMT(buf_str(&report)));
    buf_free(&report);
}

/* ---- what a run does, and what is to be found after it ---- */

enum { STAYS = 1, STAYS_TEXT = 1001 }; /* a file that no run changes */

typedef struct {
    void (*before)(Fix *f); /* makes the folder and indexes it; the power was on until then */
    void (*change)(const char *dir);
    void (*back)(const char *dir); /* what was changed is taken back after the cut; NULL: it is not */
    const char *kind;              /* --index KIND --force; NULL: none */
    void (*after)(Fix *f);         /* more to be found at the end */
} Story;

static void grows_before(Fix *f) {
    put(f->dir, STAYS, STAYS_TEXT);
    for (int run = 0; run < 8; run++) { /* as many segments of words as may be before they are joined */
        put(f->dir, 10 + run, run);
        CHECK_OK(index_now(f, false));
    }
}
static void grows_change(const char *dir) {
    put(dir, 20, 20);
    put(dir, 21, 21);
}
static void grows_after(Fix *f) {
    check_found(f, 17, 7);
    check_found(f, 21, 21);
}

static void few_before(Fix *f) {
    put(f->dir, STAYS, STAYS_TEXT);
    for (int i = 2; i < 7; i++) put(f->dir, i, i);
    CHECK_OK(index_now(f, false));
}
static void few_change(const char *dir) { put(dir, 7, 7); }
static void few_after(Fix *f) {
    for (int i = 2; i < 8; i++) check_found(f, i, i);
}

/* A file goes, and comes back after the cut, as with `git stash`. */
static void goes_change(const char *dir) { drop(dir, 4); }
static void goes_back(const char *dir) { put(dir, 4, 4); }
static void goes_after(Fix *f) {
    for (int i = 2; i < 7; i++) check_found(f, i, i);
}

enum { MANY = 1100 };
static void shrinks_before(Fix *f) {
    put(f->dir, STAYS, STAYS_TEXT);
    for (int i = 10; i < MANY; i++) put(f->dir, i, i);
    CHECK_OK(index_now(f, false));
}
static void shrinks_change(const char *dir) {
    for (int i = 10; i < MANY - 5; i++) drop(dir, i);
}
static void shrinks_after(Fix *f) {
    for (int i = MANY - 5; i < MANY; i++) check_found(f, i, i);
}

/* ---- the cut ---- */

typedef struct {
    const Story *story;
    const char *dir;
    char saved[520], home[520], left[520]; /* the home before the run; the one it works in; what a cut leaves of that */
} Power;

static Err run_changed(Power *w, Fix *f) {
    if (!w->story->kind) return index_now(f, false);
    CHECK_OK(config_set(f->config, CONF_INDEX_KIND, str_of(w->story->kind), "flag --index"));
    return index_now(f, true);
}

static void cut(const Power *w) {
    char from[600], to[600];
    const char *files[] = {"pythia.db", "pythia.db-wal"};
    tree_copy(w->home, w->left);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(from, sizeof from, "%s/%s.synced", w->home, files[i]);
        (void)snprintf(to, sizeof to, "%s/%s", w->left, files[i]);
        CHECK_OK(file_remove(to));
        if (access(from, R_OK) == 0) file_copy(from, to);
    }
    (void)snprintf(to, sizeof to, "%s/pythia.db-shm", w->left);
    CHECK_OK(file_remove(to));
}

static void check_left(Power *w) {
    Fix f;
    fix_begin(&f, w->dir, w->left);
    check_whole(&f);
    check_found(&f, STAYS, STAYS_TEXT);
    if (w->story->back) w->story->back(w->dir);
    CHECK_OK(run_changed(w, &f));
    check_whole(&f);
    check_found(&f, STAYS, STAYS_TEXT);
    w->story->after(&f);
    check_whole(&f);
    fix_end(&f);
}

/* The nth call that writes index files fails, then the power does; past the last one, after the run. */
static bool cut_at(Power *w, long nth) {
    Fix f;
    tree_copy(w->saved, w->home);
    fix_begin(&f, w->dir, w->home);
    w->story->change(w->dir);
    fault_arm(nth, ENOSPC);
    const Err err = run_changed(w, &f);
    const bool more = fault_count() >= nth;
    fault_arm(0, 0);
    if (err) CHECK_INT(err, ERR_IO);
    cut(w);
    fix_end(&f);
    check_left(w);
    CHECK_OK(file_remove_tree(w->home));
    CHECK_OK(file_remove_tree(w->left));
    return more;
}

static void at_every_moment(const Story *story) {
    Power w = {.story = story, .dir = check_temp_dir()};
    char log[600];
    Fix f;
    fault_synced = synced;
    (void)snprintf(w.saved, sizeof w.saved, "%s-saved", w.dir);
    (void)snprintf(w.home, sizeof w.home, "%s-home", w.dir);
    (void)snprintf(w.left, sizeof w.left, "%s-left", w.dir);
    fix_begin(&f, w.dir, w.saved);
    story->before(&f);
    fix_end(&f); /* which folds the log into the database, durably, and removes it */
    (void)snprintf(log, sizeof log, "%s/pythia.db-wal.synced", w.saved);
    CHECK_OK(file_remove(log));
    long nth = 1;
    for (bool more = true; more; nth += 1 + nth / 6) more = cut_at(&w, nth);
    CHECK(nth > 8);
    CHECK_OK(file_remove_tree(w.saved));
    CHECK_OK(file_remove_tree(w.dir));
    fault_synced = NULL;
}

static void the_power_may_go_while_segments_of_words_are_joined(void **state) {
    (void)state;
    at_every_moment(&(Story){grows_before, grows_change, NULL, NULL, grows_after});
}

static void the_power_may_go_while_the_kind_of_index_changes(void **state) {
    (void)state;
    at_every_moment(&(Story){few_before, few_change, NULL, "hnsw", few_after});
}

static void the_power_may_go_when_a_vector_is_not_needed_any_more(void **state) {
    (void)state;
    at_every_moment(&(Story){few_before, goes_change, goes_back, NULL, goes_after});
}

static void the_power_may_go_while_vectors_and_words_lose_their_holes(void **state) {
    (void)state;
    at_every_moment(&(Story){shrinks_before, shrinks_change, NULL, NULL, shrinks_after});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_power_may_go_while_segments_of_words_are_joined, fault_vfs_start,
                                        fault_vfs_stop),
        cmocka_unit_test_setup_teardown(the_power_may_go_while_the_kind_of_index_changes, fault_vfs_start,
                                        fault_vfs_stop),
        cmocka_unit_test_setup_teardown(the_power_may_go_when_a_vector_is_not_needed_any_more, fault_vfs_start,
                                        fault_vfs_stop),
        cmocka_unit_test_setup_teardown(the_power_may_go_while_vectors_and_words_lose_their_holes, fault_vfs_start,
                                        fault_vfs_stop),
    };
    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
