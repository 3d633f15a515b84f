/* local.h - inside the local store: one SQLite database in WAL mode at <path>/pythia.db, split by noun:
 *
 *     local.c              open, close, transactions, statements, errors, the StoreKind
 *     local_schema.c       making, checking and migrating the tables
 *     local_collections.c  collections
 *     local_docs.c         documents, versions, chunks, kept texts
 *     local_symbols.c      definitions and references
 *     local_filter.c       Filter -> which chunks
 *     local_embeddings.c   which vector stands in which slot
 *     local_pending.c      how many chunks of a document have none
 *     local_search.c       chunks by id, slot and document; counts
 *     local_runs.c         ingestion runs
 *     local_chats.c        chats
 *     local_feedback.c     what people made of hits
 *     local_audit.c        who did what
 *     local_check.c        the proof that the invariants of schema.sql hold
 *
 * Durability: synchronous = NORMAL. A killed process loses nothing that was committed; a power cut may lose the last
 * commits, never consistency. FULL would wait for the disk at each batch (some ms on an SSD, 10 to 30 on a disk) to
 * save work that the next `pythia index` finds missing and does again: the truth behind this database is the user's
 * files. Who cannot do it again (texts that a program put, files that a lost commit would need) calls store_sync.
 *
 * Threads: as store.h, one thread at a time; the connection is opened without SQLite's own mutex.
 */
#ifndef PYTHIA_STORE_LOCAL_H
#define PYTHIA_STORE_LOCAL_H

#include <sqlite3.h>
#include <zstd.h>

#include "base/hash.h"
#include "store/kind.h"
#include "store/local_sql.h"

#define LOCAL_FILE "pythia.db"

enum {
    LOCAL_SCHEMA_VERSION = 9,
    LOCAL_APPLICATION_ID = 0x50595448, /* "PYTH" */
    LOCAL_BUSY_MS = 5000,              /* how long a writer waits for another */
    LOCAL_TEXT_MAX = 1 << 30,          /* bytes of one kept text, before compression */
};

enum { LOCAL_COUNTED = 8 }; /* collections whose counts are remembered */

/* What a collection's counts were, while this connection saw the database unchanged. */
typedef struct {
    int64_t collection; /* 0: free */
    Sha256 model;
    int64_t version, changes; /* by other connections, and by this one */
    StoreCounts counts;
} LocalCounted;

typedef struct {
    Store base;
    sqlite3 *db;
    char *file; /* the database's path */
    sqlite3_stmt *stmts[SQL_COUNT];

    bool own_write;   /* between local_write_begin and _end without a transaction of the caller's */
    int64_t changes;  /* rows changed on this connection when the writing call began */
    ErrInfo failure;  /* why the open transaction cannot be committed; code ERR_OK: it can */
    Sha256 model;     /* the model looked up last, and its id in this database */
    int64_t model_id; /* 0: not there */
    bool model_known;
    LocalCounted counted[LOCAL_COUNTED];
    size_t counted_next; /* which one is forgotten for the next */

    ZSTD_CCtx *zstd_out;
    ZSTD_DCtx *zstd_in;
    Buf packed, text; /* scratch of one call */
} LocalStore;

static inline LocalStore *local_of(Store *s) { return (LocalStore *)(void *)s; }

/* ---- statements (local.c) ---- */

/* A value to be bound; strings and blobs must live until the statement is used again. */
typedef struct {
    enum { SQL_VALUE_INT, SQL_VALUE_TEXT, SQL_VALUE_BLOB, SQL_VALUE_NULL } type;
    int64_t number;
    Str bytes;
} SqlValue;

static inline SqlValue sql_int(int64_t v) { return (SqlValue){.type = SQL_VALUE_INT, .number = v}; }
static inline SqlValue sql_text(Str s) { return (SqlValue){.type = SQL_VALUE_TEXT, .bytes = s}; }
static inline SqlValue sql_blob(const void *p, size_t n) { return (SqlValue){.type = SQL_VALUE_BLOB, .bytes = {p, n}}; }
static inline SqlValue sql_null(void) { return (SqlValue){.type = SQL_VALUE_NULL}; }
static inline SqlValue sql_text_or_null(Str s) { return s.p ? sql_text(s) : sql_null(); }
static inline SqlValue sql_id_or_null(int64_t id) { return id ? sql_int(id) : (SqlValue){.type = SQL_VALUE_NULL}; }

/* The values of a call and how many they are. */
#define SQL_VALUES(...) (const SqlValue[]){__VA_ARGS__}, sizeof((const SqlValue[]){__VA_ARGS__}) / sizeof(SqlValue)

/* The text of a statement and whether it may walk a whole table; for the test of query plans. */
const char *local_sql(SqlId id, bool *walks);

