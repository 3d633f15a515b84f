/* walk.h - from a folder to files: git's ignore rules, exactly, and the reasons why a file is left out.
 *
 * Rules, strongest first: the names given on the command line; `.pythiaignore`, `.gitignore` of each folder from the
 * root down (nearest last match wins; '!' re-includes unless a parent folder is excluded); .git/info/exclude;
 * core.excludesFile ($XDG_CONFIG_HOME/git/ignore). Hidden files are skipped unless asked for, `.git` always, and so are
 * folders of installed packages (noise.h).
 * Order: bytewise by path, so that the same tree gives the same index. Links to files are followed when the target lies
 * in the root; links to folders are not (no cycles). Never opens FIFOs, sockets or devices.
 */
#ifndef PYTHIA_INGEST_WALK_H
#define PYTHIA_INGEST_WALK_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

typedef struct {
    bool hidden;     /* hidden files too */
    bool no_ignore;  /* no ignore file is read */
    bool keep_noise; /* installed packages and caches are walked too (noise.h) */
    const Str *include;
    size_t n_include; /* globs: only these (empty: all) */
    const Str *exclude;
    size_t n_exclude;          /* globs: not these */
    const char *global_ignore; /* core.excludesFile; NULL: none */
    const Deadline *deadline;
    /* Called with each folder that the walk goes into ("" the root, else '/' at the end), before it is read; NULL:
     * none. */
    Err (*entered)(void *ctx, Str folder);
    void *entered_ctx;
} WalkOpts;

typedef struct {
    Str path; /* relative to the root, '/' between parts */
    FileInfo info;
    Str reason; /* "" a candidate; else why it is left out: "ignored by .gitignore:3: *.o", "hidden", "link to a folder", "fifo" … */
} WalkEntry;

/* Called for every file in order, and once for every folder left out (path ends in '/'). Strings live during the call.
 * A nonzero Err ends the walk with it. */
typedef Err (*WalkSink)(void *ctx, const WalkEntry *entry);

/* Unreadable folders are entries with a reason, not errors. ERR_IO when root itself cannot be read. */
MUST_USE Err walk(const char *root, const WalkOpts *opts, WalkSink sink, void *ctx);

/* Where git keeps the state of the work tree around root (".git", or what a linked work tree has instead), in the
 * arena; NULL when there is none. */
MUST_USE Err git_dir_of(Arena *a, const char *root, const char **out);

/* The same rules for one path, for `pythia why`: reason "" when it would be indexed. */
MUST_USE Err walk_explain(Arena *a, const char *root, Str path, const WalkOpts *opts, WalkEntry *out);

#endif
