/* pythia.h - the whole of Pythia behind one header: what cli, serve and embedding programs see.
 *
 * A Pythia holds the configuration, the store and the models in use. Requests are plain structs, replies live in the
 * caller's arena. Errors are Err with a text and a mending command (err.h).
 *
 * Threads: a Pythia is for one thread at a time. A program of several threads opens one for each, `beside` the first: they
 * share models, and queries go before indexing.
 */
#ifndef PYTHIA_ENGINE_PYTHIA_H
#define PYTHIA_ENGINE_PYTHIA_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/types.h"

#define PYTHIA_VERSION "0.1.0"

typedef struct Pythia Pythia;

typedef struct {
    Config *config;             /* borrowed */
    const char *home;           /* data folder (pythia_home) */
    const char *cwd;            /* folder that relative paths start from */
    char **environ;             /* for XDG_CONFIG_HOME and HOME; NULL: none */
    const volatile int *cancel; /* set by a signal: work stops cleanly at the next border; may be NULL */
    Pythia *beside;             /* shares its models, threads and caches; of the same configuration. NULL: its own */
    /* A program whose main begins with pythia_reader_main, as "/proc/self/exe" is for one that does: documents (PDF, office,
     * mail …) are read in a confined child of it. NULL: they are skipped, and what is text anyway (HTML, CSV) is read as it stands. */
    const char *reader;
} PythiaOpts;

/* First thing in main: true when the program was started to read one document; *code is what to return then. */
bool pythia_reader_main(int argc, char **argv, int *code);

/* $PYTHIA_HOME, else $XDG_DATA_HOME/pythia, else ~/.local/share/pythia. ERR_USAGE when none can be told. */
MUST_USE Err pythia_home(Arena *a, char **environ, const char **out);

/* Cheap: store and models open at first use. opts->beside must be open meanwhile, not longer. */
MUST_USE Err pythia_open(Pythia **out, const PythiaOpts *opts);
void pythia_close(Pythia *p);
/* Relative paths, and the collection that covers the folder, are those of cwd from now on: for a Pythia that works for callers in
 * several folders. cwd is borrowed until the next call. */
void pythia_stand(Pythia *p, const char *cwd);

/* ---- index ---- */
typedef struct {
    const char *stage; /* "walk", "skim", "read", "embed", "done" */
    const char *collection;
    int64_t done, total; /* in units of the stage: files, chunks */
    int64_t files, chunks, tokens, bytes;
    double seconds;
    bool finished;
} IndexProgress;
typedef void (*IndexProgressFn)(void *ctx,
                                const IndexProgress *progress); /* at most 10 a second, and once at the end */

typedef struct {
    const Str *paths;
    size_t n_paths; /* folders or files; none: cwd */
    Str collection; /* name; "": the collection whose root covers the path, else one named after the folder */
    Str model;      /* "" : the collection's, else configuration */
    bool force;     /* everything again, also with another model */
    bool dry_run;   /* tells what would be done */
    bool lex_only;  /* words only; embeddings stay pending */
    bool hidden, no_ignore;
    const Str *globs;
    size_t n_globs; /* "x" includes, "!x" excludes */
    bool if_needed; /* no run when nothing is to be done: the report's `run` is 0 then */
    /* Asked before each batch of embeddings, from the calling thread: true leaves the rest pending. NULL: all at once. */
    bool (*pause)(void *ctx);
    void *pause_ctx;
    IndexProgressFn progress;
    void *progress_ctx;
    /* Told when the words of all files can be searched, if only in coarse pieces; much of the run may be to come. */
    void (*searchable)(void *progress_ctx);
    /* Told when a collection's run has begun: its row is there, for pythia_runs. root: its folder. NULL: nobody wants to know. */
    void (*begun)(void *progress_ctx, int64_t run, Str collection, Str root);
} IndexRequest;

typedef struct {
    Str path, reason;
} PathReason;

typedef struct {
    Str collection, root, model;
    Str index_kind, index_why; /* why: of a kind that was chosen by the collection's size; "" else */
    int64_t run;
    int64_t files_seen, added, changed, renamed, removed, unchanged, skipped, failed;
    int64_t chunks, embedded, reused, tokens, text_bytes;
    int64_t pending; /* chunks that wait for a vector, with a model */
    double seconds, embed_seconds;
    double searchable_seconds; /* from the start until the words of all files could be found */
    bool recut;                /* its chunks were cut by an older pythia: all files are cut anew */
    PathReason *failures;
    size_t n_failures; /* files that could not be read */
    PathReason *plan;
    size_t n_plan; /* dry_run: path and "add", "change", "rename from …", "remove", "skip: …" */
} IndexReport;

/* One report a collection touched. ERR_PARTIAL when some files failed (the reports are filled). ERR_INTERRUPT: what was
 * done is kept; the next index goes on from there. */
MUST_USE Err pythia_index(Pythia *p, Arena *a, const IndexRequest *rq, IndexReport **out, size_t *n);

/* ---- watch ---- */
typedef struct {
    enum { WATCH_BEGUN, WATCH_INDEXED, WATCH_EMBEDDED, WATCH_FAILED } what;
    Str collection, root;
    size_t folders;            /* begun: watched ones */
    const char *polls;         /* begun: why the tree is polled as well; NULL: it is not */
    const IndexReport *report; /* indexed: what was found changed; embedded: nothing is pending any more */
    Err err;                   /* failed: err_text() has the words; watching goes on */
    double ms;                 /* from the first event to the end of the run; 0: no event led to it */
} WatchNews;
typedef Err (*WatchTell)(void *ctx, const WatchNews *news);

