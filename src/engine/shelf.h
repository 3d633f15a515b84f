/* shelf.h - indexes that were opened to be searched, kept open for the next search of the process.
 *
 * Opening is most of what a search of a warm server would cost: every checksum of the words, the lists of a graph, the
 * counts of what is removed. A reader serves any number of threads (index/vec.h, index/lex.h), so one is enough for
 * all.
 *
 * A thing lies under a name, in one version. Who asks for another version gets that one opened, and the old one goes
 * when the last search in it is done; so the caller puts into the version whatever must not be mixed up: generation,
 * committed count, and a stamp of the folder's files, which differs as soon as one of them is written, replaced or
 * removed, by whatever process.
 *
 * Bounded: SHELF_MOST things, the longest unused leaves first; what nobody took for SHELF_IDLE_MS goes at the next
 * take, so that files which another process removed do not hold their space for ever. Memory: what the index keeps,
 * which is mostly the system's page cache.
 *
 * Threads: any. Opening and closing happen outside the lock, so a slow one holds up nobody; two that open the same at
 * once both do, and one of them is closed again.
 */
#ifndef PYTHIA_ENGINE_SHELF_H
#define PYTHIA_ENGINE_SHELF_H

#include "base/err.h"
#include "base/str.h"

enum { SHELF_MOST = 32, SHELF_IDLE_MS = 600000 };

typedef struct Shelf Shelf;
typedef struct ShelfItem ShelfItem;

typedef struct {
    Err (*open)(void *ctx, void **thing); /* *thing is not NULL after ERR_OK */
    void (*close)(void *thing);
} ShelfMaker;

MUST_USE Err shelf_open(Shelf **out);
void shelf_close(Shelf *s); /* everything must have been given back; NULL is fine */

/* The thing of this name in this version, opened unless it is there. Give it back when done. Errors: those of open,
 * ERR_NOMEM. */
MUST_USE Err shelf_take(Shelf *s, Str name, Str version, const ShelfMaker *make, void *ctx, ShelfItem **out);
void *shelf_thing(const ShelfItem *item);
void shelf_give(Shelf *s, ShelfItem *item); /* NULL is fine */

/* Closes whatever has a name that begins so, at once or when the last search in it is done. "": everything. */
void shelf_forget(Shelf *s, Str prefix);

/* Of a folder's files: differs when one came or went, was replaced or written to. A folder that is not there has one
 * too. Cost: some 10 us for a dozen files. */
MUST_USE Err shelf_stamp(const char *dir, uint64_t *out);

#endif
