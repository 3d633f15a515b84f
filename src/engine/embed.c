/* embed.c - the second half of indexing: pending chunks get their vectors.
 *
 * The store knows which hashes have none; they are taken in order of chunk id, EMBED_BATCH at a time: texts read back
 * from their files and checked by hash, vectors appended to the index and synced, then one transaction that names their
 * slots and the new row count. So a kill at any moment costs at most one batch, and the next run goes on from there.
 * A hash that any other collection already has for this model is copied, not computed; so is one whose vector was swept
 * not long ago (attic.h).
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/attic.h"
#include "engine/engine.h"

/* Large enough that sorting by length fills the engine's batches, small enough that a kill costs seconds; and where somebody
 * may want it to pause, small enough that he need not wait long. */
enum { EMBED_BATCH = 192, PAUSE_BATCH = 24 };

typedef struct {
    Pythia *p;
    Store *store;
    StoreCollection *c;
    const Model *model;
    VecIndex *index;
    size_t dim;
    MemoryLevel pressure;
    /* another collection's index, kept open between hits */
    VecIndex *other;
    int64_t other_id;
    Attic *attic; /* NULL: a service's model, whose weights nobody can see */
    /* the text of the last document read */
    Arena doc_arena;
    int64_t doc_id;
    Str doc_text;
    EmbedReport *report;
} EmbedJob;

/* The live text of a document; {NULL,0} when it cannot be read any more. */
static Str document_text(EmbedJob *j, const StoreChunk *c) {
    if (j->doc_id == c->doc_id) return j->doc_text;
    arena_reset(&j->doc_arena);
    j->doc_id = c->doc_id;
    j->doc_text = (Str){NULL, 0};
    if (c->has_text) {
        if (store_text(j->store, &j->doc_arena, c->doc_id, &j->doc_text)) j->doc_text = (Str){NULL, 0};
        return j->doc_text;
    }
    const char *root = arena_cstr(&j->doc_arena, j->c->root), *path = arena_cstr(&j->doc_arena, c->path);
    const char *full = root && path ? path_join(&j->doc_arena, root, path) : NULL;
    Str bytes;
    if (!full || file_read(&j->doc_arena, full, (size_t)1 << 31, &bytes) ||
        text_decode(&j->doc_arena, bytes, &j->doc_text))
        j->doc_text = (Str){NULL, 0};
    return j->doc_text;
}

/* The chunk's text as it was when it was cut, or {NULL,0}: the file changed and the next `index` will see to it. */
static Err chunk_text(EmbedJob *j, Arena *a, const StorePending *pending, Str *out) {
    StoreChunk c;
    int64_t collection;
    *out = (Str){NULL, 0};
    TRY(store_chunk(j->store, a, pending->chunk, &collection, &c));
    Str text = document_text(j, &c);
    if (!text.p || c.start < 0 || c.end < c.start || (uint64_t)c.end > text.n) return ERR_OK;
    Str span = str_make(text.p + c.start, (size_t)(c.end - c.start));
    ChunkHash hash = chunk_hash_of(span);
    if (memcmp(&hash, &pending->hash, sizeof hash) != 0) return ERR_OK;
    *out = arena_str(a, span); /* the document's arena may be reset before the batch is embedded */
    return out->p ? ERR_OK : arena_error();
}

/* A vector that another collection has for this hash. */
static Err reuse_row(EmbedJob *j, const ChunkHash *hash, float *row, bool *found) {
    int64_t id = 0;
    uint32_t slot = 0;
    TRY(store_embedding_find(j->store, &j->c->model_id, hash, found, &id, &slot));
    if (!*found) return ERR_OK;
    *found = false;
    if (id == j->c->id) return ERR_OK; /* ours: it would not be pending */
    if (j->other_id != id) {
        Arena a = {0};
        StoreCollection *all = NULL;
        size_t n = 0;
        vec_close(j->other);
        j->other = NULL;
        j->other_id = id;
        Err err = store_collections(j->store, &a, &all, &n);
        for (size_t i = 0; !err && i < n; i++)
            if (all[i].id == id && engine_open_index(j->p, &all[i], false, &j->other))
                j->other = NULL; /* then computed */
        arena_free(&a);
        TRY(err);
    }
    *found = j->other && vec_row(j->other, slot, row) == ERR_OK;
    return ERR_OK;
}

