/* index.c - pythia_index: from folders to documents, chunks and words, then to vectors (embed.c).
 *
 * For each path: find or make its collection; walk; compare with what the store knows; read and chunk what is new in
 * parallel, write it in batches of one transaction each; remove what is gone; embed what is pending; sweep. Everything
 * before embedding is quick, so a folder can be searched by its words seconds after it was first seen.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "chunk/chunk.h"
#include "engine/index_job.h"
#include "ingest/read.h"
#include "ingest/walk.h"

enum { READ_BATCH = 64 };

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

/* Size, time and inode (0: not kept, as of skipped files) agree, and the time is old enough that no later write can carry
 * the same one ("racy git"). */
static bool is_unchanged(const Known *k, const FileInfo *info) {
    enum { RACY_MS = 50 };
    return k->state != DOC_FAILED && k->size == info->size && k->mtime_ns == info->mtime_ns &&
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
        k->vanished = true;
        j->n_vanished++;
        if (k->state != DOC_ACTIVE) continue;
        TRY(map_put(&j->vanished, str_make((const char *)k->sha256.bytes, sizeof k->sha256), (uint64_t)(uintptr_t)k));
    }
    return ERR_OK;
}

static Known *vanished_twin(IndexJob *j, const Sha256 *sha) {
    uint64_t *at = map_get(&j->vanished, str_make((const char *)sha->bytes, sizeof *sha));
    Known *k = at ? (Known *)(uintptr_t)*at : NULL;
    return k && k->vanished ? k : NULL;
}

/* ---- reading and chunking, in parallel ---- */

typedef struct {
    Arena arena;
    Found *found;
    Doc doc;
    Str skip;    /* reason, "" none */
    bool failed; /* unreadable: skip tells why */
    DocChunks cut;
} ReadSlot;

typedef struct {
    IndexJob *job;
    ReadSlot *slots;
} ReadBatch;

static Err cut(IndexJob *j, ReadSlot *r) {
    ChunkOpts opts = {
        .max_tokens = (size_t)j->settings.max_tokens, .count_tokens = j->count_tokens, .count_ctx = j->count_ctx};
    return chunk_doc(&r->arena, &r->doc, &opts, &r->cut);
}

/* A failure that is about this file becomes its reason; one about the machine ends the run. */
static Err keep_reason(ReadSlot *r, Err err) {
    if (err != ERR_IO && err != ERR_INPUT && err != ERR_LIMIT && err != ERR_UNSUPPORTED && err != ERR_CORRUPT)
        return err;
    r->failed = true;
    r->skip = arena_str(&r->arena, str_of(err_text()));
    return r->skip.p ? ERR_OK : arena_error();
}

static Err read_one(void *ctx, size_t i, size_t worker) {
    ReadBatch *b = ctx;
    ReadSlot *r = &b->slots[i];
    IndexJob *j = b->job;
    (void)worker;
    ReadOpts opts = engine_read_opts(j->p, &j->settings, &j->stop);
    Err err = doc_read(&r->arena, j->root, r->found->path, &opts, &r->doc, &r->skip);
    if (err) return keep_reason(r, err);
    if (r->skip.n) return ERR_OK;
    bool same = r->found->known && memcmp(&r->found->known->sha256, &r->doc.sha256, sizeof r->doc.sha256) == 0;
    if (!j->redo &&
        ((same && r->found->known->state == DOC_ACTIVE) || (!r->found->known && vanished_twin(j, &r->doc.sha256))))
        return ERR_OK; /* same content, or another name of it: no chunking */
    err = cut(j, r);
    return err ? keep_reason(r, err) : ERR_OK;
}

/* ---- writing, one thread ---- */

static Err write_skipped(IndexJob *j, ReadSlot *r) {
    IndexReport *rep = j->report;
    Doc doc = r->doc;
    doc.path = r->found->path;
    doc.size = r->found->info.size;
    doc.mtime_ns = r->found->info.mtime_ns;
    if (!doc.uri.p) {
        const char *root = j->root, *path = arena_cstr(&r->arena, doc.path);
        const char *full = path ? path_join(&r->arena, root, path) : NULL;
        if (!full) return arena_error();
        doc.uri = uri_of_path(&r->arena, full);
    }
    if (r->failed) {
        rep->failed++;
        TRY(reason_add(j->out, &rep->failures, &rep->n_failures, doc.path, r->skip));
    } else
        rep->skipped++;
    StoreChange change;
    TRY(store_put_skipped(j->store, j->c.id, &doc, r->failed ? DOC_FAILED : DOC_SKIPPED, r->skip, j->now_ms, &change));
    return words_follow(j->words, &change, &doc, NULL);
}

