/* watch.c - pythia_watch: index, then wait for changes (ingest/watch.h) and index those, for as many folders as wanted.
 *
 * Two kinds of work with different haste. Words of what changed: at once, by an index run that is told to pause before
 * the first embedding. Vectors: whenever nothing is due, by a run that is told to pause as soon as something happens.
 * So the first embedding of a large tree does not keep a saved file waiting, and there is no second way to index
 * anything.
 *
 * One Watch a collection, at its root, whichever path of it was named. Threads: the caller's.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/engine.h"
#include "ingest/watch.h"

enum { WATCHED_MAX = 64, NAP_MS = 250 /* so often the cancel flag is looked at: a signal may reach another thread */ };

typedef struct {
    Arena arena; /* name, root, settings */
    Str name, root;
    Watch *watch;
    int64_t pending;  /* chunks to be embedded; -1: not known yet */
    int64_t event_ns; /* of the batch in work */
} Watched;

typedef struct {
    Pythia *p;
    const WatchRequest *rq;
    Watched *list; /* [WATCHED_MAX] */
    size_t n;
    bool words_only; /* the run in hand is for words */
} Watching;

static bool is_over(const Watching *w) { return w->p->opts.cancel && *w->p->opts.cancel; }

/* ---- waiting ---- */

/* Takes what has happened and tells in how many ms something is due. */
static Err look_around(Watching *w, int *wait_ms) {
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < w->n; i++) {
        Watched *c = &w->list[i];
        if (!c->watch) continue;
        const int64_t now = clock_mono_ns();
        TRY(watch_read(c->watch, now));
        const int64_t wait = watch_wait_ns(c->watch, now);
        if (wait >= 0 && wait < least) least = wait;
    }
    *wait_ms = least == INT64_MAX ? -1 : (int)((least + 999999) / 1000000);
    return ERR_OK;
}

/* IndexRequest.pause: words are never followed by embedding; embedding stops for whatever is due. */
static bool pause_now(void *ctx) {
    Watching *w = ctx;
    int wait_ms = -1;
    if (w->words_only || is_over(w)) return true;
    return look_around(w, &wait_ms) != ERR_OK || wait_ms == 0;
}

static void wait_for_events(Watching *w, int wait_ms) {
    struct pollfd fds[WATCHED_MAX];
    nfds_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].watch && watch_fd(w->list[i].watch) >= 0)
            fds[n++] = (struct pollfd){.fd = watch_fd(w->list[i].watch), .events = POLLIN};
    (void)poll(fds, n, wait_ms < 0 || wait_ms > NAP_MS ? NAP_MS : wait_ms);
}

/* ---- indexing ---- */

static Err tell(Watching *w, const Watched *c, WatchNews news) {
    news.collection = c->name;
    news.root = c->root;
    if (c->event_ns) news.ms = clock_ms_since(c->event_ns);
    return w->rq->tell ? w->rq->tell(w->rq->ctx, &news) : ERR_OK;
}

/* What went wrong is told and tried again later; only an interrupt and the listener's own errors end the watch. */
static Err failed(Watching *w, const Watched *c, Err err) {
    ErrInfo info;
    err_save(&info, err);
    if (is_over(w)) return ERR_OK;
    (void)err_restore(&info);
    return tell(w, c, (WatchNews){.what = WATCH_FAILED, .err = err});
}

static bool did_something(const IndexReport *r) {
    return r->added || r->changed || r->renamed || r->removed || r->failed;
}

/* One run over the collection. ERR_BUSY and ERR_IO come back as they are; failures of single files are no error. */
static Err index_run(Watching *w, Watched *c, Str path, bool words_only, IndexReport *report) {
    Arena a = {0};
    IndexReport *reports = NULL;
    size_t n = 0;
    IndexRequest rq = w->rq->index;
    rq.paths = &path;
    rq.n_paths = 1;
    rq.if_needed = true;
    rq.force = rq.force && !c->name.n; /* once */
    rq.pause = pause_now;
    rq.pause_ctx = w;
    w->words_only = words_only;
    Err err = pythia_index(w->p, &a, &rq, &reports, &n);
    if (err == ERR_PARTIAL) err = ERR_OK;
    if (!err) {
        *report = reports[0];
        c->pending = report->pending;
        if (!c->name.n)
            c->name = arena_str(&c->arena, report->collection), c->root = arena_str(&c->arena, report->root);
        if (!c->name.p || !c->root.p) err = arena_error();
    }
    const bool news = did_something(report) || (!c->watch && report->run);
    if (!err && news) /* a run that was to embed finds changes, too, when they come just before it */
        err = tell(w, c, (WatchNews){.what = WATCH_INDEXED, .report = report});
    if (!err && !words_only && report->embedded + report->reused > 0 && report->pending == 0)
        err = tell(w, c, (WatchNews){.what = WATCH_EMBEDDED, .report = report});
    arena_free(&a);
    return err;
}

