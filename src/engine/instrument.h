/* instrument.h - the engine itself, beside the collections that it serves: its models, vectors and ranks of any texts,
 * its memory, its checks, and how good and how fast it is (eval, bench). The other half of pythia.h, which includes it:
 * include that.
 *
 * Threads, memory and errors: as pythia.h has them.
 */
#ifndef PYTHIA_ENGINE_INSTRUMENT_H
#define PYTHIA_ENGINE_INSTRUMENT_H

#include "engine/pythia.h"

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
/* From the hub into its cache (HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE), then into the models
 * folder: a GGUF by a link, a folder by an import. ERR_USAGE when a file of that name is there that no pull made. */
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
/* Makes a static table of token vectors (model/distill.h) into the models folder. ERR_USAGE: there is a model of that
 * name; ERR_LIMIT, ERR_UNSUPPORTED, ERR_INPUT as model_distill tells them, with the command that mends. */
MUST_USE Err pythia_model_distill(Pythia *p, Arena *a, const PythiaDistill *rq, PythiaDistilled *out);
typedef struct {
    Str left;      /* what a link led to, and is still there; "": nothing */
    int64_t bytes; /* freed */
} PythiaModelGone;
/* Removes a model of the models folder. One in use by a collection, or the configured one, is kept unless force:
 * ERR_USAGE names the user, with the command that gives it another. ERR_NO_MODEL lists what there is. */
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
/* The same of lists of token ids, as pythia_tokenize gives them (model_embed_ids). ERR_INPUT: a wrong id, or an empty
 * list. */
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
/* out: [n] in the arena, in the order of the texts. ERR_NO_MODEL with the command that gets one; ERR_UNSUPPORTED: the
 * model is no reranker. */
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
/* Everything of a collection (or all, ""): store, index, model, kernels; one line a finding; ERR_CORRUPT when
 * damaged. */
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
    /* share of the documents that get one, 0..1: what a search finds while a collection is still being indexed */
    double vectors;
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
/* The corpus is indexed as a managed collection under <home>/eval (kept: a second run of the same corpus and model
 * indexes nothing), one chunk a document. */
MUST_USE Err pythia_eval(Pythia *p, Arena *a, const EvalRequest *rq, EvalReport *out);

typedef struct {
    double before, now;    /* nDCG@10 */
    int64_t better, worse; /* queries */
    double p;              /* how probable a loss like this is by chance; 1 when there is none */
    bool failed;           /* worse, beyond noise */
} EvalGate;
/* Are the same queries answered worse now? p and failed as the gate has them. ERR_INPUT: the two are of other
 * queries. */
MUST_USE Err pythia_eval_compare(Arena *a, const EvalReport *before, const EvalReport *now, EvalGate *out);
/* A report as a file, of all its queries, and back again; what a file says is checked: ERR_INPUT names it. */
MUST_USE Err pythia_eval_report_write(const EvalReport *report, const char *path);
MUST_USE Err pythia_eval_report_read(Arena *a, const char *path, EvalReport *out);
/* recall of so many first places, averaged over queries. */
double pythia_eval_recall(const EvalReport *report, size_t places);
/* pythia_eval, compared with a baseline file query by query (eval_gate.c says how); update: the file is written
 * instead. A failed gate is ERR_OK. ERR_INPUT: the baseline is of other queries. */
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
/* Makes an evaluation set of a collection: its chunks are the corpus; engine/eval_init.h tells how queries are kept
 * from finding nothing but themselves. The same collection and seed give the same set. ERR_NO_COLLECTION; ERR_USAGE:
 * dir holds something; ERR_INPUT: nothing can be asked; ERR_LIMIT: over 1 GB of text. */
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
/* Whole searches in this process. ERR_INPUT names the line of the queries at fault; ERR_NO_COLLECTION; errors of
 * pythia_search. */
MUST_USE Err pythia_bench_search(Pythia *p, Arena *a, const BenchSearchRequest *rq, BenchSearchReport *out);

#endif
