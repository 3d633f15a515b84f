/* engine.h - inside of the engine room: the Pythia itself and what its files share. Not seen by cli and serve.
 *
 * What is opened lazily and kept: the store (read-only until a call needs to write), the analyser; in the core, which
 * several may share: thread pools and models. Index files are opened per call, because their committed row count comes
 * from the store's last commit.
 */
#ifndef PYTHIA_ENGINE_ENGINE_H
#define PYTHIA_ENGINE_ENGINE_H

#include "answer/writer.h"
#include "base/memory.h"
#include "base/pool.h"
#include "engine/core.h"
#include "engine/pythia.h"
#include "engine/recompute.h"
#include "index/analyze.h"
#include "index/lex.h"
#include "index/vec.h"
#include "ingest/read.h"
#include "ingest/walk.h"
#include "model/cache.h"
#include "model/model.h"
#include "search/search.h"
#include "store/store.h"

/* model.rerank when nobody set it, and where it comes from. */
#define ENGINE_RERANKER            "ms-marco-minilm-l6-v2"
#define ENGINE_RERANKER_REPOSITORY "cross-encoder/ms-marco-MiniLM-L6-v2"

struct Pythia {
    PythiaOpts opts;
    Arena arena; /* lives as long as the Pythia */
    Store *store;
    bool store_writable;
    Analyzer *analyzer;
    Readers *readers; /* of documents, kept between them; NULL: opts.reader is */
    Core *core;       /* models, threads, the cache of queries' vectors; perhaps shared */
};

/* ---- pythia.c: what is opened once ---- */
MUST_USE Err engine_store(Pythia *p, bool write, Store **out); /* ERR_NO_COLLECTION when there is none and !write */
/* A store at another folder (eval); the caller closes it. */
MUST_USE Err engine_open_store_at(const char *path, bool write, Store **out);
MUST_USE Err engine_analyzer(Pythia *p, Analyzer **out); /* for the Pythia's thread */
/* Ends a transaction: commits when err is ERR_OK, else rolls back and hands err and its text on. */
MUST_USE Err engine_commit(Store *s, Err err);
/* All workers, for what is no work of a model; NULL when there is one. */
MUST_USE Err engine_pool(Pythia *p, Pool **out);
MUST_USE Err engine_model(Pythia *p, Str name_or_path, Model **out); /* "": the configured one */
/* The same in the precision that has this id, so that a collection keeps the one it was made with; when none has, in
 * the configured one. */
MUST_USE Err engine_model_as(Pythia *p, Str name_or_path, const Sha256 *id, Model **out);
bool engine_precision_is_auto(const Pythia *p); /* model.precision leaves the choice to us */
/* The same to index with: where neither id nor the configuration says otherwise, in fast precision if that pays. */
MUST_USE Err engine_model_to_index(Pythia *p, Str name_or_path, const Sha256 *id, Model **out);
/* The reranker called name; "": the configured one. In exact precision, whatever embeds; cut at its own limit. */
MUST_USE Err engine_reranker(Pythia *p, Str name, Model **out);
/* How a search is to be reranked. wish: 1 yes, -1 no, 0 as configured (search.rerank); out->model NULL: not. */
MUST_USE Err engine_search_rerank(Pythia *p, int wish, SearchRerank *out);
/* The model of that name, opened to write. */
MUST_USE Err engine_generator(Pythia *p, Str name, Model **out);
const char *engine_models_dir(Pythia *p, Arena *a);
ModelPrecision engine_precision(const Pythia *p);          /* model.precision */
unsigned engine_attempts(const Pythia *p);                 /* network.attempts, 1 to 100 */
const char *engine_env(const Pythia *p, const char *name); /* NULL when unset or empty */
MUST_USE Err engine_model_name_check(Str name);            /* ERR_USAGE unless it can be a model's file name */
MUST_USE Err engine_model_describe(Arena *a, const char *name, const char *path, const ModelInfo *info,
                                   PythiaModel *out); /* all but id and in_use */
const char *engine_global_ignore(const Pythia *p,
                                 Arena *a);            /* git's own user-wide ignore file; NULL when there is none */
Deadline engine_deadline(const Pythia *p, int64_t ms); /* ms 0: only the cancel flag */

/* ---- memory.c ---- */
/* The cache of queries' vectors, as large as the level leaves it. */
MUST_USE Err engine_cache(Pythia *p, MemoryLevel level, EmbedCache **out);
/* Looks at the memory in use; the cache follows. Cost: some 30 us. */
MemoryLevel engine_pressure(Pythia *p);
/* The pool of that class at that level: memory_shared of its workers; NULL when one is left. */
MUST_USE Err engine_pool_under(Pythia *p, SchedClass line, MemoryLevel level, Pool **out);

