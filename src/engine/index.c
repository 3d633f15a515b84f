/* index.c - what an indexing run has to do: the folder as it is against what the store knows of it.
 *
 * For each path: find or make its collection (run.c); walk and compare; take in what is new (take.c); remove what is
 * gone; embed what is pending (embed.c); sweep.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "chunk/chunk.h"
#include "engine/index_job.h"
#include "ingest/read.h"
#include "ingest/walk.h"

/* ---- what a file needs ---- */

static Err take_entry(void *ctx, const WalkEntry *e) {
    IndexJob *j = ctx;
    if (j->report->files_seen % 1024 == 0) TRY(deadline_check(&j->stop));
    if (e->reason.n) return ERR_OK; /* left out by rule: `why` tells it again when asked */
    if (j->scope.n && !path_within(e->path, j->scope)) return ERR_OK;
    if (settings_exclude(&j->settings, e->path)) return ERR_OK;
    j->report->files_seen++;
    if (j->n_found == j->cap_found) {
        size_t cap = j->cap_found ? j->cap_found * 2 : 1024;
        Found *more = arena_array(&j->scratch, Found, cap);
        if (!more) return arena_error();
        if (j->n_found) memcpy(more, j->found, j->n_found * sizeof *more);
        j->found = more;
        j->cap_found = cap;
    }
    Found *f = &j->found[j->n_found++];
    *f = (Found){.path = arena_str(&j->scratch, e->path), .info = e->info, .known = NULL};
    return f->path.p ? ERR_OK : arena_error();
}

static Err take_document(void *ctx, const StoreDoc *d) {
    IndexJob *j = ctx;
    Known *k = arena_new(&j->scratch, Known);
    if (!k) return arena_error();
    *k = (Known){.id = d->id,
                 .path = arena_str(&j->scratch, d->path),
                 .state = d->state,
                 .cut = d->cut,
                 .sha256 = d->sha256,
                 .size = d->size,
                 .mtime_ns = d->mtime_ns,
                 .inode = d->inode,
                 .indexed_ms = d->indexed_ms,
                 .next = j->known_list};
    if (!k->path.p) return arena_error();
    j->known_list = k;
    return map_put(&j->known, k->path, (uint64_t)(uintptr_t)k);
}

/* Size, time and inode (0: not kept, as of skipped files) agree, and the time is old enough that no later write can
 * carry the same one ("racy git"). */
static bool is_unchanged(const Known *k, const FileInfo *info) {
    enum { RACY_MS = 50 };
    return k->state != DOC_FAILED && k->cut == DOC_CUT && k->size == info->size && k->mtime_ns == info->mtime_ns &&
           (k->inode == 0 || k->inode == info->inode) && k->mtime_ns / 1000000 + RACY_MS < k->indexed_ms;
}

static Err compare_with_store(IndexJob *j) {
    j->todo = arena_array(&j->scratch, Found *, j->n_found);
    if (!j->todo) return arena_error();
    for (size_t i = 0; i < j->n_found; i++) {
        Found *f = &j->found[i];
        uint64_t *at = map_get(&j->known, f->path);
        if (at) {
            f->known = (Known *)(uintptr_t)*at;
            f->known->seen = true;
            bool again = j->redo || (j->redo_skipped && f->known->state != DOC_ACTIVE);
            if (!again && is_unchanged(f->known, &f->info)) {
                if (f->known->state == DOC_ACTIVE)
                    j->report->unchanged++;
                else
                    j->report->skipped++;
                continue;
            }
        }
        j->todo[j->n_todo++] = f;
    }
    for (Known *k = j->known_list; k; k = k->next) {
        if (k->seen || (j->scope.n && !path_within(k->path, j->scope))) continue;
        k->vanished = j->has_removed = true;
        j->n_vanished++;
        if (k->state != DOC_ACTIVE || k->cut != DOC_CUT) continue; /* what is to be cut anew has nothing to hand on */
        TRY(map_put(&j->vanished, str_make((const char *)k->sha256.bytes, sizeof k->sha256), (uint64_t)(uintptr_t)k));
    }
    return ERR_OK;
}

/* ---- what went ---- */

Err index_remove_vanished(IndexJob *j) {
    if (j->n_vanished == 0) return ERR_OK;
    TRY(store_begin(j->store));
    Err err = ERR_OK;
    for (Known *k = j->known_list; !err && k; k = k->next) {
        if (!k->vanished) continue;
        StoreChange change;
        err = store_remove(j->store, k->id, &change);
        if (!err) err = words_follow(j->words, &change, NULL, NULL);
        if (k->state == DOC_ACTIVE) j->report->removed++;
    }
    return words_commit(j->words, err);
}

/* ---- looking ---- */

Err index_look(IndexJob *j) {
    WalkOpts opts;
    if (j->managed) return ERR_OK;
    TRY(engine_walk_opts(j->p, &j->scratch, j->c.root, &j->settings, &opts));
    opts.deadline = &j->stop;
    index_progress(j, "walk", 0, 0, false);
    TRY(walk(j->root, &opts, take_entry, j));
    if (j->c.id) TRY(store_documents(j->store, j->c.id, take_document, j));
    return compare_with_store(j);
}

/* What would be done with one file; its reading is what `index` would do first, so the plan knows skips and renames. */
static Err plan_one(IndexJob *j, Arena *a, Found *f) {
    IndexReport *r = j->report;
    Known *known = f->known, *twin = NULL;
    Doc doc;
    Str skip, what = STR("");
    ReadOpts opts = engine_read_opts(j->p, &j->settings, &j->stop);
    Err err = doc_read(a, j->root, f->path, &opts, &doc, &skip);
    if (err && err != ERR_IO) return err;
    bool active = known && known->state == DOC_ACTIVE && known->cut == DOC_CUT;
    if (err) {
        what = arena_printf(a, "fail: %s", err_text());
        r->failed++;
    } else if (skip.n) {
        what = arena_printf(a, "skip: %.*s", STR_FMT(skip));
        r->skipped++;
    } else if (active && !j->redo && memcmp(&known->sha256, &doc.sha256, sizeof doc.sha256) == 0) {
        r->unchanged++; /* only its time is new */
        return ERR_OK;
    } else if (!known && !j->redo && (twin = index_vanished_twin(j, &doc.sha256))) {
        twin->vanished = false;
        what = arena_printf(a, "rename from %.*s", STR_FMT(twin->path));
        r->renamed++;
    } else {
        what = known && known->cut != DOC_SKIMMED ? STR("change") : STR("add");
        if (known && known->cut != DOC_SKIMMED)
            r->changed++;
        else
            r->added++;
    }
    return what.p ? reason_add(j->out, &r->plan, &r->n_plan, f->path, what) : arena_error();
}

/* What would be done, without doing it. */
Err index_plan(IndexJob *j) {
    IndexReport *r = j->report;
    Arena a = {0};
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < j->n_todo; i++) {
        err = deadline_check(&j->stop);
        if (!err) err = plan_one(j, &a, j->todo[i]);
        arena_reset(&a);
    }
    arena_free(&a);
    TRY(err);
    for (Known *k = j->known_list; k; k = k->next) {
        if (!k->vanished || k->state != DOC_ACTIVE) continue;
        r->removed++;
        TRY(reason_add(j->out, &r->plan, &r->n_plan, k->path, STR("remove")));
    }
    return ERR_OK;
}
