/* prefix.h - what a model wants before a query and before a document. Private to the room. */
#ifndef PYTHIA_MODEL_PREFIX_H
#define PYTHIA_MODEL_PREFIX_H

#include "model/gguf.h"
#include "model/model.h"

/* Fills info->prefix, in the arena, from the keys pythia.prefix.query and pythia.prefix.document; where neither is
 * there, from the table of model families, looked up by info's name. ERR_LIMIT: a prefix over 4,096 bytes. */
MUST_USE Err prefix_read(const Gguf *g, Arena *a, ModelInfo *info);

#endif