typedef struct {
    IndexRequest index; /* what to watch and how to index it; if_needed and pause are the watch's own */
    bool all;           /* every collection with a folder, instead of index.paths */
    bool poll;          /* do not ask the system what changes: for folders that other machines write to */
    WatchTell tell;
    void *ctx;
} WatchRequest;

/* Indexes the folders, then keeps them fresh until opts.cancel is set, which is ERR_OK: words of a saved file can be found
 * within a second, vectors follow, and whatever is still to be embedded waits for the changes. Errors: those of pythia_index
 * at the start; later ones are told as news, and `tell`'s own. */
MUST_USE Err pythia_watch(Pythia *p, const WatchRequest *rq);

/* ---- documents ---- */
typedef struct {
    Str uri, path, title, lang;
    Str meta;          /* what it says of itself: base/meta.h */
    const char *state; /* "active", "skipped", "failed" */
    Str reason;        /* of the latter two */
    char sha256[65];   /* of its bytes, hex */
    int64_t bytes, chunks /* of pythia_document only */, indexed_ms, modified_ms;
} PythiaDocument;
/* Of all states, by path, from behind `after` ({NULL,0}: the first), at most limit; *more: there are further ones. Cost: a
 * pass over the collection's rows. */
MUST_USE Err pythia_documents(Pythia *p, Arena *a, Str collection, Str after, size_t limit, PythiaDocument **out,
                              size_t *n, bool *more);
/* By its path, or its URI. ERR_NO_DOCUMENT. */
MUST_USE Err pythia_document(Pythia *p, Arena *a, Str collection, Str path, PythiaDocument *out);

typedef struct {
    Str id;    /* the caller's; "": the text's own hash. The same id again replaces */
    Str title; /* "": none */
    Str text;
    Str meta; /* lines of base/meta.h; "": none */
} AddDocument;
typedef struct {
    int64_t documents, chunks, tokens;
} AddReport;
/* Puts texts that no file has into a managed collection, made when there is none of that name. Searchable when it returns.
 * ERR_INPUT: the collection is a folder's; ERR_BUSY: another call is writing to it. */
MUST_USE Err pythia_add(Pythia *p, Arena *a, Str collection, const AddDocument *docs, size_t n, AddReport *out);
/* Of a managed collection, by its path or its URI. */
MUST_USE Err pythia_document_remove(Pythia *p, Arena *a, Str collection, Str path);

/* ---- uploads ---- */
typedef struct {
    int fd;    /* open on a regular file, which is read from its start; stays the caller's */
    Str name;  /* "report.pdf": tells its format, and is what it will be called; folders before it are dropped */
    Str title; /* "": the document's own */
    const Sha256 *sha256; /* of its bytes, where the caller knows it (base/spool.h); NULL: they are hashed */
} UploadFile;
typedef enum {
    UPLOAD_ADDED,
    UPLOAD_REPLACED, /* a document of its name, with other content */
    UPLOAD_KNOWN,    /* these very bytes were there: nothing was done, `document` is what they are */
    UPLOAD_REFUSED,  /* nothing of it was kept: `reason` */
    UPLOAD_OUTCOMES
} UploadOutcome;
extern const char *const upload_outcome_names[UPLOAD_OUTCOMES]; /* "added", "replaced", "known", "refused" */
typedef struct {
    UploadOutcome outcome;
    Str name;                /* as it was given */
    PythiaDocument document; /* of all but refused ones; its path is another name when that one was taken */
    Str reason;              /* refused */
} Uploaded;
typedef struct {
    Str collection; /* a managed one; made when there is none of that name */
    const UploadFile *files;
    size_t n;
    bool
        replace; /* of two documents with one name the old one goes; else both stay, the new one with a number: "report-2.pdf" */
    IndexProgressFn progress; /* stages "read" (files), "embed" (chunks) */
    void *progress_ctx;
} UploadRequest;
typedef struct {
    Uploaded *files; /* [n] in the order of the request */
    size_t n;
    int64_t run; /* 0: nothing was to be done */
    int64_t added, replaced, known, refused, chunks, embedded, reused, tokens;
    double seconds;
} UploadReport;
/* Puts files of any format that can be read into a managed collection, by their content: their text is kept, a copy of what
 * is there already costs nothing. Searchable when it returns. ERR_PARTIAL: some were refused, ERR_INPUT: all were (the report is
 * filled). ERR_INPUT too: the collection is a folder's. ERR_BUSY: another call is writing to it. ERR_INTERRUPT: what was put stays. */
MUST_USE Err pythia_upload(Pythia *p, Arena *a, const UploadRequest *rq, UploadReport *out);

/* ---- search ---- */
/* Requests and replies of searches travel between processes: their members are listed in serve/parcel.c, too. */
typedef struct {
    int64_t indexed, pending, skipped,
        stale;       /* files; of them with chunks that wait for vectors; left out; hits that changed */
    int64_t skimmed; /* files that are found by coarse pieces so far */
    int64_t statics; /* chunks without a vector that a static table judges meanwhile (search.static) */
    double ratio;    /* share of chunks with vectors, 0..1 */
} Coverage;

/* Another place of a hit's text, or of one that is nearly the same. */
typedef struct {
    Str id, uri, path, collection, root;
    int32_t start_line, end_line;
    float likeness; /* 1: the same; 0.8 at least */
} PythiaCopy;

