/* index_job.h - the state of one `index` of one collection, shared by run.c (its life), index.c and take.c (its
 * work). */
#ifndef PYTHIA_ENGINE_INDEX_JOB_H
#define PYTHIA_ENGINE_INDEX_JOB_H

#include "base/file.h"
#include "base/map.h"
#include "engine/words.h"

/* A document as the store knows it. */
typedef struct Known Known;
struct Known {
    int64_t id;
    Str path;
    DocState state;
    DocCut cut;
    Sha256 sha256;
    int64_t size, mtime_ns, indexed_ms;
    uint64_t inode;
    bool seen, vanished;
    Known *next;
};

/* A file as the walk found it. */
typedef struct {
    Str path; /* relative to the root */
    FileInfo info;
    Known *known; /* NULL: new */
} Found;

typedef struct {
    Pythia *p;
    const IndexRequest *rq;
    Arena *out;    /* the caller's: what the report holds */
    Arena scratch; /* this job's */
    IndexReport *report;
    Store *store;
    StoreCollection c;
    Words *words; /* NULL: not opened */
    bool created;
    bool managed; /* its documents are not files: no look is taken, they stay as they are, and vectors follow */
    const char *root;
    Str scope; /* relative folder or file to which the job is limited; "" everything */
    IndexSettings settings;
    Str wanted_kind; /* of index; another one than the collection's is changed to before the work */
    Model *model;    /* NULL: words only */
    size_t (*count_tokens)(const void *ctx, Str text);
    const void *count_ctx;
    bool same_model;       /* as the collection was made with */
    bool settings_changed; /* to such as cut, skip or rank files otherwise */
    bool redo;             /* read and cut everything again */
    bool looked;           /* index_look was called */
    bool redo_skipped;     /* what was skipped may not be now: the size limit is another one */
    bool reread;           /* what readers of documents made is made anew: they are of another version */
    Deadline stop;
    int64_t now_ms, start_ns, last_progress_ns;
    const char *last_stage; /* of the last progress told: a literal, compared by address */
    int lock_fd;
    /* what was found and what is known */
    Found *found;
    size_t n_found, cap_found;
    Map known; /* path -> Known* */
    Known *known_list;
    Map vanished; /* content -> Known* */
    size_t n_vanished;
    bool has_removed; /* n_vanished was not 0: it falls as files are found again under other names */
    bool counted;     /* c.pending and pending_files are those of the last run's end, and nothing else is asked for */
    Found **todo;
    size_t n_todo;
} IndexJob;

MUST_USE Err index_look(IndexJob *j); /* walk, load, compare: fills todo and vanished */
MUST_USE Err index_plan(IndexJob *j); /* dry run: fills the report's plan */
MUST_USE Err index_remove_vanished(IndexJob *j);
/* take.c: todo -> documents, chunks, words */
MUST_USE Err index_take(IndexJob *j);
/* What vanished with this content, and is not found again yet; NULL none. */
Known *index_vanished_twin(IndexJob *j, const Sha256 *sha);
/* kind.c. After the settings are read. */
MUST_USE Err index_kind_choose(IndexJob *j);
/* Whether --force leaves the vectors that there are. */
MUST_USE Err index_vectors_stay(IndexJob *j, bool *stay);
/* Takes the rows over into an index of another kind. ERR_UNSUPPORTED when they cannot be: nothing is changed. */
MUST_USE Err index_kind_change(IndexJob *j, Str kind);
/* At the end of a run: changes the kind of a collection that has the one that serves its size best. */
MUST_USE Err index_kind_by_size(IndexJob *j);
/* The static table of the model, where many chunks are about to wait for their vectors. */
MUST_USE Err index_table(IndexJob *j);
void index_progress(IndexJob *j, const char *stage, int64_t done, int64_t total, bool finished);

#endif
