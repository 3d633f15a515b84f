/* pythia.h - the whole of Pythia behind one header: what cli, serve and embedding programs see. Here stands what is
 * done with collections; what there is of the engine itself (models, checks, measures) in instrument.h, which this
 * includes.
 *
 * A Pythia holds the configuration, the store and the models in use. Requests are plain structs, replies live in the
 * caller's arena. Errors are Err with a text and a mending command (err.h).
 *
 * Threads: a Pythia is for one thread at a time. A program of several threads opens one for each, `beside` the first:
 * they share models, and queries go before indexing.
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
    /* A program whose main begins with pythia_reader_main, as "/proc/self/exe" is for one that does: documents (PDF,
     * office, mail …) are read in a confined child of it. NULL: they are skipped, and what is text anyway (HTML, CSV)
     * is read as it stands. */
    const char *reader;
} PythiaOpts;

/* First thing in main: true when the program was started to read one document; *code is what to return then. */
bool pythia_reader_main(int argc, char **argv, int *code);

/* $PYTHIA_HOME, else $XDG_DATA_HOME/pythia, else ~/.local/share/pythia. ERR_USAGE when none can be told. */
MUST_USE Err pythia_home(Arena *a, char **environ, const char **out);

/* Cheap: store and models open at first use. opts->beside must be open meanwhile, not longer. */
MUST_USE Err pythia_open(Pythia **out, const PythiaOpts *opts);
void pythia_close(Pythia *p);
/* Relative paths, and the collection that covers the folder, are those of cwd from now on: for a Pythia that works for
 * callers in several folders. cwd is borrowed until the next call. */
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
    /* Asked before each batch of embeddings, from the calling thread: true leaves the rest pending. NULL: all at
     * once. */
    bool (*pause)(void *ctx);
    void *pause_ctx;
    IndexProgressFn progress;
    void *progress_ctx;
    /* Told when the words of all files can be searched, if only in coarse pieces; much of the run may be to come. */
    void (*searchable)(void *progress_ctx);
    /* Told when a collection's run has begun: its row is there, for pythia_runs. root: its folder. NULL: nobody wants
     * to know. */
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

/* Indexes the folders, then keeps them fresh until opts.cancel is set, which is ERR_OK: words of a saved file can be
 * found within a second, vectors follow, and whatever is still to be embedded waits for the changes. Errors: those of
 * pythia_index at the start; later ones are told as news, and `tell`'s own. */
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
/* Of all states, by path, from behind `after` ({NULL,0}: the first), at most limit; *more: there are further ones.
 * Cost: a pass over the collection's rows. */
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
/* Puts texts that no file has into a managed collection, made when there is none of that name. Searchable when it
 * returns. ERR_INPUT: the collection is a folder's; ERR_BUSY: another call is writing to it. */
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
    /* of two documents with one name the old one goes; else both stay, the new one with a number: "report-2.pdf" */
    bool replace;
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
/* Puts files of any format that can be read into a managed collection, by their content: their text is kept, a copy of
 * what is there already costs nothing. Searchable when it returns. ERR_PARTIAL: some were refused, ERR_INPUT: all were
 * (the report is filled). ERR_INPUT too: the collection is a folder's. ERR_BUSY: another call is writing to it.
 * ERR_INTERRUPT: what was put stays. */
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

/* Nothing found is ERR_OK with n 0. A reranker that is missing or fails is an error (ERR_NO_MODEL, ERR_NETWORK), one
 * that the deadline stops is not; in the modes symbol and regex and of `like` asking for one is ERR_USAGE, a configured
 * one is not asked. ERR_NO_COLLECTION when nothing covers the place; its fix is the index command. */
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
    /* [n_sources] by number: the hits that are quoted, or all that the writer read; when abstained those that came
     * nearest */
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
        float held, lead, gap, numbers, names;
    } evidence; /* what the confidence was made of (answer/answer.h) */
    double answer_ms, took_ms;
} PythiaAnswer;

/* An answer on its way, in this order: the sources once; then each part of the text and what it cites; or that there is
 * none. */
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
 * Answers out of the best hits, or says that none of them answers: ERR_OK with `abstained`. Who writes is configured
 * (ask.url); what is written is checked sentence by sentence against the sources, and what does not stand there is left
 * out. Errors: those of pythia_search; ERR_USAGE: the writer's configuration; ERR_NO_MODEL, ERR_UNSUPPORTED: a model
 * that is not there or does not write; ERR_NETWORK: the service, told with its URL; ERR_NO_DOCUMENT: no such chat.
 * After an error what was told so far stands. */
MUST_USE Err pythia_ask(Pythia *p, Arena *a, const PythiaAsk *rq, PythiaAnswer *out);

/* ---- chats ---- */
/* owner: of chats that are begun, whose they are: a token's id; "": nobody's in particular. Of others, whose alone are
 * there; {NULL,0}: everybody's. */
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
/* What people made of hits. Kept in the store, for evaluation (`eval init --from feedback`); ranking never looks at
 * it. */
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
    /* of a name: how it is used; `what` may be a signature, "next(b, now)": calls with as many arguments */
    bool usages;
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
/* The run stops at its next beat (some 64 files, or a second of embedding); what it has committed stays. ERR_INPUT when
 * it is over, ERR_NO_DOCUMENT when there is none. */
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

/* ---- models, texts, memory, checks, evaluation, speed ---- */
#include "engine/instrument.h"

#endif
