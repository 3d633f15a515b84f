/* lex_buffer.h - documents in memory, on their way into a segment. Private to the room. Threads: one. */
#ifndef PYTHIA_INDEX_LEX_BUFFER_H
#define PYTHIA_INDEX_LEX_BUFFER_H

#include "index/lex_terms.h"
#include "index/lex_write.h"

/* Occurrences after which the writer empties its memory: 16 bytes each at the peak. 40 MB of code have 6 million. */
enum { LEX_BUFFER_OCCURRENCES = 12 << 20 };

#define LEX_NO_TERM UINT32_MAX

typedef struct {
    uint32_t term, where; /* field in the upper 2 bits, position in the rest */
} LexOccurrence;

typedef struct {
    LexTerms terms;
    LexOccurrence *occurrences; /* in order of documents, fields, positions */
    size_t n, cap;
    size_t *starts; /* [docs] of each document in occurrences */
    uint16_t *lengths;
    int64_t *ids;
    uint32_t docs, cap_docs;
} LexBuffer;

/* Analyses a document's fields. After an error only lex_buffer_clear is allowed. */
MUST_USE Err lex_buffer_add(LexBuffer *b, Analyzer *a, int64_t id, const Str fields[LEX_FIELDS]);
/* Documents [at, at + n) of `from`, behind those that are here; the first one gets the id `first`, the others follow.
 * numbers [from->terms.count]: those here of its terms, LEX_NO_TERM before they are known; one array for all parts of
 * it, as long as neither buffer is cleared. Errors as above. */
MUST_USE Err lex_buffer_append(LexBuffer *b, const LexBuffer *from, uint32_t at, uint32_t n, int64_t first,
                               uint32_t *numbers);
/* A document without a term, with id 0. */
MUST_USE Err lex_buffer_add_empty(LexBuffer *b);
/* Writes what is gathered as the segment of documents `first` and on; durable as of seg_writer_end. */
MUST_USE Err lex_buffer_write(const LexBuffer *b, const char *dir, uint64_t generation, uint32_t first,
                              const uint32_t *removed, uint32_t n_removed, const uint64_t *dropped, LexSeg **out);
/* No document, the memory kept. */
void lex_buffer_reset(LexBuffer *b);
/* Back to {0}. */
void lex_buffer_clear(LexBuffer *b);

#endif
