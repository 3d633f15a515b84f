/* background.h - a command that goes on when its caller need not wait any more.
 *
 * The work is done by a child from the start, with the caller's terminal: it shows progress and tells errors as ever,
 * and Ctrl-C ends it. Only when it says so (background_leave) it lets go of terminal and session, and the caller's
 * process ends. So there is one way to tell a failure, whether it comes before that or behind it (in the log).
 *
 * Threads: background_begin before the first one.
 */
#ifndef PYTHIA_CLI_BACKGROUND_H
#define PYTHIA_CLI_BACKGROUND_H

#include "cli/cli.h"

typedef struct {
    int fd;               /* written to when the caller may go; -1: it has gone */
    const char *log_path; /* what is written to stdout and stderr from then on */
} Background;

/* Forks. Returns in the child only; the caller's process waits and ends with exit code 0, or with the child's when that
 * ends before it left. A signal to the caller reaches the child. ERR_IO: no process, no log. */
MUST_USE Err background_begin(Cli *cli, Background *out);
/* In the child: stdout and stderr go to the log, stdin is empty, the session is its own; then the caller is let go.
 * Once. */
MUST_USE Err background_leave(Cli *cli, Background *b);

#endif
