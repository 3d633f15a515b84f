/* lines.h - lines of a stream, as they come: a filter must answer the line it has, not wait for 64. Threads: one. */
#ifndef PYTHIA_CLI_LINES_H
#define PYTHIA_CLI_LINES_H

#include "base/err.h"
#include "base/str.h"

typedef struct {
    int fd;
    const volatile int *cancel;
    Buf buf;
    size_t at;      /* first byte not handed out */
    size_t scanned; /* bytes looked at for a line's end */
    bool ended;     /* the stream is at its end */
    bool skipping;  /* the rest of a line that was too long is being dropped */
    int64_t number; /* of the last line handed out, from 1 */
} Lines;

typedef enum { LINE_GOT, LINE_TOO_LONG, LINE_NOT_YET, LINE_END } LineState;

#define LINE_BYTES_MAX ((size_t)16 << 20)

/* The next line, without its line feed. wait false: LINE_NOT_YET instead of blocking. *line lives until the next call.
 * ERR_IO; ERR_INTERRUPT when a signal came. */
MUST_USE Err lines_next(Lines *l, bool wait, LineState *state, Str *line);
void lines_free(Lines *l);

#endif
