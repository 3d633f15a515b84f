/* follow.h - calls that follow a run: told how far it is, until it is over.
 *
 * A run may take an hour, and a worker of the desk (desk.h) is there for calls of milliseconds. So a call that follows
 * one leaves its worker, and one thread looks at the rows of all runs that are followed, FOLLOW_LOOK_MS apart: rows, so
 * that runs of other processes are followed as well. Nothing is there, neither thread nor engine, before the first
 * call.
 *
 * Over a door with streams (HTTP) the events are: progress, when something has changed, and at the end done, each with
 * the reply of GET /v1/runs/{id} and `rate`, units of the stage a second; or error, with its envelope. A comment every
 * FOLLOW_ALIVE_MS shows that the line is alive, and shows us when nobody is there any more. Over the others the reply
 * comes when the run is over.
 *
 * Threads: follow_add any; open and close by one. Lock order: Follow.lock, then Desk.lock; neither is held around a
 * call's stream.
 */
#ifndef PYTHIA_SERVE_FOLLOW_H
#define PYTHIA_SERVE_FOLLOW_H

#include "serve/desk.h"

enum { FOLLOW_MAX = 64, FOLLOW_LOOK_MS = 200, FOLLOW_ALIVE_MS = 10000 };

typedef struct Follow Follow;

/* opts: of an engine beside the workers'; what it points to lives longer. */
MUST_USE Err follow_open(Follow **out, Desk *desk, const PythiaOpts *opts);
/* Tells once more how far the runs are, then answers those that are not over with ERR_INTERRUPT. After the workers have
 * ended. NULL is fine. */
void follow_close(Follow *f);

/* From within the call's OpFn: it leaves its worker. ERR_BUSY: FOLLOW_MAX are there already; ERR_NOMEM: then it is the
 * worker's still. */
MUST_USE Err follow_add(Follow *f, Call *c, int64_t run);
size_t follow_count(const Follow *f);

#endif
