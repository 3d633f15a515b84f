/* spool.c - see spool.h. */
#include "base/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"

enum { DRAIN_BYTES = 65536 };

struct Spool {
    int fd;
    int64_t size, max_size;
    Sha256Stream *hash; /* NULL behind spool_end */
    Sha256 sha256;
};

Err spool_open(Spool **out, const char *dir, int64_t max_size) {
    *out = NULL;
    TRY(file_make_dirs(dir, 0755));
    Spool *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for what comes in");
    s->max_size = max_size;
    Err err = sha256_begin(&s->hash);
    s->fd = sys_temp_file(dir);
    if (!err && s->fd < 0) err = err_set(ERR_IO, "cannot make a file in '%s': %s", dir, strerror(errno));
    if (err)
        spool_close(s);
    else
        *out = s;
    return err;
}

Err spool_add(Spool *s, Str bytes) {
    if ((uint64_t)bytes.n > (uint64_t)(s->max_size - s->size))
        return err_set(ERR_LIMIT, "more than %lld bytes", (long long)s->max_size);
    sha256_add(s->hash, bytes);
    s->size += (int64_t)bytes.n;
    while (bytes.n) {
        const ssize_t n = write(s->fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return err_set(ERR_IO, "cannot keep what comes in: %s", strerror(n < 0 ? errno : ENOSPC));
        bytes = str_from(bytes, (size_t)n);
    }
    return ERR_OK;
}

Err spool_drain(Spool *s, int fd, const volatile int *cancel) {
    char bytes[DRAIN_BYTES];
    for (;;) {
        if (cancel && *cancel) return err_set(ERR_INTERRUPT, "interrupted");
        const ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(ERR_IO, "cannot read: %s", strerror(errno));
        if (n == 0) return ERR_OK;
        TRY(spool_add(s, str_make(bytes, (size_t)n)));
    }
}

Err spool_end(Spool *s) {
    s->sha256 = sha256_end(s->hash);
    s->hash = NULL;
    if (lseek(s->fd, 0, SEEK_SET) == 0) return ERR_OK;
    return err_set(ERR_IO, "cannot read what came in: %s", strerror(errno));
}

int spool_fd(const Spool *s) { return s->fd; }
int64_t spool_size(const Spool *s) { return s->size; }
const Sha256 *spool_sha256(const Spool *s) { return &s->sha256; }

void spool_close(Spool *s) {
    if (!s) return;
    if (s->fd >= 0) (void)close(s->fd);
    sha256_abort(s->hash);
    free(s);
}
