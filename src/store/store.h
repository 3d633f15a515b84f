/* store.h - the face of all stores: documents, versions, chunks, runs. A store is one file and one line in store_kinds
 * (store.c); each names what it cannot do in StoreCaps.
 *
 * The store is the truth. Vectors and words are not here: the store keeps which (chunk hash, model) stands in which
 * slot of the collection's vector index, and how much of its lexical index counts; each writing call tells which chunks
 * came and went (StoreChange), so that the caller can follow with the words. A writer works in transactions
 * (store_begin … store_commit); readers see the last commit.
 *
 * Threads: a Store is one connection, for one thread at a time; open another for another thread.
 * Errors: ERR_BUSY when another process writes (after 5 s), ERR_CORRUPT for a damaged file, ERR_FORMAT for a newer or
 * older schema, ERR_IO for a full disk; all name the file.
 */
#ifndef PYTHIA_STORE_STORE_H
#define PYTHIA_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"

typedef struct Store Store;

typedef struct {
    const char *kind; /* "local" */
    const char *path; /* local: the folder, made when missing */
    bool read_only;   /* a missing database is ERR_NO_COLLECTION then */
} StoreSpec;

/* What a kind can and cannot do. */
typedef struct {
    bool lexical;      /* store_lexical; without it words are found by the lexical index (index/lex.h) */
    bool text;         /* keep_text and store_text */
    bool transactions; /* store_rollback takes back; without it each call stands alone */
    bool many_writers; /* processes write at the same time; without it the second waits, then ERR_BUSY */
} StoreCaps;

MUST_USE Err store_open(Store **out, const StoreSpec *spec);
const StoreCaps *store_caps(const Store *s);
void store_close(Store *s); /* rolls back what is open; NULL is fine */

/* A call that fails before it changed anything leaves the transaction as it was; one that fails later spoils it, and
 * store_commit then gives the same failure. A commit that failed leaves no transaction behind. Outside of a transaction
 * each call is one. */
MUST_USE Err store_begin(Store *s);
MUST_USE Err store_commit(Store *s);
void store_rollback(Store *s);
/* What is committed so far survives a power cut, too (a commit alone: the end of the process). For whoever is about to
 * remove what the store named before: files of an older generation, slots. Not within a transaction. Cost: an fsync,
 * some ms on an SSD. */
MUST_USE Err store_sync(Store *s);

/* ---- collections ---- */
typedef struct {
    int64_t id;
    Str name;
    Str root; /* absolute folder; "" for a managed collection */
    Str describe;
    Str model_name;
    Sha256 model_id;
    int64_t dim;
    Str index_kind;
    uint64_t generation;     /* of the vector index's files */
    uint32_t rows;           /* committed rows of it */
    uint64_t lex_generation; /* of the lexical index's files; 0: there are none, though there may be chunks */
    uint32_t lex_count;      /* committed numbers of it (lex_sync) */
    int64_t chunks;          /* of all its documents; store_collection_put does not look at it */
    int64_t created_ms, updated_ms;
    Str settings;       /* JSON: include, exclude, hidden, max_file_size … as last indexed */
    bool pending_known; /* the last run ended, with the two below; store_counts always tells those that are */
    int64_t pending, pending_files; /* chunks without a vector, documents with such chunks */
} StoreCollection;

MUST_USE Err store_collections(Store *s, Arena *a, StoreCollection **out, size_t *n); /* by name */
/* ERR_NO_COLLECTION, naming those there are. */
MUST_USE Err store_collection(Store *s, Arena *a, Str name, StoreCollection *out);
/* Creates (id 0; sets c->id) or updates all fields. A taken name is ERR_INPUT. */
MUST_USE Err store_collection_put(Store *s, StoreCollection *c);
MUST_USE Err store_collection_remove(Store *s, int64_t collection); /* with everything in it */

