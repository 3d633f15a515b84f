/* model.h - the face of the model engine: open a GGUF, count tokens, embed texts.
 *
 * Model is immutable once open and may be used by any number of threads; scratch lives in the calls (one arena a
 * worker). A vector does not depend on what else is in the batch, nor on the number of threads: batch = single, bit for
 * bit.
 *
 * Rooms above see only this header; networks, tokenizers and file formats stand behind it in tables
 * (model_arch_table, tok_table): a new architecture is one file and one line.
 */
#ifndef PYTHIA_MODEL_MODEL_H
#define PYTHIA_MODEL_MODEL_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/types.h"

typedef struct Model Model;

typedef enum { POOL_NONE, POOL_MEAN, POOL_CLS, POOL_LAST, POOL_RANK } Pooling; /* llama.cpp's pooling_type numbers */
typedef enum { EMBED_DOCUMENT, EMBED_QUERY } EmbedKind;

/* What products are computed in. Vectors of `exact` and f32 may stand in one index (cosine >= 0.9999); those of `fast`
 * are another kind. */
typedef enum {
    MODEL_F32,   /* the reference */
    MODEL_EXACT, /* bfloat16 where the CPU has it, else f32 */
    MODEL_FAST,  /* int8, scaled row by row: mean cosine >= 0.999 to f32 */
    MODEL_AUTO   /* a wish only: fast where ModelInfo's fast_pays says so, else exact */
} ModelPrecision;

typedef struct {
    Str name; /* general.name, or the file's base name */
    Str arch; /* "bert" */
    Str path;
    Str parent;                     /* the model that a static table was distilled from; "" for others */
    Sha256 parent_id;               /* likewise, its id in exact precision; zeros for others */
    Sha256 id;                      /* what "the same model" means: model_id_with(SHA-256 of the file, precision) */
    size_t dim;                     /* floats of an embedding */
    size_t max_tokens;              /* special tokens counted */
    size_t n_layers, n_heads, n_ff; /* 0 of a static table */
    size_t n_vocab;
    Pooling pooling;
    bool normalize;
    Str prefix[2];            /* by EmbedKind: what the model wants before a text; "" for most */
    Str tensor_types;         /* "F32", "F16+F32" */
    int64_t bytes;            /* of the file */
    ModelPrecision precision; /* in use: exact is MODEL_F32 where there is no bfloat16 */
    bool generates;           /* it was opened to write (ModelOpts.generator) */
    bool fast_pays;           /* this CPU has instructions for int8, and the network finds as well in it as in exact */
} ModelInfo;

typedef struct {
    size_t max_tokens; /* 0: the model's own limit; above it: ERR_LIMIT */
    ModelPrecision precision;
    bool reranker;  /* a model that scores pairs is wanted; without it, one that embeds */
    bool generator; /* or one that writes (generate.h), which then need not say how it embeds */
    bool no_cache;  /* neither read nor keep weights packed for low precision */
} ModelOpts;

/* Maps and checks the file: every count, offset, shape and name before use; ERR_CORRUPT says at which byte or tensor,
 * ERR_UNSUPPORTED names the architecture or tensor type, ERR_NO_MODEL when path does not exist.
 * Cost: MiniLM f32 some 20 ms (vocabulary and packing of weights); the content hash comes from a side file
 * `<path>.sha256` when size and mtime agree. */
MUST_USE Err model_open(Model **out, const char *path, const ModelOpts *opts);
void model_close(Model *m); /* NULL is fine */

typedef struct {
    const char *url;           /* "http://127.0.0.1:8081/v1", or that of /embeddings itself */
    const char *model;         /* what the service calls it */
    const char *key, *key_env; /* NULL: none; key_env is named in messages, the key never */
    const char *tokenizer;     /* a GGUF whose vocabulary counts tokens; NULL: they are estimated */
    size_t max_tokens;         /* 0: 512 */
    size_t dim;                /* 0: asked for */
    size_t dimensions;         /* wanted of the service, which must give them ("dimensions"); 0: its own */
    bool reranker;             /* url is of a service that ranks (or that of /rerank itself); dim means nothing then */
    const char *prefix[2];     /* by EmbedKind, what goes before a text; NULL: nothing */
    int64_t connect_ms, stall_ms; /* 0: http.h's */
    unsigned attempts;            /* 0: 5 */
    int64_t pause_ms;             /* after the first failure; 0: 500 */
    uint64_t seed;                /* of the pauses' jitter */
    const Deadline *deadline;     /* for opening; NULL: none */
} ModelRemoteOpts;

