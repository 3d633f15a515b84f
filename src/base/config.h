/* config.h - the configuration: one table names every key once and serves file, environment, flags, --help and manual.
 *
 * Precedence: flag, environment (PYTHIA_<SECTION>_<KEY>), <root>/.pythia.ini, $XDG_CONFIG_HOME/pythia/config.ini,
 * default. A project's own file may set only keys marked CONFIG_PROJECT, unless its content was trusted (`pythia config
 * trust`). An unknown section or key is an error that names the file, the line and the nearest valid keys.
 *
 * Threads: immutable once loaded.
 */
#ifndef PYTHIA_BASE_CONFIG_H
#define PYTHIA_BASE_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef enum {
    CONFIG_STR,
    CONFIG_INT,
    CONFIG_FLOAT,
    CONFIG_BOOL,
    CONFIG_BYTES,
    CONFIG_DURATION,
    CONFIG_ENUM
} ConfigType;
enum { CONFIG_PROJECT = 1 }; /* flag: a project's own file may set it without trust */

/* X(id, section, key, type, default, values, flags, one line of help); values: "a|b|c" of an ENUM, "least..most" of a
 * FLOAT ("": 0..1), else "" */
#define CONFIG_LIST(X)                                                                                                 \
    X(MODEL_EMBED, "model", "embed", STR, "all-minilm-l6-v2", "", 0,                                                   \
      "embedding model: a name from `pythia model list` or a GGUF file")                                               \
    X(MODEL_RERANK, "model", "rerank", STR, "ms-marco-minilm-l6-v2", "", 0,                                            \
      "reranker: a name from `pythia model list`, a GGUF file, or remote:NAME")                                        \
    X(MODEL_THREADS, "model", "threads", INT, "0", "", 0, "threads of the engine (0: one a core)")                     \
    X(MODEL_PRECISION, "model", "precision", ENUM, "auto", "auto|exact|fast|f32", 0,                                   \
      "numbers of the engine: exact (bfloat16 where the CPU has it), fast (int8), f32; auto: fast for new "            \
      "collections "                                                                                                   \
      "where it finds as well, else exact; a collection keeps its own")                                                \
    X(MODEL_MAX_TOKENS, "model", "max_tokens", INT, "0", "", CONFIG_PROJECT,                                           \
      "cut texts at so many tokens (0: the model's own limit)")                                                        \
    X(MODEL_MEMORY, "model", "memory", BYTES, "0", "", 0, "memory to stay within (0: a quarter of the machine's)")     \
    X(MEMORY_CACHE_SIZE, "memory", "cache_size", BYTES, "32M", "", 0,                                                  \
      "embeddings of queries kept by a long-lived process")                                                            \
    X(MEMORY_THRESHOLD, "memory", "pressure_threshold", FLOAT, "60", "0..100", 0,                                      \
      "percent of model.memory from which work is done by fewer workers")                                              \
    X(INDEX_KIND, "index", "kind", ENUM, "auto", "auto|flat|exact|hnsw|ivfpq|compact", CONFIG_PROJECT,                 \
      "how vectors are searched; auto: flat, from a million vectors on hnsw")                                          \
    X(INDEX_GRAPH_DEGREE, "index", "graph_degree", INT, "0", "", CONFIG_PROJECT,                                       \
      "hnsw: neighbours of a node (0: 16); compact needs no graph")                                                    \
    X(INDEX_SEARCH_COMPLEXITY, "index", "search_complexity", INT, "64", "", CONFIG_PROJECT,                            \
      "compact: vectors that a search computes anew at most (0: as many as it takes)")                                 \
    X(INDEX_PARTITIONS, "index", "partitions", INT, "0", "", CONFIG_PROJECT,                                           \
      "flat, ivfpq: parts that vectors are grouped into (0: by their number)")                                         \
    X(INDEX_ASSIGNMENTS, "index", "assignments", INT, "0", "", CONFIG_PROJECT,                                         \
      "flat: parts that a vector stands in (0: 1); 2 takes 56 bytes more each")                                        \
    X(INDEX_KEEP_F32, "index", "keep_f32", BOOL, "false", "", CONFIG_PROJECT,                                          \
      "flat, hnsw, ivfpq: keep vectors as floats, too, for the order of the last few hits")                            \
    X(INDEX_SUB_VECTORS, "index", "sub_vectors", INT, "0", "", CONFIG_PROJECT,                                         \
      "ivfpq: pieces of a vector, a code each (0: 48)")                                                                \
    X(INDEX_MAX_FILE_SIZE, "index", "max_file_size", BYTES, "1M", "", CONFIG_PROJECT,                                  \
      "larger files are skipped, with the reason kept")                                                                \
    X(INDEX_JOBS, "index", "jobs", INT, "0", "", 0, "worker threads of `index` (0: one a core)")                       \
    X(INDEX_CACHE_SIZE, "index", "cache_size", BYTES, "128M", "", 0,                                                   \
      "disk space, a model, for vectors of texts that went, should they come back (0: none)")                          \
    X(INDEX_SKIM_FROM, "index", "skim_from", BYTES, "8M", "", 0,                                                       \
      "so much of new files is first made searchable in coarse pieces, within seconds (0: never)")                     \
    X(INDEX_STATIC_FROM, "index", "static_from", BYTES, "8M", "", 0,                                                   \
      "new files of this size in all have a static table of the model made, once, for search.static (0: never)")       \
    X(INDEX_HIDDEN, "index", "hidden", BOOL, "false", "", CONFIG_PROJECT, "index hidden files too")                    \
    X(INDEX_NOISE, "index", "noise", ENUM, "rank", "rank|keep", CONFIG_PROJECT,                                        \
      "rank: skip lock files, minified files and installed packages, rank generated and vendored ones lower; keep: "   \
      "take all alike")                                                                                                \
    X(INDEX_SECRETS, "index", "secrets", BOOL, "false", "", 0,                                                         \
      "index what looks like a secret too: environment files, keys, credentials")                                      \
    X(DOCUMENTS_MAX_FILE_SIZE, "documents", "max_file_size", BYTES, "64M", "", CONFIG_PROJECT,                         \
      "larger PDFs, office documents, books and mailboxes are skipped")                                                \
    X(DOCUMENTS_MEMORY, "documents", "memory", BYTES, "1G", "", 0, "memory of the confined process that reads one")    \
    X(DOCUMENTS_TIMEOUT, "documents", "timeout", DURATION, "60s", "", 0, "give a document up after")                   \
    X(DOCUMENTS_OCR, "documents", "ocr", BOOL, "false", "", CONFIG_PROJECT,                                            \
      "read pictures, and PDFs that are pictures, with tesseract, where it is installed; some seconds a page")         \
    X(DOCUMENTS_OCR_PAGES, "documents", "ocr_pages", INT, "50", "", CONFIG_PROJECT, "of a document at most")           \
    X(DOCUMENTS_OCR_LANGUAGES, "documents", "ocr_languages", STR, "eng", "", CONFIG_PROJECT,                           \
      "tesseract's names of them, such as eng+deu")                                                                    \
    X(STORE_BACKEND, "store", "backend", ENUM, "local", "local", 0, "where new collections live")                      \
    X(STORE_PATH, "store", "path", STR, "", "", 0, "folder of the local store (default: the data folder)")             \
    X(SEARCH_LIMIT, "search", "limit", INT, "10", "", CONFIG_PROJECT, "hits shown")                                    \
    X(SEARCH_MODE, "search", "mode", ENUM, "hybrid", "hybrid|semantic|lexical|symbol|regex", CONFIG_PROJECT,           \
      "how hits are found")                                                                                            \
    X(SEARCH_FUSION, "search", "fusion", ENUM, "convex", "convex|rrf", CONFIG_PROJECT,                                 \
      "how words and vectors are combined")                                                                            \
    X(SEARCH_ALPHA, "search", "alpha", FLOAT, "0.65", "", CONFIG_PROJECT,                                              \
      "weight of the vectors in convex fusion, 0..1")                                                                  \
    X(SEARCH_STATIC, "search", "static", BOOL, "true", "", CONFIG_PROJECT,                                             \
      "chunks that have no vector yet are also judged by a static table of their model, where there is one")           \
    X(SEARCH_COLLAPSE, "search", "collapse", BOOL, "true", "", CONFIG_PROJECT,                                         \
      "hits of the same text, or nearly the same, are one, with their other places")                                   \
    X(SEARCH_RERANK, "search", "rerank", BOOL, "false", "", CONFIG_PROJECT,                                            \
      "read the first hits once more with the reranker (model.rerank), which takes its time")                          \
    X(SEARCH_RERANK_DEPTH, "search", "rerank_depth", INT, "50", "", CONFIG_PROJECT,                                    \
      "so many of the first hits are read, 1..1000")                                                                   \
    X(SEARCH_RERANK_WEIGHT, "search", "rerank_weight", FLOAT, "0.7", "", CONFIG_PROJECT,                               \
      "weight of what the reranker says in a hit's score, 0..1")                                                       \
    X(SEARCH_MIN_SCORE, "search", "min_score", FLOAT, "0", "", CONFIG_PROJECT, "hits below are not shown, 0..1")       \
    X(SEARCH_DEADLINE, "search", "deadline", DURATION, "0", "", CONFIG_PROJECT,                                        \
      "answer with what is found by then (0: none)")                                                                   \
    X(ASK_ABSTAIN, "ask", "abstain", FLOAT, "0.4", "0..1", CONFIG_PROJECT,                                             \
      "no answer when the confidence is below, 0..1")                                                                  \
    X(ASK_URL, "ask", "url", STR, "", "", 0,                                                                           \
      "who writes answers: none (they are quoted), local (ask.model in our own engine), or a service with OpenAI's "   \
      "API, such "                                                                                                     \
      "as http://127.0.0.1:8081/v1")                                                                                   \
    X(ASK_MODEL, "ask", "model", STR, "", "", 0,                                                                       \
      "the writer: for local a name from `pythia model list` or a GGUF file, else what the service calls it")          \
    X(ASK_KEY_ENV, "ask", "key_env", STR, "", "", 0, "environment variable that holds the service's key")              \
    X(ASK_CONTEXT_TOKENS, "ask", "context_tokens", INT, "4096", "", CONFIG_PROJECT,                                    \
      "tokens of sources that a writer reads at most")                                                                 \
    X(LEXICAL_K1, "lexical", "k1", FLOAT, "0.9", "0.01..100", CONFIG_PROJECT,                                          \
      "BM25's k1: how much a word's further occurrences count")                                                        \
    X(LEXICAL_B, "lexical", "b", FLOAT, "0.5", "", CONFIG_PROJECT,                                                     \
      "BM25's b: how much long chunks are held back, 0..1")                                                            \
    X(LEXICAL_SYMBOL, "lexical", "weight_symbol", FLOAT, "5", "0..1000", CONFIG_PROJECT,                               \
      "what a word counts in a symbol's name")                                                                         \
    X(LEXICAL_PATH, "lexical", "weight_path", FLOAT, "2", "0..1000", CONFIG_PROJECT, "what a word counts in a path")   \
    X(LEXICAL_HEADING, "lexical", "weight_heading", FLOAT, "2", "0..1000", CONFIG_PROJECT,                             \
      "what a word counts in a title or heading")                                                                      \
    X(LEXICAL_BODY, "lexical", "weight_body", FLOAT, "1", "0..1000", CONFIG_PROJECT, "what a word counts in the text") \
    X(EMBED_REMOTE_URL, "embed_remote", "url", STR, "", "", 0,                                                         \
      "service for models called remote:NAME, such as http://127.0.0.1:8081/v1")                                       \
    X(EMBED_REMOTE_MODEL, "embed_remote", "model", STR, "", "", 0,                                                     \
      "the service's model when --model is just `remote`")                                                             \
    X(EMBED_REMOTE_KEY_ENV, "embed_remote", "key_env", STR, "", "", 0,                                                 \
      "environment variable that holds the service's key")                                                             \
    X(EMBED_REMOTE_TOKENIZER, "embed_remote", "tokenizer", STR, "", "", 0,                                             \
      "local model whose tokenizer counts the service's tokens (none: estimated)")                                     \
    X(EMBED_REMOTE_DIMENSIONS, "embed_remote", "dimensions", INT, "0", "", 0,                                          \
      "dimensions to ask the service for, of models that can shorten their vectors (0: the model's own)")              \
    X(EMBED_REMOTE_QUERY_PREFIX, "embed_remote", "query_prefix", STR, "", "", 0,                                       \
      "what the service's model wants before a query, in double quotes if it ends in a blank")                         \
    X(EMBED_REMOTE_DOCUMENT_PREFIX, "embed_remote", "document_prefix", STR, "", "", 0, "likewise before a document")   \
    X(RERANK_REMOTE_URL, "rerank_remote", "url", STR, "", "", 0,                                                       \
      "service for rerankers called remote:NAME, with Cohere's API, such as http://127.0.0.1:8081/v1")                 \
    X(RERANK_REMOTE_MODEL, "rerank_remote", "model", STR, "", "", 0,                                                   \
      "the service's model when model.rerank is just `remote`")                                                        \
    X(RERANK_REMOTE_KEY_ENV, "rerank_remote", "key_env", STR, "", "", 0,                                               \
      "environment variable that holds the service's key")                                                             \
    X(NETWORK_CONNECT, "network", "connect_timeout", DURATION, "10s", "", 0, "give up connecting after")               \
    X(NETWORK_STALL, "network", "stall_timeout", DURATION, "60s", "", 0, "give up when no byte moved for so long")     \
    X(NETWORK_ATTEMPTS, "network", "attempts", INT, "5", "", 0, "attempts before a failure that may pass is told")     \
    X(SERVE_HTTP, "serve", "http", STR, "127.0.0.1:8080", "", 0,                                                       \
      "address that `serve` listens on; EMBEDDING_SERVER_PORT sets the port")                                          \
    X(SERVE_SOCKET, "serve", "socket", STR, "", "", 0, "Unix socket of `serve` (none: no socket)")                     \
    X(SERVE_SHARED, "serve", "shared", BOOL, "true", "", 0,                                                            \
      "a server that runs answers search, similar, ask and embed of the command line, too")                            \
    X(SERVE_SHARED_WAIT, "serve", "shared_wait", DURATION, "300ms", "", 0,                                             \
      "a server that shows no life for so long is not waited for")                                                     \
    X(SERVE_TOOL_DEADLINE, "serve", "tool_deadline", DURATION, "18s", "", 0,                                           \
      "an agent's search, ask or index answers by then with what it has: clients give up at some 20 s")                \
    X(SERVE_TOKEN_FILE, "serve", "token_file", STR, "", "", 0,                                                         \
      "file of hashed access tokens (default: tokens in the data folder)")                                             \
    X(SERVE_ALLOWED_ORIGINS, "serve", "allowed_origins", STR, "", "", 0,                                               \
      "web origins that may call `serve`, with commas between, such as https://app.example.org")                       \
    X(SERVE_ALLOWED_ROOTS, "serve", "allowed_roots", STR, "", "", 0,                                                   \
      "folders that callers may have indexed, with commas between, beside those of collections")                       \
    X(SERVE_MAX_BODY, "serve", "max_body", BYTES, "4M", "", 0, "largest request body")                                 \
    X(SERVE_MAX_UPLOAD, "serve", "max_upload", BYTES, "64M", "", 0,                                                    \
      "largest body of calls that take many texts: index, embed, rerank")                                              \
    X(SERVE_MAX_QUEUE, "serve", "max_queue", INT, "256", "", 0, "calls that may wait; more are answered 503")          \
    X(SERVE_MAX_CONNECTIONS, "serve", "max_connections", INT, "1024", "", 0, "connections at a time")                  \
    X(SERVE_TIMEOUT, "serve", "timeout", DURATION, "30s", "", 0, "close a connection that stands still for so long")   \
    X(SERVE_WORKERS, "serve", "workers", INT, "0", "", 0, "calls answered at a time (0: two a core, 4 to 16)")         \
    X(SERVE_INGEST_WORKERS, "serve", "ingest_workers", INT, "1", "", 0,                                                \
      "indexing runs of folders at a time, and as many puts and uploads beside them")                                  \
    X(SERVE_RATE_LIMIT, "serve", "rate_limit", INT, "0", "", 0,                                                        \
      "requests a second of each token, or address without one (0: no limit)")                                         \
    X(SERVE_IDLE_EXIT, "serve", "idle_exit", DURATION, "0", "", 0, "end after so long without a call (0: never)")      \
    X(SERVE_TLS_CERT, "serve", "tls_cert", STR, "", "", 0, "certificate chain in PEM: HTTPS instead of HTTP")          \
    X(SERVE_TLS_KEY, "serve", "tls_key", STR, "", "", 0, "its private key in PEM")                                     \
    X(SERVE_LOG, "serve", "log", ENUM, "stderr", "stderr|none", 0, "one JSON line a request")                          \
    X(LOG_LEVEL, "log", "level", ENUM, "warn", "error|warn|info|debug|trace", 0, "what is logged on stderr")           \
    X(UI_COLOR, "ui", "color", ENUM, "auto", "auto|always|never", 0,                                                   \
      "colours and links on a terminal (NO_COLOR is honoured)")                                                        \
    X(UI_PROGRESS, "ui", "progress", ENUM, "auto", "auto|plain|json|none", 0, "how progress is shown")

