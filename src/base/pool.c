/* pool.c - see pool.h. A pool keeps its threads; a loop is published under the lock by its number (epoch), pieces are
 * handed out by one atomic counter. */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct {
    Pool *pool;
    size_t worker;
} PoolSeat;

struct Pool {
    pthread_mutex_t lock; /* guards epoch, running, quitting, and the loop's fields while no loop runs */
    pthread_mutex_t turn; /* one pool_for at a time */
    pthread_cond_t wake;  /* a new loop, or the end */
    pthread_cond_t rest;  /* running fell to 0 */
    size_t threads;       /* workers, the caller among them */
    size_t running;       /* workers inside the present loop, the caller not counted */
    unsigned long epoch;
    bool quitting;
    pthread_t *handles; /* [threads - 1] */
    PoolSeat *seats;    /* [threads - 1] */
    /* the present loop */
    size_t count;
    PoolBody body;
    void *ctx;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t error_lock; /* guards error, error_index */
    ErrInfo error;
    size_t error_index;
};

static void pool_note_error(Pool *p, size_t index, Err err) {
    (void)pthread_mutex_lock(&p->error_lock);
    if (!atomic_load(&p->failed) || index < p->error_index) {
        err_save(&p->error, err);
        p->error_index = index;
    }
    atomic_store(&p->failed, true);
    (void)pthread_mutex_unlock(&p->error_lock);
}

static void pool_work(Pool *p, size_t worker) {
    for (;;) {
        size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->count || atomic_load_explicit(&p->failed, memory_order_relaxed)) return;
        Err err = p->body(p->ctx, i, worker);
        if (err) pool_note_error(p, i, err);
    }
}

static void *pool_thread(void *arg) {
    PoolSeat *seat = arg;
    Pool *p = seat->pool;
    unsigned long seen = 0;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->epoch == seen && !p->quitting) (void)pthread_cond_wait(&p->wake, &p->lock);
        if (p->quitting) break;
        seen = p->epoch;
        (void)pthread_mutex_unlock(&p->lock);
        pool_work(p, seat->worker);
        (void)pthread_mutex_lock(&p->lock);
        if (--p->running == 0) (void)pthread_cond_signal(&p->rest);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

Err pool_open(Pool **out, size_t threads) {
    *out = NULL;
    if (threads == 0) threads = pool_cores();
    if (threads > 1024) return err_set(ERR_LIMIT, "%zu threads are more than 1024", threads);
    Pool *p = calloc(1, sizeof *p);
    if (!p) return err_set(ERR_NOMEM, "out of memory: a thread pool");
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_mutex_init(&p->turn, NULL);
    (void)pthread_mutex_init(&p->error_lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    (void)pthread_cond_init(&p->rest, NULL);
    p->threads = 1;
    p->handles = calloc(threads, sizeof *p->handles);
    p->seats = calloc(threads, sizeof *p->seats);
    if (!p->handles || !p->seats) {
        pool_close(p);
        return err_set(ERR_NOMEM, "out of memory: a thread pool");
    }
    for (size_t i = 0; i + 1 < threads; i++) {
        p->seats[i] = (PoolSeat){p, i + 1};
        if (pthread_create(&p->handles[i], NULL, pool_thread, &p->seats[i]) != 0) {
            pool_close(p);
            return err_set(ERR_LIMIT, "cannot start thread %zu of %zu", i + 2, threads);
        }
        p->threads++;
    }
    *out = p;
    return ERR_OK;
}

void pool_close(Pool *p) {
    if (!p) return;
    (void)pthread_mutex_lock(&p->lock);
    p->quitting = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i + 1 < p->threads; i++) (void)pthread_join(p->handles[i], NULL);
    (void)pthread_cond_destroy(&p->rest);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->error_lock);
    (void)pthread_mutex_destroy(&p->turn);
    (void)pthread_mutex_destroy(&p->lock);
    free(p->seats);
    free(p->handles);
    free(p);
}

