/* arena.h - memory of a job: taken piece by piece, given back all at once.
 *
 * An arena is a list of blocks that double in size; nobody frees single pieces. Results live in the caller's arena.
 * Running out of memory, or over the arena's limit, is not an error to be handled at each call: arena_alloc returns
 * NULL only when the size overflows or the limit is passed, after err_set; callers use the TRY-able arena_take, or
 * arena_array which ends the job through NULL. Under AddressSanitizer 16 poisoned bytes stand between two pieces.
 *
 * Threads: one thread at a time.
 */
#ifndef PYTHIA_BASE_ARENA_H
#define PYTHIA_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ArenaBlock ArenaBlock;

typedef struct {
    ArenaBlock *head; /* newest block; {0} is an empty arena, ready for use */
    size_t used;      /* bytes given out */
    size_t limit;     /* 0: none */
} Arena;

/* Zeroed memory aligned to 16 bytes; NULL (with ERR_NOMEM or ERR_LIMIT set) when it cannot be had. size 0 gives a
 * valid pointer. Cost: a few ns, or one malloc a block. */
void *arena_alloc(Arena *a, size_t size);

/* count * size bytes with the product checked. */
void *arena_alloc_array(Arena *a, size_t count, size_t size);

#define arena_new(a, T)          ((T *)arena_alloc((a), sizeof(T)))
#define arena_array(a, T, count) ((T *)arena_alloc_array((a), (count), sizeof(T)))

/* A NUL-terminated copy; {NULL,0} when memory is out. */
Str arena_str(Arena *a, Str s);
const char *arena_cstr(Arena *a, Str s);
Str arena_printf(Arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Gives everything back; the arena is empty and usable again. */
void arena_free(Arena *a);

/* Forgets all pieces but keeps the newest (largest) block: for a loop that runs one job after another. */
void arena_reset(Arena *a);

/* The error that made the last arena call return NULL. */
Err arena_error(void);

#endif