/* Prepares (once), resets and binds. Ended by sql_done, or by sql_next when there is no further row. */
MUST_USE Err local_use(LocalStore *l, SqlId id, sqlite3_stmt **out, const SqlValue *values, size_t n);
/* The next row; *row false at the end, when the statement is reset. */
MUST_USE Err sql_next(LocalStore *l, sqlite3_stmt *st, bool *row);
/* Ends a statement before its last row. NULL is fine. */
void sql_done(sqlite3_stmt *st);
/* A statement without rows. */
MUST_USE Err local_run(LocalStore *l, SqlId id, const SqlValue *values, size_t n);
/* The first column of the first row; 0 when there is no row or it is NULL. */
MUST_USE Err local_number(LocalStore *l, SqlId id, int64_t *out, const SqlValue *values, size_t n);
MUST_USE Err sql_bind(LocalStore *l, sqlite3_stmt *st, const SqlValue *values, size_t n);
/* Any SQL text, several statements, no values. */
MUST_USE Err local_exec(LocalStore *l, const char *sql);

Str column_str(sqlite3_stmt *st, int column);              /* lives until the next sql_next */
Str column_str_in(sqlite3_stmt *st, int column, Arena *a); /* a == NULL: as column_str */
/* n bytes of a blob; ERR_CORRUPT when the column has another length. */
MUST_USE Err column_bytes(LocalStore *l, sqlite3_stmt *st, int column, void *out, size_t n);

/* Tells what SQLite answered, with the file and the mending command. */
Err local_fail(const LocalStore *l, int rc);
Err local_damaged(const LocalStore *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- transactions (local.c) ---- */

/* Every writing call stands between these two. Outside of a transaction of the caller's it gets one of its own; inside
 * of one a failure after the first change spoils it, so that half of a call is never committed; store_commit then gives
 * that failure again. */
MUST_USE Err local_write_begin(LocalStore *l);
MUST_USE Err local_write_end(LocalStore *l, Err err);

/* Reading calls of several statements stand between these, so that all of them see the same commit. */
MUST_USE Err local_read_begin(LocalStore *l, bool *own);
void local_read_end(LocalStore *l, bool own);

/* ---- compression (local.c) ---- */

/* l->packed becomes the zstd frame of text. */
MUST_USE Err local_pack(LocalStore *l, Str text);
/* Appends the text of a frame to out; size is what the table says and must be true. */
MUST_USE Err local_unpack(LocalStore *l, Str frame, int64_t size, Buf *out);

/* ---- schema (local_schema.c) ---- */
extern const char local_schema_sql[]; /* schema.sql; the build makes it */
MUST_USE Err local_schema_ready(LocalStore *l);

/* ---- collections (local_collections.c) ---- */
MUST_USE Err local_collections(Store *s, Arena *a, StoreCollection **out, size_t *n);
MUST_USE Err local_collection(Store *s, Arena *a, Str name, StoreCollection *out);
MUST_USE Err local_collection_put(Store *s, StoreCollection *c);
MUST_USE Err local_collection_remove(Store *s, int64_t collection);

/* ---- documents (local_docs.c) ---- */
MUST_USE Err local_documents(Store *s, int64_t collection, StoreDocSink sink, void *ctx);
MUST_USE Err local_document(Store *s, Arena *a, int64_t collection, Str path, StoreDoc *out);
MUST_USE Err local_document_by_uri(Store *s, Arena *a, int64_t collection, Str uri, StoreDoc *out);
MUST_USE Err local_put(Store *s, const StorePut *put, StoreChange *change);
MUST_USE Err local_put_skipped(Store *s, int64_t collection, const Doc *doc, DocState state, Str reason, int64_t now_ms,
                               StoreChange *change);
MUST_USE Err local_rename(Store *s, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change);
MUST_USE Err local_touch(Store *s, int64_t doc, int64_t mtime_ns, uint64_t inode);
MUST_USE Err local_recut(Store *s, int64_t collection);
MUST_USE Err local_reread(Store *s, int64_t collection);
MUST_USE Err local_remove(Store *s, int64_t doc, StoreChange *change);
MUST_USE Err local_text(Store *s, Arena *a, int64_t doc, Str *out);

/* ---- symbols (local_symbols.c) ---- */
MUST_USE Err symbols_write(LocalStore *l, const StorePut *put, int64_t doc);
MUST_USE Err symbols_clear(LocalStore *l, int64_t doc);
MUST_USE Err local_symbols_of(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n);
MUST_USE Err local_symbols_named(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match,
                                 const Filter *filter, size_t cap, StoreSymbol **out, size_t *n);
MUST_USE Err local_symbols_each(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx);
MUST_USE Err local_symbol(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out);
MUST_USE Err local_references(Store *s, Arena *a, int64_t collection, Str name, const Filter *filter, size_t cap,
                              StoreReference **out, size_t *n, size_t *total);

/* ---- filters (local_filter.c) ---- */

/* Sorted, disjoint. */
typedef struct {
    ChunkRange *ranges;
    size_t n, cap;
    bool all; /* nothing is filtered; ranges are empty */
} ChunkSet;

MUST_USE Err chunk_set_of(LocalStore *l, Arena *a, int64_t collection, const Filter *filter, ChunkSet *out);
/* Only as far as the filter is about documents; its kinds and symbols count for nothing. */
MUST_USE Err chunk_set_of_documents(LocalStore *l, Arena *a, int64_t collection, const Filter *filter, ChunkSet *out);
/* Does the text fit one of those in the list, and none of those with a '!'? */
bool filter_list_passes(const Str *list, size_t n, Str text, bool (*fits)(Str wanted, Str text));
MUST_USE Err local_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n);
/* For ids that rise from call to call *at remembers the place (0 at first). */
bool chunk_set_has(const ChunkSet *set, int64_t chunk, size_t *at);

