/* pool.c - see pool.h.
 *
 * A loop is published as one number: how many pieces there are and which is next. Whoever raises it by one owns a
 * piece; the loop has ended when as many pieces are done. Nobody waits for a thread that has not come: a worker that
 * sleeps, or that another process keeps from its core, takes no piece and holds nothing up, and the caller does them
 * all. That is what lets a 13-token query, whose loops last 20 us each, be shared out: when every loop waited for every
 * worker to wake, two threads took longer than one.
 *
 * A worker without work looks out for the next loop for SPIN_NS, then sleeps; so does the caller that waits for the
 * last pieces. Waking costs 5 us on the side that wakes and some 50 on the other, so that the loops of one query, which
 * follow each other within microseconds, meet workers that are awake. A pool of more threads than cores does not spin
 * at all.
 *
 * On a machine that is busy a worker may lose its core while it holds a piece, and a loop of 20 us lasts until it gets
 * it back, milliseconds later. After that happened the caller begins the next CAUTIOUS_LOOPS by itself; what is not
 * done within ALONE_NS is a long loop, where sharing pays in any case, and is handed out as usual.
 *
 * Who falls asleep and who wakes meet as in Dekker's algorithm: each writes its own flag, then reads the other's, and
 * one of them must see the other's write. The writes are exchanges, not stores: x86-64 makes an xchg of both, but an
 * emulator that turns ARM's STLR and LDAR into plain moves lets the load pass the store (qemu 7.2: 1 % of tries of the
 * litmus test), and then a caller slept for ever.
 */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    SPIN_NS = 50 * 1000,
    SPIN_LOOKS = 32, /* between two looks at the clock */
    ALONE_NS = 200 * 1000,
    CAUTIOUS_LOOPS = 256 /* some ten queries */
};

#if defined(__x86_64__)
static void spin_pause(void) { __builtin_ia32_pause(); }
#elif defined(__aarch64__)
static void spin_pause(void) { __asm__ volatile("yield"); }
#else
static void spin_pause(void) {}
#endif

typedef struct {
    Pool *pool;
    size_t worker;
} PoolSeat;

