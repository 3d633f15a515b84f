/* recompute.c - see recompute.h. */
#include "engine/recompute.h"

#include "search/fresh.h"

typedef struct {
    Recompute *r;
    Arena a; /* all that this call needs */
    LiveDocs docs;
    Str *texts;    /* [n_texts] to be embedded */
    size_t *place; /* [n_texts] whose row it is */
    ChunkHash *hashes;
    size_t n_texts;
} Job;

static EmbedCacheKey key_of(const Recompute *r, const ChunkHash *hash) {
    const ModelInfo *m = model_info(r->model);
    return (EmbedCacheKey){.text = *hash, .model = m->id, .kind = EMBED_DOCUMENT, .dim = (uint32_t)m->dim};
}

/* One row out of the cache, or its text among those to be embedded. ids: the chunks of its slot. */
static Err row_find(Job *j, size_t at, const int64_t *ids, size_t n_ids, float *row, bool *had) {
    Recompute *r = j->r;
    *had = false;
    for (size_t i = 0; i < n_ids && !*had; i++) {
        StoreChunk c;
        int64_t collection;
        Str text;
        Err err = store_chunk(r->store, &j->a, ids[i], &collection, &c);
        if (err == ERR_NO_DOCUMENT) continue; /* another process took it away just now */
        TRY(err);
        EmbedCacheKey key = key_of(r, &c.hash);
        if (r->cache && embed_cache_get(r->cache, &key, row)) {
            r->cached++;
            return *had = true, ERR_OK;
        }
        TRY(live_docs_text(&j->docs, &c, &text));
        if (!text.p) continue;
        j->texts[j->n_texts] = text;
        j->hashes[j->n_texts] = c.hash;
        j->place[j->n_texts++] = at;
        *had = true;
    }
    if (!*had) r->lost++;
    return ERR_OK;
}

static Err texts_embed(Job *j, const Deadline *deadline, float *out) {
    Recompute *r = j->r;
    size_t dim = model_info(r->model)->dim;
    if (j->n_texts == 0) return ERR_OK;
    float *rows = arena_array(&j->a, float, j->n_texts *dim);
    if (!rows) return arena_error();
    EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = deadline};
    TRY(sched_embed(r->sched, SCHED_INTERACTIVE, r->model, r->pool, j->texts, j->n_texts, &opts, rows, NULL));
    for (size_t i = 0; i < j->n_texts; i++) {
        EmbedCacheKey key = key_of(r, &j->hashes[i]);
        memcpy(out + j->place[i] * dim, rows + i * dim, dim * sizeof *out);
        if (r->cache) embed_cache_put(r->cache, &key, rows + i * dim);
    }
    r->computed += (int64_t)j->n_texts;
    return ERR_OK;
}

static Err rows_find(Job *j, const uint32_t *slots, size_t n, float *out, bool *had) {
    const StoreCollection *c = j->r->collection;
    size_t dim = model_info(j->r->model)->dim, n_ids = 0;
    int64_t *ids = NULL;
    size_t *slot_of = NULL;
    Filter none = {0};
    TRY(store_slot_chunks(j->r->store, &j->a, c->id, &c->model_id, &none, slots, n, &ids, &slot_of, &n_ids));
    TRY(live_docs_begin(&j->docs, &j->a, j->r->store, c->root, n_ids + 1));
    j->texts = arena_array(&j->a, Str, n);
    j->hashes = arena_array(&j->a, ChunkHash, n);
    j->place = arena_array(&j->a, size_t, n);
    if (!j->texts || !j->hashes || !j->place) return arena_error();
    for (size_t i = 0, at = 0; i < n; i++) {
        size_t end = at;
        while (end < n_ids && slot_of[end] == i) end++;
        TRY(row_find(j, i, ids + at, end - at, out + i * dim, &had[i]));
        at = end;
    }
    return ERR_OK;
}

Err recompute_rows(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    Job j = {.r = ctx};
    Err err = rows_find(&j, slots, n, out, had);
    if (!err) err = texts_embed(&j, deadline, out);
    arena_free(&j.a);
    return err;
}
