/* cache.c - see cache.h. A hash table of chains over entries that also hang in one list by age of use. */
#include "model/cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 256 };

typedef struct Entry Entry;
struct Entry {
    EmbedCacheKey key;
    Entry *next;          /* in its slot */
    Entry *newer, *older; /* in the list */
    float vector[];       /* [key.dim] */
};

struct EmbedCache {
    pthread_mutex_t lock; /* guards everything below */
    Entry **slots;        /* [n_slots], a power of two; NULL until the first entry */
    size_t n_slots;
    Entry *newest, *oldest;
    EmbedCacheStats stats;
};

static size_t entry_bytes(size_t dim) { return sizeof(Entry) + dim * sizeof(float); }

/* The text's hash is as good as random already; the rest of the key is compared. */
static size_t slot_of(const EmbedCache *c, const EmbedCacheKey *key) {
    uint64_t h;
    memcpy(&h, key->text.bytes, sizeof h);
    return (size_t)h & (c->n_slots - 1);
}

static bool key_is(const EmbedCacheKey *a, const EmbedCacheKey *b) {
    return memcmp(a->text.bytes, b->text.bytes, sizeof a->text.bytes) == 0 &&
           memcmp(a->model.bytes, b->model.bytes, sizeof a->model.bytes) == 0 && a->kind == b->kind && a->dim == b->dim;
}

static Entry *entry_find(const EmbedCache *c, const EmbedCacheKey *key) {
    Entry *e = c->slots ? c->slots[slot_of(c, key)] : NULL;
    while (e && !key_is(&e->key, key)) e = e->next;
    return e;
}

static void list_remove(EmbedCache *c, Entry *e) {
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_push(EmbedCache *c, Entry *e) {
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void evict_oldest(EmbedCache *c) {
    Entry *e = c->oldest, **at = &c->slots[slot_of(c, &e->key)];
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    list_remove(c, e);
    c->stats.bytes -= entry_bytes(e->key.dim);
    c->stats.entries--;
    c->stats.evicted++;
    free(e);
}

static void fit(EmbedCache *c, size_t more) {
    while (c->oldest && c->stats.bytes + more > c->stats.max_bytes) evict_oldest(c);
}

/* Twice the slots when there are as many entries; without memory the chains grow longer instead. */
static bool slots_grow(EmbedCache *c) {
    size_t n = c->n_slots ? 2 * c->n_slots : SLOTS_FIRST;
    if (c->n_slots && c->stats.entries < c->n_slots) return true;
    Entry **slots = calloc(n, sizeof *slots);
    if (!slots) return c->slots != NULL;
    free(c->slots);
    c->slots = slots;
    c->n_slots = n;
    for (Entry *e = c->oldest; e; e = e->newer) {
        size_t at = slot_of(c, &e->key);
        e->next = slots[at];
        slots[at] = e;
    }
    return true;
}

Err embed_cache_open(EmbedCache **out, size_t max_bytes) {
    *out = NULL;
    EmbedCache *c = calloc(1, sizeof *c);
    if (!c) return err_set(ERR_NOMEM, "out of memory for a cache of embeddings");
    (void)pthread_mutex_init(&c->lock, NULL);
    c->stats.max_bytes = max_bytes;
    *out = c;
    return ERR_OK;
}

void embed_cache_close(EmbedCache *c) {
    if (!c) return;
    while (c->oldest) evict_oldest(c);
    free(c->slots);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

bool embed_cache_get(EmbedCache *c, const EmbedCacheKey *key, float *out) {
    (void)pthread_mutex_lock(&c->lock);
    Entry *e = entry_find(c, key);
    if (e) {
        memcpy(out, e->vector, e->key.dim * sizeof *out);
        list_remove(c, e);
        list_push(c, e);
        c->stats.hits++;
    } else
        c->stats.misses++;
    (void)pthread_mutex_unlock(&c->lock);
    return e != NULL;
}

void embed_cache_put(EmbedCache *c, const EmbedCacheKey *key, const float *vector) {
    size_t bytes = entry_bytes(key->dim);
    (void)pthread_mutex_lock(&c->lock);
    if (bytes <= c->stats.max_bytes && !entry_find(c, key) && slots_grow(c)) {
        fit(c, bytes);
        Entry *e = malloc(bytes);
        if (e) {
            e->key = *key;
            memcpy(e->vector, vector, key->dim * sizeof *vector);
            Entry **slot = &c->slots[slot_of(c, key)];
            e->next = *slot;
            *slot = e;
            list_push(c, e);
            c->stats.bytes += bytes;
            c->stats.entries++;
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void embed_cache_resize(EmbedCache *c, size_t max_bytes) {
    (void)pthread_mutex_lock(&c->lock);
    c->stats.max_bytes = max_bytes;
    fit(c, 0);
    (void)pthread_mutex_unlock(&c->lock);
}

void embed_cache_stats(EmbedCache *c, EmbedCacheStats *out) {
    (void)pthread_mutex_lock(&c->lock);
    *out = c->stats;
    (void)pthread_mutex_unlock(&c->lock);
}

/* A text that is to be refused when it is too long must be looked at, not looked up. */
Err model_embed_cached(const Model *m, EmbedCache *c, Sched *s, Pool *pool, Str text, const EmbedOpts *opts,
                       float *out) {
    if (!c || (opts && opts->truncate_error))
        return sched_embed(s, SCHED_INTERACTIVE, m, pool, &text, 1, opts, out, NULL);
    const ModelInfo *info = model_info(m);
    size_t dim = opts && opts->dimensions ? opts->dimensions : info->dim;
    EmbedCacheKey key = {.text = chunk_hash_of(text), .model = info->id, .dim = (uint32_t)dim};
    /* The same file in another precision gives other numbers. */
    key.kind = (uint32_t)(opts ? opts->kind : EMBED_DOCUMENT) | (uint32_t)info->precision << 8;
    if (embed_cache_get(c, &key, out)) return ERR_OK;
    TRY(sched_embed(s, SCHED_INTERACTIVE, m, pool, &text, 1, opts, out, NULL));
    embed_cache_put(c, &key, out);
    return ERR_OK;
}
