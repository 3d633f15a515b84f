/* embed.c - the second half of indexing: pending chunks get their vectors.
 *
 * The store knows which hashes have none; they are taken in order of use, EMBED_BATCH at a time: of documents that
 * searches have shown without a vector (shown.h, asked again before each batch), then of those that changed last, then
 * of all others in order of chunk id. Texts are read back from their files and checked by hash, vectors appended to the
 * index and synced, then one transaction that names their slots and the new row count. Reading, computing and writing
 * overlap: while one batch is computed on all cores, the one before it is written and the next one's texts are read. So
 * a kill at any moment costs at most two batches, and the next run goes on from there. A hash that any other collection
 * already has for this model is copied, not computed; so is one whose vector was swept not long ago (attic.h).
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/attic.h"
#include "engine/engine.h"
#include "engine/shown.h"

/* Large enough that sorting by length fills the engine's batches, small enough that a kill costs seconds; and where
 * somebody may want it to pause, small enough that he need not wait long. */
enum { EMBED_BATCH = 192, PAUSE_BATCH = 24, NEWEST_MAX = 4096 /* documents */ };

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

/* ---- one batch ---- */

typedef struct {
    Arena arena;
    EmbedJob *job;
    StorePending *pending; /* [kept] of which text or vector could be had, in order */
    float *rows;           /* [kept, dim] */
    size_t taken, kept;    /* hashes that the store gave; of them still here */
    Str *texts;            /* [n_texts] to be computed, text t for row place[t] */
    size_t *place, n_texts;
    float *fresh; /* [n_texts, dim] */
    EmbedInfo *info;
    Pool *pool;
    Deadline stop;
    double seconds;
    Thread *thread; /* computes; NULL: nothing to wait for */
} Batch;

static Err batch_room(Batch *b, size_t most) {
    Arena *a = &b->arena;
    arena_reset(a);
    b->taken = b->kept = b->n_texts = 0;
    b->seconds = 0;
    b->pending = arena_array(a, StorePending, most);
    b->rows = arena_array(a, float, most * b->job->dim);
    b->texts = arena_array(a, Str, most);
    b->place = arena_array(a, size_t, most);
    b->fresh = arena_array(a, float, most * b->job->dim);
    b->info = arena_array(a, EmbedInfo, most);
    return b->pending && b->rows && b->texts && b->place && b->fresh && b->info ? ERR_OK : arena_error();
}

/* What to take next. */
typedef struct {
    int64_t shown[SHOWN_MAX]; /* [at_shown, n_shown) of them are still to be taken */
    size_t n_shown, at_shown;
    int64_t *newest; /* [n_newest] */
    size_t n_newest, at_newest;
    int64_t doc;        /* that is being taken; 0: all others */
    int64_t after;      /* its chunk behind which to go on */
    int64_t rest_after; /* likewise of all others, when something came between */
    bool rest;          /* newest are through */
} Order;

/* The document behind the one that is through. False: there is none any more. */
static bool order_next(Order *o) {
    if (o->rest && o->doc == 0) return false;
    o->doc = o->after = 0;
    if (o->at_shown < o->n_shown)
        o->doc = o->shown[o->at_shown++];
    else if (o->at_newest < o->n_newest)
        o->doc = o->newest[o->at_newest++];
    else
        o->rest = true;
    if (o->doc == 0) o->after = o->rest_after;
    return true;
}

static bool is_in_work(const Batch *b, const ChunkHash *hash) {
    for (size_t i = 0; b && i < b->kept; i++)
        if (memcmp(&b->pending[i].hash, hash, sizeof *hash) == 0) return true;
    return false;
}

/* The next pending hashes in that order; those of the batch in work are pending in the store still. */
static Err order_take(Batch *b, const Batch *in_work, Order *o, size_t most, size_t *taken) {
    const EmbedJob *j = b->job;
    *taken = 0;
    while (*taken < most) {
        StorePending *out = b->pending + *taken;
        size_t n = 0;
        TRY(store_pending(j->store, j->c->id, &j->c->model_id, o->doc, o->after, out, most - *taken, &n));
        if (n == 0 && !order_next(o)) break;
        if (n == 0) continue;
        o->after = out[n - 1].chunk;
        const size_t before = *taken;
        for (size_t i = 0; i < n; i++) {
            const StorePending one = out[i];
            b->kept = before; /* what is_in_work looks at; of one document they are distinct */
            if (!is_in_work(b, &one.hash) && !is_in_work(in_work, &one.hash)) b->pending[(*taken)++] = one;
        }
    }
    b->kept = 0;
    return ERR_OK;
}