typedef struct {
    Str id; /* "k3f9a2" */
    Str uri, path, collection, root;
    int32_t start_line, end_line, page;
    Str symbol, kind, lang, heading, title; /* empty: none */
    Str meta;                               /* what the document says of itself: base/meta.h */
    float score;
    const char *freshness;
    Str content;
    int32_t lex_rank, vec_rank; /* explain; 0: not in that arm */
    float bm25, cosine, fused;
    float named;        /* what fused has more because it defines the name that is asked for; 0: it does not */
    float prior;        /* what fused was multiplied by: less than 1 for generated, vendored and other noise */
    bool estimated;     /* cosine is what a code says, within some hundredths: no vector was computed */
    int32_t first_rank; /* explain, of a hit that was reranked: its place before; 0: it was not */
    float first_score;  /* likewise, its score before */
    float relevance;    /* likewise, 0..1: what the reranker says of it */
    PythiaCopy *copies; /* [n_copies] best first, at most 16 */
    size_t n_copies;
    int64_t more_copies; /* seen, and not listed */
} PythiaHit;

/* Of searches whose first hits were to be reranked. */
typedef struct {
    bool any;
    Str model;
    int64_t wanted, scored; /* hits to be read, and those that were: fewer when the deadline came first */
    double weight;          /* of relevance in score */
    double ms;
} PythiaReranked;

/* Of indexes that keep no vectors (compact): what a search computed anew. */
typedef struct {
    bool any;                       /* the search had such an index to ask */
    int64_t computed, cached, lost; /* vectors: of texts embedded now, known from before, of texts that are gone */
    bool proven;                    /* the codes' error bounds rule out that another chunk belongs among the hits */
    double ms;
} PythiaRecomputed;

typedef struct {
    Str query; /* with operators: search/query.h tells which */
    Str like; /* not "": what is nearest to the chunk at this place (an id, PATH, PATH:LINE), instead of query; without that chunk */
    const Str *paths;
    size_t n_paths; /* narrow to these folders or files; they also choose the collection */
    const Str *collections;
    size_t n_collections; /* by name; none: the one that covers cwd (or paths) */
    size_t limit;
    const char *mode;   /* "hybrid", "semantic", "lexical"; NULL: configuration */
    const char *fusion; /* "convex", "rrf"; NULL: configuration */
    const Str *langs;
    size_t n_langs;
    const Str *globs;
    size_t n_globs;
    const Str *kinds;
    size_t n_kinds;
    const Str *metas;
    size_t n_metas; /* "author=berg": the document says so of itself (base/types.h) */
    int64_t since_ms, until_ms;
    double min_score;    /* < 0: configuration */
    int64_t deadline_ms; /* < 0: configuration; 0: none */
    bool full;           /* of each hit all that it is a part of: its symbol or section */
    int32_t rerank;      /* read the first hits once more with the reranker: 1 yes, -1 no, 0 as configured */
    int32_t collapse;    /* hits of the same or nearly the same text are one: likewise; never of `like` */
} PythiaSearch;

typedef struct {
    Str query;
    const char *mode;
    PythiaHit *hits;
    size_t n;
    int64_t total;
    bool has_more, deadline_hit;
    PythiaRecomputed recomputed;
    PythiaReranked reranked;
    double took_ms;
    struct {
        double open_ms, model_ms, embed_ms, lexical_ms, vector_ms, fuse_ms, fresh_ms;
    } timing;
    Coverage coverage;
} PythiaReply;

/* Nothing found is ERR_OK with n 0. A reranker that is missing or fails is an error (ERR_NO_MODEL, ERR_NETWORK), one that the deadline
 * stops is not; in the modes symbol and regex and of `like` asking for one is ERR_USAGE, a configured one is not asked.
 * ERR_NO_COLLECTION when nothing covers the place; its fix is the index command. */
MUST_USE Err pythia_search(Pythia *p, Arena *a, const PythiaSearch *rq, PythiaReply *out);

/* ---- ask ---- */
typedef struct {
    size_t source; /* number of the source, from 1 */
    int32_t start_line, end_line;
    Str quote; /* stands there word for word */
    float score;
} PythiaCitation;
typedef struct {
    Str sentence;
    const char *why;
} PythiaRefused;
typedef struct {
    Str question;      /* as it was asked */
    PythiaReply found; /* what was searched, and every hit; its query: the question as it was understood */
    int64_t session;   /* the chat that it is a turn of; 0: of none */
    bool abstained;
    double confidence; /* 0..1 that the sources answer */
    double threshold;
    Str answer;         /* each sentence with its sources' numbers "[1]" behind it; "" when abstained */
    const char *writer; /* "extractive", "local", "endpoint" */
    Str model;          /* of the writer; "": it has none */
    /* [n_sources] by number: the hits that are quoted, or all that the writer read; when abstained those that came nearest */
    PythiaHit *sources;
    size_t n_sources;
    size_t context_tokens; /* of the sources that the writer read; 0: it reads none */
    struct {
        int64_t read, written;
        bool estimated; /* some of it: a service did not say, or no tokenizer is known */
    } tokens; /* by the writer, of all it was asked; of quotes: what was read and quoted, where that was asked for */
    PythiaCitation *citations; /* [n_citations] of quotes best first, else in order of the answer */
    size_t n_citations;
    PythiaRefused *refused; /* [n_refused] sentences of the writer that stand in no source: no part of the answer */
    size_t n_refused;
    struct {
        float share, cosine, span_share, span_cosine, expected, margin, denied, opposed;
    } evidence; /* what the confidence was made of (answer/answer.h) */
    double answer_ms, took_ms;
} PythiaAnswer;

/* An answer on its way, in this order: the sources once; then each part of the text and what it cites; or that there is none. */
typedef struct {
    enum { ASK_SOURCES, ASK_DELTA, ASK_CITATION, ASK_ABSTAIN } what;
    const PythiaAnswer *answer; /* filled as far as things went */
    Str delta;                  /* what comes behind the text so far; checked: nothing is taken back */
    const PythiaCitation *citation;
} PythiaAskNews;
/* False: nobody listens any more, and the answer ends there. */
typedef bool (*PythiaAskTell)(void *ctx, const PythiaAskNews *news);