/* ---- remote.c: models called "remote:NAME" ---- */
bool engine_is_remote(Str name);
/* dim: of its vectors where that is known, else 0: the service is asked. */
MUST_USE Err engine_remote_model(Pythia *p, Str name, size_t dim, Model **out);
MUST_USE Err engine_remote_reranker(Pythia *p, Str name, Model **out); /* opening asks nothing of the service */

/* ---- writer.c ---- */
/* The kind that ask.url means, and one of it, of ask.model; closed by writer_close. ERR_USAGE: the configuration. */
MUST_USE Err engine_writer_kind(const Pythia *p, const WriterKind **out);
MUST_USE Err engine_writer(Pythia *p, const WriterKind *kind, bool whole, Writer **out);

/* ---- table.c: the static table of a collection's model (model/distill.h), for chunks that have no vector yet ---- */
/* NULL when there is none, or it is not wanted (search.static). */
MUST_USE Err engine_table(Pythia *p, const StoreCollection *c, Model **out);
/* Makes it where there is none and it costs a minute of CPU at most (MiniLM: 20 s), in <home>/cache. That it cannot be
 * made or kept is told in the log alone. progress may be NULL. Errors: ERR_INTERRUPT. */
MUST_USE Err engine_table_make(Pythia *p, const StoreCollection *c,
                               Err (*progress)(void *ctx, size_t done, size_t total), void *ctx);

/* ---- collections.c ---- */
/* The collection whose root covers path (absolute, real), the deepest of several; id 0 in *out when none does. */
MUST_USE Err engine_covering(Store *s, Arena *a, Str path, StoreCollection *out);
/* By name, or "" for the one that covers the working folder. ERR_NO_COLLECTION with the index command as its fix. */
MUST_USE Err engine_find_collection(Pythia *p, Store *s, Arena *a, Str name, StoreCollection *out);
/* The collection's model, opened; checks that the file is still the one that the collection was made with. */
MUST_USE Err engine_collection_model(Pythia *p, const StoreCollection *c, Model **out);
/* One writer a collection at a time, in whatever process: a lock file named after it. ERR_BUSY when there is another;
 * the lock goes with file_unlock. What was read of the collection before may have changed. */
MUST_USE Err engine_lock_collection(Pythia *p, const StoreCollection *c, int *fd);
/* Folder of a collection's index files. */
const char *engine_index_dir(Pythia *p, Arena *a, const StoreCollection *c);
MUST_USE Err engine_open_index(Pythia *p, const StoreCollection *c, bool writer, VecIndex **out);
/* What pythia_search does, and then something with it while all is still open; then NULL: nothing. */
typedef struct {
    const SearchSource *sources; /* [n] */
    size_t n;
    const Query *query;
    const SearchReply *reply;
} FindView;
typedef Err (*FoundFn)(void *ctx, const FindView *found);
MUST_USE Err engine_find(Pythia *p, Arena *a, const PythiaSearch *rq, FoundFn then, void *ctx, PythiaReply *out);
/* To search in: opened, or as another search of the process left it on the shelf (shelf.h), where it goes back to by
 * shelf_give(core_shelf(p->core), item). The thing is a VecIndex or a LexIndex. Errors as of opening. */
MUST_USE Err engine_take_index(Pythia *p, const StoreCollection *c, ShelfItem **out);
MUST_USE Err engine_take_words(Pythia *p, const StoreCollection *c, ShelfItem **out);
void engine_forget_indexes(Pythia *p, const StoreCollection *c); /* before its files are removed */
/* [index] of the configuration, as vec_build wants it; ERR_USAGE when it cannot be. */
MUST_USE Err engine_index_params(const Pythia *p, VecParams *out);
/* compact: its codes were fitted to so small a part of what there is that making them anew pays. */
bool engine_codes_outgrown(const VecStats *stats);
/* index.kind, with auto resolved for so many rows. */
Str engine_index_kind(const Pythia *p, size_t rows);
/* index.search_complexity; ERR_USAGE when it cannot be. */
MUST_USE Err engine_recompute_most(const Pythia *p, size_t *out);
/* The lexical index; besides what lex_open finds, ERR_NO_INDEX when there is none though there are chunks, and for a
 * writer ERR_CORRUPT when it does not have the collection's chunks. */
MUST_USE Err engine_open_words(Pythia *p, const StoreCollection *c, bool writer, LexIndex **out);
LexSettings engine_lex_settings(const Pythia *p); /* [lexical] of the configuration */
/* "Backoff.next" for "Backoff::next": names as symbols have them; {NULL, 0} when memory is out. */
Str engine_symbol_path(Arena *a, Str what);
/* The file that path means (relative to cwd, else to the root of the collection named or covering cwd), with links
 * resolved, and the collection that it lies in. ERR_NO_DOCUMENT, ERR_NO_COLLECTION. */
