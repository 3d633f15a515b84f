/* What the disk was asked to keep: whenever a writer goes on, the files that may be counted on from then on are there
 * after a power cut, whole and under their names. (engine/test_power.c cuts the power of the store, and takes index
 * files for safe.)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "check.h"
#include "index/lex.h"

enum { KNOWN_MAX = 256 };

/* The disk as it is sure to be: bytes of files by inode, names of the folder that was synced last. */
typedef struct {
    ino_t inode;
    off_t bytes;
    char name[64]; /* "": not in the folder, as far as the disk was asked */
} Kept;

static Kept kept[KNOWN_MAX];
static size_t n_kept, n_syncs, n_removed;
static const char *watched; /* folder; NULL: nothing is */

static Kept *kept_of(ino_t inode) {
    for (size_t i = 0; i < n_kept; i++)
        if (kept[i].inode == inode) return &kept[i];
    if (n_kept == KNOWN_MAX) fail_msg("more than %d files", KNOWN_MAX);
    kept[n_kept] = (Kept){.inode = inode, .bytes = -1};
    return &kept[n_kept++];
}

static void names_keep(void) {
    DIR *d = opendir(watched);
    CHECK(d);
    for (size_t i = 0; i < n_kept; i++) kept[i].name[0] = 0;
    for (struct dirent *e; (e = readdir(d));) {
        Kept *k = kept_of(e->d_ino);
        (void)snprintf(k->name, sizeof k->name, "%s", e->d_name);
    }
    (void)closedir(d);
}

/* In the place of libc's. */
int fdatasync(int fd) {
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    n_syncs++;
    if (watched && S_ISDIR(info.st_mode))
        names_keep();
    else if (watched)
        kept_of(info.st_ino)->bytes = info.st_size;
    return 0;
}

/* Documents from 0 on that a power cut leaves, in segments side by side. */
static uint32_t documents_kept(void) {
    uint32_t at = 0;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n_kept; i++) {
            unsigned first, end;
            char path[700];
            struct stat info;
            if (sscanf(kept[i].name, "lex-1-%8x-%8x.seg", &first, &end) != 2 || first != at || end <= at) continue;
            if (strlen(kept[i].name) != strlen("lex-1-00000000-00000000.seg")) continue;
            (void)snprintf(path, sizeof path, "%s/%s", watched, kept[i].name);
            if (stat(path, &info) != 0 || info.st_ino != kept[i].inode || info.st_size != kept[i].bytes) continue;
            at = end;
            more = true;
        }
    }
    return at;
}

/* Likewise: a file of a segment may go when what stands for it is there for good. */
int unlink(const char *path) {
    const char *name = strrchr(path, '/');
    unsigned first, end;
    if (watched && name && sscanf(name, "/lex-1-%8x-%8x.seg", &first, &end) == 2 && !strstr(name, ".new")) {
        for (size_t i = 0; i < n_kept; i++)
            if (strcmp(kept[i].name, name + 1) == 0) kept[i].bytes = -1;
        if (documents_kept() < end) fail_msg("%s goes, and only %u documents are kept", name, documents_kept());
        n_removed++;
    }
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void docs_add(LexIndex *ix, Analyzer *a, size_t n) {
    static int64_t id;
    const Str fields[LEX_FIELDS] = {{"bako", 4}, {"cako", 4}, {"dako", 4}, {"bako cako eko", 13}};
    uint32_t number;
    for (size_t i = 0; i < n; i++) CHECK_OK(lex_add(ix, a, ++id, fields, &number));
}

static void begin(const char **dir, LexIndex **ix, Analyzer **a) {
    *dir = check_temp_dir();
    CHECK_OK(analyzer_open(a));
    CHECK_OK(lex_open(ix, &(LexSpec){.dir = *dir, .generation = 1, .writer = true}));
    n_kept = n_syncs = n_removed = 0;
    watched = *dir;
}

static void end(const char *dir, LexIndex *ix, Analyzer *a) {
    watched = NULL;
    lex_close(ix);
    analyzer_close(a);
    CHECK_OK(file_remove_tree(dir));
}

static void a_count_that_a_sync_told_survives_a_power_cut(void **state) {
    (void)state;
    const char *dir;
    LexIndex *ix;
    Analyzer *a;
    begin(&dir, &ix, &a);
    for (uint32_t i = 0, committed = 0; i < 30; i++) {
        const ChunkRange gone = {i, i + 1};
        docs_add(ix, a, 5 + i % 3);
        if (i % 4 == 3) CHECK_OK(lex_remove(ix, &gone, 1, NULL));
        CHECK_OK(lex_sync(ix, &committed));
        CHECK_INT(documents_kept(), committed);
        CHECK_OK(lex_merge(ix, false, NULL)); /* the store would be synced here */
        CHECK_INT(documents_kept(), committed);
    }
    CHECK(n_removed > 8);
    end(dir, ix, a);
}

static void a_sync_of_words_waits_for_the_disk_twice(void **state) {
    (void)state;
    const char *dir;
    LexIndex *ix;
    Analyzer *a;
    uint32_t committed;
    begin(&dir, &ix, &a);
    docs_add(ix, a, 40);
    CHECK_OK(lex_sync(ix, &committed));
    CHECK_INT(n_syncs, 2); /* the file, its name */
    CHECK_OK(lex_sync(ix, &committed));
    CHECK_INT(n_syncs, 2); /* nothing is new */
    end(dir, ix, a);
}

static void a_new_generation_is_there_before_its_count_is_told(void **state) {
    (void)state;
    const char *dir;
    LexIndex *ix;
    Analyzer *a;
    uint32_t committed;
    begin(&dir, &ix, &a);
    docs_add(ix, a, 40);
    CHECK_OK(lex_sync(ix, &committed));
    n_syncs = 0;
    CHECK_OK(lex_compact(ix, &committed));
    CHECK_INT(n_syncs, 2);
    end(dir, ix, a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_that_a_sync_told_survives_a_power_cut),
        cmocka_unit_test(a_sync_of_words_waits_for_the_disk_twice),
        cmocka_unit_test(a_new_generation_is_there_before_its_count_is_told),
    };
    return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
