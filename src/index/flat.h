/* flat.h - the insides of the flat kind, shared by flat.c (life), flat_search.c (reading) and flat_compact.c.
 *
 * Files: vec-<generation>.rows holds the rows in blocks, vec-<generation>.gone the removed slots (format: file.h),
 * writer.lock is the folder's lock.
 *
 * What searches read is a FlatView: an immutable map of the file with its directory of blocks, and two bitmaps that only
 * ever gain bits. A search holds a reference to the view it began with, so that vec_sync may put the next view in its
 * place at any time; the last one out unmaps. That is all the locking there is between a writer and its readers.
 */
#ifndef PYTHIA_INDEX_FLAT_H
#define PYTHIA_INDEX_FLAT_H

#include <pthread.h>
#include <stdatomic.h>

#include "index/file.h"
#include "index/vec_kind.h"

/* Rows of a full block. A block is checked whole at first touch, so it should stay in the L2 cache between the check and
 * the products (384 KiB at 384 floats), and be large enough that its header and a look at the clock cost nothing. */
#define FLAT_BLOCK_ROWS 256
#define FLAT_ROWS_MAX   (UINT32_MAX - 1) /* UINT32_MAX is "no slot" */

typedef struct {
    FileMap map;
    IndexBlock *blocks; /* [n_blocks] */
    size_t n_blocks;
    uint32_t rows;
    _Atomic uint32_t n_gone;
    _Atomic uint64_t *checked; /* [(n_blocks + 63) / 64] bit 1: the block's checksum was found right */
    _Atomic uint64_t *gone;    /* [(rows + 63) / 64] bit 1: the slot was removed */
    size_t refs;               /* guarded by FlatIndex.lock */
} FlatView;

typedef struct {
    VecIndex base;
    IndexHead head;      /* of the rows' file */
    IndexHead gone_head; /* of the removed slots' file */
    char rows_path[1024], gone_path[1024];
    char dir[1024];
    FlatView *view;       /* what searches see */
    pthread_mutex_t lock; /* guards view and every view's refs */

    /* the writer's own, one thread */
    int lock_fd;
    bool broken; /* an append or sync failed: nothing more is taken */
    FileAppend rows_file, gone_file;
    uint8_t *buffer;     /* the block that is being filled, as index_block_append wants it */
    uint32_t pending;    /* rows in buffer */
    uint32_t written;    /* rows in whole blocks */
    uint64_t gone_first; /* slots in gone_file */
    IndexBlock *blocks;  /* [n_blocks] of the file, unsynced ones too */
    size_t n_blocks, cap_blocks;
} FlatIndex;

/* The view of now, held until flat_view_drop. */
FlatView *flat_view_hold(const FlatIndex *ix);
void flat_view_drop(const FlatIndex *ix, FlatView *v);

/* Checks the block's items unless that was done before. */
MUST_USE Err flat_block_need(const FlatIndex *ix, FlatView *v, size_t number);

/* [items of the block, dim], aligned to 64 bytes. */
const float *flat_block_rows(const FlatView *v, const IndexBlock *b);

/* flat_search.c */
Err flat_row(const VecIndex *base, uint32_t slot, float *out);
Err flat_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);
Err flat_check(const VecIndex *base, Buf *report);

/* flat_gone.c: loads the tombstones into v; a writer also makes the file fit for appending. */
MUST_USE Err flat_gone_load(FlatIndex *ix, FlatView *v);
Err flat_remove(VecIndex *base, const uint32_t *slots, size_t n);

/* flat_compact.c */
Err flat_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out);

#endif
