/* memory.c - what the engine does when memory grows short: fewer workers, smaller batches, smaller caches, no index
 * kept open.
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

Err engine_cache(Pythia *p, MemoryLevel level, EmbedCache **out) {
    return core_cache(p->core, cache_size(p, level), out);
}

MemoryLevel engine_pressure(Pythia *p) {
    MemoryNow now;
    memory_read(&now);
    MemoryLevel level = memory_level(&now, budget_of(p, &now), config_float(p->opts.config, CONF_MEMORY_THRESHOLD));
    MemoryLevel before = core_level(p->core, level, cache_size(p, level));
    if (level == before) return level;
    LOG(level > before ? LOG_WARN : LOG_INFO, "engine", "memory pressure level=%d share=%zu/8 anonymous_mb=%lld",
        (int)level, memory_share(level), (long long)(now.anonymous >> 20));
    if (level > before) {
        shelf_forget(core_shelf(p->core), STR(""));
        sys_memory_trim();
    }
    return level;
}

Err engine_pool_under(Pythia *p, SchedClass line, MemoryLevel level, Pool **out) {
    int64_t threads = config_int(p->opts.config, CONF_MODEL_THREADS);
    return core_pool(p->core, line, level, threads > 0 ? (size_t)threads : 0, out);
}

void pythia_work(Pythia *p, PythiaWork *out) {
    CoreChunks chunks = core_chunks(p->core);
    *out = (PythiaWork){.chunk_hits = (int64_t)chunks.hits, .chunk_misses = (int64_t)chunks.misses};
    for (int i = 0; i < PYTHIA_CLASSES; i++) {
        SchedStats s;
        sched_stats(core_sched(p->core), (SchedClass)i, &s);
        out->lines[i].depth = (int64_t)s.depth;
        out->lines[i].done = (int64_t)s.done;
        out->lines[i].refused = (int64_t)s.refused;
        out->lines[i].left_early = (int64_t)s.left;
        out->lines[i].merged = (int64_t)s.merged;
        out->lines[i].paused_ms = s.paused_ns / 1000000;
    }
}

void pythia_memory(Pythia *p, PythiaMemory *out) {
    MemoryNow now;
    memory_read(&now);
    *out = (PythiaMemory){.level = (int)engine_pressure(p),
                          .anonymous = now.anonymous,
                          .resident = now.resident,
                          .budget = budget_of(p, &now)};
    EmbedCache *cache = NULL;
    EmbedCacheStats s = {.max_bytes = cache_size(p, (MemoryLevel)out->level)};
    if (!engine_cache(p, (MemoryLevel)out->level, &cache)) embed_cache_stats(cache, &s);
    out->cache_bytes = (int64_t)s.bytes;
    out->cache_max_bytes = (int64_t)s.max_bytes;
    out->cache_hits = (int64_t)s.hits;
    out->cache_misses = (int64_t)s.misses;
}