/* ---- documents ---- */
typedef enum { DOC_ACTIVE, DOC_SKIPPED, DOC_FAILED } DocState;
/* How its chunks were cut. What is not DOC_CUT is read and cut anew by the next `index`, whatever its times say. */
typedef enum {
    DOC_CUT,         /* as the collection's settings want */
    DOC_SKIMMED,     /* in coarse pieces, so that its words can be found at once: they wait for no vector */
    DOC_CUT_BY_OTHER /* settings */
} DocCut;
typedef struct {
    int64_t id;
    Str uri, path, title, lang;
    Str meta; /* what it says of itself: base/meta.h */
    DocState state;
    DocCut cut;
    Str reason; /* of skipped and failed ones */
    Sha256 sha256;
    int64_t size, mtime_ns;
    uint64_t inode;
    int64_t version; /* id of the active version, 0 none */
    int64_t indexed_ms;
    int64_t chunks; /* filled by store_document only */
} StoreDoc;

typedef Err (*StoreDocSink)(void *ctx, const StoreDoc *doc); /* strings live during the call */
/* The sink must not call store_documents. */
MUST_USE Err store_documents(Store *s, int64_t collection, StoreDocSink sink, void *ctx);     /* all states, by path */
MUST_USE Err store_document(Store *s, Arena *a, int64_t collection, Str path, StoreDoc *out); /* ERR_NO_DOCUMENT */
MUST_USE Err store_document_by_uri(Store *s, Arena *a, int64_t collection, Str uri, StoreDoc *out);

typedef struct {
    int64_t collection;
    const Doc *doc;
    uint64_t inode;
    const Chunk *chunks;
    size_t n_chunks;
    const Symbol *symbols; /* by start */
    size_t n_symbols;
    const Reference *references; /* by name, then line */
    size_t n_references;
    int64_t now_ms;
    DocCut cut;
    bool keep_text; /* the text has no file to be read back from: keep it as a zstd blob */
} StorePut;
/* What a writing call did, for whoever keeps an index of chunks beside the store. Empty ranges: nothing. */
typedef struct {
    int64_t doc;
    ChunkRange added;   /* its chunks, in their order */
    ChunkRange gone;    /* chunks that it had before; ids are never used again */
    ChunkRange evicted; /* of another document that a rename overwrote */
} StoreChange;

/* Inserts or replaces the document with this URI: a new active version and its chunks; old chunks go. In these calls
 * change may be NULL. */
MUST_USE Err store_put(Store *s, const StorePut *put, StoreChange *change);
/* Left out, with the reason (kept for `status` and `why`); its chunks, if any, go. */
MUST_USE Err store_put_skipped(Store *s, int64_t collection, const Doc *doc, DocState state, Str reason, int64_t now_ms,
                               StoreChange *change);
/* Same content under doc's uri and path: nothing is chunked or embedded again, its chunks keep their ids. They are told
 * as gone and added, since their words are others: the path is one of the fields. A document that stood under that URI
 * goes. */
MUST_USE Err store_rename(Store *s, int64_t id, const Doc *doc, uint64_t inode, StoreChange *change);
MUST_USE Err store_touch(Store *s, int64_t doc, int64_t mtime_ns, uint64_t inode); /* same content, other times */
/* The collection's settings are others now: all its documents are DOC_CUT_BY_OTHER, but for skimmed ones. */
MUST_USE Err store_recut(Store *s, int64_t collection);
/* Likewise those whose text was made from their file, and is kept, and texts whose head says something of them. */
MUST_USE Err store_reread(Store *s, int64_t collection);
MUST_USE Err store_remove(Store *s, int64_t doc, StoreChange *change);

/* ---- symbols ---- */
typedef struct {
    int64_t doc_id, place; /* which of the document's */
    Str doc_path, uri, lang;
    Symbol symbol;
} StoreSymbol;
typedef enum { SYMBOLS_NAMED, SYMBOLS_STARTING } StoreSymbolMatch; /* the name is the text; it starts with it */
/* Definitions of a document in order of its text, as they were put. */
MUST_USE Err store_symbols_of(Store *s, Arena *a, int64_t doc, Symbol **out, size_t *n);
/* At most cap: those named by path of their document and place in it, those starting by name. Kinds of the filter are
 * theirs. */
