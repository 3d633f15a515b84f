/* partition.h - rows parted by k-means: what flat and ivfpq build their codes upon, and the order a search takes them
 * in.
 *
 * Coded vectors stand partition by partition without gaps, by rising slot in each; a block of 64 may hold the end of
 * one partition and the beginning of the next. A kind's built file (built.h) begins with the words and parts told here,
 * then come its own.
 *
 * Threads: a Parting is its builder's, a Probe its search's; Partitions are immutable.
 */
#ifndef PYTHIA_INDEX_PARTITION_H
#define PYTHIA_INDEX_PARTITION_H

#include "base/arena.h"
#include "index/rows8.h"

enum { PARTITION_COUNT, PARTITION_CODED /* vectors */, PARTITION_WORDS };

enum {
    PARTITION_CENTROIDS, /* int8 [count, dim] */
    PARTITION_SCALES,    /* f32 [count] of the centroids' numbers */
    PARTITION_RADII,     /* f32 [count] root mean square of the residuals' lengths */
    PARTITION_STARTS,    /* u32 [count + 1] first vector of each */
    PARTITION_SLOTS,     /* u32 [blocks * 64] */
    PARTITION_PARTS
};

/* ---- building ---- */

typedef struct {
    /* the caller's */
    const Rows *rows;
    RowsView *v;
    Pool *pool;
    const Deadline *deadline;
    size_t dim;
    uint64_t seed;

    uint32_t *live; /* [n_live] slots that were not removed */
    size_t n_live;
    size_t times;         /* 1, or 2: partitions that each row stands in; set by parting_make */
    size_t vectors;       /* times n_live: the second ones of all rows behind the first ones */
    size_t count, padded; /* partitions; vectors rounded up to whole blocks */
    float *centroids;     /* [count, dim] as the file has them: int8 and back */
    uint32_t *nearest;    /* [vectors] */
    uint32_t *place;      /* [vectors] where the vector stands */
    float *lengths;       /* [vectors] squared lengths of residuals: the kind fills these in */
    int8_t *small;        /* the file's parts */
    float *scales, *radii;
    uint32_t *starts, *slots;
} Parting;

enum { PARTITION_PIECE = 512 /* rows of a piece of work */ };

/* Finds the live rows. Memory is of a everywhere. */
MUST_USE Err parting_begin(Parting *p, Arena *a);
/* Parts them: k-means on `sample` of them (all when there are fewer), every row to its nearest centroid; and, twice, to
 * a second one (kmeans.h) where there is one. n_live > 0. */
MUST_USE Err parting_make(Parting *p, Arena *a, size_t count, size_t sample, size_t iterations, bool twice);
/* floats [m, dim] of m live rows drawn evenly, to be freed; m is cut to n_live. drawn: which of `live`. */
MUST_USE Err parting_sample(const Parting *p, Arena *a, size_t *m, uint32_t **drawn, float **sample);
/* Radii from lengths, then the words and parts into what built_write takes. */
void parting_out(Parting *p, uint32_t *words, BuiltPart *parts);

/* Array of the arena, zeroed; NULL and *err set when there is no memory or *err was set before. */
void *parting_need(Arena *a, size_t n, size_t each, Err *err);

/* ---- searching ---- */

/* What is built, checked. */
typedef struct {
    size_t count, coded, blocks;
    const int8_t *centroids;
    const float *scales, *radii;
    const uint32_t *starts, *slots;
} Partitions;

/* ERR_CORRUPT when the parts' lengths do not fit each other: asked by each search. */
MUST_USE Err partitions_read(const BuiltFile *f, const Built *b, size_t dim, Partitions *out);
/* ERR_CORRUPT when what they hold makes no partitions: asked of a file that is opened. times: that a row may stand in
 * them. 1 ns a vector. */
MUST_USE Err partitions_check(const BuiltFile *f, const Built *b, const Partitions *in, unsigned times);
/* ERR_CORRUPT when one of n numbers is not finite; what: "a radius". */
MUST_USE Err partitions_finite(const BuiltFile *f, const float *numbers, size_t n, const char *what);

/* Partitions in the order of what one of their rows may promise. */
typedef struct {
    Partitions in;
    float *promise; /* [count] */
    float *centre;  /* [count] <c, q> */
    uint32_t *heap; /* [count], the best on top */
    size_t n_heap;
} Probe;

/* Bytes that a probe's arrays take; where they stand: multiples of 64. */
static inline size_t probe_bytes(const Partitions *in) { return 3 * scratch_lines(in->count * sizeof(float)); }
void probe_place(Probe *p, uint8_t *memory);

/* promise = <c, q> + reach radius. query: [dim] of row8_query_small, with its scale: that rounds <c, q> by 0.0004 |q|
 * |c|, where the estimates it goes into are off by 0.03. */
void probe_rank(Probe *p, const int8_t *query, float scale, size_t dim, float reach);
uint32_t probe_best(const Probe *p);
/* Those whose <c, q> + stop radius reaches the floor, all but one; then best first. */
void probe_fill(Probe *p, uint32_t but, float stop, float floor);
uint32_t probe_pop(Probe *p); /* n_heap > 0 */

#endif
