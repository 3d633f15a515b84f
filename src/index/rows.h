/* rows.h - items in numbered slots: what every kind of vector index keeps its rows in, floats, bytes or codes.
 *
 * Files: vec-<generation>.rows holds the items in blocks, vec-<generation>.gone the removed slots (format: file.h),
 * writer.lock is the folder's lock. What an item means is the kind's affair; all of one file have one size.
 *
 * What searches read is a RowsView: an immutable map of the file with its directory of blocks, and two bitmaps that
 * only ever gain bits. A search holds a reference to the view it began with, so that rows_sync may put the next view in
 * its place at any time; the last one out unmaps. That is all the locking there is between a writer and its readers.
 *
 * Threads: one writer; any number of holders of views.
 */
#ifndef PYTHIA_INDEX_ROWS_H
#define PYTHIA_INDEX_ROWS_H

#include <pthread.h>
#include <stdatomic.h>

#include "index/file.h"
#include "index/vec_kind.h"

/* Items of a full block. A block is checked whole at first touch, so it should stay in the L2 cache between the check
 * and the products (384 KiB at 384 floats), and be large enough that its header and a look at the clock cost
 * nothing. */
#define ROWS_BLOCK 256
#define ROWS_MAX   (UINT32_MAX - 1) /* UINT32_MAX is "no slot" */

/* Where a block's items are. */
typedef struct {
    const uint8_t *items; /* aligned to 64 bytes */
    uint32_t first, end;  /* slots [first, end) */
} RowsSpan;

typedef struct {
    FileMap map;
    IndexBlock *blocks; /* [n_blocks] */
    RowsSpan *spans;    /* [n_blocks] */
    uint32_t
        *hints; /* [rows / 64 + 1] the block of slot 64 i: blocks end where a sync fell, so they differ in length */
    size_t n_blocks;
    size_t item_bytes;
    uint32_t rows;
    _Atomic uint32_t n_gone;
    _Atomic uint64_t *checked; /* [(n_blocks + 63) / 64] bit 1: the block's checksum was found right */
    _Atomic uint64_t *gone;    /* [(rows + 63) / 64] bit 1: the slot was removed */
    size_t refs;               /* guarded by Rows.lock */
} RowsView;

typedef struct {
    bool writer;
    IndexHead head;      /* of the items' file */
    IndexHead gone_head; /* of the removed slots' file */
    char rows_path[1024], gone_path[1024];
    char dir[1024];
    RowsView *view;       /* what searches see */
    pthread_mutex_t lock; /* guards view and every view's refs */

    /* the writer's own, one thread */
    int lock_fd;
    bool broken; /* an append or sync failed: nothing more is taken */
    FileAppend rows_file, gone_file;
    uint8_t *buffer;     /* the block that is being filled, as index_block_append wants it */
    uint32_t pending;    /* items in buffer */
    uint32_t written;    /* items in whole blocks */
    uint64_t gone_first; /* slots in gone_file */
    IndexBlock *blocks;  /* [n_blocks] of the file, unsynced ones too */
    size_t n_blocks, cap_blocks;
} Rows;

/* Opens r (any bytes) as spec says; tag: what the file holds, at most 8 letters. Errors as vec_open's; r is closed
 * then. */
MUST_USE Err rows_open(Rows *r, const VecSpec *spec, const char *tag, IndexDtype dtype, size_t item_bytes);
void rows_close(Rows *r); /* no view may be held */

/* items: [n][item_bytes]; *first is the slot of the first. Contract of vec_add and vec_sync. */
MUST_USE Err rows_append(Rows *r, const void *items, size_t n, uint32_t *first);
MUST_USE Err rows_sync(Rows *r, uint32_t *rows);

/* The file was replaced by one with the same slots in the same blocks, of other items, which head tells: searches see
 * it from here on, those under way keep theirs (a view's item_bytes tells which). Nothing may be pending. On failure
 * the handle takes no more rows. */
MUST_USE Err rows_replaced(Rows *r, const IndexHead *head);

/* The view of now, held until rows_drop. */
RowsView *rows_hold(const Rows *r);
void rows_drop(const Rows *r, RowsView *v);

/* Checks a block's items unless that was done before. */
MUST_USE Err rows_verify(const Rows *r, RowsView *v, size_t block);

/* The block of a slot, which is below v->rows. ~1 ns. */
static inline size_t rows_block(const RowsView *v, uint32_t slot) {
    size_t b = v->hints[slot / 64];
    while (slot >= v->spans[b].end) b++;
    return b;
}

static inline bool rows_gone(const RowsView *v, uint32_t slot) {
    return atomic_load_explicit(&v->gone[slot / 64], memory_order_relaxed) >> (slot % 64) & 1;
}

/* The item in a slot below v->rows; what it holds counts only when its block was found right (rows_verify). */
static inline const void *rows_item(const RowsView *v, uint32_t slot) {
    const RowsSpan *s = &v->spans[rows_block(v, slot)];
    return s->items + (size_t)(slot - s->first) * v->item_bytes;
}

/* The same, checked. */
MUST_USE static inline Err rows_read(const Rows *r, RowsView *v, uint32_t slot, const void **item) {
    size_t b = rows_block(v, slot);
    if (!(atomic_load_explicit(&v->checked[b / 64], memory_order_relaxed) >> (b % 64) & 1)) TRY(rows_verify(r, v, b));
    *item = v->spans[b].items + (size_t)(slot - v->spans[b].first) * v->item_bytes;
    return ERR_OK;
}

/* ERR_INPUT when the view has no such slot. */
MUST_USE Err rows_has(const Rows *r, const RowsView *v, uint32_t slot);

void rows_stats(const Rows *r, VecStats *out);

/* All checksums anew; `unfit` (NULL: none) says what is wrong with an item in words, or NULL. The tombstones are not
 * looked at: a torn end is their ordinary state after a crash, and while another process writes. */
typedef const char *(*RowsUnfit)(const void *ctx, const void *item);
MUST_USE Err rows_check(const Rows *r, RowsUnfit unfit, const void *ctx, Buf *report);

/* rows_gone.c: vec_remove; and loading the tombstones into v (a writer also makes the file fit for appending). */
MUST_USE Err rows_remove(Rows *r, const uint32_t *slots, size_t n);
MUST_USE Err rows_gone_load(Rows *r, RowsView *v);

/* rows_compact.c: vec_compact. */
MUST_USE Err rows_compact(Rows *r, uint32_t *map_out, uint32_t *rows_out);

#endif
