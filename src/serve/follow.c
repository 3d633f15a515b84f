/* follow.c - see follow.h. */
#include "serve/follow.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/pool.h"
#include "serve/ops_fields.h"
#include "serve/reply.h"

typedef struct Followed Followed;
struct Followed {
    Call *call;
    int64_t run;
    Followed *next;
    /* what was told last */
    char state[16], stage[32];
    int64_t done, total, failures;
    int64_t told_ns; /* 0: nothing yet */
    /* of the stage that it is in, for the rate */
    int64_t stage_ns, stage_done;
};

struct Follow {
    Desk *desk;
    PythiaOpts opts;
    pthread_mutex_t lock; /* guards added, closing and thread */
    pthread_cond_t news;
    Followed *added; /* not seen by the thread yet */
    bool closing;
    Thread *thread; /* NULL: nothing was followed yet */
    atomic_size_t n;
};

Err follow_open(Follow **out, Desk *desk, const PythiaOpts *opts) {
    *out = calloc(1, sizeof **out);
    if (!*out) return err_set(ERR_NOMEM, "out of memory: runs cannot be followed");
    (*out)->desk = desk;
    (*out)->opts = *opts;
    pthread_condattr_t steady;
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&(*out)->news, &steady);
    (void)pthread_condattr_destroy(&steady);
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return ERR_OK;
}

size_t follow_count(const Follow *f) { return atomic_load(&f->n); }

/* ---- one of them ---- */

static bool is_over(const PythiaRun *run) { return !str_is(run->state, "queued") && !str_is(run->state, "running"); }

static bool has_news(const Followed *x, const PythiaRun *run) {
    return !x->told_ns || !str_is(run->state, x->state) || !str_is(run->stage, x->stage) || run->done != x->done ||
           run->total != x->total || run->failures != x->failures;
}

/* Units a second since the stage was first seen; NaN: not known yet. */
static double rate_of(Followed *x, const PythiaRun *run, int64_t now_ns) {
    if (!x->stage_ns || !str_is(run->stage, x->stage) || run->done < x->stage_done) {
        x->stage_ns = now_ns;
        x->stage_done = run->done;
    }
    const double seconds = (double)(now_ns - x->stage_ns) * 1e-9;
    return seconds > 0 ? (double)(run->done - x->stage_done) / seconds : (double)NAN;
}

static void members_write(JsonOut *j, const PythiaRun *run, double rate) {
    jout_key(j, "run");
    reply_run(j, run);
    jout_kv_f64(j, "rate", rate);
}

/* False: nobody listens any more. */
static bool event_send(Followed *x, const char *name, const PythiaRun *run, int64_t now_ns) {
    Buf data = {0};
    JsonOut j = jout_to(&data);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "ok");
    members_write(&j, run, rate_of(x, run, now_ns));
    jout_end(&j, '}');
    (void)snprintf(x->state, sizeof x->state, "%.*s", STR_FMT(run->state));
    (void)snprintf(x->stage, sizeof x->stage, "%.*s", STR_FMT(run->stage));
    x->done = run->done;
    x->total = run->total;
    x->failures = run->failures;
    x->told_ns = now_ns;
    return call_event(x->call, name, &data);
}

static bool alive_send(Followed *x, int64_t now_ns) {
    if (now_ns - x->told_ns < FOLLOW_ALIVE_MS * (int64_t)1000000) return true;
    x->told_ns = now_ns;
    return x->call->stream(x->call, STR(": alive\n\n"));
}

/* The end: the reply of a run that is over, or why it is not. */
static void answer(Follow *f, Followed *x, Err err, const PythiaRun *run) {
    Call *c = x->call;
    const bool begun = c->stream && x->told_ns;
    if (!err && c->stream) (void)event_send(x, "done", run, clock_mono_ns());
    if (err && begun) {
        Buf data = {0};
        JsonOut j = jout_to(&data);
        reply_error(&j, err);
        (void)call_event(c, "error", &data);
    }
    JsonOut j = call_late_begin(c);
    if (!err) members_write(&j, run, (double)NAN);
    (void)atomic_fetch_sub(&f->n, 1);
    call_late_end(c, &j, err);
    free(x);
}

