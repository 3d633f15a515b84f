/* lines.c - a line reader with a bound on the line and no wish to read ahead. */
#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

static bool readable_now(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static Err lines_fill(Lines *l) {
    if (l->at > 0) { /* keep what is not handed out at the front */
        memmove(l->buf.p, l->buf.p + l->at, l->buf.n - l->at);
        l->buf.n -= l->at;
        l->scanned -= l->at;
        l->at = 0;
    }
    if (!buf_reserve(&l->buf, READ_BYTES)) return buf_ok(&l->buf);
    for (;;) {
        if (l->cancel && *l->cancel) return err_set(ERR_INTERRUPT, "interrupted after line %lld", (long long)l->number);
        ssize_t n = read(l->fd, l->buf.p + l->buf.n, READ_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(ERR_IO, "cannot read the standard input: %s", strerror(errno));
        l->ended = n == 0;
        l->buf.n += (size_t)n;
        return ERR_OK;
    }
}

/* A whole line in the buffer, or what stands there at the end of the stream. */
static bool line_take(Lines *l, Str *line) {
    if (!l->buf.p) return false;
    const char *end = memchr(l->buf.p + l->scanned, '\n', l->buf.n - l->scanned);
    l->scanned = l->buf.n;
    if (!end && (!l->ended || l->at == l->buf.n)) return false;
    size_t stop = end ? (size_t)(end - l->buf.p) : l->buf.n;
    *line = str_make(l->buf.p + l->at, stop - l->at);
    l->at = l->scanned = end ? stop + 1 : stop;
    if (line->n && line->p[line->n - 1] == '\r') line->n--;
    return true;
}

Err lines_next(Lines *l, bool wait, LineState *state, Str *line) {
    for (;;) {
        if (line_take(l, line)) {
            bool dropped = l->skipping || line->n > LINE_BYTES_MAX;
            l->skipping = false;
            l->number++;
            *state = dropped ? LINE_TOO_LONG : LINE_GOT;
            return ERR_OK;
        }
        if (l->ended) {
            *state = LINE_END;
            return ERR_OK;
        }
        if (l->buf.n - l->at > LINE_BYTES_MAX) {
            l->skipping = true;
            l->at = l->scanned = l->buf.n;
        }
        if (!wait && !readable_now(l->fd)) {
            *state = LINE_NOT_YET;
            return ERR_OK;
        }
        TRY(lines_fill(l));
    }
}

void lines_free(Lines *l) { buf_free(&l->buf); }
