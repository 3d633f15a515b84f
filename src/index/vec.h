/* vec.h - the one face of all vector index kinds; a kind is one file and one line in vec_kinds (vec.c).
 *
 * An index holds rows of dim floats in numbered slots 0, 1, 2 … in order of adding; what a slot means is the caller's
 * affair (the store keeps chunk_embeddings: hash -> slot). Rows are searched by inner product; normalised rows make that
 * the cosine.
 *
 * Life: an index is a folder. A writer adds rows (appended to a file, invisible), vec_sync makes them durable and tells
 * the count; the caller commits that count in its own transaction and hands it back as VecSpec.committed at the next
 * open. Rows behind the committed count are the leftovers of a crash: a writer cuts them off, a reader ignores them. So
 * the store's commit is the only commit, and kill -9 at any moment loses nothing committed.
 *
 * Threads: any number of searches beside one writer, in this process or another. A reader keeps the rows it was opened
 * with; vec_search, vec_row, vec_stats and vec_check of a writer's own handle see the rows of its last vec_sync.
 */
#ifndef PYTHIA_INDEX_VEC_H
#define PYTHIA_INDEX_VEC_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

typedef struct VecIndex VecIndex;

#define VEC_DIM_MAX 16384

typedef struct {
    const char *kind; /* "flat" */
    const char *dir;  /* made when missing (writer) */
    size_t dim;
    Sha256 model;        /* the rows' model: another one in the file is ERR_MODEL_MISMATCH */
    uint64_t generation; /* names the files; another one in the file is ERR_FORMAT */
    uint32_t committed;  /* rows that count: 0, or a count that vec_sync gave */
    bool writer;         /* takes the folder's lock: ERR_BUSY when another process has it */
} VecSpec;

typedef struct {
    uint32_t slot;
    float score; /* inner product */
} VecHit;

typedef struct {
    size_t k;
    const uint64_t *allowed;  /* bitmap over slots [(rows of vec_stats + 63) / 64], bit 1: may be returned; NULL: all */
    const Deadline *deadline; /* NULL: none; when it is reached the best so far is returned with ERR_DEADLINE */
} VecQuery;

typedef struct {
    const char *kind;
    size_t dim;
    uint32_t rows, removed;
    int64_t bytes; /* on disk */
} VecStats;

/* Missing files with committed > 0: ERR_NO_INDEX; damaged: ERR_CORRUPT with file and byte; both name the command that
 * rebuilds. committed 0 without files is an empty index. */
MUST_USE Err vec_open(VecIndex **out, const VecSpec *spec);
void vec_close(VecIndex *ix); /* NULL is fine */

/* Appends rows [n, dim]; *first is the slot of the first of them. NaN, Inf: ERR_INPUT naming the row, nothing added. After
 * any other failure of vec_add or vec_sync (a full disk) the handle takes no more: close it and open it again, which
 * cuts the file back to what is committed. */
MUST_USE Err vec_add(VecIndex *ix, const float *rows, size_t n, uint32_t *first);
/* Durable on disk from here; *rows is the count to commit. */
MUST_USE Err vec_sync(VecIndex *ix, uint32_t *rows);
/* Slots that no chunk needs any more: no search returns them, vec_compact drops them. To be called when the transaction
 * that let go of them is committed, never before: there is no way back. Kept in a tombstone file, not synced: lost
 * tombstones do no harm. ERR_INPUT when a slot is not below the row count. */
MUST_USE Err vec_remove(VecIndex *ix, const uint32_t *slots, size_t n);
/* Copies one row, removed ones too. ERR_INPUT when slot is not below the row count, ERR_CORRUPT as vec_search. */
MUST_USE Err vec_row(const VecIndex *ix, uint32_t slot, float *out /* [dim] */);
/* out: [k], by falling score, ties by rising slot; *n of them. k over the row count gives them all. A block whose
 * checksum is wrong is ERR_CORRUPT. query: [dim]; NaN, Inf: ERR_INPUT. */
MUST_USE Err vec_search(const VecIndex *ix, const float *query, const VecQuery *q, VecHit *out, size_t *n);
/* Reads everything: checksums, NaN, Inf, sizes. One line a finding into report; ERR_CORRUPT when there was one. */
MUST_USE Err vec_check(const VecIndex *ix, Buf *report);
void vec_stats(const VecIndex *ix, VecStats *out);
/* Rewrites the index without removed slots as generation + 1 beside the old files: map_out[old slot] = new
 * slot or UINT32_MAX; *rows_out is the count to commit with the new generation. The old files stay until vec_drop, so
 * that the caller can commit in between; this handle stays on the old generation. Rows that were
 * added since the last vec_sync: ERR_INTERNAL. */
MUST_USE Err vec_compact(VecIndex *ix, uint32_t *map_out /* [rows] */, uint32_t *rows_out);
/* Removes a generation's files. */
MUST_USE Err vec_drop(const char *dir, uint64_t generation);

#endif
