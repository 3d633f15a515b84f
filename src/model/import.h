/* import.h - what the parts of model_import share: the folder, what was read of it, the GGUF being written.
 *
 *   import.c            the order of things; which architecture; JSON members with checks
 *   import_sentence.c   what sentence-transformers adds: steps behind the network, prompts, limits
 *   import_tensors.c    the weights, in one file or in parts, and tables of tensors
 *   import_bert.c       BERT, RoBERTa, XLM-RoBERTa, DistilBERT
 *   import_trunk.c      nomic-BERT, ModernBERT, Qwen2, Qwen3, Gemma 3
 *   import_head.c       classifiers of rerankers, dense layers
 *   import_tok*.c       tokenizers
 */
#ifndef PYTHIA_MODEL_IMPORT_H
#define PYTHIA_MODEL_IMPORT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/safetensors.h"

enum {
    IMPORT_JSON_MAX = 64 << 20, /* bytes of a JSON file or vocabulary; the largest tokenizer.json has 34 MB */
    IMPORT_PARTS_MAX = 256,     /* files of weights; the largest models have some 200 */
    IMPORT_DENSE_MAX = 2        /* layers behind the pooled vector */
};

#define IMPORT_COUNT(array) (sizeof(array) / sizeof *(array))

/* A tensor of the weights. */
typedef struct {
    const SafeTensor *tensor;
    const Safetensors *file;
    bool taken; /* written, or left out on purpose */
} ImportWeight;

typedef struct {
    Safetensors *parts[IMPORT_PARTS_MAX];
    size_t n_parts;
    ImportWeight *all; /* [n] in the arena */
    size_t n;
    Map by_name;
} ImportWeights;

/* Dimensions that tables of tensors name; import.sizes has their values. */
typedef enum {
    SIZE_NONE,
    SIZE_HIDDEN,
    SIZE_FF,
    SIZE_FF_TWICE,
    SIZE_VOCAB,
    SIZE_POSITIONS,
    SIZE_TYPES,
    SIZE_HEAD,   /* of one attention head */
    SIZE_QUERY,  /* of all heads of queries */
    SIZE_KEY,    /* of all heads of keys */
    SIZE_QKV,    /* queries, keys and values together */
    SIZE_LABELS, /* of a classifier: 1 */
    SIZES
} ImportSize;

typedef struct {
    const char *dir;
    Arena *arena;   /* the job's */
    json_t *config; /* config.json, or the part of it that tells of the text's network */
    ImportWeights weights;
    GgufWriter *out;
    const char *arch; /* general.architecture of the GGUF; set by the architecture's write */

    int64_t max_tokens; /* the sentence model's limit; 0: none told */
    Pooling pooling;
    bool sentences; /* modules.json was there */
    bool normalize;
    bool lowercase; /* the sentence model lowers texts itself */
    bool reranker;  /* the network ends in a classifier */
    Str prefix[2];  /* by EmbedKind */
    Str dense[IMPORT_DENSE_MAX];
    size_t n_dense; /* folders of dense layers, in order */
    ImportWeights dense_weights[IMPORT_DENSE_MAX];

    uint64_t sizes[SIZES];
    uint64_t first_position; /* rows of positions before the first one used */
    const char *hf_prefix;   /* what all names of tensors begin with here: "", "bert." */
    SafeType matrices;       /* type of the token embedding: what general.file_type tells */
} Import;

/* ---- JSON files (import.c) ---- */

/* A file of the folder as JSON; *out is NULL when it is missing and not needed. json_decref it. */
MUST_USE Err import_json(const Import *im, const char *file, bool needed, json_t **out);

/* Members of an object. key may tell several names, "hidden_size|n_embd": the first that is there and not null counts.
 * ERR_OK with *out untouched when none is; a wrong type or a number outside [low, high] is ERR_INPUT naming the
 * file. */
MUST_USE Err import_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high,
                        int64_t *out);
MUST_USE Err import_f64(const char *file, const json_t *object, const char *key, double low, double high, double *out);
MUST_USE Err import_bool(const char *file, const json_t *object, const char *key, bool *out);
MUST_USE Err import_str(const char *file, const json_t *object, const char *key, Str *out);
const json_t *import_member(const json_t *object, const char *key); /* NULL when none of the names is there */

/* A member that must be there. */
MUST_USE Err import_need_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high,
                             int64_t *out);
/* ERR_UNSUPPORTED unless a member is missing or as the network takes it for granted. */
MUST_USE Err import_want_bool(const char *file, const json_t *object, const char *key, bool want);
MUST_USE Err import_want_str(const char *file, const json_t *object, const char *key, const char *want);

