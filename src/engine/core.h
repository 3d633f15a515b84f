/* core.h - what the Pythias of one process share: models, threads, open indexes, the cache of queries' vectors, whose
 * turn it is, and what is counted of all that.
 *
 * A Pythia is for one thread; a server has one a thread, and a search must not wait for an index run of another. So
 * each class of work has a pool of its own (sched.h tells why), of which one is busy at a time.
 *
 * Threads: any. Lock order: models before lock. Lives until the last Pythia has left it.
 */
#ifndef PYTHIA_ENGINE_CORE_H
#define PYTHIA_ENGINE_CORE_H

#include "base/memory.h"
#include "base/pool.h"
#include "engine/shelf.h"
#include "model/cache.h"
#include "model/model.h"
#include "model/sched.h"

enum { CORE_MODELS_MAX = 8, CORE_LEVELS = MEMORY_CRITICAL + 1 };

typedef struct Core Core;

MUST_USE Err core_open(Core **out); /* with one user */
Core *core_join(Core *c);           /* one more */
void core_leave(Core *c);           /* the last one closes it; NULL is fine */

/* Opens what is not open yet. */
typedef Err (*CoreOpen)(void *ctx, Model **out);
typedef bool (*CoreIs)(const void *ctx, const Model *m);
/* The model of which `is` holds, else a new one out of `open`; opened once, however many ask: the others wait. What is
 * handed out lives as long as the core. ERR_LIMIT: more than CORE_MODELS_MAX. */
MUST_USE Err core_model(Core *c, CoreIs is, CoreOpen open, void *ctx, Model **out);

/* A class's pool at a level of memory pressure: memory_shared of `threads` (0: one a core) workers; NULL when one is
 * left. The first call at a level fixes its size. */
MUST_USE Err core_pool(Core *c, SchedClass line, MemoryLevel level, size_t threads, Pool **out);

/* The cache, opened with this size at the first call. */
MUST_USE Err core_cache(Core *c, size_t bytes, EmbedCache **out);
Sched *core_sched(Core *c);
Shelf *core_shelf(Core *c); /* of indexes open to be searched */

/* Keeps the level and returns the one before; cache_bytes: what the cache is to have at this level. */
MemoryLevel core_level(Core *c, MemoryLevel level, size_t cache_bytes);

/* Texts of chunks that needed no computing, and those that did, since the core was opened. */
typedef struct {
    uint64_t hits, misses;
} CoreChunks;
void core_count_chunks(Core *c, uint64_t hits, uint64_t misses);
CoreChunks core_chunks(Core *c);

#endif
