/* usages.h - uses of a name gathered by their shape (chunk/usage.h), the most frequent first.
 *
 * Threads: one. Memory: shapes and examples in the arena.
 */
#ifndef PYTHIA_ENGINE_USAGES_H
#define PYTHIA_ENGINE_USAGES_H

#include "base/map.h"
#include "engine/pythia.h"

typedef struct {
    Arena *a;
    Str name;
    int args;            /* only calls with so many; below 0: any use */
    PythiaUsage *usages; /* [n] */
    size_t n, cap;
    Map shapes; /* numbers of usages */
} Usages;

/* All uses of the name on the line of text that starts at byte `start`; ref: that place. ERR_NOMEM. */
MUST_USE Err usages_add(Usages *u, Str text, size_t start, const PythiaReference *ref);
/* Sorts them; the map is given back. */
void usages_end(Usages *u);

#endif
