/* cache.h - vectors of texts that were embedded before, within a bound of bytes: the least recently used goes first.
 *
 * The key is the SHA-256 of the text (first half, as chunks are known), the model's id, and what kind of text it was,
 * so that a model's prefixes and a changed model cannot mix. A repeated query in a long-lived process costs 0.2 us
 * instead of a run of the network, or instead of a request to a service.
 *
 * Threads: any; one lock, held for a look-up and a copy of one vector, never while embedding. Two threads that miss the
 * same text both embed it; the vectors are the same bits.
 */
#ifndef PYTHIA_MODEL_CACHE_H
#define PYTHIA_MODEL_CACHE_H

#include "model/sched.h"

typedef struct EmbedCache EmbedCache;

typedef struct {
    uint64_t hits, misses, evicted;
    size_t entries, bytes, max_bytes;
} EmbedCacheStats;

/* max_bytes 0: keeps nothing, counts misses. */
MUST_USE Err embed_cache_open(EmbedCache **out, size_t max_bytes);
void embed_cache_close(EmbedCache *c); /* NULL is fine */

typedef struct {
    ChunkHash text;
    Sha256 model;
    uint32_t kind, dim;
} EmbedCacheKey;

/* Copies the vector to out and counts. */
bool embed_cache_get(EmbedCache *c, const EmbedCacheKey *key, float *out /* [key->dim] */);
/* Keeps a copy, unless it is larger than the bound or memory is out: a cache never fails. */
void embed_cache_put(EmbedCache *c, const EmbedCacheKey *key, const float *vector /* [key->dim] */);
/* Another bound; entries over it go at once. For memory pressure. */
void embed_cache_resize(EmbedCache *c, size_t max_bytes);
void embed_cache_stats(EmbedCache *c, EmbedCacheStats *out);

/* One text that somebody waits for, through the cache and the scheduler. c, s NULL: without. */
MUST_USE Err model_embed_cached(const Model *m, EmbedCache *c, Sched *s, Pool *pool, Str text, const EmbedOpts *opts,
                                float *out);

#endif