/* NULL for a service's model: what it is called says nothing of what it will answer tomorrow. */
static Err attic_of(Pythia *p, const StoreCollection *c, Attic **out) {
    Arena a = {0};
    int64_t size = config_int(p->opts.config, CONF_INDEX_CACHE_SIZE);
    *out = NULL;
    if (engine_is_remote(c->model_name) || c->dim <= 0) return ERR_OK;
    AtticSpec spec = {.dir = path_join(&a, p->opts.home, "cache"),
                      .model = c->model_id,
                      .dim = (size_t)c->dim,
                      .max_bytes = size > 0 ? (size_t)size : 0,
                      .stamp = (uint64_t)clock_wall_ms() / 1000};
    Err err = spec.dir ? attic_open(out, &spec) : arena_error();
    arena_free(&a);
    return err;
}

/* A vector that need not be computed. */
static Err known_row(EmbedJob *j, const ChunkHash *hash, float *row, bool *found) {
    TRY(reuse_row(j, hash, row, found));
    if (!*found && j->attic) *found = attic_get(j->attic, hash, row);
    return ERR_OK;
}

/* Rows [kept] of a batch whose text or vector could be had, in order; hashes moved along. */
static Err fill_batch(EmbedJob *j, Arena *a, StorePending *pending, size_t n, float *rows, size_t *kept) {
    Str *texts = arena_array(a, Str, n);
    size_t *place = arena_array(a, size_t, n), n_texts = 0;
    float *fresh = arena_array(a, float, n * j->dim);
    EmbedInfo *info = arena_array(a, EmbedInfo, n);
    Pool *pool = NULL;
    Deadline stop = engine_deadline(j->p, 0);
    if (!texts || !place || !fresh || !info) return arena_error();
    *kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        TRY(known_row(j, &pending[i].hash, rows + *kept * j->dim, &found));
        if (found) {
            j->report->reused++;
            core_count_chunks(j->p->core, 1, 0);
        } else {
            TRY(chunk_text(j, a, &pending[i], &texts[n_texts]));
            if (!texts[n_texts].p) {
                j->report->lost++;
                continue;
            }
            place[n_texts++] = *kept;
        }
        pending[(*kept)++] = pending[i];
    }
    if (n_texts == 0) return ERR_OK;
    TRY(engine_pool_under(j->p, SCHED_BACKGROUND, j->pressure, &pool));
    EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = &stop};
    int64_t start = clock_mono_ns();
    TRY(sched_embed(core_sched(j->p->core), SCHED_BACKGROUND, j->model, pool, texts, n_texts, &opts, fresh, info));
    j->report->seconds += (double)(clock_mono_ns() - start) * 1e-9;
    for (size_t t = 0; t < n_texts; t++) {
        memcpy(rows + place[t] * j->dim, fresh + t * j->dim, j->dim * sizeof *fresh);
        j->report->tokens += info[t].tokens;
    }
    j->report->embedded += (int64_t)n_texts;
    core_count_chunks(j->p->core, 0, n_texts);
    return ERR_OK;
}

static Err write_batch(EmbedJob *j, const StorePending *pending, size_t n, const float *rows) {
    uint32_t first = 0, count = 0;
    if (n == 0) return ERR_OK;
    TRY(vec_add(j->index, rows, n, &first));
    TRY(vec_sync(j->index, &count));
    TRY(store_begin(j->store));
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++)
        err = store_embedding_put(j->store, j->c->id, &j->c->model_id, &pending[i].hash, first + (uint32_t)i);
    uint32_t before = j->c->rows;
    j->c->rows = count;
    if (!err) err = store_collection_put(j->store, j->c);
    err = engine_commit(j->store, err);
    if (err) j->c->rows = before;
    return err;
}

static Err embed_all(EmbedJob *j, const EmbedHow *how, bool *paused) {
    StoreCounts counts;
    Arena a = {0};
    Err err = ERR_OK;
    int64_t after = 0, done = 0;
    TRY(store_counts(j->store, j->c->id, &j->c->model_id, &counts));
    if (how->beat && counts.pending) TRY(how->beat(how->ctx, 0, counts.pending, 0)); /* the first batch takes seconds */
    Deadline stop = engine_deadline(j->p, 0);
    for (;;) {
        j->pressure = engine_pressure(j->p);
        size_t n = 0, kept = 0, most = memory_shared(how->pause ? PAUSE_BATCH : EMBED_BATCH, j->pressure);
        if ((*paused = how->pause && how->pause(how->pause_ctx))) break;
        StorePending *pending = arena_array(&a, StorePending, most);
        float *rows = arena_array(&a, float, most * j->dim);
        if (!pending || !rows) {
            err = arena_error();
            break;
        }
        if ((err = deadline_check(&stop))) break;
        if ((err = store_pending(j->store, j->c->id, &j->c->model_id, after, pending, most, &n)) || n == 0) break;
        after = pending[n - 1].chunk;
        if ((err = fill_batch(j, &a, pending, n, rows, &kept))) break;
        if ((err = write_batch(j, pending, kept, rows))) break;
        done += (int64_t)n;
        if (how->beat && (err = how->beat(how->ctx, done, counts.pending, j->report->tokens))) break;
        arena_reset(&a);
    }
    arena_free(&a);
    return err;
}

