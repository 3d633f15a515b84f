/* lex_write.h - writing a segment: terms in rising order, of each its postings in rising order. Both who empties the
 * memory of a writer (lex_buffer.c) and who joins segments (lex_merge.c) write through this. Private to the room.
 *
 *     seg_writer_open, then for each term: seg_writer_room, seg_writer_posting and seg_writer_delta ..., seg_writer_term;
 *     seg_writer_end; seg_writer_close always
 *
 * Threads: one.
 */
#ifndef PYTHIA_INDEX_LEX_WRITE_H
#define PYTHIA_INDEX_LEX_WRITE_H

#include "index/lex_seg.h"

/* What a segment holds beside its postings. Arrays are the caller's, and stay until seg_writer_close. */
typedef struct {
    uint32_t first, docs;
    const uint16_t *lengths; /* [docs] */
    const int64_t *ids;      /* [docs] */
    const uint32_t *removed; /* [n_removed] numbers, rising */
    uint32_t n_removed;
    const uint64_t *dropped; /* bitmap over docs; NULL: none */
} SegDocs;

typedef struct {
    SegDocs of;
    float weights[LEX_FIELDS];
    Buf dict, groups, post, pos;
    Buf pos_sizes /* u32 */, pos_data; /* of the blocks of the term that is being written */
    uint32_t terms;
    uint64_t postings, positions;
    char last[LEX_TERM_MAX]; /* the term before */
    size_t last_n;
    uint32_t *tuples; /* [n_tuples] by code, in order of their first use: frequent ones come early */
    uint32_t n_tuples, cap_tuples;
    uint32_t *slots;                 /* [2 cap_tuples] code + 1 by a tuple's hash */
    uint32_t *docs, *codes, *deltas; /* of the term that is being written */
    size_t n, cap, n_deltas, cap_deltas;
    Err err; /* the first failure; later calls do nothing */
} SegWriter;

MUST_USE Err seg_writer_open(SegWriter *w, const SegDocs *of);
/* Memory for so many more postings and positions of this term. */
void seg_writer_room(SegWriter *w, size_t postings, size_t positions);
/* tuple: occurrences by field, a byte each; as many deltas follow. */
void seg_writer_posting(SegWriter *w, uint32_t doc, uint32_t tuple);
static inline void seg_writer_delta(SegWriter *w, uint32_t delta) {
    if (!w->err) w->deltas[w->n_deltas++] = delta;
}
/* Ends the term; one without postings is left out. */
void seg_writer_term(SegWriter *w, Str term);
/* Writes the file and opens it. It is durable once its folder is synced (file_sync_dir_of). */
MUST_USE Err seg_writer_end(SegWriter *w, const char *dir, uint64_t generation, LexSeg **out);
void seg_writer_close(SegWriter *w);

#endif
