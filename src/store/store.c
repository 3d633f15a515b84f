/* store.c - the face: finds the kind, checks what every kind may rely on, calls it.
 *
 * Preconditions are asserts, as in SQLite: breaking one is a fault of the caller's code, never of its input. What comes
 * from a user (a name, a query, a filter) is checked by the kind and gives an error.
 */
#include "store/store.h"

#include <assert.h>

#include "store/kind.h"

static const StoreKind *const store_kinds[] = {
    &store_local,
};

enum { KIND_COUNT = sizeof store_kinds / sizeof store_kinds[0] };

static const StoreKind *kind_find(const char *name) {
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(store_kinds[i]->name, name) == 0) return store_kinds[i];
    return NULL;
}

Err store_open(Store **out, const StoreSpec *spec) {
    assert(out && spec && spec->kind && spec->path);
    *out = NULL;
    const StoreKind *kind = kind_find(spec->kind);
    if (!kind) {
        Buf names = {0};
        for (size_t i = 0; i < KIND_COUNT; i++) buf_printf(&names, "%s%s", i ? ", " : "", store_kinds[i]->name);
        const Err err =
            err_set(ERR_USAGE, "no store is called '%s'; there are: %.*s", spec->kind, STR_FMT(buf_str(&names)));
        buf_free(&names);
        return err;
    }
    TRY(kind->open(out, spec));
    (*out)->kind = kind;
    (*out)->read_only = spec->read_only;
    return ERR_OK;
}

void store_close(Store *s) {
    if (!s) return;
    if (s->in_transaction) store_rollback(s);
    s->kind->close(s);
}

const StoreCaps *store_caps(const Store *s) {
    assert(s);
    return &s->kind->caps;
}

/* A writing call on a store that was opened for reading is refused here, once for all kinds. */
static Err need_writable(const Store *s) {
    if (!s->read_only) return ERR_OK;
    return err_set(ERR_UNSUPPORTED, "the %s store was opened for reading only", s->kind->name);
}

Err store_begin(Store *s) {
    assert(s && !s->in_transaction);
    TRY(need_writable(s));
    TRY(s->kind->begin(s));
    s->in_transaction = true;
    return ERR_OK;
}

/* A commit that failed leaves no transaction behind: what was in it is gone. */
Err store_commit(Store *s) {
    assert(s && s->in_transaction);
    const Err err = s->kind->commit(s);
    if (err) s->kind->rollback(s);
    s->in_transaction = false;
    return err;
}

Err store_sync(Store *s) {
    assert(s && !s->in_transaction);
    TRY(need_writable(s));
    return s->kind->sync(s);
}

void store_rollback(Store *s) {
    assert(s && s->in_transaction);
    s->kind->rollback(s);
    s->in_transaction = false;
}

/* ---- collections ---- */

Err store_collections(Store *s, Arena *a, StoreCollection **out, size_t *n) {
    assert(s && a && out && n);
    return s->kind->collections(s, a, out, n);
}

Err store_collection(Store *s, Arena *a, Str name, StoreCollection *out) {
    assert(s && a && out);
    return s->kind->collection(s, a, name, out);
}

Err store_collection_put(Store *s, StoreCollection *c) {
    assert(s && c && c->id >= 0);
    TRY(need_writable(s));
    return s->kind->collection_put(s, c);
}

Err store_collection_remove(Store *s, int64_t collection) {
    assert(s && collection > 0);
    TRY(need_writable(s));
    return s->kind->collection_remove(s, collection);
}

/* ---- documents ---- */

Err store_documents(Store *s, int64_t collection, StoreDocSink sink, void *ctx) {
    assert(s && collection > 0 && sink);
    return s->kind->documents(s, collection, sink, ctx);
}

Err store_document(Store *s, Arena *a, int64_t collection, Str path, StoreDoc *out) {
    assert(s && a && collection > 0 && out);
    return s->kind->document(s, a, collection, path, out);
}