/* A question before this one, and what was answered. */
typedef struct {
    Str question, answer; /* answer "": there was none */
} PythiaTurn;

typedef struct {
    PythiaSearch search;   /* query: the question; limit: hits to read, 0: 8 */
    size_t quotes;         /* at most; 0: 3 */
    double threshold;      /* 0..1: no answer when the confidence is below; < 0: configuration (ask.abstain) */
    bool extractive;       /* quotes alone, whatever ask.url says */
    bool sources_only;     /* no answer is written: only what it would be written from */
    size_t context_tokens; /* that the writer reads at most; 0: configuration (ask.context_tokens) */
    bool whole;            /* a service may answer in one piece */
    bool count_tokens;     /* of quotes, too: by the collection's tokenizer */
    Str session;           /* a chat's number, or "new": what was said before counts, and the turn is kept; "": none */
    Str owner;             /* whose chat it is, and whose a new one will be; {NULL,0}: anybody's, and nobody's */
    bool any_collections;  /* search.collections are those there are, none was asked for: a chat's own go before */
    const PythiaTurn *turns; /* [n_turns] instead: what was said before, oldest first; nothing is kept */
    size_t n_turns;
    PythiaAskTell tell; /* NULL: nobody listens */
    void *tell_ctx;
} PythiaAsk;

/* A question that follows on others is put so that it stands by itself (answer/followup.h) before it is searched for.
 * Answers out of the best hits, or says that none of them answers: ERR_OK with `abstained`. Who writes is configured (ask.url);
 * what is written is checked sentence by sentence against the sources, and what does not stand there is left out. Errors: those of
 * pythia_search; ERR_USAGE: the writer's configuration; ERR_NO_MODEL, ERR_UNSUPPORTED: a model that is not there or does not
 * write; ERR_NETWORK: the service, told with its URL; ERR_NO_DOCUMENT: no such chat. After an error what was told so far stands. */
MUST_USE Err pythia_ask(Pythia *p, Arena *a, const PythiaAsk *rq, PythiaAnswer *out);

/* ---- chats ---- */
/* owner: of chats that are begun, whose they are: a token's id; "": nobody's in particular. Of others, whose alone are there;
 * {NULL,0}: everybody's. */
typedef struct {
    int64_t id;
    Str owner, title;       /* title: its first question */
    const Str *collections; /* [n_collections] that it asks unless others are named */
    size_t n_collections;
    int64_t created_ms, updated_ms, messages;
} PythiaChat;
typedef struct {
    Str role, content; /* "user", "assistant" */
    Str understood;    /* of an answer: what was searched for; "" else */
    bool abstained;
    Str details; /* of an answer, JSON: understood, abstained, confidence, writer, citations; "" else */
    int64_t created_ms;
} PythiaMessage;
/* Those that went on last first, 1,000 at most. */
MUST_USE Err pythia_chats(Pythia *p, Arena *a, Str owner, size_t limit, PythiaChat **out, size_t *n);
/* With its last 10,000 messages. ERR_NO_DOCUMENT. */
MUST_USE Err pythia_chat(Pythia *p, Arena *a, Str owner, int64_t id, PythiaChat *out, PythiaMessage **messages,
                         size_t *n);
MUST_USE Err pythia_chat_begin(Pythia *p, Arena *a, Str owner, Str title, const Str *collections, size_t n,
                               PythiaChat *out);
MUST_USE Err pythia_chat_remove(Pythia *p, Str owner, int64_t id); /* ERR_NO_DOCUMENT */

/* ---- feedback ---- */
/* What people made of hits. Kept in the store, for evaluation (`eval init --from feedback`); ranking never looks at it. */
typedef enum { PYTHIA_CLICKED, PYTHIA_USEFUL, PYTHIA_USELESS, PYTHIA_VERDICTS } PythiaVerdict;
extern const char *const pythia_verdict_names[PYTHIA_VERDICTS]; /* "clicked", "useful", "useless" */
typedef struct {
    Str query;      /* that was asked */
    Str place;      /* a hit's id, PATH or PATH:LINE */
    Str collection; /* of a path; "": the one that covers cwd */
    PythiaVerdict verdict;
} PythiaFeedback;
bool pythia_is_hit_id(Str place); /* "k3f9a2", "#k3f9a2" */
/* The last 100,000 are kept. ERR_USAGE: no query; ERR_LIMIT: over 4 KB of it; ERR_NO_DOCUMENT: no such place. */
MUST_USE Err pythia_feedback(Pythia *p, Arena *a, const PythiaFeedback *rq);
typedef struct {
    Str query, collection, path;
    int32_t start_line, end_line; /* as they were */
    PythiaVerdict verdict;
    int64_t at_ms;
} PythiaFeedbackRow;
/* Of a collection ("": the one that covers cwd), the newest first. */
MUST_USE Err pythia_feedbacks(Pythia *p, Arena *a, Str collection, size_t limit, PythiaFeedbackRow **out, size_t *n);
MUST_USE Err pythia_feedback_clear(Pythia *p, Arena *a, Str collection, int64_t *n); /* *n: rows that went */