size_t pool_size(const Pool *p) { return p ? p->threads : 1; }

static Err pool_alone(size_t count, PoolBody body, void *ctx) {
    for (size_t i = 0; i < count; i++) TRY(body(ctx, i, 0));
    return ERR_OK;
}

Err pool_for(Pool *p, size_t count, PoolBody body, void *ctx) {
    if (!p || p->threads == 1 || count <= 1) return pool_alone(count, body, ctx);
    (void)pthread_mutex_lock(&p->turn);
    (void)pthread_mutex_lock(&p->lock);
    p->count = count;
    p->body = body;
    p->ctx = ctx;
    atomic_store(&p->next, 0);
    atomic_store(&p->failed, false);
    p->running = p->threads - 1;
    p->epoch++;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    pool_work(p, 0);
    (void)pthread_mutex_lock(&p->lock);
    while (p->running) (void)pthread_cond_wait(&p->rest, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
    Err err = atomic_load(&p->failed) ? err_restore(&p->error) : ERR_OK;
    (void)pthread_mutex_unlock(&p->turn);
    return err;
}

/* ---- queue ---- */

struct Queue {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t not_full, not_empty;
    void **items; /* ring [capacity] */
    size_t capacity, head, count;
    bool closed;
};

Err queue_open(Queue **out, size_t capacity) {
    *out = NULL;
    Queue *q = calloc(1, sizeof *q);
    if (q) q->items = calloc(capacity, sizeof *q->items);
    if (!q || !q->items) {
        free(q);
        return err_set(ERR_NOMEM, "out of memory: a queue of %zu", capacity);
    }
    q->capacity = capacity;
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->not_full, NULL);
    (void)pthread_cond_init(&q->not_empty, NULL);
    *out = q;
    return ERR_OK;
}

void queue_close(Queue *q) {
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->not_full);
    (void)pthread_cond_broadcast(&q->not_empty);
    (void)pthread_mutex_unlock(&q->lock);
}

void queue_free(Queue *q) {
    if (!q) return;
    (void)pthread_cond_destroy(&q->not_empty);
    (void)pthread_cond_destroy(&q->not_full);
    (void)pthread_mutex_destroy(&q->lock);
    free(q->items);
    free(q);
}

bool queue_push(Queue *q, void *item) {
    (void)pthread_mutex_lock(&q->lock);
    while (q->count == q->capacity && !q->closed) (void)pthread_cond_wait(&q->not_full, &q->lock);
    bool open = !q->closed;
    if (open) {
        q->items[(q->head + q->count++) % q->capacity] = item;
        (void)pthread_cond_signal(&q->not_empty);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return open;
}

bool queue_pop(Queue *q, void **item) {
    (void)pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed) (void)pthread_cond_wait(&q->not_empty, &q->lock);
    bool got = q->count > 0;
    if (got) {
        *item = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->count--;
        (void)pthread_cond_signal(&q->not_full);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return got;
}

/* ---- thread ---- */

struct Thread {
    pthread_t handle;
    Err (*body)(void *ctx);
    void *ctx;
    ErrInfo error;
};

static void *thread_main(void *arg) {
    Thread *t = arg;
    Err err = t->body(t->ctx);
    if (err) err_save(&t->error, err);
    return NULL;
}

Err thread_start(Thread **out, Err (*body)(void *ctx), void *ctx) {
    *out = NULL;
    Thread *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory: a thread");
    t->body = body;
    t->ctx = ctx;
    if (pthread_create(&t->handle, NULL, thread_main, t) != 0) {
        free(t);
        return err_set(ERR_LIMIT, "cannot start a thread");
    }
    *out = t;
    return ERR_OK;
}

Err thread_join(Thread *t) {
    if (!t) return ERR_OK;
    (void)pthread_join(t->handle, NULL);
    Err err = err_restore(&t->error);
    free(t);
    return err;
}