/* ---- the sentence model (import_sentence.c) ---- */

/* modules.json and what it leads to, sentence_bert_config.json, config_sentence_transformers.json. */
MUST_USE Err import_sentence_read(Import *im);
/* Their keys; context: tokens that the network takes. */
void import_sentence_write(const Import *im, int64_t context);

/* ---- tensors (import_tensors.c) ---- */

enum {
    TENSOR_F32 = 1,        /* kept in F32, as all vectors are */
    TENSOR_BIAS = 2,       /* has a bias, [rows] */
    TENSOR_BIAS_MAYBE = 4, /* has one or not */
    TENSOR_MAYBE = 8,      /* may be missing altogether */
    TENSOR_PLUS_ONE = 16,  /* 1 is added to each number: a norm that the network reads without it */
    TENSOR_POSITIONS = 32  /* the rows before im->first_position are left out */
};
typedef struct {
    const char *hf, *gguf; /* without ".weight" or ".bias" */
    ImportSize rows, cols; /* of the weight; cols SIZE_NONE: a vector */
    unsigned flags;
} ImportTensor;

/* model.safetensors, or the parts that model.safetensors.index.json names. */
MUST_USE Err import_weights_open(Import *im);
void import_weights_close(ImportWeights *w);

/* Sets im->hf_prefix to the first of "|bert.|…" with which a tensor called name is there; the empty one when none
 * is. */
void import_prefix_find(Import *im, const char *prefixes, const char *name);
bool import_has(const Import *im, const char *prefix, const char *name); /* a tensor of that full name */

/* Writes the tensors of a table, hf_part and gguf_part ("encoder.layer.3.", "blk.3.") before each name. ERR_INPUT: one
 * is missing or has another shape than the sizes ask for; ERR_UNSUPPORTED: a type other than F32, F16, BF16. */
MUST_USE Err import_tensors(Import *im, const ImportTensor *table, size_t n, const char *hf_part,
                            const char *gguf_part);
/* The same for layers 0 … n_layers - 1; hf_layer is "encoder.layer.". */
MUST_USE Err import_layers(Import *im, const ImportTensor *table, size_t n, const char *hf_layer, int64_t n_layers);

/* ERR_UNSUPPORTED when a tensor is left that is neither written nor begins (behind the prefix) with one of left_out,
 * "pooler.|cls.": a part left out silently would give other vectors. what: "a BERT". */
MUST_USE Err import_leftovers(const Import *im, const char *left_out, const char *what);

/* Sets a key "<arch>.<key>". */
void import_key_u32(const Import *im, const char *key, int64_t v);
void import_key_f32(const Import *im, const char *key, double v);
void import_key_bool(const Import *im, const char *key, bool v);

/* ---- heads (import_head.c) ---- */

/* Dense layers of the sentence model; a reranker's classifier: its tensors and keys. */
MUST_USE Err import_dense(Import *im);
MUST_USE Err import_classifier(Import *im, const ImportTensor *tensors, size_t n);

/* ---- tokenizers (import_tok.c) ---- */

/* Writes the tokenizer's keys for a model with n_vocab rows of embeddings. */
MUST_USE Err import_tokenizer(const Import *im, size_t n_vocab);

/* ---- architectures ---- */

/* Writes keys and tensors: sets im->arch first, and im->sizes. *context: tokens that it takes. */
typedef struct {
    const char *model_type; /* as config.json has it */
    Err (*write)(Import *im, int64_t *context);
} ImportArch;
extern const ImportArch import_bert, import_roberta, import_xlm_roberta, import_camembert, import_distilbert;
extern const ImportArch import_nomic, import_modern, import_qwen2, import_qwen3, import_gemma3, import_gemma3_whole;

/* What most networks tell alike, read and written as keys: layers, widths, heads. Fills SIZE_HIDDEN, SIZE_FF,
 * SIZE_VOCAB, SIZE_HEAD, SIZE_QUERY, SIZE_KEY and SIZE_QKV. */
typedef struct {
    int64_t layers, heads, kv_heads, head_dim, hidden, ff, vocab, positions;
    double epsilon;
    bool rms;
} ImportShape;
enum {
    IMPORT_LAYERS_MAX = 256,
    IMPORT_HIDDEN_MAX = 1 << 16,
    IMPORT_VOCAB_MAX = 1 << 22,
    IMPORT_POSITIONS_MAX = 1 << 24
};
MUST_USE Err import_shape_read(Import *im, ImportShape *s);
/* general.architecture and the keys of the shape; grouped: those of heads that share keys too. */
void import_shape_write(const Import *im, const ImportShape *s, bool grouped);

#endif