/* A model that a service holds (any with OpenAI's /v1/embeddings, or for a reranker Cohere's /rerank), called
 * "remote:<model>"; info.id is the SHA-256 of URL and model. Embedding it may fail with ERR_NETWORK. What remote.h says
 * holds. */
MUST_USE Err model_open_remote(Model **out, const ModelRemoteOpts *opts);
const ModelInfo *model_info(const Model *m);
/* Inner product of two vectors of a model; their cosine, as they are of unit length. 384 numbers: 15 ns. */
float vectors_dot(const float *a, const float *b, size_t dim);

/* Tokens of text without special tokens; never fails (ill-formed UTF-8 is repaired as the tokenizer does). Shaped as
 * the chunker's count_tokens callback: ctx is the Model. Cost: ~0.05 ms a KB. Threads: any. */
size_t model_count_tokens(const void *model, Str text);

/* Token ids as the reference tokenizer gives them. special: with [CLS]/[SEP] around. At most cap are written; *n is how
 * many there are. */
MUST_USE Err model_tokenize(const Model *m, Str text, bool special, int32_t *ids /* [cap] */, size_t cap, size_t *n);

typedef struct {
    int32_t tokens; /* used, special ones counted */
    bool truncated; /* the text had more */
} EmbedInfo;

typedef struct {
    EmbedKind kind;
    const Deadline *deadline; /* NULL: none */
    bool truncate_error;      /* a text over the limit is ERR_LIMIT instead of being cut */
    size_t dimensions;        /* of a vector: its first so many, normalised again (Matryoshka); 0: all */
    size_t first;             /* the first text's number in messages */
} EmbedOpts;

/* out: [n, dim] ([n, opts->dimensions]) row-major, caller's. info: [n] or NULL. pool NULL: this thread alone. Texts
 * need not be sorted; empty text embeds as its special tokens alone; the model's prefix for opts->kind goes before each
 * text. Errors: ERR_NOMEM, ERR_DEADLINE, ERR_INTERRUPT; ERR_LIMIT: too long, or more dimensions than the model has;
 * ERR_UNSUPPORTED: a reranker. */
MUST_USE Err model_embed(const Model *m, Pool *pool, const Str *texts /* [n] */, size_t n, const EmbedOpts *opts,
                         float *out, EmbedInfo *info);

/* The same of token ids as model_tokenize gives them: neither a prefix nor special tokens are added; lists over the
 * limit are cut as texts are. ERR_INPUT: an id that the model has no vector of, or an empty list, told with its place;
 * ERR_UNSUPPORTED: a service's model, too. */
MUST_USE Err model_embed_ids(const Model *m, Pool *pool, const TokenIds *lists /* [n] */, size_t n,
                             const EmbedOpts *opts, float *out, EmbedInfo *info);

/* Vectors of texts as model_embed's, and with them how well each text holds the question token by token (late
 * interaction, after Khattab and Zaharia 2020): held[i], -1..1, is the mean over the question's tokens of the greatest
 * cosine to a token of text i. A token counts by how far the texts are, on average, from holding it, so that what all
 * of them say tells nothing; marks and special tokens do not count. The mean of all texts' tokens is taken off before:
 * held compares texts of one call. 0 where either has no tokens. Cost over model_embed's: the question as one text
 * more, 0.02 us a pair of tokens, 4 * dim bytes a token of all texts. Errors as model_embed's; ERR_UNSUPPORTED: a
 * service's model, too. */
MUST_USE Err model_match(const Model *m, Pool *pool, Str question, const Str *texts /* [n] */, size_t n,
                         const EmbedOpts *opts, float *out /* [n, dim] */, float *held /* [n] */);
