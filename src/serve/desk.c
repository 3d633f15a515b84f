/* desk.c - see desk.h. Three lines (interactive, puts, runs), each a linked list under one lock with a condition of its
 * own. */
#include "serve/desk_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "serve/reply.h"

/* ---- answers ---- */

void call_fail(Call *c, Err err) {
    err_save(&c->error, err);
    c->err = err;
    c->status = err_status(err);
    buf_clear(&c->body);
    JsonOut j = jout_to(&c->body);
    reply_error(&j, err);
}

void call_fail_as(Call *c, int status, const char *code, const char *message, const char *fix) {
    c->err = status >= 500 ? ERR_INTERNAL : ERR_USAGE;
    c->status = status;
    buf_clear(&c->body);
    JsonOut j = jout_to(&c->body);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "error");
    jout_key(&j, "error");
    jout_begin(&j, '{');
    jout_kv_z(&j, "code", code);
    jout_kv_z(&j, "message", message);
    jout_kv_z(&j, "fix", fix);
    jout_end(&j, '}');
    jout_end(&j, '}');
}

void call_clear(Call *c) {
    buf_free(&c->body);
    json_decref(c->params);
    c->params = NULL;
    for (size_t i = 0; i < c->n_files; i++) {
        spool_close(c->files[i].spool);
        buf_free(&c->files[i].name);
    }
    free(c->files);
    c->files = NULL;
    c->n_files = 0;
}

/* An operation's reply is open while it runs: members, then the end. */
static JsonOut reply_begin(Call *c) {
    buf_clear(&c->body);
    JsonOut j = jout_to(&c->body);
    if (c->op->flags & OP_RAW) return j;
    jout_begin(&j, '{');
    if (!(c->op->flags & OP_PLAIN)) jout_kv_z(&j, "status", "ok");
    return j;
}

static Err reply_end(Call *c, JsonOut *j) {
    if (!(c->op->flags & OP_RAW)) jout_end(j, '}');
    return buf_ok(&c->body);
}

static void call_count(Desk *d, const Call *c) {
    size_t at = 0;
    while (ops[at].name && &ops[at] != c->op) at++;
    metrics_call(&d->metrics, ops[at].name ? at : SIZE_MAX, c->status, c->err,
                 (double)(clock_mono_ns() - c->queued_ns) * 1e-9);
}

void call_end(Desk *d, Call *c) {
    call_count(d, c);
    c->done(c); /* from here on it is its door's */
}

static void worker_leave(DeskWorker *w) {
    Desk *d = w->desk;
    (void)pthread_mutex_lock(&d->lock);
    w->call = NULL;
    w->run = 0;
    w->working = false;
    (void)pthread_mutex_unlock(&d->lock);
}

Err call_answer_early(Call *c, JsonOut *j, int status) {
    Desk *d = c->desk;
    jout_end(j, '}');
    TRY(buf_ok(&c->body));
    c->status = status;
    (void)pthread_mutex_lock(&d->lock);
    c->worker->call = NULL; /* desk_cancel no longer ends the work: the run has its own cancel */
    (void)pthread_mutex_unlock(&d->lock);
    call_end(d, c);
    return ERR_OK;
}

void call_leave(Call *c) { worker_leave(c->worker); }

JsonOut call_late_begin(Call *c) { return reply_begin(c); }

void call_late_end(Call *c, JsonOut *j, Err err) {
    Desk *d = c->desk;
    if (!err) err = reply_end(c, j);
    if (err) call_fail(c, err);
    (void)pthread_mutex_lock(&d->lock);
    d->idle_since_ns = clock_mono_ns();
    (void)pthread_mutex_unlock(&d->lock);
    call_end(d, c);
}

/* ---- workers ---- */

/* The lock is held. */
static bool is_busy(const Desk *d) {
    for (int i = 0; i < LINES; i++)
        if (d->busy[i] || d->head[i]) return true;
    return false;
}