/* ---- symbols ---- */
typedef struct {
    Str path, name, kind, signature;       /* "Backoff.next", "next", "method", "def next(self) -> float" */
    Str file, uri, collection, root, lang; /* file: relative to the collection's root */
    int32_t line, start_line, end_line;    /* of the name; of all of it, comments before it included */
} PythiaSymbol;
typedef struct {
    Str file, uri, collection, lang;
    int32_t line;
    Str text; /* the line as it is now, without indentation; "" when it no longer holds the name */
} PythiaReference;
enum { PYTHIA_USAGE_EXAMPLES = 3 };
/* Uses of a name that are alike (chunk/usage.h): "if (!backoff_next(&_, _))". */
typedef struct {
    Str shape;
    int arguments; /* of the call; below 0: it is named, not called */
    int64_t count;
    PythiaReference examples[PYTHIA_USAGE_EXAMPLES]; /* [n] the first by file and line */
    size_t n;
} PythiaUsage;
typedef struct {
    Str what; /* a file of a collection, for its outline; else a name: "next", "Backoff.next", "Backoff::next" */
    const Str *collections; /* of a name; none: the one that covers cwd */
    size_t n_collections;
    const Str *langs, *kinds;
    size_t n_langs, n_kinds;
    bool references; /* of a name: where it is used, beside its definitions */
    bool
        usages; /* of a name: how it is used; `what` may be a signature, "next(b, now)": calls with as many arguments */
    size_t limit; /* 0: 1,000; with usages: of those, 0: 50 */
} PythiaSymbolsRequest;
typedef struct {
    const char *how; /* "file"; "name"; "prefix": nothing has the name, these begin so */
    PythiaSymbol *symbols;
    size_t n;
    int64_t total;
    PythiaReference *references; /* by file, then line */
    size_t n_references;
    int64_t total_references;
    PythiaUsage *usages; /* the most frequent first */
    size_t n_usages;
    int64_t total_usages; /* shapes there are */
    bool stale;           /* the file changed since it was indexed */
    double took_ms;
} PythiaSymbols;
/* Nothing found is ERR_OK with n 0. ERR_NO_DOCUMENT: what is a path and no indexed file; ERR_NO_COLLECTION. */
MUST_USE Err pythia_symbols(Pythia *p, Arena *a, const PythiaSymbolsRequest *rq, PythiaSymbols *out);

/* ---- get ---- */
typedef struct {
    Str id, uri, path, collection;
    int32_t start_line, end_line; /* of content */
    const char *freshness;        /* NULL when read straight from a file */
    Str symbol, kind, lang;
    Str title, meta; /* of the document; meta: what it says of itself (base/meta.h) */
    Str content;
} PythiaText;
/* what: a hit's id ("k3f9a2", "#k3f9a2"), PATH, PATH:LINE, PATH:LINE:COUNT, or PATH#SYMBOL. */
MUST_USE Err pythia_get(Pythia *p, Arena *a, Str collection, Str what, PythiaText *out);

/* ---- status ---- */
typedef struct {
    Str name, root, describe, model, index_kind, store;
    Str index_why;  /* of a kind that was chosen by the collection's size; "": by the user */
    Str index_hint; /* what would make it better; "": nothing */
    int64_t documents, skipped, failed, chunks, embedded, pending, text_bytes, updated_ms;
    int64_t skimmed;                    /* documents in coarse pieces so far, which the next `index` cuts */
    int64_t statics;                    /* chunks without a vector that a static table judges meanwhile */
    int64_t index_bytes, lexical_bytes; /* of the vector index and of the lexical index, on disk */
    int64_t dim;
    bool root_missing, model_missing;
    Str last_run_state, last_run_error;
} PythiaCollection;
MUST_USE Err pythia_collections(Pythia *p, Arena *a, PythiaCollection **out, size_t *n);
MUST_USE Err pythia_collection(Pythia *p, Arena *a, Str name, PythiaCollection *out); /* "": the one covering cwd */
MUST_USE Err pythia_collection_rename(Pythia *p, Str from, Str to);
MUST_USE Err pythia_collection_remove(Pythia *p, Str name);

typedef struct {
    PathReason *skipped;
    size_t n_skipped; /* at most 1,000 */
    PathReason *failed;
    size_t n_failed;
    PathReason *stale;
    size_t n_stale; /* files that differ from what is indexed: "changed", "new", "gone" */
    struct {
        Str reason;
        int64_t files;
    } * skip_counts;
    size_t n_skip_counts; /* by kind of reason, most first */
} PythiaStatus;
/* Walks the tree to tell what is stale when check_files. */
MUST_USE Err pythia_status(Pythia *p, Arena *a, Str collection, bool check_files, PythiaStatus *out);

/* One file's way: ignore -> read -> chunk -> embed -> index. */
typedef struct {
    struct {
        const char *stage;
        bool passed;
        Str detail;
    } steps[6];
    size_t n_steps;
    bool indexed;
} PythiaWhy;
MUST_USE Err pythia_why(Pythia *p, Arena *a, Str collection, Str path, PythiaWhy *out);

/* ---- runs ---- */
typedef struct {
    int64_t id;
    Str collection, state, stage, error;
    int64_t done, total, failures, queued_ms, started_ms, ended_ms;
} PythiaRun;
MUST_USE Err pythia_runs(Pythia *p, Arena *a, size_t limit, PythiaRun **out, size_t *n); /* the newest first */
MUST_USE Err pythia_run(Pythia *p, Arena *a, int64_t id, PythiaRun *out);                /* ERR_NO_DOCUMENT */
/* The run stops at its next beat (some 64 files, or a second of embedding); what it has committed stays. ERR_INPUT when it is
 * over, ERR_NO_DOCUMENT when there is none. */
MUST_USE Err pythia_run_cancel(Pythia *p, Arena *a, int64_t id, PythiaRun *out);

