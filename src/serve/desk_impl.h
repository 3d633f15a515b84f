/* desk_impl.h - the desk as its files share it: desk.c (lines, workers, calls), desk_runs.c (runs of folders),
 * desk_model.c (its model at the start). */
#ifndef PYTHIA_SERVE_DESK_IMPL_H
#define PYTHIA_SERVE_DESK_IMPL_H

#include <pthread.h>

#include "base/pool.h"
#include "serve/desk.h"
#include "serve/follow.h"

enum { WORKERS_MAX = 64, INGEST_MAX = 8, INGEST_QUEUE_MAX = 8, QUEUE_MAX = 256, AUDIT_OBJECT_MAX = 512 };

/* Documents and uploads do not wait behind the run of a folder, which may take an hour. */
typedef enum { LINE_QUICK, LINE_PUT, LINE_RUN, LINES } DeskLine;

struct DeskWorker {
    Desk *desk;
    DeskLine line;
    Pythia *engine;
    Thread *thread; /* NULL: whoever calls works (desk_run), one at a time */
    bool lent;      /* to such a caller; guarded by the desk's lock */
    Arena arena;
    Call *call;                              /* at work now; guarded by the desk's lock */
    int64_t run;                             /* of the call, once it has begun, and what it is of; likewise */
    Str run_collection, run_root, run_given; /* in the arena; given: the path as it was asked for */
    bool working;        /* until just before the answer, or, where that came early, to the end of the work; likewise */
    volatile int cancel; /* what the engine polls; atomic */
};

struct Desk {
    DeskOpts opts;
    Pythia *first; /* beside which the workers' stand */
    DeskWorker workers[WORKERS_MAX + 2 * INGEST_MAX];
    size_t n_workers;
    Metrics metrics;
    int64_t opened_ns;
    pthread_mutex_t lock; /* guards all below, and call and run of the workers */
    pthread_cond_t work[LINES], quiet;
    Call *head[LINES], *tail[LINES];
    size_t depth[LINES], busy[LINES]; /* calls that wait; workers at work */
    bool closing;
    int64_t idle_since_ns;
    ModelState model;
    ErrInfo model_why;
    char model_name[128];
    int64_t model_dim;
    Thread *warmer;
    volatile int warm_cancel;
    Follow *follow;
};

/* desk.c: counts it and hands it back to its door. Not with the lock held. */
void call_end(Desk *d, Call *c);
/* desk_runs.c: a call for the run of a folder that is at work or in line already is answered so; call_end is left to be
 * done. The lock is held. */
bool runs_already(Desk *d, Call *c);
/* desk_model.c: the body of Desk.warmer */
Err desk_warm(void *desk);

#endif