MUST_USE Err store_symbols_named(Store *s, Arena *a, int64_t collection, Str text, StoreSymbolMatch match,
                                 const Filter *filter, size_t cap, StoreSymbol **out, size_t *n);
/* Every definition that the filter lets pass, for ranking them; strings live during the call. The sink calls no
 * store. */
typedef Err (*StoreSymbolSink)(void *ctx, int64_t doc, int64_t place, Str path, Str kind);
MUST_USE Err store_symbols_each(Store *s, int64_t collection, const Filter *filter, StoreSymbolSink sink, void *ctx);
MUST_USE Err store_symbol(Store *s, Arena *a, int64_t doc, int64_t place, StoreSymbol *out); /* ERR_NO_DOCUMENT */
typedef struct {
    int64_t doc_id;
    Str doc_path, lang;
    int32_t line;
} StoreReference;
/* Lines that name something without defining it, by path of their document, at most cap; *total: how many there are.
 * Cost: the references of all documents are unpacked, some 300 MB/s. */
MUST_USE Err store_references(Store *s, Arena *a, int64_t collection, Str name, const Filter *filter, size_t cap,
                              StoreReference **out, size_t *n, size_t *total);

/* ---- embeddings ---- */
typedef struct {
    int64_t chunk; /* any one chunk with this hash */
    ChunkHash hash;
} StorePending;
/* Distinct hashes of the chunks (not coarse ones) of the document, or of the whole collection for doc 0, without an
 * embedding for model, in order of chunk id, from behind `after` (a chunk id; 0 at first), at most cap. A document of
 * another collection has none. */
MUST_USE Err store_pending(Store *s, int64_t collection, const Sha256 *model, int64_t doc, int64_t after,
                           StorePending *out, size_t cap, size_t *n);
/* Documents that have chunks, those changed last first, at most cap. Cost: a look at each document. */
MUST_USE Err store_newest(Store *s, int64_t collection, int64_t *out, size_t cap, size_t *n);
/* This hash's vector stands in this slot of the collection's index. */
MUST_USE Err store_embedding_put(Store *s, int64_t collection, const Sha256 *model, const ChunkHash *hash,
                                 uint32_t slot);
/* The slot of a hash in any collection of this store that has it for this model; *found false when none. */
MUST_USE Err store_embedding_find(Store *s, const Sha256 *model, const ChunkHash *hash, bool *found,
                                  int64_t *collection, uint32_t *slot);
typedef struct {
    ChunkHash hash;
    uint32_t slot;
} StoreSwept;
/* Embedding rows of the collection that no chunk needs any more: deletes them, lists them in the arena. */
MUST_USE Err store_embedding_sweep(Store *s, Arena *a, int64_t collection, StoreSwept **out, size_t *n);
/* Forgets all of them (the index is to be rebuilt). */
MUST_USE Err store_embedding_clear(Store *s, int64_t collection);
/* After vec_compact: slot -> map[slot]; UINT32_MAX and slots from n on: forgotten. */
MUST_USE Err store_embedding_remap(Store *s, int64_t collection, const uint32_t *map, size_t n);

/* ---- searching ---- */
typedef struct {
    int64_t chunk_id, doc_id;
    Str uri, path, title, lang, symbol, kind, heading; /* path, uri: of the document */
    Str names;                                         /* of all definitions that begin in it; "": the symbol's alone */
    Str meta;                                          /* what the document says of itself: base/meta.h */
    int64_t start, end;
    int32_t start_line, end_line, page;
    ChunkHash hash;
    Sha256 doc_sha256;
    int64_t size, mtime_ns; /* of the document when it was indexed */
    bool has_text;          /* the store keeps the text (store_text) */
} StoreChunk;