/* ---- audit ---- */
/* Who did what, when, to which collection; never a document, a query or a key. */
typedef struct {
    int64_t id, at_ms;      /* of rows that are read */
    Str who, door;          /* "t-3f2a9c01" or "127.0.0.1", "http" */
    Str action, collection; /* "index"; "": none was named */
    Str object;             /* what of it: a document's id, a run's number, a path; "" */
    Str outcome;            /* "ok", or an error's code */
} PythiaAudit;
/* Without a store nothing was done, and nothing is noted. */
MUST_USE Err pythia_audit_note(Pythia *p, const PythiaAudit *row);
MUST_USE Err pythia_audit(Pythia *p, Arena *a, size_t limit, PythiaAudit **out, size_t *n); /* the newest first */

/* ---- models ---- */
typedef struct {
    Str name, path, arch, tensor_types, pooling, problem; /* problem: "" when it can be read */
    Str parent;                                           /* of a distilled table; "" for others */
    int64_t bytes, dim, max_tokens;
    char id[65]; /* SHA-256, hex; "" when not computed */
    bool in_use; /* by a collection, or the configured one */
} PythiaModel;
MUST_USE Err pythia_models(Pythia *p, Arena *a, PythiaModel **out, size_t *n);
MUST_USE Err pythia_model_import(Pythia *p, Arena *a, Str hf_dir, Str name,
                                 PythiaModel *out); /* name "": the folder's */
typedef struct {
    Str what;                 /* ORG/NAME[/FILE][@REVISION] */
    Str name;                 /* "": after the file or the repository */
    IndexProgressFn progress; /* stage "download": done and total in bytes; "wait": another process downloads it */
    void *progress_ctx;
} PullRequest;
typedef struct {
    PythiaModel model;
    Str commit;               /* of the repository */
    Str source;               /* where it lies in the hub's cache */
    int64_t fetched, resumed; /* bytes that came now, and that a cut download had left */
    bool folder;              /* imported from a Hugging Face folder; else a GGUF, linked */
} PullReport;
/* From the hub into its cache (HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE), then into the models folder:
 * a GGUF by a link, a folder by an import. ERR_USAGE when a file of that name is there that no pull made. */
MUST_USE Err pythia_model_pull(Pythia *p, Arena *a, const PullRequest *rq, PullReport *out);
typedef struct {
    Str parent;               /* a model's name or file; "": configuration */
    Str name;                 /* "": the parent's and "-static" */
    Str corpus;               /* a folder, or a file of JSON lines with "text": what tokens are counted in; "": none */
    int64_t dimensions;       /* 0: 256, or the parent's when those are fewer */
    double sif;               /* 0: the default */
    bool force;               /* replaces a model of that name */
    IndexProgressFn progress; /* stage "corpus": bytes; "distill": tokens of the vocabulary */
    void *progress_ctx;
} PythiaDistill;
typedef struct {
    PythiaModel model;
    int64_t tokens, passages; /* with a row; of the corpus */
    double explained;         /* share of the parent's variance that the dimensions kept have */
    double seconds;
} PythiaDistilled;
/* Makes a static table of token vectors (model/distill.h) into the models folder. ERR_USAGE: there is a model of that name;
 * ERR_LIMIT, ERR_UNSUPPORTED, ERR_INPUT as model_distill tells them, with the command that mends. */
MUST_USE Err pythia_model_distill(Pythia *p, Arena *a, const PythiaDistill *rq, PythiaDistilled *out);
typedef struct {
    Str left;      /* what a link led to, and is still there; "": nothing */
    int64_t bytes; /* freed */
} PythiaModelGone;
/* Removes a model of the models folder. One in use by a collection, or the configured one, is kept unless force: ERR_USAGE names
 * the user, with the command that gives it another. ERR_NO_MODEL lists what there is. */
MUST_USE Err pythia_model_remove(Pythia *p, Arena *a, Str name, bool force, PythiaModelGone *out);
MUST_USE Err pythia_model_verify(Pythia *p, Arena *a, Str name,
                                 Buf *report); /* "": all; ERR_CORRUPT when one is damaged */

typedef struct {
    Str model;  /* "": configuration */
    bool query; /* query prefix instead of the document one */
} PythiaEmbed;
/* out: [n, *dim] in the arena; tokens, truncated: [n] in the arena. */
MUST_USE Err pythia_embed(Pythia *p, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out,
                          size_t *dim, int32_t **tokens, bool **truncated);
/* The same of lists of token ids, as pythia_tokenize gives them (model_embed_ids). ERR_INPUT: a wrong id, or an empty list. */
MUST_USE Err pythia_embed_ids(Pythia *p, Arena *a, const PythiaEmbed *rq, const TokenIds *lists, size_t n, float **out,
                              size_t *dim, int32_t **tokens, bool **truncated);
MUST_USE Err pythia_tokenize(Pythia *p, Arena *a, Str model, Str text, int32_t **ids, size_t *n);

typedef struct {
    Str model; /* "": configuration (model.rerank) */
    Str query;
} PythiaRerank;
typedef struct {
    double score; /* 0..1: the logit through the logistic function */
    float logit;  /* as the model gives it */
    int32_t tokens;
    bool truncated; /* query and text together were longer than the model takes */
} PythiaRanked;
/* out: [n] in the arena, in the order of the texts. ERR_NO_MODEL with the command that gets one; ERR_UNSUPPORTED: the model
 * is no reranker. */
MUST_USE Err pythia_rerank(Pythia *p, Arena *a, const PythiaRerank *rq, const Str *texts, size_t n, PythiaRanked **out);

/* ---- memory ---- */
typedef struct {
    int level;                           /* 0 calm to 3 critical: 8, 4, 2, 1 eighths of workers and caches */
    int64_t anonymous, resident, budget; /* bytes */
    int64_t cache_bytes, cache_max_bytes, cache_hits, cache_misses;
} PythiaMemory;
void pythia_memory(Pythia *p, PythiaMemory *out);

