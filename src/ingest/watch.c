/* watch.c - see watch.h.
 *
 * The folders stand in an array sorted by the system's id, which only grows, so adding is appending. A walk stamps
 * every folder it enters; those that a walk did not meet are watched no longer. That is all there is to renames: a
 * moved folder keeps its id and gets its new path from the next walk, one that left the tree is not met.
 */
#include "ingest/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/rules.h"

enum { PATHS_MAX = 64 }; /* changed files that are judged one by one; more are taken to matter */
static const int64_t MS = 1000000;

typedef struct {
    int id;
    unsigned stamp;
    char *path; /* relative to the root, "" the root itself; owned */
} WatchFolder;

struct Watch {
    char *root;
    char *git_lock; /* NULL: no work tree */
    WalkOpts walk;
    SysWatch *sys; /* NULL: only polled */
    size_t most_folders;
    WatchFolder *folders; /* [n], by id */
    size_t n, capacity;
    unsigned stamp;
    char why[256]; /* polled because; "": not polled */
    bool fixed_poll, root_lost;
    /* the batch */
    Arena arena;
    Str paths[PATHS_MAX];
    size_t n_paths;
    bool dirty, rewalk, matters; /* something happened; folders changed; no need to judge the paths */
    int64_t first_ns, last_ns, poll_ns, poll_every_ns;
};

/* ---- folders ---- */

