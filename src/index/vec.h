/* vec.h - the one face of all vector index kinds; a kind is one file and one line in vec_kinds (vec.c).
 *
 * An index holds rows of dim floats in numbered slots 0, 1, 2 … in order of adding; what a slot means is the caller's
 * affair (the store keeps chunk_embeddings: hash -> slot). Rows are searched by inner product; normalised rows make
 * that the cosine.
 *
 * Life: an index is a folder. A writer adds rows (appended to a file, invisible), vec_sync makes them durable and tells
 * the count; the caller commits that count in its own transaction and hands it back as VecSpec.committed at the next
 * open. Rows behind the committed count are the leftovers of a crash: a writer cuts them off, a reader ignores them. So
 * the store's commit is the only commit, and kill -9 at any moment loses nothing committed.
 *
 * Two parts: the rows, appended and committed as told above, and what a kind builds over them so that a search need not
 * look at each (partitions, a graph, codes). vec_build makes the second part anew over the rows synced so far and puts
 * it beside the old one; rows behind it are compared one by one until the next vec_build. It is derived from the rows
 * and from VecParams alone, the same for the same seed, so it needs no commit: a search takes the longest that fits.
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
#include "base/pool.h"

typedef struct VecIndex VecIndex;

#define VEC_DIM_MAX 16384

/* How an index is built; 0 is the default everywhere. What a kind has no use for, it does not look at. */
typedef struct {
    uint32_t partitions;      /* flat, ivfpq: 0 lets the number of rows decide */
    uint32_t assignments;     /* flat: partitions that a row stands in, 1 (0 counts as it) or 2 */
    uint32_t sub_vectors;     /* ivfpq: 48 */
    uint32_t iterations;      /* of k-means */
    uint32_t graph_degree;    /* hnsw: M (16); compact: of the pruned graph */
    uint32_t ef_construction; /* hnsw: 200 */
    bool keep_f32;            /* flat, hnsw, ivfpq: rows of f32 beside the int8 ones, for the last few candidates; asked
                                 of the first rows, then the file says it */
    uint64_t seed;
} VecParams;

/* Computes rows anew for kinds that keep none: out[i] is the row of slots[i]. Called from the thread that searches,
 * with the best first, a batch at a time. had: [n], all true; what it was made of is gone (a file that changed or
 * went): false, and the row stays where its code puts it. Errors end the search. */
typedef Err (*VecFetch)(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out /* [n, dim] */,
                        bool *had);

typedef struct {
    const char *kind; /* "flat" */
    const char *dir;  /* made when missing (writer) */
    size_t dim;
    Sha256 model;        /* the rows' model: another one in the file is ERR_MODEL_MISMATCH */
    uint64_t generation; /* names the files; another one in the file is ERR_FORMAT */
    uint32_t committed;  /* rows that count: 0, or a count that vec_sync gave */
    bool writer;         /* takes the folder's lock: ERR_BUSY when another process has it */
    VecParams params;    /* of vec_build; a reader takes what the files say */
} VecSpec;

typedef struct {
    uint32_t slot;
    float score; /* inner product */
} VecHit;

/* What a search did. */
typedef struct {
    uint32_t scanned;    /* codes or graph nodes looked at */
    uint32_t reranked;   /* rows compared */
    uint32_t recomputed; /* rows that VecFetch gave */
    uint32_t lost;       /* rows that it could not give */
    float error; /* of VecQuery.estimate: scores are at most so far off, as far as the proof goes; 0: they are exact */
    bool proven; /* the error bounds show that no other row belongs among the k */
} VecReport;

/* Memory that searches of one thread reuse. */
typedef struct VecScratch VecScratch;
MUST_USE Err vec_scratch_open(VecScratch **out);
void vec_scratch_close(VecScratch *s); /* NULL is fine */

typedef struct {
    size_t k;
    const uint64_t *allowed;  /* bitmap over slots [(rows of vec_stats + 63) / 64], bit 1: may be returned; NULL: all */
    const Deadline *deadline; /* NULL: none; when it is reached the best so far is returned with ERR_DEADLINE */
    bool exact;               /* every row compared, in the numbers kept */
    bool estimate;            /* compact: no row is computed, scores are estimates; other kinds have no use for it */
    float effort;   /* 1 (0 counts as it): the kind's default, for recall@10 >= 0.95; 2 looks at about twice as
                                 much. efSearch, nprobe and thresholds follow from it */
    size_t budget;  /* compact: rows computed anew at most; 0: no bound */
    VecFetch fetch; /* compact, unless estimate; others never call it */
    void *fetch_ctx;
    VecScratch *scratch; /* for one thread; NULL: taken and given back by the call */
    VecReport *report;   /* NULL: not asked for */
} VecQuery;

