/* stdio.h - a server on stdin and stdout: one message a line, answers as they are ready. Standard output carries
 * nothing else; the log goes to standard error.
 *
 * Lines up to STDIO_LINE_MAX; a longer one is skipped and handed on as an empty message, which is refused. CR before
 * LF, and blank lines, are let pass.
 */
#ifndef PYTHIA_SERVE_STDIO_H
#define PYTHIA_SERVE_STDIO_H

#include "serve/peer.h"
#include "serve/socket.h"

#define STDIO_LINE_MAX ((size_t)64 << 20)

typedef struct {
    Desk *desk;
    void (*message)(void *ctx, Peer *p, Str line); /* called by one thread, in order */
    void *ctx;
    /* Messages have a head instead of a line each (lsp.h); NULL: lines. What is no message is handed on as an empty
     * one, and ends the reading: ERR_INPUT. */
    FrameState (*frame)(Str in, Str *message, size_t *used);
    const volatile int *cancel;
    const atomic_bool *asked; /* an admin asked for the end */
    int64_t grace_ms;         /* after the end of stdin, for calls under way */
} StdioOpts;

/* Until the end of stdin, cancelled, asked, or nobody reads stdout. */
MUST_USE Err stdio_run(const StdioOpts *opts);

#endif
