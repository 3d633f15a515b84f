/* sched.c - see sched.h. A job lives on its caller's stack and stands in its class's line until its turn.
 *
 * Rules, all under the one lock:
 *  1. A line works for at most one caller; the turn goes to the caller whose job is its head.
 *  2. A job that is taken along (TAKEN) is in no line; the batch has a seat for it. Its caller may leave at any time and
 *     empties the seat then: the batch holds a copy of its text and puts no vector where nobody sits.
 *  3. Errors are told to nobody but who made them: when a merged batch fails, each of its jobs goes back to the front and
 *     is run alone.
 *
 * Rejected: a thread of its own that runs all batches. It costs two switches a query (30 us of MiniLM's 2 ms) and a hop
 * for every error text, and gives nothing that a caller cannot do.
 */
#include "model/sched.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    DEPTH_INTERACTIVE = 256,
    DEPTH_BACKGROUND = 16,
    OWED_SHARE = 8, /* of the time it stood still, background work runs one part in so many */
};
static const int64_t POLL_NS = 20000000; /* how often who waits looks at its cancel flag: nobody signals that */
static const int64_t GRANT_NS = (int64_t)SCHED_GRANT_MS * 1000000;

typedef struct {
    const Model *m;
    Pool *pool;
    const Str *texts; /* [n] */
    size_t n;
    const EmbedOpts *opts;
    float *out;
    EmbedInfo *info;
    size_t width;
} Request;

typedef enum { JOB_WAITING, JOB_TAKEN, JOB_DONE } JobState;

typedef struct Job Job;
struct Job {
    Job *next, *prev; /* in its line */
    JobState state;
    pthread_cond_t wake;
    const Deadline *stop;
    const Request *rq; /* NULL: never merged */
    size_t at;         /* texts done */
    bool alone;        /* not to be merged: a batch with it failed */
    Job **seat;        /* where the batch that took it keeps it */
};

typedef struct {
    Job *head, *tail;
    bool working; /* somebody has the turn */
    SchedStats stats;
} Line;

struct Sched {
    pthread_mutex_t lock; /* guards all below but the atomics */
    pthread_cond_t calm;  /* no interactive work left, or a grant, or the end */
    pthread_cond_t empty; /* the last caller has left */
    Line lines[SCHED_CLASSES];
    size_t depth_max[SCHED_CLASSES];
    size_t callers;
    atomic_size_t interactive; /* callers that stand or work in that line */
    atomic_bool stopping;
    /* background standing still */
    int64_t counted_until; /* mono ns; so that several threads standing still count once */
    int64_t owed_ns;
    int64_t grant_until; /* mono ns */
};

/* ---- opening, closing ---- */

