/* map.c - see map.h. */
#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"

static bool map_entry_is(const MapEntry *e, uint64_t hash, Str key) { return e->hash == hash && str_eq(e->key, key); }

/* The slot where key stands or would stand. table_size > 0. */
static size_t map_slot(const Map *m, uint64_t hash, Str key) {
    size_t mask = m->table_size - 1, i = (size_t)hash & mask;
    while (m->table[i] && !map_entry_is(&m->entries[m->table[i] - 1], hash, key)) i = (i + 1) & mask;
    return i;
}

static Err map_rehash(Map *m, size_t table_size) {
    uint32_t *table = calloc(table_size, sizeof *table);
    if (!table) return err_set(ERR_NOMEM, "out of memory: a map of %zu places", table_size);
    for (size_t e = 0; e < m->count; e++) {
        size_t i = (size_t)m->entries[e].hash & (table_size - 1);
        while (table[i]) i = (i + 1) & (table_size - 1);
        table[i] = (uint32_t)(e + 1);
    }
    free(m->table);
    m->table = table;
    m->table_size = table_size;
    return ERR_OK;
}

Err map_reserve(Map *m, size_t count) {
    if (count > UINT32_MAX / 4) return err_set(ERR_LIMIT, "a map of %zu entries is too large", count);
    if (count > m->capacity) {
        size_t capacity = m->capacity ? m->capacity : 16;
        while (capacity < count) capacity *= 2;
        MapEntry *entries = realloc(m->entries, capacity * sizeof *entries);
        if (!entries) return err_set(ERR_NOMEM, "out of memory: a map of %zu entries", capacity);
        m->entries = entries;
        m->capacity = capacity;
    }
    size_t table_size = m->table_size ? m->table_size : 32;
    while (table_size / 4 * 3 < count) table_size *= 2;
    return table_size == m->table_size ? ERR_OK : map_rehash(m, table_size);
}

uint64_t *map_get(const Map *m, Str key) {
    if (m->count == 0) return NULL;
    size_t i = map_slot(m, xxh3_seeded(key, m->seed), key);
    return m->table[i] ? &m->entries[m->table[i] - 1].value : NULL;
}

uint64_t *map_at(Map *m, Str key, uint64_t initial) {
    if (map_reserve(m, m->count + 1)) return NULL;
    uint64_t hash = xxh3_seeded(key, m->seed);
    size_t i = map_slot(m, hash, key);
    if (!m->table[i]) {
        m->entries[m->count++] = (MapEntry){.key = key, .value = initial, .hash = hash};
        m->table[i] = (uint32_t)m->count;
    }
    return &m->entries[m->table[i] - 1].value;
}

Err map_put(Map *m, Str key, uint64_t value) {
    uint64_t *at = map_at(m, key, value);
    if (!at) return ERR_NOMEM;
    *at = value;
    return ERR_OK;
}

void map_free(Map *m) {
    free(m->entries);
    free(m->table);
    *m = (Map){.seed = m->seed};
}