typedef struct {
    int64_t chunk_id;
    float score; /* bm25, larger is better */
} StoreLexHit;

/* For stores that find words themselves (StoreCaps.lexical); the others answer ERR_UNSUPPORTED. Best first, ties by
 * chunk id. Filter before top-k; "quoted phrases" must stand. A query without terms gives none. */
MUST_USE Err store_lexical(Store *s, Arena *a, int64_t collection, Str query, const Filter *filter, size_t k,
                           StoreLexHit **out, size_t *n);
/* The ids of the chunks that the filter lets pass, all of the collection's when it is empty: rising, apart. */
MUST_USE Err store_ranges(Store *s, Arena *a, int64_t collection, const Filter *filter, ChunkRange **out, size_t *n);
/* Bitmap over slots [(rows + 63) / 64] (zeroed by the callee) of chunks that the filter lets pass; *count how many. */
MUST_USE Err store_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits,
                         uint32_t rows, size_t *count);
/* Chunks of the collection whose vectors stand in these slots: out_ids[i] in the order of slots, several for content
 * that occurs more than once, filter applied; slot_of[i] indexes slots. */
MUST_USE Err store_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                               const uint32_t *slots, size_t n, int64_t **out_ids, size_t **slot_of, size_t *n_out);
MUST_USE Err store_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection,
                         StoreChunk *out); /* ERR_NO_DOCUMENT */
/* The prior of the chunk's document; 1 for a chunk that is gone. Cost: some 2 us. */
MUST_USE Err store_chunk_prior(Store *s, int64_t chunk_id, float *prior);
MUST_USE Err store_chunks_of(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n); /* in order of start */
/* The chunk that byte `at` of a document's text is in, or the next one behind it; 0: there is none. */
MUST_USE Err store_chunk_holding(Store *s, int64_t doc, int64_t at, int64_t *chunk_id);
/* The slot of a chunk's vector; ERR_NO_INDEX when it has none yet. */
MUST_USE Err store_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot);
/* The kept text of a document (keep_text); ERR_NO_DOCUMENT when it is read from its file. */
MUST_USE Err store_text(Store *s, Arena *a, int64_t doc, Str *out);

typedef struct {
    int64_t documents, skipped, failed, chunks, embedded, pending; /* chunks by whether they have a vector */
    int64_t pending_files;                                         /* documents with pending chunks */
    int64_t skimmed;                                               /* documents that are DOC_SKIMMED */
    int64_t text_bytes;                                            /* of active documents */
    int64_t db_bytes;                                              /* of the whole store on disk */
} StoreCounts;
/* Cost: a look at each document (10,680: some 6 ms), but 0.02 ms when nothing has changed since this Store was last
 * asked; of another model than the collection's one at each chunk. */
MUST_USE Err store_counts(Store *s, int64_t collection, const Sha256 *model, StoreCounts *out);

/* ---- runs ---- */
typedef enum { RUN_QUEUED, RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELLED } RunState;
typedef struct {
    int64_t id, collection;
    RunState state;
    Str stage, error;
    int64_t done, total, failures;
    int64_t queued_ms, started_ms, beat_ms, ended_ms;
} StoreRun;
/* queued -> running. The caller has the collection to itself, so other runs of it that still count as running lost
 * their process: they are marked failed. Old runs go: a collection keeps its last thousand. */
MUST_USE Err store_run_begin(Store *s, int64_t collection, int64_t now_ms, int64_t *run);
MUST_USE Err store_run(Store *s, Arena *a, int64_t run, StoreRun *out); /* ERR_NO_DOCUMENT */
/* ERR_INTERRUPT when the run was cancelled (by store_run_end from another process): stop working. A run that was reaped
 * while its process slept is taken back to running. */
