/* map.h - a hash map from strings to 64-bit values: open addressing, linear probing, at most 3/4 full.
 *
 * Keys are borrowed: the bytes must outlive the map. Iteration order is insertion order, so that the same input gives
 * the same output. Hash: XXH3 with a per-map seed handed in (0 is fine for trusted keys; hostile keys want a random
 * one). Threads: readers only while nobody writes.
 */
#ifndef PYTHIA_BASE_MAP_H
#define PYTHIA_BASE_MAP_H

#include "base/err.h"
#include "base/str.h"

typedef struct {
    Str key;
    uint64_t value;
    uint64_t hash;
} MapEntry;

typedef struct {
    MapEntry *entries; /* [count] in insertion order */
    uint32_t *table;   /* [table_size] index + 1 into entries, 0 free */
    size_t count;
    size_t capacity;
    size_t table_size; /* power of two */
    uint64_t seed;
} Map;

/* Sets key to value. */
MUST_USE Err map_put(Map *m, Str key, uint64_t value);
/* The value's place, or NULL. Valid until the next map_put. */
uint64_t *map_get(const Map *m, Str key);
/* The value's place, made with `initial` when the key is new; NULL when memory is out (ERR_NOMEM set). */
uint64_t *map_at(Map *m, Str key, uint64_t initial);
MUST_USE Err map_reserve(Map *m, size_t count);
void map_free(Map *m);

#endif