/* What the engine has in hand and has done, this Pythia and those beside it; by class: interactive, background. */
enum { PYTHIA_INTERACTIVE, PYTHIA_BACKGROUND, PYTHIA_CLASSES };
typedef struct {
    struct {
        int64_t depth;                     /* calls that wait or work now */
        int64_t done, refused, left_early; /* left: deadline, cancelled */
        int64_t merged;                    /* of done: in the batch of another */
        int64_t paused_ms;                 /* background: stood still for queries */
    } lines[PYTHIA_CLASSES];
    int64_t chunk_hits, chunk_misses; /* texts of chunks whose vector was there already, and those computed */
} PythiaWork;
void pythia_work(Pythia *p, PythiaWork *out);

/* ---- checking ---- */
/* Everything of a collection (or all, ""): store, index, model, kernels; one line a finding; ERR_CORRUPT when damaged. */
MUST_USE Err pythia_verify(Pythia *p, Arena *a, Str collection, Buf *report);
typedef struct {
    const char *what;
    int level /* 0 fine, 1 could be better, 2 broken */;
    Str detail, fix;
} DoctorLine;
MUST_USE Err pythia_doctor(Pythia *p, Arena *a, DoctorLine **out, size_t *n);

/* ---- eval ---- */
typedef struct {
    Str dir;          /* corpus.jsonl, queries.jsonl, qrels.tsv */
    const char *mode; /* NULL: configuration */
    const char *fusion;
    Str model;
    const char *run_file; /* TREC run; NULL: none */
    IndexProgressFn progress;
    void *progress_ctx;
    int32_t rerank;  /* as PythiaSearch has it */
    int64_t answers; /* questions of each kind to ask, those with an answer and those without; 0: none */
    double
        vectors; /* share of the documents that get one, 0..1: what a search finds while a collection is still being indexed */
} EvalRequest;
/* A query that was run. */
typedef struct {
    Str id, text, kind;   /* kind: "docstring" and others of `eval init`; "" */
    int64_t relevant;     /* documents that are */
    const int32_t *ranks; /* [n_ranks] of those that were found among the first 100, rising, from 1 */
    size_t n_ranks;
    Str best; /* the document found first; "" */
    double ndcg_at_10, ms;
} EvalQuery;
typedef struct {
    double ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10, p50_ms, p95_ms;
    int64_t queries, documents;
    double index_seconds;
    /* of sets whose queries have "answers" or "is_impossible" (engine/eval_answers.h); questions 0: this one has not */
    int64_t questions;
    double abstain_auroc, answer_em, answer_f1, answer_holds, citation_precision, ask_p50_ms;
    const EvalQuery *each; /* [queries] */
    double vectors;        /* EvalRequest's */
    Str set, model;        /* the folder; the model's name */
    const char *mode, *fusion;
} EvalReport;
/* The corpus is indexed as a managed collection under <home>/eval (kept: a second run of the same corpus and model indexes
 * nothing), one chunk a document. */
MUST_USE Err pythia_eval(Pythia *p, Arena *a, const EvalRequest *rq, EvalReport *out);

typedef struct {
    double before, now;    /* nDCG@10 */
    int64_t better, worse; /* queries */
    double p;              /* how probable a loss like this is by chance; 1 when there is none */
    bool failed;           /* worse, beyond noise */
} EvalGate;
/* Are the same queries answered worse now? p and failed as the gate has them. ERR_INPUT: the two are of other queries. */
MUST_USE Err pythia_eval_compare(Arena *a, const EvalReport *before, const EvalReport *now, EvalGate *out);
/* A report as a file, of all its queries, and back again; what a file says is checked: ERR_INPUT names it. */
MUST_USE Err pythia_eval_report_write(const EvalReport *report, const char *path);
MUST_USE Err pythia_eval_report_read(Arena *a, const char *path, EvalReport *out);
/* recall of so many first places, averaged over queries. */
double pythia_eval_recall(const EvalReport *report, size_t places);
/* pythia_eval, compared with a baseline file query by query (eval_gate.c says how); update: the file is written instead.
 * A failed gate is ERR_OK. ERR_INPUT: the baseline is of other queries. */
MUST_USE Err pythia_eval_gate(Pythia *p, Arena *a, const EvalRequest *rq, const char *baseline, bool update,
                              EvalReport *report, EvalGate *out);

/* What queries are made of. */
typedef enum {
    EVAL_DOCSTRING, /* the first sentence of a definition's comment: the definition */
    EVAL_HEADING,   /* a section's heading: the section */
    EVAL_COMMIT,    /* a commit's subject: the files it changed */
    EVAL_FEEDBACK,  /* what was asked before: hits that were clicked or useful */
    EVAL_QUERY_KINDS
} EvalQueryKind;
extern const char *const eval_query_kind_names[EVAL_QUERY_KINDS]; /* "docstring", "heading", "commit", "feedback" */
typedef struct {
    Str dir;                  /* gets corpus.jsonl, queries.jsonl, qrels.tsv and meta.json */
    Str collection;           /* "": the one that covers cwd */
    size_t queries;           /* at most, of all kinds alike as far as there are some */
    uint64_t seed;            /* which of those that could be asked are */
    unsigned kinds;           /* a bit for each EvalQueryKind */
    bool force;               /* replaces a set that is there */
    IndexProgressFn progress; /* stages "read", "write": documents */
    void *progress_ctx;
} EvalInitRequest;
typedef struct {
    Str collection;
    int64_t documents, chunks;          /* of the collection that became the corpus */
    int64_t stale;                      /* documents left out: they are not as they were indexed */
    int64_t possible[EVAL_QUERY_KINDS]; /* queries that could be asked, of each kind */
    int64_t elsewhere;                  /* more that could have been, but for standing in other places, too, or twice */
    int64_t asked[EVAL_QUERY_KINDS];
    Str no_commits; /* why no commit could be read; "" */
} EvalInitReport;
/* Makes an evaluation set of a collection: its chunks are the corpus; engine/eval_init.h tells how queries are kept from finding
 * nothing but themselves. The same collection and seed give the same set. ERR_NO_COLLECTION; ERR_USAGE: dir holds something;
 * ERR_INPUT: nothing can be asked; ERR_LIMIT: over 1 GB of text. */