typedef enum {
#define CONFIG_ENUM_ID(id, section, key, type, def, values, flags, help) CONF_##id,
    CONFIG_LIST(CONFIG_ENUM_ID)
#undef CONFIG_ENUM_ID
        CONF_COUNT
} ConfigKey;

typedef struct {
    const char *section, *key;
    ConfigType type;
    const char *default_value, *values;
    int flags;
    const char *help;
} ConfigDef;

extern const ConfigDef config_defs[CONF_COUNT];

/* [collection NAME] of a file: what a collection is made of. */
typedef struct {
    Str name, path, include, exclude, describe, model, store, index; /* empty: not set */
    Str origin;
} ConfigCollection;

typedef struct Config Config;

/* The value of an environment variable; NULL when it is unset or empty. environ: NULL: there is none. */
const char *env_get(char **environ, const char *name);

typedef struct {
    const char *user_file;    /* NULL: none */
    const char *project_file; /* NULL: none; the nearest .pythia.ini at or above the working folder */
    bool project_trusted;
    char **environ; /* NULL: none */
} ConfigSources;

/* Reads all sources. Errors: ERR_USAGE with file, line and key; ERR_IO. */
MUST_USE Err config_load(Config **out, const ConfigSources *sources);
void config_free(Config *c);

/* A flag's value: overrides everything. ERR_USAGE names the value and what is valid. */
MUST_USE Err config_set(Config *c, ConfigKey key, Str value, const char *origin);
/* "section.key" -> key; ERR_USAGE lists near names. */
MUST_USE Err config_find(Str name, ConfigKey *out);

Str config_text(const Config *c, ConfigKey key); /* the value as text */
const char *config_origin(const Config *c,
                          ConfigKey key); /* "default", "environment PYTHIA_…", "/path/config.ini:12", "flag --limit" */
int64_t config_int(const Config *c, ConfigKey key); /* INT, BYTES, DURATION (ms), BOOL (0/1), ENUM (position) */
double config_float(const Config *c, ConfigKey key);
bool config_bool(const Config *c, ConfigKey key);
size_t config_collections(const Config *c, const ConfigCollection **out);

/* Writes key = value into an INI file, keeping everything else of it (comments too); made when missing. Empty value
 * removes the key. Atomic. */
MUST_USE Err config_write(const char *file, ConfigKey key, Str value);

#endif
