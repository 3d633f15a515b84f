/* low_cache.h - weights repacked for this CPU, kept beside the model, so that a process starts in milliseconds.
 *
 * The file, little-endian as the machine (a file of another kind of machine fails the check of the level's name):
 *
 *      0  char[8]    "PYTHLOW" and a NUL
 *      8  uint32     LOW_CACHE_VERSION
 *     12  uint32     type: 0 bf16, 1 int8
 *     16  char[16]   level of kernels that packed it, padded with NULs
 *     32  uint8[32]  SHA-256 of the model file
 *     64  uint64     bytes of the block
 *     72  uint64     XXH3 of the block
 *     80  uint64     XXH3 of the 80 bytes above
 *    128  the block, as bert_low.c lays it out
 *
 * It is a cache: written beside and renamed, so that of two processes the last wins and both read whole files; whatever
 * does not fit is packed anew, and a damaged file is named in the log.
 */
#ifndef PYTHIA_MODEL_LOW_CACHE_H
#define PYTHIA_MODEL_LOW_CACHE_H

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "kern/kern.h"

/* To be raised with every change of what packing does. */
enum { LOW_CACHE_VERSION = 4 };

typedef struct LowCacheKey {
    const char *path; /* of the file; NULL: no cache */
    LowType type;
    const char *level;
    Sha256 model;
} LowCacheKey;

/* Where the cache of a model file stands: beside it, or, when its folder cannot be written to, in the user's cache
 * ($XDG_CACHE_HOME/pythia, ~/.cache/pythia) under the model's hash. NULL when there is no place. */
const char *low_cache_path(Arena *a, const char *model_path, const LowCacheKey *key);

/* Maps the block of exactly `bytes`; *block is {NULL, 0} when there is none that fits. Reads all of it once (35 MB: 5
 * ms). map: to be given to file_unmap. */
void low_cache_open(const LowCacheKey *key, size_t bytes, FileMap *map, Str *block);

/* Keeps a block; a failure is logged at info and is no error: the next process packs again. */
void low_cache_keep(const LowCacheKey *key, Str block);

#endif
