/* similar.c - what "more like this" means: the chunk at a place, and its vector.
 *
 * The vector is computed from the chunk's text as it is now, in a few milliseconds, instead of read from the index: so
 * it is exact where the index keeps codes alone, there where the chunk still waits for its own, and of what the file
 * says today.
 */
#include "engine/managed_job.h"

static Err collection_of(Store *s, Arena *a, int64_t id, StoreCollection *out) {
    StoreCollection *all = NULL;
    size_t n = 0;
    TRY(store_collections(s, a, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (all[i].id == id) return *out = all[i], ERR_OK;
    return err_set(ERR_NO_COLLECTION, "a collection was removed meanwhile");
}

/* The last chunk of the document that begins at or above the line. */
static Err chunk_at(Store *s, Arena *a, const StoreCollection *c, Str path, int64_t line, StoreChunk *out) {
    StoreDoc doc;
    StoreChunk *chunks = NULL;
    size_t n = 0, at = 0;
    TRY(managed_document(s, a, c->id, path, &doc));
    TRY(store_chunks_of(s, a, doc.id, &chunks, &n));
    if (n == 0)
        return err_fix(err_set(ERR_NO_DOCUMENT, "'%.*s' has no chunks", STR_FMT(path)), "pythia why '%.*s'",
                       STR_FMT(path));
    while (at + 1 < n && chunks[at + 1].start_line <= line) at++;
    *out = chunks[at];
    return ERR_OK;
}

/* PATH or PATH:LINE; in a managed collection, or a file. */
static Err place_find(Pythia *p, Arena *a, Store *s, Str collection, Str what, StoreCollection *c, StoreChunk *out) {
    int64_t line = 0, count = 0;
    const char *real = NULL;
    Str path = what;
    engine_split_place(&path, &line, &count);
    if (collection.n) {
        TRY(store_collection(s, a, collection, c));
        if (!c->root.n) return chunk_at(s, a, c, path, line, out);
    }
    TRY(engine_find_file(p, a, collection, path, c, &real));
    return chunk_at(s, a, c, engine_relative(str_of(real), c->root), line, out);
}

Err engine_chunk_at(Pythia *p, Arena *a, Store *s, Str collection, Str what, StoreCollection *c, StoreChunk *chunk) {
    int64_t id = 0, in = 0;
    if (!chunk_id_read(what, &id)) return place_find(p, a, s, collection, what, c, chunk);
    TRY(store_chunk(s, a, id, &in, chunk));
    return collection_of(s, a, in, c);
}

Err engine_like(Pythia *p, Arena *a, Store *s, Str collection, Str what, EngineLike *out) {
    Freshness fresh = FRESH;
    Str text;
    Model *m = NULL;
    Pool *pool = NULL;
    TRY(engine_chunk_at(p, a, s, collection, what, &out->c, &out->chunk));
    if (out->c.dim == 0)
        return err_fix(err_set(ERR_NO_INDEX, "collection '%.*s' has no vectors", STR_FMT(out->c.name)),
                       "pythia index --collection '%.*s'", STR_FMT(out->c.name));
    TRY(chunk_live(a, s, out->c.root, &out->chunk, &fresh, &text));
    if (fresh == FRESH_GONE)
        return err_set(ERR_NO_DOCUMENT, "'%.*s' is gone since it was indexed", STR_FMT(out->chunk.path));
    TRY(engine_collection_model(p, &out->c, &m));
    TRY(engine_pool_under(p, SCHED_INTERACTIVE, engine_pressure(p), &pool));
    float *vector = arena_array(a, float, (size_t)out->c.dim);
    if (!vector) return arena_error();
    const EmbedOpts opts = {.kind = EMBED_DOCUMENT};
    TRY(model_embed_cached(m, NULL, core_sched(p->core), pool, text, &opts, vector));
    out->vector = vector;
    return ERR_OK;
}