Err store_document_by_uri(Store *s, Arena *a, int64_t collection, Str uri, StoreDoc *out) {
    assert(s && a && collection > 0 && out);
    return s->kind->document_by_uri(s, a, collection, uri, out);
}

/* Kinds fill a StoreChange in any case. */
static StoreChange *change_place(StoreChange *wanted, StoreChange *spare) {
    StoreChange *place = wanted ? wanted : spare;
    *place = (StoreChange){0};
    return place;
}

Err store_put(Store *s, const StorePut *put, StoreChange *change) {
    StoreChange spare;
    assert(s && put && put->doc && put->collection > 0);
    assert(put->chunks || put->n_chunks == 0);
    TRY(need_writable(s));
    return s->kind->put(s, put, change_place(change, &spare));
}

Err store_put_skipped(Store *s, int64_t collection, const Doc *doc, DocState state, Str reason, int64_t now_ms,
                      StoreChange *change) {
    StoreChange spare;
    assert(s && collection > 0 && doc && (state == DOC_SKIPPED || state == DOC_FAILED));
    TRY(need_writable(s));
    return s->kind->put_skipped(s, collection, doc, state, reason, now_ms, change_place(change, &spare));
}

Err store_rename(Store *s, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change) {
    StoreChange spare;
    assert(s && id > 0 && doc);
    TRY(need_writable(s));
    return s->kind->rename(s, id, doc, inode, change_place(change, &spare));
}

Err store_touch(Store *s, int64_t doc, int64_t mtime_ns, uint64_t inode) {
    assert(s && doc > 0);
    TRY(need_writable(s));
    return s->kind->touch(s, doc, mtime_ns, inode);
}

Err store_remove(Store *s, int64_t doc, StoreChange *change) {
    StoreChange spare;
    assert(s && doc > 0);
    TRY(need_writable(s));
    return s->kind->remove(s, doc, change_place(change, &spare));
}

Err store_recut(Store *s, int64_t collection) {
    assert(s && collection > 0);
    TRY(need_writable(s));
    return s->kind->recut(s, collection);
}

Err store_reread(Store *s, int64_t collection) {
    assert(s && collection > 0);
    TRY(need_writable(s));
    return s->kind->reread(s, collection);
}

/* ---- symbols ---- */

static Err no_symbols(const Store *s) { return err_set(ERR_UNSUPPORTED, "the %s store has no symbols", s->kind->name); }

Err store_symbols_of(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n) {
    assert(s && a && doc > 0 && out && n);
    return s->kind->symbols_of ? s->kind->symbols_of(s, a, doc, out, n) : no_symbols(s);
}

Err store_symbols_named(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match, const Filter *filter,
                        size_t cap, StoreSymbol **out, size_t *n) {
    assert(s && a && collection > 0 && out && n);
    if (!s->kind->symbols_named) return no_symbols(s);
    return s->kind->symbols_named(s, a, collection, text, match, filter, cap, out, n);
}

Err store_symbols_each(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx) {
    assert(s && collection > 0 && sink);
    return s->kind->symbols_each ? s->kind->symbols_each(s, collection, filter, sink, ctx) : no_symbols(s);
}

Err store_symbol(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out) {
    assert(s && a && doc > 0 && out);
    return s->kind->symbol ? s->kind->symbol(s, a, doc, place, out) : no_symbols(s);
}

Err store_references(Store *s, Arena *a, int64_t collection, Str name, const Filter *filter, size_t cap,
                     StoreReference **out, size_t *n, size_t *total) {
    assert(s && a && collection > 0 && out && n && total);
    if (!s->kind->references) return no_symbols(s);
    return s->kind->references(s, a, collection, name, filter, cap, out, n, total);
}

/* ---- embeddings ---- */

Err store_pending(Store *s, int64_t collection, const Sha256 *model, int64_t doc, int64_t after, StorePending *out,
                  size_t cap, size_t *n) {
    assert(s && collection > 0 && model && n && (out || cap == 0));
    return s->kind->pending(s, collection, model, doc, after, out, cap, n);
}

