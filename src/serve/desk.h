/* desk.h - where every door hands in its calls: a bounded line, workers with an engine each, one answer a call.
 *
 * A door (HTTP, socket, stdio, MCP) fills a Call and submits it; a worker runs it and calls `done` once, on the
 * worker's thread. Interactive calls, documents that are put, and runs of folders have lines and workers of their own,
 * so that a run keeps neither a search nor an upload waiting; below them the engine merges queries that wait
 * (model/sched.h), which is why there are more workers than cores.
 *
 * The model is opened in the background as soon as the desk is: desk_model tells how far that is.
 *
 * Threads: any, but desk_open and desk_close. A Call belongs to its door before desk_submit and from `done` on. Lock:
 * one, held for moments, never around a call or a callback.
 */
#ifndef PYTHIA_SERVE_DESK_H
#define PYTHIA_SERVE_DESK_H

#include "base/spool.h"
#include "serve/metrics.h"
#include "serve/ops.h"

typedef struct Desk Desk;
typedef struct DeskWorker DeskWorker;

typedef enum { MODEL_LOADING, MODEL_READY, MODEL_FAILED } ModelState;

typedef struct {
    Config *config; /* borrowed, not changed */
    const char *home, *cwd;
    char **environ;
    const char *reader;    /* PythiaOpts.reader */
    size_t workers;        /* 0: twice the cores, 4 to 16 */
    size_t ingest_workers; /* runs of folders at a time, and puts; 0: 1 */
    size_t queue_max;      /* calls that wait; 0: 256 */
    /* What opens the model; NULL: embedding one short text. For tests. */
    Err (*warm)(void *ctx, Pythia *p);
    void *warm_ctx;
    /* desk_run works on its caller's thread, with as many engines as there are workers; desk_submit takes no
     * interactive call then */
    bool callers_work;
    /* the caller stands in cwd: its collection is searched unless others are named, and it may be indexed */
    bool own_folder;
    void (*on_shutdown)(void *ctx); /* an admin's call asked for the end; NULL: such calls are refused */
    void *shutdown_ctx;
} DeskOpts;

/* A file that came beside a request. */
typedef struct {
    Spool *spool; /* ended */
    Buf name;     /* as the client has it; may be empty */
} CallFile;
enum { CALL_FILES_MAX = 64 };

/* Who calls, as the audit has it: by which door, and a token's id, an address or a user's number. */
typedef struct {
    const char *door; /* "http", "socket" …; NULL: the program itself */
    char who[64];
} CallFrom;

/* One request on its way. */
struct Call {
    const Op *op;
    json_t *params;  /* owned: call_clear drops it */
    CallFile *files; /* [n_files] likewise; from calloc */
    size_t n_files;
    Role role; /* of who calls */
    CallFrom from;
    void (*done)(Call *c);
    void *ctx; /* the door's */
    /* Sends a part of an answer that comes as events (text/event-stream), on the worker's thread; false: the client has
     * gone. From the first one on the operation's own reply goes nowhere. NULL: this door has no streams. */
    bool (*stream)(Call *c, Str bytes);
    /* How far the work is, on the worker's thread; NULL: nobody asks. */
    void (*progress)(Call *c, const IndexProgress *p);
    int64_t until_ns; /* with progress: an indexing run that is not over by then is answered for */
    bool impatient;   /* a run that could not begin at once is refused: ERR_BUSY */

    /* the answer */
    Buf body;   /* JSON: the reply, or the error's envelope */
    int status; /* HTTP's: 200, 202, 4xx, 5xx */
    Err err;
    ErrInfo error;

    /* while it runs */
    Desk *desk;
    Pythia *engine;
    Arena *arena;
    DeskWorker *worker;
    const char *content_type; /* of body, where it is not the operation's */
    const char *policy;       /* Content-Security-Policy of a page; lives as long as the program */
    int64_t queued_ns, started_ns;
    volatile int cancelled; /* atomic; set by desk_cancel */
    Call *next;             /* in line; guarded by the desk's lock */
};

MUST_USE Err desk_open(Desk **out, const DeskOpts *opts);
/* No call is accepted any more; those in line and at work may end within ms, then they are cancelled; returns when all
 * are answered. Indexing is cancelled at once: what it did is kept, and a later run goes on from there. */
void desk_close(Desk *d, int64_t ms); /* NULL is fine */

/* Checks the request against the operation's fields, then lets it wait. On an error the call is answered by nobody:
 * show it with call_fail. ERR_USAGE, ERR_LIMIT: the request; ERR_BUSY: the line is full; ERR_INTERRUPT: closing. */
MUST_USE Err desk_submit(Desk *d, Call *c);
/* desk_submit, and waits for the answer: c->err, c->body; with callers_work it may be worked for on this thread. */
void desk_run(Desk *d, Call *c);
/* A call that waits or works ends soon, with ERR_INTERRUPT. */
void desk_cancel(Desk *d, Call *c);
void desk_cancel_all(Desk *d);

/* Within an OpFn that goes on after its answer (a run): sends what j holds now. The call is no longer the worker's
 * then. */
Err call_answer_early(Call *c, JsonOut *j, int status);
/* Within an OpFn whose answer is another thread's (follow.h): the worker lets go of the call; engine, arena and worker
 * stay behind. Whoever has it opens the reply, writes its members unless err is set, and ends it: done is called
 * then. */
void call_leave(Call *c);
JsonOut call_late_begin(Call *c);
void call_late_end(Call *c, JsonOut *j, Err err);
/* Fills body, status and err with this thread's error. */
void call_fail(Call *c, Err err);
/* The same with a text of HTTP's own: "unauthorized", "not_found". fix: NULL: none. */
void call_fail_as(Call *c, int status, const char *code, const char *message, const char *fix);
void call_clear(Call *c); /* frees body, params and files */

ModelState desk_model(Desk *d, ErrInfo *why, char name[128], int64_t *dim); /* why, name, dim may be NULL */
int64_t desk_seconds(const Desk *d);                                        /* since it was opened */
size_t desk_waiting(Desk *d, bool ingest);                                  /* calls in line */
int64_t desk_idle_ms(Desk *d); /* since the last call ended; 0 while one is there */
Metrics *desk_metrics(Desk *d);
const DeskOpts *desk_opts(const Desk *d);
/* Cancels the run of that id when it works here; false when it does not. */
bool desk_run_cancel(Desk *d, int64_t run);
/* The call is answered as the run goes on, or when it is over (follow.h). On an error it is the worker's still. */
MUST_USE Err desk_follow(Desk *d, Call *c, int64_t run);
/* The worker's run has begun: for desk_run_cancel, and for calls that ask for the same. given: its path as it was asked
 * for. */
void desk_run_begun(DeskWorker *w, int64_t run, Str collection, Str root, Str given);
/* An admin asked for the end. ERR_UNSUPPORTED: this door cannot. */
MUST_USE Err desk_shutdown(Desk *d);

#endif
