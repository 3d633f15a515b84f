/* pool.h - threads that run loops.
 *
 * A pool of n workers, the calling thread being one of them: a pool of 1 starts no thread. pool_for hands out indices
 * 0..count-1 one at a time in order; which worker takes which is not fixed, so bodies write only to their own index's
 * place (then results do not depend on the number of threads).
 *
 * A loop costs 0.3 us where the workers are awake (they stay so for 50 us after the last piece) and never waits for one
 * that is not: its pieces may all fall to the caller. So bodies must not wait for each other.
 *
 * Threads: one pool_for at a time (a second caller waits). Bodies must not call pool_for on the same pool.
 */
#ifndef PYTHIA_BASE_POOL_H
#define PYTHIA_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct Pool Pool;

/* index: which piece; worker: 0..pool_size-1, for per-worker scratch. An error stops handing out further pieces. */
typedef Err (*PoolBody)(void *ctx, size_t index, size_t worker);

MUST_USE Err pool_open(Pool **out, size_t threads); /* 0: one a core (pool_cores) */
void pool_close(Pool *p);                           /* waits; NULL is fine */
size_t pool_size(const Pool *p);                    /* NULL: 1 */
/* Runs body for every index; returns the error of the lowest index that failed, with its text. NULL p: this thread. */
MUST_USE Err pool_for(Pool *p, size_t count, PoolBody body, void *ctx);
/* Cores this process may use: affinity and cgroup CPU quota considered; at least 1. */
size_t pool_cores(void);

/* A bounded queue of pointers between threads. Closing wakes everybody: push fails, pop drains then ends. */
typedef struct Queue Queue;
MUST_USE Err queue_open(Queue **out, size_t capacity);
void queue_close(Queue *q);            /* no more pushes */
void queue_free(Queue *q);             /* nobody may use it any more */
bool queue_push(Queue *q, void *item); /* waits while full; false when closed */
bool queue_pop(Queue *q, void **item); /* waits while empty; false when closed and empty */

/* A joinable thread that carries its error. */
typedef struct Thread Thread;
MUST_USE Err thread_start(Thread **out, Err (*body)(void *ctx), void *ctx);
MUST_USE Err thread_join(Thread *t); /* the body's error, text restored; frees t; NULL is ERR_OK */

#endif
