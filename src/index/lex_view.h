/* lex_view.h - what searches of a lexical index see, and the handle itself. Private to the room. */
#ifndef PYTHIA_INDEX_LEX_VIEW_H
#define PYTHIA_INDEX_LEX_VIEW_H

#include <pthread.h>

#include "index/lex_buffer.h"

/* Segments side by side from document 0 on, with what is removed from them. Immutable but for refs. */
typedef struct {
    size_t refs;   /* guarded by LexIndex.lock */
    LexSeg **segs; /* [n] in order of their documents */
    size_t n;
    uint32_t numbers;         /* behind the last document */
    uint32_t n_gone;          /* removed, and not dropped by a merge */
    uint64_t *gone;           /* bitmap over numbers */
    uint64_t counted, length; /* documents that can be found, and their terms */
} LexView;

struct LexIndex {
    char dir[1024];
    uint64_t generation;
    size_t full; /* LexSpec.full */
    bool writer;
    bool broken; /* a write failed: nothing more is taken */
    int lock_fd;
    LexView *view;
    LexBuffer buffer; /* documents behind all segments */
    uint64_t buffers; /* times that it was emptied */
    LexSeg **flushed; /* [n_flushed] written since the last sync, not in view */
    size_t n_flushed;
    uint32_t *removed; /* [n_removed] numbers that the next sync removes */
    size_t n_removed, cap_removed;
    pthread_mutex_t lock; /* guards view and LexView.refs */
};

LexView *lex_hold(const LexIndex *ix);
void lex_release(const LexIndex *ix, LexView *v);
/* A view of the segments, which it holds itself; documents from `committed` on count as removed. */
MUST_USE Err lex_view_new(LexSeg *const *segs, size_t n, uint32_t committed, LexView **out);
void lex_view_free(LexView *v);
/* Lets searches see v from now on. */
void lex_publish(LexIndex *ix, LexView *v);
static inline bool lex_is_gone(const LexView *v, uint32_t number) { return v->gone[number / 64] >> (number % 64) & 1; }

/* lex_batch.c. numbers: lex_buffer_append's, for the index as it is now. */
const LexBuffer *lex_batch_buffer(const LexBatch *b);
MUST_USE Err lex_batch_numbers(LexBatch *b, const LexIndex *ix, uint32_t **numbers);

/* lex_open.c: the segments that hold the committed documents; a writer removes other files of the generation. */
MUST_USE Err lex_load(LexIndex *ix, uint32_t committed);

#endif