struct Pool {
    _Alignas(64) _Atomic uint64_t claim; /* the present loop: pieces << 32 | the next one */
    _Alignas(64) atomic_size_t done;     /* pieces done of it */
    _Alignas(64) atomic_bool failed;
    atomic_bool waiting;    /* the caller sleeps until done is reached */
    atomic_size_t sleepers; /* workers that sleep until there is a piece */
    /* of the loop; written before it is published, read by owners of its pieces */
    PoolBody body;
    void *ctx;
    pthread_mutex_t lock; /* guards quitting; nobody falls asleep but under it */
    pthread_mutex_t turn; /* one pool_for at a time */
    pthread_cond_t wake;  /* a new loop, or the end */
    pthread_cond_t rest;  /* the last piece is done */
    bool quitting;
    bool spins;
    size_t cautious;            /* loops that the caller still begins alone; guarded by turn */
    size_t threads;             /* workers, the caller among them */
    pthread_t *handles;         /* [threads - 1] */
    PoolSeat *seats;            /* [threads - 1] */
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

static bool pool_has_piece(const Pool *p) {
    uint64_t claim = atomic_load(&p->claim);
    return (uint32_t)claim < claim >> 32;
}

static bool pool_is_done(const Pool *p, size_t count) { return atomic_load(&p->done) == count; }

/* The loop's fields stay as they are until the owner of a piece has counted it as done. */
static bool pool_claim(Pool *p, size_t *piece, size_t *count) {
    uint64_t claim = atomic_load(&p->claim);
    do {
        *piece = (uint32_t)claim;
        *count = claim >> 32;
        if (*piece >= *count) return false;
    } while (!atomic_compare_exchange_weak(&p->claim, &claim, claim + 1));
    return true;
}

static void pool_work(Pool *p, size_t worker) {
    size_t piece = 0, count = 0;
    while (pool_claim(p, &piece, &count)) {
        if (!atomic_load_explicit(&p->failed, memory_order_relaxed)) {
            Err err = p->body(p->ctx, piece, worker);
            if (err) pool_note_error(p, piece, err);
        }
        if (atomic_fetch_add(&p->done, 1) + 1 != count || !atomic_load(&p->waiting)) continue;
        (void)pthread_mutex_lock(&p->lock);
        (void)pthread_cond_signal(&p->rest);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

/* Whether a piece came within SPIN_NS. */
static bool pool_look_out(const Pool *p) {
    if (!p->spins) return pool_has_piece(p);
    int64_t end = clock_mono_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (pool_has_piece(p)) return true;
            spin_pause();
        }
    } while (clock_mono_ns() < end);
    return false;
}

static void *pool_thread(void *arg) {
    PoolSeat *seat = arg;
    Pool *p = seat->pool;
    for (bool quitting = false; !quitting;) {
        pool_work(p, seat->worker);
        if (pool_look_out(p)) continue;
        (void)pthread_mutex_lock(&p->lock);
        atomic_fetch_add(&p->sleepers, 1); /* before the last look: whoever publishes after it sees the sleeper */
        while (!pool_has_piece(p) && !p->quitting) (void)pthread_cond_wait(&p->wake, &p->lock);
        atomic_fetch_sub(&p->sleepers, 1);
        quitting = p->quitting;
        (void)pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

static Pool *pool_alloc(size_t threads) {
    Pool *p = aligned_alloc(_Alignof(Pool), sizeof *p);
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_mutex_init(&p->turn, NULL);
    (void)pthread_mutex_init(&p->error_lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    (void)pthread_cond_init(&p->rest, NULL);
    p->threads = 1;
    p->spins = threads <= pool_cores();
    p->handles = calloc(threads, sizeof *p->handles);
    p->seats = calloc(threads, sizeof *p->seats);
    if (p->handles && p->seats) return p;
    pool_close(p);
    return NULL;
}

Err pool_open(Pool **out, size_t threads) {
    *out = NULL;
    if (threads == 0) threads = pool_cores();
    if (threads > 1024) return err_set(ERR_LIMIT, "%zu threads are more than 1024", threads);
    Pool *p = pool_alloc(threads);
    if (!p) return err_set(ERR_NOMEM, "out of memory: a thread pool");
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

/* Wakes as many sleepers as there are pieces for. */
static void pool_wake(Pool *p, size_t pieces) {
    size_t sleepers = atomic_load(&p->sleepers);
    if (sleepers == 0) return;
    (void)pthread_mutex_lock(&p->lock); /* a sleeper that has looked, but does not sleep yet, holds it */
    (void)pthread_mutex_unlock(&p->lock);
    if (pieces >= sleepers) {
        (void)pthread_cond_broadcast(&p->wake);
        return;
    }
    for (size_t i = 0; i < pieces; i++) (void)pthread_cond_signal(&p->wake);
}

/* Until the pieces that others hold are done; false when it had to sleep for that. */
static bool pool_wait(Pool *p, size_t count) {
    int64_t end = clock_mono_ns() + (p->spins ? SPIN_NS : 0);
    do {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (pool_is_done(p, count)) return true;
            spin_pause();
        }
    } while (clock_mono_ns() < end);
    (void)pthread_mutex_lock(&p->lock);
    (void)atomic_exchange(&p->waiting, true); /* no store: see the head */
    while (!pool_is_done(p, count)) (void)pthread_cond_wait(&p->rest, &p->lock);
    atomic_store(&p->waiting, false);
    (void)pthread_mutex_unlock(&p->lock);
    return false;
}

/* The first pieces, for ALONE_NS at most; how many. */
static size_t pool_begin_alone(Pool *p, size_t count, int64_t start) {
    size_t i = 0;
    while (i < count && !atomic_load(&p->failed) && clock_mono_ns() - start < ALONE_NS) {
        Err err = p->body(p->ctx, i, 0);
        if (err) pool_note_error(p, i, err);
        i++;
    }
    return atomic_load(&p->failed) ? count : i;
}

/* Hands out the pieces from `first` on and waits for them. */
static void pool_share(Pool *p, size_t first, size_t count, int64_t start) {
    atomic_store(&p->done, first);
    (void)atomic_exchange(&p->claim, (uint64_t)count << 32 | first); /* no store: see the head */
    pool_wake(p, count - first - 1);
    pool_work(p, 0);
    if (pool_is_done(p, count)) return;
    bool short_loop = clock_mono_ns() - start < ALONE_NS;
    if (!pool_wait(p, count) && short_loop) p->cautious = CAUTIOUS_LOOPS;
}

Err pool_for(Pool *p, size_t count, PoolBody body, void *ctx) {
    if (!p || p->threads == 1 || count <= 1) return pool_alone(count, body, ctx);
    if (count > UINT32_MAX) return err_set(ERR_LIMIT, "a loop of %zu pieces is longer than %u", count, UINT32_MAX);
    (void)pthread_mutex_lock(&p->turn);
    size_t first = 0;
    int64_t start = clock_mono_ns();
    p->body = body;
    p->ctx = ctx;
    atomic_store(&p->failed, false);
    if (p->cautious) {
        p->cautious--;
        first = pool_begin_alone(p, count, start);
    }
    if (first < count) pool_share(p, first, count, start);
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
