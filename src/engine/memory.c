/* memory.c - what the engine does when memory grows short: fewer workers, smaller batches, smaller caches.
 *
 * The level is asked for at the borders where something can follow from it: before each batch of an index, before each
 * query. Workers go by using a smaller pool, never by shrinking one that somebody may be sizing scratch for.
 */
#include "engine/engine.h"

#include "base/log.h"
#include "base/sys.h"

static int64_t budget_of(const Pythia *p, const MemoryNow *now) {
    int64_t set = config_int(p->opts.config, CONF_MODEL_MEMORY);
    return set > 0 ? set : memory_budget_default(now);
}

static size_t cache_size(const Pythia *p, MemoryLevel level) {
    int64_t size = config_int(p->opts.config, CONF_MEMORY_CACHE_SIZE);
    return size > 0 ? (size_t)size / 8 * memory_share(level) : 0;
}

Err engine_cache(Pythia *p, EmbedCache **out) {
    *out = NULL;
    if (!p->cache) TRY(embed_cache_open(&p->cache, cache_size(p, p->pressure)));
    *out = p->cache;
    return ERR_OK;
}

MemoryLevel engine_pressure(Pythia *p) {
    MemoryNow now;
    memory_read(&now);
    MemoryLevel level = memory_level(&now, budget_of(p, &now), config_float(p->opts.config, CONF_MEMORY_THRESHOLD));
    if (level == p->pressure) return level;
    LOG(level > p->pressure ? LOG_WARN : LOG_INFO, "engine", "memory pressure level=%d share=%zu/8 anonymous_mb=%lld",
        (int)level, memory_share(level), (long long)(now.anonymous >> 20));
    bool rising = level > p->pressure;
    p->pressure = level;
    if (p->cache) embed_cache_resize(p->cache, cache_size(p, level));
    if (rising) sys_memory_trim();
    return level;
}

Err engine_pool_under(Pythia *p, MemoryLevel level, Pool **out) {
    TRY(engine_pool(p, out));
    if (level == MEMORY_CALM) return ERR_OK;
    size_t threads = memory_shared(pool_size(*out), level);
    *out = NULL; /* one worker: the caller itself */
    if (threads == 1) return ERR_OK;
    Pool **small = &p->small_pools[level - 1];
    if (!*small) TRY(pool_open(small, threads));
    *out = *small;
    return ERR_OK;
}

void pythia_memory(Pythia *p, PythiaMemory *out) {
    MemoryNow now;
    memory_read(&now);
    *out = (PythiaMemory){.level = (int)engine_pressure(p),
                          .anonymous = now.anonymous,
                          .resident = now.resident,
                          .budget = budget_of(p, &now)};
    EmbedCacheStats s = {.max_bytes = cache_size(p, p->pressure)};
    if (p->cache) embed_cache_stats(p->cache, &s);
    out->cache_bytes = (int64_t)s.bytes;
    out->cache_max_bytes = (int64_t)s.max_bytes;
    out->cache_hits = (int64_t)s.hits;
    out->cache_misses = (int64_t)s.misses;
}