MUST_USE Err engine_find_file(Pythia *p, Arena *a, Str collection, Str path, StoreCollection *c, const char **real);
/* "PATH:LINE:COUNT" from the right: *path is what is left; 0: not given, but for a count of 1 with a line. */
void engine_split_place(Str *path, int64_t *line, int64_t *count);
/* A chunk that more like it are wanted of. */
typedef struct {
    StoreCollection c;
    StoreChunk chunk;
    const float *vector; /* [c.dim] of its text as it is now */
} EngineLike;
/* The chunk at a place: its public id, PATH or PATH:LINE. similar.c. ERR_NO_DOCUMENT, ERR_NO_COLLECTION. */
MUST_USE Err engine_chunk_at(Pythia *p, Arena *a, Store *s, Str collection, Str what, StoreCollection *c,
                             StoreChunk *chunk);
/* what: as engine_chunk_at has it. similar.c. ERR_NO_DOCUMENT, ERR_NO_COLLECTION, ERR_NO_INDEX. */
MUST_USE Err engine_like(Pythia *p, Arena *a, Store *s, Str collection, Str what, EngineLike *out);
/* text relative to a folder: "/a/b/c" in "/a" is "b/c"; the folder itself is "". */
Str engine_relative(Str path, Str root);

/* How a collection was walked and cut; kept in its row so that a later `index` and `status` do the same. */
typedef struct {
    bool hidden, no_ignore;
    bool auto_kind;           /* of index: by the collection's size */
    bool secrets, keep_noise; /* ingest/noise.h */
    int64_t max_file_size;
    int64_t max_tokens; /* of a chunk; 0: made without a model */
    Str readers;        /* engine_readers when it was last indexed */
    int64_t chunker;    /* CHUNKER_VERSION of who cut it; 0: before there was a number */
    const Str *globs;
    size_t n_globs;
} IndexSettings;
MUST_USE Err settings_read(Arena *a, Str json, IndexSettings *out);
MUST_USE Err settings_write(Arena *a, const IndexSettings *s, Str *json);

ReadOpts settings_read_opts(const IndexSettings *s); /* without documents */
/* How files are read: the collection's settings and the configuration's `documents`. stop may be NULL. */
ReadOpts engine_read_opts(const Pythia *p, const IndexSettings *s, const Deadline *stop);
/* What documents can be read, as a text that changes when that does; in the arena. */
MUST_USE Err engine_readers(const Pythia *p, Arena *a, Str *out);
/* How the collection's folder is walked; our own data folder is never part of it. No deadline. */
MUST_USE Err engine_walk_opts(const Pythia *p, Arena *a, Str root, const IndexSettings *s, WalkOpts *out);
/* True when the settings' globs leave path (relative to the root) out: "x" includes, "!x" excludes, the last match
 * wins. */
bool settings_exclude(const IndexSettings *s, Str path);

/* ChunkOpts.count_tokens without a model, where only the budget's size matters: about four bytes a token. */
size_t engine_rough_tokens(const void *ctx, Str text);

const char *run_state_name(RunState s); /* "queued" … */

/* Appends a copy of path and reason to a list in the arena. */
MUST_USE Err reason_add(Arena *a, PathReason **list, size_t *n, Str path, Str reason);

/* Public ids of chunks: "k" and five or more letters of Crockford's base 32, scrambled so that neighbours differ. */
void chunk_id_write(int64_t chunk, char out[24]);
bool chunk_id_read(Str s, int64_t *chunk);

/* ---- embed.c: the second half of indexing, also run alone after an interrupt ---- */
typedef struct {
    int64_t embedded, reused, tokens, lost; /* lost: the text changed meanwhile */
    double seconds;
} EmbedReport;
typedef struct {
    Err (*beat)(void *ctx, int64_t done, int64_t total,
                int64_t tokens); /* after each batch; an error ends it; may be NULL */
    void *ctx;
    bool (*pause)(void *ctx); /* before each batch, which are small then: true ends it with ERR_OK; may be NULL */
    void *pause_ctx;
} EmbedHow;
/* Embeds all pending chunks of the collection, batch by batch, each one transaction; c->rows follows. */
MUST_USE Err engine_embed_pending(Pythia *p, Store *s, StoreCollection *c, const Model *m, const EmbedHow *how,
                                  EmbedReport *out);
/* Drops vectors that no chunk needs, and compacts when most are dead. */
MUST_USE Err engine_sweep(Pythia *p, Store *s, StoreCollection *c);

#endif
