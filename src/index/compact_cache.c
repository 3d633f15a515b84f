/* compact_cache.c - see compact.h. */
#include <stdlib.h>

#include "index/compact.h"

enum { BYTES = 8 << 20 };

void cache_open(CompactCache *c, size_t dim) {
    *c = (CompactCache){.n = BYTES / (dim * sizeof(float)), .dim = dim};
    (void)pthread_mutex_init(&c->lock, NULL);
}

void cache_close(CompactCache *c) {
    free(c->slots);
    free(c->rows);
    (void)pthread_mutex_destroy(&c->lock);
}

bool cache_get(CompactCache *c, uint32_t slot, float *out) {
    size_t at = slot % c->n;
    (void)pthread_mutex_lock(&c->lock);
    bool found = c->slots && c->slots[at] == slot + 1;
    if (found) memcpy(out, c->rows + at * c->dim, c->dim * sizeof *out);
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}

void cache_put(CompactCache *c, uint32_t slot, const float *row) {
    size_t at = slot % c->n;
    (void)pthread_mutex_lock(&c->lock);
    if (!c->slots) c->slots = calloc(c->n, sizeof *c->slots);
    if (!c->rows) c->rows = malloc(c->n * c->dim * sizeof *c->rows);
    if (c->slots && c->rows) {
        c->slots[at] = slot + 1;
        memcpy(c->rows + at * c->dim, row, c->dim * sizeof *row);
    }
    (void)pthread_mutex_unlock(&c->lock);
}
