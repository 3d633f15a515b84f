/* history.h - what git tells of a folder's history: commits' subjects with the files that each of them changed.
 *
 * Asked is the program `git` of the PATH; nothing is linked, and nothing that a repository configures is run for it (no
 * pager, no hook, no monitor, no check of signatures, no external diff). A folder without a history is no failure: *why
 * tells.
 *
 * Threads: any; each call has a child of its own, which is ended when the deadline or the cancel flag comes first.
 */
#ifndef PYTHIA_INGEST_HISTORY_H
#define PYTHIA_INGEST_HISTORY_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

enum { HISTORY_COMMITS_MAX = 5000, HISTORY_BYTES_MAX = 64 << 20, HISTORY_FILES_MAX = 1000 };

typedef struct {
    Str subject;
    const Str *paths; /* [n] added or changed, relative to the folder, as git has them; not those outside of it */
    size_t n;
} HistoryCommit;

/* The newest commits of the folder root that changed files in it, merges left out, at most `most` of at most
 * HISTORY_COMMITS_MAX; what changed more than HISTORY_FILES_MAX files is left out. *why: "", or why there are none.
 * ERR_INTERRUPT, ERR_DEADLINE, ERR_IO. */
MUST_USE Err history_read(Arena *a, const char *root, size_t most, const Deadline *stop, HistoryCommit **out, size_t *n,
                          Str *why);

/* The commits in what git printed: for each "\1SUBJECT\0", then "\n" and its paths, a NUL behind each. Whatever the
 * bytes: what is no such record is left out. Cost: linear. ERR_NOMEM. */
MUST_USE Err history_parse(Arena *a, Str printed, HistoryCommit **out, size_t *n);

#endif