Err store_newest(Store *s, int64_t collection, int64_t *out, size_t cap, size_t *n) {
    assert(s && collection > 0 && n && (out || cap == 0));
    return s->kind->newest(s, collection, out, cap, n);
}

Err store_embedding_put(Store *s, int64_t collection, const Sha256 *model, const ChunkHash *hash, uint32_t slot) {
    assert(s && collection > 0 && model && hash);
    TRY(need_writable(s));
    return s->kind->embedding_put(s, collection, model, hash, slot);
}

Err store_embedding_find(Store *s, const Sha256 *model, const ChunkHash *hash, bool *found, int64_t *collection,
                         uint32_t *slot) {
    assert(s && model && hash && found && collection && slot);
    return s->kind->embedding_find(s, model, hash, found, collection, slot);
}

Err store_embedding_sweep(Store *s, Arena *a, int64_t collection, StoreSwept **out, size_t *n) {
    assert(s && a && collection > 0 && out && n);
    TRY(need_writable(s));
    return s->kind->embedding_sweep(s, a, collection, out, n);
}

Err store_embedding_clear(Store *s, int64_t collection) {
    assert(s && collection > 0);
    TRY(need_writable(s));
    return s->kind->embedding_clear(s, collection);
}

Err store_embedding_remap(Store *s, int64_t collection, const uint32_t *map, size_t n) {
    assert(s && collection > 0 && (map || n == 0));
    TRY(need_writable(s));
    return s->kind->embedding_remap(s, collection, map, n);
}

/* ---- searching ---- */

Err store_lexical(Store *s, Arena *a, int64_t collection, Str query, const Filter *filter, size_t k, StoreLexHit **out,
                  size_t *n) {
    assert(s && a && collection > 0 && out && n);
    if (!s->kind->lexical) return err_set(ERR_UNSUPPORTED, "the %s store keeps no words", s->kind->name);
    return s->kind->lexical(s, a, collection, query, filter, k, out, n);
}

Err store_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n) {
    assert(s && a && collection > 0 && out && n);
    return s->kind->ranges(s, a, collection, filter, out, n);
}

Err store_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits, uint32_t rows,
                size_t *count) {
    assert(s && collection > 0 && model && count && (bits || rows == 0));
    return s->kind->slots(s, collection, model, filter, bits, rows, count);
}

Err store_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                      const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_of, size_t *n_out) {
    assert(s && a && collection > 0 && model && (slots || n == 0) && out_ids && slot_of && n_out);
    return s->kind->slot_chunks(s, a, collection, model, filter, slots, n, out_ids, slot_of, n_out);
}

Err store_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out) {
    assert(s && a && out);
    return s->kind->chunk(s, a, chunk_id, collection, out);
}

Err store_chunk_prior(Store *s, int64_t chunk_id, float *prior) {
    assert(s && prior);
    return s->kind->chunk_prior(s, chunk_id, prior);
}

Err store_chunks_of(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n) {
    assert(s && a && doc > 0 && out && n);
    return s->kind->chunks_of(s, a, doc, out, n);
}

Err store_chunk_holding(Store *s, int64_t doc, int64_t at, int64_t *chunk_id) {
    *chunk_id = 0;
    return s->kind->chunk_holding(s, doc, at, chunk_id);
}

Err store_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot) {
    assert(s && collection > 0 && model && slot);
    return s->kind->chunk_slot(s, collection, model, chunk_id, slot);
}

Err store_text(Store *s, Arena *a, int64_t doc, Str *out) {
    assert(s && a && doc > 0 && out);
    if (!s->kind->text) return err_set(ERR_UNSUPPORTED, "the %s store keeps no texts", s->kind->name);
    return s->kind->text(s, a, doc, out);
}

Err store_counts(Store *s, int64_t collection, const Sha256 *model, StoreCounts *out) {
    assert(s && collection > 0 && model && out);
    return s->kind->counts(s, collection, model, out);
}

/* ---- runs ---- */