static Call *line_take(Desk *d, DeskWorker *w) {
    Call *c = NULL;
    (void)pthread_mutex_lock(&d->lock);
    while (!d->head[w->line] && !d->closing) (void)pthread_cond_wait(&d->work[w->line], &d->lock);
    c = d->head[w->line];
    if (c) {
        d->head[w->line] = c->next;
        if (!c->next) d->tail[w->line] = NULL;
        d->depth[w->line]--;
        d->busy[w->line]++;
        w->call = c;
        w->working = true;
        /* Under the lock, so that a cancel comes either before or after. */
        __atomic_store_n(&w->cancel, __atomic_load_n(&c->cancelled, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return c;
}

/* What changes something is noted with who did it. Copied before: a call that is answered early is gone at its end. */
static bool audit_begin(DeskWorker *w, const Call *c, PythiaAudit *out) {
    const json_t *p = c->params;
    if (c->op->role < ROLE_WRITE || c->op->flags & OP_INNER) return false;
    char number[32] = "";
    if (json_is_integer(json_object_get(p, "id")))
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json_object_get(p, "id")));
    const bool managed = c->op->flags & OP_FILES || json_object_get(p, "documents");
    const char *otherwise = managed ? "documents" : field_str(p, "name", "").p; /* ops_data.c, ops_upload.c */
    const Str object = number[0] ? str_of(number) : field_str(p, "id", field_str(p, "path", "").p);
    *out = (PythiaAudit){.who = arena_str(&w->arena, str_of(c->from.who)),
                         .door = str_of(c->from.door ? c->from.door : "library"),
                         .action = str_of(c->op->name),
                         .collection = arena_str(&w->arena, field_str(p, "collection", otherwise)),
                         .object = arena_str(&w->arena, str_upto(object, AUDIT_OBJECT_MAX))};
    return true;
}

/* Where the row cannot be written the call stands all the same: it has been done. */
static void audit_end(DeskWorker *w, PythiaAudit *row, Err err) {
    row->outcome = str_of(err ? err_name(err) : "ok");
    if (pythia_audit_note(w->engine, row)) LOG(LOG_WARN, "serve", "no audit row: %s", err_text());
}

static void call_do(DeskWorker *w, Call *c) {
    Desk *d = w->desk;
    PythiaAudit row;
    c->engine = w->engine;
    c->arena = &w->arena;
    c->worker = w;
    c->started_ns = clock_mono_ns();
    JsonOut j = reply_begin(c);
    const bool audited = audit_begin(w, c, &row);
    c->status = 200;
    Err err = __atomic_load_n(&w->cancel, __ATOMIC_RELAXED) ? err_set(ERR_INTERRUPT, "cancelled") : c->op->run(c, &j);
    (void)pthread_mutex_lock(&d->lock);
    bool mine = w->call == c; /* else it was answered early, and may be gone */
    (void)pthread_mutex_unlock(&d->lock);
    if (!mine) {
        if (err) LOG(LOG_WARN, "serve", "a run that was answered for failed: %s", err_text());
        if (audited) audit_end(w, &row, err);
        return;
    }
    if (!err) err = reply_end(c, &j);
    if (err) call_fail(c, err);
    if (audited) audit_end(w, &row, err);
    worker_leave(w);
    call_end(d, c);
}

/* Its call is done. */
static void worker_rest(DeskWorker *w) {
    Desk *d = w->desk;
    worker_leave(w);
    arena_reset(&w->arena);
    (void)pthread_mutex_lock(&d->lock);
    d->busy[w->line]--;
    if (w->lent) (void)pthread_cond_signal(&d->work[w->line]);
    w->lent = false;
    if (!is_busy(d)) {
        d->idle_since_ns = clock_mono_ns();
        (void)pthread_cond_broadcast(&d->quiet);
    }
    (void)pthread_mutex_unlock(&d->lock); /* from here on a desk that is closed may be gone */
}

static Err worker_body(void *ctx) {
    DeskWorker *w = ctx;
    Call *c;
    while ((c = line_take(w->desk, w))) {
        call_do(w, c);
        worker_rest(w);
    }
    return ERR_OK;
}

/* ---- opening and closing ---- */

static Err worker_start(Desk *d, DeskLine line) {
    DeskWorker *w = &d->workers[d->n_workers];
    *w = (DeskWorker){.desk = d, .line = line};
    PythiaOpts opts = {.config = d->opts.config,
                       .home = d->opts.home,
                       .cwd = d->opts.cwd,
                       .environ = d->opts.environ,
                       .reader = d->opts.reader,
                       .cancel = &w->cancel,
                       .beside = d->first};
    TRY(pythia_open(&w->engine, &opts));
    const bool threadless = d->opts.callers_work && line == LINE_QUICK;
    Err err = threadless ? ERR_OK : thread_start(&w->thread, worker_body, w);
    if (err) {
        pythia_close(w->engine);
        return err;
    }
    d->n_workers++;
    return ERR_OK;
}

static void opts_settle(DeskOpts *o) {
    size_t twice = 2 * pool_cores();
    if (o->workers == 0) o->workers = twice < 4 ? 4 : twice > 16 ? 16 : twice;
    if (o->workers > WORKERS_MAX) o->workers = WORKERS_MAX;
    if (o->ingest_workers == 0) o->ingest_workers = 1;
    if (o->ingest_workers > INGEST_MAX) o->ingest_workers = INGEST_MAX;
    if (o->queue_max == 0) o->queue_max = QUEUE_MAX;
}

Err desk_open(Desk **out, const DeskOpts *opts) {
    *out = NULL;
    Desk *d = calloc(1, sizeof *d);
    if (!d) return err_set(ERR_NOMEM, "out of memory: cannot start");
    d->opts = *opts;
    opts_settle(&d->opts);
    d->opened_ns = d->idle_since_ns = clock_mono_ns();
    (void)pthread_mutex_init(&d->lock, NULL);
    for (int i = 0; i < LINES; i++) (void)pthread_cond_init(&d->work[i], NULL);
    pthread_condattr_t steady;
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&d->quiet, &steady);
    (void)pthread_condattr_destroy(&steady);
    Str name = config_text(opts->config, CONF_MODEL_EMBED);
    (void)snprintf(d->model_name, sizeof d->model_name, "%.*s", STR_FMT(name));
    PythiaOpts first = {
        .config = opts->config, .home = opts->home, .cwd = opts->cwd, .environ = opts->environ, .reader = opts->reader};
    Err err = pythia_open(&d->first, &first);
    first.beside = d->first;
    if (!err) err = follow_open(&d->follow, d, &first);
    for (size_t i = 0; !err && i < d->opts.workers; i++) err = worker_start(d, LINE_QUICK);
    for (size_t i = 0; !err && i < d->opts.ingest_workers; i++) err = worker_start(d, LINE_PUT);
    for (size_t i = 0; !err && i < d->opts.ingest_workers; i++) err = worker_start(d, LINE_RUN);
    if (!err) err = thread_start(&d->warmer, desk_warm, d);
    if (err) {
        ErrInfo told;
        err_save(&told, err);
        desk_close(d, 0);
        return err_restore(&told);
    }
    *out = d;
    return ERR_OK;
}