bool model_matches(const Model *m); /* whether it can */

/* scores[i]: how well docs[i] answers query, higher is better, as the reranker's classifier gives it (a logit: no
 * bounds, comparable within a query). Query and document are cut together to the model's limit, the longer one first;
 * info [n] or NULL tells of each pair. opts: kind and dimensions mean nothing here. Errors as model_embed's;
 * ERR_UNSUPPORTED: the model was not opened as a reranker. */
MUST_USE Err model_rerank(const Model *m, Pool *pool, Str query, const Str *docs /* [n] */, size_t n,
                          const EmbedOpts *opts, float *scores /* [n] */, EmbedInfo *info);

/* The kernels in use ("avx512") and those this CPU can run; ERR_USAGE when PYTHIA_CPU names others. */
MUST_USE Err model_kernels(const char **name, const char **possible);

/* 10^9 operations a second that all threads of the pool reach together in products of this precision, from registers:
 * the best of seven short loops (some 50 ms in all). What an engine's speed is a share of. */
MUST_USE Err model_peak_gops(Pool *pool, ModelPrecision precision, double *out);

/* ---- models on disk (registry.c) ---- */

/* Turns a Hugging Face folder (config.json, model.safetensors whole or in parts, vocab.txt or tokenizer.json, and where
 * present modules.json with the folders of its steps, sentence_bert_config.json, config_sentence_transformers.json)
 * into a GGUF at out_path (written beside and renamed), with the metadata names that llama.cpp uses. Errors name the
 * file and the key or tensor at fault. */
MUST_USE Err model_import(const char *hf_dir, const char *out_path, const char *name);

/* Reads a GGUF whole and checks everything that can be checked without a reference: structure, shapes, NaN and Inf in
 * weights, the vocabulary's consistency; the checksum when `<path>.sha256` has one. One line a finding into report. */
MUST_USE Err model_verify(const char *path, Buf *report);

/* SHA-256 of a model file, from the side file `<path>.sha256` (hex, size, mtime_ns) when that still fits, else computed
 * and kept there (silently not kept when the folder is read-only). */
MUST_USE Err model_file_id(const char *path, Sha256 *out);

/* What ModelInfo's id is for a file and a precision: the file's own, but another for MODEL_FAST, whose vectors must
 * never stand beside others in an index or be taken over from one. */
Sha256 model_id_with(const Sha256 *file, ModelPrecision precision);

/* Keeps an id that the caller has just computed of the file's bytes, so that nobody has to again. */
MUST_USE Err model_file_id_keep(const char *path, const Sha256 *id);

typedef struct {
    const char *name; /* "all-minilm-l6-v2" */
    const char *path;
    int64_t bytes;
    ModelInfo info; /* from the metadata alone; strings in the arena */
    bool broken;    /* could not be read; why in `problem` */
    const char *problem;
} ModelEntry;

/* What the file at path says about itself; strings in the arena, id zeros. ERR_NO_MODEL, ERR_CORRUPT,
 * ERR_UNSUPPORTED. */
MUST_USE Err model_describe(Arena *a, const char *path, ModelInfo *out);

/* Models in dir (*.gguf, sorted by name). A missing folder gives none. */
MUST_USE Err model_list(Arena *a, const char *dir, ModelEntry **out, size_t *n);

/* Removes dir/<name>.gguf and what was put beside it (its sum, its packed weights). Of a link the link goes and what it
 * leads to stays: *left, "" when nothing is left; *bytes: freed. Who has the model open keeps it. ERR_NO_MODEL as
 * model_resolve. */
MUST_USE Err model_remove(Arena *a, const char *dir, Str name, Str *left, int64_t *bytes);

/* A name or a path to a file: "x.gguf", "/a/x.gguf", "all-minilm-l6-v2" (looked up as dir/<name>.gguf). ERR_NO_MODEL
 * lists what there is and the command that gets one. */
MUST_USE Err model_resolve(Arena *a, const char *dir, Str name_or_path, const char **out);

#endif