/* ---- what has no vector (local_pending.c) ---- */

/* Counts anew: of a document whose chunks were just written; of all of a collection's. */
MUST_USE Err pending_of_document(LocalStore *l, int64_t collection, int64_t doc);
MUST_USE Err pending_of_collection(LocalStore *l, int64_t collection);
/* A vector came for a text that had none. Cost: some 5 us a chunk of this text. */
MUST_USE Err pending_lose(LocalStore *l, int64_t collection, int64_t model, const ChunkHash *hash);

/* ---- embeddings (local_embeddings.c) ---- */

/* The id of a model in this database; 0 when no embedding of it was ever kept. */
MUST_USE Err model_find(LocalStore *l, const Sha256 *model, int64_t *id);
MUST_USE Err local_pending(Store *s, int64_t collection, const Sha256 *model, int64_t doc, int64_t after,
                           StorePending *out, size_t cap, size_t *n);
MUST_USE Err local_newest(Store *s, int64_t collection, int64_t *out, size_t cap, size_t *n);
MUST_USE Err local_embedding_put(Store *s, int64_t collection, const Sha256 *model, const ChunkHash *hash,
                                 uint32_t slot);
MUST_USE Err local_embedding_find(Store *s, const Sha256 *model, const ChunkHash *hash, bool *found,
                                  int64_t *collection, uint32_t *slot);
MUST_USE Err local_embedding_sweep(Store *s, Arena *a, int64_t collection, StoreSwept **out, size_t *n);
MUST_USE Err local_embedding_clear(Store *s, int64_t collection);
MUST_USE Err local_embedding_remap(Store *s, int64_t collection, const uint32_t *map, size_t n);

/* ---- searching (local_search.c) ---- */
MUST_USE Err local_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits,
                         uint32_t rows, size_t *count);
MUST_USE Err local_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                               const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_of, size_t *n_out);
MUST_USE Err local_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out);
MUST_USE Err local_chunk_prior(Store *s, int64_t chunk_id, float *prior);
MUST_USE Err local_chunks_of(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n);
MUST_USE Err local_chunk_holding(Store *s, int64_t doc, int64_t at, int64_t *chunk_id);
MUST_USE Err local_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot);
MUST_USE Err local_counts(Store *s, int64_t collection, const Sha256 *model, StoreCounts *out);

/* ---- runs (local_runs.c) ---- */
MUST_USE Err local_run_get(Store *s, Arena *a, int64_t run, StoreRun *out);
MUST_USE Err local_run_begin(Store *s, int64_t collection, int64_t now_ms, int64_t *run);
MUST_USE Err local_run_beat(Store *s, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms);
MUST_USE Err local_run_end(Store *s, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms);
MUST_USE Err local_run_reap(Store *s, int64_t now_ms, int64_t *n);
MUST_USE Err local_runs(Store *s, Arena *a, int64_t collection, size_t limit, StoreRun **out, size_t *n);

/* ---- chats (local_chats.c) ---- */
MUST_USE Err local_chat_begin(Store *s, Str owner, Str title, Str collections, int64_t now_ms, int64_t *chat);
MUST_USE Err local_chat_add(Store *s, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms);
MUST_USE Err local_chat_remove(Store *s, Str owner, int64_t chat);
MUST_USE Err local_chat(Store *s, Arena *a, Str owner, int64_t chat, StoreChat *out);
MUST_USE Err local_chats(Store *s, Arena *a, Str owner, size_t limit, StoreChat **out, size_t *n);
MUST_USE Err local_chat_messages(Store *s, Arena *a, int64_t chat, size_t last, StoreMessage **out, size_t *n);
/* ---- feedback (local_feedback.c) ---- */
MUST_USE Err local_feedback_put(Store *s, const StoreFeedback *row);
MUST_USE Err local_feedbacks(Store *s, Arena *a, int64_t collection, size_t limit, StoreFeedback **out, size_t *n);
MUST_USE Err local_feedback_clear(Store *s, int64_t collection, int64_t *n);
/* ---- audit (local_audit.c) ---- */
MUST_USE Err local_audit_put(Store *s, const StoreAudit *row);
MUST_USE Err local_audits(Store *s, Arena *a, size_t limit, StoreAudit **out, size_t *n);

/* ---- the check (local_check.c) ---- */
MUST_USE Err local_check(Store *s, Buf *report);

#endif