static void cond_open(pthread_cond_t *c) {
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(c, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t at_ns) {
    struct timespec t = {.tv_sec = (time_t)(at_ns / 1000000000), .tv_nsec = (long)(at_ns % 1000000000)};
    (void)pthread_cond_timedwait(c, lock, &t);
}

Err sched_open(Sched **out, const SchedOpts *opts) {
    static const SchedOpts none;
    *out = NULL;
    Sched *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for a scheduler");
    if (!opts) opts = &none;
    (void)pthread_mutex_init(&s->lock, NULL);
    cond_open(&s->calm);
    cond_open(&s->empty);
    size_t interactive = opts->depth_max[SCHED_INTERACTIVE], background = opts->depth_max[SCHED_BACKGROUND];
    s->depth_max[SCHED_INTERACTIVE] = interactive ? interactive : DEPTH_INTERACTIVE;
    s->depth_max[SCHED_BACKGROUND] = background ? background : DEPTH_BACKGROUND;
    *out = s;
    return ERR_OK;
}

void sched_stop(Sched *s) {
    (void)pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    for (int i = 0; i < SCHED_CLASSES; i++)
        for (Job *j = s->lines[i].head; j; j = j->next) (void)pthread_cond_signal(&j->wake);
    (void)pthread_cond_broadcast(&s->calm);
    (void)pthread_mutex_unlock(&s->lock);
}

void sched_close(Sched *s) {
    if (!s) return;
    sched_stop(s);
    (void)pthread_mutex_lock(&s->lock);
    while (s->callers) (void)pthread_cond_wait(&s->empty, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_cond_destroy(&s->empty);
    (void)pthread_cond_destroy(&s->calm);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void sched_stats(Sched *s, SchedClass line, SchedStats *out) {
    (void)pthread_mutex_lock(&s->lock);
    *out = s->lines[line].stats;
    (void)pthread_mutex_unlock(&s->lock);
}

static Err closing(void) { return err_set(ERR_INTERRUPT, "the engine is being closed"); }

/* ---- borders ---- */

typedef struct {
    Sched *s;
    SchedClass line;
    const Deadline *own; /* the caller's */
} Turn;

/* Time stood still since `from`; SIGSTOP and a machine that slept are not waits for queries. */
static void count_pause(Sched *s, int64_t from) {
    int64_t now = clock_mono_ns(), since = from > s->counted_until ? from : s->counted_until, d = now - since;
    if (d > 2 * POLL_NS) d = 2 * POLL_NS;
    if (d < 0) d = 0;
    s->counted_until = now;
    s->owed_ns += d / OWED_SHARE;
    s->lines[SCHED_BACKGROUND].stats.paused_ns += d;
    if (s->owed_ns < GRANT_NS) return;
    s->owed_ns = 0;
    s->grant_until = now + GRANT_NS;
    (void)pthread_cond_broadcast(&s->calm);
}

static Err stand_still(const Turn *t) {
    Sched *s = t->s;
    Err err = ERR_OK;
    (void)pthread_mutex_lock(&s->lock);
    int64_t now = clock_mono_ns();
    if (atomic_load(&s->interactive) && now >= s->grant_until) s->lines[SCHED_BACKGROUND].stats.pauses++;
    while (!err && atomic_load(&s->interactive) && !atomic_load(&s->stopping) && now >= s->grant_until) {
        cond_wait_until(&s->calm, &s->lock, now + POLL_NS);
        count_pause(s, now);
        (void)pthread_mutex_unlock(&s->lock);
        err = deadline_check(t->own);
        (void)pthread_mutex_lock(&s->lock);
        now = clock_mono_ns();
    }
    (void)pthread_mutex_unlock(&s->lock);
    return err;
}

static Err border(void *ctx) {
    const Turn *t = ctx;
    if (atomic_load_explicit(&t->s->stopping, memory_order_relaxed)) return closing();
    if (t->own && t->own->border) TRY(t->own->border(t->own->ctx));
    if (t->line == SCHED_BACKGROUND && atomic_load_explicit(&t->s->interactive, memory_order_relaxed))
        return stand_still(t);
    return ERR_OK;
}

/* The caller's own deadline with our border. */
static Deadline turn_deadline(Turn *t) {
    Deadline d = {.border = border, .ctx = t};
    if (t->own) d.at_ns = t->own->at_ns, d.cancel = t->own->cancel;
    return d;
}

/* ---- the line; all of it under the lock ---- */

static void line_put(Line *l, Job *j, Job *before /* NULL: at the end */) {
    j->state = JOB_WAITING;
    j->next = before;
    j->prev = before ? before->prev : l->tail;
    *(j->prev ? &j->prev->next : &l->head) = j;
    *(before ? &before->prev : &l->tail) = j;
}

static void line_drop(Line *l, Job *j) {
    *(j->prev ? &j->prev->next : &l->head) = j->next;
    *(j->next ? &j->next->prev : &l->tail) = j->prev;
    j->next = j->prev = NULL;
}

static void line_call(Line *l) {
    if (l->head && !l->working) (void)pthread_cond_signal(&l->head->wake);
}

static Err line_enter(Sched *s, SchedClass line, bool takes_turn) {
    Line *l = &s->lines[line];
    if (atomic_load(&s->stopping)) return closing();
    if (l->stats.depth >= s->depth_max[line]) {
        l->stats.refused++;
        return err_set(ERR_BUSY, "%zu %s requests wait already", l->stats.depth,
                       line == SCHED_INTERACTIVE ? "interactive" : "background");
    }
    l->stats.depth++;
    s->callers++;
    if (takes_turn && line == SCHED_INTERACTIVE) atomic_fetch_add(&s->interactive, 1);
    return ERR_OK;
}

static void line_leave(Sched *s, SchedClass line, bool takes_turn, Err err) {
    Line *l = &s->lines[line];
    bool early = err == ERR_DEADLINE || err == ERR_INTERRUPT;
    l->stats.depth--;
    (early ? &l->stats.left : &l->stats.done)[0]++;
    if (takes_turn && line == SCHED_INTERACTIVE && atomic_fetch_sub(&s->interactive, 1) == 1)
        (void)pthread_cond_broadcast(&s->calm);
    if (--s->callers == 0) (void)pthread_cond_signal(&s->empty);
}

/* Waits until j is the head of a line that nobody works for (then *turn), or done by another. */
static Err line_wait(Sched *s, Line *l, Job *j, bool *turn) {
    Deadline plain = {0};
    if (j->stop) plain.at_ns = j->stop->at_ns, plain.cancel = j->stop->cancel;
    for (;;) {
        *turn = j->state == JOB_WAITING && l->head == j && !l->working;
        if (j->state == JOB_DONE) return ERR_OK;
        if (atomic_load(&s->stopping)) return closing();
        TRY(deadline_check(&plain));
        if (*turn) return ERR_OK;
        int64_t until = plain.cancel ? clock_mono_ns() + POLL_NS : INT64_MAX;
        if (plain.at_ns && plain.at_ns < until) until = plain.at_ns;
        if (until == INT64_MAX)
            (void)pthread_cond_wait(&j->wake, &s->lock);
        else
            cond_wait_until(&j->wake, &s->lock, until);
    }
}

static void job_withdraw(Line *l, Job *j) {
    if (j->state == JOB_TAKEN)
        *j->seat = NULL;
    else if (j->state == JOB_WAITING)
        line_drop(l, j);
    line_call(l);
}

/* ---- batches ---- */

typedef struct {
    Job *seats[SCHED_MERGE_TEXTS]; /* the first is the worker's own; NULL: its caller has left */
    size_t n_seats;
    size_t counts[SCHED_MERGE_TEXTS]; /* texts of each seat */
    size_t n_texts;
    Str texts[SCHED_MERGE_TEXTS]; /* copies, but for the worker's own */
    int64_t at_ns;                /* when the last of them gives up; 0: never */
} Merged;

/* The next texts of a job that make a batch, at least one; their bytes. */
static size_t slice_of(const Job *j, size_t *bytes) {
    size_t n = 0, sum = 0, left = j->rq->n - j->at;
    while (n < left && n < SCHED_MERGE_TEXTS) {
        size_t more = j->rq->texts[j->at + n].n;
        if (n && (more > SCHED_MERGE_BYTES || sum + more > SCHED_MERGE_BYTES)) break;
        sum += more;
        n++;
    }
    *bytes = sum;
    return n;
}

/* A text that is to be refused when too long may fail its batch, and a number of dimensions may be nonsense. */
static bool merges(const Job *a, const Job *b) {
    if (!a->rq || !b->rq || a->alone || b->alone) return false;
    const EmbedOpts *x = a->rq->opts, *y = b->rq->opts;
    return a->rq->m == b->rq->m && x->kind == y->kind && x->dimensions == y->dimensions && !x->truncate_error &&
           !y->truncate_error && x->dimensions <= model_info(a->rq->m)->dim;
}

/* The next n of a job. */
static Err take_texts(Merged *b, Arena *a, const Job *j, size_t n, bool own) {
    for (size_t i = 0; i < n; i++) {
        Str text = j->rq->texts[j->at + i];
        b->texts[b->n_texts + i] = own ? text : arena_str(a, text);
        if (!b->texts[b->n_texts + i].p && text.n) return arena_error();
    }
    b->counts[b->n_seats] = n;
    b->n_texts += n;
    int64_t at = j->stop ? j->stop->at_ns : 0;
    if (b->n_seats == 0)
        b->at_ns = at;
    else if (b->at_ns)
        b->at_ns = at && at < b->at_ns ? b->at_ns : at;
    return ERR_OK;
}

/* Own first, then those behind that fit whole; under the lock. Out of memory: fewer. */
static void batch_take(Line *l, Job *own, Merged *b, Arena *a) {
    size_t bytes = 0, more = 0;
    *b = (Merged){0};
    (void)take_texts(b, a, own, slice_of(own, &bytes), true); /* copies nothing */
    b->seats[b->n_seats++] = own;
    for (Job *j = own->next, *next; j; j = next) {
        next = j->next;
        if (!merges(own, j)) continue;
        size_t n = slice_of(j, &more);
        if (n < j->rq->n - j->at || b->n_texts + n > SCHED_MERGE_TEXTS) continue;
        if (bytes > SCHED_MERGE_BYTES || more > SCHED_MERGE_BYTES - bytes) continue;
        if (take_texts(b, a, j, n, false)) return;
        bytes += more;
        line_drop(l, j);
        j->state = JOB_TAKEN;
        j->seat = &b->seats[b->n_seats];
        b->seats[b->n_seats++] = j;
    }
}

static Err batch_run(Sched *s, const Request *rq, const Merged *b, Arena *a, float **out, EmbedInfo **info) {
    const Deadline last = {.at_ns = b->at_ns};
    Turn turn = {s, SCHED_INTERACTIVE, &last};
    Deadline stop = turn_deadline(&turn);
    EmbedOpts opts = *rq->opts;
    opts.deadline = &stop;
    *out = arena_alloc_array(a, b->n_texts, rq->width * sizeof **out);
    *info = arena_array(a, EmbedInfo, b->n_texts);
    if (!*out || !*info) return arena_error();
    return model_embed(rq->m, rq->pool, b->texts, b->n_texts, &opts, *out, *info);
}

/* Vectors to whoever still sits, or, when there are none, all back to the front; under the lock. */
static void batch_deliver(Line *l, Merged *b, Err err, const float *out, const EmbedInfo *info) {
    Job *front = l->head;
    for (size_t i = 0, from = 0; i < b->n_seats; from += b->counts[i++]) {
        Job *j = b->seats[i];
        if (!j) continue;
        if (err) {
            j->alone = true;
            if (i) line_put(l, j, front); /* the worker's own still stands where it stood */
            continue;
        }
        const Request *rq = j->rq;
        memcpy(rq->out + j->at * rq->width, out + from * rq->width, b->counts[i] * rq->width * sizeof *out);
        if (rq->info) memcpy(rq->info + j->at, info + from, b->counts[i] * sizeof *info);
        j->at += b->counts[i];
        if (i == 0) continue;
        j->state = JOB_DONE;
        l->stats.merged++;
        (void)pthread_cond_signal(&j->wake);
    }
}

/* The worker's own slice, straight to where it belongs. */
static Err slice_run(Sched *s, SchedClass line, Job *j, size_t n) {
    const Request *rq = j->rq;
    Turn turn = {s, line, j->stop};
    Deadline stop = turn_deadline(&turn);
    EmbedOpts opts = *rq->opts;
    opts.deadline = &stop;
    opts.first += j->at;
    TRY(model_embed(rq->m, rq->pool, rq->texts + j->at, n, &opts, rq->out + j->at * rq->width,
                    rq->info ? rq->info + j->at : NULL));
    j->at += n;
    return ERR_OK;
}

/* One turn of an interactive request; the lock is held on entry and on return. */
static Err turn_interactive(Sched *s, Line *l, Job *j) {
    Merged batch;
    Arena a = {0};
    float *out = NULL;
    EmbedInfo *info = NULL;
    batch_take(l, j, &batch, &a);
    bool merged = batch.n_seats > 1;
    (void)pthread_mutex_unlock(&s->lock);
    Err err = merged ? batch_run(s, j->rq, &batch, &a, &out, &info) : slice_run(s, SCHED_INTERACTIVE, j, batch.n_texts);
    (void)pthread_mutex_lock(&s->lock);
    if (merged) batch_deliver(l, &batch, err, out, info);
    arena_free(&a);
    if (!err) {
        line_drop(l, j);
        line_put(l, j, NULL); /* should it have more: the others first */
    }
    return merged ? ERR_OK : err; /* alone it gets its own error */
}

/* ---- the two doors ---- */

static Err embed_in_line(Sched *s, SchedClass line, Job *j) {
    Line *l = &s->lines[line];
    Err err = ERR_OK;
    line_put(l, j, NULL);
    while (!err && j->state != JOB_DONE && j->at < j->rq->n) {
        bool turn = false;
        if ((err = line_wait(s, l, j, &turn)) || !turn) continue;
        l->working = true;
        if (line == SCHED_INTERACTIVE)
            err = turn_interactive(s, l, j);
        else {
            (void)pthread_mutex_unlock(&s->lock);
            err = slice_run(s, line, j, j->rq->n);
            (void)pthread_mutex_lock(&s->lock);
        }
        l->working = false;
        line_call(l);
    }
    job_withdraw(l, j);
    return err;
}

/* A service does the work: nobody here has to wait for its turn. */
static Err embed_elsewhere(Sched *s, Job *j) {
    (void)pthread_mutex_unlock(&s->lock);
    Err err = slice_run(s, SCHED_INTERACTIVE, j, j->rq->n);
    (void)pthread_mutex_lock(&s->lock);
    return err;
}

Err sched_embed(Sched *s, SchedClass line, const Model *m, Pool *pool, const Str *texts, size_t n,
                const EmbedOpts *opts, float *out, EmbedInfo *info) {
    static const EmbedOpts none;
    if (!s || n == 0) return model_embed(m, pool, texts, n, opts, out, info);
    if (!opts) opts = &none;
    const ModelInfo *mi = model_info(m);
    Request rq = {m, pool, texts, n, opts, out, info, opts->dimensions ? opts->dimensions : mi->dim};
    Job j = {.rq = &rq, .stop = opts->deadline};
    bool here = !str_is(mi->arch, "remote");
    (void)pthread_mutex_lock(&s->lock);
    Err err = line_enter(s, line, here);
    if (!err) {
        cond_open(&j.wake);
        err = here ? embed_in_line(s, line, &j) : embed_elsewhere(s, &j);
        line_leave(s, line, here, err);
        (void)pthread_cond_destroy(&j.wake);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return err;
}

Err sched_run(Sched *s, SchedClass line, const Deadline *stop, SchedBody body, void *ctx) {
    Line *l = &s->lines[line];
    Job j = {.stop = stop};
    Turn t = {s, line, stop};
    Deadline inner = turn_deadline(&t);
    bool turn = false;
    (void)pthread_mutex_lock(&s->lock);
    Err err = line_enter(s, line, true);
    if (err) goto done;
    cond_open(&j.wake);
    line_put(l, &j, NULL);
    err = line_wait(s, l, &j, &turn);
    if (!err) {
        l->working = true;
        (void)pthread_mutex_unlock(&s->lock);
        err = body(ctx, &inner);
        (void)pthread_mutex_lock(&s->lock);
        l->working = false;
    }
    job_withdraw(l, &j);
    line_leave(s, line, true, err);
    (void)pthread_cond_destroy(&j.wake);
done:
    (void)pthread_mutex_unlock(&s->lock);
    return err;
}