MUST_USE Err store_run_beat(Store *s, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms);
MUST_USE Err store_run_end(Store *s, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms);
/* Queued over an hour, or running for 15 minutes without a heartbeat: marked failed; *n how many. */
MUST_USE Err store_run_reap(Store *s, int64_t now_ms, int64_t *n);
MUST_USE Err store_runs(Store *s, Arena *a, int64_t collection /* 0: all */, size_t limit, StoreRun **out, size_t *n);

/* ---- chats ---- */
/* owner: of chats that are begun, the id of the token it was done with, "": nobody's in particular; of others, whose
 * alone are there, {NULL,0}: everybody's. */
typedef struct {
    int64_t id;
    Str owner, title, collections; /* collections: a JSON list of names */
    int64_t created_ms, updated_ms, messages;
} StoreChat;
typedef struct {
    Str role, content; /* "user", "assistant" */
    Str citations;     /* JSON: what an answer stands on; "" none */
    int64_t created_ms;
} StoreMessage;
enum { STORE_CHATS_MAX = 1000, STORE_MESSAGES_MAX = 10000 };
MUST_USE Err store_chat_begin(Store *s, Str owner, Str title, Str collections, int64_t now_ms, int64_t *chat);
/* Behind what was said; all of them or none. ERR_NO_DOCUMENT: there is no such chat. */
MUST_USE Err store_chat_add(Store *s, int64_t chat, const StoreMessage *messages, size_t n, int64_t now_ms);
MUST_USE Err store_chat_remove(Store *s, Str owner, int64_t chat);                    /* ERR_NO_DOCUMENT */
MUST_USE Err store_chat(Store *s, Arena *a, Str owner, int64_t chat, StoreChat *out); /* ERR_NO_DOCUMENT */
/* Those that went on last first; at most limit, STORE_CHATS_MAX. */
MUST_USE Err store_chats(Store *s, Arena *a, Str owner, size_t limit, StoreChat **out, size_t *n);
/* The last so many, STORE_MESSAGES_MAX at most, oldest first; none of a chat that is not there. */
MUST_USE Err store_chat_messages(Store *s, Arena *a, int64_t chat, size_t last, StoreMessage **out, size_t *n);

/* ---- feedback ---- */
typedef enum { FEEDBACK_CLICKED, FEEDBACK_USEFUL, FEEDBACK_USELESS, FEEDBACK_VERDICTS } FeedbackVerdict;
typedef struct {
    int64_t id, collection, at_ms; /* id: of rows that are read */
    Str query, path;               /* path: of the document */
    int32_t start_line, end_line;  /* of the chunk, as it was then; likewise hash */
    ChunkHash hash;
    FeedbackVerdict verdict;
} StoreFeedback;
enum { STORE_FEEDBACK_MAX = 100000 };
/* One row more; the last STORE_FEEDBACK_MAX of all collections are kept. */
MUST_USE Err store_feedback_put(Store *s, const StoreFeedback *row);
/* Of a collection, the newest first; at most limit, STORE_FEEDBACK_MAX. */
MUST_USE Err store_feedbacks(Store *s, Arena *a, int64_t collection, size_t limit, StoreFeedback **out, size_t *n);
MUST_USE Err store_feedback_clear(Store *s, int64_t collection, int64_t *n); /* *n: rows that went */

/* ---- audit ---- */
typedef struct {
    int64_t id, at_ms;  /* id: of rows that are read */
    Str action, object; /* "index", a collection's name */
    Str detail;         /* JSON: never a document, a query or a key */
} StoreAudit;
/* One row more; the last 100,000 are kept. */
MUST_USE Err store_audit_put(Store *s, const StoreAudit *row);
MUST_USE Err store_audits(Store *s, Arena *a, size_t limit, StoreAudit **out, size_t *n); /* the newest first */

/* Reads everything: SQLite's own integrity check, orphans, spans outside their documents. One line a finding into the
 * report, then ERR_CORRUPT. */
MUST_USE Err store_check(Store *s, Buf *report);

#endif
