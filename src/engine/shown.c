/* shown.c - see shown.h. */
#include "engine/shown.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_BYTES = SHOWN_MAX * 8 };

static int file_open(Pythia *p, const StoreCollection *c, int flags) {
    Arena a = {0};
    const char *dir = engine_index_dir(p, &a, c), *path = dir ? path_join(&a, dir, "shown") : NULL;
    const int fd = path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600) : -1;
    arena_free(&a);
    return fd;
}

void shown_note(Pythia *p, const StoreCollection *c, const int64_t *docs, size_t n) {
    int64_t worst_first[SHOWN_MAX];
    struct stat st;
    if (n > SHOWN_MAX) n = SHOWN_MAX;
    for (size_t i = 0; i < n; i++) worst_first[i] = docs[n - 1 - i];
    const int fd = n ? file_open(p, c, O_WRONLY | O_CREAT | O_APPEND) : -1;
    if (fd < 0) return;
    const bool full = fstat(fd, &st) == 0 && st.st_size > SHOWN_BYTES - (off_t)(n * sizeof *docs);
    if (!full || ftruncate(fd, 0) == 0) { /* of many searches the last ones */
        const ssize_t written = write(fd, worst_first, n * sizeof *worst_first);
        (void)written;
    }
    (void)close(fd);
}

static bool holds(const int64_t *docs, size_t n, int64_t doc) {
    for (size_t i = 0; i < n; i++)
        if (docs[i] == doc) return true;
    return false;
}

size_t shown_take(Pythia *p, const StoreCollection *c, int64_t *out) {
    int64_t noted[SHOWN_MAX];
    size_t n = 0;
    const int fd = file_open(p, c, O_RDWR);
    if (fd < 0) return 0;
    const ssize_t got = read(fd, noted, sizeof noted);
    const bool emptied = got > 0 && ftruncate(fd, 0) == 0;
    (void)close(fd);
    for (size_t i = emptied ? (size_t)got / sizeof *noted : 0; i-- > 0;)
        if (noted[i] > 0 && !holds(out, n, noted[i])) out[n++] = noted[i];
    return n;
}
