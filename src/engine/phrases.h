/* phrases.h - which of many phrases stand in a text, and where: word for word, whatever stands between the words and in
 * whichever case. A word is a run of letters, digits and bytes above 0x7f.
 *
 * For sets of queries made of the texts that they are to find (eval_init.c): a query that stands elsewhere, too, proves
 * nothing.
 *
 * Memory: the phrases' words, in the arena; of a text its words, while it is looked at. Threads: one.
 */
#ifndef PYTHIA_ENGINE_PHRASES_H
#define PYTHIA_ENGINE_PHRASES_H

#include "base/arena.h"
#include "base/map.h"

enum { PHRASE_WORDS_LEAST = 3 };

typedef struct {
    uint64_t *words; /* [n] hashes */
    size_t n;
    size_t next; /* of those that begin with the same words: its number and 1; 0 none */
} Phrase;

typedef struct {
    Arena *a;
    Phrase *phrases; /* [n] */
    size_t n, cap;
    Map first; /* of their first words' hash: the number of the last such phrase, and 1 */
} Phrases;

size_t phrase_words(Str text); /* how many it has */

/* Numbers count from 0 in order of adding. One of fewer words than PHRASE_WORDS_LEAST is never found. ERR_NOMEM. */
MUST_USE Err phrases_add(Phrases *p, Str text);

/* Told for each place where one stands: bytes [start, end) of the text. Cost: linear in the text, but for phrases that
 * begin alike. */
typedef void (*PhraseFn)(void *ctx, size_t phrase, size_t start, size_t end);
MUST_USE Err phrases_find(const Phrases *p, Str text, PhraseFn found, void *ctx);

void phrases_free(Phrases *p); /* the map; the rest is the arena's */

#endif