MUST_USE Err pythia_eval_init(Pythia *p, Arena *a, const EvalInitRequest *rq, EvalInitReport *out);

/* ---- bench ---- */
typedef struct {
    const char *input; /* {"text": …} a line */
    Str model;         /* "": configuration; so are threads and precision */
} BenchEmbedRequest;
typedef struct {
    double texts_per_s, tokens_per_s; /* best of three runs over all texts */
    double cpu_texts_per_s;           /* by CPU time: what a busy machine still can measure */
    double p50_ms, p95_ms;            /* one short query at a time */
    double first_vector_ms;           /* opening the model and embedding a query */
    double rss_mb;                    /* highest so far, in this process */
    double gops, peak_gops;           /* 10^9 operations a second: of the products, of the machine; gops 0: not known */
    int64_t texts, tokens, threads;
    const char *precision; /* in use: "f32", "exact", "fast" */
    const char *cpu;       /* kernels */
} BenchEmbedReport;
/* ERR_INPUT names the line of input at fault. */
MUST_USE Err pythia_bench_embed(Pythia *p, Arena *a, const BenchEmbedRequest *rq, BenchEmbedReport *out);

typedef struct {
    const char *input; /* prompts, {"text": …} a line */
    Str model; /* a model that generates; "" : the configured one; threads and precision are the configuration's */
    int64_t max_tokens; /* to write behind each prompt, over the model's own end of text */
} BenchGenerateRequest;
typedef struct {
    size_t prompt_tokens;
    int32_t *ids; /* [n] written */
    float *gaps;  /* [n] how far the chosen one's score stood above the next one's */
    size_t n;
    Str text;
} BenchGenerated;
typedef struct {
    double prompt_tokens_per_s, tokens_per_s; /* reading prompts; writing */
    double first_token_ms;                    /* median: from a prompt to its first token */
    double open_ms, rss_mb;
    int64_t prompts, prompt_tokens, tokens, threads;
    const char *precision, *cpu;
    BenchGenerated *texts; /* [prompts] */
} BenchGenerateReport;
/* Greedy. ERR_UNSUPPORTED: the model does not generate. */
MUST_USE Err pythia_bench_generate(Pythia *p, Arena *a, const BenchGenerateRequest *rq, BenchGenerateReport *out);

typedef struct {
    const char *base, *queries; /* .npy or .fvecs */
    Str kind;                   /* "": all */
    size_t k;                   /* 1 to SEARCH_LIMIT_MAX */
    bool keep_f32;              /* of VecParams */
} BenchIndexRequest;
typedef struct {
    const char *kind;
    double effort;
    double build_s, build_cpu_s;         /* adding and building, all threads; what they had of processors */
    double bytes_per_vector;             /* on disk */
    double insert_us, delete_us;         /* processor time a vector, without the building */
    double filtered_us, filtered_recall; /* of searches that a filter leaves one row in a hundred, at effort 1 */
    double recall_at_1, recall_at_k;
    double qps, p50_ms, p99_ms; /* one query at a time on one thread */
    double cpu_us;              /* processor time a query */
    double recomputed;          /* vectors computed anew a query */
} BenchIndexRun;
typedef struct {
    BenchIndexRun *runs; /* [n] kind by kind, by rising effort */
    size_t n;
} BenchIndexReport;
/* ERR_INPUT: files that are no vectors; ERR_UNSUPPORTED: no such kind. */
MUST_USE Err pythia_bench_index(Pythia *p, Arena *a, const BenchIndexRequest *rq, BenchIndexReport *out);

typedef struct {
    const char *queries; /* {"text": …} or {"query": …} a line; mode, limit and deadline are the configuration's */
    Str collection;      /* "": the one that covers cwd */
    int64_t callers, rounds; /* callers: at once, of which qps is; 1 to 256, 1 to 1,000 */
} BenchSearchRequest;
typedef struct {
    /* of the best round: one caller, one query after the other, the cache of vectors empty at its start */
    double p50_ms, p95_ms, p99_ms;
    double cpu_ms; /* processor time a query, all threads */
    struct {
        double open, embed, words, vectors, fuse, freshness;
    } mean;             /* ms a query */
    double qps;         /* of the best round of all callers at once */
    double first_ms;    /* of the first search of the process: model, store and indexes are opened */
    double rss_mb;      /* highest so far, in this process */
    int64_t found, cut; /* queries that had a hit, those that the deadline cut short */
    int64_t queries, warm_up, rounds, callers; /* warm_up: searches before, not counted */
    Str collection, index;                     /* its name, the kind of its vector index */
    int64_t documents, chunks, embedded;       /* of the collection; embedded: chunks that have a vector */
    const char *mode;                          /* "hybrid" */
    const char *cpu;                           /* kernels */
} BenchSearchReport;
/* Whole searches in this process. ERR_INPUT names the line of the queries at fault; ERR_NO_COLLECTION; errors of pythia_search. */
MUST_USE Err pythia_bench_search(Pythia *p, Arena *a, const BenchSearchRequest *rq, BenchSearchReport *out);

#endif
