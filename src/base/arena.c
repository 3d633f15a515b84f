/* arena.c - see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { ARENA_RED_ZONE = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { ARENA_RED_ZONE = 0 };
#endif

enum { ARENA_ALIGN = 16, ARENA_FIRST_BLOCK = 16 * 1024, ARENA_MAX_BLOCK = 4 * 1024 * 1024 };

struct ArenaBlock {
    ArenaBlock *next;
    size_t size; /* of bytes */
    size_t used;
    size_t pad_;
    _Alignas(16) unsigned char bytes[];
};

static _Thread_local Err arena_last_error;

Err arena_error(void) { return arena_last_error; }

static ArenaBlock *arena_grow(Arena *a, size_t need) {
    size_t size = a->head ? a->head->size * 2 : ARENA_FIRST_BLOCK;
    if (size > ARENA_MAX_BLOCK) size = ARENA_MAX_BLOCK;
    if (size < need) size = need;
    ArenaBlock *b = malloc(sizeof *b + size);
    if (!b) {
        arena_last_error = err_set(ERR_NOMEM, "out of memory: cannot get %zu bytes", size);
        return NULL;
    }
    *b = (ArenaBlock){.next = a->head, .size = size};
    ASAN_POISON_MEMORY_REGION(b->bytes, b->size);
    a->head = b;
    return b;
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 2) {
        arena_last_error = err_set(ERR_LIMIT, "a piece of %zu bytes is too large", size);
        return NULL;
    }
    size_t need = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN + ARENA_RED_ZONE;
    if (need == ARENA_RED_ZONE) need += ARENA_ALIGN; /* two empty pieces still differ */
    if (a->limit && need > a->limit - (a->used < a->limit ? a->used : a->limit)) {
        arena_last_error = err_set(ERR_LIMIT, "a job's memory passed its limit of %zu bytes", a->limit);
        return NULL;
    }
    ArenaBlock *b = a->head;
    if (!b || need > b->size - b->used) {
        b = arena_grow(a, need);
        if (!b) return NULL;
    }
    unsigned char *p = b->bytes + b->used;
    b->used += need;
    a->used += need;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    memset(p, 0, size);
    return p;
}

void *arena_alloc_array(Arena *a, size_t count, size_t size) {
    if (size && count > SIZE_MAX / 2 / size) {
        arena_last_error = err_set(ERR_LIMIT, "an array of %zu times %zu bytes is too large", count, size);
        return NULL;
    }
    return arena_alloc(a, count * size);
}

Str arena_str(Arena *a, Str s) {
    char *p = arena_alloc(a, s.n + 1);
    if (!p) return (Str){NULL, 0};
    if (s.n) memcpy(p, s.p, s.n);
    return (Str){p, s.n};
}

const char *arena_cstr(Arena *a, Str s) { return arena_str(a, s).p; }

Str arena_printf(Arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p) (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p ? (Str){p, (size_t)n} : (Str){NULL, 0};
}

void arena_free(Arena *a) {
    for (ArenaBlock *b = a->head; b;) {
        ArenaBlock *next = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
        free(b);
        b = next;
    }
    a->head = NULL;
    a->used = 0;
}

void arena_reset(Arena *a) {
    ArenaBlock *keep = a->head;
    if (!keep) return;
    Arena rest = {.head = keep->next};
    arena_free(&rest);
    keep->next = NULL;
    keep->used = 0;
    ASAN_POISON_MEMORY_REGION(keep->bytes, keep->size);
    a->used = 0;
}