static size_t folder_place(const Watch *w, int id) {
    size_t low = 0, high = w->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (w->folders[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static WatchFolder *folder_of(const Watch *w, int id) {
    const size_t at = folder_place(w, id);
    return at < w->n && w->folders[at].id == id ? &w->folders[at] : NULL;
}

static void folder_drop(Watch *w, size_t at) {
    free(w->folders[at].path);
    w->n--;
    memmove(&w->folders[at], &w->folders[at + 1], (w->n - at) * sizeof *w->folders);
}

static Err folder_put(Watch *w, int id, Str path) {
    size_t at = folder_place(w, id);
    char *copy = strndup(path.p, path.n);
    if (!copy) return err_set(ERR_NOMEM, "out of memory for watching '%s'", w->root);
    if (at < w->n && w->folders[at].id == id) {
        free(w->folders[at].path);
    } else {
        if (w->n == w->capacity) {
            const size_t capacity = w->capacity ? w->capacity * 2 : 64;
            WatchFolder *more = realloc(w->folders, capacity * sizeof *more);
            if (!more) {
                free(copy);
                return err_set(ERR_NOMEM, "out of memory for watching %zu folders", capacity);
            }
            w->folders = more, w->capacity = capacity;
        }
        memmove(&w->folders[at + 1], &w->folders[at], (w->n - at) * sizeof *w->folders);
        w->n++;
    }
    w->folders[at] = (WatchFolder){.id = id, .stamp = w->stamp, .path = copy};
    return ERR_OK;
}

/* From now on the tree is polled too; the first reason stands. */
static void poll_begin(Watch *w, const char *why) {
    if (!w->why[0]) (void)snprintf(w->why, sizeof w->why, "%s", why);
}

/* A walk enters a folder, before it reads it: what comes into being from here on is an event. */
static Err folder_entered(void *ctx, Str folder) {
    Watch *w = ctx;
    Arena a = {0};
    int id = -1;
    if (w->most_folders && w->n >= w->most_folders) {
        poll_begin(w, "no more watches");
        return ERR_OK;
    }
    while (folder.n && folder.p[folder.n - 1] == '/') folder.n--;
    const char *path = folder.n ? arena_printf(&a, "%s/%.*s", w->root, (int)folder.n, folder.p).p : w->root;
    Err err = path ? sys_watch_add(w->sys, path, &id) : arena_error();
    arena_free(&a);
    if (err == ERR_LIMIT) {
        poll_begin(w, err_text());
        return ERR_OK;
    }
    if (err == ERR_IO) return ERR_OK; /* it went again, or cannot be read: then the walk says so */
    return err ? err : folder_put(w, id, folder);
}

static Err nothing(void *ctx, const WalkEntry *entry) {
    (void)ctx;
    (void)entry;
    return ERR_OK;
}

static Err folders_walk(Watch *w) {
    if (!w->sys) return ERR_OK;
    WalkOpts opts = w->walk;
    opts.entered = folder_entered;
    opts.entered_ctx = w;
    w->stamp++;
    if (!w->fixed_poll) w->why[0] = 0;
    TRY(walk(w->root, &opts, nothing, w));
    for (size_t i = w->n; i-- > 0;) {
        if (w->folders[i].stamp == w->stamp) continue;
        sys_watch_remove(w->sys, w->folders[i].id);
        folder_drop(w, i);
    }
    return ERR_OK;
}

/* ---- opening ---- */

static Err git_lock_find(Watch *w) {
    Arena a = {0};
    const char *dir = NULL;
    Err err = git_dir_of(&a, w->root, &dir);
    const char *lock = !err && dir ? path_join(&a, dir, "index.lock") : NULL;
    if (!err && dir && !(w->git_lock = lock ? strdup(lock) : NULL)) err = err_set(ERR_NOMEM, "out of memory to watch");
    arena_free(&a);
    return err;
}

static Err sys_begin(Watch *w, bool poll) {
    if (poll) {
        poll_begin(w, "asked for");
        w->fixed_poll = true;
        return ERR_OK;
    }
    Err err = sys_watch_open(&w->sys);
    if (err != ERR_UNSUPPORTED && err != ERR_LIMIT) return err;
    poll_begin(w, err_text());
    w->fixed_poll = true;
    return ERR_OK;
}

Err watch_open(Watch **out, const WatchSpec *spec, int64_t now_ns) {
    *out = NULL;
    Watch *w = calloc(1, sizeof *w);
    if (!w) return err_set(ERR_NOMEM, "out of memory to watch '%s'", spec->root);
    w->walk = spec->walk;
    w->most_folders = spec->most_folders;
    w->poll_every_ns = WATCH_POLL_MS * MS;
    w->poll_ns = now_ns;
    w->root = strdup(spec->root);
    Err err = w->root ? git_lock_find(w) : err_set(ERR_NOMEM, "out of memory to watch '%s'", spec->root);
    if (!err) err = sys_begin(w, spec->poll);
    if (!err) err = folders_walk(w);
    if (err) {
        watch_close(w);
        return err;
    }
    *out = w;
    return ERR_OK;
}

void watch_close(Watch *w) {
    if (!w) return;
    sys_watch_close(w->sys);
    for (size_t i = 0; i < w->n; i++) free(w->folders[i].path);
    free(w->folders);
    free(w->root);
    free(w->git_lock);
    arena_free(&w->arena);
    free(w);
}

int watch_fd(const Watch *w) { return w->sys ? sys_watch_fd(w->sys) : -1; }
size_t watch_folders(const Watch *w) { return w->n; }
const char *watch_polls(const Watch *w) { return w->why[0] ? w->why : NULL; }

/* ---- events ---- */

static bool is_ignore_file(Str name) { return str_is(name, ".gitignore") || str_is(name, ".pythiaignore"); }

static Err path_note(Watch *w, const WatchFolder *f, Str name) {
    const Str path =
        f->path[0] ? arena_printf(&w->arena, "%s/%.*s", f->path, STR_FMT(name)) : arena_str(&w->arena, name);
    if (!path.p) return arena_error();
    for (size_t i = 0; i < w->n_paths; i++)
        if (str_eq(w->paths[i], path)) return ERR_OK;
    if (w->n_paths == PATHS_MAX)
        w->matters = true;
    else
        w->paths[w->n_paths++] = path;
    return ERR_OK;
}

Err watch_event(Watch *w, const SysWatchEvent *e, int64_t now_ns) {
    const WatchFolder *f = folder_of(w, e->id);
    if (e->what & SYS_ENDED) {
        if (f) folder_drop(w, (size_t)(f - w->folders));
        return ERR_OK;
    }
    if (e->what & SYS_LOST) {
        w->rewalk = w->matters = true;
    } else if (!f) {
        return ERR_OK; /* of a folder that is watched no longer */
    } else if (e->what & SYS_SELF) {
        w->rewalk = w->matters = true;
    } else if ((e->what & SYS_FOLDER) && (e->what & (SYS_CAME | SYS_WENT))) {
        if (rules_is_vcs(e->name)) return ERR_OK;
        w->rewalk = true;
        if (e->what & SYS_WENT) w->matters = true;
        TRY(path_note(w, f, e->name));
    } else if (e->what & SYS_FOLDER) {
        return ERR_OK; /* its times */
    } else {
        if (is_ignore_file(e->name)) w->rewalk = w->matters = true;
        TRY(path_note(w, f, e->name));
    }
    if (!w->dirty) w->first_ns = now_ns;
    w->dirty = true;
    w->last_ns = now_ns;
    return ERR_OK;
}

typedef struct {
    Watch *w;
    int64_t now_ns;
} Reading;

static Err take(void *ctx, const SysWatchEvent *event) {
    Reading *r = ctx;
    return watch_event(r->w, event, r->now_ns);
}

Err watch_read(Watch *w, int64_t now_ns) {
    Reading r = {w, now_ns};
    return w->sys ? sys_watch_read(w->sys, take, &r) : ERR_OK;
}

/* ---- batches ---- */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t watch_since_ns(const Watch *w) { return w->dirty ? w->first_ns : 0; }

int64_t watch_wait_ns(const Watch *w, int64_t now_ns) {
    int64_t at = INT64_MAX;
    if (w->why[0] || w->root_lost) at = w->poll_ns;
    if (w->dirty) {
        int64_t due = least(w->last_ns + WATCH_QUIET_MS * MS, w->first_ns + WATCH_LONGEST_MS * MS);
        const bool git_works =
            w->git_lock && now_ns < w->first_ns + WATCH_GIT_MS * MS && access(w->git_lock, F_OK) == 0;
        if (git_works && due < now_ns + WATCH_QUIET_MS * MS) due = now_ns + WATCH_QUIET_MS * MS;
        at = least(at, due);
    }
    if (at == INT64_MAX) return -1;
    return at > now_ns ? at - now_ns : 0;
}

/* True when a path could be in the index, or have been. */
static Err path_matters(Watch *w, Str path, bool *yes) {
    WalkEntry why;
    *yes = true;
    Err err = walk_explain(&w->arena, w->root, path, &w->walk, &why);
    if (err == ERR_NOMEM) return err;
    if (!err) *yes = why.reason.n == 0;
    return ERR_OK; /* what is not there cannot be judged: it may have been in the index */
}

/* The root may be gone for a while (unmounted, moved away): nothing is concluded from that. */
static Err rewalk(Watch *w, bool *there) {
    const bool was_lost = w->root_lost;
    Err err = folders_walk(w);
    w->root_lost = err == ERR_IO;
    *there = !w->root_lost;
    if (was_lost && *there) w->matters = true;
    return err == ERR_IO ? ERR_OK : err;
}

Err watch_batch(Watch *w, int64_t now_ns, bool *look) {
    bool there = true;
    Err err = ERR_OK;
    const bool polled = (w->why[0] || w->root_lost) && now_ns >= w->poll_ns;
    w->poll_ns = now_ns + w->poll_every_ns;
    if (w->rewalk || w->root_lost) err = rewalk(w, &there);
    *look = there && (w->matters || polled);
    for (size_t i = 0; !err && there && !*look && i < w->n_paths; i++) err = path_matters(w, w->paths[i], look);
    w->dirty = w->rewalk = w->matters = false;
    w->n_paths = 0;
    arena_reset(&w->arena);
    return err;
}

void watch_looked(Watch *w, int64_t started_ns, int64_t now_ns, bool put_off) {
    const int64_t took = now_ns - started_ns;
    w->poll_every_ns = took * 10 > WATCH_POLL_MS * MS ? took * 10 : WATCH_POLL_MS * MS;
    w->poll_ns = now_ns + w->poll_every_ns;
    if (!put_off) return;
    w->dirty = w->matters = true;
    w->last_ns = now_ns + (WATCH_POLL_MS - WATCH_QUIET_MS) * MS;
    w->first_ns = now_ns + WATCH_POLL_MS * MS;
}