/* A batch is due: the tree is looked at and its words are brought up to date. */
static Err batch_run(Watching *w, Watched *c) {
    bool look = false;
    IndexReport report = {0};
    const int64_t start = clock_mono_ns();
    c->event_ns = watch_since_ns(c->watch);
    TRY(watch_batch(c->watch, start, &look));
    if (!look) return ERR_OK;
    Err err = index_run(w, c, c->root, true, &report);
    c->event_ns = 0;
    const bool again = err == ERR_BUSY || err == ERR_IO;
    if (err && err != ERR_BUSY) err = failed(w, c, err); /* busy: another `index` is at it */
    watch_looked(c->watch, start, clock_mono_ns(), again);
    return err == ERR_BUSY ? ERR_OK : err;
}

static Err embed_some(Watching *w, Watched *c) {
    IndexReport report = {0};
    Err err = index_run(w, c, c->root, false, &report);
    if (!err) return ERR_OK;
    c->pending = 0; /* the next change tries again */
    return err == ERR_BUSY || is_over(w) ? ERR_OK : failed(w, c, err);
}

/* ---- beginning ---- */

static Err watch_begin(Watching *w, Watched *c) {
    Store *s = NULL;
    StoreCollection row;
    IndexSettings settings;
    WatchSpec spec = {.root = arena_cstr(&c->arena, c->root), .poll = w->rq->poll};
    if (!spec.root) return arena_error();
    TRY(engine_store(w->p, true, &s));
    TRY(store_collection(s, &c->arena, c->name, &row));
    TRY(settings_read(&c->arena, row.settings, &settings));
    TRY(engine_walk_opts(w->p, &c->arena, row.root, &settings, &spec.walk));
    TRY(watch_open(&c->watch, &spec, clock_mono_ns()));
    /* What changed between the first look and the watches. */
    IndexReport report = {0};
    TRY(index_run(w, c, c->root, true, &report));
    return tell(w, c,
                (WatchNews){.what = WATCH_BEGUN, .folders = watch_folders(c->watch), .polls = watch_polls(c->watch)});
}

static Err add_path(Watching *w, Str path) {
    IndexReport report = {0};
    if (w->n == WATCHED_MAX) return err_set(ERR_LIMIT, "more than %d collections to watch", WATCHED_MAX);
    Watched *c = &w->list[w->n++];
    *c = (Watched){.pending = -1};
    TRY(index_run(w, c, path, true, &report));
    for (size_t i = 0; i + 1 < w->n; i++) {
        if (!str_eq(w->list[i].name, c->name)) continue;
        arena_free(&c->arena);
        w->n--;
        return ERR_OK;
    }
    return watch_begin(w, c);
}

static Err add_all(Watching *w) {
    Arena a = {0};
    Store *s = NULL;
    StoreCollection *all = NULL;
    size_t n = 0;
    Err err = engine_store(w->p, true, &s);
    if (!err) err = store_collections(s, &a, &all, &n);
    for (size_t i = 0; !err && i < n; i++) {
        FileInfo info = {0};
        const char *root = arena_cstr(&a, all[i].root);
        if (!root) err = arena_error();
        if (!err && all[i].root.n) err = file_info(root, true, &info);
        if (!err && info.type == FILE_DIR) err = add_path(w, all[i].root);
    }
    if (!err && w->n == 0)
        err = err_fix(err_set(ERR_NO_COLLECTION, "there is no collection to watch"), "pythia watch FOLDER");
    arena_free(&a);
    return err;
}

static Err add_asked(Watching *w) {
    const Str here = STR(".");
    const IndexRequest *rq = &w->rq->index;
    if (w->rq->all) return add_all(w);
    for (size_t i = 0; i < rq->n_paths; i++) TRY(add_path(w, rq->paths[i]));
    return rq->n_paths ? ERR_OK : add_path(w, here);
}

/* ---- the loop ---- */

static Err turn(Watching *w) {
    int wait_ms = -1;
    TRY(look_around(w, &wait_ms));
    for (size_t i = 0; i < w->n; i++)
        if (watch_wait_ns(w->list[i].watch, clock_mono_ns()) == 0) TRY(batch_run(w, &w->list[i]));
    TRY(look_around(w, &wait_ms));
    for (size_t i = 0; i < w->n && wait_ms != 0; i++)
        if (w->list[i].pending) return embed_some(w, &w->list[i]);
    if (wait_ms != 0) wait_for_events(w, wait_ms);
    return ERR_OK;
}

Err pythia_watch(Pythia *p, const WatchRequest *rq) {
    Arena a = {0};
    Watching w = {.p = p, .rq = rq, .list = arena_array(&a, Watched, WATCHED_MAX)};
    Err err = w.list ? add_asked(&w) : arena_error();
    while (!err && !is_over(&w)) err = turn(&w);
    if (err == ERR_INTERRUPT) err = ERR_OK; /* stopped while a run was in hand: it goes on next time */
    for (size_t i = 0; i < w.n; i++) {
        watch_close(w.list[i].watch);
        arena_free(&w.list[i].arena);
    }
    arena_free(&a);
    return err;
}