/* The next pending hashes with their texts, or with their vectors where those are known. taken 0: there are none
 * left. */
static Err batch_take(Batch *b, const Batch *in_work, size_t most, Order *order) {
    EmbedJob *j = b->job;
    size_t n = 0;
    TRY(batch_room(b, most));
    TRY(order_take(b, in_work, order, most, &n));
    b->taken = n;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        const StorePending one = b->pending[i];
        TRY(known_row(j, &one.hash, b->rows + b->kept * j->dim, &found));
        if (found) {
            j->report->reused++;
            core_count_chunks(j->p->core, 1, 0);
        } else {
            TRY(chunk_text(j, &b->arena, &one, &b->texts[b->n_texts]));
            if (!b->texts[b->n_texts].p) {
                j->report->lost++;
                continue;
            }
            b->place[b->n_texts++] = b->kept;
        }
        b->pending[b->kept++] = one;
    }
    return ERR_OK;
}

/* On a thread of its own: touches nothing but the batch, the model and the pool. */
static Err batch_compute(void *ctx) {
    Batch *b = ctx;
    const EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = &b->stop};
    const int64_t start = clock_mono_ns();
    const Err err = sched_embed(core_sched(b->job->p->core), SCHED_BACKGROUND, b->job->model, b->pool, b->texts,
                                b->n_texts, &opts, b->fresh, b->info);
    b->seconds = (double)(clock_mono_ns() - start) * 1e-9;
    return err;
}

static Err batch_start(Batch *b) {
    if (b->n_texts == 0) return ERR_OK;
    b->stop = engine_deadline(b->job->p, 0);
    TRY(engine_pool_under(b->job->p, SCHED_BACKGROUND, b->job->pressure, &b->pool));
    return thread_start(&b->thread, batch_compute, b);
}

/* Waits for the vectors and puts them in their places. */
static Err batch_join(Batch *b) {
    EmbedJob *j = b->job;
    Thread *t = b->thread;
    b->thread = NULL;
    if (!t) return ERR_OK;
    TRY(thread_join(t));
    j->report->seconds += b->seconds;
    for (size_t i = 0; i < b->n_texts; i++) {
        memcpy(b->rows + b->place[i] * j->dim, b->fresh + i * j->dim, j->dim * sizeof *b->fresh);
        j->report->tokens += b->info[i].tokens;
    }
    j->report->embedded += (int64_t)b->n_texts;
    core_count_chunks(j->p->core, 0, b->n_texts);
    return ERR_OK;
}

static Err batch_write(EmbedJob *j, const Batch *b) {
    uint32_t first = 0, count = 0;
    if (b->kept == 0) return ERR_OK;
    TRY(vec_add(j->index, b->rows, b->kept, &first));
    TRY(vec_sync(j->index, &count));
    TRY(store_begin(j->store));
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < b->kept; i++)
        err = store_embedding_put(j->store, j->c->id, &j->c->model_id, &b->pending[i].hash, first + (uint32_t)i);
    uint32_t before = j->c->rows;
    j->c->rows = count;
    if (!err) err = store_collection_put(j->store, j->c);
    err = engine_commit(j->store, err);
    if (err) j->c->rows = before;
    return err;
}

/* ---- batch after batch ---- */

typedef struct {
    const EmbedHow *how;
    Batch batches[2]; /* one is computed while the other is written, then filled */
    Order order;
    int64_t done, total;
    bool paused;
} Line;

static Err line_write(EmbedJob *j, Line *line, Batch *b) {
    const EmbedHow *how = line->how;
    if (b->taken == 0) return ERR_OK;
    TRY(batch_write(j, b));
    line->done += (int64_t)b->taken;
    b->taken = b->kept = 0;
    return how->beat ? how->beat(how->ctx, line->done, line->total, j->report->tokens) : ERR_OK;
}

/* What searches have shown meanwhile goes first; the document in work is begun again later, from where it is then. */
static void order_look(EmbedJob *j, Order *o) {
    int64_t shown[SHOWN_MAX];
    const size_t n = shown_take(j->p, j->c, shown);
    if (n == 0) return;
    memcpy(o->shown, shown, n * sizeof *shown);
    o->n_shown = n;
    o->at_shown = 0;
    if (o->doc && o->at_newest) o->at_newest--;
    if (o->rest && o->doc == 0) o->rest_after = o->after;
    o->rest = false;
    (void)order_next(o);
}