typedef struct {
    const char *kind;
    size_t dim;
    uint32_t rows, removed;
    uint32_t built; /* rows that vec_build covered; those behind are compared one by one */
    /* compact: rows there were when its codes were fitted to them; when it has many times more, building it anew
     * (from rows embedded anew) makes it better. 0: other kinds, and before that */
    uint32_t learnt;
    bool bytes_alone; /* flat, hnsw, ivfpq: no floats are kept beside the bytes */
    int64_t bytes;    /* on disk, all of it */
} VecStats;

/* Names of all kinds, NULL behind the last; and the error for a name that is none of them. */
const char *const *vec_kind_names(void);
MUST_USE Err vec_kind_unknown(const char *kind);
/* The kind that serves n rows best, and why, in words; both are literals. current: what they are in now, NULL: nothing
 * yet; near a border it stays, so that a collection does not go back and forth. */
const char *vec_kind_auto(size_t n, const char *current, const char **why);

/* Missing files with committed > 0: ERR_NO_INDEX; damaged: ERR_CORRUPT with file and byte; both name the command that
 * rebuilds. committed 0 without files is an empty index. */
MUST_USE Err vec_open(VecIndex **out, const VecSpec *spec);
void vec_close(VecIndex *ix); /* NULL is fine */

/* Appends rows [n, dim]; *first is the slot of the first of them. NaN, Inf: ERR_INPUT naming the row, nothing added.
 * After any other failure of vec_add or vec_sync (a full disk) the handle takes no more: close it and open it again,
 * which cuts the file back to what is committed. */
MUST_USE Err vec_add(VecIndex *ix, const float *rows, size_t n, uint32_t *first);
/* Durable on disk from here; *rows is the count to commit. */
MUST_USE Err vec_sync(VecIndex *ix, uint32_t *rows);
/* Whether vec_build would pay now: enough rows behind what is built, or enough of it removed. */
bool vec_build_due(const VecIndex *ix);
/* Builds over all synced rows, durable at return; searches of this handle use it from then on. The same files for the
 * same rows, params and seed, whatever the pool. pool NULL: this thread alone. A deadline or an interrupt
 * (ERR_DEADLINE, ERR_INTERRUPT) and every other failure leave what was built before. Nothing to do is ERR_OK. */
MUST_USE Err vec_build(VecIndex *ix, Pool *pool, const Deadline *deadline);
/* Slots that no chunk needs any more: no search returns them, vec_compact drops them. To be called when the transaction
 * that let go of them is committed, never before: there is no way back. Kept in a tombstone file, not synced: lost
 * tombstones do no harm. ERR_INPUT when a slot is not below the row count. */
MUST_USE Err vec_remove(VecIndex *ix, const uint32_t *slots, size_t n);
/* Copies one row, removed ones too; as exactly as the kind keeps it (int8: within 0.4 % of its largest number; kinds
 * that keep no rows: ERR_UNSUPPORTED). ERR_INPUT when slot is not below the row count, ERR_CORRUPT as vec_search. */
MUST_USE Err vec_row(const VecIndex *ix, uint32_t slot, float *out /* [dim] */);
/* out: [k], by falling score, ties by rising slot; *n of them. k over the row count gives them all. A block whose
 * checksum is wrong is ERR_CORRUPT. query: [dim]; NaN, Inf: ERR_INPUT. */
MUST_USE Err vec_search(const VecIndex *ix, const float *query, const VecQuery *q, VecHit *out, size_t *n);
/* Scores of single rows, removed ones too: scores[i] of slots[i], had[i] false when it is only an estimate since the
 * row cannot be computed any more. Of q only deadline, estimate, effort, fetch, scratch and report count. Cost: 0.2 us
 * a row; compact, without q->estimate: VecFetch, 8 at a time. ERR_INPUT when a slot is not below the row count;
 * ERR_DEADLINE: nothing is given. */
MUST_USE Err vec_score(const VecIndex *ix, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                       float *scores /* [n] */, bool *had /* [n] */);
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