/* True when it is answered, and x gone. */
static bool look(Follow *f, Pythia *p, Arena *a, Followed *x, bool closing) {
    PythiaRun run = {0};
    const int64_t now_ns = clock_mono_ns();
    Err err = ERR_OK;
    if (__atomic_load_n(&x->call->cancelled, __ATOMIC_RELAXED)) err = err_set(ERR_INTERRUPT, "cancelled");
    if (!err) err = pythia_run(p, a, x->run, &run);
    if (err == ERR_BUSY && !closing) return false; /* the store's doing: at the next look */
    if (!err && !is_over(&run)) {
        bool heard = true;
        if (x->call->stream)
            heard = has_news(x, &run) ? event_send(x, "progress", &run, now_ns) : alive_send(x, now_ns);
        if (heard && !closing) return false;
        err = err_set(ERR_INTERRUPT, heard ? "the server is shutting down" : "nobody listens any more");
    }
    answer(f, x, err, &run);
    return true;
}

/* ---- the thread ---- */

/* Those that came meanwhile go before *mine, in any order. Waits for the next look, or, with nothing to look at, for
 * something. */
static bool wait_for_look(Follow *f, Followed **mine) {
    const int64_t until_ns = clock_mono_ns() + FOLLOW_LOOK_MS * (int64_t)1000000;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
    (void)pthread_mutex_lock(&f->lock);
    while (!*mine && !f->added && !f->closing) (void)pthread_cond_wait(&f->news, &f->lock);
    while (*mine && !f->added && !f->closing)
        if (pthread_cond_timedwait(&f->news, &f->lock, &until)) break;
    Followed *one;
    while ((one = f->added)) {
        f->added = one->next;
        one->next = *mine;
        *mine = one;
    }
    const bool closing = f->closing;
    (void)pthread_mutex_unlock(&f->lock);
    return closing;
}

static Err follow_body(void *ctx) {
    Follow *f = ctx;
    Pythia *p = NULL;
    Arena a = {0};
    Followed *mine = NULL;
    const Err opened = pythia_open(&p, &f->opts);
    ErrInfo why = {0};
    if (opened) err_save(&why, opened);
    for (bool closing = false; !closing;) {
        closing = wait_for_look(f, &mine);
        for (Followed **at = &mine; *at;) {
            Followed *x = *at, *next = x->next;
            bool over = true;
            if (opened)
                answer(f, x, err_restore(&why), NULL);
            else
                over = look(f, p, &a, x, closing);
            if (over)
                *at = next;
            else
                at = &x->next;
            arena_reset(&a);
        }
    }
    arena_free(&a);
    pythia_close(p);
    return ERR_OK;
}

Err follow_add(Follow *f, Call *c, int64_t run) {
    Followed *x = calloc(1, sizeof *x);
    if (!x) return err_set(ERR_NOMEM, "out of memory to follow a run");
    *x = (Followed){.call = c, .run = run};
    Err err = ERR_OK;
    (void)pthread_mutex_lock(&f->lock);
    if (f->closing) err = err_set(ERR_INTERRUPT, "the server is shutting down");
    if (!err && atomic_load(&f->n) >= FOLLOW_MAX)
        err = err_set(ERR_BUSY, "%d calls follow a run already; try again", FOLLOW_MAX);
    if (!err && !f->thread) err = thread_start(&f->thread, follow_body, f);
    if (!err) {
        call_leave(c); /* before the thread can see it */
        (void)atomic_fetch_add(&f->n, 1);
        x->next = f->added;
        f->added = x;
        (void)pthread_cond_signal(&f->news);
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (err) free(x);
    return err;
}

void follow_close(Follow *f) {
    if (!f) return;
    (void)pthread_mutex_lock(&f->lock);
    f->closing = true;
    (void)pthread_cond_signal(&f->news);
    (void)pthread_mutex_unlock(&f->lock);
    Err err = thread_join(f->thread);
    (void)err; /* its body gives none */
    (void)pthread_cond_destroy(&f->news);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}
