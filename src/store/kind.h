/* kind.h - what a store must be able to do. A kind is one file (or a few, split by noun) that fills one StoreKind, and
 * one line in store_kinds (store.c). Each member is the function of the same name in store.h, called after store.c has
 * checked the preconditions; a kind may rely on them.
 *
 * A kind that cannot do a thing leaves the member NULL and says so in its caps: the face then answers ERR_UNSUPPORTED
 * with the kind's name.
 */
#ifndef PYTHIA_STORE_KIND_H
#define PYTHIA_STORE_KIND_H

#include "store/store.h"

typedef struct StoreKind StoreKind;

/* Every store begins with this; a kind puts its own struct around it. */
struct Store {
    const StoreKind *kind;
    bool in_transaction; /* between store_begin and store_commit or store_rollback; kept by store.c */
    bool read_only;
};

struct StoreKind {
    const char *name; /* StoreSpec.kind */
    StoreCaps caps;

    Err (*open)(Store **out, const StoreSpec *spec);
    void (*close)(Store *s);
    Err (*begin)(Store *s);
    Err (*commit)(Store *s);
    void (*rollback)(Store *s);
    Err (*sync)(Store *s);

    Err (*collections)(Store *s, Arena *a, StoreCollection **out, size_t *n);
    Err (*collection)(Store *s, Arena *a, Str name, StoreCollection *out);
    Err (*collection_put)(Store *s, StoreCollection *c);
    Err (*collection_remove)(Store *s, int64_t collection);

    Err (*documents)(Store *s, int64_t collection, StoreDocSink sink, void *ctx);
    Err (*document)(Store *s, Arena *a, int64_t collection, Str path, StoreDoc *out);
    Err (*document_by_uri)(Store *s, Arena *a, int64_t collection, Str uri, StoreDoc *out);
    Err (*put)(Store *s, const StorePut *put, StoreChange *change);
    Err (*put_skipped)(Store *s, int64_t collection, const Doc *doc, DocState state, Str reason, int64_t now_ms,
                       StoreChange *change);
    Err (*rename)(Store *s, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change);
    Err (*touch)(Store *s, int64_t doc, int64_t mtime_ns, uint64_t inode);
    Err (*recut)(Store *s, int64_t collection);
    Err (*reread)(Store *s, int64_t collection);
    Err (*remove)(Store *s, int64_t doc, StoreChange *change);

    Err (*symbols_of)(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n);
    Err (*symbols_named)(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match, const Filter *filter,
                         size_t cap, StoreSymbol **out, size_t *n);
    Err (*symbols_each)(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx);
    Err (*symbol)(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out);
    Err (*references)(Store *s, Arena *a, int64_t collection, Str name, const Filter *filter, size_t cap,
                      StoreReference **out, size_t *n, size_t *total);

    Err (*pending)(Store *s, int64_t collection, const Sha256 *model, int64_t doc, int64_t after, StorePending *out,
                   size_t cap, size_t *n);
    Err (*newest)(Store *s, int64_t collection, int64_t *out, size_t cap, size_t *n);
    Err (*embedding_put)(Store *s, int64_t collection, const Sha256 *model, const ChunkHash *hash, uint32_t slot);
    Err (*embedding_find)(Store *s, const Sha256 *model, const ChunkHash *hash, bool *found, int64_t *collection,
                          uint32_t *slot);
    Err (*embedding_sweep)(Store *s, Arena *a, int64_t collection, StoreSwept **out, size_t *n);
    Err (*embedding_clear)(Store *s, int64_t collection);
    Err (*embedding_remap)(Store *s, int64_t collection, const uint32_t *map, size_t n);

    Err (*lexical)(Store *s, Arena *a, int64_t collection, Str query, const Filter *filter, size_t k, StoreLexHit **out,
                   size_t *n);
    Err (*ranges)(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n);
    Err (*slots)(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits, uint32_t rows,
                 size_t *count);
    Err (*slot_chunks)(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                       const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_of, size_t *n_out);
    Err (*chunk)(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out);
    Err (*chunk_prior)(Store *s, int64_t chunk_id, float *prior);
    Err (*chunks_of)(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n);
    Err (*chunk_holding)(Store *s, int64_t doc, int64_t at, int64_t *chunk_id);
    Err (*chunk_slot)(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot);
    Err (*text)(Store *s, Arena *a, int64_t doc, Str *out);
    Err (*counts)(Store *s, int64_t collection, const Sha256 *model, StoreCounts *out);

    Err (*run_get)(Store *s, Arena *a, int64_t run, StoreRun *out);
    Err (*run_begin)(Store *s, int64_t collection, int64_t now_ms, int64_t *run);
    Err (*run_beat)(Store *s, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms);
    Err (*run_end)(Store *s, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms);
    Err (*run_reap)(Store *s, int64_t now_ms, int64_t *n);
    Err (*runs)(Store *s, Arena *a, int64_t collection, size_t limit, StoreRun **out, size_t *n);
    Err (*feedback_put)(Store *s, const StoreFeedback *row);
    Err (*feedbacks)(Store *s, Arena *a, int64_t collection, size_t limit, StoreFeedback **out, size_t *n);
    Err (*feedback_clear)(Store *s, int64_t collection, int64_t *n);
    Err (*audit_put)(Store *s, const StoreAudit *row);
    Err (*audits)(Store *s, Arena *a, size_t limit, StoreAudit **out, size_t *n);

    Err (*chat_begin)(Store *s, Str owner, Str title, Str collections, int64_t now_ms, int64_t *chat);
    Err (*chat_add)(Store *s, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms);
    Err (*chat_remove)(Store *s, Str owner, int64_t chat);
    Err (*chat)(Store *s, Arena *a, Str owner, int64_t chat, StoreChat *out);
    Err (*chats)(Store *s, Arena *a, Str owner, size_t limit, StoreChat **out, size_t *n);
    Err (*chat_messages)(Store *s, Arena *a, int64_t chat, size_t last, StoreMessage **out, size_t *n);

    Err (*check)(Store *s, Buf *report);
};

extern const StoreKind store_local;

#endif