Err store_run(Store *s, Arena *a, int64_t run, StoreRun *out) {
    assert(s && a && out);
    return s->kind->run_get(s, a, run, out);
}

Err store_run_begin(Store *s, int64_t collection, int64_t now_ms, int64_t *run) {
    assert(s && collection > 0 && run);
    TRY(need_writable(s));
    return s->kind->run_begin(s, collection, now_ms, run);
}

Err store_run_beat(Store *s, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms) {
    assert(s && run > 0);
    TRY(need_writable(s));
    return s->kind->run_beat(s, run, stage, done, total, now_ms);
}

Err store_run_end(Store *s, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms) {
    assert(s && run > 0 && state >= RUN_SUCCEEDED && state <= RUN_CANCELLED);
    TRY(need_writable(s));
    return s->kind->run_end(s, run, state, error, failures, now_ms);
}

Err store_run_reap(Store *s, int64_t now_ms, int64_t *n) {
    assert(s && n);
    TRY(need_writable(s));
    return s->kind->run_reap(s, now_ms, n);
}

Err store_runs(Store *s, Arena *a, int64_t collection, size_t limit, StoreRun **out, size_t *n) {
    assert(s && a && collection >= 0 && out && n);
    return s->kind->runs(s, a, collection, limit, out, n);
}

/* ---- chats ---- */

Err store_chat_begin(Store *s, Str owner, Str title, Str collections, int64_t now_ms, int64_t *chat) {
    assert(s && chat);
    TRY(need_writable(s));
    return s->kind->chat_begin(s, owner, title, collections, now_ms, chat);
}

Err store_chat_add(Store *s, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms) {
    assert(s && (n == 0 || messages));
    TRY(need_writable(s));
    return s->kind->chat_add(s, chat, messages, n, now_ms);
}

Err store_chat_remove(Store *s, Str owner, int64_t chat) {
    assert(s);
    TRY(need_writable(s));
    return s->kind->chat_remove(s, owner, chat);
}

Err store_chat(Store *s, Arena *a, Str owner, int64_t chat, StoreChat *out) {
    assert(s && a && out);
    return s->kind->chat(s, a, owner, chat, out);
}

Err store_chats(Store *s, Arena *a, Str owner, size_t limit, StoreChat **out, size_t *n) {
    assert(s && a && limit <= STORE_CHATS_MAX && out && n);
    return s->kind->chats(s, a, owner, limit, out, n);
}

Err store_chat_messages(Store *s, Arena *a, int64_t chat, size_t last, StoreMessage **out, size_t *n) {
    assert(s && a && last <= STORE_MESSAGES_MAX && out && n);
    return s->kind->chat_messages(s, a, chat, last, out, n);
}

/* ---- feedback ---- */

Err store_feedback_put(Store *s, const StoreFeedback *row) {
    assert(s && row && row->collection > 0 && row->verdict < FEEDBACK_VERDICTS);
    TRY(need_writable(s));
    return s->kind->feedback_put(s, row);
}

Err store_feedbacks(Store *s, Arena *a, int64_t collection, size_t limit, StoreFeedback **out, size_t *n) {
    assert(s && a && limit <= STORE_FEEDBACK_MAX && out && n);
    return s->kind->feedbacks(s, a, collection, limit, out, n);
}

Err store_feedback_clear(Store *s, int64_t collection, int64_t *n) {
    assert(s && n);
    TRY(need_writable(s));
    return s->kind->feedback_clear(s, collection, n);
}

/* ---- audit ---- */

Err store_audit_put(Store *s, const StoreAudit *row) {
    assert(s && row);
    TRY(need_writable(s));
    return s->kind->audit_put(s, row);
}

Err store_audits(Store *s, Arena *a, size_t limit, StoreAudit **out, size_t *n) {
    assert(s && a && out && n);
    return s->kind->audits(s, a, limit, out, n);
}

Err store_check(Store *s, Buf *report) {
    assert(s && report);
    return s->kind->check(s, report);
}