/* After the rows are committed: what is built stands over nothing that could be taken back. */
static Err build_index(const EmbedJob *j) {
    Pool *pool;
    if (!vec_build_due(j->index)) return ERR_OK;
    Deadline stop = engine_deadline(j->p, 0);
    TRY(engine_pool(j->p, &pool));
    return vec_build(j->index, pool, &stop);
}

Err engine_embed_pending(Pythia *p, Store *s, StoreCollection *c, const Model *m, const EmbedHow *how,
                         EmbedReport *out) {
    bool paused = false;
    EmbedJob j = {.p = p, .store = s, .c = c, .model = m, .dim = (size_t)c->dim, .doc_id = -1, .report = out};
    *out = (EmbedReport){0};
    TRY(engine_open_index(p, c, true, &j.index));
    Err err = attic_of(p, c, &j.attic);
    if (!err) err = embed_all(&j, how, &paused);
    if (!err && !paused) err = build_index(&j);
    LOG(LOG_DEBUG, "engine", "embed computed=%lld known=%lld seconds=%.3f", (long long)out->embedded,
        (long long)out->reused, out->seconds);
    attic_close(j.attic);
    vec_close(j.other);
    vec_close(j.index);
    arena_free(&j.doc_arena);
    return err;
}

/* Sweeping only marks rows; when half of them are dead the file is written anew, as the next generation. */
static Err compact(Pythia *p, Store *s, StoreCollection *c, VecIndex *ix) {
    Arena a = {0};
    uint32_t rows = 0;
    uint64_t old = c->generation;
    Err err = ERR_OK;
    uint32_t *map = arena_array(&a, uint32_t, c->rows);
    const char *dir = engine_index_dir(p, &a, c);
    if (!map || !dir) {
        err = arena_error();
        goto done;
    }
    if ((err = vec_compact(ix, map, &rows))) goto done;
    if ((err = store_begin(s))) goto done;
    StoreCollection next = *c;
    next.generation = old + 1;
    next.rows = rows;
    err = store_embedding_remap(s, c->id, map, c->rows);
    if (!err) err = store_collection_put(s, &next);
    if ((err = engine_commit(s, err))) goto done;
    *c = next;
    err = vec_drop(dir, old);
done:
    arena_free(&a);
    return err;
}

/* Vectors on their way out go to the attic; one that cannot be read is not missed. */
static Err keep_swept(Pythia *p, const StoreCollection *c, const VecIndex *ix, const StoreSwept *swept, size_t n) {
    Attic *attic = NULL;
    TRY(attic_of(p, c, &attic));
    float *row = attic ? malloc((size_t)c->dim * sizeof *row) : NULL;
    for (size_t i = 0; row && i < n; i++)
        if (vec_row(ix, swept[i].slot, row) == ERR_OK) attic_put(attic, &swept[i].hash, row);
    free(row);
    attic_close(attic);
    return ERR_OK;
}

Err engine_sweep(Pythia *p, Store *s, StoreCollection *c) {
    Arena a = {0};
    StoreSwept *swept = NULL;
    uint32_t *slots = NULL;
    size_t n = 0;
    VecIndex *ix = NULL;
    VecStats stats;
    TRY(store_begin(s));
    Err err = engine_commit(s, store_embedding_sweep(s, &a, c->id, &swept, &n));
    if (err || n == 0 || c->dim == 0) goto done;
    if ((err = engine_open_index(p, c, true, &ix))) goto done;
    if ((err = keep_swept(p, c, ix, swept, n))) goto done;
    slots = arena_array(&a, uint32_t, n);
    if (!slots) {
        err = arena_error();
        goto done;
    }
    for (size_t i = 0; i < n; i++) slots[i] = swept[i].slot;
    if ((err = vec_remove(ix, slots, n))) goto done;
    vec_stats(ix, &stats);
    if (stats.removed > 1024 && stats.removed > stats.rows / 2) err = compact(p, s, c, ix);
done:
    vec_close(ix);
    arena_free(&a);
    return err;
}
