/* rules.h - all that decides whether a walk takes a path: the stack of ignore files, hidden names, globs.
 *
 * One thread. The folders are entered from the root down and left in the reverse order; a path may be judged only while
 * the folders above it are entered.
 */
#ifndef PYTHIA_INGEST_RULES_H
#define PYTHIA_INGEST_RULES_H

#include "ingest/ignore.h"
#include "ingest/walk.h"

typedef struct {
    Arena arena;         /* texts and rules of this folder's files; kept for the next folder of this depth */
    IgnoreFile files[2]; /* strongest first: .pythiaignore, .gitignore */
    size_t n_files;
} RulesFolder;

typedef struct {
    const WalkOpts *opts;
    Arena arena;
    const char *root_real; /* absolute, links resolved */
    Str prefix;            /* of the root, relative to the top of the git work tree: "" or "src/lib/" */
    RulesFolder *folders;  /* [depth], the top first; [capacity] were used once */
    size_t depth, capacity;
    IgnoreFile shared[2]; /* strongest first: .git/info/exclude, core.excludesFile */
    size_t n_shared;
    Buf reason;
} Rules;

/* Finds the git work tree around root and reads the ignore files above the root. rules_close also after a failure. */
MUST_USE Err rules_open(Rules *r, const char *root, const WalkOpts *opts);
void rules_close(Rules *r);

/* Reads the ignore files of a folder. folder: relative to the top, "" or with '/' at the end; fd: open on it. */
MUST_USE Err rules_enter(Rules *r, int fd, Str folder);
void rules_leave(Rules *r);

/* Why path (relative to the top, no '/' at the end) is left out, "" when it is not. Valid until the next call. */
MUST_USE Err rules_judge(Rules *r, Str path, FileType type, Str *reason);

/* True for the names under which version control keeps its own data: never walked, never read through a link. */
bool rules_is_vcs(Str name);

#endif
