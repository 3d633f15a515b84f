/* child.h - documents are read in a child process that can do nothing but read its document and answer.
 *
 * The parent starts its own program anew (`pythia __read …`): a fork of a process with threads may call next to
 * nothing, and a new one holds no key, no index and no other document. It gets the open document as descriptor 0, a
 * pipe for its answer and one for complaints, confines itself (confine.h), reads, answers (wire.h) and ends. A crash, a
 * time-out or too long an answer costs that document. Starting costs 6 ms of CPU, nearly all the dynamic linker's; with
 * a reader that was started before and forks itself for the document (readers.h) a page of HTML costs 1.7 ms with all
 * its indexing.
 *
 * Whoever uses this calls child_main first in its main when argv[1] is CHILD_WORD.
 *
 * Threads: any; each call has a child of its own.
 */
#ifndef PYTHIA_INGEST_CHILD_H
#define PYTHIA_INGEST_CHILD_H

#include "base/clock.h"
#include "ingest/format.h"

#define CHILD_WORD   "__read"
#define CHILD_SERVES "serve" /* behind it: waits for documents */

typedef struct Readers Readers; /* readers.h */

typedef struct {
    const char *program;  /* whose main calls child_main; e.g. "/proc/self/exe" */
    Readers *readers;     /* started before, to be borrowed; NULL: one is started for each document */
    int64_t memory;       /* bytes of address space of a child */
    int64_t timeout_ms;   /* of a document; a child's CPU time has the same limit */
    const Deadline *stop; /* a child is ended when it is due; may be NULL */
} ChildOpts;

/* What a child left behind. */
typedef struct {
    Str out, err;  /* of its descriptors 1 and 2; err is cut at 4 KB */
    int exit_code; /* -1: ended by signal */
    int signal;
    bool timed_out; /* by us */
    bool too_long;  /* more than asked for: it was ended */
} ChildEnd;

/* Runs a program of the system, confined, on the document: words[0] is its path, NULL ends the list. ERR_IO when it
 * cannot be started, ERR_INTERRUPT or ERR_DEADLINE of opts->stop. */
MUST_USE Err child_run_program(Arena *a, int fd, const char *const *words, const ChildOpts *opts, size_t max_out,
                               ChildEnd *out);

/* Reads the document that fd is open on (from its start): fills title, text and marks, or *skip with the reason. */
MUST_USE Err child_read(Arena *a, int fd, const DocumentFormat *format, const ChildOpts *opts, Doc *out, Str *skip);

/* The reason for a child that gave no answer: "quarantined (PDF reader took longer than 60 s)"; "" when it ended
 * well. */
MUST_USE Err child_problem(Arena *a, const ChildEnd *end, const char *name, const ChildOpts *opts, Str *reason);

/* The whole life of a child; does not return before it is over. more: formats besides the table's, for tests. */
int child_main(int argc, char **argv, const DocumentFormat *more, size_t n_more);

#endif
