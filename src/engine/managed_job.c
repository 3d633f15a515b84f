/* managed_job.c - see managed_job.h. A kill between the transaction of the rows and the vectors leaves these pending;
 * the next call, or `index --collection`, finishes them. */
#include "engine/managed_job.h"

#include "base/file.h"

enum { SPECIAL_TOKENS = 2 };

Err managed_find(ManagedJob *j, Pythia *p, Arena *a, Str collection, bool make) {
    *j = (ManagedJob){.p = p, .a = a, .lock_fd = -1, .start_ns = clock_mono_ns()};
    TRY(engine_store(p, true, &j->store));
    Err err = store_collection(j->store, a, collection, &j->c);
    if (err && (err != ERR_NO_COLLECTION || !make)) return err;
    const bool there = !err;
    if (there && j->c.root.n)
        return err_fix(err_set(ERR_INPUT,
                               "collection '%.*s' is made of the folder '%.*s'; documents go into one of their own",
                               STR_FMT(collection), STR_FMT(j->c.root)),
                       "pythia index '%.*s'", STR_FMT(j->c.root));
    if (there) {
        TRY(engine_collection_model(p, &j->c, &j->model));
        return settings_read(a, j->c.settings, &j->settings);
    }
    TRY(engine_model_to_index(p, STR(""), NULL, &j->model));
    const ModelInfo *info = model_info(j->model);
    j->settings = (IndexSettings){.max_tokens = (int64_t)info->max_tokens - SPECIAL_TOKENS, .chunker = CHUNKER_VERSION};
    j->c = (StoreCollection){.name = collection,
                             .root = STR(""),
                             .describe = STR(""),
                             .model_name = config_text(p->opts.config, CONF_MODEL_EMBED),
                             .model_id = info->id,
                             .dim = (int64_t)info->dim,
                             .index_kind = engine_index_kind(p, 0),
                             .generation = 1,
                             .created_ms = clock_wall_ms()};
    return ERR_OK;
}

/* Another call may have made one of that name since it was looked for: then that is it. */
static Err collection_make(ManagedJob *j) {
    StoreCollection quicker;
    TRY(settings_write(j->a, &j->settings, &j->c.settings));
    j->c.updated_ms = clock_wall_ms();
    TRY(store_begin(j->store));
    Err err = store_collection(j->store, j->a, j->c.name, &quicker);
    const bool there = !err;
    if (err == ERR_NO_COLLECTION) err = store_collection_put(j->store, &j->c);
    TRY(engine_commit(j->store, err));
    return there ? managed_find(j, j->p, j->a, quicker.name, false) : ERR_OK;
}

Err managed_begin(ManagedJob *j, bool with_run) {
    const int64_t now = clock_wall_ms();
    int64_t reaped = 0;
    size_t grammars = 0;
    TRY(chunk_check(&grammars));
    if (!j->c.id) TRY(collection_make(j));
    TRY(engine_lock_collection(j->p, &j->c, &j->lock_fd));
    TRY(store_collection(j->store, j->a, j->c.name, &j->c)); /* as it is now that nobody else writes */
    if (with_run) {
        TRY(store_run_reap(j->store, now, &reaped));
        TRY(store_run_begin(j->store, j->c.id, now, &j->run));
    }
    return words_open(&j->words, j->p, j->store, &j->c, false);
}

Err managed_cut(const ManagedJob *j, Arena *a, const Doc *doc, DocChunks *out) {
    const ChunkOpts opts = {
        .max_tokens = (size_t)j->settings.max_tokens, .count_tokens = model_count_tokens, .count_ctx = j->model};
    return chunk_doc(a, doc, &opts, out);
}

Err managed_put(ManagedJob *j, const Doc *doc, const DocChunks *made) {
    StoreChange change;
    const StorePut put = {.collection = j->c.id,
                          .doc = doc,
                          .chunks = made->chunks,
                          .n_chunks = made->n,
                          .symbols = made->symbols,
                          .n_symbols = made->n_symbols,
                          .references = made->references,
                          .n_references = made->n_references,
                          .now_ms = clock_wall_ms(),
                          .keep_text = true};
    TRY(store_put(j->store, &put, &change));
    return words_follow(j->words, &change, doc, made->chunks);
}

Err managed_remove(ManagedJob *j, int64_t doc) {
    StoreChange change;
    TRY(store_remove(j->store, doc, &change));
    return words_follow(j->words, &change, NULL, NULL);
}

static void tell(const ManagedJob *j, const char *stage, int64_t done, int64_t total, bool finished) {
    if (!j->progress) return;
    const IndexProgress p = {.stage = stage,
                             .collection = j->c.name.p,
                             .done = done,
                             .total = total,
                             .seconds = (double)(clock_mono_ns() - j->start_ns) * 1e-9,
                             .finished = finished};
    j->progress(j->progress_ctx, &p);
}

Err managed_beat(ManagedJob *j, const char *stage, int64_t done, int64_t total) {
    const Deadline stop = engine_deadline(j->p, 0);
    tell(j, stage, done, total, false);
    if (j->run) TRY(store_run_beat(j->store, j->run, str_of(stage), done, total, clock_wall_ms()));
    return deadline_check(&stop);
}

static Err embed_beat(void *ctx, int64_t done, int64_t total, int64_t tokens) {
    (void)tokens;
    return managed_beat(ctx, "embed", done, total);
}

/* So that the next run, when it finds nothing new, has nothing to count either. */
static Err note_pending(ManagedJob *j) {
    StoreCounts counts;
    TRY(store_counts(j->store, j->c.id, &j->c.model_id, &counts));
    j->c.pending_known = true;
    j->c.pending = counts.pending;
    j->c.pending_files = counts.pending_files;
    j->c.updated_ms = clock_wall_ms();
    TRY(store_begin(j->store));
    return engine_commit(j->store, store_collection_put(j->store, &j->c));
}

Err managed_settle(ManagedJob *j, EmbedReport *out) {
    const EmbedHow how = {.beat = embed_beat, .ctx = j};
    TRY(words_tidy(j->words, true));
    if (out) TRY(engine_embed_pending(j->p, j->store, &j->c, j->model, &how, out));
    TRY(engine_sweep(j->p, j->store, &j->c));
    TRY(note_pending(j));
    return store_sync(j->store); /* nobody else has these texts */
}

Err managed_end(ManagedJob *j, Err err, int64_t failures) {
    ErrInfo told = {0};
    Err end = ERR_OK;
    if (err) err_save(&told, err);
    const RunState state = !err ? RUN_SUCCEEDED : err == ERR_INTERRUPT ? RUN_CANCELLED : RUN_FAILED;
    if (j->run) end = store_run_end(j->store, j->run, state, str_of(told.text), failures, clock_wall_ms());
    tell(j, "done", 1, 1, true);
    words_close(j->words);
    j->words = NULL;
    file_unlock(&j->lock_fd);
    return err ? err_restore(&told) : end;
}

Err managed_document(Store *s, Arena *a, int64_t collection, Str what, StoreDoc *out) {
    const Err err = store_document(s, a, collection, what, out);
    if (err != ERR_NO_DOCUMENT) return err;
    return store_document_by_uri(s, a, collection, what, out);
}
