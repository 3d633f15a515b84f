/* import.h - what the parts of model_import share: the folder, what was read of it, the GGUF being written. */
#ifndef PYTHIA_MODEL_IMPORT_H
#define PYTHIA_MODEL_IMPORT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/safetensors.h"

enum { IMPORT_JSON_MAX = 64 << 20 }; /* bytes of a JSON file or vocabulary; the largest tokenizer.json has 34 MB */

typedef struct {
    const char *dir;
    Arena *arena;   /* the job's */
    json_t *config; /* config.json */
    Safetensors *weights;
    GgufWriter *out;
    int64_t max_tokens; /* the sentence model's limit; 0: none told */
    Pooling pooling;
    bool normalize;
    bool lowercase; /* the sentence model lowers texts itself */
} Import;

/* A file of the folder as JSON; *out is NULL when it is missing and not needed. json_decref it. */
MUST_USE Err import_json(const Import *im, const char *file, bool needed, json_t **out);
/* ERR_OK with *out untouched for a missing or null member; a wrong type or one outside [low, high] is ERR_INPUT. */
MUST_USE Err import_int(const char *file, const json_t *object, const char *key, int64_t low, int64_t high,
                        int64_t *out);
MUST_USE Err import_bool(const char *file, const json_t *object, const char *key, bool *out);
MUST_USE Err import_str(const char *file, const json_t *object, const char *key, Str *out);

/* Writes the tokenizer's keys for a model with n_vocab rows of embeddings (import_tok.c). */
MUST_USE Err import_tokenizer(const Import *im, size_t n_vocab);

/* An architecture: writes its keys and tensors and tells its vocabulary's size. */
typedef struct {
    const char *model_type; /* as config.json has it */
    Err (*write)(Import *im, size_t *n_vocab);
} ImportArch;
extern const ImportArch import_bert;

#endif