static struct timespec after_ms(int64_t ms) {
    int64_t ns = clock_mono_ns() + ms * 1000000;
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/* Waits until nothing is in line or at work, ms at most; true when so. The lock is held. */
static bool wait_quiet(Desk *d, int64_t ms) {
    struct timespec until = after_ms(ms);
    while (is_busy(d))
        if (pthread_cond_timedwait(&d->quiet, &d->lock, &until) == ETIMEDOUT) return false;
    return true;
}

static void cancel_workers(Desk *d, DeskLine line, bool all) {
    for (size_t i = 0; i < d->n_workers; i++) {
        if (!all && d->workers[i].line != line) continue;
        __atomic_store_n(&d->workers[i].cancel, 1, __ATOMIC_RELAXED);
        if (d->workers[i].call) __atomic_store_n(&d->workers[i].call->cancelled, 1, __ATOMIC_RELAXED);
    }
    for (int l = 0; l < LINES; l++)
        for (Call *c = d->head[l]; c && (all || l == (int)line); c = c->next)
            __atomic_store_n(&c->cancelled, 1, __ATOMIC_RELAXED);
}

void desk_close(Desk *d, int64_t ms) {
    if (!d) return;
    (void)pthread_mutex_lock(&d->lock);
    d->closing = true;
    cancel_workers(d, LINE_PUT, false);
    cancel_workers(d, LINE_RUN, false);
    for (int i = 0; i < LINES; i++) (void)pthread_cond_broadcast(&d->work[i]);
    if (!wait_quiet(d, ms)) cancel_workers(d, LINE_QUICK, true);
    while (d->busy[LINE_QUICK] && d->opts.callers_work) (void)pthread_cond_wait(&d->quiet, &d->lock);
    (void)pthread_mutex_unlock(&d->lock);
    __atomic_store_n(&d->warm_cancel, 1, __ATOMIC_RELAXED);
    if (thread_join(d->warmer)) LOG(LOG_WARN, "serve", "%s", err_text());
    for (size_t i = 0; i < d->n_workers; i++) {
        if (thread_join(d->workers[i].thread)) LOG(LOG_WARN, "serve", "%s", err_text());
        pythia_close(d->workers[i].engine);
        arena_free(&d->workers[i].arena);
    }
    follow_close(d->follow);
    pythia_close(d->first);
    for (int i = 0; i < LINES; i++) (void)pthread_cond_destroy(&d->work[i]);
    (void)pthread_cond_destroy(&d->quiet);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- calls ---- */

static DeskLine line_of(const Call *c) {
    if (!(c->op->flags & OP_LONG)) return LINE_QUICK;
    return json_object_get(c->params, "path") ? LINE_RUN : LINE_PUT;
}

/* The lock is held. */
static Err line_check(const Desk *d, const Call *c, DeskLine line) {
    const size_t most = line == LINE_QUICK ? d->opts.queue_max : INGEST_QUEUE_MAX;
    size_t ahead = d->depth[line];
    for (size_t i = 0; i < d->n_workers; i++) ahead += d->workers[i].line == line && d->workers[i].working;
    if (d->closing) return err_set(ERR_INTERRUPT, "the server is shutting down");
    if (d->depth[line] >= most) return err_set(ERR_BUSY, "%zu calls are waiting already; try again", d->depth[line]);
    if (line == LINE_RUN && c->impatient && ahead >= d->opts.ingest_workers)
        return err_set(ERR_BUSY, "indexing is busy with %zu run%s; try again when status tells that it is over", ahead,
                       ahead == 1 ? "" : "s");
    return ERR_OK;
}

static Err call_check(Desk *d, Call *c) {
    c->desk = d;
    c->queued_ns = clock_mono_ns();
    c->next = NULL;
    return c->op->flags & OP_LOOSE ? ERR_OK : fields_check(c->op->fields, c->params);
}

Err desk_submit(Desk *d, Call *c) {
    const DeskLine line = line_of(c);
    TRY(call_check(d, c));
    if (c->op->flags & OP_NOW) {
        JsonOut j = reply_begin(c);
        c->status = 200;
        TRY(c->op->run(c, &j));
        TRY(reply_end(c, &j));
        call_end(d, c);
        return ERR_OK;
    }
    (void)pthread_mutex_lock(&d->lock);
    if (line == LINE_RUN && runs_already(d, c)) {
        (void)pthread_mutex_unlock(&d->lock);
        call_end(d, c);
        return ERR_OK;
    }
    Err err = line_check(d, c, line);
    if (!err) {
        if (d->tail[line])
            d->tail[line]->next = c;
        else
            d->head[line] = c;
        d->tail[line] = c;
        d->depth[line]++;
        (void)pthread_cond_signal(&d->work[line]);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return err;
}

/* Waits until a worker without a thread is free; the lock is held. NULL: the desk is being closed. */
static DeskWorker *worker_lend(Desk *d) {
    for (;;) {
        if (d->closing) return NULL;
        for (size_t i = 0; i < d->n_workers; i++)
            if (d->workers[i].line == LINE_QUICK && !d->workers[i].lent) return &d->workers[i];
        d->depth[LINE_QUICK]++;
        (void)pthread_cond_wait(&d->work[LINE_QUICK], &d->lock);
        d->depth[LINE_QUICK]--;
    }
}

/* On this thread: a hop to another and back costs more than many a call (30 us on a machine that sleeps or is busy). */
static Err work_here(Desk *d, Call *c) {
    DeskWorker *w = NULL;
    TRY(call_check(d, c));
    (void)pthread_mutex_lock(&d->lock);
    Err err = line_check(d, c, LINE_QUICK);
    if (!err) {
        d->busy[LINE_QUICK]++; /* who waits is waited for by desk_close */
        w = worker_lend(d);
        if (w) {
            w->lent = w->working = true;
            w->call = c;
            __atomic_store_n(&w->cancel, __atomic_load_n(&c->cancelled, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        } else {
            err = err_set(ERR_INTERRUPT, "the engine is being closed");
            if (--d->busy[LINE_QUICK] == 0) (void)pthread_cond_broadcast(&d->quiet);
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
    if (err) return err;
    call_do(w, c);
    worker_rest(w);
    return ERR_OK;
}

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
} Wait;

static void wait_done(Call *c) {
    Wait *w = c->ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->cond);
    (void)pthread_mutex_unlock(&w->lock);
}

void desk_run(Desk *d, Call *c) {
    Wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    c->done = wait_done;
    c->ctx = &w;
    const bool here = d->opts.callers_work && line_of(c) == LINE_QUICK && !(c->op->flags & OP_NOW);
    Err err = here ? work_here(d, c) : desk_submit(d, c);
    if (err) {
        call_fail(c, err);
        return;
    }
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) (void)pthread_cond_wait(&w.cond, &w.lock);
    (void)pthread_mutex_unlock(&w.lock);
}

void desk_cancel(Desk *d, Call *c) {
    (void)pthread_mutex_lock(&d->lock);
    __atomic_store_n(&c->cancelled, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < d->n_workers; i++)
        if (d->workers[i].call == c) __atomic_store_n(&d->workers[i].cancel, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&d->lock);
}

void desk_cancel_all(Desk *d) {
    (void)pthread_mutex_lock(&d->lock);
    cancel_workers(d, LINE_QUICK, true);
    (void)pthread_mutex_unlock(&d->lock);
}

Err desk_follow(Desk *d, Call *c, int64_t run) { return follow_add(d->follow, c, run); }

/* ---- what is asked of it ---- */

int64_t desk_seconds(const Desk *d) { return (clock_mono_ns() - d->opened_ns) / 1000000000; }
Metrics *desk_metrics(Desk *d) { return &d->metrics; }
const DeskOpts *desk_opts(const Desk *d) { return &d->opts; }

size_t desk_waiting(Desk *d, bool ingest) {
    (void)pthread_mutex_lock(&d->lock);
    size_t n = ingest ? d->depth[LINE_PUT] + d->depth[LINE_RUN] : d->depth[LINE_QUICK];
    (void)pthread_mutex_unlock(&d->lock);
    return n;
}

int64_t desk_idle_ms(Desk *d) {
    (void)pthread_mutex_lock(&d->lock);
    int64_t ms = is_busy(d) || follow_count(d->follow) ? 0 : (clock_mono_ns() - d->idle_since_ns) / 1000000;
    (void)pthread_mutex_unlock(&d->lock);
    return ms;
}

Err desk_shutdown(Desk *d) {
    if (!d->opts.on_shutdown) return err_set(ERR_UNSUPPORTED, "this server does not end by a call");
    d->opts.on_shutdown(d->opts.shutdown_ctx);
    return ERR_OK;
}
