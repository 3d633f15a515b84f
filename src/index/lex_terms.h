/* lex_terms.h - the distinct terms of documents on their way into the index, numbered in order of their first
 * occurrence. Private to the room. A hash table for short strings: nearly all terms have at most 16 bytes and are told
 * apart by two words of 64 bits, without a look at the bytes themselves. (The general map cost a fifth of the CPU of
 * putting words in: a call to hash, one to compare, and two cache misses an occurrence.) Threads: one.
 */
#ifndef PYTHIA_INDEX_LEX_TERMS_H
#define PYTHIA_INDEX_LEX_TERMS_H

#include "base/arena.h"

typedef struct {
    uint64_t head,
        tail; /* with n they are all of a term of at most 16 bytes: its first bytes and its last, which may overlap */
    const char *p; /* [n] in the arena */
    uint32_t n, hash;
} LexTerm;

typedef struct {
    LexTerm *terms; /* [count] */
    uint32_t count, cap;
    uint32_t *table; /* [size] number + 1, 0 free; at most half full */
    size_t size;     /* a power of two */
    Arena arena;     /* of the terms' bytes */
} LexTerms;

/* The number of a term, which is not empty; a new one gets the next. */
MUST_USE Err lex_terms_number(LexTerms *t, Str term, uint32_t *number);
/* The same of a term of another table. */
MUST_USE Err lex_terms_adopt(LexTerms *t, const LexTerm *term, uint32_t *number);
void lex_terms_reset(LexTerms *t); /* none, the memory kept */
void lex_terms_free(LexTerms *t);  /* back to {0} */

#endif
