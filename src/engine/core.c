/* core.c - see core.h. */
#include "engine/core.h"

#include <pthread.h>
#include <stdlib.h>

struct Core {
    /* guards models, n_models; held while one is opened: who asks meanwhile wants the same */
    pthread_mutex_t models_lock;
    Model *models[CORE_MODELS_MAX];
    size_t n_models;
    pthread_mutex_t lock; /* guards all below; the cache, the scheduler and the shelf have their own */
    size_t users;
    Pool *pools[SCHED_CLASSES][CORE_LEVELS];
    EmbedCache *cache;
    Sched *sched;
    Shelf *shelf;
    MemoryLevel level;
    CoreChunks chunks;
};

Err core_open(Core **out) {
    *out = NULL;
    Core *c = calloc(1, sizeof *c);
    if (!c) return err_set(ERR_NOMEM, "out of memory: cannot start");
    Err err = sched_open(&c->sched, NULL);
    if (!err) err = shelf_open(&c->shelf);
    if (err) {
        sched_close(c->sched);
        free(c);
        return err;
    }
    (void)pthread_mutex_init(&c->models_lock, NULL);
    (void)pthread_mutex_init(&c->lock, NULL);
    c->users = 1;
    *out = c;
    return ERR_OK;
}

Core *core_join(Core *c) {
    (void)pthread_mutex_lock(&c->lock);
    c->users++;
    (void)pthread_mutex_unlock(&c->lock);
    return c;
}

void core_leave(Core *c) {
    if (!c) return;
    (void)pthread_mutex_lock(&c->lock);
    bool last = --c->users == 0;
    (void)pthread_mutex_unlock(&c->lock);
    if (!last) return;
    sched_close(c->sched);
    shelf_close(c->shelf);
    for (size_t i = 0; i < c->n_models; i++) model_close(c->models[i]);
    embed_cache_close(c->cache);
    for (int line = 0; line < SCHED_CLASSES; line++)
        for (int level = 0; level < CORE_LEVELS; level++) pool_close(c->pools[line][level]);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_mutex_destroy(&c->models_lock);
    free(c);
}

Err core_model(Core *c, CoreIs is, CoreOpen open, void *ctx, Model **out) {
    Err err = ERR_OK;
    *out = NULL;
    (void)pthread_mutex_lock(&c->models_lock);
    for (size_t i = 0; i < c->n_models && !*out; i++)
        if (is(ctx, c->models[i])) *out = c->models[i];
    if (!*out && c->n_models == CORE_MODELS_MAX)
        err = err_set(ERR_LIMIT, "more than %d models in one call", CORE_MODELS_MAX);
    if (!*out && !err && !(err = open(ctx, out))) c->models[c->n_models++] = *out;
    (void)pthread_mutex_unlock(&c->models_lock);
    return err;
}

Err core_pool(Core *c, SchedClass line, MemoryLevel level, size_t threads, Pool **out) {
    Err err = ERR_OK;
    *out = NULL;
    if (threads == 0) threads = pool_cores();
    threads = memory_shared(threads, level);
    if (threads == 1) return ERR_OK; /* the caller itself */
    (void)pthread_mutex_lock(&c->lock);
    Pool **pool = &c->pools[line][level];
    if (!*pool) err = pool_open(pool, threads);
    *out = *pool;
    (void)pthread_mutex_unlock(&c->lock);
    return err;
}

Err core_cache(Core *c, size_t bytes, EmbedCache **out) {
    (void)pthread_mutex_lock(&c->lock);
    Err err = c->cache ? ERR_OK : embed_cache_open(&c->cache, bytes);
    *out = c->cache;
    (void)pthread_mutex_unlock(&c->lock);
    return err;
}

Sched *core_sched(Core *c) { return c->sched; }

Shelf *core_shelf(Core *c) { return c->shelf; }

MemoryLevel core_level(Core *c, MemoryLevel level, size_t cache_bytes) {
    (void)pthread_mutex_lock(&c->lock);
    MemoryLevel before = c->level;
    c->level = level;
    EmbedCache *cache = c->cache;
    (void)pthread_mutex_unlock(&c->lock);
    if (level != before && cache) embed_cache_resize(cache, cache_bytes);
    return before;
}

void core_count_chunks(Core *c, uint64_t hits, uint64_t misses) {
    (void)pthread_mutex_lock(&c->lock);
    c->chunks.hits += hits;
    c->chunks.misses += misses;
    (void)pthread_mutex_unlock(&c->lock);
}

CoreChunks core_chunks(Core *c) {
    (void)pthread_mutex_lock(&c->lock);
    CoreChunks chunks = c->chunks;
    (void)pthread_mutex_unlock(&c->lock);
    return chunks;
}
