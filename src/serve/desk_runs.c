/* desk_runs.c - which runs of folders are at work here: told apart, cancelled, and not begun twice.
 *
 * A run of an hour must not let a second call for the same folder wait an hour for its turn: whoever asks for what is
 * being done is answered at once, with the run to follow. What he wants seen may have been passed by already, so this
 * is a refusal (409), and asking again afterwards finds whatever is left to do. A call that says it waits (`wait`)
 * waits.
 */
#include "serve/desk_impl.h"
#include "serve/reply.h"

void desk_run_begun(DeskWorker *w, int64_t run, Str collection, Str root, Str given) {
    const Str kept[] = {arena_str(&w->arena, collection), arena_str(&w->arena, root), arena_str(&w->arena, given)};
    (void)pthread_mutex_lock(&w->desk->lock);
    w->run = run;
    w->run_collection = kept[0];
    w->run_root = kept[1];
    w->run_given = kept[2];
    (void)pthread_mutex_unlock(&w->desk->lock);
}

bool desk_run_cancel(Desk *d, int64_t run) {
    bool found = false;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n_workers; i++) {
        if (!run || d->workers[i].run != run) continue;
        __atomic_store_n(&d->workers[i].cancel, 1, __ATOMIC_RELAXED);
        found = true;
    }
    (void)pthread_mutex_unlock(&d->lock);
    return found;
}

/* By its name where one is given, else by its folder as it stands or as it was asked for. Folders within it are not
 * looked at: they may be collections of their own. */
static bool is_of(const DeskWorker *w, Str collection, Str path) {
    if (collection.n) return str_eq(collection, w->run_collection);
    return str_eq(path, w->run_root) || str_eq(path, w->run_given);
}

/* Has not begun, or waits in line: what was asked is all that is known. */
static bool asks_the_same(const Call *before, Str collection, Str path) {
    return before && str_eq(field_str(before->params, "path", ""), path) &&
           str_eq(field_str(before->params, "collection", ""), collection);
}

static void refuse(Call *c, Str collection, Str path, int64_t run) {
    const Str what = collection.n ? collection : path;
    Err err =
        err_set(ERR_BUSY, "'%.*s' is about to be indexed for a call before this one", STR_FMT(str_upto(what, 500)));
    if (run)
        err = err_set(ERR_BUSY, "'%.*s' is being indexed by run %lld", STR_FMT(str_upto(what, 500)), (long long)run);
    err = run ? err_fix(err, "GET /v1/runs/%lld?follow=1", (long long)run) : err_fix(err, "GET /v1/runs");
    call_fail(c, err);
    c->status = 409;
    buf_clear(&c->body);
    JsonOut j = jout_to(&c->body);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "error");
    jout_key(&j, "error");
    jout_begin(&j, '{');
    reply_error_members(&j, err);
    jout_key(&j, "run");
    if (run)
        jout_i64(&j, run);
    else
        jout_null(&j);
    jout_end(&j, '}');
    jout_end(&j, '}');
}

bool runs_already(Desk *d, Call *c) {
    const Str collection = field_str(c->params, "collection", ""), path = field_str(c->params, "path", "");
    if (field_bool(c->params, "wait", false)) return false;
    for (size_t i = 0; i < d->n_workers; i++) {
        const DeskWorker *w = &d->workers[i];
        if (w->line != LINE_RUN || !w->working) continue;
        if (w->run ? !is_of(w, collection, path) : !asks_the_same(w->call, collection, path)) continue;
        refuse(c, w->run ? w->run_collection : collection, path, w->run);
        return true;
    }
    for (const Call *before = d->head[LINE_RUN]; before; before = before->next) {
        if (!asks_the_same(before, collection, path)) continue;
        refuse(c, collection, path, 0);
        return true;
    }
    return false;
}
