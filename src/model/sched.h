/* sched.h - whose turn it is on the cores: queries before indexing, within one process.
 *
 * Work comes in two classes, each a line in order of arrival, of which one call works at a time (with all cores: two at
 * once would only share them):
 *
 *   interactive  somebody waits for it. It never waits for background work: it has a pool of its own, and background work
 *                stands still at its next border (deadline_check: between two layers of a network, MiniLM 2 ms) until the
 *                line is empty.
 *   background   indexing. So that it ends even where queries never do, it may run beside them for an eighth of the time
 *                that it stood still: SCHED_GRANT_MS for every 8 * SCHED_GRANT_MS.
 *
 * Single requests that have to wait are merged: whoever gets the turn takes along those behind that want the same of
 * the same model, up to SCHED_MERGE_TEXTS. The vectors do not tell, because a batch has the bits of its single texts
 * (model.h). A long interactive request is done in slices of as many, and goes to the end of the line after each.
 *
 * There is no thread here: the caller whose turn it is works, so a call that meets nobody costs two locks (0.3 us).
 * A service's model (remote) uses no core: it counts, but takes no turn.
 *
 * Threads: any. Limits: depth_max callers in each line, then ERR_BUSY.
 */
#ifndef PYTHIA_MODEL_SCHED_H
#define PYTHIA_MODEL_SCHED_H

#include "model/model.h"

typedef struct Sched Sched;

typedef enum { SCHED_INTERACTIVE, SCHED_BACKGROUND, SCHED_CLASSES } SchedClass;

/* Of a batch, as far as it has more than one text: some 100 ms of MiniLM on two cores. */
enum { SCHED_MERGE_TEXTS = 64, SCHED_MERGE_BYTES = 16 << 10, SCHED_GRANT_MS = 25 };

typedef struct {
    size_t depth_max[SCHED_CLASSES]; /* callers, the working one counted; 0: 256 interactive, 16 background */
} SchedOpts;

typedef struct {
    size_t depth;     /* callers in line now, the working one counted */
    uint64_t done;    /* calls that had their turn to the end */
    uint64_t refused; /* ERR_BUSY */
    uint64_t left;    /* went before the end: deadline, cancelled, closing */
    uint64_t merged;  /* of done: in the batch of another */
    uint64_t pauses;  /* background: how often it stood still, and for how long */
    int64_t paused_ns;
} SchedStats;

MUST_USE Err sched_open(Sched **out, const SchedOpts *opts); /* opts NULL: all 0 */
/* From here on nobody gets a turn: who waits leaves with ERR_INTERRUPT, who works is stopped at the next border. */
void sched_stop(Sched *s);
/* sched_stop, then waits until the last caller has left. NULL is fine. */
void sched_close(Sched *s);

/* The body is to hand stop on to all it calls: waiting and being stopped happens in there. */
typedef Err (*SchedBody)(void *ctx, const Deadline *stop);

/* Runs body when its turn has come: any work of a model (a reranker's, a bench's). stop: the caller's, NULL: none; it
 * ends the waiting too. Errors: the body's; ERR_BUSY: the line is full; ERR_DEADLINE, ERR_INTERRUPT while waiting. */
MUST_USE Err sched_run(Sched *s, SchedClass line, const Deadline *stop, SchedBody body, void *ctx);

/* model_embed when its turn has come; s NULL: at once. pool: an interactive call must not be given one that background
 * calls use, since those stand still inside of it; NULL: this thread. Errors: model_embed's and sched_run's. */
MUST_USE Err sched_embed(Sched *s, SchedClass line, const Model *m, Pool *pool, const Str *texts /* [n] */, size_t n,
                         const EmbedOpts *opts, float *out, EmbedInfo *info);

void sched_stats(Sched *s, SchedClass line, SchedStats *out);

#endif
