/* info.h - what a model says about itself: its metadata as a ModelInfo, without its weights. Private to the room. */
#ifndef PYTHIA_MODEL_INFO_H
#define PYTHIA_MODEL_INFO_H

#include "model/gguf.h"
#include "model/model.h"

#define INFO_STATIC     "pythia-static" /* the architecture that has no layers (arch_static.c) */
#define INFO_PARENT_KEY "pythia.distill.parent.name"
#define INFO_PARENT_SHA "pythia.distill.parent.sha256"

/* Fills everything but id and tokenizer-made fields from the metadata and tensor heads; strings live in the arena. path
 * is the file's, for info.path and the name when general.name is missing. max_tokens is the smaller of
 * <arch>.context_length and, where the sentence model has a limit of its own, pythia.max_tokens. ERR_CORRUPT: a key is
 * missing, or its value cannot be. Cost: microseconds. */
MUST_USE Err model_info_read(const Gguf *g, Arena *a, const char *path, ModelInfo *out);

/* "bert.block_count" for ("bert", "block_count"), in out. */
const char *model_key(Str arch, const char *key, char out[128]);

#endif