static Err write_one(IndexJob *j, ReadSlot *r) {
    Known *known = r->found->known, *twin = NULL;
    IndexReport *rep = j->report;
    uint64_t inode = r->found->info.inode;
    StoreChange change;
    if (r->failed || r->skip.n) return write_skipped(j, r);
    bool same =
        known && known->state == DOC_ACTIVE && memcmp(&known->sha256, &r->doc.sha256, sizeof r->doc.sha256) == 0;
    if (same && !j->redo) {
        rep->unchanged++;
        return store_touch(j->store, known->id, r->doc.mtime_ns, inode);
    }
    if (!known && !j->redo && (twin = vanished_twin(j, &r->doc.sha256))) {
        twin->vanished = false;
        j->n_vanished--;
        rep->renamed++;
        TRY(store_rename(j->store, twin->id, &r->doc, inode, &change));
        return words_follow(j->words, &change, &r->doc, NULL);
    }
    /* Two new files of one content, and one vanished: the second finds its twin taken, and was not cut yet. */
    if (!r->cut.chunks && r->doc.text.n) TRY(cut(j, r));
    StorePut put = {.collection = j->c.id,
                    .doc = &r->doc,
                    .inode = inode,
                    .chunks = r->cut.chunks,
                    .n_chunks = r->cut.n,
                    .symbols = r->cut.symbols,
                    .n_symbols = r->cut.n_symbols,
                    .references = r->cut.references,
                    .n_references = r->cut.n_references,
                    .keep_text = r->doc.extracted,
                    .now_ms = j->now_ms};
    TRY(store_put(j->store, &put, &change));
    TRY(words_follow(j->words, &change, &r->doc, r->cut.chunks));
    if (known)
        rep->changed++;
    else
        rep->added++;
    rep->chunks += (int64_t)r->cut.n;
    rep->text_bytes += (int64_t)r->doc.text.n;
    return ERR_OK;
}

static Err write_batch(IndexJob *j, ReadSlot *slots, size_t n) {
    TRY(store_begin(j->store));
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) err = write_one(j, &slots[i]);
    if (!err)
        err = store_run_beat(j->store, j->report->run, STR("read"), (int64_t)j->done, (int64_t)j->n_todo,
                             clock_wall_ms());
    TRY(words_commit(j->words, err));
    return words_tidy(j->words, false);
}

Err index_read_all(IndexJob *j) {
    Pool *pool = NULL;
    Err err = ERR_OK;
    TRY(engine_pool(j->p, &pool));
    ReadSlot *slots = arena_array(&j->scratch, ReadSlot, READ_BATCH);
    if (!slots) return arena_error();
    while (!err && j->done < j->n_todo) {
        size_t n = j->n_todo - j->done < READ_BATCH ? j->n_todo - j->done : READ_BATCH;
        if ((err = deadline_check(&j->stop))) break;
        for (size_t i = 0; i < n; i++) {
            Arena keep = slots[i].arena;
            arena_reset(&keep);
            slots[i] = (ReadSlot){.arena = keep, .found = j->todo[j->done + i]};
        }
        ReadBatch batch = {j, slots};
        err = pool_for(pool, n, read_one, &batch);
        j->done += n;
        j->now_ms = clock_wall_ms();
        if (!err) err = write_batch(j, slots, n);
        index_progress(j, "read", (int64_t)j->done, (int64_t)j->n_todo, false);
    }
    for (size_t i = 0; i < READ_BATCH; i++) arena_free(&slots[i].arena);
    return err;
}

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
    bool active = known && known->state == DOC_ACTIVE;
    if (err) {
        what = arena_printf(a, "fail: %s", err_text());
        r->failed++;
    } else if (skip.n) {
        what = arena_printf(a, "skip: %.*s", STR_FMT(skip));
        r->skipped++;
    } else if (active && !j->redo && memcmp(&known->sha256, &doc.sha256, sizeof doc.sha256) == 0) {
        r->unchanged++; /* only its time is new */
        return ERR_OK;
    } else if (!known && !j->redo && (twin = vanished_twin(j, &doc.sha256))) {
        twin->vanished = false;
        what = arena_printf(a, "rename from %.*s", STR_FMT(twin->path));
        r->renamed++;
    } else {
        what = known ? STR("change") : STR("add");
        if (known)
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