/* in_work: the batch that is computed meanwhile. */
static Err line_take(EmbedJob *j, Line *line, Batch *b, const Batch *in_work) {
    const EmbedHow *how = line->how;
    const Deadline stop = engine_deadline(j->p, 0);
    TRY(deadline_check(&stop));
    line->paused = how->pause && how->pause(how->pause_ctx);
    if (line->paused) return ERR_OK;
    j->pressure = engine_pressure(j->p);
    order_look(j, &line->order);
    return batch_take(b, in_work, memory_shared(how->pause ? PAUSE_BATCH : EMBED_BATCH, j->pressure), &line->order);
}

/* Waits for the batch in work whatever happened meanwhile; the failure that came first is told. */
static Err join_after(Batch *b, Err err) {
    ErrInfo told;
    if (!err) return batch_join(b);
    err_save(&told, err);
    const Err also = batch_join(b);
    (void)also; /* one of the two can be told */
    return err_restore(&told);
}

/* While the cores compute one batch, this thread writes the one before it and reads the texts of the next, so that they
 * find the next one ready. */
static Err embed_all(EmbedJob *j, Line *line) {
    Batch *now = &line->batches[0], *other = &line->batches[1];
    Err err = line_take(j, line, now, NULL);
    while (!err && now->taken) {
        err = batch_start(now);
        if (!err) err = line_write(j, line, other);
        if (!err) err = line_take(j, line, other, now);
        err = join_after(now, err);
        Batch *done = now;
        now = other;
        other = done;
    }
    return err ? err : line_write(j, line, other);
}

static Err order_begin(const EmbedJob *j, Order *o) {
    o->newest = malloc(NEWEST_MAX * sizeof *o->newest);
    if (!o->newest) return err_set(ERR_NOMEM, "out of memory for the order of embedding");
    TRY(store_newest(j->store, j->c->id, o->newest, NEWEST_MAX, &o->n_newest));
    (void)order_next(o);
    return ERR_OK;
}

static Err embed_line(EmbedJob *j, const EmbedHow *how, bool *paused) {
    StoreCounts counts;
    TRY(store_counts(j->store, j->c->id, &j->c->model_id, &counts));
    if (counts.pending == 0) return ERR_OK;
    Line line = {.how = how, .batches = {{.job = j}, {.job = j}}, .total = counts.pending};
    Err err = how->beat ? how->beat(how->ctx, 0, counts.pending, 0) : ERR_OK; /* a batch takes seconds */
    if (!err) err = order_begin(j, &line.order);
    if (!err) err = embed_all(j, &line);
    for (size_t i = 0; i < 2; i++) arena_free(&line.batches[i].arena);
    free(line.order.newest);
    *paused = line.paused;
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

/* Of a run that was killed behind the commit of a new generation. */
static Err older_drop(const EmbedJob *j) {
    Arena a = {0};
    if (j->c->generation < 2) return ERR_OK;
    const char *dir = engine_index_dir(j->p, &a, j->c);
    Err err = dir ? store_sync(j->store) : arena_error();
    if (!err) err = vec_drop(dir, j->c->generation - 1);
    arena_free(&a);
    return err;
}

Err engine_embed_pending(Pythia *p, Store *s, StoreCollection *c, const Model *m, const EmbedHow *how,
                         EmbedReport *out) {
    bool paused = false;
    EmbedJob j = {.p = p, .store = s, .c = c, .model = m, .dim = (size_t)c->dim, .doc_id = -1, .report = out};
    *out = (EmbedReport){0};
    TRY(engine_open_index(p, c, true, &j.index));
    Err err = older_drop(&j);
    if (!err) err = attic_of(p, c, &j.attic);
    if (!err) err = embed_line(&j, how, &paused);
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
    if ((err = store_sync(s))) goto done;
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
    if ((err = store_sync(s))) goto done; /* or a power cut could leave a store that needs them */
    if ((err = vec_remove(ix, slots, n))) goto done;
    vec_stats(ix, &stats);
    if (stats.removed > 1024 && stats.removed > stats.rows / 2) err = compact(p, s, c, ix);
done:
    vec_close(ix);
    arena_free(&a);
    return err;
}
